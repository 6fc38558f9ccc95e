#!/usr/bin/env python3
"""Writes the tables of speed in README.md and docs/performance.md from saved reports.

    bench/tables.py AVX512 [AVX2]    the files that bench-report's output was saved to

A table stands between two lines such as <!-- speed --> and <!-- end of speed -->. Numbers are copied from the reports,
and so are the processor, the compiler and the flags. Fails where a report lacks a row.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What a table calls a row, and the report's name without its size. README shows the rows that are marked.
ROWS = [
    ("`masked_fill`, by lengths", "masked_fill/lengths/50%", True),
    ("`multiply` by a `bitmask`", "multiply/bitmask/50%", True),
    ("`masked_fill` by listed indices", "masked_fill/indices/50%", False),
    ("`masked_fill` by an array of bool", "masked_fill/bool array/50%", False),
    ("`masked_fill` by a threshold on the operand", "masked_fill/threshold/50%", True),
    ("`masked_fill(2.f * x + 1.f, m, v)`, by lengths", "masked_fill of 2 * x + 1/lengths/50%", False),
    ("`masked_fill_inplace`, by lengths, over writing what is dropped", "masked_fill_inplace/lengths/50%", False),
    ("`masked_sum`, by lengths", "masked_sum/lengths/50%", False),
    ("`masked_mse` of two tensors, by lengths", "masked_mse/lengths/50%", True),
    ("`masked_softmax` by lengths, 512 columns", "masked_softmax/lengths/50%", True),
    ("`masked_cross_entropy`, 1,000 classes, of the kept logits", "masked_cross_entropy/1000 classes/50%", False),
    ("`masked_cross_entropy`, 32,000 classes", "masked_cross_entropy/32000 classes/50%", True),
    ("`drop_tokens`, 5 ids, int64, to an array of bool", "drop_tokens to a bool array/5 ids, int64", True),
    ("`drop_tokens`, 1,000 ids", "drop_tokens to a bool array/1000 ids, int64", False),
]

NAME, WIDTHS = 58, (9, 8, 9, 9, 9)


class Report:
    """The rows of a saved report: name to (time, over a copy, xtensor, by hand, libtorch), its facts, and its targets:
    work to (the most, the worst row, the unit)."""

    def __init__(self, path):
        self.path = path
        self.rows = {}
        self.facts = {}
        self.targets = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.split("  copy is ")[0]  # the unit, where it is another
                fact = re.match(r"(processor|compiler|flags|libtorch): (.*)", line)
                target = re.match(r"(met|MISSED) +(.*?) +(\S+) +(\S+)  of (.*)", line)
                if fact:
                    self.facts[fact[1]] = fact[2].strip()
                elif target:
                    self.targets[target[2]] = (target[3], target[4], target[5].strip())
                elif len(line) > NAME and line[:NAME].strip() and line[NAME] == " ":
                    cells, at = [], NAME
                    for width in WIDTHS:
                        cells.append(line[at + 1 : at + 1 + width].strip())
                        at += width + 1
                    if re.fullmatch(r"[\d.]+ (ns|us|ms)", cells[0]):
                        self.rows.setdefault(line[:NAME].strip(), cells)

    def cell(self, name, size, column):
        row = self.rows.get(f"{name}/{size}")
        if row is None:
            sys.exit(f"{self.path} has no row {name}/{size}")
        return row[column]


def conditions(reports):
    facts = reports[0].facts
    flags = " and ".join(f"`{report.facts['flags']}`" for report in reports)
    return f"{facts['processor']}, {facts['compiler']}, {flags}; libtorch: {facts.get('libtorch', 'none')}."


def table(head, rows):
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head)] + [f"| {' | '.join(row)} |" for row in rows]


def short(reports):
    rows = [
        [work] + [reports[0].cell(name, "L2", column) for column in (1, 2, 4)] for work, name, marked in ROWS if marked
    ]
    return table(["work", "xmask, in copies", "xtensor", "libtorch"], rows) + ["", conditions(reports[:1])]


def long(reports):
    head = ["work"]
    for report, name in zip(reports, ("AVX-512", "AVX2")):
        head += [f"{name}: L2", "DRAM"]
    rows = [
        [work]
        + [report.cell(name, size, 1) for report in reports for size in ("L2", "DRAM")]
        + [reports[0].cell(name, "L2", column) for column in (2, 4)]
        for work, name, _ in ROWS
    ]
    return table(head + ["xtensor", "libtorch"], rows) + ["", conditions(reports)]


def owed(reports):
    rows = []
    for work, (_, _, unit) in reports[0].targets.items():
        row = [work, unit]
        for report in reports:
            most, worst, _ = report.targets[work]
            row += [most, worst if float(worst) <= float(most) else f"**{worst}**"]
        rows.append(row)
    head = ["work", "in multiples of"]
    for _, name in zip(reports, ("AVX-512", "AVX2")):
        head += [f"{name}: at most", "worst row"]
    return table(head, rows)


def rewrite(path, name, lines):
    path = os.path.join(ROOT, path)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    between = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->", re.S)
    if not between.search(text):
        sys.exit(f"{path} has no <!-- {name} -->")
    new = f"<!-- {name} -->\n\n" + "\n".join(lines) + f"\n\n<!-- end of {name} -->"
    with open(path, "w", encoding="utf-8") as file:
        file.write(between.sub(lambda _: new, text))


def main(paths):
    if not 1 <= len(paths) <= 2:
        sys.exit(__doc__)
    reports = [Report(path) for path in paths]
    rewrite("README.md", "speed", short(reports))
    rewrite("docs/performance.md", "speed", long(reports))
    rewrite("docs/performance.md", "targets", owed(reports))


if __name__ == "__main__":
    main(sys.argv[1:])
