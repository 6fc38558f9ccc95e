// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

TEST_CASE("a flat position has one index", "[lazy]") {
    const auto x = oracle::random<int>(extents{2, 3, 4});
    const auto y = xmask::masked_fill(x, xmask::keep_above(x, 0), -9);
    std::size_t i = 0;
    for (std::size_t a = 0; a < 2; ++a) {
        for (std::size_t b = 0; b < 3; ++b) {
            for (std::size_t c = 0; c < 4; ++c, ++i) {
                REQUIRE(y.flat(i) == y(a, b, c));
                REQUIRE(y.flat(i) == (x(a, b, c) > 0 ? x(a, b, c) : -9));
            }
        }
    }
    const xt::xarray<int> one = 3;
    REQUIRE(xmask::masked_fill(one, xmask::keep_all(extents{}), 0).flat(0) == 3);
}

TEST_CASE("linear iterators are random access", "[lazy]") {
    const auto m = xmask::keep_lengths({2, 0, 3}, 3);
    const std::vector<bool> expected = {true, true, false, false, false, false, true, true, true};
    const auto begin = m.linear_begin();
    const auto end = m.linear_end();
    REQUIRE(end - begin == 9);
    REQUIRE(std::equal(begin, end, expected.begin(), expected.end()));
    REQUIRE(m.linear_cbegin() == begin);
    REQUIRE(m.linear_cend() == end);
    REQUIRE(begin + 9 == end);
    REQUIRE(9 + begin == end);
    REQUIRE(end - 9 == begin);
    REQUIRE(begin < end);
    REQUIRE(begin[1]);
    REQUIRE_FALSE(begin[2]);
    auto it = begin;
    REQUIRE(it++ == begin);
    REQUIRE(it == begin + 1);
    REQUIRE(*++it == false);
    REQUIRE(it-- == begin + 2);
    REQUIRE(*--it == true);
    REQUIRE(it == begin);
    it += 6;
    REQUIRE(*it);
    it -= 2;
    REQUIRE_FALSE(*it);
}

TEST_CASE("a lazy expression answers any number of indices, as xtensor's do", "[lazy]") {
    const xt::xtensor<int, 2> lengths = {{1, 2}, {3, 0}};
    const auto m = xmask::keep_lengths(lengths, 3);
    const xt::xarray<bool> b = m;
    for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 2; ++j) {
            for (std::size_t k = 0; k < 3; ++k) {
                REQUIRE(m(i, j, k) == b(i, j, k));
                REQUIRE(m.unchecked(i, j, k) == b(i, j, k));
                REQUIRE(m(7, i, j, k) == b(i, j, k));
                REQUIRE(m.at(i, j, k) == b(i, j, k));
                const std::array<std::size_t, 3> index = {i, j, k};
                REQUIRE(m[index] == b(i, j, k));
                REQUIRE(m.element(index.begin(), index.end()) == b(i, j, k));
                REQUIRE(m.flat((i * 2 + j) * 3 + k) == b(i, j, k));
                REQUIRE(m.periodic(i + 2, j + 4, k + 3) == b(i, j, k));
            }
            REQUIRE(m(i, j) == b(i, j));
        }
        REQUIRE(m(i) == b(i));
    }
    REQUIRE(m() == b());
    REQUIRE(m.in_bounds(1, 1, 2));
    REQUIRE_FALSE(m.in_bounds(1, 1, 3));
    REQUIRE_THROWS(m.at(2, 0, 0));
    REQUIRE(m.front() == b.front());
    REQUIRE(m.back() == b.back());
    REQUIRE(m.dimension() == 3);
    REQUIRE(m.size() == 12);
    REQUIRE(m.shape(2) == 3);
    REQUIRE(m.layout() == xt::layout_type::row_major);
}
