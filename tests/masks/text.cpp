// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/text.hpp>

#include "support/oracle.hpp"

namespace {
std::string repeated(const std::string& text, std::size_t count) {
    std::string all;
    for (std::size_t k = 0; k < count; ++k) {
        all += text;
    }
    return all;
}
} // namespace

TEST_CASE("a mask is drawn row by row", "[text]") {
    REQUIRE(xmask::to_string(xmask::keep_lengths({3, 1}, 4)) == "███·\n█···\n");
    REQUIRE(xmask::to_string(xmask::keep_indices({0, 2}, 3)) == "█·█\n");
    REQUIRE(xmask::to_string(xmask::keep_all({})) == "█\n");
    REQUIRE(xmask::to_string(xmask::keep_none({})) == "·\n");
}

TEST_CASE("a mask is written to a stream as it is drawn", "[text]") {
    std::ostringstream out;
    out << xmask::keep_last({2}, 3) << xmask::bitmask(xmask::keep_lengths({2}, 3)) << '!';
    REQUIRE(out.str() == "·██\n██·\n!");
}

TEST_CASE("matrices of a stack stand apart", "[text]") {
    const xt::xtensor<int, 2> lengths = {{1, 2}, {0, 3}};
    REQUIRE(xmask::to_string(xmask::keep_lengths(lengths, 3)) == "█··\n██·\n\n···\n███\n");
    const xt::xtensor<int, 3> stack = {{{1}, {0}}, {{0}, {1}}};
    REQUIRE(xmask::to_string(xmask::keep_lengths(stack, 1)) == "█\n\n·\n\n·\n\n█\n");
}

TEST_CASE("an empty mask is no picture", "[text]") {
    REQUIRE(xmask::to_string(xmask::keep_all({0, 3})).empty());
    REQUIRE(xmask::to_string(xmask::keep_all({3, 0})).empty());
    REQUIRE(xmask::to_string(xmask::keep_all({0, 100})).empty());
    REQUIRE(xmask::to_string(xmask::keep_all({2, 0, 100})).empty());
}

TEST_CASE("a mask as wide and high as fits is drawn whole", "[text]") {
    REQUIRE(xmask::to_string(xmask::keep_all({40, 80})) == repeated(repeated("█", 80) + "\n", 40));
    REQUIRE(xmask::to_string(xmask::keep_all({2, 3}), {.width = 3, .height = 2}) == "███\n███\n");
}

TEST_CASE("a wide mask is folded, to its last column", "[text]") {
    // Tiles of 2, the last one of 1.
    REQUIRE(
        xmask::to_string(xmask::keep_lengths({0, 1, 2, 5, 6, 7}, 7), {.width = 4, .height = 6}) ==
        "····\n▒···\n█···\n██▒·\n███·\n████\n"
        "(each character is a tile of 1 x 2 elements: █ 10 full, ▒ 2 partial, · 12 empty)\n"
    );
    // Tiles that begin and end inside words.
    REQUIRE(
        xmask::to_string(xmask::keep_indices({99, 100, 298}, 300), {.width = 3, .height = 1}) ==
        "▒▒▒\n"
        "(each character is a tile of 1 x 100 elements: █ 0 full, ▒ 3 partial, · 0 empty)\n"
    );
    REQUIRE(
        xmask::to_string(xmask::keep_lengths({200}, 300), {.width = 3, .height = 1}) ==
        "██·\n"
        "(each character is a tile of 1 x 100 elements: █ 2 full, ▒ 0 partial, · 1 empty)\n"
    );
    REQUIRE(
        xmask::to_string(xmask::keep_all({1, 81})) ==
        repeated("█", 41) +
            "\n"
            "(each character is a tile of 1 x 2 elements: █ 41 full, ▒ 0 partial, · 0 empty)\n"
    );
}

TEST_CASE("a high mask is folded, to its last row", "[text]") {
    REQUIRE(
        xmask::to_string(xmask::keep_lengths({2, 2, 1, 0, 2}, 2), {.width = 2, .height = 3}) ==
        "██\n▒·\n██\n"
        "(each character is a tile of 2 x 1 elements: █ 4 full, ▒ 1 partial, · 1 empty)\n"
    );
    // The matrices of a folded stack are not separated.
    REQUIRE(
        xmask::to_string(xmask::keep_all({2, 2, 1}), {.width = 1, .height = 2}) ==
        "█\n█\n"
        "(each character is a tile of 2 x 1 elements: █ 2 full, ▒ 0 partial, · 0 empty)\n"
    );
    REQUIRE(
        xmask::to_string(xmask::keep_lengths({1, 3}, 3), {.width = 0, .height = 0}) ==
        "▒\n"
        "(each character is a tile of 2 x 3 elements: █ 0 full, ▒ 1 partial, · 0 empty)\n"
    );
}
