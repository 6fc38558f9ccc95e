// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::Message;
using extents = std::vector<std::size_t>;

TEST_CASE("masks broadcast together as NumPy's arrays do", "[broadcast]") {
    const std::vector<std::vector<extents>> pairs = {
        {{5}, {}},
        {{}, {}},
        {{1}, {5}},
        {{3, 70}, {70}},
        {{3, 1}, {1, 70}},
        {{3, 1}, {70}},
        {{1, 1}, {3, 70}},
        {{2, 3, 70}, {3, 1}},
        {{2, 1, 70}, {3, 1}},
        {{2, 1, 1}, {3, 130}},
        {{2, 1, 64}, {2, 3, 1}},
        {{4, 1, 3, 1}, {2, 1, 65}},
        {{3, 0}, {3, 1}},
        {{0, 4}, {1, 4}},
        {{3, 1}, {0}},
        {{2, 1, 2, 1, 2}, {1, 3, 1, 2, 1}},
    };
    for (const auto& pair : pairs) {
        CAPTURE(pair);
        const auto p = oracle::random<bool>(pair[0], 1);
        const auto q = oracle::random<bool>(pair[1], 2);
        const auto a = xmask::keep_where(p);
        const auto b = xmask::keep_where(q);
        // Element by element: with XTENSOR_USE_XSIMD, xtensor 0.25 assigns broadcast booleans
        // wrongly.
        oracle::require_words(a && b, oracle::elements(p && q));
        oracle::require_words(b && a, oracle::elements(p && q));
        oracle::require_words(a || b, oracle::elements(p || q));
        oracle::require_words(b ^ a, oracle::elements(xt::not_equal(p, q)));
        oracle::require_words(!(a && b), oracle::elements(!(p && q)));
    }
}

TEST_CASE("masks whose shapes don't fit are refused, and both shapes are quoted", "[broadcast]") {
    const auto a = xmask::keep_all({3, 4});
    REQUIRE_THROWS_MATCHES(
        a && xmask::keep_all({3, 5}), std::invalid_argument,
        Message(
            "xmask::operator&&: masks of shapes (3, 4) and (3, 5) do not broadcast together; align the last axes, and "
            "give each axis one extent or 1"
        )
    );
    REQUIRE_THROWS_MATCHES(
        a || xmask::keep_all(3), std::invalid_argument,
        Message(
            "xmask::operator||: masks of shapes (3, 4) and (3,) do not broadcast together; align the last axes, and "
            "give each axis one extent or 1"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_all({2, 3, 4}) ^ xmask::keep_none({2, 4}), std::invalid_argument,
        Message(
            "xmask::operator^: masks of shapes (2, 3, 4) and (2, 4) do not broadcast together; align the last axes, "
            "and give each axis one extent or 1"
        )
    );
    REQUIRE_THROWS_AS(xmask::keep_all({3, 0}) && xmask::keep_all({3, 2}), std::invalid_argument);
}

TEST_CASE("the rank of a combination is known where both ranks are", "[broadcast]") {
    const auto a = xmask::keep_lengths({1, 2}, 3);
    const xt::xtensor<int, 2> table = {{1, 2}, {3, 0}};
    const auto b = xmask::keep_lengths(table, 3);
    STATIC_REQUIRE(std::is_same_v<decltype(a && b)::shape_type, std::array<std::size_t, 3>>);
    const auto stored = xmask::bitmask(a);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(stored && b)::shape_type, xt::dynamic_shape<std::size_t>>);
    oracle::require_mask(a && b, oracle::elements(xt::xarray<bool>(a) && xt::xarray<bool>(b)));
}

TEST_CASE("unsqueeze inserts an axis anywhere", "[broadcast]") {
    for (const extents& shape :
         std::vector<extents>{{}, {1}, {70}, {3, 65}, {2, 3, 5}, {2, 1, 4, 3}, {0, 3}, {3, 0}}) {
        const auto b = oracle::random<bool>(shape, 3);
        const auto m = xmask::keep_where(b);
        const auto rank = static_cast<std::ptrdiff_t>(shape.size());
        for (std::ptrdiff_t axis = 0; axis <= rank; ++axis) {
            extents expected(shape);
            expected.insert(expected.begin() + axis, 1);
            CAPTURE(shape, axis);
            const auto inserted = xmask::unsqueeze(m, axis);
            REQUIRE(oracle::equal_shapes(inserted.shape(), expected));
            oracle::require_words(inserted, oracle::elements(b));
            const auto counted_back = xmask::unsqueeze(m, axis - rank - 1);
            REQUIRE(oracle::equal_shapes(counted_back.shape(), expected));
            oracle::require_words(counted_back, oracle::elements(b));
        }
        REQUIRE_THROWS_AS(xmask::unsqueeze(m, rank + 1), std::out_of_range);
        REQUIRE_THROWS_AS(xmask::unsqueeze(m, -rank - 2), std::out_of_range);
    }
    REQUIRE_THROWS_MATCHES(
        xmask::unsqueeze(xmask::keep_all({3, 4}), 3), std::out_of_range,
        Message("xmask::unsqueeze: axis 3 is outside of [-3, 3)")
    );
}

TEST_CASE("what is unsqueezed broadcasts along the new axis", "[broadcast]") {
    const xt::xtensor<int, 1> queries = {2, 1};
    const xt::xtensor<int, 1> keys = {3, 70};
    const auto q = xmask::keep_lengths(queries, 2);
    const auto k = xmask::keep_lengths(keys, 70);
    // Attention: (batch, queries, 1) with (batch, 1, keys).
    const auto m = xmask::unsqueeze(q, -1) && xmask::unsqueeze(k, 1);
    std::vector<char> expected;
    for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t i = 0; i < 2; ++i) {
            for (std::size_t j = 0; j < 70; ++j) {
                expected.push_back(
                    static_cast<int>(i) < queries(b) && static_cast<int>(j) < keys(b)
                );
            }
        }
    }
    oracle::require_mask(m, expected);
    oracle::require_words(
        xmask::unsqueeze(xmask::unsqueeze(xmask::keep_lengths({1}, 2), 0), -1), {1, 0}
    );
}
