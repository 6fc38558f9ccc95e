// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// masked_fill into another tensor, and in place.

#include "bench.hpp"

namespace bench {
namespace {
constexpr float value = -1e9f;

template <class Source>
void fill(benchmark::State& state, const std::string& name, const size& s, double density) {
    const Source source(s, density);
    const auto& x = operand(s);
    auto& y = output(s);
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::masked_fill(x, source.mask(), value); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = xt::where(source.condition(), x, value); },
            .by_hand = [&] { source.fill_by_hand(value, y); },
            .libtorch = source.fill_with_libtorch(value, y),
        },
        is(y, source.expected(value))
    );
}

// Dropped elements were filled before, so that each call writes the same.
void fill_inplace(benchmark::State& state, const std::string& name, const size& s, double density) {
    const from_lengths source(s, density);
    auto& y = output(s);
    const auto write = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            std::fill(&y(r, 0) + source.lengths(r), &y(r, 0) + s.columns, value);
        }
    };
    const auto right = [&] {
        const bool is_right = same(y, source.expected(value));
        y = operand(s);
        return is_right;
    };
    compare(
        state, name,
        {
            .ours = [&] { xmask::masked_fill_inplace(y, source.mask(), value); },
            .reference = write,
            .xtensor = [&] { xt::noalias(y) = xt::where(source.ready, y, value); },
            .reference_name = "std::fill of what is dropped",
        },
        right
    );
}

template <class Source>
void add_fill() {
    for (const size& s : all_sizes()) {
        for (const double density : all_densities()) {
            add("masked_fill" + tail(Source::name, density, s),
                [=](benchmark::State& state, const std::string& name) {
                    fill<Source>(state, name, s, density);
                });
        }
    }
}

const family rows(part::apply, [] {
    add_fill<from_lengths>();
    add_fill<from_indices>();
    add_fill<from_bitmask>();
    add_fill<from_booleans>();
    add_fill<from_threshold>();
    add_fill<from_both>();
    for (const size& s : {l2(), dram()}) {
        for (const double density : {0.1, 0.5, 0.9}) {
            add("masked_fill_inplace" + tail("lengths", density, s),
                [=](benchmark::State& state, const std::string& name) {
                    fill_inplace(state, name, s, density);
                });
        }
    }
});
} // namespace
} // namespace bench
