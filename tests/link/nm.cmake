# Fails if a function of xmask is defined in more than one of OBJECTS: the linker would keep one of them for all, and a
# processor might meet the instructions of another one.

cmake_minimum_required(VERSION 3.22)

set(seen "")
set(shared "")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND "${NM}" --defined-only "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL " [WVuTDBR] [^\n]*xmask[^\n]*" symbols "${symbols}")
  if(NOT symbols)
    message(FATAL_ERROR "${object} defines nothing of xmask")
  endif()
  foreach(symbol IN LISTS symbols)
    if(symbol IN_LIST seen)
      list(APPEND shared "${symbol}")
    endif()
  endforeach()
  list(APPEND seen ${symbols})
endforeach()

if(shared)
  list(JOIN shared "\n" shared)
  message(FATAL_ERROR "Defined in more than one object file:\n${shared}")
endif()
