# Runs an example, and checks its exit status and its output: on stdout, or on stderr where it must fail.

cmake_minimum_required(VERSION 3.22)

execute_process(COMMAND ${COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT result EQUAL STATUS)
  message(FATAL_ERROR "It exited with ${result}, not ${STATUS}:\n${out}${err}")
endif()
if(STATUS EQUAL 0)
  set(text "${out}")
else()
  set(text "${err}")
endif()
if(NOT text MATCHES "${OUTPUT}")
  message(FATAL_ERROR "This does not match `${OUTPUT}`:\n${text}")
endif()
