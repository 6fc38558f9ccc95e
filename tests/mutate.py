#!/usr/bin/env python3
"""Changes a header in one place at a time, and prints the changes that no test notices.

    tests/mutate.py [-n COUNT] [-s SEED] [-f FLAGS] HEADER TEST...

    tests/mutate.py include/xmask/masks/lengths.hpp tests/masks/lengths.cpp

Compiles and runs the test files with a copy of include/ in build/mutate, in which the header is changed: `<` to `<=`, `+`
to `-`, `true` to `false`, and so on, at COUNT places (30) that SEED chooses. A change is noticed where a test fails, does
not compile, or takes ten times as long. CXX names the compiler; FLAGS go to it. The libraries are those of build/test, which
`sh cmake/setup.sh test` makes.
"""

import argparse
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "build", "mutate")

CHANGES = [
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" == ", " != "), (r" != ", " == "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " / "), (r" / ", " * "), (r" % ", " / "), (r" << ", " >> "),
    (r" >> ", " << "), (r" && ", " || "), (r" \|\| ", " && "), (r" & ", " | "), (r" \| ", " & "), (r" ~", " "),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"\b0\b", "1"), (r"\b1\b", "0"), (r"\+\+", "--"),
    (r"::max\(", "::min("), (r"::min\(", "::max("), (r"\bkept\b", "dropped"), (r"\bdropped\b", "kept"),
    (r" \+= ", " -= "), (r" \|= ", " &= "), (r" &= ", " |= "),
]  # fmt: skip


def places(text):
    """All (offset, end, replacement) in the code, not in comments, templates' heads, directives and strings."""
    offset = 0
    for line in text.splitlines(keepends=True):
        code = line.split("//")[0]
        if not re.match(r"\s*(#|template|requires|using|static_assert|\")", code):
            for pattern, replacement in CHANGES:
                for match in re.finditer(pattern, code):
                    if code[: match.start()].count('"') % 2 == 0:
                        yield offset + match.start(), offset + match.end(), replacement
        offset += len(line)


def libraries():
    """The folders of xtensor, xsimd and Catch2 that build/test uses, and Catch2's libraries."""
    folders = []
    flags = os.path.join(ROOT, "build", "test", "tests", "flags.txt")
    if os.path.exists(flags):
        with open(flags, encoding="utf-8") as file:
            folders = [line[2:].strip() for line in file if line.startswith("-I")]
    options = ["-I" + folder for folder in folders if os.path.abspath(folder) != os.path.join(ROOT, "include")]
    catch2 = os.path.join(ROOT, "build", "deps", "catch2-" + platform.machine())
    if os.path.isdir(catch2):
        options += ["-I" + os.path.join(catch2, "include"), "-L" + os.path.join(catch2, "lib")]
    return options


def passes(tests, flags, limit):
    """Whether all tests compile and pass in time."""
    program = os.path.join(FOLDER, "test")
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-O0", "-w", "-I" + os.path.join(FOLDER, "include")]
    command += ["-I" + os.path.join(ROOT, "tests"), f'-DXMASK_TEST_DATA="{ROOT}/tests/data"']
    command += ['-DXMASK_TEST_VERSION="0"', *flags, *tests, "-o", program, "-lCatch2Main", "-lCatch2"]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    try:
        return subprocess.run([program], capture_output=True, timeout=limit, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--count", type=int, default=30)
    parser.add_argument("-s", "--seed", type=int, default=0)
    parser.add_argument("-f", "--flags", default="", help="options for the compiler, such as -march=x86-64-v3")
    parser.add_argument("header")
    parser.add_argument("tests", nargs="+")
    given = parser.parse_args()

    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(os.path.join(ROOT, "include"), os.path.join(FOLDER, "include"))
    header = os.path.relpath(os.path.abspath(given.header), ROOT)
    flags = given.flags.split() + libraries()
    tests = [*given.tests, os.path.join(ROOT, "tests", "support", "allocations.cpp")]
    with open(os.path.join(ROOT, header), encoding="utf-8") as file:
        text = file.read()
    start = time.monotonic()
    if not passes(tests, flags, None):
        sys.exit("The tests fail without any change.")
    limit = 10 * (time.monotonic() - start) + 10

    found = list(places(text))
    chosen = sorted(random.Random(given.seed).sample(found, min(given.count, len(found))))
    survivors = 0
    for begin, end, replacement in chosen:
        with open(os.path.join(FOLDER, header), "w", encoding="utf-8") as file:
            file.write(text[:begin] + replacement + text[end:])
        if passes(tests, flags, limit):
            survivors += 1
            line = text.count("\n", 0, begin) + 1
            print(f"{header}:{line}: {text[begin:end].strip()} -> {replacement.strip()}", flush=True)
            print("    " + text.splitlines()[line - 1].strip(), flush=True)
    print(f"{len(chosen)} of {len(found)} possible changes, {survivors} not noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
