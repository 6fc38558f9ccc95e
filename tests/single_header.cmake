# Redirects the tests' `#include <xmask/...>` to single_include/xmask.hpp and xmask_layers.hpp, whichever header they
# name.
set(forwarding ${CMAKE_CURRENT_BINARY_DIR}/single_header)
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/*.hpp)
list(REMOVE_ITEM headers xmask.hpp) # that is its own name
foreach(header IN LISTS headers)
  set(single xmask.hpp)
  if(header MATCHES "^xmask/layers")
    set(single xmask_layers.hpp)
  endif()
  file(CONFIGURE OUTPUT ${forwarding}/${header} CONTENT "#include <${single}>\n")
endforeach()
target_include_directories(xmask_under_test INTERFACE ${forwarding} ${PROJECT_SOURCE_DIR}/single_include)
target_link_libraries(xmask_under_test INTERFACE xtensor xsimd)
target_compile_features(xmask_under_test INTERFACE cxx_std_20)
