"""Blocks of sh, cmake and meson in the pages: each line has to be in a test, or below with who runs it or why none can.

docs/check.py asks for the lines that are neither.
"""

import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PAGES = "README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "examples/data/*.md"

# Run by tests/documentation, tests/readme and tests/module, or the output of such a block.
PROGRAMS = "cpp", "c++", "text"

# A line that stands in one of these runs as it stands there.
TESTS = ".ci/run", "tests/consumers/**/*"

AS_ROOT = "installs packages as root; cmake/setup.sh, which .ci/run calls, installs the same"
OF_PAGE = "tests/module/check.cmake takes it from the page, with the compiler and the flags of the build"
THREADS = "tests/threads builds with these macros and libraries by CMake"
PRESET = "calls CMake with options, which the legs of .ci/run call with more of them"
MEASURES = "measures for minutes; the test bench/answers runs the program"

# Lines that no test has as they stand, and who runs what they do, or why none can.
ELSEWHERE = {
    "sudo apt-get install g++ cmake pkg-config libxtensor-dev libxsimd-dev": AS_ROOT,
    "sudo apt-get install g++ cmake libxtensor-dev libxsimd-dev": AS_ROOT,
    "sudo apt-get install libxtensor-blas-dev libopenblas-dev": AS_ROOT,
    "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build && build/program": "ctest does so with each "
    "folder of tests/consumers",
    "g++ -std=c++20 -O3 $(pkg-config --cflags xmask) program.cpp -lblas": "consumers/pkg_config runs the line without the "
    "BLAS; consumers/layers links one",
    "cmake -S . -B build && sudo cmake --install build": "writes as root; consumers/install installs into a folder",
    "cmake -S ../program -B ../program/build -DCMAKE_PREFIX_PATH=$PWD/build/deps/base/usr": "the consumers pass this path",
    "FetchContent_Declare(xmask GIT_REPOSITORY <this repository> GIT_TAG main)": "the network; consumers/fetch_content "
    "declares a folder",
    "add_executable(program program.cpp)": "tests/consumers/consumer.cmake has it with another path",
    "add_subdirectory(xmask)": "consumers/add_subdirectory adds the folder of the sources",
    "sh cmake/setup.sh quickstart": "as `setup.sh test`, which .ci/run calls; examples/quickstart_text runs the program",
    "ctest --test-dir build/test -R masks/lengths": ".ci/run calls ctest with this folder",
    "cmake --workflow --preset avx2": PRESET,
    "cmake --preset bench -DXMASK_TEST_MARCH=x86-64-v4 && cmake --build --preset bench": PRESET,
    "build/bench/bench/xmask_bench --benchmark_filter=fill": MEASURES,
    "cmake --build --preset bench --target bench-report": MEASURES,
    "cmake --build --preset bench --target bench-compile-time": MEASURES,
    ".ci/run": "the tests themselves",
    "cmake -DONLY=masks/lengths -DCOMPILER=g++ -DFLAGS=build/test/tests/flags.txt -DFOLDER=$PWD/build/documentation "
    "-P tests/documentation/check.cmake": "the test documentation, without ONLY",
    "tests/mutate.py include/xmask/masks/lengths.hpp tests/masks/lengths.cpp": "takes minutes, and changes a header",
    "g++ -std=c++20 -O3 -march=native -DXTENSOR_USE_OPENMP -fopenmp program.cpp": THREADS,
    "g++ -std=c++20 -O3 -march=native -DXTENSOR_USE_TBB program.cpp -ltbb": THREADS,
    "find_package(OpenMP REQUIRED)": THREADS,
    "target_compile_definitions(program PRIVATE XTENSOR_USE_OPENMP)": THREADS,
    "target_link_libraries(program PRIVATE xmask::xmask OpenMP::OpenMP_CXX)": THREADS,
    "clang++ -std=c++20 -O3 $(pkg-config --cflags xmask) --precompile include/xmask/xmask.cppm -o xmask.pcm": OF_PAGE,
    "clang++ -std=c++20 -O3 $(pkg-config --cflags xmask) -fmodule-file=xmask=xmask.pcm program.cpp xmask.pcm -o program":
    OF_PAGE,
}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def plain(text):
    """Lines that a backslash breaks become one, and white space one blank."""
    return re.sub(r"[ \t]+", " ", text.replace("\\\n", " "))


def commands(text):
    """(number, line) of a page's blocks but programs, without their comments."""
    for block in re.finditer(r"^```(\S*)\n(.*?)^```$", text, flags=re.M | re.S):
        number = text.count("\n", 0, block.start()) + 2
        if block.group(1) not in PROGRAMS:
            for line in plain(block.group(2)).splitlines():
                command = re.sub(r"(^| +)#.*", "", line).strip()
                if command:
                    yield number, command


def untested():
    """(path, line, what) for each command that no test runs, and for each entry of ELSEWHERE that is no command."""
    files = [path for pattern in TESTS for path in glob.glob(os.path.join(ROOT, pattern), recursive=True)]
    tests = plain("".join(read(path) for path in files if os.path.isfile(path)))
    unused = set(ELSEWHERE)
    for path in (path for pattern in PAGES for path in sorted(glob.glob(os.path.join(ROOT, pattern)))):
        for number, command in commands(read(path)):
            unused.discard(command)
            if command not in tests and command not in ELSEWHERE:
                yield os.path.relpath(path, ROOT), number, f"a test, or a reason in docs/commands.py, for `{command}`"
    for command in unused:
        yield "docs/commands.py", 1, f"a page with `{command}`"
