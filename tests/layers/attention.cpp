// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/attention.hpp"

namespace {
/// Compares attention under any mask of (2, q, k) with loops over all pairs.
template <class T, class M>
void require_attention(std::size_t q, std::size_t k, std::size_t d, std::size_t v, const M& m) {
    CAPTURE(q, k, d, v);
    const xt::xtensor<T, 3> query = oracle::random<T>({std::size_t(2), q, d}, 1);
    const xt::xtensor<T, 3> key = oracle::random<T>({std::size_t(2), k, d}, 2);
    const xt::xtensor<T, 3> value = oracle::random<T>({std::size_t(2), k, v}, 3);
    const auto kept = oracle::elements(m && xmask::keep_all({std::size_t(2), q, k}));
    const xt::xtensor<T, 3> y = xmask::masked_attention(query, key, value, m);
    REQUIRE(naive::difference(y, naive::attention(query, key, value, kept)) < naive::tolerance<T>);
}
} // namespace

TEMPLATE_TEST_CASE("attention is what loops over all pairs give", "[attention]", float, double) {
    using T = TestType;
    for (const std::size_t q : {1u, 5u, 64u, 65u, 150u}) {
        for (const std::size_t k : {1u, 63u, 64u, 65u, 300u}) {
            require_attention<T>(q, k, 16, 16, xmask::bitmask(xmask::keep_causal(q, k)));
            const auto some = oracle::random<bool>({std::size_t(2), q, k}, 7);
            require_attention<T>(q, k, 3, 5, xmask::bitmask(xmask::keep_where(some)));
        }
    }
    require_attention<T>(70, 600, 1, 1, xmask::bitmask(xmask::keep_all({70, 600})));
    require_attention<T>(70, 600, 64, 64, xmask::bitmask(xmask::keep_window(70, 600, 40, 300)));
    // All queries, or some of them, keep nothing.
    require_attention<T>(70, 100, 4, 4, xmask::bitmask(xmask::keep_none({70, 100})));
    require_attention<T>(70, 100, 4, 4, xmask::bitmask(xmask::keep_causal(70, 100, -30)));
}
