// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <support/oracle.hpp>
#include <xmask/layers/linear.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/threshold.hpp>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {
using shape_t = std::vector<std::size_t>;

/// A layer and its gradients by loops. `gate` multiplies each weight; 0 skips it.
struct naive {
    std::vector<double> y, by_x, by_weight, by_bias;

    template <class X, class W, class B>
    naive(
        const X& x, const W& weight, const B& bias, const std::vector<double>& gate,
        const std::vector<double>& upstream
    ) {
        const auto xs = oracle::elements(x);
        const auto ws = oracle::elements(weight);
        const auto bs = oracle::elements(bias);
        const std::size_t out = weight.shape()[0];
        const std::size_t in = weight.shape()[1];
        const std::size_t rows =
            in == 0 ? upstream.size() / std::max<std::size_t>(out, 1) : xs.size() / in;
        y.resize(rows * out);
        by_x.resize(xs.size());
        by_weight.resize(ws.size());
        by_bias.resize(out);
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t j = 0; j < out; ++j) {
                y[r * out + j] = static_cast<double>(bs[j]);
                by_bias[j] += upstream[r * out + j];
                for (std::size_t i = 0; i < in; ++i) {
                    if (gate[j * in + i] == 0) {
                        continue;
                    }
                    const double w = static_cast<double>(ws[j * in + i]) * gate[j * in + i];
                    y[r * out + j] += static_cast<double>(xs[r * in + i]) * w;
                    by_x[r * in + i] += upstream[r * out + j] * w;
                    by_weight[j * in + i] += upstream[r * out + j] *
                                             static_cast<double>(xs[r * in + i]) * gate[j * in + i];
                }
            }
        }
    }
};

template <class E>
bool is(const E& e, const std::vector<double>& expected, double tolerance) {
    const auto values = oracle::elements(e);
    return values.size() == expected.size() &&
           std::equal(values.begin(), values.end(), expected.begin(), [&](auto a, double b) {
               return (std::isnan(a) && std::isnan(b)) || static_cast<double>(a) == b ||
                      std::abs(static_cast<double>(a) - b) <= tolerance * std::max(1., std::abs(b));
           });
}

template <class E>
std::vector<double> doubles(const E& e) {
    const auto values = oracle::elements(e);
    return {values.begin(), values.end()};
}
} // namespace

TEMPLATE_TEST_CASE(
    "a masked layer is what loops give, and so are its gradients", "[linear]", float, double
) {
    using T = TestType;
    const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;
    for (const auto& [leading, in, out] :
         {std::tuple(shape_t{}, 3, 2), std::tuple(shape_t{5}, 65, 4),
          std::tuple(shape_t{2, 3}, 7, 70), std::tuple(shape_t{1}, 1, 1),
          std::tuple(shape_t{0}, 3, 2), std::tuple(shape_t{2}, 0, 2),
          std::tuple(shape_t{2}, 3, 0)}) {
        const auto n = static_cast<std::size_t>(in);
        const auto k = static_cast<std::size_t>(out);
        CAPTURE(leading, in, out);
        shape_t shape = leading;
        shape.push_back(n);
        shape_t result = leading;
        result.push_back(k);
        const auto x = oracle::random<T>(shape, 1);
        const auto bias = oracle::random<T>({k}, 2);
        const auto upstream = oracle::random<T>(result, 3);
        const auto kept = oracle::random<bool>({k, n}, 4);
        auto weight = oracle::random<T>({k, n}, 5);
        const auto m = xmask::keep_where(kept);
        const naive expected(x, weight, bias, doubles(kept), doubles(upstream));
        for (std::size_t i = 0; i < weight.size(); ++i) {
            weight.flat(i) = kept.flat(i) ? weight.flat(i) : std::numeric_limits<T>::quiet_NaN();
        }
        const auto y = xmask::masked_linear(x, weight, bias, m);
        REQUIRE(std::equal(y.shape().begin(), y.shape().end(), result.begin(), result.end()));
        REQUIRE(is(y, expected.y, tolerance));
        xt::xarray<T> by_x;
        xt::xarray<T, xt::layout_type::column_major> by_weight;
        xt::xtensor<T, 1> by_bias;
        xmask::masked_linear_gradient(x, weight, m, upstream, by_x, by_weight, by_bias);
        REQUIRE(is(by_x, expected.by_x, tolerance));
        REQUIRE(is(by_weight, expected.by_weight, tolerance));
        REQUIRE(is(by_bias, expected.by_bias, tolerance));
        for (std::size_t i = 0; i < weight.size(); ++i) {
            REQUIRE((kept.flat(i) || by_weight(i / n, i % n) == 0));
        }
    }
}

TEST_CASE("a masked layer takes any layout", "[linear]") {
    const auto x = oracle::random<float>({6, 20}, 1);
    const auto weight = oracle::random<float>({9, 20}, 2);
    const auto bias = oracle::random<float>({9}, 3);
    const auto m = xmask::keep_causal(9, 20, 5);
    const xt::xarray<float> expected = xmask::masked_linear(x, weight, bias, m);
    oracle::for_each_layout(x, [&](const auto& inputs, const std::string& layout) {
        CAPTURE(layout);
        REQUIRE(oracle::close(xmask::masked_linear(inputs, weight, bias, m), expected, 1e-6));
    });
    oracle::for_each_layout(weight, [&](const auto& weights, const std::string& layout) {
        CAPTURE(layout);
        REQUIRE(oracle::close(xmask::masked_linear(x, weights, bias, m), expected, 1e-6));
    });
}

TEMPLATE_TEST_CASE("masked layers agree with PyTorch", "[linear][reference]", float, double) {
    using T = TestType;
    const double error = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    const auto check = [&](const std::string& name, const auto& mask_of) {
        CAPTURE(name);
        const auto input = [&](const char* array) {
            return xt::xarray<T>(oracle::reference<float>(name, array));
        };
        const auto result = [&](const char* array) {
            return oracle::reference<double>(name, array);
        };
        const auto x = input("x");
        const auto weight = input("weight");
        const auto bias = input("bias");
        const xt::xarray<T> upstream = result("up");
        const auto m = mask_of(weight);
        REQUIRE(oracle::close(xmask::masked_linear(x, weight, bias, m), result("y"), error));
        xt::xarray<T> by_x, by_weight, by_bias;
        xmask::masked_linear_gradient(x, weight, m, upstream, by_x, by_weight, by_bias);
        REQUIRE(oracle::close(by_x, result("grad_x"), error));
        REQUIRE(oracle::close(by_weight, result("grad_weight"), error));
    };
    const auto kept = oracle::reference<bool>("masked_linear", "mask");
    check("masked_linear", [&](const auto&) { return xmask::keep_where(kept); });
    check("masked_linear_threshold", [](const auto& weight) {
        return xmask::keep_above(weight, 0.5);
    });

    const xt::xarray<T> z = oracle::reference<float>("masked_linear_gate", "gate");
    check("masked_linear_gate", [&](const auto&) { return xmask::sigmoid_gate(z); });
    const xt::xarray<T> x = oracle::reference<float>("masked_linear_gate", "x");
    const xt::xarray<T> weight = oracle::reference<float>("masked_linear_gate", "weight");
    const xt::xarray<T> upstream = oracle::reference<double>("masked_linear_gate", "up");
    xt::xarray<T> by_x, by_weight, by_bias, by_z;
    xmask::masked_linear_gradient(
        x, weight, xmask::sigmoid_gate(z), upstream, by_x, by_weight, by_bias, by_z
    );
    REQUIRE(oracle::close(
        by_weight, oracle::reference<double>("masked_linear_gate", "grad_weight"), error
    ));
    REQUIRE(oracle::close(by_z, oracle::reference<double>("masked_linear_gate", "grad_gate"), error)
    );

    // The same gate as plain weights: the gradient is by these weights.
    const xt::xarray<T> gate = xmask::sigmoid_gate(z);
    xt::xarray<T> by_gate;
    xmask::masked_linear_gradient(x, weight, gate, upstream, by_x, by_weight, by_bias, by_gate);
    const xt::xarray<T> chained = by_gate * gate * (T(1) - gate);
    REQUIRE(
        oracle::close(chained, oracle::reference<double>("masked_linear_gate", "grad_gate"), error)
    );
}

TEST_CASE("gradients of a masked layer may be written where it reads", "[linear][aliasing]") {
    const auto x = oracle::random<float>({5, 7}, 1);
    const auto weight = oracle::random<float>({7, 7}, 2);
    const auto upstream = oracle::random<float>({5, 7}, 3);
    const auto m = xmask::keep_above(weight, 0.f);
    xt::xarray<float> by_x, by_weight, by_bias, by_gate;
    xmask::masked_linear_gradient(x, weight, m, upstream, by_x, by_weight, by_bias);
    xt::xarray<float> own_x = x;
    xt::xarray<float> own_weight = weight;
    xt::xarray<float> own_bias = upstream;
    xmask::masked_linear_gradient(
        own_x, own_weight, xmask::keep_above(own_weight, 0.f), own_bias, own_x, own_weight, own_bias
    );
    REQUIRE(oracle::close(own_x, by_x, 1e-6));
    REQUIRE(oracle::close(own_weight, by_weight, 1e-6));
    REQUIRE(oracle::close(own_bias, by_bias, 1e-6));
    const auto gate = oracle::random<float>({7, 7}, 4);
    xmask::masked_linear_gradient(x, weight, gate, upstream, by_x, by_weight, by_bias, by_gate);
    own_weight = weight;
    xt::xarray<float> own_gate = gate;
    xmask::masked_linear_gradient(
        x, own_weight, own_gate, upstream, own_x, own_weight, own_bias, own_gate
    );
    REQUIRE(oracle::close(own_weight, by_weight, 1e-6));
    REQUIRE(oracle::close(own_gate, by_gate, 1e-6));
}

TEST_CASE("a masked layer refuses shapes that do not fit, before anything is written", "[linear]") {
    const auto x = oracle::random<float>({2, 3}, 1);
    const auto weight = oracle::random<float>({4, 3}, 1);
    const auto bias = oracle::random<float>({4}, 1);
    const auto m = xmask::keep_all({4, 3});
    const auto refuses = [](auto&& f, const char* text) {
        REQUIRE_THROWS_MATCHES(f(), std::invalid_argument, MessageMatches(ContainsSubstring(text)));
    };
    refuses(
        [&] { xmask::masked_linear(x, bias, bias, m); },
        "masked_linear: the weight has shape (4,); expected (out, in)"
    );
    refuses(
        [&] { xmask::masked_linear(bias, weight, bias, m); }, "x has shape (4,); expected (..., 3)"
    );
    refuses(
        [&] { xmask::masked_linear(x, weight, x, m); }, "the bias has shape (2, 3); expected (4,)"
    );
    refuses([&] { xmask::masked_linear(x, weight, bias, xmask::keep_all({3, 4})); }, "(3, 4)");
    xt::xarray<float> by_x = {7}, by_weight, by_bias, by_gate;
    refuses(
        [&] { xmask::masked_linear_gradient(x, weight, m, x, by_x, by_weight, by_bias); },
        "the upstream gradient has shape (2, 3); expected (2, 4)"
    );
    refuses(
        [&] {
            const xt::xarray<float> gate = oracle::random<float>({3}, 1);
            xmask::masked_linear_gradient(
                x, weight, gate, oracle::random<float>({2, 4}), by_x, by_weight, by_bias, by_gate
            );
        },
        "the gate has shape (3,); expected that of the weight, (4, 3)"
    );
    const auto upstream = oracle::random<float>({2, 4}, 1);
    refuses(
        [&] { xmask::masked_linear_gradient(x, weight, m, upstream, by_x, by_x, by_bias); },
        "the gradient by x and the gradient by the weight are written to the same memory"
    );
    refuses(
        [&] {
            xmask::masked_linear_gradient(
                x, weight, weight, upstream, by_x, by_weight, by_bias, by_weight
            );
        },
        "the gradient by the weight and the gradient by the gate are written to the same memory"
    );
    REQUIRE(by_x(0) == 7);
}
