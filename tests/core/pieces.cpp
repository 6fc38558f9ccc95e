// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/core/pieces.hpp>

namespace detail = xmask::detail;

namespace {
/// Fails unless the pieces hold each column of each row once, in row-major order, and have about
/// the wanted number of elements.
void require_cut(const detail::pieces& all, std::size_t rows, std::size_t n, bool whole_rows) {
    std::size_t next = 0; // the next element in row-major order
    bool in_order = true;
    bool sized = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const detail::piece part = all[i];
        in_order = in_order && part.first_row * n + part.begin == next;
        in_order = in_order && part.first_row < part.last_row && part.begin < part.end;
        in_order = in_order && part.last_row <= rows && part.end <= n;
        // Several rows have all columns; one row may have a part of them.
        const bool whole = part.begin == 0 && part.end == n;
        in_order = in_order && (whole || part.last_row == part.first_row + 1);
        in_order = in_order && (whole || !whole_rows);
        const std::size_t elements = (part.last_row - part.first_row) * (part.end - part.begin);
        const bool last = part.last_row == rows || part.end == n;
        sized = sized && (elements <= detail::piece_elements || (whole_rows && whole));
        sized = sized && (last || 2 * elements > detail::piece_elements || whole_rows);
        next += elements;
    }
    CAPTURE(rows, n);
    REQUIRE(in_order);
    REQUIRE(sized);
    REQUIRE(next == rows * n);
    REQUIRE(all.whole().first_row == 0);
    REQUIRE(all.whole().last_row == rows);
    REQUIRE(all.whole().begin == 0);
    REQUIRE(all.whole().end == n);
    REQUIRE(all.worth_threads() == (rows * n >= detail::threaded_elements && all.size() > 1));
}
} // namespace

TEST_CASE("pieces hold every element once, in order", "[pieces]") {
    constexpr std::size_t most = detail::piece_elements;
    for (const std::size_t n :
         {std::size_t(0), std::size_t(1), std::size_t(3), std::size_t(1000), most - 1, most,
          most + 1, 2 * most, 5 * most + 7}) {
        for (const std::size_t rows : {0u, 1u, 2u, 3u, 65u, 66u, 500u}) {
            require_cut(detail::pieces(rows, n), rows, n, false);
            require_cut(detail::pieces::of_whole_rows(rows, n), rows, n, true);
        }
    }
    // Rows that fill a piece exactly, and one more.
    require_cut(detail::pieces(2 * most, 1), 2 * most, 1, false);
    require_cut(detail::pieces(2 * most + 1, 1), 2 * most + 1, 1, false);
    REQUIRE(detail::pieces(2 * most, 1).size() == 2);
    REQUIRE(detail::pieces(2 * most + 1, 1).size() == 3);
    REQUIRE(detail::pieces(1, 2 * most).size() == 2);
    REQUIRE(detail::pieces(3, 2 * most + 1).size() == 9);
    REQUIRE(detail::pieces(65, 1000).size() == 1);
    REQUIRE(detail::pieces(66, 1000).size() == 2);
    REQUIRE(detail::pieces::of_whole_rows(3, 2 * most).size() == 3);
}

TEST_CASE("of several pieces that throw, the first one's exception counts", "[pieces]") {
    const auto thrown_by = [](const std::vector<std::size_t>& order) {
        detail::first_thrown thrown;
        for (const std::size_t i : order) {
            const auto f = [](std::size_t piece) {
                if (piece % 2 == 1) {
                    throw std::runtime_error(std::to_string(piece));
                }
            };
            thrown.guard(i, f);
        }
        thrown.rethrow();
    };
    REQUIRE_THROWS_WITH(thrown_by({0, 5, 3, 2, 7}), "3");
    REQUIRE_THROWS_WITH(thrown_by({1, 3, 5}), "1");
    REQUIRE_THROWS_WITH(thrown_by({9, 7, 5, 3}), "3");
    REQUIRE_NOTHROW(thrown_by({0, 2, 4}));
    REQUIRE_NOTHROW(thrown_by({}));
}
