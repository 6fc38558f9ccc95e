// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The targets of xmask, and whether they were reached.

#include <algorithm>
#include <string_view>

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

double under_libtorch(const result& r) { return r.over(ours, libtorch); }

const std::vector<target>& targets() {
    using names = std::vector<std::string_view>;
    static const names simple{"masked_fill/lengths/",    "masked_fill/indices/",
                              "masked_fill/bitmask/",    "masked_fill/keep_causal/",
                              "masked_fill/keep_window", "masked_fill/keep_ranges/",
                              "multiply/lengths/",       "multiply/indices/",
                              "multiply/bitmask/"};
    static const names read_too{
        "masked_fill/bool array/", "masked_fill/threshold/", "masked_fill/keep_above/",
        "multiply/bool array/", "multiply/threshold/"
    };
    static const names cached_or_not{"/L2", "/DRAM"};
    static const names lazy{"masked_fill of 2 * x + 1/", "multiply(x, m) + t/"};
    static const std::vector<target> all{
        {"fill, multiply: lengths, indices, patterns, bitmask, L2",
         1.05,
         "copy",
         over_copy,
         simple,
         {"/L2"}},
        {"fill, multiply: lengths, indices, patterns, bitmask, DRAM",
         1.05,
         "copy",
         over_copy,
         simple,
         {"/DRAM"}},
        {"fill, multiply: bool array, threshold, L2", 1.4, "copy", over_copy, read_too, {"/L2"}},
        {"fill, multiply: bool array, threshold, DRAM", 1.15, "copy", over_copy, read_too, {"/DRAM"}
        },
        {"in place, lengths",
         1.05,
         "writing what is dropped",
         over_copy,
         {"masked_fill_inplace/"},
         {""}},
        {"masked_mse, half kept by length",
         0.8,
         "copy",
         over_copy,
         {"masked_mse/lengths/50%"},
         cached_or_not},
        {"drop_tokens, 5 ids, int64",
         1.2,
         "copy",
         over_copy,
         {"drop_tokens to a bool array/5 ids"},
         cached_or_not},
        {"drop_tokens, 1,000 ids, int64",
         3,
         "copy",
         over_copy,
         {"drop_tokens to a bool array/1000 ids"},
         cached_or_not},
        {"masked_softmax, 512 columns, L2",
         3,
         "copy",
         over_copy,
         {"masked_softmax/lengths/"},
         {"/L2"}},
        {"masked_softmax, 4096 columns, L2",
         3,
         "copy",
         over_copy,
         {"masked_softmax/lengths/"},
         {"/8 x 4096"}},
        {"masked_cross_entropy, 1,000 and 32,000 classes, L2",
         3.5,
         "copy of what is kept",
         over_copy,
         {"masked_cross_entropy/"},
         {"/50%/L2"}},
        {"lazy operand or composition", 1.15, "by hand", over_hand, lazy, {""}},
        {"a call on 4 x 16 floats, by lengths",
         100,
         "ns",
         nanoseconds,
         {"masked_fill/lengths/", "multiply/lengths/", "masked_sum/lengths/", "masked_mse/lengths/"
         },
         {"/4 x 16"}},
        {"masks from lengths, token ids, losses, beside libtorch",
         0.2,
         "libtorch",
         under_libtorch,
         {"masked_fill/lengths/", "drop_tokens to a bool array/", "masked_mse/lengths/",
          "masked_cross_entropy"},
         {""}},
        {"everything beside libtorch", 1, "libtorch", under_libtorch, {""}, {""}},
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
