// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <complex>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

namespace {
using shape_t = std::vector<std::size_t>;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

template <class T>
std::vector<T> product(const xt::xarray<T>& x, const xt::xarray<T>& weights) {
    auto result = oracle::elements(x);
    const auto factors = oracle::elements(xt::xarray<T>(xt::broadcast(weights, x.shape())));
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = result[i] * factors[i];
    }
    return result;
}
} // namespace

TEST_CASE("multiply by a mask gives +0 for what is dropped, whatever it is", "[multiply]") {
    const std::vector<float> special = {not_a_number, inf, -inf, -1.f, -0.f, 1e38f, -not_a_number};
    for (const std::size_t n : oracle::columns) {
        auto x = oracle::random<float>({5, n}, 1);
        const auto kept = oracle::random<bool>({5, n}, 2);
        std::vector<float> expected;
        for (std::size_t i = 0; i < x.size(); ++i) {
            x.flat(i) = kept.flat(i) ? x.flat(i) : special[i % special.size()];
            expected.push_back(kept.flat(i) ? x.flat(i) : 0.f);
        }
        CAPTURE(n);
        const xt::xarray<float> y = xmask::multiply(x, xmask::keep_where(kept));
        REQUIRE(oracle::same_bits(oracle::elements(y), expected));
        xmask::multiply_inplace(x, xmask::keep_where(kept));
        REQUIRE(oracle::same_bits(oracle::elements(x), expected));
    }
}

TEST_CASE("multiply by a mask takes any type", "[multiply]") {
    const auto kept = oracle::random<bool>({3, 67}, 2);
    const auto check = [&](auto type) {
        using T = decltype(type);
        const auto x = oracle::random<T>(shape_t{3, 67}, 3);
        const xt::xarray<T> y = xmask::multiply(x, xmask::keep_where(kept));
        const auto is = oracle::elements(y);
        const auto was = oracle::elements(x);
        bool right = true;
        for (std::size_t i = 0; i < is.size(); ++i) {
            right = right && is[i] == (kept.flat(i) ? was[i] : decltype(was[i] + 0)(0));
        }
        REQUIRE(right);
    };
    check(std::int8_t());
    check(std::int32_t());
    check(std::int64_t());
    check(bool());
    const xt::xtensor<std::complex<double>, 1> z = {{1., 2.}, {3., -4.}};
    const xt::xtensor<std::complex<double>, 1> product =
        xmask::multiply(z, xmask::keep_where(xt::xtensor<bool, 1>{true, false}));
    REQUIRE(product(0) == std::complex<double>(1., 2.));
    REQUIRE(product(1) == std::complex<double>());
}

TEMPLATE_TEST_CASE("multiply by real weights is the true product", "[multiply]", float, double) {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<TestType>({4, n}, 1);
        const std::vector<shape_t> shapes = {{4, n}, {n}, {4, 1}, {1}, {}, {1, n}};
        for (const auto& shape : shapes) {
            const auto weights = oracle::random<TestType>(shape, 2);
            const auto expected = product(x, weights);
            CAPTURE(n, shape);
            const xt::xarray<TestType> y = xmask::multiply(x, weights);
            REQUIRE(oracle::same_bits(oracle::elements(y), expected));
            auto z = x;
            xmask::multiply_inplace(z, weights);
            REQUIRE(oracle::same_bits(oracle::elements(z), expected));
        }
    }
}

TEST_CASE("Real weights do not hide what they multiply", "[multiply]") {
    const xt::xtensor<float, 1> x = {not_a_number, inf, -2.f, 1.f};
    const xt::xtensor<float, 1> weights = {0.f, 0.f, 0.f, not_a_number};
    const xt::xtensor<float, 1> y = xmask::multiply(x, weights);
    REQUIRE(std::isnan(y(0)));
    REQUIRE(std::isnan(y(1)));
    REQUIRE(oracle::same_bits(y(2), -0.f));
    REQUIRE(std::isnan(y(3)));
    // Booleans multiply as a mask.
    const xt::xtensor<float, 1> z = xmask::multiply(x, xmask::keep_not_equal(weights, 0.f));
    REQUIRE(oracle::same_bits(std::vector<float>(z.begin(), z.begin() + 3), {0.f, 0.f, 0.f}));
}

TEST_CASE("Weights and operands of any layout, and of different types", "[multiply]") {
    const auto x = oracle::random<float>({3, 70}, 1);
    const auto weights = oracle::random<float>({3, 70}, 2);
    const auto expected = product(x, weights);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        const xt::xarray<float> y = xmask::multiply(operand, weights);
        REQUIRE(oracle::elements(y) == expected);
    });
    oracle::for_each_layout(weights, [&](const auto& gate, const char* layout) {
        CAPTURE(layout);
        xt::xarray<float, xt::layout_type::column_major> y = x;
        xt::noalias(y) = xmask::multiply(x, gate);
        REQUIRE(oracle::elements(y) == expected);
    });
    // The product has the type of the operand.
    const xt::xarray<double> wide = weights;
    const auto mixed = xmask::multiply(x, wide);
    STATIC_REQUIRE(std::is_same_v<decltype(mixed)::value_type, float>);
    REQUIRE(oracle::elements(xt::xarray<float>(mixed)) == expected);
    const auto widened = xmask::multiply(xt::xarray<double>(x), weights);
    STATIC_REQUIRE(std::is_same_v<decltype(widened)::value_type, double>);
    REQUIRE(
        oracle::elements(widened) ==
        oracle::elements(xt::xarray<double>(xt::cast<double>(x) * wide))
    );
    // A lazy gate.
    const xt::xarray<float> y = xmask::multiply(x, 1.f / (1.f + xt::exp(-weights)));
    REQUIRE(oracle::close(y, xt::xarray<float>(x / (1.f + xt::exp(-weights))), 1e-6));
}

TEST_CASE("multiply_inplace on views and on its own weights", "[multiply]") {
    auto wide = oracle::random<double>({4, 145}, 1);
    const auto before = wide;
    const auto weights = oracle::random<double>({4, 70}, 2);
    auto view = xt::view(wide, xt::all(), xt::range(3, 143, 2));
    const xt::xarray<double> chosen = view;
    xmask::multiply_inplace(view, weights);
    REQUIRE(oracle::elements(view) == product(chosen, weights));
    view = chosen;
    REQUIRE(oracle::elements(wide) == oracle::elements(before));
    xmask::multiply_inplace(xt::view(wide, 0), xmask::bitmask(xmask::keep_none({145})));
    REQUIRE(xt::all(xt::equal(xt::view(wide, 0), 0.)));
    REQUIRE(oracle::elements(xt::view(wide, 1)) == oracle::elements(xt::view(before, 1)));
    auto x = oracle::random<double>({3, 67}, 3);
    const auto expected = product(x, x);
    xmask::multiply_inplace(x, x);
    REQUIRE(oracle::elements(x) == expected);
}

TEST_CASE("multiply refuses shapes that do not fit, and says which", "[multiply]") {
    using Catch::Matchers::ContainsSubstring;
    xt::xarray<float> x = xt::ones<float>({2, 3});
    const xt::xarray<float> weights = xt::zeros<float>({3, 3});
    REQUIRE_THROWS_AS(xmask::multiply(x, weights), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::multiply(x, weights), ContainsSubstring("xmask::multiply: weights") &&
                                         ContainsSubstring("(3, 3)") && ContainsSubstring("(2, 3)")
    );
    REQUIRE_THROWS_WITH(
        xmask::multiply(x, xmask::bitmask(xmask::keep_none({2}))),
        ContainsSubstring("a mask of shape (2,)") && ContainsSubstring("(2, 3)")
    );
    REQUIRE_THROWS_AS(xmask::multiply_inplace(x, weights), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::multiply_inplace(x, xmask::bitmask(xmask::keep_none({5, 2, 3}))),
        std::invalid_argument
    );
    REQUIRE(xt::all(xt::equal(x, 1.f)));
}

TEST_CASE("multiply agrees with PyTorch", "[multiply]") {
    const auto x = oracle::reference<float>("multiply_hard", "x");
    const auto lengths = oracle::reference<std::int64_t>("multiply_hard", "lengths");
    const auto hard = oracle::reference<double>("multiply_hard", "y");
    const xt::xarray<float> y = xmask::multiply(x, xmask::keep_lengths(lengths, x.shape()[1]));
    REQUIRE(oracle::elements(xt::xarray<double>(y)) == oracle::elements(hard));

    const auto z = oracle::reference<float>("multiply_soft_gate", "x");
    const auto gate = oracle::reference<float>("multiply_soft_gate", "gate");
    const auto soft = oracle::reference<double>("multiply_soft_gate", "y");
    const xt::xarray<float> in_float = xmask::multiply(z, 1.f / (1.f + xt::exp(-gate)));
    REQUIRE(oracle::close(in_float, soft, 1e-5));
    const xt::xarray<double> wide = z;
    const xt::xarray<double> wide_gate = gate;
    const xt::xarray<double> in_double = xmask::multiply(wide, 1. / (1. + xt::exp(-wide_gate)));
    REQUIRE(oracle::close(in_double, soft, 1e-12));
}

TEST_CASE("multiply as its documentation shows it", "[multiply]") {
    xt::xtensor<float, 2> weight = {{0.5f, 0.05f}, {-1.f, 0.2f}};
    const xt::xtensor<float, 2> gate = {{0.5f, 2.f}, {1.f, 0.f}};
    xt::xtensor<float, 2> y;
    xt::noalias(y) = xmask::multiply(weight, xmask::keep_above(weight, 0.1f));
    REQUIRE(oracle::elements(y) == std::vector<float>{0.5f, 0.f, 0.f, 0.2f});
    xt::noalias(y) = xmask::multiply(weight, gate);
    REQUIRE(oracle::elements(y) == std::vector<float>{0.25f, 0.1f, -1.f, 0.f});
    xmask::multiply_inplace(weight, xmask::keep_above(weight, 0.1f));
    REQUIRE(oracle::elements(weight) == std::vector<float>{0.5f, 0.f, 0.f, 0.2f});
}
