// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/cross_entropy.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// Cross entropy and its gradient by loops in long double.
struct naive {
    double sum = 0;
    double weight = 0;
    std::vector<double> gradient;

    template <class T, class I>
    naive(
        const xt::xarray<T>& logits, const xt::xarray<I>& target, const std::vector<double>& weights
    ) {
        const auto x = oracle::elements(logits);
        const auto t = oracle::elements(target);
        const std::size_t classes = logits.shape().back();
        gradient.assign(x.size(), 0.);
        for (std::size_t r = 0; r < t.size(); ++r) {
            if (weights[r] == 0.) {
                continue;
            }
            const auto first = x.begin() + static_cast<std::ptrdiff_t>(r * classes);
            const long double top =
                *std::max_element(first, first + static_cast<std::ptrdiff_t>(classes));
            long double total = 0;
            for (std::size_t c = 0; c < classes; ++c) {
                total += std::exp(static_cast<long double>(x[r * classes + c]) - top);
            }
            for (std::size_t c = 0; c < classes; ++c) {
                const long double share =
                    std::exp(static_cast<long double>(x[r * classes + c]) - top) / total;
                gradient[r * classes + c] =
                    weights[r] * static_cast<double>(share - (c == std::size_t(t[r]) ? 1 : 0));
            }
            const long double loss = std::log(total) + top -
                                     static_cast<long double>(x[r * classes + std::size_t(t[r])]);
            sum += weights[r] * static_cast<double>(loss);
            weight += weights[r];
        }
    }
};

std::vector<double> weights_of(const xt::xarray<bool>& kept, const shape_t& shape) {
    const auto bits = oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)));
    return std::vector<double>(bits.begin(), bits.end());
}

/// Classes in [0, classes).
xt::xarray<std::int64_t> classes_of(const shape_t& shape, std::size_t classes, unsigned seed = 3) {
    xt::xarray<std::int64_t> target = xt::xarray<std::int64_t>::from_shape(shape);
    std::mt19937 generator(seed);
    for (auto& value : target) {
        value = static_cast<std::int64_t>(generator() % classes);
    }
    return target;
}

bool is(const xmask::loss& l, const naive& expected, double tolerance) {
    CAPTURE(l.sum, expected.sum, l.weight, expected.weight);
    CHECK(std::abs(l.sum - expected.sum) <= tolerance * std::max(1., std::abs(expected.sum)));
    return std::abs(l.sum - expected.sum) <= tolerance * std::max(1., std::abs(expected.sum)) &&
           std::abs(l.weight - expected.weight) <= tolerance * std::max(1., expected.weight);
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_cross_entropy of any number of classes", "[cross_entropy]", float, double, long double
) {
    const double tolerance = std::is_same_v<TestType, float> ? 2e-6 : 1e-13;
    for (const std::size_t classes : {1u, 2u, 3u, 63u, 64u, 65u, 130u, 1000u}) {
        const shape_t shape = {3, 7};
        const auto logits = oracle::random<TestType>({3, 7, classes}, 1);
        const auto target = classes_of(shape, classes);
        auto none = oracle::random<bool>(shape, 2);
        auto all = none;
        none.fill(false);
        all.fill(true);
        for (const auto& kept : {oracle::random<bool>(shape, 2), none, all}) {
            const auto m = xmask::keep_where(kept);
            const naive expected(logits, target, weights_of(kept, shape));
            CAPTURE(classes);
            REQUIRE(is(xmask::masked_cross_entropy(logits, target, m), expected, tolerance));
            xt::xarray<TestType> gradient;
            REQUIRE(
                is(xmask::masked_cross_entropy(logits, target, m, gradient), expected, tolerance)
            );
            REQUIRE(oracle::close(
                gradient, xt::adapt(expected.gradient, shape_t{3, 7, classes}), tolerance
            ));
        }
    }
}

TEST_CASE("masked_cross_entropy of every rank, with masks that broadcast", "[cross_entropy]") {
    const std::vector<std::pair<shape_t, shape_t>> cases = {
        {{}, {}},
        {{5}, {}},
        {{5}, {5}},
        {{3, 70}, {70}},
        {{3, 70}, {3, 1}},
        {{2, 3, 4}, {3, 1}},
        {{2, 1, 3, 4}, {1, 1, 3, 1}},
        {{0}, {}},
        {{3, 0}, {3, 1}},
        {{0, 3}, {3}},
    };
    for (const auto& [shape, mask_shape] : cases) {
        auto logits_shape = shape;
        logits_shape.push_back(5);
        const auto logits = oracle::random<double>(logits_shape, 1);
        const auto target = classes_of(shape, 5);
        const auto kept = oracle::random<bool>(mask_shape, 5);
        const naive expected(logits, target, weights_of(kept, shape));
        CAPTURE(shape, mask_shape);
        REQUIRE(
            is(xmask::masked_cross_entropy(logits, target, xmask::bitmask(xmask::keep_where(kept))),
               expected, 1e-13)
        );
        xt::xarray<double> gradient;
        REQUIRE(
            is(xmask::masked_cross_entropy(
                   logits, target, xmask::bitmask(xmask::keep_where(kept)), gradient
               ),
               expected, 1e-13)
        );
        REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, logits_shape), 1e-13));
    }
}

TEST_CASE("Huge logits neither overflow nor vanish", "[cross_entropy]") {
    const float inf = std::numeric_limits<float>::infinity();
    const xt::xarray<float> logits = {
        {1e4f, -1e4f, 0.f}, {1e4f, -1e4f, 0.f}, {-1e4f, -1e4f, -1e4f},
        {-inf, 2.f, 2.f},   {-inf, 2.f, 2.f},   {3e38f, -3e38f, 0.f},
    };
    const xt::xtensor<int, 1> target = {0, 1, 2, 1, 0, 0};
    const std::vector<double> losses = {
        0., 2e4, std::log(3.), std::log(2.), std::numeric_limits<double>::infinity(), 0.
    };
    const std::vector<std::vector<double>> slopes = {
        {0, 0, 0}, {1, -1, 0}, {1. / 3, 1. / 3, -2. / 3}, {0, -.5, .5}, {-1, .5, .5}, {0, 0, 0}
    };
    for (std::size_t r = 0; r < losses.size(); ++r) {
        const xt::xarray<float> row = xt::view(logits, xt::range(r, r + 1));
        const xt::xarray<int> at = xt::view(target, xt::range(r, r + 1));
        xt::xarray<float> gradient;
        const auto l =
            xmask::masked_cross_entropy(row, at, xmask::bitmask(xmask::keep_all(1)), gradient);
        CAPTURE(r, l.sum);
        REQUIRE((l.sum == losses[r] || std::abs(l.sum - losses[r]) < 1e-6));
        REQUIRE(oracle::close(gradient, xt::adapt(slopes[r], shape_t{1, 3}), 1e-6));
        REQUIRE(
            xmask::masked_cross_entropy(row, at, xmask::bitmask(xmask::keep_all(1))).sum == l.sum
        );
    }
    // A kept NaN shows.
    const xt::xarray<float> bad = {{0.f, std::numeric_limits<float>::quiet_NaN(), 1.f}};
    REQUIRE(std::isnan(
        xmask::masked_cross_entropy(bad, xt::xtensor<int, 1>{0}, xmask::bitmask(xmask::keep_all(1)))
            .sum
    ));
}

TEMPLATE_TEST_CASE(
    "Targets of every integer type", "[cross_entropy]", std::int8_t, std::uint8_t, std::int16_t,
    std::int32_t, std::uint32_t, std::uint64_t
) {
    const auto logits = oracle::random<float>({9, 100}, 1);
    const auto wide = classes_of({9}, 100);
    const xt::xarray<TestType> target = xt::cast<TestType>(wide);
    const auto kept = oracle::random<bool>({9}, 4);
    const naive expected(logits, wide, weights_of(kept, {9}));
    REQUIRE(
        is(xmask::masked_cross_entropy(logits, target, xmask::bitmask(xmask::keep_where(kept))),
           expected, 2e-6)
    );
    // The largest number of the type is out of range, and is quoted as a number.
    xt::xarray<TestType> wrong = target;
    const xt::xarray<bool> every = kept || !kept;
    wrong(4) = std::numeric_limits<TestType>::max();
    REQUIRE_THROWS_WITH(
        xmask::masked_cross_entropy(logits, wrong, xmask::bitmask(xmask::keep_where(every))),
        "xmask::masked_cross_entropy: target " + std::to_string(wrong(4)) +
            " at (4,) is outside of [0, 100)"
    );
}

TEST_CASE(
    "A counted target out of range throws, and the gradient is untouched", "[cross_entropy]"
) {
    const auto logits = oracle::random<float>({3, 70, 5}, 1);
    for (const int bad : {-100, -1, 5, 1000}) {
        xt::xarray<int> target = xt::zeros<int>({3, 70});
        target(2, 66) = bad;
        xt::xarray<float> gradient = xt::ones<float>({2, 2});
        const xmask::bitmask all = xmask::keep_all({3, 70});
        REQUIRE_THROWS_AS(xmask::masked_cross_entropy(logits, target, all), std::out_of_range);
        REQUIRE_THROWS_AS(
            xmask::masked_cross_entropy(logits, target, all, gradient), std::out_of_range
        );
        REQUIRE_THROWS_WITH(
            xmask::masked_cross_entropy(logits, target, all, gradient),
            "xmask::masked_cross_entropy: target " + std::to_string(bad) +
                " at (2, 66) is outside of [0, 5)"
        );
        const xt::xarray<float> weights = xt::ones<float>({70});
        REQUIRE_THROWS_AS(
            xmask::masked_cross_entropy(logits, target, weights, gradient), std::out_of_range
        );
        REQUIRE(gradient.dimension() == 2);
        REQUIRE(xt::all(xt::equal(gradient, 1.f)));
        // A dropped target may be anything.
        const auto loss = xmask::masked_cross_entropy(
            logits, target, xmask::keep_not_equal(target, bad), gradient
        );
        REQUIRE(loss.weight == 209.);
        REQUIRE(xt::all(xt::equal(xt::view(gradient, 2, 66), 0.f)));
    }
}

TEST_CASE("masked_cross_entropy by real weights", "[cross_entropy]") {
    const auto logits = oracle::random<double>({3, 7, 11}, 1);
    const auto target = classes_of({3, 7}, 11);
    for (const shape_t& shape : {shape_t{3, 7}, shape_t{7}, shape_t{3, 1}, shape_t{}}) {
        const xt::xarray<double> weights = oracle::random<double>(shape, 2) + 2.5;
        const naive expected(
            logits, target, oracle::elements(xt::xarray<double>(xt::broadcast(weights, {3, 7})))
        );
        REQUIRE(is(xmask::masked_cross_entropy(logits, target, weights), expected, 1e-13));
        xt::xarray<double> gradient;
        REQUIRE(is(xmask::masked_cross_entropy(logits, target, weights, gradient), expected, 1e-13)
        );
        REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape_t{3, 7, 11}), 1e-13));
    }
}

TEST_CASE("The gradient of cross entropy is a difference", "[cross_entropy]") {
    auto logits = oracle::random<double>({3, 4}, 1);
    const auto target = classes_of({3}, 4);
    const xmask::bitmask m = xmask::keep_where(xt::xarray<bool>{true, false, true});
    xt::xarray<double> gradient;
    xmask::masked_cross_entropy(logits, target, m, gradient);
    const double h = 1e-4;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const double at = logits.flat(i);
        logits.flat(i) = at + h;
        const double above = xmask::masked_cross_entropy(logits, target, m).sum;
        logits.flat(i) = at - h;
        const double below = xmask::masked_cross_entropy(logits, target, m).sum;
        logits.flat(i) = at;
        REQUIRE(std::abs((above - below) / (2 * h) - gradient.flat(i)) < 1e-7);
    }
}

TEST_CASE("masked_cross_entropy agrees with PyTorch", "[cross_entropy]") {
    const auto logits = oracle::reference<float>("cross_entropy", "prediction");
    const auto target = oracle::reference<std::int64_t>("cross_entropy", "target");
    const auto kept = oracle::reference<bool>("cross_entropy", "mask");
    const xmask::bitmask m = xmask::keep_where(kept);
    const double sum = oracle::reference<double>("cross_entropy", "sum")();
    const double mean = oracle::reference<double>("cross_entropy", "mean")();
    const auto slopes = oracle::reference<double>("cross_entropy", "grad_of_mean");
    const auto check = [&](const auto& prediction, double tolerance) {
        const auto l = xmask::masked_cross_entropy(prediction, target, m);
        REQUIRE(std::abs(l.sum - sum) <= tolerance * sum);
        REQUIRE(std::abs(l.mean() - mean) <= tolerance * mean);
        std::decay_t<decltype(prediction)> gradient;
        xmask::masked_cross_entropy(prediction, target, m, xmask::of_mean(gradient));
        REQUIRE(oracle::close(gradient, slopes, tolerance));
    };
    check(logits, 1e-5);
    check(xt::xarray<double>(logits), 1e-12);
    // Position by position; and losses of parts add up to the whole.
    const auto each = oracle::reference<double>("cross_entropy", "elementwise");
    const xt::xarray<double> wide = logits;
    xmask::loss total;
    for (std::size_t r = 0; r < target.shape(0); ++r) {
        const xt::xarray<bool> row = xt::view(kept, r);
        total += xmask::masked_cross_entropy(
            xt::view(wide, r), xt::view(target, r), xmask::keep_where(row)
        );
        for (std::size_t c = 0; c < target.shape(1); ++c) {
            if (kept(r, c)) {
                const xt::xarray<std::int64_t> at = target(r, c);
                const auto l = xmask::masked_cross_entropy(
                    xt::xarray<double>(xt::view(wide, r, c)), at,
                    xmask::bitmask(xmask::keep_all(shape_t()))
                );
                REQUIRE(std::abs(l.sum - each(r, c)) <= 1e-12 * std::max(1., each(r, c)));
            }
        }
    }
    REQUIRE(total.weight == static_cast<double>(xt::sum(kept)()));
    REQUIRE(std::abs(total.sum - sum) <= 1e-12 * sum);
}

TEST_CASE("Cross entropy does not depend on the order of rows", "[cross_entropy]") {
    const auto logits = oracle::random<float>({7, 67}, 1);
    const auto target = classes_of({7}, 67);
    const auto kept = oracle::random<bool>({7}, 3);
    xt::xarray<float> gradient;
    const auto l = xmask::masked_cross_entropy(
        logits, target, xmask::bitmask(xmask::keep_where(kept)), gradient
    );
    const auto order = xt::keep(3, 0, 5, 1, 2, 6, 4);
    const xt::xarray<float> logits2 = xt::view(logits, order);
    const xt::xarray<std::int64_t> target2 = xt::view(target, order);
    const xt::xarray<bool> kept2 = xt::view(kept, order);
    xt::xarray<float> gradient2;
    const auto l2 = xmask::masked_cross_entropy(
        logits2, target2, xmask::bitmask(xmask::keep_where(kept2)), gradient2
    );
    REQUIRE(std::abs(l.sum - l2.sum) <= 1e-14 * l.sum);
    REQUIRE(oracle::same_bits(
        oracle::elements(gradient2), oracle::elements(xt::xarray<float>(xt::view(gradient, order)))
    ));
}

TEST_CASE(
    "masked_cross_entropy refuses shapes that do not fit, and says which", "[cross_entropy]"
) {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> logits = xt::ones<float>({2, 3, 5});
    const xt::xarray<int> target = xt::zeros<int>({2, 3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    for (const shape_t& shape :
         {shape_t{2, 4}, shape_t{3}, shape_t{2, 3, 5}, shape_t{2, 3, 1}, shape_t{}}) {
        const xt::xarray<int> wrong = xt::zeros<int>(shape);
        REQUIRE_THROWS_AS(xmask::masked_cross_entropy(logits, wrong, all), std::invalid_argument);
    }
    REQUIRE_THROWS_WITH(
        xmask::masked_cross_entropy(logits, xt::xarray<int>(xt::zeros<int>({2, 4})), all),
        ContainsSubstring("xmask::masked_cross_entropy: ") && ContainsSubstring("(2, 3, 5)") &&
            ContainsSubstring("(2, 4)")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_cross_entropy(logits, target, xmask::bitmask(xmask::keep_all({2, 3, 5}))),
        ContainsSubstring("a mask of shape (2, 3, 5)") && ContainsSubstring("(2, 3)")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_cross_entropy(logits, target, xt::xarray<float>(xt::ones<float>({2}))),
        ContainsSubstring("weights of shape (2,)")
    );
    const xt::xarray<float> empty = xt::ones<float>({2, 3, 0});
    REQUIRE_THROWS_AS(xmask::masked_cross_entropy(empty, target, all), std::out_of_range);
    REQUIRE(
        xmask::masked_cross_entropy(empty, target, xmask::bitmask(xmask::keep_none({2, 3})))
            .weight == 0.
    );
}

TEST_CASE("masked_cross_entropy as its documentation shows it", "[cross_entropy]") {
    const xt::xtensor<float, 2> logits = {{0.f, 0.f}, {5.f, 5.f}, {1.f, 1.f}};
    const xt::xtensor<std::int64_t, 1> target = {0, -100, 1};
    auto kept = xmask::keep_not_equal(target, -100);
    double mean = xmask::masked_cross_entropy(logits, target, kept).mean();
    REQUIRE(std::abs(mean - std::log(2.)) < 1e-7);
    xt::xtensor<float, 2> gradient;
    xmask::loss l = xmask::masked_cross_entropy(logits, target, kept, gradient);
    REQUIRE(l.weight == 2.);
    REQUIRE(
        oracle::close(gradient, xt::xtensor<float, 2>{{-.5f, .5f}, {0.f, 0.f}, {.5f, -.5f}}, 1e-7)
    );
}
