// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/reduce/cross_entropy.hpp>

using Catch::Matchers::Message;

namespace {
/// PyTorch's cross_entropy with probabilities, by loops in double. For each position, the sum over
/// kept classes of w ((1 - e) q + e / classes) (L - x), and its gradient.
struct naive {
    double sum = 0;
    double weight = 0;
    double count = 0;
    std::vector<double> each;
    std::vector<double> gradient;

    template <class T>
    naive(
        const xt::xarray<T>& x, const xt::xarray<T>& q, const std::vector<char>& kept,
        const std::vector<double>& weights, const xmask::cross_entropy_options& options,
        const std::vector<char>& classes
    )
        : each(kept.size()), gradient(x.size()) {
        const std::size_t n = x.shape().back();
        for (std::size_t i = 0; i < kept.size(); ++i) {
            if (kept[i] == 0) {
                continue;
            }
            double total = 0;
            double there = 0;
            for (std::size_t c = i * n; c < (i + 1) * n; ++c) {
                total += classes[c] != 0 ? std::exp(double(x.flat(c))) : 0;
                there += classes[c] != 0;
            }
            const double log_sum = std::log(total);
            const double e = options.label_smoothing;
            const auto wanted = [&](std::size_t c) {
                const double w =
                    options.class_weights.size() == 0 ? 1. : options.class_weights(c % n);
                return w * ((1 - e) * double(q.flat(c)) + e / there);
            };
            double all = 0;
            for (std::size_t c = i * n; c < (i + 1) * n; ++c) {
                each[i] += classes[c] != 0 ? wanted(c) * (log_sum - double(x.flat(c))) : 0;
                all += classes[c] != 0 ? wanted(c) : 0;
            }
            each[i] += there == 0 ? 0 : options.z_loss * log_sum * log_sum;
            each[i] *= weights[i];
            for (std::size_t c = i * n; c < (i + 1) * n; ++c) {
                const double share = std::exp(double(x.flat(c)) - log_sum);
                gradient[c] =
                    classes[c] != 0
                        ? weights[i] * (share * (all + 2 * options.z_loss * log_sum) - wanted(c))
                        : 0.;
            }
            sum += each[i];
            weight += weights[i];
            count += 1;
        }
    }
};

bool near(double a, double b, double tolerance) {
    CAPTURE(a, b);
    CHECK(std::abs(a - b) <= tolerance * std::max(1., std::abs(b)));
    return std::abs(a - b) <= tolerance * std::max(1., std::abs(b));
}

template <class T>
xt::xarray<T> probabilities(const std::vector<std::size_t>& shape) {
    xt::xarray<T> q = xt::exp(oracle::random<T>(shape, 8));
    const std::size_t n = shape.back();
    for (std::size_t i = 0; i < q.size(); i += n) {
        T sum(0);
        for (std::size_t c = i; c < i + n; ++c) {
            q.flat(c) = c % 5 == 0 ? T(0) : q.flat(c);
            sum += q.flat(c);
        }
        for (std::size_t c = i; c < i + n; ++c) {
            q.flat(c) /= sum == T(0) ? T(1) : sum;
        }
    }
    return q;
}
} // namespace

TEMPLATE_TEST_CASE(
    "Cross entropy with probabilities is PyTorch's, with all options", "[soft_cross_entropy]",
    float, double
) {
    const double tolerance = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    for (const std::size_t n : {std::size_t(1), std::size_t(7), std::size_t(64), std::size_t(70)}) {
        const std::vector<std::size_t> shape = {3, 4, n};
        const auto x = oracle::random<TestType>(shape, 1);
        const auto q = probabilities<TestType>(shape);
        const auto chosen = oracle::random<bool>({3, 4}, 2);
        const auto kept = oracle::elements(chosen);
        const auto m = xmask::keep_where(chosen);
        const std::vector<double> ones(12, 1.);
        const xt::xarray<double> weights = oracle::random<double>({3, 4}, 7) + 2.5;
        const xt::xtensor<double, 1> of_classes =
            xt::view(oracle::random<double>({n}, 9), xt::all()) + 2.1;
        const auto some = oracle::random<bool>(shape, 5);
        const std::vector<char> every(x.size(), 1);
        for (const double smoothing : {0., 0.1, 1.}) {
            for (const double z : {0., 0.3}) {
                for (const auto& w : {xt::xtensor<double, 1>(), of_classes}) {
                    for (const bool masked : {false, true}) {
                        xmask::cross_entropy_options options = {
                            .label_smoothing = smoothing, .z_loss = z, .class_weights = w
                        };
                        if (masked) {
                            options.classes = xmask::keep_where(some);
                        }
                        CAPTURE(n, smoothing, z, w.size(), masked);
                        const auto classes = masked ? oracle::elements(some) : every;
                        const naive expected(x, q, kept, ones, options, classes);
                        xt::xarray<TestType> gradient;
                        for (const auto& l :
                             {xmask::masked_cross_entropy(x, q, m, options),
                              xmask::masked_cross_entropy(x, q, m, options, gradient)}) {
                            REQUIRE(near(l.sum, expected.sum, tolerance));
                            REQUIRE(l.weight == expected.count);
                            REQUIRE(l.count == expected.count);
                        }
                        REQUIRE(
                            oracle::close(gradient, xt::adapt(expected.gradient, shape), tolerance)
                        );
                        const auto each = xmask::masked_cross_entropy.each(x, q, m, options);
                        REQUIRE(oracle::close(
                            each, xt::adapt(expected.each, std::vector<std::size_t>{3, 4}),
                            tolerance
                        ));
                        const naive by_weight(
                            x, q, kept, oracle::elements(weights), options, classes
                        );
                        const auto l = xmask::masked_cross_entropy(
                            x, q, xmask::weighted(m, weights), options, gradient
                        );
                        REQUIRE(near(l.sum, by_weight.sum, tolerance));
                        REQUIRE(near(l.weight, by_weight.weight, 1e-14));
                        REQUIRE(
                            oracle::close(gradient, xt::adapt(by_weight.gradient, shape), tolerance)
                        );
                    }
                }
            }
        }
    }
}

TEST_CASE("A probability of 1 is a class", "[soft_cross_entropy]") {
    const auto x = oracle::random<double>({5, 70}, 1);
    const xt::xarray<std::int64_t> target = {0, 69, 64, 5, 31};
    xt::xarray<float> q = xt::zeros<float>({5, 70});
    for (std::size_t i = 0; i < 5; ++i) {
        q(i, static_cast<std::size_t>(target(i))) = 1;
    }
    const xmask::bitmask m = xmask::drop_indices({2}, 5);
    for (const double smoothing : {0., 0.2}) {
        xt::xarray<double> by_class, by_probability;
        const xmask::cross_entropy_options options = {.label_smoothing = smoothing, .z_loss = 0.5};
        const auto hard = xmask::masked_cross_entropy(x, target, m, options, by_class);
        const auto soft =
            xmask::masked_cross_entropy(x, q, m, options, xmask::of_mean(by_probability));
        REQUIRE(near(soft.sum, hard.sum, 1e-13));
        REQUIRE(soft.weight == hard.weight);
        REQUIRE((hard.count == 4. && soft.count == 4.));
        REQUIRE(oracle::close(hard.weight * by_probability, by_class, 1e-13));
    }
}

TEST_CASE("Cross entropy with probabilities in any layout and in place", "[soft_cross_entropy]") {
    const auto x = oracle::random<float>({3, 4, 70}, 1);
    const auto q = probabilities<float>({3, 4, 70});
    const xmask::bitmask m = xmask::keep_where(oracle::random<bool>({3, 4}, 2));
    xt::xarray<float> expected;
    const double sum = xmask::masked_cross_entropy(x, q, m, expected).sum;
    const xt::xarray<float, xt::layout_type::column_major> x2 = x;
    const xt::xarray<float, xt::layout_type::column_major> q2 = q;
    xt::xarray<float, xt::layout_type::column_major> gradient;
    REQUIRE(xmask::masked_cross_entropy(x2, q2, m, gradient).sum == sum);
    REQUIRE(oracle::elements(gradient) == oracle::elements(expected));
    REQUIRE(xmask::masked_cross_entropy(x + 0.f, 1.f * q, m, gradient).sum == sum);
    REQUIRE(oracle::elements(gradient) == oracle::elements(expected));
    // The gradient may be written over the logits, or over the target.
    xt::xarray<float> in_place = x;
    REQUIRE(xmask::masked_cross_entropy(in_place, q, m, in_place).sum == sum);
    REQUIRE(in_place == expected);
    xt::xarray<float> over_target = q;
    REQUIRE(xmask::masked_cross_entropy(x, over_target, m, over_target).sum == sum);
    REQUIRE(over_target == expected);
}

TEST_CASE("Cross entropy sees no probability of what is dropped", "[soft_cross_entropy]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    const xmask::bitmask m = xmask::keep_indices({0}, 2);
    const xt::xarray<float> x = {{1.f, 2.f, nan}, {nan, nan, nan}};
    const xt::xarray<float> q = {{0.25f, 0.75f, nan}, {nan, nan, nan}};
    const xmask::cross_entropy_options two = {
        .label_smoothing = 0.1, .classes = xmask::keep_indices({0, 1}, 3)
    };
    xt::xarray<float> gradient;
    const auto l = xmask::masked_cross_entropy(x, q, m, two, gradient);
    const xt::xarray<float> x2 = {{1.f, 2.f}};
    const xt::xarray<float> q2 = {{0.25f, 0.75f}};
    xt::xarray<float> gradient2;
    const auto l2 = xmask::masked_cross_entropy(
        x2, q2, xmask::keep_all(1), {.label_smoothing = 0.1}, gradient2
    );
    REQUIRE(l.sum == l2.sum);
    REQUIRE(
        oracle::elements(gradient) ==
        std::vector<float>{gradient2(0, 0), gradient2(0, 1), 0.f, 0.f, 0.f, 0.f}
    );
    // Kept NaN shows.
    REQUIRE(std::isnan(xmask::masked_cross_entropy(x, q, m).sum));
    // A class with probability 0 adds nothing, whatever its logit.
    const xt::xarray<float> cut = {{1.f, 2.f, -infinity}};
    const xt::xarray<float> none = {{0.25f, 0.75f, 0.f}};
    const auto finite = xmask::masked_cross_entropy(cut, none, xmask::keep_all(1), gradient);
    REQUIRE(near(finite.sum, xmask::masked_cross_entropy(x2, q2, xmask::keep_all(1)).sum, 1e-6));
    REQUIRE(gradient(0, 2) == 0.f);
    // A position without classes adds nothing.
    const auto empty = xmask::masked_cross_entropy(
        x, q, m, {.label_smoothing = 0.1, .z_loss = 1, .classes = xmask::keep_none(3)}, gradient
    );
    REQUIRE((empty.sum == 0. && empty.weight == 1.));
    REQUIRE(oracle::elements(gradient) == std::vector<float>(6, 0.f));
}

TEST_CASE("Cross entropy refuses probabilities that do not fit", "[soft_cross_entropy]") {
    const xt::xarray<float> x = xt::zeros<float>({2, 3});
    const xmask::bitmask all = xmask::keep_all(2);
    xt::xarray<float> gradient = {7.f, 7.f};
    REQUIRE_THROWS_MATCHES(
        xmask::masked_cross_entropy(x, xt::xarray<float>{1.f, 0.f}, all, gradient),
        std::invalid_argument,
        Message(
            "xmask::masked_cross_entropy: the prediction has shape (2, 3) and the target has shape "
            "(2,); a target of real numbers is the probability of each class: expected the "
            "prediction's shape, the last axis of classes"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_cross_entropy(x, x, all, {.ignore = -100}, gradient), std::invalid_argument,
        Message(
            "xmask::masked_cross_entropy: ignore is -100, a class; expected none, as the target is "
            "of probabilities"
        )
    );
    REQUIRE_THROWS_AS(
        xmask::masked_cross_entropy.each(x, xt::xarray<float>{1.f, 0.f}, all), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_cross_entropy(x, x, xmask::bitmask(xmask::keep_all({2, 3})), gradient),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_cross_entropy(x, x, all, {.classes = xmask::keep_all(4)}, gradient),
        std::invalid_argument
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(2, 7.f));
}
