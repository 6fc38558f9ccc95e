// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>

#include "support/groups.hpp"
#include "support/oracle.hpp"

/// @file
/// Gradients of reductions, compared with central differences.

namespace slopes {
/// Compares a gradient with central differences of the sum of upstream times the reduction.
template <class Reduce, class Gradient>
void require_gradient(Reduce&& reduce, Gradient&& gradient, double tolerance = 1e-6) {
    const groups::shape_t shape = {2, 3, 5};
    const auto x = oracle::random<double>(shape, 3);
    auto chosen = oracle::random<bool>(shape, 4);
    for (std::size_t k = 0; k < 5; ++k) {
        chosen(1, 2, k) = false;
    }
    const auto kept = oracle::elements(chosen);
    const xmask::bitmask m = xmask::keep_where(chosen);
    groups::for_each_axes(3, [&](const groups::axes_t& axes) {
        const auto at = groups::collect(x, kept, axes);
        const auto u = oracle::random<double>(at.shape, 6);
        const auto objective = [&](const xt::xarray<double>& point) {
            const auto y = oracle::elements(reduce(point, m, axes));
            double sum = 0;
            for (std::size_t i = 0; i < y.size(); ++i) {
                sum += std::isfinite(y[i]) ? y[i] * u.flat(i) : 0;
            }
            return sum;
        };
        const auto dx = gradient(groups::hide(x, kept), m, u, axes);
        REQUIRE(dx.shape() == x.shape());
        for (std::size_t i = 0; i < x.size(); ++i) {
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
        for (const auto axis : axes) {
            ones[static_cast<std::size_t>(axis)] = 1;
        }
        full.reshape(ones);
        REQUIRE(
            oracle::same_bits(oracle::elements(gradient(x, m, full, axes)), oracle::elements(dx))
        );
    });
    const xt::xarray<double> two = 2.;
    REQUIRE(oracle::close(gradient(x, m, 2.), gradient(x, m, two, groups::axes_t{0, 1, 2}), 1e-14));
}

/// Compares the gradients of a tensor, a mask and an upstream gradient in other layouts, to the
/// bit.
template <class Gradient>
void require_layouts(Gradient&& gradient) {
    const auto x = oracle::random<double>({3, 4, 67}, 3);
    const auto u = oracle::random<double>({3, 67}, 6);
    const auto chosen = oracle::random<bool>({3, 4, 67}, 4);
    const xmask::bitmask m = xmask::keep_where(chosen);
    const xt::xarray<double, xt::layout_type::column_major> x2 = x;
    const xt::xarray<double, xt::layout_type::column_major> u2 = u;
    const auto expected = gradient(x, m, u, 1);
    REQUIRE(expected.shape() == x.shape());
    REQUIRE(oracle::same_bits(oracle::elements(gradient(x2, m, u2, 1)), oracle::elements(expected))
    );
    REQUIRE(oracle::same_bits(
        oracle::elements(gradient(x + 0., m, u + 0., 1)), oracle::elements(expected)
    ));
}
} // namespace slopes

/// Compares xmask::name##_gradient with differences of xmask::name. Further arguments go to both.
#define REQUIRE_GRADIENT_OF(name, ...)                                                             \
    slopes::require_gradient(                                                                      \
        [&](const auto& x, const auto& m, const auto& axes) {                                      \
            return xmask::name(x, m, axes __VA_OPT__(, ) __VA_ARGS__);                             \
        },                                                                                         \
        [&](const auto&... all) {                                                                  \
            return xmask::name##_gradient(all... __VA_OPT__(, ) __VA_ARGS__);                      \
        }                                                                                          \
    )
