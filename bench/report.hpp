// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The output of the results.

#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace bench {
// The conditions of the measurement.
struct fact {
    const char* name;
    std::string value;
};

// Every row, every series, and the targets.
void print_report(std::FILE* out, const std::vector<fact>& facts);

// The targets of xmask beside the measured times.
void print_targets(std::FILE* out);

// The processor, the compiler and its flags, for the foot of a picture.
std::string conditions(const std::vector<fact>& facts);

// Draws the most important rows as an SVG picture. False where the file cannot be written.
bool write_chart(const std::string& path, const std::vector<fact>& facts);

// Draws the cost against the density. False where nothing was measured or the file cannot be
// written.
bool write_density_chart(const std::string& path, const std::vector<fact>& facts);

// "1.25 us".
std::string time_text(double seconds);
} // namespace bench
