// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/normalize.hpp>
#include <xmask/reduce/softmax.hpp>

#include "support/groups.hpp"
#include "support/lines.hpp"
#include "support/oracle.hpp"

// Gradients of operations on whole lines, of any length, compared with loops in double.

namespace {
using line = std::vector<double>;

/// factor * y (g - sum(y g)).
auto softmax_slope(double factor) {
    return [=](const std::vector<char>& kept, const line& y, const line& g) {
        double sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            sum += kept[i] ? y[i] * g[i] : 0;
        }
        line slope(y.size());
        for (std::size_t i = 0; i < y.size(); ++i) {
            slope[i] = kept[i] ? factor * y[i] * (g[i] - sum) : 0;
        }
        return slope;
    };
}

line log_softmax_slope(const std::vector<char>& kept, const line& y, const line& g) {
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        sum += kept[i] ? g[i] : 0;
    }
    line slope(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        slope[i] = kept[i] ? g[i] - std::exp(y[i]) * sum : 0;
    }
    return slope;
}

auto normalize_slope(double p) {
    return [=](const std::vector<char>& kept, const line& x, const line& g) {
        double norm = 0;
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            norm += kept[i] ? std::pow(std::abs(x[i]), p) : 0;
            sum += kept[i] ? x[i] * g[i] : 0;
        }
        norm = std::pow(norm, 1 / p);
        line slope(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double sign = x[i] < 0 ? -1 : x[i] > 0 ? 1 : 0;
            const double by_norm = sum / norm * sign * std::pow(std::abs(x[i]) / norm, p - 1);
            slope[i] = kept[i] && norm > 0 ? (g[i] - by_norm) / norm : 0;
        }
        return slope;
    };
}

/// Compares every gradient at these x and g with loops, along one axis.
template <class T>
void require_slopes(
    const xt::xarray<T>& x, const xt::xarray<T>& g, const xt::xarray<bool>& kept, std::size_t axis
) {
    const double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-13;
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto along = static_cast<std::ptrdiff_t>(axis);
    const auto hidden = [&](const xt::xarray<T>& tensor) {
        return groups::hide(tensor, oracle::elements(kept));
    };
    const auto u = hidden(g);
    const xt::xarray<T> p = hidden(xt::xarray<T>(xmask::masked_softmax(x, m, along)));
    const xt::xarray<T> log_p = hidden(xt::xarray<T>(xmask::masked_log_softmax(x, m, along)));
    const xt::xarray<T> by_softmax = xmask::masked_softmax_gradient(p, m, u, along);
    REQUIRE(oracle::close(by_softmax, lines::map(axis, kept, softmax_slope(1), p, u), tolerance));
    const xt::xarray<T> by_softmin = xmask::masked_softmin_gradient(p, m, u, along);
    REQUIRE(oracle::close(by_softmin, lines::map(axis, kept, softmax_slope(-1), p, u), tolerance));
    const xt::xarray<T> by_log_softmax = xmask::masked_log_softmax_gradient(log_p, m, u, along);
    REQUIRE(oracle::close(
        by_log_softmax, lines::map(axis, kept, log_softmax_slope, log_p, u), 4 * tolerance
    ));
    // No norm is small, because gradients divide by it.
    xt::xarray<T> far = x;
    for (auto& value : far) {
        value += value < 0 ? T(-1) : T(1);
    }
    for (const double norm : {1., 2., 3.}) {
        CAPTURE(norm);
        const xt::xarray<T> by_x =
            xmask::masked_normalize_gradient(hidden(far), m, u, along, {.p = norm});
        REQUIRE(oracle::close(
            by_x, lines::map(axis, kept, normalize_slope(norm), far, u), 4 * tolerance
        ));
    }
}
} // namespace

TEMPLATE_TEST_CASE(
    "gradients of rows of any length, all, some and nothing kept", "[row_gradients]", float, double
) {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto x = oracle::random<TestType>({4, n}, 1);
        const auto g = oracle::random<TestType>({4, n}, 2);
        auto kept = oracle::random<bool>({4, n}, 3);
        for (std::size_t c = 0; c < n; ++c) {
            kept(1, c) = false;
            kept(2, c) = true;
            kept(3, c) = c < n / 3;
        }
        require_slopes(x, g, kept, 1);
        require_slopes(x, g, kept, 0);
    }
}

TEST_CASE("gradients of every rank, along every axis", "[row_gradients]") {
    std::vector<std::size_t> shape;
    for (std::size_t rank = 1; rank <= 5; ++rank) {
        shape.push_back(rank == 2 ? 1 : rank + 1);
        for (std::size_t axis = 0; axis < rank; ++axis) {
            CAPTURE(rank, axis);
            require_slopes(
                oracle::random<double>(shape, 1), oracle::random<double>(shape, 2),
                oracle::random<bool>(shape, 3), axis
            );
        }
    }
}

TEST_CASE(
    "gradients of any layout, lazy, and in place of the upstream gradient", "[row_gradients]"
) {
    const auto y = oracle::random<double>({3, 4, 67}, 1);
    const auto g = oracle::random<double>({3, 4, 67}, 2);
    const auto kept = oracle::random<bool>({3, 4, 67}, 3);
    const xmask::bitmask m = xmask::keep_where(kept);
    for (const std::size_t axis : {1u, 2u}) {
        const auto along = static_cast<std::ptrdiff_t>(axis);
        const auto expected = lines::map(axis, kept, softmax_slope(1), y, g);
        oracle::for_each_layout(y, [&](const auto& operand, const char* layout) {
            CAPTURE(axis, layout);
            const xt::xarray<double> slope = xmask::masked_softmax_gradient(operand, m, g, along);
            REQUIRE(oracle::close(slope, expected, 1e-13));
        });
        const xt::xarray<double, xt::layout_type::column_major> turned = g;
        REQUIRE(
            oracle::close(xmask::masked_softmax_gradient(y + 0., m, turned, along), expected, 1e-13)
        );
        auto in_place = g;
        xt::noalias(in_place) = xmask::masked_softmax_gradient(y, m, in_place, along);
        REQUIRE(oracle::close(in_place, expected, 1e-13));
    }
}
