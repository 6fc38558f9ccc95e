# Checks one program that must not compile. The first lines of the program say how:
#
#   // expect: a sentence that the compiler's output must hold; its first error must hold the first such sentence
#   // lines: 20     (at most so many lines of output; 10 where this line is missing)
#   // flags: ...    (more flags; @ is this folder)
#   // only: Clang    (only for this compiler, as CMAKE_CXX_COMPILER_ID has it)
#
# A program that includes <xmask/xmask.hpp> first uses a precompiled header.

cmake_minimum_required(VERSION 3.22)

file(STRINGS "${SOURCE}" expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${SOURCE} has no line `// expect: ...`")
endif()

file(STRINGS "${SOURCE}" flags REGEX "^// flags: ")
string(REPLACE "// flags: " "" flags "${flags}")
string(REPLACE "@" "${CMAKE_CURRENT_LIST_DIR}/" flags "${flags}")
separate_arguments(flags)
file(STRINGS "${SOURCE}" first_include REGEX "^#include" LIMIT_COUNT 1)
if(flags OR NOT first_include STREQUAL "#include <xmask/xmask.hpp>")
  set(PRECOMPILED "")
endif()

# Folders go in front, options that override go behind.
set(compile "${COMPILER}" ${flags} ${PRECOMPILED} "@${FLAGS}" ${flags} -fsyntax-only "${SOURCE}")

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

list(GET expectations 0 expectation)
string(REPLACE "// expect: " "" sentence "${expectation}")
string(REGEX MATCH "error: [^\n]*" first "${output}")
string(FIND "${first}" "${sentence}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "The first error is not `${sentence}`:\n${output}")
endif()

# Lines that say what includes a header are not counted, nor the code that g++ 14 and later show of functions on the way.
set(most 10)
file(STRINGS "${SOURCE}" lines_line REGEX "^// lines: ")
if(lines_line)
  string(REPLACE "// lines: " "" most "${lines_line}")
endif()
string(REGEX REPLACE "(In file included|                ) from [^\n]*\n" "" counted "${output}")
string(REGEX REPLACE "((required|expansion) [^\n]*\n)( *[0-9]+ [|][^\n]*\n +[|][^\n]*\n)+" "\\1" counted "${counted}")
string(REGEX REPLACE "\n\n+" "\n" counted "${counted}")
string(REGEX MATCHALL "\n" lines "${counted}")
list(LENGTH lines count)
if(count GREATER most)
  message(FATAL_ERROR "The compiler wrote ${count} lines, more than ${most}:\n${output}")
endif()
