// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

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
    // Elements that tie share it.
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
