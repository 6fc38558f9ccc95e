// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/boolean.hpp>
#include <xmask/reduce/loss.hpp>

#include "support/oracle.hpp"

/// @file
/// Comparisons for every element-wise loss.

namespace losses {
using shape_t = std::vector<std::size_t>;

/// Whether two numbers differ by at most `tolerance` of `scale`.
inline bool near(double a, double b, double scale, double tolerance) {
    CAPTURE(a, b, scale);
    CHECK(std::abs(a - b) <= tolerance * scale);
    return std::abs(a - b) <= tolerance * scale;
}

/// Compares with PyTorch's results, in float and in double: the sum, the mean, the gradient of the
/// mean, and single elements.
template <class T, class L, class F>
void require_reference(
    const L& masked, const std::string& name, const F& options, double tolerance
) {
    const xt::xarray<T> p = oracle::reference<float>(name, "prediction");
    const xt::xarray<T> t = oracle::reference<float>(name, "target");
    const auto m = xmask::keep_where(oracle::reference<bool>(name, "mask"));
    const double sum = oracle::reference<double>(name, "sum")();
    const auto elements = oracle::reference<double>(name, "elementwise");
    // The error of a sum that cancels is that of its terms.
    double size = 0;
    for (const double element : oracle::elements(elements)) {
        size += std::abs(element);
    }
    const auto l = masked(p, t, m, options);
    REQUIRE(near(l.sum, sum, size, tolerance));
    REQUIRE(near(l.mean(), oracle::reference<double>(name, "mean")(), size / l.weight, tolerance));
    xt::xarray<T> gradient;
    masked(p, t, m, options, xmask::of_mean(gradient));
    REQUIRE(oracle::close(gradient, oracle::reference<double>(name, "grad_of_mean"), tolerance));
    REQUIRE(oracle::close(masked.each(p, t, m, options), elements, tolerance));
}

template <class L, class F>
void require_reference(const L& masked, const std::string& name, const F& options) {
    require_reference<float>(masked, name, options, 1e-5);
    require_reference<double>(masked, name, options, 1e-12);
}

/// The term and the derivative of each element, from functions of two doubles.
struct naive_terms {
    std::vector<long double> values;
    std::vector<double> slopes;

    template <class T, class Value, class Slope>
    naive_terms(const xt::xarray<T>& p, const xt::xarray<T>& t, Value&& value, Slope&& slope) {
        const auto x = oracle::elements(p);
        const auto y = oracle::elements(t);
        for (std::size_t i = 0; i < x.size(); ++i) {
            values.push_back(value(x[i], y[i]));
            slopes.push_back(static_cast<double>(slope(x[i], y[i])));
        }
    }
};

/// The sum of kept elements, its weight and its gradient, by a loop.
struct naive {
    long double sum = 0;
    long double size = 0;
    double weight = 0;
    std::vector<double> elements;
    std::vector<double> gradient;

    naive(const naive_terms& terms, const std::vector<char>& kept)
        : elements(kept.size()), gradient(kept.size()) {
        for (std::size_t i = 0; i < kept.size(); ++i) {
            if (kept[i] != 0) {
                sum += terms.values[i];
                size += std::abs(terms.values[i]);
                ++weight;
                elements[i] = static_cast<double>(terms.values[i]);
                gradient[i] = terms.slopes[i];
            }
        }
    }
};

inline xt::xarray<bool> all_of(const shape_t& shape, bool value) {
    xt::xarray<bool> all = xt::xarray<bool>::from_shape(shape);
    all.fill(value);
    return all;
}

/// Compares with loops at every row length, for masks that keep some, all and no elements.
/// `operands` gives p and t.
template <class T, class L, class F, class Operands, class Value, class Slope>
void require_naive(
    const L& masked, const F& options, Operands&& operands, Value&& value, Slope&& slope
) {
    const double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-13;
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {n > 1000 ? std::size_t(2) : std::size_t(5), n};
        const auto [p, t] = operands(shape);
        const naive_terms terms(p, t, value, slope);
        for (const xt::xarray<bool>& kept :
             {oracle::random<bool>(shape, 3), all_of(shape, true), all_of(shape, false)}) {
            const naive expected(terms, oracle::elements(kept));
            const auto m = xmask::keep_where(kept);
            CAPTURE(n);
            xt::xarray<T> gradient;
            for (const auto& l : {masked(p, t, m, options), masked(p, t, m, options, gradient)}) {
                REQUIRE(near(
                    l.sum, static_cast<double>(expected.sum), static_cast<double>(expected.size),
                    tolerance
                ));
                REQUIRE(l.weight == expected.weight);
            }
            REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape), tolerance));
        }
    }
}

/// Compares the gradient with central differences, in double.
template <class L, class F>
void require_differences(
    const L& masked, const F& options, xt::xarray<double> p, const xt::xarray<double>& t
) {
    const auto kept = oracle::random<bool>(p.shape(), 9);
    const auto m = xmask::keep_where(kept);
    xt::xarray<double> gradient;
    masked(p, t, m, options, gradient);
    const double h = 1e-5;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double at = p.flat(i);
        p.flat(i) = at + h;
        const double above = masked(p, t, m, options).sum;
        p.flat(i) = at - h;
        const double below = masked(p, t, m, options).sum;
        p.flat(i) = at;
        CAPTURE(i, at, t.flat(i));
        REQUIRE(
            near((above - below) / (2 * h), gradient.flat(i), 1 + std::abs(gradient.flat(i)), 1e-7)
        );
        REQUIRE((kept.flat(i) || oracle::same_bits(gradient.flat(i), 0.)));
    }
}

/// Real predictions and targets in [-2, 2).
template <class T>
auto real_operands() {
    return [](const shape_t& shape) {
        return std::pair(oracle::random<T>(shape, 1), oracle::random<T>(shape, 2));
    };
}

/// Targets of 0, 1 and between; predictions with four times their range.
template <class T>
auto logit_operands() {
    return [](const shape_t& shape) {
        const xt::xarray<T> p = oracle::random<T>(shape, 1) * T(4);
        xt::xarray<T> t = oracle::random<T>(shape, 2);
        for (std::size_t i = 0; i < t.size(); ++i) {
            const T value = t.flat(i);
            t.flat(i) = value < T(-1) ? T(0) : value > T(1) ? T(1) : (value + T(1)) / T(2);
        }
        return std::pair(p, t);
    };
}
} // namespace losses
