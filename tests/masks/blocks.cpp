// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/blocks.hpp>

using xmask::block_options;
using xmask::random_length;

namespace {
struct rectangle {
    std::size_t top, left, height, width;
};

/// The only block of an image. Fails unless the kept elements are a rectangle.
rectangle block_of(const xmask::bitmask& m, std::size_t image) {
    const std::size_t rows = m.shape()[1];
    const std::size_t columns = m.shape()[2];
    std::size_t top = rows;
    std::size_t left = columns;
    std::size_t bottom = 0;
    std::size_t right = 0;
    std::size_t count = 0;
    for (std::size_t y = 0; y < rows; ++y) {
        for (std::size_t x = 0; x < columns; ++x) {
            if (m(image, y, x)) {
                top = std::min(top, y);
                left = std::min(left, x);
                bottom = std::max(bottom, y + 1);
                right = std::max(right, x + 1);
                ++count;
            }
        }
    }
    REQUIRE(count > 0);
    REQUIRE(count == (bottom - top) * (right - left));
    return {top, left, bottom - top, right - left};
}

std::string text_of(const xmask::bitmask& m) {
    std::string text;
    for (const char kept : oracle::elements(m)) {
        text += kept != 0 ? '1' : '0';
    }
    return text;
}
} // namespace

TEST_CASE("A block is a rectangle of whole patches", "[blocks]") {
    for (const std::size_t patch : {1u, 3u, 11u}) {
        const xmask::bitmask m = xmask::keep_blocks(
            {200, 6 * patch, 7 * patch},
            {.patch_height = patch,
             .patch_width = patch,
             .height = random_length::uniform(2, 4),
             .width = random_length::uniform(1, 9)},
            7
        );
        std::vector<double> heights(5);
        std::vector<double> widths(8);
        for (std::size_t image = 0; image < 200; ++image) {
            const rectangle block = block_of(m, image);
            REQUIRE(block.top % patch == 0);
            REQUIRE(block.left % patch == 0);
            REQUIRE(block.height % patch == 0);
            REQUIRE(block.width % patch == 0);
            ++heights.at(block.height / patch);
            ++widths.at(block.width / patch);
        }
        REQUIRE(heights[0] + heights[1] == 0);
        REQUIRE(widths[0] == 0);
        chance::require_even({heights[2], heights[3], heights[4]});
        // Of 9 lengths, the three largest are cut to 7.
        chance::require_even(
            {widths[1], widths[2], widths[3], widths[4], widths[5], widths[6], widths[7] / 3}
        );
    }
}

TEST_CASE("Blocks have the area and the aspect that are asked for", "[blocks]") {
    // 100 x 400 patches, so that rounding matters little.
    const xmask::bitmask m =
        xmask::keep_blocks({100, 100, 400}, {.area = {0.05, 0.1}, .aspect = {0.5, 2}}, 3);
    double areas = 0;
    double aspects = 0;
    for (std::size_t image = 0; image < 100; ++image) {
        const rectangle block = block_of(m, image);
        const auto height = static_cast<double>(block.height);
        const auto width = static_cast<double>(block.width);
        const double area = height * width / 40000;
        REQUIRE(area > 0.05 * 0.96);
        REQUIRE(area < 0.1 * 1.04);
        REQUIRE(height / width > 0.5 * 0.96);
        REQUIRE(height / width < 2 * 1.04);
        areas += area;
        aspects += height / width;
    }
    // The distribution is uniform: the mean is the middle, within standard deviations of 0.0014 and
    // 0.043.
    REQUIRE(std::abs(areas / 100 - 0.075) < 0.007);
    REQUIRE(std::abs(aspects / 100 - 1.25) < 0.2);
    // Rounded to whole patches, cut where a side is too long, and never empty.
    const rectangle half = block_of(xmask::keep_blocks({1, 14, 14}, {.area = 0.25}, 1), 0);
    REQUIRE((half.height == 7 && half.width == 7));
    const rectangle flat = block_of(xmask::keep_blocks({1, 4, 100}, {.area = 0.5}, 1), 0);
    REQUIRE((flat.height == 4 && flat.width == 14));
    const rectangle small =
        block_of(xmask::keep_blocks({1, 4, 4}, {.area = 1e-9, .aspect = 1e300}, 1), 0);
    REQUIRE((small.height == 4 && small.width == 1));
    REQUIRE(xmask::all_kept(xmask::keep_blocks({1, 5, 5}, {.area = 1}, 1)));
}

TEST_CASE("Every place of a block is equally likely, and images are independent", "[blocks]") {
    // 2 x 3 in 4 x 6: 12 places.
    const xmask::bitmask m = xmask::keep_blocks({4800, 4, 6}, {.height = 2, .width = 3}, 1);
    std::vector<double> places(12);
    std::vector<double> pairs(144);
    std::size_t before = 0;
    for (std::size_t image = 0; image < 4800; ++image) {
        const rectangle block = block_of(m, image);
        const std::size_t place = block.top * 4 + block.left;
        ++places.at(place);
        ++pairs.at(place * 12 + before);
        before = place;
    }
    chance::require_even(places);
    chance::require_even(pairs);
}

TEST_CASE("Several blocks are the union of single ones", "[blocks]") {
    const auto blocks = [](std::size_t count) {
        return xmask::keep_blocks(
            {50, 30, 40}, {.count = count, .patch_width = 2, .height = 5, .width = 4}, 6
        );
    };
    REQUIRE_FALSE(xmask::any_kept(blocks(0)));
    xmask::bitmask fewer = blocks(0);
    for (std::size_t count = 1; count < 6; ++count) {
        const xmask::bitmask more = blocks(count);
        xmask::bitmask common = more;
        common &= fewer;
        REQUIRE(common == fewer);
        // The next block adds at most its own area, and in some image all of it.
        std::size_t most = 0;
        for (std::size_t image = 0; image < 50; ++image) {
            std::size_t added = 0;
            for (std::size_t y = 0; y < 30; ++y) {
                for (std::size_t x = 0; x < 40; ++x) {
                    added += static_cast<std::size_t>(more(image, y, x) && !fewer(image, y, x));
                }
            }
            most = std::max(most, added);
        }
        REQUIRE(most == 5 * 8);
        fewer = more;
    }
}

TEST_CASE("Every way to ask for blocks gives the same bits", "[blocks]") {
    for (const std::size_t columns : {1u, 3u, 63u, 64u, 65u, 130u, 4097u}) {
        CAPTURE(columns);
        const auto m = xmask::keep_blocks(
            {2, 5, columns}, {.count = 3, .area = {0.1, 0.3}, .aspect = {0.1, 1}}, 3
        );
        oracle::require_words(m, chance::one_by_one(m));
        chance::require_any_order(m);
    }
    const auto m = xmask::keep_blocks(
        {2, 2, 8, 70}, {.count = 2, .patch_height = 2, .patch_width = 5, .area = 0.3}, 3
    );
    oracle::require_mask(m, chance::one_by_one(m));
    REQUIRE(xmask::count_kept(xmask::keep_blocks({0, 4, 4}, {.area = 0.5}, 1)) == 0);
    REQUIRE(xmask::keep_blocks({3, 0, 4}, {.area = 0.5}, 1).size() == 0);
    REQUIRE(xmask::count_kept(xmask::keep_blocks({3, 4, 0}, {.height = 2, .width = 2}, 1)) == 0);
}

TEST_CASE("Blocks of known seeds", "[blocks]") {
    // The drawn masks must be the same on every machine and in every version.
    const xmask::bitmask sides =
        xmask::keep_blocks({4, 5}, {.count = 2, .height = 2, .width = 2}, 1);
    REQUIRE(text_of(sides) == "00111001110000000000");
    const xmask::bitmask areas =
        xmask::keep_blocks({6, 6}, {.count = 2, .area = {0.1, 0.3}, .aspect = {0.5, 2}}, 1);
    REQUIRE(text_of(areas) == "001110001110001110000110000000000000");
}

TEST_CASE("Blocks that can't be are refused", "[blocks]") {
    const std::string either =
        "xmask::keep_blocks: give either the area of a block, or its height and its width";
    REQUIRE_THROWS_WITH(xmask::keep_blocks({4, 4}, {}, 1), either);
    REQUIRE_THROWS_WITH(xmask::keep_blocks({4, 4}, {.height = 2}, 1), either);
    REQUIRE_THROWS_WITH(xmask::keep_blocks({4, 4}, {.area = 0.5, .width = 2}, 1), either);
    REQUIRE_THROWS_WITH(
        xmask::keep_blocks({4, 4}, {.area = 0.5, .height = 2, .width = 2}, 1), either
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_blocks({4, 4}, {.area = {0.5, 1.5}}, 1),
        "xmask::keep_blocks: area from 0.5 to 1.5; expected two numbers above 0, at most 1, in order"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_blocks({4, 4}, {.area = 0.5, .aspect = {2, 1}}, 1),
        "xmask::keep_blocks: aspect from 2 to 1; expected two numbers above 0, in order"
    );
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const xmask::random_real bad :
         {xmask::random_real(-0.5), xmask::random_real(nan), xmask::random_real(0, 0.5)}) {
        REQUIRE_THROWS_AS(xmask::keep_blocks({4, 4}, {.area = bad}, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(
            xmask::keep_blocks({4, 4}, {.area = 0.5, .aspect = bad}, 1), std::invalid_argument
        );
    }
    REQUIRE_THROWS_AS(
        xmask::keep_blocks(
            {4, 4}, {.area = 0.5, .aspect = std::numeric_limits<double>::infinity()}, 1
        ),
        std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_blocks({4, 5}, {.patch_width = 2, .area = 0.5}, 1),
        "xmask::keep_blocks: images of 4 x 5 are not whole patches of 1 x 2"
    );
    REQUIRE_THROWS_AS(xmask::keep_blocks(5, {.area = 0.5}, 1), std::invalid_argument);
}
