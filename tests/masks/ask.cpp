// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

TEST_CASE("count_kept counts the elements that are kept", "[ask]")
{
    REQUIRE(xmask::count_kept(xmask::keep_lengths({3, 1}, 4)) == 4);
    for (const std::size_t n : oracle::columns)
    {
        CAPTURE(n);
        const auto b = oracle::random<bool>({3, n}, 8);
        const auto all = oracle::elements(b);
        const auto expected = static_cast<std::size_t>(std::count(all.begin(), all.end(), 1));
        REQUIRE(xmask::count_kept(xmask::keep_where(b)) == expected);
        REQUIRE(xmask::count_kept(xmask::drop_where(b)) == 3 * n - expected);
        REQUIRE(xmask::count_kept(xmask::keep_all({3, n})) == 3 * n);
        REQUIRE(xmask::count_kept(xmask::keep_none({3, n})) == 0);
        // Extents that begin and end anywhere.
        for (const std::size_t length : {n, n / 2, n / 3, std::size_t(0)})
        {
            REQUIRE(xmask::count_kept(xmask::keep_last({length}, n)) == length);
            REQUIRE(xmask::count_kept(xmask::keep_lengths({length}, n)) == length);
        }
        if (n > 2)
        {
            REQUIRE(xmask::count_kept(xmask::keep_indices({n - 1, std::size_t(1)}, {5, n})) == 10);
        }
    }
    REQUIRE(xmask::count_kept(xmask::keep_all({0, 3})) == 0);
    REQUIRE(xmask::count_kept(xmask::keep_all({})) == 1);
    REQUIRE(xmask::count_kept(xmask::keep_none({})) == 0);
}

TEST_CASE("density is the share that is kept", "[ask]")
{
    REQUIRE(xmask::density(xmask::keep_lengths({3, 1}, 4)) == 0.5);
    REQUIRE(xmask::density(xmask::keep_all({2, 3})) == 1);
    REQUIRE(xmask::density(xmask::keep_none({2, 3})) == 0);
    REQUIRE(std::isnan(xmask::density(xmask::keep_all({2, 0}))));
    REQUIRE(std::isnan(xmask::density(xmask::keep_all({0, 2}))));
}
