// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <vector>

#include <catch2/catch_test_macros.hpp>

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
