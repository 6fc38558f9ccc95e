// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <support/slopes.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/reduce/quantile.hpp>

namespace {
constexpr auto median = [](const auto& x, const auto& m, const auto&... axes) {
    return xmask::masked_median(x, m, axes...);
};

double lower_median(const groups::group& kept) {
    auto sorted = kept.values;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? std::numeric_limits<double>::quiet_NaN()
                          : sorted[(sorted.size() - 1) / 2];
}

double interpolated(const groups::group& kept, double q) {
    auto sorted = kept.values;
    std::sort(sorted.begin(), sorted.end());
    if (sorted.empty()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double rank = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(rank));
    const auto above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (rank - std::floor(rank)) * (sorted[above] - sorted[below]);
}

bool keeps_something(const groups::group& kept) { return !kept.values.empty(); }
} // namespace

TEST_CASE("Medians over every choice of axes, of any layout", "[quantile]") {
    groups::require_reduction<float>(median, lower_median, 0.);
    groups::require_reduction<std::int8_t>(median, lower_median, 0., keeps_something);
    groups::require_layouts<double>(median, lower_median, 0.);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_median(xt::xarray<std::int8_t>(), xmask::keep_all(3))),
                   std::int8_t>);
}

TEST_CASE("Quantiles over every choice of axes", "[quantile]") {
    for (const double q : {0., 0.25, 0.5, 0.9, 1.}) {
        CAPTURE(q);
        groups::require_layouts<float>(
            [&](const auto& x, const auto& m, const auto&... axes) {
                return xmask::masked_quantile(x, m, q, axes...);
            },
            [&](const groups::group& kept) { return interpolated(kept, q); }, 1e-6
        );
    }
    groups::require_reduction<std::int32_t>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_quantile(x, m, 0.3, axes...);
        },
        [](const groups::group& kept) { return interpolated(kept, 0.3); }, 1e-13
    );
}

TEST_CASE("Quantiles of infinities and of NaN", "[quantile]") {
    const double infinity = std::numeric_limits<double>::infinity();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xarray<double> x = {{infinity, infinity, -infinity}, {1., nan, 2.}};
    const xmask::bitmask m = xmask::keep_all({2, 3});
    REQUIRE(xmask::masked_quantile(x, m, 0.75, 1)(0) == infinity);
    REQUIRE(xmask::masked_median(x, m, 1)(0) == infinity);
    REQUIRE(std::isnan(xmask::masked_quantile(x, m, 0., 1)(1)));
    REQUIRE(std::isnan(xmask::masked_median(x, m, 1)(1)));
    REQUIRE(xmask::masked_median(x, xmask::keep_lengths({3, 1}, 3), 1)(1) == 1.);
}

TEMPLATE_TEST_CASE("Quantiles beside infinities are infinite", "[quantile]", float, double) {
    const auto infinity = std::numeric_limits<TestType>::infinity();
    const auto most = std::numeric_limits<TestType>::max();
    const auto at = [](const xt::xarray<TestType>& x, double q) {
        const auto all = xmask::keep_all({x.size()});
        const TestType whole = xmask::masked_quantile(x, all, q);
        const TestType along = xmask::masked_quantile(x, all, q, 0)();
        REQUIRE((whole == along || (std::isnan(whole) && std::isnan(along))));
        return whole;
    };
    // Strictly between an infinity and a finite element, and exactly at each.
    REQUIRE(at({-infinity, 1}, 0.5) == -infinity);
    REQUIRE(at({-infinity, 1}, 0.) == -infinity);
    REQUIRE(at({-infinity, 1}, 1.) == 1);
    REQUIRE(at({-infinity, 1}, 0.999) == -infinity);
    REQUIRE(at({infinity, 1}, 0.5) == infinity);
    REQUIRE(at({infinity, 1}, 0.) == 1);
    REQUIRE(at({infinity, 1}, 1.) == infinity);
    REQUIRE(at({infinity, 0}, 0.001) == infinity);
    REQUIRE(at({-infinity, 0}, 0.5) == -infinity);
    REQUIRE(at({-infinity, 1, 2, infinity}, 0.5) == TestType(1.5));
    REQUIRE(at({-infinity, -infinity, 1, 1}, 0.5) == -infinity);
    REQUIRE(at({-infinity, -infinity, 1}, 0.25) == -infinity);
    REQUIRE(at({infinity, infinity, 1}, 0.75) == infinity);
    // Between both infinities.
    REQUIRE(std::isnan(at({-infinity, infinity}, 0.5)));
    REQUIRE(at({-infinity, infinity}, 0.) == -infinity);
    REQUIRE(at({-infinity, infinity}, 1.) == infinity);
    // Elements whose difference overflows their type.
    REQUIRE(at({-most, most}, 0.5) == 0);
    REQUIRE(std::abs(at({-most, most}, 0.75) / most - TestType(0.5)) < 1e-6);
    REQUIRE(std::abs(at({-most, most}, 0.25) / most + TestType(0.5)) < 1e-6);
}

TEST_CASE("Medians and quantiles of nothing, and shares that are none", "[quantile]") {
    using Catch::Matchers::ContainsSubstring;
    using xmask::when_empty;
    const xt::xarray<float> x = {{1.f, 2.f}, {3.f, 4.f}};
    const xt::xarray<int> whole = {{1, 2}, {3, 4}};
    const xmask::bitmask m = xmask::keep_lengths({2, 0}, 2);
    REQUIRE(std::isnan(xmask::masked_median(x, m, 1)(1)));
    REQUIRE(xmask::masked_median(x, m, 1, when_empty::zero)(1) == 0.f);
    REQUIRE(
        xmask::masked_quantile(x, m, 0.5, -1, {.empty = when_empty::zero, .keep_axes = true})(
            1, 0
        ) == 0.f
    );
    REQUIRE(std::isnan(xmask::masked_quantile(whole, m, 0.5, 1)(1)));
    REQUIRE_THROWS_AS(xmask::masked_median(whole, m, 1), std::domain_error);
    REQUIRE(xmask::masked_median(whole, m, 1, when_empty::zero)(1) == 0);
    REQUIRE_THROWS_AS(
        xmask::masked_quantile(x, xmask::bitmask(xmask::keep_none({2, 2})), 0.5, when_empty::raise),
        std::domain_error
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_quantile(x, m, 1.5), ContainsSubstring("xmask::masked_quantile: q is 1.5")
    );
    REQUIRE_THROWS_AS(xmask::masked_quantile(x, m, -0.1, 0), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::masked_quantile(x, m, std::nan("")), std::out_of_range);
}

TEST_CASE("Medians agree with PyTorch", "[quantile]") {
    const auto x = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    REQUIRE(oracle::close(
        xmask::masked_median(x, m, 1), oracle::reference<double>("reduce_rows", "median"), 0.
    ));
}

TEST_CASE("Gradients of medians and quantiles are differences", "[quantile]") {
    REQUIRE_GRADIENT_OF(masked_median);
    for (const double q : {0., 0.3, 1.}) {
        CAPTURE(q);
        slopes::require_gradient(
            [&](const auto& x, const auto& m, const auto& axes) {
                return xmask::masked_quantile(x, m, q, axes);
            },
            [&](const auto& x, const auto& m, const auto& u, const auto&... axes) {
                return xmask::masked_quantile_gradient(x, m, u, q, axes...);
            }
        );
    }
    slopes::require_layouts([](const auto& x, const auto& m, const auto& u, const auto&... axes) {
        return xmask::masked_quantile_gradient(x, m, u, 0.4, axes...);
    });
}

TEST_CASE("Gradients of medians and quantiles show NaN that is kept", "[quantile]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xarray<double> x = {{nan, 1., 2., 3.}, {nan, 1., 2., 3.}};
    const xmask::bitmask m = xmask::keep_ranges({0, 1}, {3, 4}, 4);
    const xt::xarray<double> u = {0., 12.};
    for (const auto& dx :
         {xmask::masked_median_gradient(x, m, u, 1),
          xmask::masked_quantile_gradient(x, m, u, 0.25, 1)}) {
        REQUIRE((std::isnan(dx(0, 0)) && std::isnan(dx(0, 1)) && std::isnan(dx(0, 2))));
        REQUIRE(dx(0, 3) == 0.);
        REQUIRE(dx(1, 0) == 0.);
        REQUIRE(dx(1, 1) + dx(1, 2) + dx(1, 3) == 12.);
    }
}

TEST_CASE("Gradients of medians and quantiles that tie, of NaN and of nothing", "[quantile]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xarray<double> x = {{2., 1., 2., 5.}, {nan, 1., 2., 3.}, {1., 2., 3., 4.}};
    const xt::xarray<double> u = {12., 12., 12.};
    const xmask::bitmask m = xmask::keep_lengths({4, 4, 0}, 4);
    const auto middle = xmask::masked_median_gradient(x, m, u, 1);
    REQUIRE(oracle::elements(xt::view(middle, 0)) == std::vector<double>{6., 0., 6., 0.});
    REQUIRE(oracle::elements(xt::view(middle, 2)) == std::vector<double>(4, 0.));
    REQUIRE(std::isnan(middle(1, 1)));
    // Halfway from 1 to 2, both share the gradient. Where both ranks are equal, one gets all of it.
    const auto sixth = xmask::masked_quantile_gradient(x, m, u, 1. / 6, 1);
    REQUIRE(oracle::close(xt::view(sixth, 0), xt::xarray<double>{3., 6., 3., 0.}, 1e-14));
    const auto half = xmask::masked_quantile_gradient(x, m, u, 0.5, 1);
    REQUIRE(oracle::close(xt::view(half, 0), xt::xarray<double>{6., 0., 6., 0.}, 1e-14));
    REQUIRE(oracle::elements(xt::view(half, 2)) == std::vector<double>(4, 0.));
    REQUIRE_THROWS_WITH(
        xmask::masked_quantile_gradient(x, m, 1., 2),
        "xmask::masked_quantile_gradient: q is 2; expected a share in [0, 1]"
    );
    REQUIRE_THROWS_AS(xmask::masked_median_gradient(x, m, u, {0}), std::invalid_argument);
}

TEST_CASE("Medians and quantiles have the rank of their axes in their type", "[quantile]") {
    const xt::xtensor<float, 2> x = {{3, 1, 2}, {4, 6, 5}};
    const auto m = xmask::keep_lengths({3, 1}, 3);
    const auto rows = xmask::masked_median(x, m, {1});
    STATIC_REQUIRE(std::is_same_v<decltype(rows), const xt::xtensor<float, 1>>);
    REQUIRE(rows == xt::xtensor<float, 1>{2, 4});
    const auto all = xmask::masked_quantile(x, m, 0.5, {0, 1}, xmask::when_empty::zero);
    STATIC_REQUIRE(std::is_same_v<decltype(all), const xt::xtensor<float, 0>>);
    REQUIRE(all() == 2.5f);
    REQUIRE(xmask::masked_quantile(x, m, 1) == 4.f);
    REQUIRE(xmask::masked_quantile(x, m, 1, 0, {.keep_axes = true}).dimension() == 2);
    const auto slopes = xmask::masked_median_gradient(x, m, rows, 1);
    STATIC_REQUIRE(std::is_same_v<decltype(slopes), const xt::xtensor<float, 2>>);
    REQUIRE(slopes == xt::xtensor<float, 2>{{0, 0, 2}, {4, 0, 0}});
}
