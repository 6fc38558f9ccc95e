# Compiles and runs the programs in README.md: each block of C++ that has a main. Where the next block is one of plain
# text, the program must print this text.

cmake_minimum_required(VERSION 3.22)

include("${CMAKE_CURRENT_LIST_DIR}/../documentation/programs.cmake")
read_programs("${README}")
if(count EQUAL 0)
  message(FATAL_ERROR "There is no program in the README.")
endif()

foreach(number RANGE 1 ${count})
  set(executable "${FOLDER}/readme_${number}")
  file(WRITE "${executable}.cpp" "#line ${line_${number}} \"${README}\"\n${program_${number}}")
  execute_process(COMMAND "${COMPILER}" "@${FLAGS}" "${executable}.cpp" -o "${executable}" RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "Program ${number} of the README does not compile:\n${program_${number}}")
  endif()
  execute_process(COMMAND "${executable}" RESULT_VARIABLE result OUTPUT_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "Program ${number} of the README ends with ${result}:\n${output}")
  endif()
  if(NOT output_${number} STREQUAL "" AND NOT output STREQUAL output_${number})
    message(FATAL_ERROR "Program ${number} of the README prints\n${output}\nand the README says\n${output_${number}}")
  endif()
endforeach()
message(STATUS "${count} programs compiled and ran")
