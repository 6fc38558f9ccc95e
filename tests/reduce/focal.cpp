// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/binary.hpp>

namespace {
using real = double;

real logistic(real x) { return 1 / (1 + std::exp(-x)); }
} // namespace

TEMPLATE_TEST_CASE("masked_focal_with_logits lowers what is easy", "[focal]", float, double) {
    for (const xmask::focal_with_logits_loss options :
         {xmask::focal_with_logits_loss(),
          {.alpha = -1, .gamma = 1},
          {.alpha = 0.75, .gamma = 0},
          {.gamma = 2.5}}) {
        const real alpha = options.alpha;
        const real gamma = options.gamma;
        const auto weight = [&](real t) {
            return alpha < 0 ? 1 : alpha * t + (1 - alpha) * (1 - t);
        };
        losses::require_naive<TestType>(
            xmask::masked_focal_with_logits, options, losses::logit_operands<TestType>(),
            [&](real p, real t) {
                const real entropy =
                    -(t * std::log(logistic(p)) + (1 - t) * std::log(logistic(-p)));
                const real right = t * logistic(p) + (1 - t) * logistic(-p);
                return weight(t) * std::pow(1 - right, gamma) * entropy;
            },
            [&](real p, real t) {
                const real y = logistic(p);
                const real entropy = -(t * std::log(y) + (1 - t) * std::log(logistic(-p)));
                const real missed = t * (1 - y) + (1 - t) * y;
                const real chain = gamma == 0 ? 0
                                              : gamma * std::pow(missed, gamma - 1) * y * (1 - y) *
                                                    (1 - 2 * t) * entropy;
                return weight(t) * (std::pow(missed, gamma) * (y - t) + chain);
            }
        );
    }
}

TEST_CASE("focal_with_logits agrees with PyTorch", "[focal]") {
    losses::require_reference(
        xmask::masked_focal_with_logits, "focal_with_logits",
        xmask::focal_with_logits_loss{.alpha = -1, .gamma = 2}
    );
}

TEST_CASE("Gradients of focal_with_logits are differences", "[focal]") {
    const auto [p, t] = losses::logit_operands<double>()({3, 9});
    for (const double gamma : {0., 0.5, 1., 2., 3.}) {
        losses::require_differences(
            xmask::masked_focal_with_logits,
            xmask::focal_with_logits_loss{.alpha = 0.3, .gamma = gamma}, p, t
        );
    }
}

TEMPLATE_TEST_CASE(
    "focal_with_logits of extreme logits is finite, and so is its gradient", "[focal]", float,
    double
) {
    const xt::xarray<TestType> p = {-10000, -800, -100, -80, 80, 100, 800, 10000};
    const xmask::bitmask all = xmask::keep_all(8);
    xt::xarray<TestType> gradient;
    for (const double gamma : {0., 0.5, 2., 5.}) {
        for (const TestType target : {TestType(0), TestType(1)}) {
            xt::xarray<TestType> t = p;
            t.fill(target);
            const xt::xarray<TestType> each =
                xmask::masked_focal_with_logits.each(p, t, all, {.alpha = -1, .gamma = gamma});
            xmask::masked_focal_with_logits(p, t, all, {.alpha = -1, .gamma = gamma}, gradient);
            for (std::size_t i = 0; i < 8; ++i) {
                // Far on the wrong side the loss is |p|, and far on the right side 0.
                const bool wrong = (p(i) > TestType(0)) == (target == TestType(0));
                const double slope = target == TestType(0) ? 1. : -1.;
                CAPTURE(p(i), target, gamma, each(i), gradient(i));
                REQUIRE(
                    std::abs(double(each(i)) - (wrong ? std::abs(double(p(i))) : 0.)) <=
                    1e-6 * std::abs(double(p(i)))
                );
                REQUIRE(std::abs(double(gradient(i)) - (wrong ? slope : 0.)) <= 1e-6);
            }
        }
    }
}

TEST_CASE("focal_with_logits refuses impossible options", "[focal]") {
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double bad : {-0.5, 1.5, nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_focal_with_logits(x, x, all, {.alpha = bad}), std::invalid_argument
        );
    }
    for (const double bad : {-0.5, nan}) {
        REQUIRE_THROWS_AS(
            xmask::masked_focal_with_logits(x, x, all, {.gamma = bad}), std::invalid_argument
        );
    }
}
