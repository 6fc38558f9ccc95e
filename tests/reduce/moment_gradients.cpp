// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/slopes.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/norm.hpp>

TEST_CASE("Gradients of variances and of standard deviations", "[moment_gradients]") {
    REQUIRE_GRADIENT_OF(masked_var);
    REQUIRE_GRADIENT_OF(masked_var, xmask::var_options{.correction = 0});
    REQUIRE_GRADIENT_OF(masked_std);
}

TEST_CASE("Gradients of norms", "[moment_gradients]") {
    for (const double p :
         {1., 2., 3.5, std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity()}) {
        CAPTURE(p);
        REQUIRE_GRADIENT_OF(masked_norm, xmask::norm_options{.p = p});
    }
}

TEST_CASE("Gradients of variances do not depend on layouts", "[moment_gradients]") {
    slopes::require_layouts([](const auto&... all) { return xmask::masked_var_gradient(all...); });
}

TEST_CASE("Gradients of variances and norms without a slope", "[moment_gradients]") {
    const xt::xarray<double> x = {
        {3., 3., 1., 9.}, {0., 0., 0., 9.}, {0., 2., 5., 9.}, {1., 1., 1., 9.}
    };
    const xmask::bitmask m = xmask::keep_indices({0, 1, 2}, {4, 4});
    const xmask::bitmask none = xmask::keep_none({4, 4});
    const xt::xarray<double> u = {1., 1., 1., 1.};
    const auto row = [](const auto& dx, std::size_t r) {
        return std::vector<double>{dx(r, 0), dx(r, 1), dx(r, 2), dx(r, 3)};
    };
    const std::vector<double> zeros(4, 0.);
    // Elements that tie share the gradient.
    REQUIRE(
        row(xmask::masked_norm_gradient(x, m, u, 1, {.p = std::numeric_limits<double>::infinity()}),
            0) == std::vector<double>{0.5f, 0.5f, 0., 0.}
    );
    REQUIRE(row(xmask::masked_norm_gradient(x, m, u, 1), 1) == zeros);
    REQUIRE(row(xmask::masked_norm_gradient(x, m, u, 1, {.p = 0}), 2) == zeros);
    REQUIRE(row(xmask::masked_std_gradient(x, m, u, 1), 3) == zeros);
    REQUIRE(row(xmask::masked_var_gradient(x, none), 0) == zeros);
    REQUIRE(row(xmask::masked_norm_gradient(x, none), 0) == zeros);
}

TEST_CASE("Gradients of norms whose powers are beyond floats", "[moment_gradients]") {
    for (const float scale : {1e30f, 1e-30f}) {
        const xt::xarray<float> x = {3.f * scale, -4.f * scale};
        const xmask::bitmask m = xmask::keep_all(2);
        for (const double p : {2., 3.}) {
            CAPTURE(scale, p);
            const double norm = std::pow(std::pow(3., p) + std::pow(4., p), 1 / p);
            const xt::xarray<double> expected = {
                std::pow(3 / norm, p - 1), -std::pow(4 / norm, p - 1)
            };
            REQUIRE(oracle::close(xmask::masked_norm_gradient(x, m, 1., {.p = p}), expected, 1e-6));
        }
    }
}

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> norm_gradient(const xt::xarray<double>& x, double p, double u = 1) {
    const auto m = xmask::keep_all({x.size()});
    const auto whole = oracle::elements(xmask::masked_norm_gradient(x, m, u, {.p = p}));
    const xt::xarray<double> up = u;
    const auto along = oracle::elements(xmask::masked_norm_gradient(x, m, up, 0, {.p = p}));
    REQUIRE(oracle::same_bits(whole, along));
    return whole;
}

bool all_nan(const std::vector<double>& x) {
    return std::ranges::all_of(x, [](double one) { return std::isnan(one); });
}
} // namespace

TEST_CASE("Gradients of norms of any order", "[moment_gradients]") {
    for (const double p : {1.5, 0.5, -1., -2.5}) {
        CAPTURE(p);
        const std::vector<double> x = {0.5, -2, 3, 1.25};
        const auto dx = norm_gradient({0.5, -2., 3., 1.25}, p, 2.);
        const auto norm = [&](const std::vector<double>& at) {
            double sum = 0;
            for (const double one : at) {
                sum += std::pow(std::abs(one), p);
            }
            return 2 * std::pow(sum, 1 / p);
        };
        for (std::size_t i = 0; i < x.size(); ++i) {
            auto above = x;
            auto below = x;
            above[i] += 1e-6;
            below[i] -= 1e-6;
            REQUIRE(groups::close(dx[i], (norm(above) - norm(below)) / 2e-6, 1e-7));
        }
    }
    REQUIRE(norm_gradient({0., 3., 4.}, 0.5)[0] == 0.);
    REQUIRE(norm_gradient({0., 3., -4.}, -1.) == std::vector<double>(3, 0.));
    REQUIRE(norm_gradient({0., 3., -4.}, -infinity) == std::vector<double>(3, 0.));
}

TEST_CASE("Gradients of norms at infinity", "[moment_gradients]") {
    using std::vector;
    // The sum of magnitudes has the derivative 1 or -1 by each element, however large the sum is.
    REQUIRE(norm_gradient({infinity, 1., -2., 0.}, 1, 3) == vector<double>{3., 3., -3., 0.});
    REQUIRE(norm_gradient({1.7e308, -1.7e308}, 1) == vector<double>{1., -1.});
    const xt::xarray<float> large = {3e38f, -3e38f};
    const xt::xarray<float> slopes =
        xmask::masked_norm_gradient(large, xmask::keep_all(2), 1., {.p = 1});
    REQUIRE((slopes(0) == 1.f && slopes(1) == -1.f));
    // Infinite elements count as equal ones, with finite ones beside them.
    for (const double p : {2., 3., infinity}) {
        CAPTURE(p);
        const auto dx = norm_gradient({-infinity, 5., infinity, 0.}, p, 2);
        const double share = 2 * std::pow(2., 1 / p - 1);
        REQUIRE(groups::close(dx[0], -share, 1e-15));
        REQUIRE(dx[1] == 0.);
        REQUIRE(groups::close(dx[2], share, 1e-15));
        REQUIRE(dx[3] == 0.);
        REQUIRE(norm_gradient({1., infinity, 2.}, p) == vector<double>{0., 1., 0.});
    }
    REQUIRE(
        norm_gradient({-infinity, 5., -5., 0.}, 0.5) == vector<double>{-1., infinity, -infinity, 0.}
    );
    const auto both = norm_gradient({infinity, -infinity}, -1);
    REQUIRE((groups::close(both[0], 0.25, 1e-15) && groups::close(both[1], -0.25, 1e-15)));
    const auto beside = norm_gradient({infinity, -3.}, -1);
    REQUIRE((beside[0] == 0. && groups::close(beside[1], -1, 1e-14)));
    // Only the position that keeps an infinity.
    const xt::xarray<double> x = {{3., 4.}, {infinity, 4.}};
    const xt::xarray<double> u = {1., 1.};
    const auto dx = xmask::masked_norm_gradient(x, xmask::keep_all({2, 2}), u, 1);
    REQUIRE(oracle::close(dx, xt::xarray<double>{{0.6, 0.8}, {1., 0.}}, 1e-15));
}

TEST_CASE("Gradients of norms show NaN that is kept", "[moment_gradients]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double p : {2., 3., 0.5, -1., infinity, -infinity}) {
        CAPTURE(p);
        REQUIRE(all_nan(norm_gradient({1., nan, 0., infinity}, p)));
        REQUIRE(all_nan(norm_gradient({1., nan, 0.}, p, 0.)));
    }
    const auto dx = norm_gradient({1., nan, -2., 0.}, 1);
    REQUIRE((dx[0] == 1. && std::isnan(dx[1]) && dx[2] == -1. && dx[3] == 0.));
}

TEST_CASE("Gradients of norms that are beyond doubles", "[moment_gradients]") {
    for (const double scale : {1e200, 1e-200, 1e308, 4e307, 1e-307, 1e-310, 3e-320}) {
        for (const double p : {2., 3., 0.5, -2., 1.}) {
            CAPTURE(scale, p);
            const auto expected = norm_gradient({1., -0.5}, p);
            const auto dx = norm_gradient({scale, -0.5 * scale}, p);
            const double tolerance = scale < 1e-300 ? 1e-4 : 1e-12;
            REQUIRE(groups::close(dx[0], expected[0], tolerance));
            REQUIRE(groups::close(dx[1], expected[1], tolerance));
        }
    }
    const xt::xarray<float> x = {3e38f, -3e38f, 1.f};
    const xt::xarray<float> dx = xmask::masked_norm_gradient(x, xmask::keep_all(3), 1.);
    REQUIRE(oracle::close(dx, xt::xarray<double>{std::sqrt(0.5), -std::sqrt(0.5), 0.}, 1e-6));
}

TEST_CASE("Gradients of norms name themselves when they refuse", "[moment_gradients]") {
    using Catch::Matchers::StartsWith;
    const xt::xarray<double> x = xt::ones<double>({2, 3});
    const xt::xarray<double> u = xt::ones<double>({3});
    const xmask::bitmask two = xmask::keep_all(2);
    REQUIRE_THROWS_WITH(
        xmask::masked_norm_gradient(x, xmask::bitmask(xmask::keep_all({2, 3})), u, {0, 1}),
        StartsWith("xmask::masked_norm_gradient: ")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_norm_gradient(x, two), StartsWith("xmask::masked_norm_gradient: a mask")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_var_gradient(x, two), StartsWith("xmask::masked_var_gradient: a mask")
    );
}
