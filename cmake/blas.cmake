# Finds what the headers in include/xmask/layers need beside xmask: xtensor-blas, and a BLAS with the C interface. Gives the
# target xmask_blas, or none; then the layers' tests and benchmarks are left out.

find_path(XMASK_XTENSOR_BLAS_FOLDER xflens/cxxblas/cxxblas.cxx DOC "Where xtensor-blas is")
find_package(BLAS QUIET)
if(XMASK_XTENSOR_BLAS_FOLDER AND BLAS_FOUND)
  message(STATUS "Found xtensor-blas in ${XMASK_XTENSOR_BLAS_FOLDER} and ${BLAS_LIBRARIES}")
  add_library(xmask_blas INTERFACE)
  target_include_directories(xmask_blas SYSTEM INTERFACE ${XMASK_XTENSOR_BLAS_FOLDER})
  target_link_libraries(xmask_blas INTERFACE BLAS::BLAS)
else()
  set(missing "")
  if(NOT XMASK_XTENSOR_BLAS_FOLDER)
    list(APPEND missing xtensor-blas)
  endif()
  if(NOT BLAS_FOUND)
    list(APPEND missing "a BLAS")
  endif()
  list(JOIN missing " and " missing)
  # cmake/setup.sh reads this line.
  message(STATUS "Layers are left out, for lack of ${missing}")
endif()
