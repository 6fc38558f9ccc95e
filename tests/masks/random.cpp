// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/random.hpp>

namespace {
/// SplitMix64 as its authors wrote it.
struct splitmix64 {
    std::uint64_t state;

    std::uint64_t next() {
        std::uint64_t z = (state += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
};

std::vector<char> expected_of(
    std::size_t rows, std::size_t n, double probability, std::uint64_t seed
) {
    splitmix64 keys{splitmix64{seed}.next()};
    std::vector<char> expected;
    for (std::size_t r = 0; r < rows; ++r) {
        splitmix64 row{keys.next()};
        std::uint64_t numbers = 0;
        for (std::size_t c = 0; c < n; ++c) {
            numbers = c % 2 == 0 ? row.next() : numbers >> 32;
            expected.push_back(
                static_cast<double>(numbers & 0xffffffff) < probability * 4294967296.
            );
        }
    }
    return expected;
}
} // namespace

TEST_CASE("A random mask is a stream of SplitMix64 for each row", "[random]") {
    for (const std::size_t n : {0u, 1u, 2u, 63u, 64u, 65u, 127u, 200u}) {
        CAPTURE(n);
        oracle::require_mask(xmask::keep_random({3, n}, 0.25, 7), expected_of(3, n, 0.25, 7));
        oracle::require_words(
            xmask::keep_random(n, 0.75, 1234567890123), expected_of(1, n, 0.75, 1234567890123)
        );
    }
}

TEST_CASE("An element depends on its seed and position only", "[random]") {
    const xmask::bitmask wide = xmask::keep_random({4, 300}, 0.5, 3);
    const xmask::bitmask narrow = xmask::keep_random({2, 100}, 0.5, 3);
    const xmask::bitmask deep = xmask::keep_random({2, 2, 100}, 0.5, 3);
    const xmask::bitmask other = xmask::keep_random({4, 300}, 0.5, 4);
    bool same = true;
    std::size_t differ = 0;
    for (std::size_t r = 0; r < 4; ++r) {
        for (std::size_t c = 0; c < 100; ++c) {
            same = same && deep(r / 2, r % 2, c) == wide(r, c) &&
                   (r >= 2 || narrow(r, c) == wide(r, c));
            differ += static_cast<std::size_t>(other(r, c) != wide(r, c));
        }
    }
    REQUIRE(same);
    REQUIRE(differ > 150);
    REQUIRE(differ < 250);
}

TEST_CASE(
    "A random mask keeps the share that was asked for, row by row and column by column", "[random]"
) {
    for (const double probability : {0.01, 0.3, 0.9}) {
        const auto m = xmask::keep_random({400, 500}, probability, 99);
        const double sigma = std::sqrt(probability * (1 - probability));
        REQUIRE(std::abs(xmask::density(m) - probability) < 5 * sigma / std::sqrt(200000.));
        const auto rows = xmask::count_kept(m, 1);
        const auto columns = xmask::count_kept(m, 0);
        for (const auto count : rows) {
            REQUIRE(
                std::abs(static_cast<double>(count) / 500. - probability) <
                6 * sigma / std::sqrt(500.)
            );
        }
        for (const auto count : columns) {
            REQUIRE(
                std::abs(static_cast<double>(count) / 400. - probability) <
                6 * sigma / std::sqrt(400.)
            );
        }
    }
    REQUIRE(xmask::all_kept(xmask::keep_random({10, 100}, 1, 5)));
    REQUIRE_FALSE(xmask::any_kept(xmask::keep_random({10, 100}, 0, 5)));
}

TEST_CASE("A probability is one", "[random]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_random({2, 3}, 1.5, 1),
        "xmask::keep_random: probability is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_AS(xmask::keep_random({2, 3}, -0.1, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::keep_random(3, std::numeric_limits<double>::quiet_NaN(), 1), std::invalid_argument
    );
}
