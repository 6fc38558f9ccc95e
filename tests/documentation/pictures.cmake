# Draws the masks in the table of docs/masks.md. Fails where a picture differs, or where a mask of include/xmask/masks is
# missing. A row of the table is
#
#     | `expression` | `█·██`<br>`█···` | ... |
#
# where | in an expression is written \|. The expressions use the names of the C++ block before the table.

cmake_minimum_required(VERSION 3.22)

get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
file(READ "${root}/docs/masks.md" rest)
string(APPEND rest "\n")
string(ASCII 96 tick)
set(in_block FALSE)
set(block "")
set(names "")
set(rows "")
set(count 0)

# Cut by hand: `;` and `[`, which are frequent in C++, have a meaning in CMake's lists.
while(NOT rest STREQUAL "")
  string(FIND "${rest}" "\n" length)
  string(SUBSTRING "${rest}" 0 ${length} line)
  math(EXPR length "${length} + 1")
  string(SUBSTRING "${rest}" ${length} -1 rest)
  if(line MATCHES "^${tick}${tick}${tick}(.*)$")
    if(CMAKE_MATCH_1 STREQUAL "cpp")
      set(in_block TRUE)
      set(block "")
    else()
      set(in_block FALSE)
    endif()
  elseif(in_block)
    string(APPEND block "${line}\n")
  elseif(line MATCHES "^. ${tick}(.*)${tick} . ${tick}([█·<br>${tick}]+)${tick} . ")
    set(expression "${CMAKE_MATCH_1}")
    set(picture "${CMAKE_MATCH_2}")
    string(REPLACE "\\|" "|" expression "${expression}")
    string(REPLACE "${tick}<br>${tick}" "\n" picture "${picture}")
    string(APPEND rows "require(${expression}, R\"(${expression})\", R\"(${picture}\n)\");\n")
    set(names "${block}")
    math(EXPR count "${count} + 1")
  endif()
endwhile()

if(count EQUAL 0)
  message(FATAL_ERROR "There is no picture of a mask in docs/masks.md.")
endif()

file(GLOB headers "${root}/include/xmask/masks/*.hpp")
set(missing "")
foreach(header IN LISTS headers)
  file(READ "${header}" text)
  # Builders in detail are internal.
  while(text MATCHES "\nnamespace (xmask::inline XMASK_ABI::)?detail {")
    string(FIND "${text}" "${CMAKE_MATCH_0}" begin)
    string(SUBSTRING "${text}" 0 ${begin} before)
    string(FIND "${text}" "\n} // namespace ${CMAKE_MATCH_1}detail" end)
    math(EXPR end "${end} + 3")
    string(SUBSTRING "${text}" ${end} -1 after)
    set(text "${before}${after}")
  endwhile()
  string(REGEX MATCHALL "\n(inline )?auto (keep|drop)_[a-z0-9_]+\\(" builders "${text}")
  foreach(builder IN LISTS builders)
    string(REGEX REPLACE "^.* " "" builder "${builder}")
    string(REPLACE "(" "" builder "${builder}")
    if(NOT rows MATCHES "[^a-z0-9_]${builder}[(<]")
      list(APPEND missing "${builder}")
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES missing)
if(missing)
  message(FATAL_ERROR "docs/masks.md has no picture of ${missing}")
endif()

set(program "${FOLDER}/pictures")
file(WRITE "${program}.cpp" "
#include <cmath>
#include <iostream>
#include <string>
#include <xmask/xmask.hpp>
using namespace xmask;

int failures = 0;

template <class M>
void require(const M& m, const char* expression, const std::string& expected)
{
    std::string drawn = to_string(m);
    for (std::size_t at = 0; (at = drawn.find(\"\\n\\n\")) != drawn.npos;)
    {
        drawn.erase(at, 1);
    }
    if (drawn != expected)
    {
        ++failures;
        std::cerr << expression << \" is\\n\" << drawn << \"and docs/masks.md draws\\n\" << expected;
    }
}

int main()
{
${names}
${rows}
return failures == 0 ? 0 : 1;
}
")
execute_process(COMMAND "${COMPILER}" "@${FLAGS}" "${program}.cpp" -o "${program}" RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "A mask in the table of docs/masks.md does not compile.")
endif()
execute_process(COMMAND "${program}" RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "A mask in the table of docs/masks.md looks otherwise.")
endif()
message(STATUS "${count} masks drawn")
