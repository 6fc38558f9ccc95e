# Compiles the module as docs/compatibility.md says, imports it in the program of that page, and compares the output.

cmake_minimum_required(VERSION 3.22)

if(NOT ID MATCHES "Clang" OR VERSION VERSION_LESS 22)
  message("skipped: import xmask needs clang++ 22 or newer")
  return()
endif()

# next_block(FENCE RESULT) gives the page's next block with this fence.
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
file(READ "${root}/docs/compatibility.md" rest)
macro(next_block fence result)
  string(FIND "${rest}" "\n```${fence}\n" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "docs/compatibility.md has no block of ${fence}")
  endif()
  string(LENGTH "\n```${fence}\n" length)
  math(EXPR at "${at} + ${length}")
  string(SUBSTRING "${rest}" ${at} -1 rest)
  string(FIND "${rest}" "```" length)
  string(SUBSTRING "${rest}" 0 ${length} ${result})
endmacro()
next_block("sh" commands)
next_block("c++" program)
next_block("text" expected)

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
file(CREATE_LINK "${root}/include" "${FOLDER}/include" SYMBOLIC)
file(WRITE "${FOLDER}/program.cpp" "${program}")
# This compiler without optimization, and the flags of this build instead of an installed xmask.
string(REPLACE "-O3 $(pkg-config --cflags xmask)" "-O0 @${FLAGS}" commands "${commands}")
string(REPLACE "clang++ " "${COMPILER} " commands "${commands}")
execute_process(COMMAND sh -e -c "${commands}./program" WORKING_DIRECTORY "${FOLDER}" RESULT_VARIABLE result
                OUTPUT_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "These commands of docs/compatibility.md fail:\n${commands}")
endif()
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "The program of docs/compatibility.md prints\n${output}\nand the page says\n${expected}")
endif()
