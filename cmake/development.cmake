# How xmask's own tests, examples and benchmarks are compiled. Nothing here affects a project that uses xmask.

set(XMASK_TEST_MARCH "" CACHE STRING "Instruction set for the tests and benchmarks, as in -march=x86-64-v3")
set(XMASK_SANITIZE "" CACHE STRING "Sanitizers, as in address;undefined")
option(XMASK_TEST_XSIMD "Define XTENSOR_USE_XSIMD in the tests and benchmarks" OFF)
option(XMASK_WARNINGS_AS_ERRORS "Fail where the tests, examples and benchmarks compile with a warning, as CI does" OFF)
option(XMASK_TEST_SINGLE_HEADER "Test single_include/xmask.hpp instead of include/" OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

add_library(xmask_development INTERFACE)
target_compile_options(xmask_development INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(XMASK_WARNINGS_AS_ERRORS)
  target_compile_options(xmask_development INTERFACE -Werror)
endif()
# Catch2's test cases use a counting macro, which newer versions of clang++ call an extension of the next C.
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(xmask_development INTERFACE -Wno-unknown-warning-option -Wno-c2y-extensions)
endif()
# On ARM, g++ notes that it changed how it passes registers years ago.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(xmask_development INTERFACE -Wno-psabi)
endif()
# g++ 12 wrongly warns of the undefined registers in its own AVX-512 intrinsics (GCC bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(xmask_development INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
# All warnings of the compilers, for programs that include xmask as a user does: its headers must compile without one.
add_library(xmask_strict INTERFACE)
target_link_libraries(xmask_strict INTERFACE xmask_development)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(xmask_strict INTERFACE -Wold-style-cast -Wuseless-cast)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(
    xmask_strict
    INTERFACE -Weverything
              # xmask is C++20, and need not be compatible with older versions.
              -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-c++20-compat -Wno-pre-c++20-compat-pedantic
              # Function objects and concepts have parameters too, which docs/check.py asks for.
              -Wno-documentation
              # Masks and rows are read through pointers.
              -Wno-unsafe-buffer-usage -Wno-unsafe-buffer-usage-in-container
              # 0, infinity and equal elements are compared exactly, on purpose.
              -Wno-float-equal
              # Class templates deduce their arguments from their constructors, without guides.
              -Wno-ctad-maybe-unsupported
              # Warns of the layout of structs.
              -Wno-padded
              # A switch over an enumeration either names its values or has a default.
              -Wno-switch-enum -Wno-switch-default
              # Warns of copies of small shapes, which clang 21 and newer elide only outside of templates.
              $<$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,21>:-Wno-nrvo>
              # Constants at namespace scope, such as Catch2's test cases, and the tables of a program.
              -Wno-global-constructors -Wno-exit-time-destructors)
endif()
if(XMASK_SANITIZE)
  list(JOIN XMASK_SANITIZE "," sanitizers)
  target_compile_options(xmask_development INTERFACE -fsanitize=${sanitizers} -fno-sanitize-recover=all
                                                     -fno-omit-frame-pointer)
  target_compile_definitions(xmask_development INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(xmask_development INTERFACE -fsanitize=${sanitizers})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # xmask's own code gets all checks; the list names files of others.
    target_compile_options(xmask_development INTERFACE -fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitize-ignore.txt)
  else()
    # g++ has no such list. xtensor steps from the null pointer of an empty array to its end, and never reads there.
    target_compile_options(xmask_development INTERFACE -fno-sanitize=pointer-overflow)
  endif()
endif()

# GNU's linker takes 10 s for the tests, lld 1 s.
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=lld XMASK_HAS_LLD)
if(XMASK_HAS_LLD)
  target_link_options(xmask_development INTERFACE -fuse-ld=lld)
endif()

# Writes the options for a program with the includes of a target, to be read as @FILE. (-isystem would move /usr/include
# in the order.)
function(write_compiler_flags file target)
  set(include_folders "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
  file(GENERATE OUTPUT ${file} CONTENT "-std=c++20\n-I$<JOIN:${include_folders},\n-I>\n")
endfunction()

# Options that users choose, and xmask never sets.
add_library(xmask_flavour INTERFACE)
if(XMASK_TEST_XSIMD)
  target_compile_definitions(xmask_flavour INTERFACE XTENSOR_USE_XSIMD)
endif()
if(XMASK_TEST_MARCH)
  target_compile_options(xmask_flavour INTERFACE -march=${XMASK_TEST_MARCH})
endif()

# Fails where a public name is undocumented. Needs doxygen.
add_custom_target(xmask_docs_check COMMAND ${PROJECT_SOURCE_DIR}/docs/check.py VERBATIM)

# Builds the site: build/docs/html in the folder of the sources. Needs doxygen and doxygen-awesome-css.
add_executable(xmask_gallery EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/docs/gallery.cpp)
target_link_libraries(xmask_gallery PRIVATE xmask::xmask)
add_custom_target(xmask_docs COMMAND ${CMAKE_COMMAND} -E env GALLERY=$<TARGET_FILE:xmask_gallery>
                                     ${PROJECT_SOURCE_DIR}/docs/build.py VERBATIM)
add_dependencies(xmask_docs xmask_gallery)
