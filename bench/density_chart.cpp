// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The cost against the density as a picture, from the series of scaling.cpp.

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "../examples/picture.hpp"
#include "bench.hpp"
#include "report.hpp"

namespace bench {
namespace {
struct drawn_series {
    const char* label;
    const char* name;
};

constexpr drawn_series drawn[] = {
    {"masked_softmax by lengths", "masked_softmax/densities/lengths"},
    {"masked_select by booleans", "masked_select/densities/bool array"},
    {"masked_fill by a threshold", "masked_fill/densities/threshold"},
    {"masked_fill by lengths", "masked_fill/densities/lengths"},
    {"masked_mse by lengths", "masked_mse/densities/lengths"},
    {"masked_sum by lengths", "masked_sum/densities/lengths"},
};

// The times of a series over its first point, a copy; none where it was not measured.
std::vector<double> over_a_copy(const std::string& name) {
    for (const series& s : all_series()) {
        if (s.name == name) {
            std::vector<double> times;
            for (std::size_t k = 1; k < s.seconds.size(); ++k) {
                times.push_back(ratio(s.seconds[k], s.seconds[0]));
            }
            return times;
        }
    }
    return {};
}
} // namespace

bool write_density_chart(const std::string& path, const std::vector<fact>& facts) {
    example::line_chart chart{
        .title =
            "Time over that of a copy, against the share that is kept: 64 x 512 floats, one thread",
        .across = "share that is kept",
        .foot = conditions(facts),
    };
    for (const double density : densities) {
        chart.x.push_back({density, percent(density)});
    }
    double most = 1;
    for (const drawn_series& of : drawn) {
        std::vector<double> times = over_a_copy(of.name);
        if (times.size() == std::size(densities)) {
            most = std::max(most, *std::ranges::max_element(times));
            chart.curves.push_back({of.label, std::move(times)});
        }
    }
    for (double tick = 0; tick < most + 1; ++tick) {
        chart.y.push_back({tick, tick == 1 ? "copy" : std::to_string(std::lround(tick))});
    }
    std::ofstream out(path);
    out << example::to_svg(chart);
    return !chart.curves.empty() && out.flush();
}
} // namespace bench
