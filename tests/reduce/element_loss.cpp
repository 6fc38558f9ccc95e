// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>
#include <string>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/losses.hpp>
#include <support/own_loss.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>

namespace {
using real = long double;
using losses::shape_t;

real charbonnier(real p, real t, real scale) { return std::hypot(1.L, (p - t) / scale) - 1; }

real charbonnier_slope(real p, real t, real scale) {
    return (p - t) / scale / std::hypot(1.L, (p - t) / scale) / scale;
}
} // namespace

TEMPLATE_TEST_CASE(
    "A loss of one's own, in registers", "[element_loss]", float, double, long double
) {
    losses::require_naive<TestType>(
        own_loss::masked_charbonnier, own_loss::charbonnier_loss{.scale = 0.5},
        losses::real_operands<TestType>(), [](real p, real t) { return charbonnier(p, t, 0.5L); },
        [](real p, real t) { return charbonnier_slope(p, t, 0.5L); }
    );
}

TEMPLATE_TEST_CASE("A loss of one's own, of plain numbers", "[element_loss]", float, double) {
    constexpr xmask::element_loss<own_loss::pinball_loss> masked_pinball("masked_pinball");
    losses::require_naive<TestType>(
        masked_pinball, own_loss::pinball_loss{.quantile = 0.875},
        losses::real_operands<TestType>(),
        [](real p, real t) { return p < t ? 0.875L * (t - p) : 0.125L * (p - t); },
        [](real p, real t) { return p < t ? -0.875L : 0.125L; }
    );
}

TEST_CASE("masked_loss takes the function itself", "[element_loss]") {
    const auto p = oracle::random<double>({3, 70}, 1);
    const auto t = oracle::random<double>({3, 70}, 2);
    const auto m = xmask::keep_where(oracle::random<bool>({3, 70}, 3));
    xt::xarray<double> expected;
    xt::xarray<double> gradient;
    const double sum = own_loss::masked_charbonnier(p, t, m, {.scale = 2}, expected).sum;
    REQUIRE(xmask::masked_loss(own_loss::charbonnier_loss{.scale = 2}, p, t, m).sum == sum);
    REQUIRE(
        xmask::masked_loss(own_loss::charbonnier_loss{.scale = 2}, p, t, m, gradient).sum == sum
    );
    REQUIRE(oracle::elements(gradient) == oracle::elements(expected));
    // A loss without a derivative is only measured.
    double wrong = 0;
    const auto kept = oracle::elements(m);
    for (std::size_t i = 0; i < p.size(); ++i) {
        wrong += kept[i] != 0 && (p.flat(i) > 0) != (t.flat(i) > 0) ? 1. : 0.;
    }
    REQUIRE(xmask::masked_loss(own_loss::zero_one_loss(), p, t, m).sum == wrong);
}

TEST_CASE("Half the square agrees with PyTorch", "[element_loss]") {
    const xmask::element_loss<own_loss::half_square_loss> masked_half_square("masked_half_square");
    losses::require_reference(
        masked_half_square, "custom_half_square", own_loss::half_square_loss()
    );
}

TEST_CASE("A loss's gradient is differences", "[element_loss]") {
    losses::require_differences(
        own_loss::masked_charbonnier, own_loss::charbonnier_loss{.scale = 0.7},
        oracle::random<double>({2, 9}, 1), oracle::random<double>({2, 9}, 2)
    );
}

TEST_CASE("Options may come in a variable, and be left out", "[element_loss]") {
    const auto p = oracle::random<double>({4, 5}, 1);
    const auto t = oracle::random<double>({4, 5}, 2);
    const xmask::bitmask m = xmask::keep_all({4, 5});
    own_loss::charbonnier_loss options{.scale = 3};
    const own_loss::charbonnier_loss& same = options;
    const auto& masked = own_loss::masked_charbonnier;
    xt::xarray<double> gradient;
    const double sum = masked(p, t, m, {.scale = 3}).sum;
    REQUIRE(masked(p, t, m, options).sum == sum);
    REQUIRE(masked(p, t, m, same).sum == sum);
    REQUIRE(masked(p, t, m, options, gradient).sum == sum);
    REQUIRE(masked(p, t, m, {.scale = 3}, xmask::scaled(gradient, 2.)).sum == sum);
    REQUIRE(masked(p, t, m, {}).sum == masked(p, t, m).sum);
    REQUIRE(masked(p, t, m, gradient).sum == masked(p, t, m).sum);
    REQUIRE(masked(p, t, m).sum != sum);
    // The gradient may be a temporary view.
    xt::xarray<double> wide = xt::ones<double>({4, 9});
    masked(p, t, m, xt::strided_view(wide, {xt::all(), xt::range(2, 7)}));
    REQUIRE(
        oracle::elements(xt::strided_view(wide, {xt::all(), xt::range(2, 7)})) ==
        oracle::elements(gradient)
    );
    REQUIRE(wide(0, 1) == 1.);
    REQUIRE(wide(3, 7) == 1.);
}

TEST_CASE("Losses name themselves when they refuse", "[element_loss]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> p = xt::ones<float>({2, 3});
    const xt::xarray<float> t = xt::ones<float>({3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    xt::xarray<float> gradient = xt::ones<float>({5});
    const auto& masked = own_loss::masked_charbonnier;
    const std::string name = "xmask::masked_charbonnier: ";
    REQUIRE_THROWS_WITH(
        masked(p, t, all),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(3,)")
    );
    REQUIRE_THROWS_WITH(
        masked(p, t, all, gradient),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(3,)")
    );
    REQUIRE_THROWS_WITH(
        masked.each(p, t, all),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(3,)")
    );
    REQUIRE_THROWS_WITH(
        masked(p, p, xmask::bitmask(xmask::keep_all({4, 2, 3})), gradient),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(4, 2, 3)")
    );
    REQUIRE_THROWS_WITH(
        masked.each(p, p, xmask::bitmask(xmask::keep_all({4, 2, 3}))),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(4, 2, 3)")
    );
    REQUIRE_THROWS_AS(
        masked(p, p, xmask::bitmask(xmask::keep_all({2})), gradient), std::invalid_argument
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
    xt::xtensor_fixed<float, xt::xshape<3, 2>> fixed;
    fixed.fill(1.f);
    REQUIRE_THROWS_WITH(
        masked(p, p, all, fixed),
        ContainsSubstring(name) && ContainsSubstring("(2, 3)") && ContainsSubstring("(3, 2)")
    );
    REQUIRE(oracle::elements(fixed) == std::vector<float>(6, 1.f));
}
