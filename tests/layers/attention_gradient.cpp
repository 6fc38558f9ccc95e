// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/attention.hpp"

namespace {
/// Compares the gradient by one tensor with central differences of the naive attention, summed with
/// the weights of `upstream`. Of larger tensors, some elements are compared.
template <class F>
void require_slopes(
    xt::xtensor<double, 3>& x, const xt::xtensor<double, 3>& gradient, F&& loss, double tolerance
) {
    REQUIRE(gradient.shape() == x.shape());
    const double step = 1e-5;
    for (std::size_t i = 0; i < x.size(); i += 1 + x.size() / 12) {
        const double at = x.data()[i];
        x.data()[i] = at + step;
        const double above = loss();
        x.data()[i] = at - step;
        const double below = loss();
        x.data()[i] = at;
        CAPTURE(i, gradient.data()[i], (above - below) / (2 * step));
        REQUIRE(std::abs(gradient.data()[i] - (above - below) / (2 * step)) < tolerance);
    }
}

template <class T>
void require_gradients(
    std::size_t q, std::size_t k, const xmask::bitmask& m,
    const xmask::attention_options& given = {}, const naive::options& meant = {}
) {
    CAPTURE(q, k);
    const std::size_t two = 2;
    xt::xtensor<double, 3> query = oracle::random<double>({two, q, std::size_t(5)}, 1);
    xt::xtensor<double, 3> key = oracle::random<double>({two, k, std::size_t(5)}, 2);
    xt::xtensor<double, 3> value = oracle::random<double>({two, k, std::size_t(3)}, 3);
    const xt::xtensor<double, 3> upstream = oracle::random<double>({two, q, std::size_t(3)}, 4);
    const auto kept = oracle::elements(m && xmask::keep_all({two, q, k}));
    const auto loss = [&] {
        const auto y = naive::attention(query, key, value, kept, meant);
        double sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            sum += y.data()[i] * upstream.data()[i];
        }
        return sum;
    };
    const xt::xtensor<T, 3> queries = xt::cast<T>(query);
    const xt::xtensor<T, 3> keys = xt::cast<T>(key);
    const xt::xtensor<T, 3> values = xt::cast<T>(value);
    const xt::xtensor<T, 3> outer = xt::cast<T>(upstream);
    xt::xtensor<T, 3> dq;
    xt::xtensor<T, 3> dk;
    xt::xtensor<T, 3> dv;
    xmask::masked_attention_gradient(queries, keys, values, m, outer, dq, dk, dv, given);
    const double tolerance = std::is_same_v<T, float> ? 2e-4 : 2e-7;
    require_slopes(query, xt::cast<double>(dq), loss, tolerance);
    require_slopes(key, xt::cast<double>(dk), loss, tolerance);
    require_slopes(value, xt::cast<double>(dv), loss, tolerance);
}
} // namespace

TEMPLATE_TEST_CASE("gradients of attention are its slopes", "[attention]", float, double) {
    using T = TestType;
    require_gradients<T>(1, 1, xmask::bitmask(xmask::keep_all({1, 1})));
    require_gradients<T>(3, 70, xmask::bitmask(xmask::keep_causal(3, 70, 60)));
    require_gradients<T>(70, 3, xmask::bitmask(xmask::keep_window(70, 3, 20, 0)));
    require_gradients<T>(70, 300, xmask::bitmask(xmask::keep_causal(70, 300, 100)));
    require_gradients<T>(
        66, 66, xmask::bitmask(xmask::keep_where(oracle::random<bool>({2, 66, 66}, 7)))
    );
    const xmask::bitmask causal = xmask::keep_causal(66, 66);
    require_gradients<T>(66, 66, causal, {.scale = 0.3}, {.scale = 0.3});
    require_gradients<T>(66, 66, causal, {.soft_cap = 1.5}, {.soft_cap = 1.5});
    require_gradients<T>(66, 66, causal, {.sinks = 1}, {.sinks = {1, 1}});
    const xt::xarray<double> bias = oracle::random<double>({2, 66, 66}, 9);
    require_gradients<T>(
        66, 66, causal, {.soft_cap = 2, .bias = bias, .sinks = 0},
        {.soft_cap = 2, .bias = std::vector<double>(bias.begin(), bias.end()), .sinks = {0, 0}}
    );
}

TEST_CASE(
    "gradients of what is shared by matrices are summed, whatever holds them", "[attention]"
) {
    const xt::xtensor<double, 4> query = oracle::random<double>({2, 3, 20, 4}, 1);
    const xt::xtensor<double, 4> key = oracle::random<double>({2, 1, 30, 4}, 2);
    const xt::xtensor<double, 2> value = oracle::random<double>({30, 6}, 3);
    const auto m = xmask::keep_causal(20, 30, 5);
    const xt::xarray<double> y = xmask::masked_attention(query, key, value, m);
    const xt::xtensor<double, 4> keys = xt::broadcast(key, {2, 3, 30, 4});
    const xt::xtensor<double, 4> values = xt::broadcast(value, {2, 3, 30, 6});
    REQUIRE(
        oracle::elements(y) == oracle::elements(xmask::masked_attention(query, keys, values, m))
    );

    xt::xtensor<double, 4> dq;
    xt::xtensor<double, 4> dk;
    xt::xarray<double, xt::layout_type::column_major> dv;
    xmask::masked_attention_gradient(query, key, value, m, y, dq, dk, dv);
    xt::xarray<float> all_dq;
    xt::xtensor<double, 4> all_dk;
    xt::xtensor<double, 4> all_dv;
    xmask::masked_attention_gradient(query, keys, values, m, y, all_dq, all_dk, all_dv);
    REQUIRE(oracle::close(dq, all_dq, 1e-6));
    REQUIRE(dk.shape() == key.shape());
    REQUIRE(dv.dimension() == 2);
    for (std::size_t j = 0; j < 30; ++j) {
        double by_key = 0;
        double by_value = 0;
        for (std::size_t h = 0; h < 3; ++h) {
            by_key += all_dk(1, h, j, 2);
            by_value += all_dv(0, h, j, 5) + all_dv(1, h, j, 5);
        }
        REQUIRE(std::abs(dk(1, 0, j, 2) - by_key) < 1e-14);
        REQUIRE(std::abs(dv(j, 5) - by_value) < 1e-14);
    }
}

TEST_CASE("gradients of attention go into views of one tensor, but not twice", "[attention]") {
    const xt::xtensor<double, 3> query = oracle::random<double>({1, 5, 4}, 1);
    const xt::xtensor<double, 3> key = oracle::random<double>({1, 5, 4}, 2);
    const auto m = xmask::keep_causal(5, 5);
    xt::xtensor<double, 3> dq, dk, dv;
    xmask::masked_attention_gradient(query, key, key, m, query, dq, dk, dv);
    REQUIRE_THROWS_AS(
        xmask::masked_attention_gradient(query, key, key, m, query, dq, dk, dk),
        std::invalid_argument
    );
    // (batch, tokens, 3, features), as one projection gives them.
    xt::xtensor<double, 4> packed = xt::zeros<double>({1, 5, 3, 4});
    const auto part = [&](std::size_t k) { return xt::view(packed, xt::all(), xt::all(), k); };
    xmask::masked_attention_gradient(query, key, key, m, query, part(0), part(1), part(2));
    REQUIRE(oracle::elements(part(0)) == oracle::elements(dq));
    REQUIRE(oracle::elements(part(1)) == oracle::elements(dk));
    REQUIRE(oracle::elements(part(2)) == oracle::elements(dv));
}

TEST_CASE(
    "a gradient of attention may be written over an operand of another shape", "[attention]"
) {
    const auto query = oracle::random<double>({2, 3, 4}, 1);
    const auto key = oracle::random<double>({2, 5, 4}, 2);
    const auto value = oracle::random<double>({2, 5, 6}, 3);
    auto upstream = oracle::random<double>({2, 3, 6}, 4);
    const auto m = xmask::keep_causal(3, 5, 1);
    xt::xarray<double> dq, dk, dv, own_dk, own_dv;
    xmask::masked_attention_gradient(query, key, value, m, upstream, dq, dk, dv);
    xmask::masked_attention_gradient(query, key, value, m, upstream, upstream, own_dk, own_dv);
    REQUIRE(oracle::same_bits(oracle::elements(upstream), oracle::elements(dq)));
    REQUIRE(oracle::same_bits(oracle::elements(own_dv), oracle::elements(dv)));
}
