// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
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

TEMPLATE_TEST_CASE("attention is PyTorch's", "[attention][reference]", float, double) {
    using T = TestType;
    const xt::xarray<T> query = xt::cast<T>(oracle::reference<float>("attention", "query"));
    const xt::xarray<T> key = xt::cast<T>(oracle::reference<float>("attention", "key"));
    const xt::xarray<T> value = xt::cast<T>(oracle::reference<float>("attention", "value"));
    const auto kept = oracle::reference<bool>("attention", "mask");
    const auto y = xmask::masked_attention(query, key, value, xmask::keep_where(kept));
    const double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-13;
    REQUIRE(oracle::close(y, oracle::reference<double>("attention", "y"), tolerance));
}

namespace {
xt::xtensor<double, 2> gated(const std::string& name) {
    return oracle::reference<float>("gated_attention", name);
}

/// x weight^T + bias, row by row.
template <class X>
xt::xtensor<double, 2> linear(const X& x, const std::string& name) {
    const auto weight = gated(name + "_weight");
    const xt::xtensor<double, 1> bias = oracle::reference<float>("gated_attention", name + "_bias");
    const std::size_t n = weight.shape(1);
    xt::xtensor<double, 2> y = xt::zeros<double>({x.size() / n, weight.shape(0)});
    for (std::size_t r = 0; r < y.shape(0); ++r) {
        for (std::size_t o = 0; o < y.shape(1); ++o) {
            y(r, o) = bias(o);
            for (std::size_t f = 0; f < n; ++f) {
                y(r, o) += static_cast<double>(x.data()[r * n + f]) * weight(o, f);
            }
        }
    }
    return y;
}

constexpr std::size_t batch = 4;
constexpr std::size_t tokens = 20;
constexpr std::size_t heads = 4;
constexpr std::size_t features = 8;

/// Heads before tokens, as a view whose rows are not contiguous.
auto by_heads(xt::xtensor<double, 2>& x) {
    x.reshape({batch * tokens, heads * features});
    return xt::transpose(xt::reshape_view(x, {batch, tokens, heads, features}), {0, 2, 1, 3});
}

/// Four heads of attention, the mean over the tokens that `pooled` keeps, and an output with a
/// gate.
template <class M, class P>
xt::xtensor<double, 2> gated_attention(const M& m, const P& pooled) {
    const auto x = oracle::reference<float>("gated_attention", "x");
    auto query = linear(x, "query");
    auto key = linear(x, "key");
    auto value = linear(x, "value");
    const xt::xtensor<double, 4> y =
        xmask::masked_attention(by_heads(query), by_heads(key), by_heads(value), m);
    xt::xtensor<double, 2> context = xt::zeros<double>({batch, heads * features});
    for (std::size_t b = 0; b < batch; ++b) {
        double count = 0;
        for (std::size_t t = 0; t < tokens; ++t) {
            count += pooled(b, t);
            for (std::size_t f = 0; f < heads * features && pooled(b, t); ++f) {
                context(b, f) += y(b, f / features, t, f % features);
            }
        }
        for (std::size_t f = 0; f < heads * features; ++f) {
            context(b, f) /= count;
        }
    }
    xt::xtensor<double, 2> output = linear(context, "output");
    const xt::xtensor<double, 2> gate = linear(context, "mask");
    for (std::size_t i = 0; i < output.size(); ++i) {
        output.data()[i] /= 1 + std::exp(-gate.data()[i]);
    }
    return output;
}
} // namespace

TEST_CASE("a gated attention layer is PyTorch's", "[attention][reference]") {
    const auto lengths = oracle::reference<std::int64_t>("gated_attention", "lengths");
    const auto expected = [](const char* name) {
        return oracle::reference<double>("gated_attention", name);
    };
    const auto tokens_kept = xmask::keep_lengths(lengths, tokens);
    const auto everything = xmask::keep_all({batch, tokens});
    const auto keys = xmask::unsqueeze(xmask::unsqueeze(tokens_kept, 1), 1);
    REQUIRE(
        oracle::close(gated_attention(xmask::keep_all({1, 1}), everything), expected("y"), 1e-12)
    );
    REQUIRE(oracle::close(gated_attention(keys, tokens_kept), expected("y_padded"), 1e-12));
    const auto causal = xmask::keep_causal(tokens, tokens) && keys;
    REQUIRE(oracle::close(gated_attention(causal, tokens_kept), expected("y_causal"), 1e-12));
}
