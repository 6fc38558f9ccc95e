# How xmask's own tests, examples and benchmarks are compiled. Nothing in here reaches a project that uses xmask.

set(XMASK_TEST_MARCH "" CACHE STRING "Instruction set for the tests and benchmarks, as in -march=x86-64-v3")
set(XMASK_SANITIZE "" CACHE STRING "Sanitizers, as in address;undefined")
set(XMASK_NO_SANITIZE "" CACHE STRING "Checks of these sanitizers to leave out, as in null;alignment")
option(XMASK_TEST_XSIMD "Define XTENSOR_USE_XSIMD in the tests and benchmarks" OFF)
option(XMASK_TEST_SINGLE_HEADER "Test single_include/xmask.hpp instead of include/" OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

add_library(xmask_development INTERFACE)
target_compile_options(xmask_development INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                                                   -Werror)
# On ARM g++ notes that it changed how it passes registers years ago.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(xmask_development INTERFACE -Wno-psabi)
endif()
# g++ 12 takes the undefined registers in its own AVX-512 intrinsics for a mistake (GCC bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(xmask_development INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
if(XMASK_SANITIZE)
  list(JOIN XMASK_SANITIZE "," sanitizers)
  # xtensor steps from the null pointer of an empty array to its end, and never looks there.
  string(JOIN "," no_sanitizers pointer-overflow ${XMASK_NO_SANITIZE})
  target_compile_options(xmask_development INTERFACE -fsanitize=${sanitizers} -fno-sanitize=${no_sanitizers}
                                                     -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_definitions(xmask_development INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(xmask_development INTERFACE -fsanitize=${sanitizers})
endif()

# Writes what a compiler needs for a program that includes what a target does, to be read as @FILE. (-isystem would take
# /usr/include out of its place in the order.)
function(write_compiler_flags file target)
  set(include_folders "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
  file(GENERATE OUTPUT ${file} CONTENT "-std=c++20\n-I$<JOIN:${include_folders},\n-I>\n")
endfunction()

# What a user may choose, and xmask must not.
add_library(xmask_flavour INTERFACE)
if(XMASK_TEST_XSIMD)
  target_compile_definitions(xmask_flavour INTERFACE XTENSOR_USE_XSIMD)
endif()
if(XMASK_TEST_MARCH)
  target_compile_options(xmask_flavour INTERFACE -march=${XMASK_TEST_MARCH})
endif()
