// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/attention.hpp"

namespace {
constexpr std::size_t q = 70;
constexpr std::size_t k = 130;

template <class T>
struct tensors {
    xt::xtensor<T, 3> query = oracle::random<T>({std::size_t(2), q, std::size_t(8)}, 1);
    xt::xtensor<T, 3> key = oracle::random<T>({std::size_t(2), k, std::size_t(8)}, 2);
    xt::xtensor<T, 3> value = oracle::random<T>({std::size_t(2), k, std::size_t(6)}, 3);
};

const std::vector<std::size_t> pairs = {2, q, k};
} // namespace

TEMPLATE_TEST_CASE(
    "attention has a scale, a soft cap, a bias and sinks", "[attention]", float, double
) {
    using T = TestType;
    const tensors<T> x;
    const auto m = xmask::keep_causal(q, k, 30);
    const auto kept = oracle::elements(m && xmask::keep_all(pairs));
    const auto require = [&](const xmask::attention_options& given, const naive::options& meant) {
        const auto y = xmask::masked_attention(x.query, x.key, x.value, m, given);
        REQUIRE(naive::difference(y, naive::attention(x.query, x.key, x.value, kept, meant)) < naive::tolerance<T>);
    };
    require({.scale = 0.75}, {.scale = 0.75});
    require({.soft_cap = 1.5}, {.soft_cap = 1.5});
    require({.bias = 3}, {}); // equal for all keys
    require({.sinks = 0.5}, {.sinks = {0.5, 0.5}});

    const xt::xarray<T> bias = oracle::random<T>(pairs, 9);
    const std::vector<double> biases(bias.begin(), bias.end());
    require({.bias = bias}, {.bias = biases});
    // A lazy bias of another type, broadcast: a slope for each head, times the distance.
    const xt::xtensor<double, 3> slopes = {{{0.25}}, {{-0.5}}};
    xt::xtensor<double, 2> distance = xt::zeros<double>({q, k});
    std::vector<double> sloped;
    for (std::size_t pair = 0; pair < 2 * q * k; ++pair) {
        distance(pair / k % q, pair % k) =
            static_cast<double>(pair / k % q) - static_cast<double>(pair % k);
        sloped.push_back((pair < q * k ? 0.25 : -0.5) * distance(pair / k % q, pair % k));
    }
    require({.bias = slopes * distance}, {.bias = sloped});
    // A column, which is equal for all keys, and a row of floats.
    const xt::xtensor<float, 1> row = oracle::random<float>({k}, 4);
    std::vector<double> rows;
    for (std::size_t pair = 0; pair < 2 * q * k; ++pair) {
        rows.push_back(static_cast<double>(row(pair % k)));
    }
    require({.bias = row}, {.bias = rows});
    const xt::xtensor<float, 1> sinks = {-1.f, 4.f};
    require({.sinks = sinks}, {.sinks = {-1, 4}});
    require(
        {.scale = 2, .soft_cap = 3, .bias = bias, .sinks = sinks},
        {.scale = 2, .soft_cap = 3, .bias = biases, .sinks = {-1, 4}}
    );
}

TEST_CASE("scores of minus infinity weigh nothing", "[attention]") {
    const tensors<float> x;
    const auto m = xmask::keep_all(pairs);
    const double infinity = std::numeric_limits<double>::infinity();
    // The bias drops as a mask does. A query whose keys it all drops gives 0.
    const auto causal = xmask::keep_causal(q, k, -5);
    xt::xtensor<float, 2> bias = xt::zeros<float>({q, k});
    for (std::size_t i = 0; i < q * k; ++i) {
        bias.data()[i] = i % k + 5 <= i / k ? 0.f : -static_cast<float>(infinity);
    }
    const auto y = xmask::masked_attention(x.query, x.key, x.value, m, {.bias = bias});
    REQUIRE(naive::difference(y, xmask::masked_attention(x.query, x.key, x.value, causal)) < 1e-6);
    REQUIRE(y(1, 4, 5) == 0.f);
    // A sink of minus infinity has no effect.
    const auto without = xmask::masked_attention(x.query, x.key, x.value, causal);
    REQUIRE(oracle::same_bits(
        oracle::elements(
            xmask::masked_attention(x.query, x.key, x.value, causal, {.sinks = -infinity})
        ),
        oracle::elements(without)
    ));
    // With a sink, too, a query that keeps nothing gives 0.
    REQUIRE(xmask::masked_attention(x.query, x.key, x.value, causal, {.sinks = 2})(1, 4, 5) == 0.f);
}

TEST_CASE("large scores do not overflow", "[attention]") {
    tensors<float> x;
    x.query *= 100.f;
    x.key *= 100.f;
    // The largest score comes late, and all earlier results are scaled down.
    for (std::size_t j = 0; j < k; ++j) {
        for (std::size_t f = 0; f < 8; ++f) {
            x.key(0, j, f) *= static_cast<float>(j) / 10;
        }
    }
    const auto m = xmask::keep_all(pairs);
    const auto y = xmask::masked_attention(x.query, x.key, x.value, m);
    REQUIRE(
        naive::difference(
            y, naive::attention(x.query, x.key, x.value, std::vector<char>(2 * q * k, 1))
        ) < 2e-2
    );
}

TEST_CASE("attention says what does not fit", "[attention]") {
    using Catch::Matchers::Message;
    const tensors<float> x;
    const auto m = xmask::keep_causal(q, k);
    const xt::xtensor<float, 3> narrow = xt::zeros<float>({std::size_t(2), k, std::size_t(7)});
    const xt::xtensor<float, 3> few =
        xt::zeros<float>({std::size_t(2), std::size_t(3), std::size_t(8)});
    const xt::xtensor<float, 3> stack = xt::zeros<float>({std::size_t(3), k, std::size_t(8)});
    const xt::xtensor<float, 1> flat = xt::zeros<float>({k});
    REQUIRE_THROWS_MATCHES(
        xmask::masked_attention(x.query, narrow, x.value, m), std::invalid_argument,
        Message(
            "xmask::masked_attention: the query has shape (2, 70, 8) and the key (2, 130, 7); expected as many features of "
            "both, the last axis"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_attention(x.query, few, x.value, m), std::invalid_argument,
        Message(
            "xmask::masked_attention: the key has shape (2, 3, 8) and the value (2, 130, 6); expected as many tokens of "
            "both, the last axis but one"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_attention(x.query, stack, stack, m), std::invalid_argument,
        Message(
            "xmask::masked_attention: the key has the leading axes (3,), which do not broadcast into (2,), those of the "
            "query"
        )
    );
    REQUIRE_THROWS_AS(xmask::masked_attention(flat, x.key, x.value, m), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::masked_attention(x.query, x.key, x.value, xmask::keep_causal(q, k - 1)),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_attention(x.query, x.key, x.value, m, {.bias = narrow}), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_attention(x.query, x.key, x.value, m, {.sinks = flat}), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_attention(x.query, x.key, x.value, m, {.soft_cap = -1}), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_attention(x.query, x.key, x.value, m, {.soft_cap = std::nan("")}),
        std::invalid_argument
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_attention(x.query, x.key, x.value, m, {.scale = std::nan("")}),
        std::invalid_argument,
        Message("xmask::masked_attention: scale is nan; expected a finite number")
    );

    xt::xtensor<float, 3> dq = {{{7.f}}};
    xt::xtensor<float, 3> dk = dq;
    xt::xtensor<float, 3> dv = dq;
    REQUIRE_THROWS_AS(
        xmask::masked_attention_gradient(x.query, x.key, x.value, m, x.query, dq, dk, dv),
        std::invalid_argument
    );
    REQUIRE(dq(0) == 7.f);
}
