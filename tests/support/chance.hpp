// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/cursor.hpp>
#include <xmask/core/shape.hpp>

#include "support/oracle.hpp"

/// @file
/// Checks of random masks.

namespace chance {
/// The elements of a mask, each by a cursor of its own; in long rows, where a cursor draws much, by
/// one for each 61 columns.
template <class M>
std::vector<char> one_by_one(const M& m) {
    const std::size_t n = oracle::columns_of(m.shape());
    const std::size_t step = n <= 130 ? 1 : 61;
    std::vector<char> all(m.size());
    for (std::size_t begin = 0; begin < all.size();) {
        const auto cursor = m.row(begin / n);
        const std::size_t end = std::min(begin + step, (begin / n + 1) * n);
        for (; begin < end; ++begin) {
            all[begin] = oracle::keeps(cursor, begin % n);
        }
    }
    return all;
}

/// Fails unless one cursor gives the same words in any order.
template <class M>
void require_any_order(const M& m, unsigned seed = 1) {
    const std::size_t n = oracle::columns_of(m.shape());
    const auto all = one_by_one(m);
    std::mt19937 generator(seed);
    bool right = true;
    for (std::size_t r = 0; r < (n == 0 ? 0 : all.size() / n); ++r) {
        const auto cursor = m.row(r);
        for (std::size_t ask = 0; ask < 60; ++ask) {
            const std::size_t c = generator() % n;
            right = right && cursor.word(c) == oracle::word_of(all, r * n + c, r * n + n);
            right = right && oracle::keeps(cursor, n - 1 - c) == (all[r * n + n - 1 - c] != 0);
        }
    }
    REQUIRE(right);
}

/// Fails unless counts are as even as chance has them, by their chi-square. Its mean is f, one less
/// than the number of counts, and its variance 2 f. Chance exceeds 6 standard deviations (and 6 / f
/// for the skew of small f) less than once in a million times. The seeds are fixed, so that a test
/// that passes once always passes.
inline void require_even(const std::vector<double>& counts) {
    const double f = static_cast<double>(counts.size()) - 1;
    const double expected = std::accumulate(counts.begin(), counts.end(), 0.) / (f + 1);
    REQUIRE(expected >= 5);
    double chi_square = 0;
    for (const double count : counts) {
        chi_square += (count - expected) * (count - expected) / expected;
    }
    CAPTURE(f, expected, chi_square);
    REQUIRE(chi_square < f + 6 * std::sqrt(2 * f) + 36);
}
} // namespace chance
