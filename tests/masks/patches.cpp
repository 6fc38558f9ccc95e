// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/patches.hpp>

namespace {
/// The patches of one image, '1' where kept. Fails unless each patch is kept or dropped as a whole.
std::string patches_of(
    const xmask::bitmask& m, std::size_t image, std::size_t patch_height, std::size_t patch_width
) {
    const std::size_t height = m.shape()[1];
    const std::size_t width = m.shape()[2];
    std::string patches;
    bool whole = true;
    for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
            const bool kept = m(image, y, x);
            if (y % patch_height == 0 && x % patch_width == 0) {
                patches += kept ? '1' : '0';
            }
            whole = whole && patches[y / patch_height * (width / patch_width) + x / patch_width] ==
                                 (kept ? '1' : '0');
            if (x + 1 == width && y % patch_height == 0) {
                REQUIRE(patches.size() == (y / patch_height + 1) * (width / patch_width));
            }
        }
    }
    REQUIRE(whole);
    return patches;
}

std::size_t count_of(const std::string& patches) {
    std::size_t count = 0;
    for (const char patch : patches) {
        count += static_cast<std::size_t>(patch == '1');
    }
    return count;
}
} // namespace

TEST_CASE("Patches are kept whole, exactly a fraction of each image's", "[patches]") {
    struct images {
        std::size_t height, width, patch_height, patch_width;
    };
    const std::vector<images> all = {{1, 1, 1, 1},       {6, 9, 2, 3},     {64, 64, 8, 8},
                                     {65, 130, 13, 1},   {30, 130, 3, 65}, {96, 96, 4, 16},
                                     {40, 200, 20, 100}, {9, 210, 3, 1}};
    for (const auto& [height, width, patch_height, patch_width] : all) {
        for (const double fraction : {0., 0.25, 0.5, 0.9, 1.}) {
            CAPTURE(height, width, patch_height, patch_width, fraction);
            const std::size_t patches = height / patch_height * (width / patch_width);
            const auto expected =
                static_cast<std::size_t>(std::llround(fraction * static_cast<double>(patches)));
            const xmask::bitmask m =
                xmask::keep_patches({3, height, width}, patch_height, patch_width, fraction, 5);
            for (std::size_t image = 0; image < 3; ++image) {
                REQUIRE(count_of(patches_of(m, image, patch_height, patch_width)) == expected);
            }
        }
    }
}

TEST_CASE("Every way to ask for patches gives the same bits", "[patches]") {
    const auto require_same = [](const auto& m) {
        oracle::require_words(m, chance::one_by_one(m));
        chance::require_any_order(m);
    };
    require_same(xmask::keep_patches({2, 4, 1}, 2, 1, 0.5, 3));
    require_same(xmask::keep_patches({2, 4, 63}, 2, 7, 0.5, 3));
    require_same(xmask::keep_patches({2, 3, 64}, 3, 16, 0.5, 3));
    require_same(xmask::keep_patches({2, 4, 65}, 2, 1, 0.5, 3));
    require_same(xmask::keep_patches({2, 4, 130}, 2, 65, 0.5, 3));
    require_same(xmask::keep_patches({4, 4097}, 1, 17, 0.3, 3));
    require_same(xmask::keep_patches({4, 4098}, 2, 1, 0.3, 3));
    const auto m = xmask::keep_patches({2, 2, 8, 70}, 4, 5, 0.6, 3);
    oracle::require_mask(m, chance::one_by_one(m));
    REQUIRE(xmask::count_kept(xmask::keep_patches({0, 4, 4}, 2, 2, 0.5, 1)) == 0);
    REQUIRE(xmask::keep_patches({3, 0, 4}, 2, 2, 0.5, 1).size() == 0);
    REQUIRE(xmask::keep_patches({3, 4, 0}, 2, 2, 0.5, 1).size() == 0);
}

TEST_CASE("An image's patches depend on its number, not on its place in a shape", "[patches]") {
    const xmask::bitmask deep = xmask::keep_patches({2, 3, 8, 8}, 2, 4, 0.5, 8);
    const xmask::bitmask wide = xmask::keep_patches({6, 8, 8}, 2, 4, 0.5, 8);
    REQUIRE(oracle::elements(deep) == oracle::elements(wide));
    // Nor does it depend on the size of a patch.
    const xmask::bitmask small = xmask::keep_patches({6, 4, 2}, 1, 1, 0.5, 8);
    for (std::size_t image = 0; image < 6; ++image) {
        REQUIRE(patches_of(small, image, 1, 1) == patches_of(wide, image, 2, 4));
    }
    // A smaller fraction keeps a subset.
    const xmask::bitmask more = xmask::keep_patches({6, 8, 8}, 2, 4, 0.75, 8);
    xmask::bitmask both = more;
    both &= wide;
    REQUIRE(both == wide);
}

TEST_CASE("All choices of patches are equally likely, and images independent", "[patches]") {
    // 3 of 6 patches: 20 choices.
    const xmask::bitmask m = xmask::keep_patches({6000, 4, 9}, 2, 3, 0.5, 1);
    std::map<std::string, double> choices;
    std::map<std::string, double> pairs;
    std::string before;
    for (std::size_t image = 0; image < 6000; ++image) {
        const std::string patches = patches_of(m, image, 2, 3);
        ++choices[patches];
        // The patches of one image and of the next are independent.
        ++pairs[before.substr(0, 1) + patches.substr(0, 1)];
        before = patches;
    }
    const auto counts_of = [](const std::map<std::string, double>& counted) {
        std::vector<double> counts;
        for (const auto& [text, count] : counted) {
            counts.push_back(count);
        }
        return counts;
    };
    REQUIRE(choices.size() == 20);
    chance::require_even(counts_of(choices));
    std::erase_if(pairs, [](const auto& pair) { return pair.first.size() != 2; });
    REQUIRE(pairs.size() == 4);
    chance::require_even(counts_of(pairs));
    // Each of 196 patches is kept equally often.
    const auto often = xmask::count_kept(xmask::keep_patches({2000, 14, 14}, 1, 1, 0.25, 2), {0});
    chance::require_even(std::vector<double>(often.begin(), often.end()));
}

TEST_CASE("Patches of known seeds", "[patches]") {
    // The drawn masks must be the same on every machine and in every version.
    const xmask::bitmask few = xmask::keep_patches({1, 8, 8}, 2, 2, 0.25, 1);
    REQUIRE(patches_of(few, 0, 2, 2) == "1000000000110001");
    const xmask::bitmask many = xmask::keep_patches({1, 9, 9}, 1, 1, 0.1, 1);
    REQUIRE(
        patches_of(many, 0, 1, 1) ==
        "000000000000010000100000000000000010000000000100000010001000000000000000011000000"
    );
}

TEST_CASE("Images that are not whole patches are refused", "[patches]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_patches({2, 30, 32}, 16, 16, 0.5, 1),
        "xmask::keep_patches: images of 30 x 32 are not whole patches of 16 x 16"
    );
    REQUIRE_THROWS_AS(xmask::keep_patches({2, 32, 30}, 16, 16, 0.5, 1), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::keep_patches({2, 32, 32}, 0, 16, 0.5, 1),
        "xmask::keep_patches: images of 32 x 32 are not whole patches of 0 x 16"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_patches(32, 1, 16, 0.5, 1),
        "xmask::keep_patches: a shape of 1 axes, (32,); expected (..., height, width)"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_patches({2, 32, 32}, 16, 16, -0.5, 1),
        "xmask::keep_patches: fraction is -0.5; expected 0 to 1"
    );
    REQUIRE_THROWS_AS(
        xmask::keep_patches({2, 32, 32}, 16, 16, std::numeric_limits<double>::quiet_NaN(), 1),
        std::invalid_argument
    );
}
