// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/slopes.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/reduce/extreme.hpp>
#include <xmask/reduce/logsumexp.hpp>
#include <xmask/reduce/product.hpp>
#include <xmask/reduce/sum.hpp>

namespace {
/// A row of four columns.
template <class T>
std::vector<T> elements_in_row(const xt::xarray<T>& dx, std::size_t r) {
    return {dx(r, 0), dx(r, 1), dx(r, 2), dx(r, 3)};
}
} // namespace

TEST_CASE("Gradients of sums, means and products", "[reduction_gradients]") {
    REQUIRE_GRADIENT_OF(masked_sum);
    REQUIRE_GRADIENT_OF(masked_mean);
    REQUIRE_GRADIENT_OF(masked_prod);
}

TEST_CASE("Gradients of extremes and of logsumexp", "[reduction_gradients]") {
    REQUIRE_GRADIENT_OF(masked_max);
    REQUIRE_GRADIENT_OF(masked_min);
    REQUIRE_GRADIENT_OF(masked_logsumexp);
}

TEST_CASE("Gradients of extremes do not depend on layouts", "[reduction_gradients]") {
    slopes::require_layouts([](const auto&... all) { return xmask::masked_max_gradient(all...); });
}

TEST_CASE("Gradients where a function has no slope", "[reduction_gradients]") {
    using std::vector;
    const xt::xarray<double> x = {{3., 3., 1., 9.}, {0., 0., 0., 9.}, {0., 2., 5., 9.}};
    const xmask::bitmask m = xmask::keep_indices({0, 1, 2}, {3, 4});
    const xt::xarray<double> u = {1., 1., 1.};
    // Elements that tie share the gradient.
    REQUIRE(
        elements_in_row(xmask::masked_max_gradient(x, m, u, 1), 0) ==
        vector<double>{0.5, 0.5, 0., 0.}
    );
    // Products with zeros.
    REQUIRE(elements_in_row(xmask::masked_prod_gradient(x, m, u, 1), 1) == vector<double>(4, 0.));
    REQUIRE(
        elements_in_row(xmask::masked_prod_gradient(x, m, u, 1), 2) ==
        vector<double>{10., 0., 0., 0.}
    );
    // Nothing kept.
    const xmask::bitmask none = xmask::keep_none({3, 4});
    REQUIRE(
        elements_in_row(xmask::masked_mean_gradient(x, none, u, 1), 0) == vector<double>(4, 0.)
    );
    REQUIRE(
        elements_in_row(xmask::masked_logsumexp_gradient(x, none, u, 1), 0) == vector<double>(4, 0.)
    );
    REQUIRE(elements_in_row(xmask::masked_max_gradient(x, none), 2) == vector<double>(4, 0.));
}

TEST_CASE(
    "Gradients whose reduction is beyond floats, or rounded by them", "[reduction_gradients]"
) {
    const float infinity = std::numeric_limits<float>::infinity();
    const xt::xarray<float> x = {
        {1e30f, 2e30f, 1.f, 9.f},
        {1e-30f, 2e-30f, 1.f, 9.f},
        {1000.f, 1001.f, 999.f, 9.f},
        {-infinity, -infinity, -infinity, 9.f}
    };
    const xmask::bitmask m = xmask::keep_indices({0, 1, 2}, {4, 4});
    const xt::xarray<float> u = {1.f, 1.f, 1.f, 1.f};
    const auto products = xmask::masked_prod_gradient(x, m, u, 1);
    REQUIRE(oracle::close(
        xt::xarray<float>(xt::adapt(elements_in_row(products, 0)) / 1e30f),
        xt::xarray<float>{2.f, 1.f, infinity, 0.f}, 1e-6
    ));
    REQUIRE(oracle::close(
        xt::xarray<float>(xt::adapt(elements_in_row(products, 1)) * 1e30f),
        xt::xarray<float>{2.f, 1.f, 0.f, 0.f}, 1e-6
    ));
    // As exact as softmax.
    const auto softmax = xmask::masked_logsumexp_gradient(x, m, u, 1);
    const double sum = 1 + std::exp(1.) + std::exp(-1.);
    REQUIRE(oracle::close(
        xt::adapt(elements_in_row(softmax, 2)),
        xt::xarray<double>{1 / sum, std::exp(1.) / sum, std::exp(-1.) / sum, 0.}, 1e-7
    ));
    REQUIRE(elements_in_row(softmax, 3) == std::vector<float>(4, 0.f));
}

TEMPLATE_TEST_CASE(
    "Gradients of extremes show NaN that is kept", "[reduction_gradients]", float, double,
    long double
) {
    const auto nan = std::numeric_limits<TestType>::quiet_NaN();
    xt::xarray<TestType> x = oracle::random<TestType>({3, 70});
    x(0, 65) = nan;
    x(1, 3) = nan;
    const auto m = xmask::keep_ranges({0, 4, 2}, {66, 70, 70}, 70);
    const xt::xarray<TestType> u = {0, 2, 3};
    for (const auto& dx :
         {xmask::masked_max_gradient(x, m, u, 1), xmask::masked_min_gradient(x, m, u, 1)}) {
        TestType one = 0;
        TestType two = 0;
        for (std::size_t k = 0; k < 70; ++k) {
            CAPTURE(k);
            REQUIRE(std::isnan(dx(0, k)) == (k < 66));
            one += dx(1, k);
            two += dx(2, k);
        }
        REQUIRE(std::abs(one - 2) < 1e-6);
        REQUIRE(std::abs(two - 3) < 1e-6);
    }
    const auto whole = xmask::masked_max_gradient(x, m);
    REQUIRE((std::isnan(whole(2, 2)) && whole(2, 1) == 0));
}

TEST_CASE("Gradients refuse an upstream gradient of another shape", "[reduction_gradients]") {
    const xt::xarray<double> x = xt::ones<double>({2, 3});
    const xt::xarray<double> u = xt::ones<double>({3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_mean_gradient(x, m, u, 1),
        "xmask::masked_mean_gradient: the upstream gradient has shape (3,); expected (2,) or (2, 1)"
    );
    REQUIRE_THROWS_AS(
        xmask::masked_sum_gradient(x, xmask::bitmask(xmask::keep_all(2)), u, 0),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(xmask::masked_prod_gradient(x, m, u, 5), std::out_of_range);
}
