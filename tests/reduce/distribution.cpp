// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <utility>

#include <catch2/catch_all.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/distribution.hpp>

namespace {
using real = double;

/// Log-probabilities, and probabilities, some of them 0.
template <class T>
auto probabilities() {
    return [](const losses::shape_t& shape) {
        const xt::xarray<T> p = oracle::random<T>(shape, 1) - T(3);
        const auto t = oracle::random<T>(shape, 2);
        return std::pair(p, xt::xarray<T>(xt::maximum(t, T(0)) / T(2)));
    };
}

/// Rates above 0, and counts.
template <class T>
auto counts() {
    return [](const losses::shape_t& shape) {
        const xt::xarray<T> p = oracle::random<T>(shape, 1) + T(2.25);
        return std::pair(p, xt::xarray<T>(xt::floor(T(2) * oracle::random<T>(shape, 2) + T(4))));
    };
}
} // namespace

TEMPLATE_TEST_CASE("masked_kl_div is 0 where the target is", "[distribution]", float, double) {
    losses::require_naive<TestType>(
        xmask::masked_kl_div, xmask::kl_div_loss(), probabilities<TestType>(),
        [](real p, real t) { return t == 0 ? 0 : t * (std::log(t) - p); },
        [](real /*p*/, real t) { return -t; }
    );
    losses::require_naive<TestType>(
        xmask::masked_kl_div, xmask::kl_div_loss{.log_target = true},
        losses::real_operands<TestType>(), [](real p, real t) { return std::exp(t) * (t - p); },
        [](real /*p*/, real t) { return -std::exp(t); }
    );
}

TEMPLATE_TEST_CASE(
    "masked_poisson_nll of rates and of their logarithms", "[distribution]", float, double
) {
    const auto factorial = [](real t) {
        return t > 1 ? t * std::log(t) - t + std::log(2 * std::numbers::pi_v<real> * t) / 2 : 0;
    };
    for (const bool full : {false, true}) {
        losses::require_naive<TestType>(
            xmask::masked_poisson_nll, xmask::poisson_nll_loss{.full = full}, counts<TestType>(),
            [&](real p, real t) { return std::exp(p) - t * p + (full ? factorial(t) : 0); },
            [](real p, real t) { return std::exp(p) - t; }
        );
        const real eps = 0.125;
        losses::require_naive<TestType>(
            xmask::masked_poisson_nll,
            xmask::poisson_nll_loss{.log_input = false, .full = full, .eps = 0.125},
            counts<TestType>(),
            [&](real p, real t) { return p - t * std::log(p + eps) + (full ? factorial(t) : 0); },
            [&](real p, real t) { return 1 - t / (p + eps); }
        );
    }
}

TEST_CASE("kl_div and poisson_nll agree with PyTorch", "[distribution]") {
    losses::require_reference(xmask::masked_kl_div, "kl_div", xmask::kl_div_loss());
    losses::require_reference(xmask::masked_poisson_nll, "poisson_nll", xmask::poisson_nll_loss());
}

TEST_CASE("Gradients of kl_div and poisson_nll are differences", "[distribution]") {
    const auto [p, t] = probabilities<double>()({3, 9});
    losses::require_differences(xmask::masked_kl_div, xmask::kl_div_loss(), p, t);
    losses::require_differences(xmask::masked_kl_div, xmask::kl_div_loss{.log_target = true}, p, t);
    const auto [rate, count] = counts<double>()({3, 9});
    losses::require_differences(xmask::masked_poisson_nll, xmask::poisson_nll_loss(), rate, count);
    losses::require_differences(
        xmask::masked_poisson_nll, xmask::poisson_nll_loss{.log_input = false}, rate, count
    );
}

TEST_CASE("kl_div of impossible outcomes", "[distribution]") {
    const float inf = std::numeric_limits<float>::infinity();
    const xt::xarray<float> p = {-inf, -inf, 0.f};
    const xmask::bitmask all = xmask::keep_all(3);
    // A target of 0 adds nothing, however small the predicted probability is. A target above 0 with
    // a predicted probability of 0 adds infinity.
    const xt::xarray<float> each =
        xmask::masked_kl_div.each(p, xt::xarray<float>{0.f, 0.5f, 1.f}, all);
    REQUIRE(oracle::elements(each) == std::vector<float>{0.f, inf, 0.f});
    const xt::xarray<float> logs =
        xmask::masked_kl_div.each(p, xt::xarray<float>{-inf, 0.f, 0.f}, all, {.log_target = true});
    REQUIRE(oracle::elements(logs) == std::vector<float>{0.f, inf, 0.f});
}

TEST_CASE("poisson_nll refuses impossible options, and logs a rate of 0", "[distribution]") {
    const xt::xarray<double> p = {0., 0.};
    const xt::xarray<double> t = {0., 2.};
    const xmask::bitmask all = xmask::keep_all(2);
    for (const double bad : {-1., std::nan("")}) {
        REQUIRE_THROWS_AS(
            xmask::masked_poisson_nll(p, t, all, {.eps = bad}), std::invalid_argument
        );
    }
    const double sum = xmask::masked_poisson_nll(p, t, all, {.log_input = false}).sum;
    REQUIRE(std::abs(sum + 2 * std::log(1e-8)) <= 1e-12 * std::abs(sum));
}
