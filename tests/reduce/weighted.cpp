// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/losses.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/sum.hpp>
#include <xmask/reduce/weighted.hpp>

namespace {
using losses::near;
using losses::shape_t;
} // namespace

TEMPLATE_TEST_CASE("A mask and weights count together", "[weighted]", float, double) {
    const double tolerance = std::is_same_v<TestType, float> ? 1e-6 : 1e-13;
    for (const std::size_t n : {1u, 63u, 130u}) {
        const auto p = oracle::random<TestType>({3, n}, 1);
        const auto t = oracle::random<TestType>({3, n}, 2);
        const auto kept = oracle::random<bool>({3, n}, 4);
        const auto m = xmask::keep_where(kept);
        for (const shape_t& shape : {shape_t{3, n}, shape_t{n}, shape_t{3, 1}, shape_t{}}) {
            const xt::xarray<TestType> weights = oracle::random<TestType>(shape, 3) + TestType(2);
            const auto factors =
                oracle::elements(xt::xarray<TestType>(xt::broadcast(weights, p.shape())));
            double sum = 0;
            double weight = 0;
            std::vector<double> slopes;
            std::vector<double> elements;
            for (std::size_t i = 0; i < p.size(); ++i) {
                const double w = kept.flat(i) ? double(factors[i]) : 0.;
                const double d = double(p.flat(i)) - double(t.flat(i));
                sum += w * d * d;
                weight += w;
                slopes.push_back(w * 2. * d);
                elements.push_back(w * d * d);
            }
            CAPTURE(n, shape);
            xt::xarray<TestType> gradient;
            const auto counted = xmask::weighted(m, weights);
            for (const auto& l :
                 {xmask::masked_mse(p, t, counted), xmask::masked_mse(p, t, counted, gradient)}) {
                REQUIRE(near(l.sum, sum, sum, tolerance));
                REQUIRE(near(l.weight, weight, weight, tolerance));
            }
            REQUIRE(oracle::close(gradient, xt::adapt(slopes, shape_t{3, n}), tolerance));
            const xt::xarray<TestType> each = xmask::masked_mse.each(p, t, counted);
            REQUIRE(oracle::close(each, xt::adapt(elements, shape_t{3, n}), tolerance));
        }
    }
}

TEST_CASE("What is dropped is seen neither in operands nor in weights", "[weighted]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> p = {{1.f, nan}, {3.f, 4.f}};
    const xt::xtensor<float, 2> t = {{0.f, 0.f}, {1.f, nan}};
    const xt::xtensor<float, 2> weights = {{2.f, nan}, {0.5f, nan}};
    const xmask::bitmask m = xmask::keep_lengths({1, 1}, 2);
    xt::xtensor<float, 2> gradient;
    const auto l = xmask::masked_mse(p, t, xmask::weighted(m, weights), gradient);
    REQUIRE(l.sum == 2. * 1. + 0.5 * 4.);
    REQUIRE(l.weight == 2.5);
    REQUIRE(oracle::same_bits(oracle::elements(gradient), {4.f, 0.f, 2.f, 0.f}));
    const xt::xarray<float> each = xmask::masked_mse.each(p, t, xmask::weighted(m, weights));
    REQUIRE(oracle::same_bits(oracle::elements(each), {2.f, 0.f, 2.f, 0.f}));
}

TEST_CASE("balanced gives the mean of rows' means, and its gradient", "[weighted]") {
    const auto p = oracle::random<double>({6, 70}, 1);
    const auto t = oracle::random<double>({6, 70}, 2);
    const xt::xtensor<int, 1> lengths = {70, 3, 0, 17, 64, 1};
    const xmask::bitmask m = xmask::keep_lengths(lengths, 70);
    double expected = 0;
    xt::xarray<double> slopes = xt::zeros<double>({6, 70});
    for (std::size_t r = 0; r < 6; ++r) {
        for (std::size_t c = 0; c < static_cast<std::size_t>(lengths(r)); ++c) {
            const double d = p(r, c) - t(r, c);
            expected += d * d / lengths(r) / 5.;
            slopes(r, c) = 2 * d / lengths(r) / 5.;
        }
    }
    xt::xarray<double> gradient;
    const auto l = xmask::masked_mse(p, t, xmask::balanced(m), xmask::of_mean(gradient));
    REQUIRE(near(l.weight, 5., 5., 1e-14));
    REQUIRE(near(l.mean(), expected, expected, 1e-14));
    REQUIRE(oracle::close(gradient, slopes, 1e-14));
    // The means of rows, by single elements.
    const auto rows = xmask::masked_mean(xmask::masked_mse.each(p, t, m), m, -1);
    REQUIRE(std::isnan(rows(2)));
    REQUIRE(near((rows(0) + rows(1) + rows(3) + rows(4) + rows(5)) / 5., expected, expected, 1e-14)
    );
    // Losses of parts add up; means of the means of rows of unequal batches do, too.
    const auto some = xmask::masked_mse(
        xt::view(p, xt::range(0, 2)), xt::view(t, xt::range(0, 2)),
        xmask::balanced(xmask::bitmask(xmask::keep_lengths({70, 3}, 70)))
    );
    const auto rest = xmask::masked_mse(
        xt::view(p, xt::range(2, 6)), xt::view(t, xt::range(2, 6)),
        xmask::balanced(xmask::bitmask(xmask::keep_lengths({0, 17, 64, 1}, 70)))
    );
    REQUIRE(near((some + rest).mean(), expected, expected, 1e-14));
    // The lazy tensor holds a temporary one.
    const auto each = xmask::masked_mse.each(
        p, t, xmask::balanced(xmask::bitmask(xmask::keep_lengths(lengths, 70)))
    );
    REQUIRE(near(
        xmask::masked_sum(each, xmask::bitmask(xmask::keep_all({6, 70}))) / 5., expected, expected,
        1e-14
    ));
}

TEST_CASE("The gradient of a mean is that of the sum over the weight", "[weighted]") {
    const auto p = oracle::random<double>({6, 70}, 1);
    const auto t = oracle::random<double>({6, 70}, 2);
    const auto check = [&](const auto& counted) {
        xt::xarray<double> of_sum;
        auto gradient = p;
        const auto l = xmask::masked_mse(p, t, counted, of_sum);
        // In place of the prediction.
        const auto by_mean = xmask::masked_mse(gradient, t, counted, xmask::of_mean(gradient));
        REQUIRE((by_mean.sum == l.sum && by_mean.weight == l.weight));
        REQUIRE(oracle::close(l.weight * gradient, of_sum, 1e-14));
    };
    const auto some = oracle::random<bool>({70}, 3);
    // A mask that broadcasts counts once for each row.
    check(xmask::keep_where(some));
    const xt::xarray<double> weights = xt::abs(oracle::random<double>({6, 1}, 4)) + 0.5;
    check(weights);
    check(xmask::weighted(xmask::keep_where(some), weights));

    // Where all weights are 0, the gradient is 0.
    xt::xarray<double> gradient = xt::ones<double>({3});
    xmask::masked_mse(p, t, xmask::keep_none({6, 70}), xmask::of_mean(gradient));
    REQUIRE(oracle::elements(gradient) == std::vector<double>(420));
    const xt::xarray<double> nothing = xt::zeros<double>({70});
    const auto view = xmask::of_mean(gradient);
    xmask::masked_mse(p, t, nothing, view);
    REQUIRE(oracle::elements(gradient) == std::vector<double>(420));
    // Weights that are overwritten are read before.
    auto w = weights;
    xt::xarray<double> expected;
    xmask::masked_mse(p, t, weights, xmask::of_mean(expected));
    xmask::masked_mse(p, t, w, xmask::of_mean(w));
    REQUIRE(oracle::elements(w) == oracle::elements(expected));
}

TEST_CASE("balanced along other axes", "[weighted]") {
    const auto p = oracle::random<double>({3, 4, 5}, 1);
    const xt::xarray<double> t = xt::zeros<double>({3, 4, 5});
    const auto kept = oracle::random<bool>({3, 4, 5}, 2);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto check = [&](const auto& counted, const std::vector<bool>& together) {
        std::map<std::vector<std::size_t>, xmask::loss> groups;
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t j = 0; j < 4; ++j) {
                for (std::size_t k = 0; k < 5; ++k) {
                    if (kept(i, j, k)) {
                        groups[{together[0] ? 0 : i, together[1] ? 0 : j, together[2] ? 0 : k}] +=
                            {p(i, j, k) * p(i, j, k), 1.};
                    }
                }
            }
        }
        double expected = 0;
        for (const auto& [at, l] : groups) {
            expected += l.mean() / static_cast<double>(groups.size());
        }
        REQUIRE(near(xmask::masked_mse(p, t, counted).mean(), expected, expected, 1e-14));
    };
    check(xmask::balanced(m), {false, false, true});
    check(xmask::balanced(m, -1), {false, false, true});
    check(xmask::balanced(m, 0), {true, false, false});
    check(xmask::balanced(m, 1), {false, true, false});
    check(xmask::balanced(m, {1, -1}), {false, true, true});
    check(xmask::balanced(m, {-3, 1, 2}), {true, true, true});
    REQUIRE_THROWS_AS(xmask::balanced(m, 3), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::balanced(xmask::keep_lengths({1, 2}, 3), 2),
        "xmask::balanced: axis 2 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_AS(xmask::balanced(m, {1, -2}), std::invalid_argument);
    // Nothing kept: no rows, no mean.
    const auto none =
        xmask::masked_mse(p, t, xmask::balanced(xmask::bitmask(xmask::keep_none({3, 4, 5}))));
    REQUIRE(none.weight == 0.);
    REQUIRE(std::isnan(none.mean()));
    REQUIRE(none.mean(xmask::when_empty::zero) == 0.);
}

TEST_CASE("A mask or weights that do not fit are refused, and named", "[weighted]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xt::xarray<float> three = xt::ones<float>({3});
    const xt::xarray<float> two = xt::ones<float>({2});
    xt::xarray<float> gradient = xt::ones<float>({5});
    REQUIRE_THROWS_WITH(
        xmask::masked_mse(
            x, x, xmask::weighted(xmask::bitmask(xmask::keep_all({2, 3})), two), gradient
        ),
        ContainsSubstring("xmask::masked_mse: weights of shape (2,)")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_mse(
            x, x, xmask::weighted(xmask::bitmask(xmask::keep_all(2)), three), gradient
        ),
        ContainsSubstring("xmask::masked_mse: a mask of shape (2,)")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_mse.each(x, x, xmask::weighted(xmask::bitmask(xmask::keep_all({2, 3})), two)),
        std::invalid_argument
    );
    REQUIRE(oracle::elements(gradient) == std::vector<float>(5, 1.f));
}

TEST_CASE("Sums and means by weights under a mask", "[weighted]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const shape_t& shape : {shape_t{3, 4, 67}, shape_t{67}, shape_t{4, 1}, shape_t{}}) {
        const auto x = oracle::random<double>({3, 4, 67}, 1);
        const auto kept = oracle::random<bool>({3, 4, 67}, 2);
        const xt::xarray<float> weights = oracle::random<float>(shape, 3) + 2.5f;
        const auto counted = xmask::weighted(xmask::keep_where(kept), weights);
        const auto factors = oracle::elements(xt::xarray<float>(xt::broadcast(weights, x.shape())));
        // Along the middle axis: sums and weights by a loop.
        xt::xarray<double> sums = xt::zeros<double>({3, 67});
        xt::xarray<double> total = xt::zeros<double>({3, 67});
        auto hidden = x;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double w = kept.flat(i) ? double(factors[i]) : 0;
            sums(i / (4 * 67), i % 67) += w * x.flat(i);
            total(i / (4 * 67), i % 67) += w;
            hidden.flat(i) = kept.flat(i) ? x.flat(i) : double(nan);
        }
        const double sum = xt::sum(sums)();
        const double weight = xt::sum(total)();
        CAPTURE(shape);
        REQUIRE(near(xmask::masked_sum(hidden, counted), sum, std::abs(sum), 1e-12));
        REQUIRE(near(xmask::masked_mean(hidden, counted), sum / weight, 1, 1e-12));
        REQUIRE(oracle::close(xmask::masked_sum(hidden, counted, 1), sums, 1e-12));
        REQUIRE(oracle::close(
            xmask::masked_mean(hidden, counted, 1, xmask::when_empty::zero),
            xt::xarray<double>(sums / xt::maximum(total, 1e-300)), 1e-12
        ));
        // Their gradients are the weights, and the weights over their sum.
        const auto u = oracle::random<double>({3, 67}, 4);
        const auto by_sum = xmask::masked_sum_gradient(hidden, counted, u, 1);
        const auto by_mean = xmask::masked_mean_gradient(hidden, counted, u, 1);
        const auto by_weights = xmask::masked_mean_gradient(hidden, weights, u, 1);
        xt::xarray<double> every = xt::zeros<double>({3, 67});
        for (std::size_t i = 0; i < x.size(); ++i) {
            every(i / (4 * 67), i % 67) += double(factors[i]);
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double w = kept.flat(i) ? double(factors[i]) : 0;
            const std::size_t r = i / (4 * 67);
            const std::size_t c = i % 67;
            REQUIRE(near(by_sum.flat(i), u(r, c) * w, 4, 1e-12));
            REQUIRE(near(by_mean.flat(i), w == 0 ? 0 : u(r, c) * w / total(r, c), 4, 1e-12));
            REQUIRE(near(by_weights.flat(i), u(r, c) * double(factors[i]) / every(r, c), 4, 1e-12));
        }
        REQUIRE(oracle::close(
            xmask::masked_sum_gradient(hidden, counted, 2.),
            xmask::masked_sum_gradient(hidden, counted, xt::xarray<double>(2.), {0, 1, 2}), 0.
        ));
    }
    const xt::xarray<float> x = {1.f, 2.f, 3.f};
    const xt::xarray<float> zeros = {0.f, 0.f, nan};
    const auto none =
        xmask::weighted(xmask::bitmask(xmask::keep_lengths(xt::xtensor<int, 0>(2), 3)), zeros);
    REQUIRE(std::isnan(xmask::masked_mean(x, none)));
    REQUIRE_THROWS_AS(xmask::masked_mean(x, none, 0, xmask::when_empty::raise), std::domain_error);
    REQUIRE(oracle::elements(xmask::masked_mean_gradient(x, none)) == std::vector<float>(3, 0.f));
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(
            x, xmask::weighted(xmask::bitmask(xmask::keep_all(3)), xt::xarray<float>{1.f, 2.f})
        ),
        Catch::Matchers::StartsWith("xmask::masked_sum: weights of shape (2,)")
    );
    // The mean of the means of rows.
    const auto two = oracle::random<double>({2, 9}, 5);
    const auto m = xmask::keep_lengths({9, 2}, 9);
    const auto rows = xmask::masked_mean(two, m, -1);
    REQUIRE(near(xmask::masked_mean(two, xmask::balanced(m)), (rows(0) + rows(1)) / 2, 1, 1e-14));
}
