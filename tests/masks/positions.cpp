// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/kinds.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/positions.hpp>

namespace {
template <class M>
void check(const M& m) {
    const auto all = oracle::elements(m);
    std::vector<std::size_t> expected;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i] != 0) {
            expected.push_back(i);
        }
    }
    std::vector<std::size_t> visited;
    for (const std::size_t i : xmask::positions_of(m)) {
        visited.push_back(i);
    }
    REQUIRE(visited == expected);
    // All at once, and nothing behind them.
    xt::xtensor<std::size_t, 1> wide = 9 * xt::ones<std::size_t>({expected.size() + 1});
    xt::xtensor<int, 1> narrow = 9 * xt::ones<int>({expected.size() + 1});
    REQUIRE(xmask::positions_of(m, wide) == expected.size());
    REQUIRE(xmask::positions_of(m, narrow) == expected.size());
    REQUIRE(std::equal(expected.begin(), expected.end(), wide.begin()));
    REQUIRE(std::equal(expected.begin(), expected.end(), narrow.begin()));
    REQUIRE(wide(expected.size()) == 9);
    REQUIRE(narrow(expected.size()) == 9);
}
} // namespace

TEST_CASE("kept positions are visited in order", "[positions]") {
    for (const std::size_t n : {1u, 3u, 63u, 64u, 65u, 200u}) {
        CAPTURE(n);
        kinds::for_each(n, 9, [](const auto& m) { check(m); });
        check(xmask::keep_all({2, n}));
        check(xmask::keep_none({2, n}));
    }
    check(xmask::keep_all({}));
    check(xmask::keep_none({}));
    check(xmask::keep_all({0, 3}));
    check(xmask::keep_all({3, 0}));
    std::size_t sum = 0;
    for (const std::size_t i : xmask::positions_of(xmask::keep_lengths({1, 3}, 4))) {
        sum += i;
    }
    REQUIRE(sum == 0 + 4 + 5 + 6);
}

TEST_CASE("positions that do not fit are refused", "[positions]") {
    xt::xtensor<int, 1> two = {7, 7};
    REQUIRE_THROWS_WITH(
        xmask::positions_of(xmask::keep_all({3}), two),
        "xmask::positions_of: the mask keeps 3 elements; the output has room for 2"
    );
    xt::xtensor<std::int8_t, 1> narrow = xt::zeros<std::int8_t>({200});
    REQUIRE_THROWS_WITH(
        xmask::positions_of(xmask::keep_all({129}), narrow),
        "xmask::positions_of: position 128 does not fit into elements of 1 bytes"
    );
    REQUIRE(xmask::positions_of(xmask::keep_all({128}), narrow) == 128);
    REQUIRE(two(0) == 7);
    xt::xtensor<int, 2> columns = xt::zeros<int>({4, 2});
    auto second = xt::view(columns, xt::all(), 1);
    REQUIRE(xmask::positions_of(xmask::keep_lengths({1, 2}, 3), second) == 3);
    REQUIRE(second == xt::xtensor<int, 1>{0, 3, 4, 0});
}
