// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/word.hpp>

using xmask::column_range;
using xmask::word_t;

TEST_CASE("a column range has a size, and ranges meet and join", "[word]") {
    STATIC_REQUIRE(column_range{}.size() == 0);
    STATIC_REQUIRE(column_range{2, 5}.size() == 3);
    STATIC_REQUIRE(column_range{5, 2}.size() == 0);

    STATIC_REQUIRE(xmask::intersection({2, 7}, {5, 9}) == column_range{5, 7});
    STATIC_REQUIRE(xmask::intersection({5, 9}, {2, 7}) == column_range{5, 7});
    STATIC_REQUIRE(xmask::intersection({0, 9}, {3, 4}) == column_range{3, 4});
    STATIC_REQUIRE(xmask::intersection({0, 3}, {5, 9}).size() == 0);
    STATIC_REQUIRE(xmask::intersection({5, 9}, {0, 3}).size() == 0);

    STATIC_REQUIRE(xmask::hull({2, 3}, {7, 9}) == column_range{2, 9});
    STATIC_REQUIRE(xmask::hull({7, 9}, {2, 3}) == column_range{2, 9});
    // An empty range adds nothing, whatever its ends.
    STATIC_REQUIRE(xmask::hull({4, 4}, {7, 9}) == column_range{7, 9});
    STATIC_REQUIRE(xmask::hull({7, 9}, {100, 100}) == column_range{7, 9});
    STATIC_REQUIRE(xmask::hull({0, 0}, {4, 4}).size() == 0);
}

TEST_CASE("an intersection never ends before it begins", "[word]") {
    for (std::size_t a = 0; a < 5; ++a) {
        for (std::size_t b = a; b < 5; ++b) {
            for (std::size_t c = 0; c < 5; ++c) {
                for (std::size_t d = c; d < 5; ++d) {
                    const auto both = xmask::intersection({a, b}, {c, d});
                    const auto either = xmask::hull({a, b}, {c, d});
                    REQUIRE(both.begin <= both.end);
                    for (std::size_t k = 0; k < 5; ++k) {
                        const bool in_first = a <= k && k < b;
                        const bool in_second = c <= k && k < d;
                        REQUIRE((both.begin <= k && k < both.end) == (in_first && in_second));
                        REQUIRE((!(in_first || in_second) || (either.begin <= k && k < either.end))
                        );
                    }
                }
            }
        }
    }
}

TEST_CASE("words count, and find their lowest bit", "[word]") {
    STATIC_REQUIRE(xmask::first_bits(0) == 0);
    STATIC_REQUIRE(xmask::first_bits(1) == 1);
    STATIC_REQUIRE(xmask::first_bits(63) == ~word_t(0) >> 1);
    STATIC_REQUIRE(xmask::first_bits(64) == ~word_t(0));
    STATIC_REQUIRE(xmask::first_bits(1000) == ~word_t(0));
    STATIC_REQUIRE(xmask::lowest_bit(1) == 0);
    STATIC_REQUIRE(xmask::lowest_bit(word_t(1) << 63) == 63);
    STATIC_REQUIRE(xmask::lowest_bit(0b1010'0000) == 5);
    STATIC_REQUIRE(xmask::count_bits(0) == 0);
    STATIC_REQUIRE(xmask::count_bits(~word_t(0)) == 64);
    STATIC_REQUIRE(xmask::count_bits(0b1010'0000) == 2);
}

TEST_CASE("a range as a word holds the columns that lie in it", "[word]") {
    for (const std::size_t begin :
         std::initializer_list<std::size_t>{0, 1, 5, 62, 63, 64, 65, 127, 128, 200}) {
        for (const std::size_t end :
             std::initializer_list<std::size_t>{0, 1, 5, 63, 64, 65, 128, 130, 300}) {
            for (const std::size_t c :
                 std::initializer_list<std::size_t>{0, 1, 2, 61, 63, 64, 65, 100, 128, 250, 1000}) {
                word_t expected = 0;
                for (std::size_t k = 0; k < 64; ++k) {
                    const bool inside = c + k >= begin && c + k < end;
                    expected |= word_t(inside) << k;
                }
                REQUIRE(xmask::range_word({begin, end}, c) == expected);
            }
        }
    }
}
