// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/mse.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// Whether a loss has this sum and weight. Sums may differ by `tolerance` of the sum, which has
/// only positive terms.
bool is(const xmask::loss& l, double sum, double weight, double tolerance) {
    CAPTURE(l.sum, sum, l.weight, weight);
    CHECK(l.weight == weight);
    return std::abs(l.sum - sum) <= tolerance * sum && l.weight == weight;
}

xt::xarray<bool> all_of(const shape_t& shape, bool value) {
    xt::xarray<bool> all = xt::xarray<bool>::from_shape(shape);
    all.fill(value);
    return all;
}

struct squares {
    double sum = 0;
    double weight = 0;
    std::vector<double> gradient;

    template <class T>
    squares(const xt::xarray<T>& p, const xt::xarray<T>& t, const std::vector<char>& kept) {
        const auto x = oracle::elements(p);
        const auto y = oracle::elements(t);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
            sum += kept[i] != 0 ? d * d : 0.;
            weight += kept[i] != 0 ? 1. : 0.;
            gradient.push_back(kept[i] != 0 ? 2. * d : 0.);
        }
    }
};
} // namespace

TEMPLATE_TEST_CASE("masked_mse of every row length", "[mse]", float, double, long double) {
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {5, n};
        const auto p = oracle::random<TestType>(shape, 1);
        const auto t = oracle::random<TestType>(shape, 2);
        for (const xt::xarray<bool>& kept :
             {oracle::random<bool>(shape, 3), all_of(shape, true), all_of(shape, false)}) {
            const squares expected(p, t, oracle::elements(kept));
            const auto m = xmask::keep_where(kept);
            CAPTURE(n);
            REQUIRE(is(xmask::masked_mse(p, t, m), expected.sum, expected.weight, 2e-7));
            xt::xarray<TestType> gradient;
            REQUIRE(is(xmask::masked_mse(p, t, m, gradient), expected.sum, expected.weight, 2e-7));
            REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape), 0.));
        }
    }
}

TEST_CASE("masked_mse by lengths", "[mse]") {
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {5, n};
        const auto p = oracle::random<float>(shape, 1);
        const auto t = oracle::random<float>(shape, 2);
        const int length = static_cast<int>(n);
        const xt::xtensor<int, 1> lengths = {
            length, 0, length / 2, (length + 1) / 2, length - length / 7
        };
        const auto m = xmask::keep_lengths(lengths, n);
        const squares expected(p, t, oracle::elements(m));
        CAPTURE(n);
        REQUIRE(is(xmask::masked_mse(p, t, m), expected.sum, expected.weight, 2e-7));
        xt::xarray<float> gradient;
        REQUIRE(is(xmask::masked_mse(p, t, m, gradient), expected.sum, expected.weight, 2e-7));
        REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape), 0.));
    }
}

TEST_CASE("masked_mse of every rank and of masks that broadcast", "[mse]") {
    const std::vector<std::pair<shape_t, shape_t>> cases = {
        {{}, {}},
        {{9}, {}},
        {{9}, {1}},
        {{3, 65}, {65}},
        {{3, 65}, {3, 1}},
        {{2, 3, 65}, {3, 1}},
        {{2, 3, 65}, {2, 1, 65}},
        {{2, 3, 2, 7}, {2, 1, 1, 7}},
        {{2, 1, 2, 3, 5}, {1, 1, 2, 1, 5}},
        {{0, 3}, {3}},
        {{3, 0}, {3, 1}},
    };
    for (const auto& [shape, mask_shape] : cases) {
        const auto p = oracle::random<double>(shape, 1);
        const auto t = oracle::random<double>(shape, 2);
        const auto kept = oracle::random<bool>(mask_shape, 5);
        const squares expected(
            p, t, oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)))
        );
        CAPTURE(shape, mask_shape);
        REQUIRE(
            is(xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_where(kept))), expected.sum,
               expected.weight, 1e-14)
        );
        xt::xarray<double> gradient;
        REQUIRE(
            is(xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_where(kept)), gradient),
               expected.sum, expected.weight, 1e-14)
        );
        REQUIRE(oracle::elements(gradient) == expected.gradient);
    }
}

TEST_CASE("Gradients are differences", "[mse]") {
    auto p = oracle::random<double>({2, 5}, 1);
    const auto t = oracle::random<double>({2, 5}, 2);
    const xmask::bitmask m = xmask::keep_where(oracle::random<bool>({2, 5}, 3));
    xt::xarray<double> gradient;
    xmask::masked_mse(p, t, m, gradient);
    const double h = 1e-4;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double at = p.flat(i);
        p.flat(i) = at + h;
        const double above = xmask::masked_mse(p, t, m).sum;
        p.flat(i) = at - h;
        const double below = xmask::masked_mse(p, t, m).sum;
        p.flat(i) = at;
        REQUIRE(std::abs((above - below) / (2 * h) - gradient.flat(i)) < 1e-8);
    }
}

TEST_CASE("masked_mse agrees with PyTorch", "[mse]") {
    const auto p = oracle::reference<float>("mse", "prediction");
    const auto t = oracle::reference<float>("mse", "target");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("mse", "mask"));
    const double sum = oracle::reference<double>("mse", "sum")();
    const double mean = oracle::reference<double>("mse", "mean")();
    const auto slopes = oracle::reference<double>("mse", "grad_of_mean");
    const auto check = [&](const auto& prediction, const auto& target, double tolerance) {
        const auto l = xmask::masked_mse(prediction, target, m);
        REQUIRE(std::abs(l.sum - sum) <= tolerance * sum);
        REQUIRE(std::abs(l.mean() - mean) <= tolerance * mean);
        std::decay_t<decltype(prediction)> gradient;
        xmask::masked_mse(prediction, target, m, xmask::scaled(gradient, 1. / l.weight));
        REQUIRE(oracle::close(gradient, slopes, tolerance));
    };
    check(p, t, 1e-5);
    check(xt::xarray<double>(p), xt::xarray<double>(t), 1e-12);
}

TEST_CASE("The order of rows does not matter", "[mse]") {
    const auto p = oracle::random<float>({11, 130}, 1);
    const auto t = oracle::random<float>({11, 130}, 2);
    const auto kept = oracle::random<bool>({11, 130}, 3);
    xt::xarray<float> gradient;
    const auto l = xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_where(kept)), gradient);
    const auto order = xt::keep(3, 10, 0, 7, 5, 1, 9, 2, 8, 6, 4);
    const xt::xarray<float> p2 = xt::view(p, order);
    const xt::xarray<float> t2 = xt::view(t, order);
    const xt::xarray<bool> kept2 = xt::view(kept, order);
    xt::xarray<float> gradient2;
    const auto l2 = xmask::masked_mse(p2, t2, xmask::bitmask(xmask::keep_where(kept2)), gradient2);
    REQUIRE(oracle::same_bits(
        oracle::elements(gradient2), oracle::elements(xt::xarray<float>(xt::view(gradient, order)))
    ));
    REQUIRE(l2.weight == l.weight);
    REQUIRE(std::abs(l2.sum - l.sum) <= 1e-14 * l.sum);
    REQUIRE(
        xmask::masked_mse(p2, t2, xmask::bitmask(xmask::keep_where(kept2))).sum ==
        xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_where(kept))).sum
    );
}

TEST_CASE("Losses refuse shapes that do not fit, and say which", "[mse]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> p = xt::ones<float>({2, 3});
    const xt::xarray<float> t = xt::ones<float>({3});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    REQUIRE_THROWS_AS(xmask::masked_mse(p, t, all), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::masked_mse(p, t, all), ContainsSubstring("xmask::masked_mse: ") &&
                                          ContainsSubstring("(2, 3)") && ContainsSubstring("(3,)")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_mse(p, p, xmask::bitmask(xmask::keep_all({4, 2, 3}))), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_mse(p, p, xt::xarray<float>(xt::ones<float>({2}))), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_loss(p, xmask::bitmask(xmask::keep_all({2}))),
        ContainsSubstring("xmask::masked_loss: a mask of shape (2,)")
    );
    xt::xarray<float> gradient = xt::ones<float>({5});
    REQUIRE_THROWS_AS(xmask::masked_mse(p, t, all, gradient), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::masked_mse(p, p, xmask::bitmask(xmask::keep_all({2})), gradient),
        std::invalid_argument
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
}

TEST_CASE("masked_mse as its documentation shows it", "[mse]") {
    const xt::xtensor<float, 2> prediction = {{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}};
    const xt::xtensor<float, 2> target = {{0.f, 0.f, 3.f}, {1.f, 0.f, 0.f}};
    const xt::xtensor<int, 1> lengths = {3, 1};
    const std::size_t n = 3;
    xmask::loss l = xmask::masked_mse(prediction, target, xmask::keep_lengths(lengths, n));
    double mean = l.mean();
    REQUIRE(mean == (1. + 4. + 0. + 9.) / 4.);
    xt::xtensor<float, 2> gradient;
    xmask::masked_mse(prediction, target, xmask::keep_lengths(lengths, n), gradient);
    REQUIRE(oracle::elements(gradient) == std::vector<float>{2.f, 4.f, 0.f, 6.f, 0.f, 0.f});
}

TEST_CASE("A loss does not depend on how far its rows are padded", "[mse]") {
    const auto p = oracle::random<float>({7, 60}, 21);
    const auto t = oracle::random<float>({7, 60}, 22);
    const xt::xtensor<int, 1> lengths = {60, 3, 0, 17, 33, 59, 32};
    const auto sum_of_padded = [&](std::size_t n) {
        xt::xarray<float> wide_p = xt::zeros<float>({std::size_t(7), n});
        xt::xarray<float> wide_t = xt::ones<float>({std::size_t(7), n});
        for (std::size_t r = 0; r < 7; ++r) {
            for (std::size_t c = 0; c < static_cast<std::size_t>(lengths(r)); ++c) {
                wide_p(r, c) = p(r, c) / 3.f;
                wide_t(r, c) = t(r, c) / 7.f;
            }
        }
        return xmask::masked_mse(wide_p, wide_t, xmask::keep_lengths(lengths, n)).sum;
    };
    const double expected = sum_of_padded(60);
    for (const std::size_t n : {63u, 64u, 65u, 100u, 127u, 128u, 500u}) {
        CAPTURE(n);
        REQUIRE(std::abs(sum_of_padded(n) - expected) <= 1e-14 * expected);
    }
}

TEST_CASE("A loss does not depend on where its gradient lies", "[mse]") {
    for (const std::size_t n : {5u, 16u, 63u, 200u}) {
        const xt::xarray<float> p = oracle::random<float>({9, n}, 23) / 3.f;
        const auto t = oracle::random<float>({9, n}, 24);
        const auto m = xmask::keep_where(oracle::random<bool>({9, n}, 25));
        xt::xarray<float> gradient;
        const double expected = xmask::masked_mse(p, t, m, gradient).sum;
        for (int offset = 0; offset < 5; ++offset) {
            xt::xarray<float> wide = xt::zeros<float>({std::size_t(9), n + 7});
            auto there = xt::strided_view(
                wide, {xt::all(), xt::range(offset, offset + static_cast<int>(n))}
            );
            CAPTURE(n, offset);
            const double sum = xmask::masked_mse(p, t, m, there).sum;
            REQUIRE(std::abs(sum - expected) <= 1e-15 * expected);
            REQUIRE(oracle::elements(there) == oracle::elements(gradient));
        }
    }
}
