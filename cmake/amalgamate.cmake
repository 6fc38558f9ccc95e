# Makes single_include/xmask.hpp, and xmask_layers.hpp for users with a BLAS, from include/xmask:
#
#   cmake -P cmake/amalgamate.cmake             writes them
#   cmake -DCHECK=ON -P cmake/amalgamate.cmake  fails if they are not what would be written
#
# Starting from xmask/xmask.hpp, the first include of each header of xmask is replaced by its text, and later ones are
# removed. Therefore such an include must not be inside an #if. Other includes stay.

cmake_minimum_required(VERSION 3.22)

get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)

# `;`, `[` and `\`, which are frequent in C++, have a meaning in CMake's lists. Therefore the text is only cut with FIND
# and SUBSTRING, and never becomes a list.
function(expand path result)
  set_property(GLOBAL APPEND PROPERTY expanded "${path}")
  file(READ "${root}/include/${path}" rest)
  if(NOT rest MATCHES "^(//[^\n]*\n)*\n*#pragma once\n")
    message(FATAL_ERROR "include/${path} does not begin with its copyright and #pragma once")
  endif()
  string(LENGTH "${CMAKE_MATCH_0}" length)
  string(SUBSTRING "${rest}" ${length} -1 rest)
  string(PREPEND rest "\n")
  set(text "\n// ==== ${path} ====\n")
  while(rest MATCHES "\n[ \t]*#[ \t]*include[ \t]*(<xmask/[^>\n]+>|\"[^\"\n]+\")[^\n]*")
    set(line "${CMAKE_MATCH_0}")
    set(included "${CMAKE_MATCH_1}")
    get_filename_component(folder "${path}" DIRECTORY)
    if(included MATCHES "<(.*)>")
      set(included "${CMAKE_MATCH_1}")
    elseif(included MATCHES "\"(.*)\"")
      cmake_path(SET included NORMALIZE "${folder}/${CMAKE_MATCH_1}")
    endif()
    string(FIND "${rest}" "${line}" before)
    string(LENGTH "${line}" length)
    math(EXPR after "${before} + ${length}")
    string(SUBSTRING "${rest}" 0 ${before} head)
    string(SUBSTRING "${rest}" ${after} -1 rest)
    string(APPEND text "${head}")
    get_property(expanded GLOBAL PROPERTY expanded)
    if(NOT included IN_LIST expanded)
      expand("${included}" inner)
      string(APPEND text "\n${inner}")
    endif()
  endwhile()
  set(${result} "${text}${rest}" PARENT_SCOPE)
endfunction()

# Writes or checks one file: the includes of `header` that are in no file before.
function(amalgamate header file what includes)
  expand(${header} text)
  file(STRINGS "${root}/include/${header}" banner LIMIT_COUNT 1)
  string(PREPEND text "${banner}
//
// ${what} in one file, made by cmake/amalgamate.cmake: change the headers in include/xmask instead of this one.

#pragma once
${includes}")
  string(REGEX REPLACE "\n\n\n+" "\n\n" text "${text}")
  string(REGEX REPLACE "\n+$" "\n" text "${text}")

  set(output "${root}/single_include/${file}")
  if(NOT CHECK)
    file(WRITE "${output}" "${text}")
    return()
  endif()
  set(present "")
  if(EXISTS "${output}")
    file(READ "${output}" present)
  endif()
  if(NOT present STREQUAL text)
    message(FATAL_ERROR "single_include/${file} is stale: run `cmake -P cmake/amalgamate.cmake`")
  endif()
endfunction()

amalgamate(xmask/xmask.hpp xmask.hpp "All of xmask" "")
# Headers that need a BLAS are in their own file.
amalgamate(xmask/layers.hpp xmask_layers.hpp "The layers of xmask, which need xmask.hpp beside them and a BLAS,"
           "\n#include \"xmask.hpp\"\n")

get_property(expanded GLOBAL PROPERTY expanded)
file(GLOB_RECURSE headers RELATIVE "${root}/include" "${root}/include/xmask/*.hpp")
list(REMOVE_ITEM headers ${expanded})
if(headers)
  message(FATAL_ERROR "neither xmask/xmask.hpp nor xmask/layers.hpp includes ${headers}")
endif()
