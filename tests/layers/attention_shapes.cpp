// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/attention.hpp"

TEST_CASE("tensors of any layout are attended to alike", "[attention]") {
    const std::size_t two = 2;
    const xt::xarray<float> query = oracle::random<float>({two, std::size_t(9), std::size_t(4)}, 1);
    const xt::xarray<float> key = oracle::random<float>({two, std::size_t(70), std::size_t(4)}, 2);
    const xt::xarray<float> value =
        oracle::random<float>({two, std::size_t(70), std::size_t(5)}, 3);
    const auto m = xmask::keep_causal(9, 70, 61);
    const auto expected = oracle::elements(xmask::masked_attention(query, key, value, m));
    const auto same = [&](const auto& y, const std::string& layout) {
        CAPTURE(layout);
        REQUIRE(oracle::same_bits(oracle::elements(y), expected));
    };
    oracle::for_each_layout(query, [&](const auto& x, const std::string& layout) {
        same(xmask::masked_attention(x, key, value, m), layout);
    });
    oracle::for_each_layout(value, [&](const auto& x, const std::string& layout) {
        same(xmask::masked_attention(query, key, x, m), layout);
    });
    // Tokens one after another, with heads in each token.
    const xt::xarray<float> by_tokens = xt::transpose(key, {1, 0, 2});
    same(
        xmask::masked_attention(query, xt::transpose(by_tokens, {1, 0, 2}), value, m),
        "heads within tokens"
    );
}

TEST_CASE("attention has the query's rank, and the larger type", "[attention]") {
    const xt::xtensor<float, 2> query = oracle::random<float>({3, 4}, 1);
    const xt::xtensor<double, 2> key = oracle::random<double>({5, 4}, 2);
    const auto y = xmask::masked_attention(query, key, key, xmask::keep_all({3, 5}));
    static_assert(std::is_same_v<decltype(y), const xt::xtensor<double, 2>>);
    REQUIRE(y.shape() == std::array<std::size_t, 2>{3, 4});
    // A mask of fewer axes, and one row or column broadcast to all.
    const auto row = xmask::masked_attention(query, key, key, xmask::keep_lengths({2}, 5));
    const auto rows = xmask::masked_attention(query, key, key, xmask::keep_lengths({2, 2, 2}, 5));
    REQUIRE(oracle::elements(row) == oracle::elements(rows));
    const auto column = xmask::masked_attention(query, key, key, xmask::keep_lengths({1, 1, 0}, 1));
    REQUIRE(column(1, 1) == y(1, 1));
    REQUIRE(column(2, 1) == 0);
}

TEST_CASE("attention of no token, no feature and no matrix", "[attention]") {
    const auto zeros = [](std::size_t b, std::size_t n, std::size_t d) {
        return xt::xtensor<float, 3>(xt::zeros<float>({b, n, d}));
    };
    const auto attend = [&](std::size_t b, std::size_t q, std::size_t k, std::size_t d,
                            std::size_t v) {
        CAPTURE(b, q, k, d, v);
        const auto query = zeros(b, q, d);
        const auto key = zeros(b, k, d);
        const xt::xtensor<float, 3> value = zeros(b, k, v) + 2.f;
        const auto m = xmask::keep_all({q, k});
        const auto y = xmask::masked_attention(query, key, value, m);
        REQUIRE(y.shape() == std::array<std::size_t, 3>{b, q, v});
        xt::xtensor<float, 3> dq;
        xt::xtensor<float, 3> dk;
        xt::xtensor<float, 3> dv;
        xmask::masked_attention_gradient(query, key, value, m, y, dq, dk, dv);
        REQUIRE(dq.shape() == query.shape());
        REQUIRE(dk.shape() == key.shape());
        REQUIRE(dv.shape() == value.shape());
        for (const float x : y) {
            // All keys are equal.
            REQUIRE(std::abs(x - (k == 0 ? 0.f : 2.f)) < 1e-6f);
        }
    };
    attend(0, 2, 2, 2, 2);
    attend(2, 0, 2, 2, 2);
    attend(2, 2, 0, 2, 2);
    attend(2, 2, 2, 0, 2);
    attend(2, 2, 2, 2, 0);
    attend(2, 1, 1, 1, 1);
    attend(0, 0, 0, 0, 0);
}

TEST_CASE("gradients may lie in views, and where the tensors lie", "[attention]") {
    xt::xtensor<float, 2> query = oracle::random<float>({6, 4}, 1);
    xt::xtensor<float, 2> key = oracle::random<float>({5, 4}, 2);
    xt::xtensor<float, 2> value = oracle::random<float>({5, 4}, 3);
    const auto m = xmask::keep_causal(6, 5);
    const xt::xtensor<float, 2> upstream = oracle::random<float>({6, 4}, 4);
    xt::xtensor<float, 2> dq;
    xt::xtensor<float, 2> dk;
    xt::xtensor<float, 2> dv;
    xmask::masked_attention_gradient(query, key, value, m, upstream, dq, dk, dv);
    xt::xtensor<float, 3> all = xt::zeros<float>({2, 5, 4});
    auto first = xt::view(all, 0);
    xmask::masked_attention_gradient(
        query, key, value, m, upstream, query, first, xt::view(all, 1)
    );
    REQUIRE(oracle::elements(query) == oracle::elements(dq));
    REQUIRE(oracle::elements(first) == oracle::elements(dk));
    REQUIRE(oracle::elements(xt::view(all, 1)) == oracle::elements(dv));
}
