// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/regression.hpp>

namespace {
using real = double;

real sign(real x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
} // namespace

TEMPLATE_TEST_CASE("masked_mae is the sum of absolute errors", "[regression]", float, double) {
    losses::require_naive<TestType>(
        xmask::masked_mae, xmask::mae_loss(), losses::real_operands<TestType>(),
        [](real p, real t) { return std::abs(p - t); }, [](real p, real t) { return sign(p - t); }
    );
}

TEMPLATE_TEST_CASE(
    "masked_huber is square near 0, and linear beyond delta", "[regression]", float, double
) {
    for (const double delta : {1., 0.7, 10.}) {
        losses::require_naive<TestType>(
            xmask::masked_huber, xmask::huber_loss{.delta = delta},
            losses::real_operands<TestType>(),
            [&](real p, real t) {
                const real d = std::abs(p - t);
                return d <= delta ? d * d / 2 : delta * (d - delta / 2);
            },
            [&](real p, real t) { return std::abs(p - t) <= delta ? p - t : sign(p - t) * delta; }
        );
    }
}

TEMPLATE_TEST_CASE(
    "masked_smooth_l1 is square near 0, and linear beyond beta", "[regression]", float, double
) {
    for (const double beta : {1., 0.7, 0.}) {
        losses::require_naive<TestType>(
            xmask::masked_smooth_l1, xmask::smooth_l1_loss{.beta = beta},
            losses::real_operands<TestType>(),
            [&](real p, real t) {
                const real d = std::abs(p - t);
                return d < beta ? d * d / (2 * beta) : d - beta / 2;
            },
            [&](real p, real t) { return std::abs(p - t) < beta ? (p - t) / beta : sign(p - t); }
        );
    }
}

TEST_CASE("mae, huber and smooth_l1 agree with PyTorch", "[regression]") {
    losses::require_reference(xmask::masked_mae, "mae", xmask::mae_loss());
    losses::require_reference(xmask::masked_huber, "huber", xmask::huber_loss{.delta = 0.7});
    losses::require_reference(
        xmask::masked_smooth_l1, "smooth_l1", xmask::smooth_l1_loss{.beta = 0.7}
    );
}

TEST_CASE("Gradients of mae, huber and smooth_l1 are differences", "[regression]") {
    // Odd multiples of 1/2048, so that no difference is exactly at an edge.
    const xt::xarray<double> p = oracle::random<double>({3, 9}, 1) + 1. / 2048;
    const auto t = oracle::random<double>({3, 9}, 2);
    losses::require_differences(xmask::masked_mae, xmask::mae_loss(), p, t);
    losses::require_differences(xmask::masked_huber, xmask::huber_loss{.delta = 0.5}, p, t);
    losses::require_differences(xmask::masked_smooth_l1, xmask::smooth_l1_loss{.beta = 0.5}, p, t);
}

TEST_CASE(
    "huber and smooth_l1 refuse impossible options before anything is written", "[regression]"
) {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    xt::xarray<float> gradient = xt::ones<float>({5});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double bad : {0., -1., nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_huber(x, x, all, {.delta = bad}, gradient), std::invalid_argument
        );
        REQUIRE_THROWS_AS(
            xmask::masked_huber.each(x, x, all, {.delta = bad}), std::invalid_argument
        );
    }
    for (const double bad : {-1., nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_smooth_l1(x, x, all, {.beta = bad}, gradient), std::invalid_argument
        );
    }
    REQUIRE_THROWS_WITH(
        xmask::masked_huber(x, x, all, {.delta = -1}),
        ContainsSubstring("xmask::masked_huber: ") && ContainsSubstring("delta is -1")
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
}

TEST_CASE("huber of differences whose square overflows", "[regression]") {
    const xt::xarray<float> p = {1e30f, -1e30f, 3e38f, 0.f};
    const xt::xarray<float> t = {0.f, 0.f, 0.f, 3e38f};
    const xmask::bitmask all = xmask::keep_all(4);
    xt::xarray<float> gradient;
    const auto huber = xmask::masked_huber.each(p, t, all);
    REQUIRE(oracle::elements(huber) == std::vector<float>{1e30f, 1e30f, 3e38f, 3e38f});
    xmask::masked_huber(p, t, all, gradient);
    REQUIRE(oracle::elements(gradient) == std::vector<float>{1.f, -1.f, 1.f, -1.f});
    xmask::masked_smooth_l1(p, t, all, gradient);
    REQUIRE(oracle::elements(gradient) == std::vector<float>{1.f, -1.f, 1.f, -1.f});
}
