# Checks one program that must not compile. It says so itself, in its first lines:
#
#   // expect: a sentence that the compiler's output must hold
#
# It includes <xmask/xmask.hpp> before anything else: g++ takes a precompiled header only there.

cmake_minimum_required(VERSION 3.22)

file(STRINGS "${SOURCE}" expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${SOURCE} has no line `// expect: ...`")
endif()

set(compile "${COMPILER}" "-I${PRECOMPILED}" "@${FLAGS}" -fsyntax-only "${SOURCE}")
if(NOT PRECOMPILED)
  list(REMOVE_AT compile 1)
endif()

execute_process(COMMAND ${compile} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "It compiled.")
endif()
foreach(expectation IN LISTS expectations)
  string(REPLACE "// expect: " "" sentence "${expectation}")
  string(FIND "${output}" "${sentence}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "It did not compile, but not because of `${sentence}`:\n${output}")
  endif()
endforeach()
