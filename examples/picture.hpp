// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Curves as a picture, and pictures as files.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace example {
/// Writes the SVG of a picture into a file.
template <class Picture>
void write_svg(const Picture& picture, const std::string& path) {
    std::ofstream file(path);
    if (!(file << to_svg(picture))) {
        throw std::runtime_error(path + " cannot be written");
    }
}

/// Lines over common positions, and the labels of the axes.
struct line_chart {
    struct tick {
        double at;
        std::string label;
    };

    struct curve {
        std::string label;
        std::vector<double> y;
    };

    std::string title;
    std::string across;       // below the picture
    std::vector<tick> x = {}; // where each curve has a point
    std::vector<tick> y = {}; // from the lowest to the highest
    std::vector<curve> curves = {};
    std::string foot = {}; // in small letters
};

namespace detail {
constexpr double left = 52;
constexpr double right = 430;
constexpr double top = 40;
constexpr double bottom = 250;

// Between black and white, visible on both backgrounds.
constexpr std::array<const char*, 7> colors = {"#3b82f6", "#d97706", "#16a34a", "#db4b4b",
                                               "#8b5cf6", "#0891b2", "#8b95a1"};

/// The place of a value on an axis whose ends are drawn at `first` and `last`.
inline double place(
    const std::vector<line_chart::tick>& axis, double value, double first, double last
) {
    const double share = (value - axis.front().at) / (axis.back().at - axis.front().at);
    return first + (last - first) * std::clamp(share, 0., 1.);
}

inline std::string text(double x, double y, const std::string& what, const std::string& more = "") {
    std::ostringstream out;
    out << "<text x=\"" << std::lround(x) << "\" y=\"" << std::lround(y) << "\" " << more << ">"
        << what << "</text>\n";
    return out.str();
}

inline std::string line(double x1, double y1, double x2, double y2) {
    std::ostringstream out;
    out << "<line x1=\"" << std::lround(x1) << "\" y1=\"" << std::lround(y1) << "\" x2=\""
        << std::lround(x2) << "\" y2=\"" << std::lround(y2) << "\" class=\"grid\"/>\n";
    return out.str();
}

inline std::string axes(const line_chart& chart) {
    std::string out;
    for (const auto& [at, label] : chart.y) {
        const double y = place(chart.y, at, bottom, top);
        out += line(left, y, right, y) + text(left - 8, y + 4, label, "text-anchor=\"end\"");
    }
    for (const auto& [at, label] : chart.x) {
        const double x = place(chart.x, at, left, right);
        out +=
            line(x, bottom, x, bottom + 4) + text(x, bottom + 18, label, "text-anchor=\"middle\"");
    }
    return out + text((left + right) / 2, bottom + 36, chart.across, "text-anchor=\"middle\"");
}

inline std::string polyline(
    const line_chart& chart, const std::vector<double>& y, const char* color
) {
    std::ostringstream points, dots;
    for (std::size_t i = 0; i < y.size(); ++i) {
        const auto across = std::lround(place(chart.x, chart.x[i].at, left, right));
        const auto up = std::lround(place(chart.y, y[i], bottom, top));
        points << across << ',' << up << ' ';
        dots << "<circle cx=\"" << across << "\" cy=\"" << up << "\" r=\"3\" fill=\"" << color
             << "\"/>\n";
    }
    return "<polyline points=\"" + points.str() + "\" fill=\"none\" stroke=\"" + color +
           "\" stroke-width=\"2\"/>\n" + dots.str();
}

/// Where the labels of the curves stand: beside their ends, 15 below one another or more.
inline std::vector<double> label_places(const line_chart& chart) {
    std::vector<std::pair<double, std::size_t>> ends;
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
        ends.emplace_back(place(chart.y, chart.curves[i].y.back(), bottom, top), i);
    }
    std::sort(ends.begin(), ends.end());
    std::vector<double> places(ends.size());
    double last = 0;
    for (const auto& [y, i] : ends) {
        last = std::max(y, last + 15);
        places[i] = last;
    }
    return places;
}
} // namespace detail

inline std::string to_svg(const line_chart& chart) {
    const std::vector<double> places = detail::label_places(chart);
    std::ostringstream out;
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"300\" viewBox=\"0 0 640 300\" role=\"img\">\n"
           "<title>"
        << chart.title
        << "</title>\n<style>\n"
           "text { font: 12px system-ui, sans-serif; fill: #57606a }\n"
           ".title { font-weight: 600 }\n"
           ".grid { stroke: #808080; stroke-opacity: .3 }\n"
           "@media (prefers-color-scheme: dark) { text { fill: #9ba5b0 } }\n"
           "</style>\n"
        << detail::text(10, 18, chart.title, "class=\"title\"") << detail::axes(chart);
    for (std::size_t i = 0; i < chart.curves.size(); ++i) {
        const char* color = detail::colors[i % detail::colors.size()];
        out << detail::polyline(chart, chart.curves[i].y, color)
            << detail::text(
                   detail::right + 12, places[i] + 4, chart.curves[i].label,
                   "style=\"fill: " + std::string(color) + "\""
               );
    }
    out << detail::text(10, 296, chart.foot, "style=\"font-size: 9px\"") << "</svg>\n";
    return out.str();
}
} // namespace example
