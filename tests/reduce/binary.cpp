// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/binary.hpp>

namespace {
using real = double;

real logistic(real x) { return 1 / (1 + std::exp(-x)); }

/// Probabilities from 0 to 1, ends included, and targets of 0, 1 and between.
template <class T>
auto probabilities() {
    return [](const losses::shape_t& shape) {
        auto [p, t] = losses::logit_operands<T>()(shape);
        xt::xarray<T> y = oracle::random<T>(shape, 5);
        for (std::size_t i = 0; i < y.size(); ++i) {
            // 0 to 4094 of 4094, so that some are exactly 0 and 1.
            const T steps = (y.flat(i) + T(2)) * T(1024);
            y.flat(i) = steps < T(100) ? T(0) : steps > T(4000) ? T(1) : steps / T(4096);
        }
        return std::pair(y, t);
    };
}
} // namespace

TEMPLATE_TEST_CASE("masked_bce clamps its logarithms at -100", "[binary]", float, double) {
    losses::require_naive<TestType>(
        xmask::masked_bce, xmask::bce_loss(), probabilities<TestType>(),
        [](real p, real t) {
            return -(t * std::max(std::log(p), -100.) + (1 - t) * std::max(std::log1p(-p), -100.));
        },
        [](real p, real t) { return (p - t) / std::max(p * (1 - p), 1e-12); }
    );
}

TEMPLATE_TEST_CASE("masked_bce_with_logits weighs positive targets", "[binary]", float, double) {
    for (const double pos_weight : {1., 2.5}) {
        losses::require_naive<TestType>(
            xmask::masked_bce_with_logits, xmask::bce_with_logits_loss{.pos_weight = pos_weight},
            losses::logit_operands<TestType>(),
            [&](real p, real t) {
                return -(pos_weight * t * std::log(logistic(p)) + (1 - t) * std::log(logistic(-p)));
            },
            [&](real p, real t) { return (1 - t) * logistic(p) - pos_weight * t * logistic(-p); }
        );
    }
}

TEMPLATE_TEST_CASE("masked_hinge is 0 beyond the margin", "[binary]", float, double) {
    for (const double margin : {1., 0.25}) {
        losses::require_naive<TestType>(
            xmask::masked_hinge, xmask::hinge_loss{.margin = margin},
            losses::real_operands<TestType>(),
            [&](real p, real t) { return std::max(0., margin - t * p); },
            [&](real p, real t) { return margin - t * p > 0 ? -t : 0; }
        );
    }
}

namespace {
/// Targets of -1 and 1, and some others.
template <class T>
auto signed_targets() {
    return [](const losses::shape_t& shape) {
        auto [p, t] = losses::logit_operands<T>()(shape);
        return std::pair(p, xt::xarray<T>(T(2) * t - T(1)));
    };
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_hinge_embedding is PyTorch's hinge_embedding_loss", "[binary]", float, double
) {
    for (const double margin : {1., 0.25, -1.}) {
        losses::require_naive<TestType>(
            xmask::masked_hinge_embedding, xmask::hinge_embedding_loss{.margin = margin},
            signed_targets<TestType>(),
            [&](real p, real t) {
                return (t != 1 ? std::max(0., margin - p) : 0) + (t != -1 ? p : 0);
            },
            [&](real p, real t) { return (t != 1 && p <= margin ? -1. : 0.) + (t != -1 ? 1. : 0.); }
        );
    }
    const xt::xarray<TestType> p = {0.5, 0.5, 1, 1, 3, 3};
    const xt::xarray<TestType> t = {1, -1, 1, -1, 1, -1};
    const xmask::bitmask all = xmask::keep_all(6);
    xt::xarray<TestType> gradient;
    const xt::xarray<TestType> each = xmask::masked_hinge_embedding.each(p, t, all);
    xmask::masked_hinge_embedding(p, t, all, gradient);
    REQUIRE(oracle::elements(each) == std::vector<TestType>{0.5, 0.5, 1, 0, 3, 0});
    // At the margin PyTorch's clamp_min lets the gradient through.
    REQUIRE(oracle::elements(gradient) == std::vector<TestType>{1, -1, 1, -1, 1, 0});
}

TEMPLATE_TEST_CASE(
    "masked_soft_margin is PyTorch's soft_margin_loss and overflows nowhere", "[binary]", float,
    double
) {
    losses::require_naive<TestType>(
        xmask::masked_soft_margin, xmask::soft_margin_loss(), signed_targets<TestType>(),
        [](real p, real t) { return std::log1p(std::exp(-t * p)); },
        [](real p, real t) { return -t / (1 + std::exp(t * p)); }
    );
    const xt::xarray<TestType> p = {-10000, 10000, -10000, 10000};
    const xt::xarray<TestType> t = {1, 1, -1, -1};
    const xmask::bitmask all = xmask::keep_all(4);
    xt::xarray<TestType> gradient;
    const xt::xarray<TestType> each = xmask::masked_soft_margin.each(p, t, all);
    xmask::masked_soft_margin(p, t, all, gradient);
    REQUIRE(oracle::elements(each) == std::vector<TestType>{10000, 0, 0, 10000});
    REQUIRE(oracle::elements(gradient) == std::vector<TestType>{-1, 0, 0, 1});
}

TEST_CASE("bce, bce_with_logits and hinge agree with PyTorch", "[binary]") {
    losses::require_reference(xmask::masked_bce, "bce", xmask::bce_loss());
    losses::require_reference(
        xmask::masked_bce_with_logits, "bce_with_logits", xmask::bce_with_logits_loss()
    );
    losses::require_reference(
        xmask::masked_bce_with_logits, "bce_with_logits_pos_weight",
        xmask::bce_with_logits_loss{.pos_weight = 2.5}
    );
    losses::require_reference(xmask::masked_hinge, "hinge", xmask::hinge_loss());
}

TEST_CASE("Gradients of bce, bce_with_logits and hinge are differences", "[binary]") {
    const auto [p, t] = losses::logit_operands<double>()({3, 9});
    losses::require_differences(
        xmask::masked_bce_with_logits, xmask::bce_with_logits_loss{.pos_weight = 3}, p, t
    );
    const xt::xarray<double> y = 1. / (1. + xt::exp(-p / 2.));
    losses::require_differences(xmask::masked_bce, xmask::bce_loss(), y, t);
    losses::require_differences(
        xmask::masked_hinge, xmask::hinge_loss(), p, xt::xarray<double>(2. * t - 1.)
    );
}

TEST_CASE("bce_with_logits and hinge refuse impossible options", "[binary]") {
    using Catch::Matchers::Message;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    xt::xarray<float> gradient = xt::ones<float>({5});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double bad : {-1., -1e-9, infinity, nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_bce_with_logits(x, x, all, {.pos_weight = bad}, gradient),
            std::invalid_argument
        );
    }
    for (const double bad : {-infinity, infinity, nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_hinge(x, x, all, {.margin = bad}, gradient), std::invalid_argument
        );
        REQUIRE_THROWS_AS(
            xmask::masked_hinge_embedding(x, x, all, {.margin = bad}), std::invalid_argument
        );
    }
    REQUIRE_THROWS_MATCHES(
        xmask::masked_bce_with_logits.each(x, x, all, {.pos_weight = -1}), std::invalid_argument,
        Message(
            "xmask::masked_bce_with_logits: pos_weight is -1; expected a finite number, 0 or more"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_hinge(x, x, all, {.margin = nan}), std::invalid_argument,
        Message("xmask::masked_hinge: margin is nan; expected a finite number")
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
}
