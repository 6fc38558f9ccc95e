# Measures how long a compiler takes for the includes of a user: medians, and the excess over xtensor's arrays and xsimd
# alone.
#
#   cmake -DCOMPILER=c++ -DFLAGS=flags.txt -DFOLDER=folder -P compile_time.cmake

cmake_minimum_required(VERSION 3.23) # for microseconds

set(runs 7)
set(base "#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xtensor.hpp>
#endif
#include <xsimd/xsimd.hpp>\n")
set(names base some all)
set(base_title "xtensor's arrays and xsimd")
set(some_title "and lengths, masked_fill, masked_mse")
set(some "${base}#include <xmask/apply/masked_fill.hpp>\n#include <xmask/masks/lengths.hpp>\n#include <xmask/reduce/mse.hpp>\n")
set(all_title "and all of xmask")
set(all "${base}#include <xmask/xmask.hpp>\n")

# Compiles FOLDER/NAME.cpp, and gives the milliseconds.
function(milliseconds_of name result)
  string(TIMESTAMP start "%s%f")
  execute_process(COMMAND ${COMPILER} @${FLAGS} -fsyntax-only ${FOLDER}/${name}.cpp COMMAND_ERROR_IS_FATAL ANY)
  string(TIMESTAMP end "%s%f")
  math(EXPR taken "(${end} - ${start}) / 1000")
  set(${result} ${taken} PARENT_SCOPE)
endfunction()

foreach(name IN LISTS names)
  file(WRITE ${FOLDER}/${name}.cpp "${${name}}")
  set(${name}_times "")
endforeach()
# In turn, so that a machine that slows down affects all alike.
foreach(run RANGE 1 ${runs})
  foreach(name IN LISTS names)
    milliseconds_of(${name} taken)
    list(APPEND ${name}_times ${taken})
  endforeach()
endforeach()
math(EXPR middle "${runs} / 2")
foreach(name IN LISTS names)
  list(SORT ${name}_times COMPARE NATURAL)
  list(GET ${name}_times ${middle} ${name}_median)
  math(EXPR above "${${name}_median} - ${base_median}")
  message("${${name}_median} ms, ${above} above the first: ${${name}_title}")
endforeach()
