// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/extreme.hpp>
#include <xmask/reduce/logsumexp.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/norm.hpp>
#include <xmask/reduce/product.hpp>
#include <xmask/reduce/sum.hpp>

namespace
{
    using groups::axes_t;
    using groups::shape_t;

    /// Compares a gradient with central differences of the sum of upstream times the reduction.
    template <class Reduce, class Gradient>
    void require_gradient(Reduce&& reduce, Gradient&& gradient, double tolerance = 1e-6)
    {
        const shape_t shape = {2, 3, 5};
        const auto x = oracle::random<double>(shape, 3);
        auto chosen = oracle::random<bool>(shape, 4);
        for (std::size_t k = 0; k < 5; ++k)
        {
            chosen(1, 2, k) = false;
        }
        const auto kept = oracle::elements(chosen);
        const xmask::bitmask m = xmask::keep_where(chosen);
        groups::for_each_axes(3, [&](const axes_t& axes) {
            const auto at = groups::collect(x, kept, axes);
            const auto u = oracle::random<double>(at.shape, 6);
            const auto objective = [&](const xt::xarray<double>& point) {
                const auto y = oracle::elements(reduce(point, m, axes));
                double sum = 0;
                for (std::size_t i = 0; i < y.size(); ++i)
                {
                    sum += std::isfinite(y[i]) ? y[i] * u.flat(i) : 0;
                }
                return sum;
            };
            const auto dx = gradient(groups::hide(x, kept), m, axes, u);
            REQUIRE(dx.shape() == x.shape());
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                const double step = 1e-5;
                auto point = x;
                point.flat(i) += step;
                const double above = objective(point);
                point.flat(i) -= 2 * step;
                const double slope = kept[i] == 0 ? 0. : (above - objective(point)) / (2 * step);
                CAPTURE(axes, i, slope, dx.flat(i));
                REQUIRE(groups::close(dx.flat(i), slope, tolerance));
            }
            auto full = u;
            auto ones = shape;
            for (const auto axis : axes)
            {
                ones[static_cast<std::size_t>(axis)] = 1;
            }
            full.reshape(ones);
            REQUIRE(oracle::same_bits(oracle::elements(gradient(x, m, axes, full)), oracle::elements(dx)));
        });
        const xt::xarray<double> two = 2.;
        REQUIRE(oracle::close(gradient(x, m, 2.), gradient(x, m, axes_t{0, 1, 2}, two), 1e-14));
    }

#define REQUIRE_GRADIENT_OF(name, ...)                                                                                 \
    require_gradient(                                                                                                  \
        [&](const auto& x, const auto& m, const auto& axes) { return xmask::name(x, m, axes __VA_OPT__(, ) __VA_ARGS__); }, \
        [&](const auto&... all) { return xmask::name##_gradient(all... __VA_OPT__(, ) __VA_ARGS__); }                  \
    )
}

TEST_CASE("Gradients of sums, means and products", "[reduction_gradients]")
{
    REQUIRE_GRADIENT_OF(masked_sum);
    REQUIRE_GRADIENT_OF(masked_mean);
    REQUIRE_GRADIENT_OF(masked_prod);
}

TEST_CASE("Gradients of extremes and of logsumexp", "[reduction_gradients]")
{
    REQUIRE_GRADIENT_OF(masked_max);
    REQUIRE_GRADIENT_OF(masked_min);
    REQUIRE_GRADIENT_OF(masked_logsumexp);
}

TEST_CASE("Gradients of variances and of standard deviations", "[reduction_gradients]")
{
    REQUIRE_GRADIENT_OF(masked_var);
    REQUIRE_GRADIENT_OF(masked_var, xmask::var_options{.correction = 0});
    REQUIRE_GRADIENT_OF(masked_std);
}

TEST_CASE("Gradients of norms", "[reduction_gradients]")
{
    for (const double p : {1., 2., 3.5, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    {
        CAPTURE(p);
        REQUIRE_GRADIENT_OF(masked_norm, xmask::norm_options{.p = p});
    }
}

TEST_CASE("Gradients where a function has no slope", "[reduction_gradients]")
{
    using std::vector;
    const xt::xarray<float> x = {{3.f, 3.f, 1.f, 9.f}, {0.f, 0.f, 0.f, 9.f}, {0.f, 2.f, 5.f, 9.f}, {1.f, 1.f, 1.f, 9.f}};
    const auto m = xmask::keep_indices({0, 1, 2}, {4, 4});
    const xt::xarray<float> u = {1.f, 1.f, 1.f, 1.f};
    const auto row = [](const auto& dx, std::size_t r) { return vector<float>{dx(r, 0), dx(r, 1), dx(r, 2), dx(r, 3)}; };
    // Elements that tie share it.
    REQUIRE(row(xmask::masked_max_gradient(x, m, 1, u), 0) == vector<float>{0.5f, 0.5f, 0.f, 0.f});
    REQUIRE(row(xmask::masked_norm_gradient(x, m, 1, u, {.p = std::numeric_limits<double>::infinity()}), 0) == vector<float>{0.5f, 0.5f, 0.f, 0.f});
    REQUIRE(row(xmask::masked_norm_gradient(x, m, 1, u), 1) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_norm_gradient(x, m, 1, u, {.p = 0}), 2) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_std_gradient(x, m, 1, u), 3) == vector<float>(4, 0.f));
    // Products with zeros.
    REQUIRE(row(xmask::masked_prod_gradient(x, m, 1, u), 1) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_prod_gradient(x, m, 1, u), 2) == vector<float>{10.f, 0.f, 0.f, 0.f});
    // Nothing kept.
    const auto none = xmask::keep_none({4, 4});
    REQUIRE(row(xmask::masked_mean_gradient(x, none, 1, u), 0) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_var_gradient(x, none), 0) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_logsumexp_gradient(x, none, 1, u), 0) == vector<float>(4, 0.f));
    REQUIRE(row(xmask::masked_max_gradient(x, none), 2) == vector<float>(4, 0.f));
}

TEST_CASE("Gradients refuse an upstream gradient of another shape", "[reduction_gradients]")
{
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xt::xarray<float> u = xt::ones<float>({3});
    const auto m = xmask::keep_all({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_mean_gradient(x, m, 1, u), "xmask::masked_mean_gradient: the upstream gradient has shape (3,); expected (2,) or (2, 1)"
    );
    REQUIRE_THROWS_AS(xmask::masked_norm_gradient(x, m, {0, 1}, u), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::masked_sum_gradient(x, xmask::keep_all(2), 0, u), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::masked_prod_gradient(x, m, 5, u), std::out_of_range);
}
