// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/random_subset.hpp>

namespace {
/// The columns of a subset of k of n, one by one.
std::vector<std::size_t> kept_of(std::size_t n, std::size_t k, std::uint64_t seed) {
    const xmask::bitmask m = xmask::keep_random_k(n, k, seed);
    std::vector<std::size_t> kept;
    for (std::size_t c = 0; c < n; ++c) {
        if (m(c)) {
            kept.push_back(c);
        }
    }
    return kept;
}
} // namespace

TEST_CASE("A random subset of each row has exactly k elements", "[random_subset]") {
    for (const std::size_t n :
         {1u, 2u, 3u, 63u, 64u, 65u, 66u, 71u, 72u, 127u, 128u, 129u, 255u, 256u, 300u, 1000u, 4097u
         }) {
        for (const std::size_t k : {std::size_t(0), std::size_t(1), n / 3, n / 2, n - 1, n}) {
            CAPTURE(n, k);
            const auto m = xmask::keep_random_k({5, n}, k, n + k);
            const auto counts = xmask::count_kept(m, 1);
            REQUIRE(std::all_of(counts.begin(), counts.end(), [&](auto count) {
                return count == k;
            }));
        }
    }
    // Every shuffle of every size around powers of 4, at which the halves grow, is a permutation.
    for (std::size_t n = 65; n < 300; ++n) {
        xmask::detail::shuffle shuffle(n);
        shuffle.set_key(xmask::detail::row_stream(n, 0));
        std::vector<std::size_t> images(n);
        for (std::size_t i = 0; i < n; ++i) {
            images[i] = static_cast<std::size_t>(shuffle(i));
        }
        std::sort(images.begin(), images.end());
        std::vector<std::size_t> all(n);
        std::iota(all.begin(), all.end(), std::size_t(0));
        REQUIRE(images == all);
    }
}

TEST_CASE("A random fraction of everything is exact", "[random_subset]") {
    for (const std::size_t n : {1u, 7u, 64u, 65u, 200u}) {
        for (const double fraction : {0., 0.1, 0.5, 0.77, 1.}) {
            CAPTURE(n, fraction);
            const auto m = xmask::keep_random_fraction({3, 2, n}, fraction, 11);
            REQUIRE(
                xmask::count_kept(m) ==
                static_cast<std::size_t>(std::llround(fraction * static_cast<double>(m.size())))
            );
        }
    }
    REQUIRE(xmask::count_kept(xmask::keep_random_fraction({1000, 1000}, 0.123456, 1)) == 123456);
    // The elements do not depend on the shape.
    const xmask::bitmask flat = xmask::keep_random_fraction(600, 0.3, 5);
    const xmask::bitmask deep = xmask::keep_random_fraction({4, 3, 50}, 0.3, 5);
    REQUIRE(oracle::elements(flat) == oracle::elements(deep));
}

TEST_CASE("Every way to ask for a random subset gives the same bits", "[random_subset]") {
    for (const std::size_t n : {1u, 63u, 64u, 65u, 130u, 4097u}) {
        CAPTURE(n);
        const auto rows = xmask::keep_random_k({3, n}, n / 3, 8);
        oracle::require_mask(rows, chance::one_by_one(rows));
        chance::require_any_order(rows);
        const auto whole = xmask::keep_random_fraction({3, n}, 0.4, 8);
        oracle::require_mask(whole, chance::one_by_one(whole));
        chance::require_any_order(whole);
    }
    REQUIRE(xmask::keep_random_k({2, 0}, 0, 1).size() == 0);
    REQUIRE(xmask::count_kept(xmask::keep_random_fraction({0, 5}, 0.5, 1)) == 0);
    REQUIRE(xmask::count_kept(xmask::keep_random_k(std::vector<std::size_t>{}, 1, 1)) == 1);
}

TEST_CASE("Random subsets of known seeds", "[random_subset]") {
    // The drawn masks must be the same on every machine and in every version.
    REQUIRE(kept_of(20, 5, 1) == std::vector<std::size_t>{2, 10, 15, 17, 19});
    REQUIRE(kept_of(100, 5, 1) == std::vector<std::size_t>{4, 16, 48, 58, 62});
}

TEST_CASE("A smaller subset of the same seed lies within a larger one", "[random_subset]") {
    for (const std::size_t n : {40u, 64u, 65u, 500u}) {
        xmask::bitmask smaller = xmask::keep_random_k({2, n}, 0, 3);
        for (std::size_t k = 1; k <= n; k += n / 10) {
            const xmask::bitmask larger = xmask::keep_random_k({2, n}, k, 3);
            xmask::bitmask common = larger;
            common &= smaller;
            REQUIRE(common == smaller);
            smaller = larger;
        }
    }
}

TEST_CASE("All subsets are equally likely", "[random_subset]") {
    // 3 of 8: 56 subsets, dealt. Of 10,000 draws each is expected 179 times.
    std::vector<double> subsets(512);
    for (std::size_t seed = 0; seed < 10000; ++seed) {
        std::size_t bits = 0;
        for (const std::size_t c : kept_of(8, 3, seed)) {
            bits |= std::size_t(1) << c;
        }
        ++subsets[bits];
    }
    std::erase(subsets, 0.);
    REQUIRE(subsets.size() == 56);
    chance::require_even(subsets);

    // 2 of 66, by the network: 2145 pairs. Of 20,000 rows each pair is expected in 9.
    const std::size_t n = 66;
    std::vector<double> pairs(n * n, -1);
    for (std::size_t i = 0; i < n; ++i) {
        std::fill(
            pairs.begin() + static_cast<std::ptrdiff_t>(i * n + i + 1),
            pairs.begin() + static_cast<std::ptrdiff_t>(i * n + n), 0.
        );
    }
    const auto drawn = xmask::keep_random_k({20000, n}, 2, 9);
    bool right = true;
    for (std::size_t r = 0; r < 20000; ++r) {
        const auto row = drawn.row(r);
        const std::uint64_t first = row.word(0);
        const std::uint64_t last = row.word(64);
        right = right && xmask::count_bits(first) + xmask::count_bits(last) == 2;
        const std::size_t i = first != 0 ? xmask::lowest_bit(first) : 64;
        const std::size_t j = xmask::count_bits(first) == 2
                                  ? xmask::lowest_bit(first & (first - 1))
                                  : 64 + xmask::lowest_bit(first == 0 ? last & (last - 1) : last);
        ++pairs[i * n + j];
    }
    REQUIRE(right);
    std::erase(pairs, -1.);
    REQUIRE(pairs.size() == n * (n - 1) / 2);
    chance::require_even(pairs);
}

TEST_CASE("Rows and seeds are independent of one another", "[random_subset]") {
    const std::size_t n = 1000;
    const xmask::bitmask rows = xmask::keep_random_k({40, n}, n / 2, 1);
    const xmask::bitmask other_seed = xmask::keep_random_k({40, n}, n / 2, 2);
    std::size_t with_next_row = 0;
    std::size_t with_seed = 0;
    for (std::size_t r = 0; r < 40; ++r) {
        for (std::size_t c = 0; c < n; ++c) {
            with_next_row += static_cast<std::size_t>(rows(r, c) == rows((r + 1) % 40, c));
            with_seed += static_cast<std::size_t>(rows(r, c) == other_seed(r, c));
        }
    }
    // Half of 40,000 agree, with a standard deviation of 100; the limit is six times that.
    for (const std::size_t agree : {with_next_row, with_seed}) {
        REQUIRE(agree > 19400);
        REQUIRE(agree < 20600);
    }
    // The columns of many rows are kept equally often.
    const auto columns = xmask::count_kept(xmask::keep_random_k({4000, 100}, 30, 4), 0);
    chance::require_even(std::vector<double>(columns.begin(), columns.end()));
}

TEST_CASE("Subsets that can't be are refused", "[random_subset]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_random_k({2, 6}, 7, 1),
        "xmask::keep_random_k: k 7 is outside of [0, 6], the length of a row"
    );
    REQUIRE_THROWS_AS(xmask::keep_random_k({2, 6}, 7, 1), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::keep_random_fraction({2, 6}, 1.5, 1),
        "xmask::keep_random_fraction: fraction is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_AS(
        xmask::keep_random_fraction(6, std::numeric_limits<double>::quiet_NaN(), 1),
        std::invalid_argument
    );
    const std::size_t far = (std::size_t(1) << 58) + 1;
    REQUIRE_THROWS_AS(xmask::keep_random_k(far, 1, 1), std::invalid_argument);
    // Much larger than memory, and still a mask.
    const auto vast = xmask::keep_random_k(far - 1, (far - 1) / 2, 1);
    std::size_t kept = 0;
    for (std::size_t c = far / 3; c < far / 3 + 6400; c += 64) {
        kept += xmask::count_bits(vast.row(0).word(c));
        REQUIRE(vast(c + 5) == ((vast.row(0).word(c) >> 5 & 1) != 0));
    }
    REQUIRE(kept > 2960);
    REQUIRE(kept < 3440);
}
