# Finds xtensor and xsimd, Catch2 for the tests, and xtensor-blas and a BLAS for the layers.
#
# The libraries that cmake/setup.sh unpacked into build/deps come after the caller's own CMAKE_PREFIX_PATH, and before
# the system. Missing ones are downloaded, but only for work on xmask itself: a project that uses xmask decides where
# its libraries come from.

if(PROJECT_IS_TOP_LEVEL)
  list(APPEND CMAKE_PREFIX_PATH "${PROJECT_SOURCE_DIR}/build/deps/base/usr"
       "${PROJECT_SOURCE_DIR}/build/deps/catch2-${CMAKE_SYSTEM_PROCESSOR}")
endif()

set(xmask_xtl_minimum 0.7.5)
set(xmask_xsimd_minimum 13)
set(xmask_xtensor_minimum 0.25)

set(missing "")

# The package of xsimd accepts only its own major version. Therefore versions are compared here, not by find_package.
macro(xmask_find name target minimum)
  if(NOT TARGET ${target})
    find_package(${name} CONFIG QUIET)
    if(NOT ${name}_FOUND)
      list(APPEND missing "${name} ${minimum} or newer")
    elseif(${name}_VERSION VERSION_LESS ${minimum})
      message(FATAL_ERROR "xmask needs ${name} ${minimum} or newer, and found ${${name}_VERSION} in ${${name}_DIR}.\n"
                          "`sh cmake/setup.sh` gets a newer one into build/deps; or set CMAKE_PREFIX_PATH.")
    else()
      message(STATUS "Found ${name} ${${name}_VERSION} in ${${name}_DIR}")
      # Imported targets are visible only in the folder that found them, unless they are global. A project that adds
      # xmask with add_subdirectory links to them from its own folder.
      if(NOT PROJECT_IS_TOP_LEVEL)
        set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
      endif()
    endif()
  endif()
endmacro()

xmask_find(xtl xtl ${xmask_xtl_minimum})
xmask_find(xsimd xsimd ${xmask_xsimd_minimum})
xmask_find(xtensor xtensor ${xmask_xtensor_minimum})
if(XMASK_BUILD_TESTS STREQUAL "AUTO")
  find_package(Catch2 3 CONFIG QUIET)
  if(Catch2_FOUND)
    set(XMASK_BUILD_TESTS ON)
  else()
    set(XMASK_BUILD_TESTS OFF)
    message(STATUS "Catch2 3 was not found: the tests are left out. `sh cmake/setup.sh test` gets it, and so does "
                   "-DXMASK_BUILD_TESTS=ON.")
  endif()
endif()
if(XMASK_BUILD_TESTS)
  xmask_find(Catch2 Catch2::Catch2WithMain 3)
endif()

if(XMASK_LAYERS)
  include(cmake/layers.cmake)
endif()

if(missing)
  list(JOIN missing ", " missing_text)
  message(STATUS "Missing: ${missing_text}")  # setup.sh reads this line
endif()
set(fetch_layers OFF)
if(XMASK_LAYERS AND NOT XMASK_LAYERS STREQUAL "AUTO" AND xmask_layers_missing STREQUAL "xtensor-blas")
  set(fetch_layers ON)
endif()
find_package(Git QUIET)
if((missing OR fetch_layers) AND XMASK_FETCH_DEPENDENCIES AND PROJECT_IS_TOP_LEVEL AND Git_FOUND)
  message(STATUS "The missing libraries are downloaded with git. Without a network, install them, or get them by "
                 "`sh cmake/setup.sh deps`.")
  include(cmake/fetch.cmake)
elseif(missing)
  message(FATAL_ERROR "xmask needs ${missing_text}.\n"
                      "Install them, or name the folder they are in with CMAKE_PREFIX_PATH. "
                      "In a checkout of xmask, `sh cmake/setup.sh` gets them.")
endif()

if(XMASK_LAYERS AND xmask_layers_missing)
  list(JOIN xmask_layers_missing " and " missing_text)
  if(NOT PROJECT_IS_TOP_LEVEL AND NOT XMASK_LAYERS STREQUAL "AUTO")
    message(FATAL_ERROR "XMASK_LAYERS is ON, and xmask's layers need ${missing_text}.")
  endif()
  message(STATUS "Layers are left out, for lack of ${missing_text}")  # setup.sh reads this line
elseif(XMASK_LAYERS)
  message(STATUS "Found xtensor-blas in ${XMASK_XTENSOR_BLAS_FOLDER} and ${BLAS_LIBRARIES}")
endif()
