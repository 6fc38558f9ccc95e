// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/largest.hpp>
#include <xmask/masks/largest_along.hpp>

#include "support/oracle.hpp"

using xmask::size_by;
using extents = std::vector<std::size_t>;

namespace {
template <size_by By, class T>
bool before(T a, T b) {
    const auto x = static_cast<long double>(a);
    const auto y = static_cast<long double>(b);
    if (std::isnan(x) || std::isnan(y)) {
        return !std::isnan(x);
    }
    return By == size_by::magnitude ? std::abs(x) > std::abs(y) : x > y;
}

/// The kept elements of x: k of each group of neighbours along an axis, the first ones among equal
/// elements.
template <size_by By, class T>
std::vector<char> expected_of(
    const xt::xarray<T>& x, std::size_t k, std::size_t group, std::size_t axis
) {
    const auto all = oracle::elements(x);
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < x.dimension(); ++a) {
        inner *= x.shape()[a];
    }
    std::vector<char> kept(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t at = i / inner % x.shape()[axis];
        if (at % group != 0) {
            continue;
        }
        std::vector<std::size_t> order(group);
        for (std::size_t g = 0; g < group; ++g) {
            order[g] = i + g * inner;
        }
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            const bool first = before<By>(all[a], all[b]);
            const bool last = before<By>(all[b], all[a]);
            return first != last ? first : a < b;
        });
        for (std::size_t g = 0; g < k; ++g) {
            kept[order[g]] = 1;
        }
    }
    return kept;
}

/// Few different values, so that ties are frequent; the lowest number, and NaN and infinities for
/// real types.
template <class T>
xt::xarray<T> crowded(const extents& shape, unsigned seed) {
    auto x = oracle::random<T>(shape, seed);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = i % 11 == 3 ? std::numeric_limits<T>::lowest()
                                : static_cast<T>(static_cast<int>(x.flat(i)) % 3);
        if (std::is_floating_point_v<T> && i % 7 == 5) {
            x.flat(i) = std::numeric_limits<T>::quiet_NaN();
        }
        if (std::is_floating_point_v<T> && i % 5 == 2) {
            const T infinity = std::numeric_limits<T>::infinity();
            x.flat(i) = i % 2 == 0 ? infinity : -infinity;
        }
    }
    return x;
}
} // namespace

TEMPLATE_TEST_CASE("The largest along any axis", "[largest]", float, std::int8_t, std::uint64_t) {
    using T = TestType;
    for (const extents& shape :
         std::vector<extents>{{6}, {4, 65}, {130, 2}, {3, 4, 5}, {2, 4, 1, 70}, {2, 3, 2, 2}}) {
        const auto x = crowded<T>(shape, 3);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            const std::size_t n = shape[axis];
            const std::ptrdiff_t signed_axis = static_cast<std::ptrdiff_t>(axis);
            for (const std::size_t k : {std::size_t(0), std::size_t(1), n / 2, n}) {
                CAPTURE(shape.size(), axis, k);
                oracle::require_mask(
                    xmask::keep_top_k(x, k, signed_axis), expected_of<size_by::value>(x, k, n, axis)
                );
                oracle::require_words(
                    xmask::keep_top_k<size_by::magnitude>(
                        x, k, signed_axis - static_cast<std::ptrdiff_t>(shape.size())
                    ),
                    expected_of<size_by::magnitude>(x, k, n, axis)
                );
            }
            for (const std::size_t group : {std::size_t(1), std::size_t(2), n}) {
                if (n % group == 0) {
                    CAPTURE(shape.size(), axis, group);
                    const std::size_t k = (group + 1) / 2;
                    oracle::require_words(
                        xmask::keep_n_of_m(x, k, group, signed_axis),
                        expected_of<size_by::value>(x, k, group, axis)
                    );
                }
            }
        }
    }
}

TEST_CASE("The largest along an axis, of other layouts and lazy operands", "[largest]") {
    const auto x = crowded<float>({4, 6, 70}, 5);
    const auto top = expected_of<size_by::value>(x, 2, 6, 1);
    const auto groups = expected_of<size_by::magnitude>(x, 1, 2, 0);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        oracle::require_words(xmask::keep_top_k(operand, 2, 1), top);
        oracle::require_words(xmask::keep_n_of_m<size_by::magnitude>(operand, 1, 2, 0), groups);
    });
    // Along the last axis both forms agree.
    REQUIRE(
        xmask::bitmask(xmask::keep_top_k(x, 30, -1)) == xmask::bitmask(xmask::keep_top_k(x, 30))
    );
    REQUIRE(
        xmask::bitmask(xmask::keep_n_of_m(x, 2, 5, 2)) ==
        xmask::bitmask(xmask::keep_n_of_m(x, 2, 5))
    );
    const auto make = [&] { return xmask::keep_top_k(xt::xarray<float>(x), 2, 1); };
    oracle::require_words(make(), top);
    const xt::xtensor<int, 2> example = {{1, 5}, {4, 5}, {3, 6}};
    oracle::require_mask(xmask::keep_top_k(example, 2, 0), {0, 1, 1, 0, 1, 1});
    for (const extents& shape : std::vector<extents>{{0, 3}, {3, 0}, {2, 0, 3}}) {
        const auto empty = xt::xarray<float>::from_shape(shape);
        for (const std::ptrdiff_t axis : {0, 1}) {
            REQUIRE(xmask::count_kept(xmask::keep_top_k(empty, 0, axis)) == 0);
            REQUIRE(xmask::count_kept(xmask::keep_n_of_m(empty, 1, 1, axis)) == 0);
        }
    }
}

TEST_CASE("The largest of rows know where they are", "[largest]") {
    const xt::xtensor<float, 2> x = {{0.f, 3.f, 1.f, 3.f, 0.f}, {0.f, 0.f, 0.f, 0.f, 9.f}};
    const auto m = xmask::keep_top_k(x, 2);
    REQUIRE(oracle::extent_of(m.row(0)) == xmask::column_range{1, 4});
    REQUIRE(oracle::extent_of(m.row(1)) == xmask::column_range{0, 5});
    REQUIRE(oracle::extent_of(xmask::keep_top_k(x, 0).row(0)).size() == 0);
    const auto all = xmask::keep_largest(x, 0.3);
    REQUIRE(oracle::extent_of(all.row(0)) == xmask::column_range{1, 5});
    REQUIRE(oracle::extent_of(all.row(1)) == xmask::column_range{0, 5});
    REQUIRE(oracle::extent_of(xmask::keep_largest(x, 0.1).row(0)).size() == 0);
    REQUIRE(oracle::extent_of(xmask::keep_top_k(x, 0, 0).row(0)).size() == 0);
}

TEST_CASE("What can't be the largest along an axis is refused", "[largest]") {
    const xt::xtensor<float, 2> x = xt::zeros<float>({2, 6});
    REQUIRE_THROWS_WITH(
        xmask::keep_top_k(x, 3, 0),
        "xmask::keep_top_k: k 3 is outside of [0, 2], the extent of axis 0"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_top_k(x, 1, 2), "xmask::keep_top_k: axis 2 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_AS(xmask::keep_top_k(xt::xtensor<float, 0>(1.f), 0, 0), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::keep_n_of_m(x, 2, 4, 0),
        "xmask::keep_n_of_m: 2 of every 4 along axis 0 of extent 2; expected at most the group's size, and whole groups"
    );
    REQUIRE_THROWS_AS(xmask::keep_n_of_m(x, 3, 2, 0), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_n_of_m(x, 0, 0, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_n_of_m(x, 1, 2, -3), std::out_of_range);
}
