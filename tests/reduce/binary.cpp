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
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/binary.hpp>

namespace {
using real = double;

real logistic(real x) { return 1 / (1 + std::exp(-x)); }

/// Probabilities from 0 to 1, both included, and targets of 0, 1 and between.
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

TEST_CASE("masked_bce of an element depends on no other element", "[binary]") {
    // Labels take a shorter way than other targets. Every second element decides which.
    using limits = std::numeric_limits<float>;
    const std::size_t n = 64;
    const xt::xarray<float> labels = xt::arange<std::size_t>(n) / 2 % 2;
    xt::xarray<float> p = oracle::random<float>({n}, 5) / 4.f + 0.5f;
    for (std::size_t i = 0; i < 16; ++i) {
        p(4 * i) *= std::ldexp(1.f, -8 * static_cast<int>(i));
        p(4 * i + 2) = 1 - std::ldexp(1.f, -1 - static_cast<int>(i));
    }
    const xmask::bitmask even = xmask::keep_where(xt::equal(xt::arange<int>(64) % 2, 0));
    const xt::xarray<float> expected = xmask::masked_bce.each(p, labels, even);
    const double sum = xmask::masked_bce(p, labels, even).sum();
    for (const float other : {0.3f, 2.f, -1.f, limits::quiet_NaN(), limits::infinity()}) {
        const xt::xarray<float> q = xt::where(even, p, other);
        const xt::xarray<float> t = xt::where(even, labels, other);
        const xt::xarray<float> of_others = xmask::masked_bce.each(q, labels, even);
        REQUIRE(of_others == expected);
        const xt::xarray<float> of_other_targets = xmask::masked_bce.each(p, t, even);
        REQUIRE(of_other_targets == expected);
        REQUIRE(xmask::masked_bce(q, t, even).sum() == sum);
    }
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
    // At the margin, PyTorch's clamp_min has a gradient.
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

TEMPLATE_TEST_CASE("pos_weight of each class, as PyTorch's pos_weight", "[binary]", float, double) {
    const double tolerance = std::is_same_v<TestType, float> ? 2e-6 : 1e-13;
    for (const std::size_t n : {std::size_t(1), std::size_t(3), std::size_t(64), std::size_t(70)}) {
        const losses::shape_t shape = {2, 5, n};
        const auto [p, t] = losses::logit_operands<TestType>()(shape);
        const auto kept = oracle::random<bool>(shape, 3);
        const auto m = xmask::keep_where(kept);
        const xt::xarray<double> weights = oracle::random<double>(shape, 4) + 2.5;
        const auto require = [&](const xmask::number_or_tensor& pos_weight, auto&& weight_at) {
            double sum = 0;
            double weighted_sum = 0;
            double size = 0;
            std::vector<double> slopes(p.size());
            std::vector<double> elements(p.size());
            for (std::size_t i = 0; i < p.size(); ++i) {
                if (kept.flat(i)) {
                    const double x = p.flat(i);
                    const double y = logistic(x);
                    const double w = weight_at(i);
                    const double at = t.flat(i);
                    elements[i] =
                        w * at * std::log1p(std::exp(-x)) + (1 - at) * std::log1p(std::exp(x));
                    slopes[i] = (1 - at) * y - w * at * (1 - y);
                    sum += elements[i];
                    weighted_sum += weights.flat(i) * elements[i];
                    size += std::abs(weights.flat(i) * elements[i]);
                }
            }
            CAPTURE(n);
            xt::xarray<TestType> gradient;
            const auto l = xmask::masked_bce_with_logits(p, t, m, {pos_weight}, gradient);
            REQUIRE(losses::near(l.sum, sum, size, tolerance));
            REQUIRE(l.weight == l.count);
            REQUIRE(oracle::close(gradient, xt::adapt(slopes, shape), tolerance));
            REQUIRE(losses::near(
                xmask::masked_bce_with_logits(p, t, xmask::weighted(m, weights), {pos_weight}).sum,
                weighted_sum, size, tolerance
            ));
            const xt::xarray<TestType> each =
                xmask::masked_bce_with_logits.each(p, t, m, {pos_weight});
            REQUIRE(oracle::close(each, xt::adapt(elements, shape), tolerance));
        };
        require(3, [](std::size_t) { return 3.; });
        const xt::xtensor<float, 1> of_classes =
            xt::view(oracle::random<float>({n}, 5), xt::all()) + 2.5f;
        require(of_classes, [&](std::size_t i) { return double(of_classes(i % n)); });
        require(xt::xarray<double>(0.5), [](std::size_t) { return 0.5; });
        const xt::xarray<double> of_all = oracle::random<double>(shape, 6) + 2.5;
        require(of_all, [&](std::size_t i) { return of_all.flat(i); });
        const xt::xarray<double> of_rows = oracle::random<double>({5, 1}, 7) + 2.5;
        require(of_rows, [&](std::size_t i) { return of_rows(i / n % 5, 0); });
    }
}

TEST_CASE("pos_weight of classes that does not fit is refused", "[binary]") {
    using Catch::Matchers::Message;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    xt::xarray<float> gradient = xt::ones<float>({5});
    REQUIRE_THROWS_MATCHES(
        xmask::masked_bce_with_logits(x, x, all, {.pos_weight = {1, 2}}, gradient),
        std::invalid_argument,
        Message(
            "xmask::masked_bce_with_logits: pos_weight of shape (2,) does not broadcast into the "
            "operand of shape (2, 3); align the last axes, and give each axis the operand's extent "
            "or 1"
        )
    );
    REQUIRE_THROWS_AS(
        xmask::masked_bce_with_logits.each(x, x, all, {.pos_weight = {1, 2}}), std::invalid_argument
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_bce_with_logits(x, x, all, {.pos_weight = {1, 2, -1}}, gradient),
        std::invalid_argument,
        Message(
            "xmask::masked_bce_with_logits: pos_weight[2] is -1; expected a finite number, 0 or more"
        )
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
}
