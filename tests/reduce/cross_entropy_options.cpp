// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
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
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/softmax.hpp>

using Catch::Matchers::Message;

namespace {
using classes_t = xt::xarray<std::int64_t>;

/// Every option at once, by loops in double.
struct naive {
    double sum = 0;
    double weight = 0;

    naive(
        const xt::xarray<double>& x, const classes_t& target, const xt::xarray<double>& weights,
        const xmask::cross_entropy_options& options, const xt::xarray<bool>& classes
    ) {
        const std::size_t n = x.shape().back();
        for (std::size_t i = 0; i < target.size(); ++i) {
            if (weights.flat(i) == 0 || (options.ignore && *options.ignore == target.flat(i))) {
                continue;
            }
            const auto t = static_cast<std::size_t>(target.flat(i));
            const auto w = [&](std::size_t c) {
                return options.class_weights.size() == 0 ? 1. : options.class_weights(c);
            };
            double total = 0;
            double count = 0;
            for (std::size_t c = 0; c < n; ++c) {
                total += classes.flat(i * n + c) ? std::exp(x.flat(i * n + c)) : 0;
                count += classes.flat(i * n + c);
            }
            const double log_sum = std::log(total);
            double smooth = 0;
            for (std::size_t c = 0; c < n; ++c) {
                smooth += classes.flat(i * n + c) ? w(c) * (log_sum - x.flat(i * n + c)) : 0;
            }
            const double e = options.label_smoothing;
            const double one = (1 - e) * w(t) * (log_sum - x.flat(i * n + t)) + e / count * smooth +
                               options.z_loss * log_sum * log_sum;
            sum += weights.flat(i) * one;
            weight += weights.flat(i) * w(t);
        }
    }
};

struct all_cases {
    xt::xarray<double> x = oracle::random<double>({3, 4, 70}, 1);
    xt::xarray<bool> kept = oracle::random<bool>({3, 4}, 2);
    xt::xarray<double> weights = oracle::random<double>({3, 4}, 7) + 2.5;
    xt::xarray<bool> some = oracle::random<bool>({70}, 5);
    xt::xarray<bool> every = oracle::random<bool>({3, 4, 70}, 6);
    classes_t target = xt::zeros<std::int64_t>({3, 4});

    all_cases() {
        // Targets that both masks over classes keep.
        for (std::size_t i = 0; i < target.size(); ++i) {
            const std::size_t t = (i * 13 + 5) % 70;
            target.flat(i) = static_cast<std::int64_t>(t);
            some(t) = true;
            every.flat(i * 70 + t) = true;
        }
    }

    /// Calls f(options, classes) for each set of options.
    template <class F>
    void for_each(F&& f) const {
        const xt::xtensor<double, 1> weight_of_class =
            xt::view(oracle::random<double>({70}, 9) + 2.1, xt::all());
        const xt::xarray<bool> all = xt::ones<bool>({3, 4, 70});
        const xt::xarray<bool> stretched = xt::broadcast(some, {3, 4, 70});
        for (const double smoothing : {0., 0.1, 1.}) {
            for (const double z : {0., 0.3}) {
                for (const auto& w : {xt::xtensor<double, 1>(), weight_of_class}) {
                    f({.label_smoothing = smoothing, .z_loss = z, .class_weights = w}, all);
                    f({.label_smoothing = smoothing,
                       .z_loss = z,
                       .ignore = 5,
                       .class_weights = w,
                       .classes = xmask::keep_where(some)},
                      stretched);
                    f({.label_smoothing = smoothing,
                       .z_loss = z,
                       .class_weights = w,
                       .classes = xmask::keep_where(every)},
                      every);
                }
            }
        }
    }
};

bool close(double a, double b, double tolerance) {
    return std::abs(a - b) <= tolerance * std::max(1., std::abs(b));
}
} // namespace

TEMPLATE_TEST_CASE(
    "cross entropy's options agree with PyTorch", "[cross_entropy][reference]", float, double
) {
    const double tolerance = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    const auto check = [&](const std::string& name, const xmask::cross_entropy_options& options) {
        CAPTURE(name);
        const xt::xarray<TestType> x = oracle::reference<float>(name, "prediction");
        const auto target = oracle::reference<std::int64_t>(name, "target");
        const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>(name, "mask"));
        xt::xarray<TestType> gradient;
        const xmask::loss l =
            xmask::masked_cross_entropy(x, target, m, options, xmask::of_mean(gradient));
        REQUIRE(close(l.sum, oracle::reference<double>(name, "sum")(), tolerance));
        REQUIRE(close(l.mean(), oracle::reference<double>(name, "mean")(), tolerance));
        REQUIRE(oracle::close(gradient, oracle::reference<double>(name, "grad_of_mean"), tolerance)
        );
    };
    check("cross_entropy", {});
    check("cross_entropy_smoothed", {.label_smoothing = 0.1});
    check(
        "cross_entropy_class_weights",
        {.class_weights = oracle::reference<float>("cross_entropy_class_weights", "class_weights")}
    );
    const xt::xarray<TestType> x = oracle::reference<float>("cross_entropy_smoothed", "prediction");
    const xmask::bitmask m =
        xmask::keep_where(oracle::reference<bool>("cross_entropy_smoothed", "mask"));
    const auto each = xmask::masked_cross_entropy.each(
        x, oracle::reference<std::int64_t>("cross_entropy_smoothed", "target"), m,
        {.label_smoothing = 0.1}
    );
    xt::xarray<double> expected = oracle::reference<bool>("cross_entropy_smoothed", "mask");
    expected *= oracle::reference<double>("cross_entropy_smoothed", "elementwise");
    REQUIRE(oracle::close(each, expected, tolerance));
}

TEMPLATE_TEST_CASE("nll agrees with PyTorch", "[nll][reference]", float, double) {
    const double tolerance = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    const xt::xarray<TestType> x = oracle::reference<float>("nll", "prediction");
    const auto target = oracle::reference<std::int64_t>("nll", "target");
    const auto m = xmask::keep_where(oracle::reference<bool>("nll", "mask"));
    xt::xarray<TestType> gradient;
    const xmask::loss l = xmask::masked_nll(x, target, m, xmask::of_mean(gradient));
    REQUIRE(close(l.sum, oracle::reference<double>("nll", "sum")(), tolerance));
    REQUIRE(close(l.mean(), oracle::reference<double>("nll", "mean")(), tolerance));
    REQUIRE(oracle::close(gradient, oracle::reference<double>("nll", "grad_of_mean"), tolerance));
    REQUIRE(xmask::masked_nll(x, target, m).sum == l.sum);
}

TEST_CASE("cross entropy's options together, in value and gradient", "[cross_entropy]") {
    const all_cases given;
    const xmask::bitmask m = xmask::keep_where(given.kept);
    const auto counted = xmask::weighted(m, given.weights);
    xt::xarray<double> weights = given.kept;
    weights *= given.weights;
    given.for_each([&](const xmask::cross_entropy_options& options,
                       const xt::xarray<bool>& classes) {
        CAPTURE(
            options.label_smoothing, options.z_loss, options.class_weights.size(),
            options.classes.has_value()
        );
        const naive expected(given.x, given.target, weights, options, classes);
        xt::xarray<double> gradient;
        const xmask::loss l =
            xmask::masked_cross_entropy(given.x, given.target, counted, options, gradient);
        REQUIRE(close(l.sum, expected.sum, 1e-12));
        REQUIRE(close(l.weight, expected.weight, 1e-12));
        REQUIRE(xmask::masked_cross_entropy(given.x, given.target, counted, options).sum == l.sum);
        for (std::size_t i = 0; i < given.x.size(); i += 3) {
            auto above = given.x;
            auto below = given.x;
            above.flat(i) += 1e-4;
            below.flat(i) -= 1e-4;
            const double slope = (naive(above, given.target, weights, options, classes).sum -
                                  naive(below, given.target, weights, options, classes).sum) /
                                 2e-4;
            CAPTURE(i);
            REQUIRE(close(gradient.flat(i), slope, 1e-6));
        }
        // Into a strided gradient of floats, scaled.
        xt::xarray<double> wide = xt::zeros<double>({3, 4, 140});
        auto strided = xt::view(wide, xt::all(), xt::all(), xt::range(0, 140, 2));
        xmask::masked_cross_entropy(
            given.x, given.target, counted, options, xmask::scaled(strided, 0.5)
        );
        REQUIRE(oracle::close(strided, 0.5 * gradient, 1e-12));
    });
}

TEST_CASE(
    "classes that are dropped, and targets that are ignored, are never seen", "[cross_entropy]"
) {
    const all_cases given;
    const xmask::bitmask m = xmask::keep_where(given.kept);
    given.for_each([&](const xmask::cross_entropy_options& options,
                       const xt::xarray<bool>& classes) {
        const auto compute = [&](const xt::xarray<double>& x, const classes_t& target) {
            xt::xarray<double> gradient;
            const xmask::loss l = xmask::masked_cross_entropy(x, target, m, options, gradient);
            auto all = oracle::elements(gradient);
            all.push_back(l.sum);
            all.push_back(l.weight);
            return all;
        };
        const auto expected = compute(given.x, given.target);
        for (const double poison :
             {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
              1e300}) {
            auto x = given.x;
            auto target = given.target;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const bool dropped =
                    !given.kept.flat(i / 70) ||
                    (options.ignore && given.target.flat(i / 70) == *options.ignore);
                x.flat(i) = dropped || !classes.flat(i) ? poison : x.flat(i);
                target.flat(i / 70) = given.kept.flat(i / 70) ? target.flat(i / 70) : -100;
            }
            REQUIRE(oracle::same_bits(compute(x, target), expected));
        }
    });
}

TEST_CASE("cross entropy and nll of log_softmax agree", "[cross_entropy][nll]") {
    const all_cases given;
    const xmask::bitmask m = xmask::keep_where(given.kept);
    const xt::xarray<double> log_p =
        xmask::masked_log_softmax(given.x, xmask::bitmask(xmask::keep_all({3, 4, 70})));
    const xt::xtensor<double, 1> w = xt::view(oracle::random<double>({70}, 9) + 2.1, xt::all());
    const xmask::loss a =
        xmask::masked_cross_entropy(given.x, given.target, m, {.ignore = 18, .class_weights = w});
    const xmask::loss b =
        xmask::masked_nll(log_p, given.target, m, {.ignore = 18, .class_weights = w});
    REQUIRE(close(a.sum, b.sum, 1e-13));
    REQUIRE(close(a.weight, b.weight, 1e-15));
    REQUIRE(a.weight > 0);
    // The mean of the means of rows.
    const auto each = xmask::masked_cross_entropy.each(given.x, given.target, m);
    double means = 0;
    double rows = 0;
    for (std::size_t r = 0; r < 3; ++r) {
        double sum = 0;
        double count = 0;
        for (std::size_t c = 0; c < 4; ++c) {
            sum += each(r, c);
            count += given.kept(r, c);
        }
        means += count == 0 ? 0 : sum / count;
        rows += count != 0;
    }
    REQUIRE(close(
        xmask::masked_cross_entropy(given.x, given.target, xmask::balanced(m)).mean(), means / rows,
        1e-13
    ));
}

TEST_CASE(
    "cross entropy refuses options that do not fit, before anything is written", "[cross_entropy]"
) {
    const xt::xarray<float> x = xt::zeros<float>({2, 3});
    const classes_t target = {0, 2};
    const xmask::bitmask all = xmask::keep_all(2);
    xt::xarray<float> gradient = {7.f, 7.f};
    const auto call = [&](const xmask::cross_entropy_options& options) {
        xmask::masked_cross_entropy(x, target, all, options, gradient);
    };
    REQUIRE_THROWS_MATCHES(
        call({.label_smoothing = 1.5}), std::invalid_argument,
        Message("xmask::masked_cross_entropy: label_smoothing is 1.5; expected 0 to 1")
    );
    const double nan = std::nan("");
    REQUIRE_THROWS_AS(call({.label_smoothing = nan}), std::invalid_argument);
    REQUIRE_THROWS_AS(call({.z_loss = -1}), std::invalid_argument);
    REQUIRE_THROWS_AS(call({.z_loss = nan}), std::invalid_argument);
    REQUIRE_THROWS_MATCHES(
        call({.class_weights = {1., 0., -0.5}}), std::invalid_argument,
        Message(
            "xmask::masked_cross_entropy: class_weights[2] is -0.5; expected a finite number, 0 or more"
        )
    );
    REQUIRE_THROWS_AS(call({.class_weights = {1., nan, 1.}}), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::masked_nll(x, target, all, {.class_weights = {1., nan, 1.}}), std::invalid_argument
    );
    REQUIRE_THROWS_MATCHES(
        call({.class_weights = {1., 2.}}), std::invalid_argument,
        Message("xmask::masked_cross_entropy: 2 class weights; expected 3, one a class")
    );
    REQUIRE_THROWS_MATCHES(
        call({.classes = xmask::drop_indices({2}, 3)}), std::out_of_range,
        Message(
            "xmask::masked_cross_entropy: target 2 at (1,) is a class that the mask over classes drops"
        )
    );
    REQUIRE_THROWS_AS(call({.classes = xmask::keep_all(4)}), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::masked_nll(x, target, all, {.class_weights = {1., 2.}}), std::invalid_argument
    );
    const classes_t outside = {0, 3};
    REQUIRE_THROWS_MATCHES(
        xmask::masked_nll(x, outside, all, gradient), std::out_of_range,
        Message("xmask::masked_nll: target 3 at (1,) is outside of [0, 3)")
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>{7.f, 7.f});
    // An ignored target may be anything.
    REQUIRE(xmask::masked_cross_entropy(x, outside, all, {.ignore = 3}).weight == 1);
}

TEST_CASE("A kept NaN leaves the gradient of classes that there are not at 0", "[cross_entropy]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xarray<double> x = {{1, nan, 2, 3}, {1, 2, 3, nan}};
    const xt::xarray<std::int64_t> target = {0, 0};
    xt::xarray<double> gradient;
    const xmask::bitmask classes = xmask::drop_indices({3}, 4);
    xmask::masked_cross_entropy(x, target, xmask::keep_all(2), {.classes = classes}, gradient);
    REQUIRE(std::isnan(gradient(0, 2)));
    REQUIRE(gradient(0, 3) == 0);
    REQUIRE(gradient(1, 3) == 0);
    REQUIRE(gradient(1, 1) > 0);
}
