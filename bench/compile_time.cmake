# Measures how long a compiler takes for the includes of a user: medians, and the excess over xtensor's arrays and xsimd
# alone. Then how long it takes for whole programs, optimized, and how large these are.
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

# Compiles FOLDER/NAME.cpp, with more options or else only reading it, and gives the milliseconds.
function(milliseconds_of name result)
  set(options ${ARGN})
  if(NOT options)
    set(options -fsyntax-only)
  endif()
  string(TIMESTAMP start "%s%f")
  execute_process(COMMAND ${COMPILER} @${FLAGS} ${options} ${FOLDER}/${name}.cpp COMMAND_ERROR_IS_FATAL ANY)
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

# ---- Programs ----

string(REPLACE "#include <xsimd/xsimd.hpp>\n" "" arrays "${base}")
set(programs readme softmax lengths)
set(readme_title "README's first program")
file(READ "${CMAKE_CURRENT_LIST_DIR}/../README.md" readme)
string(ASCII 96 tick)
string(FIND "${readme}" "${tick}${tick}${tick}cpp\n" begin)
math(EXPR begin "${begin} + 7")
string(SUBSTRING "${readme}" ${begin} -1 readme)
string(FIND "${readme}" "${tick}${tick}${tick}" length)
string(SUBSTRING "${readme}" 0 ${length} readme)
set(softmax_title "masked_softmax, and masked_cross_entropy with its gradient, by lengths")
set(softmax "${arrays}#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/softmax.hpp>
double program(const xt::xtensor<float, 3>& x, const xt::xtensor<int, 2>& target, const xt::xtensor<int, 1>& lengths,
               xt::xtensor<float, 3>& share, xt::xtensor<float, 3>& gradient)
{
    const auto m = xmask::keep_lengths(lengths, target.shape(1));
    share = xmask::masked_softmax(x, xmask::keep_lengths(target, x.shape(2)));
    return xmask::masked_cross_entropy(x, target, m, gradient).mean();
}\n")
set(lengths_title "masked_fill by lengths")
set(lengths "${arrays}#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/lengths.hpp>
void program(const xt::xtensor<float, 2>& x, const xt::xtensor<int, 1>& lengths, xt::xtensor<float, 2>& y)
{
    y = xmask::masked_fill(x, xmask::keep_lengths(lengths, x.shape(1)), 0.f);
}\n")

find_program(SIZE_COMMAND size)
foreach(name IN LISTS programs)
  file(WRITE ${FOLDER}/${name}.cpp "${${name}}")
  set(times "")
  foreach(run RANGE 1 3)
    milliseconds_of(${name} taken -O2 -c -o ${FOLDER}/${name}.o)
    list(APPEND times ${taken})
  endforeach()
  list(SORT times COMPARE NATURAL)
  list(GET times 1 median)
  set(code "")
  if(SIZE_COMMAND)
    execute_process(COMMAND ${SIZE_COMMAND} ${FOLDER}/${name}.o OUTPUT_VARIABLE sizes COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCH "\n *([0-9]+)" match "${sizes}")
    math(EXPR kilobytes "${CMAKE_MATCH_1} / 1000")
    set(code ", ${kilobytes} kB of code")
  endif()
  message("${median} ms${code}: ${${name}_title}")
endforeach()
