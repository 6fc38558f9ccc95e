// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

/// @file
/// Random masks of every kind.

namespace kinds {
/// Calls f with masks of different kinds, all of shape (4, n).
template <class F>
void for_each(std::size_t n, unsigned seed, F&& f) {
    const auto lengths = oracle::random<std::uint64_t>({4}, seed);
    const xt::xtensor<std::size_t, 1> clamped = xt::minimum(lengths * (n / 16 + 1), n);
    const auto x = oracle::random<float>({4, n}, seed + 1);
    const auto tokens = oracle::random<int>({4, n}, seed + 2);
    f(xmask::keep_lengths(clamped, n));
    f(xmask::keep_last(clamped, n));
    f(xmask::keep_above(x, 0.5));
    f(xmask::drop_tokens(tokens, {0, 1, 2, -3}));
    f(xmask::keep_indices({n / 2, n - 1, std::size_t(0)}, {4, n}));
    f(xmask::keep_where(oracle::random<bool>({4, n}, seed + 3)));
}

/// Calls f with these masks as bitmasks, which are of one type.
inline std::vector<xmask::bitmask> stored(std::size_t n, unsigned seed) {
    std::vector<xmask::bitmask> all;
    for_each(n, seed, [&](const auto& m) { all.emplace_back(m); });
    return all;
}
} // namespace kinds
