// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A gate as a picture: the more open, the darker.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <xmask/xmask.hpp>

#include "picture.hpp"

#ifndef EXAMPLE_PICTURES
#define EXAMPLE_PICTURES "."
#endif

namespace example {
/// A matrix of numbers from 0 to 1, and the labels of its rows and columns.
struct heat_map {
    std::string title;
    std::string columns;
    std::vector<std::string> rows;
    xt::xtensor<float, 2> values;
};

/// One line for each row, one character for each number.
inline std::string to_text(const heat_map& map) {
    static constexpr std::array<std::string_view, 5> shades = {"·", "░", "▒", "▓", "█"};
    std::string out;
    for (std::size_t r = 0; r < map.rows.size(); ++r) {
        out.append("    ").append(map.rows[r]).append("  ");
        for (std::size_t c = 0; c < map.values.shape(1); ++c) {
            if (std::isnan(map.values(r, c))) {
                out.append("?");
                continue;
            }
            const float open = std::clamp(map.values(r, c), 0.f, 1.f);
            out.append(shades[static_cast<std::size_t>(std::lround(4 * open))]);
        }
        out.append("\n");
    }
    return out;
}

/// A square for each number, an orange one where it is missing; below, what the shades mean.
inline std::string to_svg(const heat_map& map) {
    constexpr std::size_t cell = 16;
    constexpr std::size_t left = 80;
    constexpr std::size_t top = 48;
    const std::size_t columns = map.values.shape(1);
    const std::size_t bottom = top + cell * map.values.shape(0);
    std::ostringstream out;
    const auto text = [&](std::size_t x, std::size_t y, const std::string& what) {
        out << "<text x=\"" << x << "\" y=\"" << y << "\" fill=\"#808080\">" << what << "</text>\n";
    };
    const auto square = [&](std::size_t x, std::size_t y, float value) {
        const bool missing = std::isnan(value);
        out << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << cell << "\" height=\""
            << cell << "\" fill=\"" << (missing ? "#d29922" : "#1f6feb") << "\" fill-opacity=\""
            << std::fixed << std::setprecision(2) << (missing ? 1.f : std::clamp(value, 0.f, 1.f))
            << "\"/>\n";
    };
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\""
        << std::max(left + cell * columns + 8, std::size_t(290)) << "\" height=\"" << bottom + 40
        << "\" font-family=\"sans-serif\" font-size=\"12\">\n<title>" << map.title << "</title>\n";
    text(8, 18, map.title);
    text(left, 40, map.columns);
    for (std::size_t r = 0; r < map.rows.size(); ++r) {
        text(8, top + cell * r + 12, map.rows[r]);
        for (std::size_t c = 0; c < columns; ++c) {
            square(left + cell * c, top + cell * r, map.values(r, c));
        }
    }
    // The scale: eleven shades from 0 to 1.
    text(left - 16, bottom + 28, "0");
    for (std::size_t i = 0; i <= 10; ++i) {
        square(left + cell * i, bottom + 16, static_cast<float>(i) / 10);
    }
    text(left + cell * 11 + 6, bottom + 28, "1");
    out << "</svg>\n";
    return out.str();
}
} // namespace example
