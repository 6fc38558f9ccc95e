// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>

#include "support/oracle.hpp"

/// @file
/// The elements that a reduction reduces, collected by a loop over all elements: the naive half of
/// the tests of reductions.

namespace groups {
using shape_t = std::vector<std::size_t>;
using axes_t = std::vector<std::ptrdiff_t>;

/// The kept elements at one position of the axes that remain, and their places among the reduced
/// axes.
struct group {
    std::vector<double> values;
    std::vector<std::size_t> places;
};

struct grouped {
    shape_t shape;
    std::vector<group> groups;
};

template <class T>
grouped collect(const xt::xarray<T>& x, const std::vector<char>& kept, const axes_t& axes) {
    grouped result;
    const std::size_t rank = x.dimension();
    std::vector<bool> goes(rank, false);
    for (const auto axis : axes) {
        goes[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::ptrdiff_t>(rank) : axis)] =
            true;
    }
    std::size_t size = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        if (!goes[axis]) {
            result.shape.push_back(x.shape(axis));
            size *= x.shape(axis);
        }
    }
    result.groups.resize(size);
    for (std::size_t i = 0; i < x.size(); ++i) {
        std::size_t rest = i;
        std::size_t at[2] = {0, 0};
        std::size_t stride[2] = {1, 1};
        for (std::size_t axis = rank; axis-- > 0;) {
            const std::size_t which = goes[axis] ? 1 : 0;
            at[which] += rest % x.shape(axis) * stride[which];
            stride[which] *= x.shape(axis);
            rest /= x.shape(axis);
        }
        if (kept[i] != 0) {
            result.groups[at[0]].values.push_back(static_cast<double>(x.flat(i)));
            result.groups[at[0]].places.push_back(at[1]);
        }
    }
    return result;
}

inline std::vector<char> broadcast(const xt::xarray<bool>& kept, const shape_t& shape) {
    return oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)));
}

/// Calls f(axes) for every set of axes.
template <class F>
void for_each_axes(std::size_t rank, F&& f) {
    for (unsigned chosen = 0; chosen < 1u << rank; ++chosen) {
        axes_t axes;
        for (std::size_t axis = 0; axis < rank; ++axis) {
            if ((chosen >> axis & 1) != 0) {
                axes.push_back(static_cast<std::ptrdiff_t>(axis));
            }
        }
        f(axes);
    }
}

inline axes_t all_axes(std::size_t rank) {
    axes_t axes;
    for_each_axes(rank, [&](const axes_t& some) { axes = some; });
    return axes;
}

inline bool close(double a, double b, double tolerance) {
    return (std::isnan(a) && std::isnan(b)) || a == b ||
           std::abs(a - b) <= tolerance * std::max(1., std::abs(b));
}

/// x with NaN in its dropped elements, if its type has one.
template <class T>
xt::xarray<T> hide(xt::xarray<T> x, const std::vector<char>& kept) {
    if constexpr (std::is_floating_point_v<T>) {
        return oracle::hide(std::move(x), kept, {std::numeric_limits<T>::quiet_NaN()});
    }
    return x;
}

template <class E, class F>
void require_groups(const E& result, const grouped& expected, F&& f, double tolerance) {
    REQUIRE(shape_t(result.shape().begin(), result.shape().end()) == expected.shape);
    const auto values = oracle::elements(result);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double wanted = f(expected.groups[i]);
        if (!close(static_cast<double>(values[i]), wanted, tolerance)) {
            CAPTURE(i, wanted);
            REQUIRE(values[i] == static_cast<decltype(values[0] + values[0])>(wanted));
        }
    }
}

/// Shapes of a tensor and of a mask that broadcasts into it.
inline const std::vector<std::pair<shape_t, shape_t>> shapes = {
    {{}, {}},
    {{70}, {70}},
    {{130}, {1}},
    {{3, 70}, {3, 70}},
    {{3, 64}, {3, 1}},
    {{70, 3}, {3}},
    {{5, 1}, {5, 1}},
    {{9, 65}, {9, 65}},
    {{2, 3, 63}, {2, 3, 63}},
    {{2, 3, 65}, {3, 1}},
    {{3, 5, 6}, {3, 5, 1}},
    {{2, 3, 2, 67}, {2, 3, 2, 67}},
    {{2, 3, 2, 5}, {2, 1, 1, 5}},
    {{2, 1, 2, 3, 5}, {1, 1, 2, 1, 5}},
    {{0, 3}, {3}},
    {{3, 0}, {3, 1}},
    {{2, 0, 3}, {}},
};

/// Fails unless reduce(x, m, axes...) gives expected(group) at each position: over everything and
/// along every set of axes, at every rank, under random, empty and full masks. `defined` says
/// whether a group has a result.
template <class T, class Reduce, class Expected, class Defined>
void require_reduction(Reduce&& reduce, Expected&& expected, double tolerance, Defined&& defined) {
    for (const auto& [shape, mask_shape] : shapes) {
        const auto x = oracle::random<T>(shape, 1);
        auto none = oracle::random<bool>(mask_shape, 5);
        auto all = none;
        none.fill(false);
        all.fill(true);
        for (const auto& chosen : {oracle::random<bool>(mask_shape, 5), none, all}) {
            const auto kept = broadcast(chosen, shape);
            const auto hidden = hide(x, kept);
            const xmask::bitmask m = xmask::keep_where(chosen);
            CAPTURE(shape, mask_shape);
            for_each_axes(shape.size(), [&](const axes_t& axes) {
                const auto wanted = collect(x, kept, axes);
                CAPTURE(axes);
                if (std::all_of(wanted.groups.begin(), wanted.groups.end(), defined)) {
                    require_groups(reduce(hidden, m, axes), wanted, expected, tolerance);
                }
            });
            const auto wanted = collect(x, kept, all_axes(shape.size()));
            if (defined(wanted.groups[0])) {
                REQUIRE(close(
                    static_cast<double>(reduce(hidden, m)), expected(wanted.groups[0]), tolerance
                ));
            }
        }
    }
}

template <class T, class Reduce, class Expected>
void require_reduction(Reduce&& reduce, Expected&& expected, double tolerance) {
    require_reduction<T>(reduce, expected, tolerance, [](const group&) { return true; });
}

/// Compares reductions of operands in every layout, and of lazy ones.
template <class T, class Reduce, class Expected>
void require_layouts(Reduce&& reduce, Expected&& expected, double tolerance) {
    const shape_t shape = {3, 4, 67};
    const auto x = oracle::random<T>(shape, 1);
    const auto chosen = oracle::random<bool>(shape, 5);
    const auto kept = oracle::elements(chosen);
    const xmask::bitmask m = xmask::keep_where(chosen);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        for (const axes_t& axes : {axes_t{0}, axes_t{1}, axes_t{2}, axes_t{0, 2}}) {
            require_groups(reduce(operand, m, axes), collect(x, kept, axes), expected, tolerance);
        }
        REQUIRE(close(
            static_cast<double>(reduce(operand, m)),
            expected(collect(x, kept, {0, 1, 2}).groups[0]), tolerance
        ));
    });
}
} // namespace groups
