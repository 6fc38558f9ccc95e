// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/core/shape.hpp>

#include "support/oracle.hpp"

namespace detail = xmask::detail;
using Catch::Matchers::Message;

using extents = std::vector<std::size_t>;

namespace {
/// Shapes of every rank up to 8, with axes of extent 1 and 0.
const std::vector<extents> shapes = {
    {},
    {1},
    {5},
    {0},
    {3, 4},
    {1, 4},
    {3, 1},
    {0, 4},
    {3, 0},
    {2, 3, 4},
    {2, 1, 4},
    {1, 1, 1},
    {2, 0, 4},
    {2, 3, 4, 5},
    {2, 1, 3, 1},
    {2, 3, 2, 3, 2},
    {2, 1, 2, 1, 2, 1, 2, 1},
    {1, 2, 2, 1, 2, 2, 1, 2},
};

/// The leading indices of row r.
extents leading_index(const extents& shape, std::size_t r) {
    extents index(shape.empty() ? 0 : shape.size() - 1);
    for (std::size_t axis = index.size(); axis-- > 0;) {
        index[axis] = r % shape[axis];
        r /= shape[axis];
    }
    return index;
}
} // namespace

TEST_CASE("the last axis is the row", "[shape]") {
    REQUIRE(detail::columns_of(extents{}) == 1);
    REQUIRE(detail::rows_of(extents{}) == 1);
    REQUIRE(detail::columns_of(extents{7}) == 7);
    REQUIRE(detail::rows_of(extents{7}) == 1);
    REQUIRE(detail::columns_of(extents{2, 3, 4}) == 4);
    REQUIRE(detail::rows_of(extents{2, 3, 4}) == 6);
    REQUIRE(detail::rows_of(extents{2, 3, 0}) == 6);
    REQUIRE(detail::rows_of(extents{2, 0, 4}) == 0);
}

TEST_CASE("shapes of any integer type are equal where their extents are", "[shape]") {
    REQUIRE(detail::equal_shapes(extents{2, 3}, std::array<int, 2>{2, 3}));
    REQUIRE(detail::equal_shapes(extents{}, std::array<int, 0>{}));
    REQUIRE_FALSE(detail::equal_shapes(extents{2, 3}, extents{3, 2}));
    REQUIRE_FALSE(detail::equal_shapes(extents{2, 3}, extents{1, 2, 3}));
    REQUIRE_NOTHROW(detail::require_same_shape("f", "a", extents{2}, "b", extents{2}));
    REQUIRE_THROWS_MATCHES(
        detail::require_same_shape("f", "the target", extents{2}, "the prediction", extents{2, 1}),
        std::invalid_argument,
        Message(
            "xmask::f: the target has shape (2,) and the prediction has shape (2, 1); they must be equal"
        )
    );
}

TEST_CASE("a shape stretches as NumPy's do, and never enlarges the other", "[shape]") {
    for (const auto& to : shapes) {
        // Shapes that broadcast: the shape itself, with leading axes left out, and with axes of
        // extent 1.
        for (std::size_t dropped = 0; dropped <= to.size(); ++dropped) {
            extents from(to.begin() + static_cast<std::ptrdiff_t>(dropped), to.end());
            REQUIRE(detail::broadcasts_to(from, to));
            for (auto& extent : from) {
                extent = 1;
                REQUIRE(detail::broadcasts_to(from, to));
            }
        }
        extents longer(to);
        longer.insert(longer.begin(), 1);
        REQUIRE_FALSE(detail::broadcasts_to(longer, to));
        if (!to.empty()) {
            extents other(to);
            other.back() += 2;
            REQUIRE_FALSE(detail::broadcasts_to(other, to));
        }
    }
    REQUIRE_FALSE(detail::broadcasts_to(extents{4}, extents{1}));
    REQUIRE_FALSE(detail::broadcasts_to(extents{0}, extents{3}));
    REQUIRE_THROWS_MATCHES(
        detail::require_broadcast("f", "a mask", extents{2}, extents{3, 4}), std::invalid_argument,
        Message(
            "xmask::f: a mask of shape (2,) does not broadcast into the operand of shape (3, 4); align the last "
            "axes, and give each axis the operand's extent or 1"
        )
    );
}

TEST_CASE("shapes gain an axis, and come from numbers, lists and containers", "[shape]") {
    for (const auto& shape : shapes) {
        const auto longer = detail::append_axis(shape, 9);
        extents expected(shape);
        expected.push_back(9);
        REQUIRE(detail::equal_shapes(longer, expected));
        REQUIRE(detail::equal_shapes(detail::to_shape("test", shape), shape));
    }
    // The rank is known at compile time where that of the argument is.
    STATIC_REQUIRE(std::is_same_v<
                   decltype(detail::append_axis(std::array<int, 2>{}, 1)),
                   std::array<std::size_t, 3>>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(detail::to_shape("test", std::array<int, 2>{})),
                   std::array<std::size_t, 2>>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(detail::to_shape("test", 3)), std::array<std::size_t, 1>>);
    REQUIRE(detail::equal_shapes(detail::append_axis(xt::fixed_shape<2, 3>(), 4), extents{2, 3, 4})
    );
    REQUIRE(detail::equal_shapes(detail::to_shape("test", xt::fixed_shape<2, 3>()), extents{2, 3}));
    REQUIRE(detail::equal_shapes(
        detail::to_shape("test", std::initializer_list<std::size_t>{2, 3}), extents{2, 3}
    ));
    REQUIRE(detail::to_shape("test", 3)[0] == 3);
}

TEST_CASE("row offsets are the sums of index times stride", "[shape]") {
    for (const auto& shape : shapes) {
        const std::size_t rows = detail::rows_of(shape);
        // The operand: leading axes left out, every other axis broadcast; strides in either order,
        // and with gaps.
        for (std::size_t dropped = 0; dropped <= shape.size(); ++dropped) {
            for (const std::size_t stretched : std::initializer_list<std::size_t>{0, 1, 2, 3}) {
                extents from(shape.begin() + static_cast<std::ptrdiff_t>(dropped), shape.end());
                for (std::size_t axis = 0; axis < from.size(); ++axis) {
                    from[axis] = (stretched >> axis % 2 & 1) != 0 ? 1 : from[axis];
                }
                for (const int kind : {0, 1, 2}) {
                    std::vector<std::ptrdiff_t> strides(from.size());
                    std::ptrdiff_t stride = kind == 2 ? -3 : 1;
                    for (std::size_t k = 0; k < from.size(); ++k) {
                        const std::size_t axis = kind == 1 ? k : from.size() - 1 - k;
                        strides[axis] = stride;
                        stride *= static_cast<std::ptrdiff_t>(from[axis]) + (kind == 2 ? 1 : 0);
                    }
                    const detail::row_offsets offsets(shape, from, strides);
                    for (std::size_t r = 0; r < rows; ++r) {
                        const extents index = leading_index(shape, r);
                        std::ptrdiff_t expected = 0;
                        for (std::size_t axis = dropped; axis < index.size(); ++axis) {
                            const std::size_t i = from[axis - dropped] == 1 ? 0 : index[axis];
                            expected += static_cast<std::ptrdiff_t>(i) * strides[axis - dropped];
                        }
                        REQUIRE(offsets(r) == expected);
                    }
                }
            }
        }
    }
}

TEST_CASE("row numbers are those of the shape that is broadcast", "[shape]") {
    const extents shape = {2, 3, 4, 5};
    for (const auto& from : std::vector<extents>{
             {2, 3, 4, 5}, {3, 4, 5}, {3, 1, 5}, {2, 1, 4, 1}, {1, 1, 1, 5}, {5}, {}
         }) {
        const auto numbers = detail::row_numbers(shape, from);
        const std::size_t missing = shape.size() - from.size();
        for (std::size_t r = 0; r < detail::rows_of(shape); ++r) {
            const extents index = leading_index(shape, r);
            std::size_t expected = 0;
            for (std::size_t axis = missing; axis < index.size(); ++axis) {
                const std::size_t extent = from[axis - missing];
                expected = expected * extent + (extent == 1 ? 0 : index[axis]);
            }
            REQUIRE(numbers(r) == static_cast<std::ptrdiff_t>(expected));
        }
    }
}

TEST_CASE("a tensor has at most 16 axes", "[shape]") {
    REQUIRE_NOTHROW(detail::row_numbers(extents(16, 1), extents(16, 1)));
    REQUIRE_THROWS_MATCHES(
        detail::row_numbers(extents(17, 1), extents(2, 1)), std::invalid_argument,
        Message("xmask::shape: a tensor of 17 axes; at most 16 are supported")
    );
    REQUIRE_THROWS_AS(detail::row_numbers(extents(17, 1), extents(17, 1)), std::invalid_argument);
    REQUIRE_THROWS_AS(
        detail::row_offsets(extents(17, 1), extents(17, 1), std::size_t(17)), std::invalid_argument
    );
}
