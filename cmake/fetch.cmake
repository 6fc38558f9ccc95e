# Downloads the libraries that dependencies.cmake did not find, as released by their projects.

include(FetchContent)

# These are headers only. Their own CMakeLists.txt, which would search for one another, are not used. (The folder
# `include` has none, so FetchContent adds nothing to the build.)
macro(xmask_fetch_headers name tag)
  if(NOT TARGET ${name})
    FetchContent_Declare(
      ${name}
      GIT_REPOSITORY https://github.com/xtensor-stack/${name}.git
      GIT_TAG ${tag}
      GIT_SHALLOW ON
      SOURCE_SUBDIR include)
    FetchContent_MakeAvailable(${name})
    add_library(${name} INTERFACE IMPORTED)
    target_include_directories(${name} INTERFACE ${${name}_SOURCE_DIR}/include)
    target_link_libraries(${name} INTERFACE ${ARGN})
  endif()
endmacro()

xmask_fetch_headers(xtl 0.8.2)
xmask_fetch_headers(xsimd 14.3.0)
if(xtl_VERSION AND xtl_VERSION VERSION_LESS 0.8) # an installed xtl decides the version of xtensor
  xmask_fetch_headers(xtensor 0.25.0 xtl)
else()
  xmask_fetch_headers(xtensor 0.27.1 xtl)
endif()

if(fetch_layers)
  if(xtl_VERSION AND xtl_VERSION VERSION_LESS 0.8)
    set(tag 0.21.0)
  else()
    set(tag 0.23.0)
  endif()
  FetchContent_Declare(
    xtensor-blas
    GIT_REPOSITORY https://github.com/xtensor-stack/xtensor-blas.git
    GIT_TAG ${tag}
    GIT_SHALLOW ON
    SOURCE_SUBDIR include)
  FetchContent_MakeAvailable(xtensor-blas)
  include(cmake/layers.cmake)
endif()

if(XMASK_BUILD_TESTS AND NOT TARGET Catch2::Catch2WithMain)
  FetchContent_Declare(
    Catch2
    GIT_REPOSITORY https://github.com/catchorg/Catch2.git
    GIT_TAG v3.7.1
    GIT_SHALLOW ON)
  FetchContent_MakeAvailable(Catch2)
  get_target_property(folders Catch2 INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(Catch2 PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${folders}")
endif()
