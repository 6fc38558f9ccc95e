# Finds the libraries for include/xmask/layers: xtensor-blas, and a BLAS with the C interface. Makes the targets
# xmask_blas, for these two, and xmask::layers, for xmask::xmask and them. Otherwise makes none, and gives the reason in
# xmask_layers_missing. xmask's own build includes this file, and so does its package where the component layers is
# asked for.

set(xmask_layers_missing "")

if(NOT XMASK_XTENSOR_BLAS_FOLDER AND xtensor-blas_SOURCE_DIR) # downloaded
  set(XMASK_XTENSOR_BLAS_FOLDER "${xtensor-blas_SOURCE_DIR}/include")
endif()
find_path(XMASK_XTENSOR_BLAS_FOLDER xflens/cxxblas/cxxblas.cxx HINTS "${xtensor_DIR}/../../../include"
          DOC "Where xtensor-blas is")
if(NOT XMASK_XTENSOR_BLAS_FOLDER)
  list(APPEND xmask_layers_missing "xtensor-blas")
endif()

find_package(BLAS QUIET)
if(BLAS_FOUND)
  # Some libraries have only the Fortran functions.
  include(CMakePushCheckState)
  include(CheckFunctionExists)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_LIBRARIES ${BLAS_LINKER_FLAGS} ${BLAS_LIBRARIES})
  check_function_exists(cblas_sgemm XMASK_BLAS_HAS_C_INTERFACE)
  cmake_pop_check_state()
endif()
if(NOT BLAS_FOUND OR NOT XMASK_BLAS_HAS_C_INTERFACE)
  list(APPEND xmask_layers_missing "a BLAS")
endif()

if(NOT xmask_layers_missing AND NOT TARGET xmask::layers)
  # A target of find_package(BLAS) is visible in one folder only, so the libraries are listed here.
  add_library(xmask_blas INTERFACE IMPORTED GLOBAL)
  target_include_directories(xmask_blas SYSTEM INTERFACE "${XMASK_XTENSOR_BLAS_FOLDER}")
  target_link_libraries(xmask_blas INTERFACE ${BLAS_LINKER_FLAGS} ${BLAS_LIBRARIES})
  add_library(xmask::layers INTERFACE IMPORTED GLOBAL)
  target_link_libraries(xmask::layers INTERFACE xmask::xmask xmask_blas)
endif()
