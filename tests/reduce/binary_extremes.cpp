// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/reduce/binary.hpp>

TEMPLATE_TEST_CASE("No logit overflows", "[binary]", float, double) {
    const xt::xarray<TestType> p = {-10000, -800, -100, -30, 0, 30, 100, 800, 10000};
    const xmask::bitmask all = xmask::keep_all(9);
    const double tolerance = std::is_same_v<TestType, float> ? 1e-6 : 1e-14;
    xt::xarray<TestType> gradient;
    for (const TestType target : {TestType(0), TestType(1)}) {
        xt::xarray<TestType> t = p;
        t.fill(target);
        const xt::xarray<TestType> each = xmask::masked_bce_with_logits.each(p, t, all);
        const double sum = xmask::masked_bce_with_logits(p, t, all, gradient).sum;
        double expected_sum = 0;
        for (std::size_t i = 0; i < 9; ++i) {
            // Far from the target: log(1 + exp(x)), which is exact to the last digits even where it
            // is tiny.
            const double x = target == TestType(0) ? double(p(i)) : -double(p(i));
            const double expected = std::max(x, 0.) + std::log1p(std::exp(-std::abs(x)));
            const double slope = (target == TestType(0) ? 1. : -1.) *
                                 (x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)));
            CAPTURE(p(i), target, each(i), expected, gradient(i), slope);
            const double tiny = std::numeric_limits<TestType>::min();
            REQUIRE(std::abs(double(each(i)) - expected) <= tolerance * expected + tiny);
            REQUIRE(std::abs(double(gradient(i)) - slope) <= tolerance * std::abs(slope) + tiny);
            expected_sum += expected;
        }
        REQUIRE(std::abs(sum - expected_sum) <= tolerance * expected_sum);
    }
}

TEST_CASE("Probabilities that none are give NaN, where they are kept", "[binary]") {
    const xt::xarray<float> p = {0.5f, 1.5f, -0.5f};
    const xt::xarray<float> t = {1.f, 1.f, 1.f};
    const xt::xarray<float> each = xmask::masked_bce.each(p, t, xmask::bitmask(xmask::keep_all(3)));
    REQUIRE(std::isnan(each(1)));
    REQUIRE(std::isnan(each(2)));
    REQUIRE(
        std::abs(
            xmask::masked_bce(p, t, xmask::bitmask(xmask::keep_indices({0}, 3))).sum - std::log(2.)
        ) < 1e-7
    );
}

TEST_CASE("Labels may be integers and bools", "[binary]") {
    const auto p = oracle::random<float>({3, 70}, 1);
    const auto label = oracle::random<bool>({3, 70}, 2);
    const xt::xarray<int> number = label;
    const xt::xarray<float> real_label = label;
    const auto m = xmask::keep_where(oracle::random<bool>({3, 70}, 3));
    xt::xarray<float> expected;
    xt::xarray<float> gradient;
    const double sum = xmask::masked_bce_with_logits(p, real_label, m, expected).sum;
    REQUIRE(xmask::masked_bce_with_logits(p, number, m, gradient).sum == sum);
    REQUIRE(oracle::elements(gradient) == oracle::elements(expected));
    REQUIRE(xmask::masked_bce_with_logits(p, label, m, gradient).sum == sum);
    REQUIRE(oracle::elements(gradient) == oracle::elements(expected));
    REQUIRE(oracle::close(
        xmask::masked_bce_with_logits.each(p, label, m),
        xmask::masked_bce_with_logits.each(p, real_label, m), 1e-6
    ));
}
