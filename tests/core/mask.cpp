// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/mask.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/text.hpp>

#include "support/oracle.hpp"
#include "support/own_rule.hpp"

using own_rule::every_third;
using own_rule::expected_thirds;
using own_rule::thirds;

TEST_CASE("a user's own rule is a mask, at any rank and length", "[mask]") {
    STATIC_REQUIRE(xmask::mask_rule<every_third>);
    STATIC_REQUIRE(xmask::row_cursor<every_third::cursor>);
    STATIC_REQUIRE(xmask::mask_expression<xmask::mask<every_third>>);
    STATIC_REQUIRE(xmask::expression<xmask::mask<every_third>>);
    STATIC_REQUIRE_FALSE(xmask::mask_rule<every_third::cursor>);
    STATIC_REQUIRE_FALSE(xmask::mask_expression<xt::xarray<bool>>);
    for (const std::size_t n : oracle::columns) {
        oracle::require_mask(thirds({n}), expected_thirds({n}));
        oracle::require_mask(thirds({3, n}), expected_thirds({3, n}));
        oracle::require_mask(thirds({n, 2}), expected_thirds({n, 2}));
    }
    std::vector<std::size_t> shape;
    for (std::size_t rank = 0; rank <= 8; ++rank) {
        CAPTURE(rank);
        oracle::require_mask(thirds(shape), expected_thirds(shape));
        shape.push_back(rank % 3 == 2 ? 1 : 2);
    }
    oracle::require_mask(thirds({0, 3}), {});
    oracle::require_mask(thirds({2, 0, 3}), {});
}

TEST_CASE("a user's own rule combines, stores and prints as any mask", "[mask]") {
    const auto m = thirds({2, 70});
    const auto expected = expected_thirds({2, 70});
    std::vector<char> inverted(expected);
    for (auto& kept : inverted) {
        kept = !kept;
    }
    oracle::require_mask(!m, inverted);
    oracle::require_mask(xmask::bitmask(m), expected);
    oracle::require_mask(m && xmask::keep_all({70}), expected);
    REQUIRE(
        xmask::count_kept(m) ==
        static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 1))
    );
    REQUIRE(xmask::to_string(thirds({2, 4})) == "█··█\n··█·\n");
    REQUIRE(m.rule().extents.size() == 2);
}

TEST_CASE("a mask iterates in any order, as the array of its elements does", "[mask]") {
    for (const auto& shape :
         std::vector<std::vector<std::size_t>>{{}, {5}, {3, 4}, {2, 3, 5}, {1, 4}, {4, 1}}) {
        const auto m = thirds(shape);
        const xt::xarray<bool> b = m;
        const auto same = [](auto first, auto last, auto from, auto to) {
            return std::equal(first, last, from, to);
        };
        REQUIRE(same(m.begin(), m.end(), b.begin(), b.end()));
        REQUIRE(same(m.cbegin(), m.cend(), b.cbegin(), b.cend()));
        REQUIRE(same(m.rbegin(), m.rend(), b.rbegin(), b.rend()));
        constexpr auto columns = xt::layout_type::column_major;
        REQUIRE(same(m.begin<columns>(), m.end<columns>(), b.begin<columns>(), b.end<columns>()));
        REQUIRE(same(m.rbegin<columns>(), m.rend<columns>(), b.rbegin<columns>(), b.rend<columns>())
        );
    }
    // Alone, because the iterators of an empty xarray compute with a null pointer.
    const auto nothing = thirds({2, 0});
    REQUIRE(nothing.begin() == nothing.end());
    REQUIRE(nothing.rbegin() == nothing.rend());
}

TEST_CASE("a mask iterates broadcast to a larger shape, in any order", "[mask]") {
    const std::vector<std::size_t> shape = {2, 3, 4};
    for (const auto& from :
         std::vector<std::vector<std::size_t>>{{}, {4}, {1}, {3, 4}, {3, 1}, {1, 4}, {2, 1, 4}}) {
        const auto m = thirds(from);
        const xt::xarray<bool> b = m;
        constexpr auto rows = xt::layout_type::row_major;
        constexpr auto columns = xt::layout_type::column_major;
        CAPTURE(from);
        const xt::xarray<bool> all = xt::broadcast(b, shape);
        REQUIRE(std::equal(m.begin<rows>(shape), m.end<rows>(shape), all.begin(), all.end()));
        REQUIRE(std::equal(m.rbegin<rows>(shape), m.rend<rows>(shape), all.rbegin(), all.rend()));
        REQUIRE(std::equal(
            m.begin<columns>(shape), m.end<columns>(shape), all.begin<columns>(), all.end<columns>()
        ));
        REQUIRE(std::equal(
            m.rbegin<columns>(shape), m.rend<columns>(shape), all.rbegin<columns>(),
            all.rend<columns>()
        ));
    }
}

TEST_CASE("a mask is copied and moved as a value", "[mask]") {
    auto a = thirds({2, 5});
    const auto b = a;
    const auto c = std::move(a);
    oracle::require_mask(b, expected_thirds({2, 5}));
    oracle::require_mask(c, expected_thirds({2, 5}));
    auto d = thirds({1});
    d = c;
    oracle::require_mask(d, expected_thirds({2, 5}));
}
