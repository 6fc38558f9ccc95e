# The common part of all consumers made with CMake.

foreach(property IN ITEMS INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_DEFINITIONS INTERFACE_LINK_OPTIONS)
  get_target_property(value xmask::xmask ${property})
  if(value)
    message(FATAL_ERROR "xmask::xmask imposes ${property}: ${value}")
  endif()
endforeach()

add_executable(program ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(program PRIVATE xmask::xmask)
