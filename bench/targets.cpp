// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The targets of xmask, and whether they were reached.

#include <algorithm>
#include <string_view>

#include <xsimd/xsimd.hpp>

#include "compare.hpp"
#include "report.hpp"

namespace bench {
namespace {
struct target {
    const char* work;
    double most;
    const char* of; // the unit of `most`
    double (*measured)(const result&);
    std::vector<std::string_view> starts; // part of the names of its rows
    std::vector<std::string_view> ends;
};

double over_copy(const result& r) { return r.over(ours, reference); }

double over_hand(const result& r) { return r.over(ours, by_hand); }

double nanoseconds(const result& r) { return median(r.seconds[ours]) * 1e9; }

double under_xtensor(const result& r) { return r.over(ours, xtensor); }

double over_selection(const result& r) {
    return r.reference_name == "VQSelect" ? r.over(ours, reference) : 0;
}

double under_libtorch(const result& r) { return r.over(ours, libtorch); }

const std::vector<target>& targets() {
    using names = std::vector<std::string_view>;
    static const names simple{"masked_fill/lengths/",     "masked_fill/indices/",
                              "masked_fill/bitmask/",     "masked_fill/bool array/",
                              "masked_fill/threshold/",   "masked_fill/keep_above/",
                              "masked_fill/keep_causal/", "masked_fill/keep_window",
                              "masked_fill/keep_ranges/", "multiply/lengths/",
                              "multiply/indices/",        "multiply/bitmask/",
                              "multiply/bool array/",     "multiply/threshold/"};
    static const names by_threshold{
        "masked_sum/threshold/", "masked_max/threshold/", "masked_min/threshold/"
    };
    static const names lazy{"masked_fill of 2 * x + 1/", "multiply(x, m) + t/"};
    static const names with_gradient{
        "masked_bce", "masked_focal", "masked_kl_div", "masked_poisson"
    };
    static const names calls{
        "masked_fill/lengths/", "multiply/lengths/", "masked_sum/lengths/", "masked_mse/lengths/"
    };
    static const names fast{
        "masked_fill/lengths/", "drop_tokens to a bool array/", "masked_mse/lengths/",
        "masked_cross_entropy"
    };
    constexpr bool wide = xsimd::batch<float>::size >= 16; // AVX-512
    constexpr auto ids = "drop_tokens to a bool array/";
    static const std::vector<target> all{
        {"fill, multiply, by any mask, L2", 1.05, "a copy", over_copy, simple, {"/L2"}},
        {"fill, multiply, by any mask, DRAM", 1.05, "a copy", over_copy, simple, {"/DRAM"}},
        {"in place, by lengths",
         1.1,
         "writing what is dropped",
         over_copy,
         {"masked_fill_inplace/"},
         {""}},
        {"masked_mse, half kept, L2", 0.95, "a copy", over_copy, {"masked_mse/lengths/50%"}, {"/L2"}
        },
        {"masked_mse, half kept, DRAM",
         1,
         "a copy",
         over_copy,
         {"masked_mse/lengths/50%"},
         {"/DRAM"}},
        {"sums and extremes by a threshold", 1.15, "a copy", over_copy, by_threshold, {"/L2"}},
        {"5 ids of int64, L2", 1.3, "a copy", over_copy, {ids}, {"5 ids, int64/L2"}},
        {"5 ids of int64, DRAM", 0.8, "a copy", over_copy, {ids}, {"5 ids, int64/DRAM"}},
        {"1,000 ids of int64, L2", 4, "a copy", over_copy, {ids}, {"1000 ids, int64/L2"}},
        {"1,000 ids of int64, DRAM", 2, "a copy", over_copy, {ids}, {"1000 ids, int64/DRAM"}},
        {"softmax by lengths, L2",
         wide ? 3 : 4,
         "a copy",
         over_copy,
         {"masked_softmax/lengths/"},
         {"/L2"}},
        {"cross entropy, L2",
         wide ? 1.7 : 2,
         "a copy of what is kept",
         over_copy,
         {"masked_cross_entropy/"},
         {"/50%/L2"}},
        {"running sums and products",
         2,
         "a copy",
         over_copy,
         {"masked_cumsum", "masked_cumprod"},
         {"/L2"}},
        {"losses by exp and log, with gradient", 6, "a copy", over_copy, with_gradient, {"/L2"}},
        {"2 of 4", 3, "a copy", over_copy, {"masked_fill/keep_n_of_m, 2 of 4"}, {"/L2"}},
        {"selection, where VQSelect is found", 1.5, "VQSelect", over_selection, {""}, {""}},
        {"a lazy operand, or a composition", 1.15, "by hand", over_hand, lazy, {""}},
        {"a call on 4 x 16 floats, by lengths", 25, "ns", nanoseconds, calls, {"/4 x 16"}},
        {"lengths, token ids, losses beside libtorch", 0.2, "libtorch", under_libtorch, fast, {""}},
        {"everything beside libtorch", 1, "libtorch", under_libtorch, {""}, {""}},
        {"everything beside xtensor", 1, "xtensor", under_xtensor, {""}, {""}},
    };
    return all;
}

bool is_about(const target& t, const result& r) {
    const std::string_view name = r.name;
    const auto starts = [&](std::string_view with) { return name.starts_with(with); };
    const auto ends = [&](std::string_view with) { return name.ends_with(with); };
    return r.in != part::copies && std::any_of(t.starts.begin(), t.starts.end(), starts) &&
           std::any_of(t.ends.begin(), t.ends.end(), ends) && t.measured(r) != 0;
}

std::vector<const result*> rows_of(const target& t) {
    std::vector<const result*> rows;
    for (const result& r : results()) {
        if (is_about(t, r)) {
            rows.push_back(&r);
        }
    }
    std::sort(rows.begin(), rows.end(), [&](const result* a, const result* b) {
        return t.measured(*a) > t.measured(*b);
    });
    return rows;
}
} // namespace

void print_targets(std::FILE* out) {
    std::fprintf(
        out, "\nWhat xmask owes its users; of each the worst row, and all that miss it\n\n"
    );
    for (const target& t : targets()) {
        const auto rows = rows_of(t);
        if (rows.empty()) {
            continue;
        }
        const double worst = t.measured(*rows.front());
        std::fprintf(
            out, "%-6s %-62s %8.4g %8.3g  of %s\n", worst <= t.most ? "met" : "MISSED", t.work,
            t.most, worst, t.of
        );
        for (const result* r : rows) {
            if (r == rows.front() || t.measured(*r) > t.most) {
                std::fprintf(out, "%15s%-63s %8.3g\n", "", r->name.c_str(), t.measured(*r));
            }
        }
    }
}
} // namespace bench
