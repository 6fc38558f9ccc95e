// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The results as a picture: bars of time as a multiple of a copy, on a logarithmic scale.

#include <cmath>
#include <fstream>

#include "compare.hpp"
#include "report.hpp"

namespace bench {
namespace {
struct bars {
    const char* label;
    const char* row;
};

constexpr bars drawn[] = {
    {"masked_fill by lengths", "masked_fill/lengths/50%/L2"},
    {"multiply by a threshold", "multiply/threshold/50%/L2"},
    {"masked_select by booleans", "masked_select/bool array/50%/L2"},
    {"drop 5 token ids", "drop_tokens to a bool array/5 ids, int64/L2"},
    {"drop 1,000 token ids", "drop_tokens to a bool array/1000 ids, int64/L2"},
    {"masked_mse", "masked_mse/lengths/50%/L2"},
    {"masked_softmax", "masked_softmax/lengths/50%/L2"},
    {"cross entropy, 1,000 classes", "masked_cross_entropy/1000 classes/50%/L2"},
};

struct drawn_way {
    way which;
    const char* label;
    const char* color; // between black and white, visible on both backgrounds
};

constexpr drawn_way ways[] = {
    {ours, "xmask", "#3b82f6"},
    {by_hand, "by hand, xsimd", "#8b95a1"},
    {xtensor, "xtensor", "#d97706"},
    {libtorch, "libtorch", "#db4b4b"},
};

constexpr double left = 230;  // the start of the bars
constexpr double right = 700; // the end of the scale
constexpr double top = 62;
constexpr double bar = 9;
constexpr double gap = 12; // between the groups
constexpr double least = 0.25;
constexpr double most = 256;

double place(double value) {
    const double share = std::log(value / least) / std::log(most / least);
    return left + (right - left) * std::min(std::max(share, 0.), 1.);
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 9.995 ? "%.2g" : "%.0f", value);
    return text;
}

std::string text(double x, double y, const std::string& what, const char* more = "") {
    return "<text x=\"" + std::to_string(std::lround(x)) + "\" y=\"" +
           std::to_string(std::lround(y)) + "\" " + more + ">" + what + "</text>\n";
}

std::string rectangle(double x, double y, double width, double height, const char* color) {
    return "<rect x=\"" + number(x) + "\" y=\"" + std::to_string(std::lround(y)) + "\" width=\"" +
           std::to_string(std::lround(width)) + "\" height=\"" +
           std::to_string(std::lround(height)) + "\" fill=\"" + color + "\"/>\n";
}

std::string legend() {
    std::string out;
    double x = left;
    for (const drawn_way& w : ways) {
        out += rectangle(x, 32, bar, bar, w.color) + text(x + 14, 40, w.label);
        x += 30 + 7 * static_cast<double>(std::string(w.label).size());
    }
    return out;
}

std::string grid(double bottom) {
    std::string out;
    for (double tick = 0.5; tick < most; tick *= 2) {
        const auto x = std::to_string(std::lround(place(tick)));
        out += "<line x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + number(top - 4) + "\" y2=\"" +
               std::to_string(std::lround(bottom)) + "\" class=\"" + (tick == 1 ? "copy" : "grid") +
               "\"/>\n";
        out +=
            text(place(tick), top - 8, tick == 1 ? "copy" : number(tick), "text-anchor=\"middle\"");
    }
    return out;
}

std::string group(double y, const bars& of, const result& r) {
    std::string out;
    double at = y;
    for (const drawn_way& w : ways) {
        if (const double value = r.over(w.which, reference); value != 0) {
            out += rectangle(left, at, place(value) - left, bar - 1, w.color) +
                   text(place(value) + 4, at + 8, number(value), "class=\"value\"");
            at += bar;
        }
    }
    return text(left - 10, (y + at) / 2 + 4, of.label, "text-anchor=\"end\"") + out;
}

double height_of(const result& r) {
    double height = gap;
    for (const drawn_way& w : ways) {
        height += r.has(w.which) ? bar : 0;
    }
    return height;
}
} // namespace

std::string conditions(const std::vector<fact>& facts) {
    std::string text;
    for (const fact& f : facts) {
        const std::string name = f.name;
        if (name == "processor" || name == "compiler" || name == "flags") {
            text += (text.empty() ? "" : ", ") + f.value;
        }
    }
    return text;
}

bool write_chart(const std::string& path, const std::vector<fact>& facts) {
    std::string groups;
    double bottom = top;
    for (const bars& of : drawn) {
        if (const result* r = find_result(of.row)) {
            groups += group(bottom, of, *r);
            bottom += height_of(*r);
        }
    }
    const std::string height = std::to_string(std::lround(bottom + 20));
    std::ofstream out(path);
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"740\" height=\"" << height
        << "\" viewBox=\"0 0 740 " << height
        << "\" role=\"img\">\n"
           "<title>Time over that of a copy</title>\n"
           "<style>\n"
           "text { font: 12px system-ui, sans-serif; fill: #57606a }\n"
           ".title { font-weight: 600 }\n"
           ".value { font-size: 9px }\n"
           ".grid { stroke: #808080; stroke-opacity: .2 }\n"
           ".copy { stroke: #808080 }\n"
           "@media (prefers-color-scheme: dark) { text { fill: #9ba5b0 } }\n"
           "</style>\n"
        << text(
               10, 16,
               "Time over that of a copy of the operand: 64 x 512 floats, half of them kept, one thread, logarithmic",
               "class=\"title\""
           )
        << legend() << grid(bottom - gap / 2) << groups
        << text(10, bottom + 12, conditions(facts), "class=\"value\"") << "</svg>\n";
    return static_cast<bool>(out.flush());
}
} // namespace bench
