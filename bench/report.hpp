// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// What becomes of the results.

#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace bench {
// What the results depend on.
struct fact {
    const char* name;
    std::string value;
};

// Every row, every series, and the targets.
void print_report(std::FILE* out, const std::vector<fact>& facts);

// What xmask owes its users beside what was measured.
void print_targets(std::FILE* out);

// Draws the rows that say the most as an SVG picture; false where that cannot be written.
bool write_chart(const std::string& path, const std::vector<fact>& facts);

// "1.25 us".
std::string time_text(double seconds);
} // namespace bench
