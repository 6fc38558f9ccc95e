// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <vector>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/largest.hpp>
#include <xmask/masks/largest_along.hpp>
#include <xmask/masks/largest_slices.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/random.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/masks/run_lengths.hpp>
#include <xmask/masks/slices.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

/// @file
/// Masks of the kinds that kinds.hpp leaves out.

namespace kinds {
/// Calls f with masks of more kinds, all of shape (4, n), with n at least 1.
template <class F>
void for_each_more(std::size_t n, unsigned seed, F&& f) {
    const auto x = oracle::random<float>({4, n}, seed);
    const auto tokens = oracle::random<int>({4, n}, seed + 1);
    const auto offset = static_cast<std::ptrdiff_t>(n / 2);
    f(xmask::keep_ranges({std::size_t(0), n / 3, n, n / 2}, {n, n - n / 4, n, n / 2}, n));
    f(xmask::keep_packed({std::size_t(0), n, n + n / 3, n + n / 3, 2 * n}, n));
    f(xmask::keep_points(
        {{std::size_t(3), n - 1}, {std::size_t(1), n / 2}, {std::size_t(1), std::size_t(0)}}, {4, n}
    ));
    f(xmask::drop_points({{std::size_t(0), n / 2}}, {4, n}));
    f(xmask::keep_causal(4, n, offset));
    f(xmask::keep_prefix(4, n, n / 3, offset));
    f(xmask::keep_chunked(4, n, 3, offset));
    f(xmask::keep_dilated(4, n, 9, 3, offset));
    f(xmask::keep_same_segment(xt::xtensor<int, 1>{-2, 0, 1, 9}, xt::view(tokens, 0, xt::all())));
    f(xmask::keep_if({std::size_t(4), n}, [](std::size_t i, std::size_t j) {
        return (i * j) % 3 == 1;
    }));
    f(xmask::keep_random({4, n}, 0.4, seed));
    f(xmask::keep_magnitude_above(x, 0.7));
    f(xmask::keep_top_k(x, n / 3));
    f(xmask::keep_top_k(x, 2, 0));
    f(xmask::keep_largest(x, 0.2));
    f(xmask::keep_n_of_m(x, 1, 2, 0));
    f(xmask::keep_largest_slices(x, 0.5, 0));
    f(xmask::keep_largest_slices(x, 0.5, 1, 1));
    f(xmask::keep_through_first(tokens, 3));
    f(xmask::keep_between_markers(tokens, 1, 2));
    f(xmask::keep_run_lengths({n / 2, n, n, n, n - n / 2}, {4, n}));
    f(xmask::shift(xmask::keep_below(x, 0.5), 3));
    f(xmask::mask_slice(xmask::keep_random({4, n + 5}, 0.5, seed), 1, 2, n + 2));
}

/// Calls f with these masks as bitmasks, which are of one type.
inline std::vector<xmask::bitmask> more_stored(std::size_t n, unsigned seed) {
    std::vector<xmask::bitmask> all;
    for_each_more(n, seed, [&](const auto& m) { all.emplace_back(m); });
    return all;
}
} // namespace kinds
