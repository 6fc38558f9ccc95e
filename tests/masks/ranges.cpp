// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/ranges.hpp>

namespace {
template <class B, class E>
std::vector<char> expected_of(const B& begin, const E& end, std::size_t n) {
    std::vector<char> expected;
    for (std::size_t r = 0; r < begin.size(); ++r) {
        for (std::size_t c = 0; c < n; ++c) {
            expected.push_back(
                c >= static_cast<std::size_t>(begin.flat(r)) &&
                c < static_cast<std::size_t>(end.flat(r))
            );
        }
    }
    return expected;
}
} // namespace

TEST_CASE("keep_ranges keeps one range of each row", "[ranges]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        xt::xtensor<int, 2> begin = xt::zeros<int>({2, 3});
        xt::xtensor<std::uint64_t, 2> end = xt::zeros<std::uint64_t>({2, 3});
        begin(0, 0) = static_cast<int>(n / 3);
        end(0, 0) = n;
        end(0, 1) = n / 2;
        begin(0, 2) = static_cast<int>(n);
        end(0, 2) = n;
        begin(1, 0) = static_cast<int>(n / 2);
        end(1, 0) = n / 2;
        end(1, 1) = n;
        begin(1, 2) = static_cast<int>(n / 4);
        end(1, 2) = n - n / 4;
        const auto m = xmask::keep_ranges(begin, end, n);
        REQUIRE(m.dimension() == 3);
        oracle::require_mask(m, expected_of(begin, end, n));
        const xt::xtensor<int, 2, xt::layout_type::column_major> turned = begin;
        oracle::require_words(xmask::keep_ranges(turned, 1 * end, n), expected_of(begin, end, n));
    }
    oracle::require_mask(xmask::keep_ranges({0, 1}, {2, 4}, 4), {1, 1, 0, 0, 0, 1, 1, 1});
    oracle::require_mask(
        xmask::keep_ranges(std::vector<short>{1}, std::vector<long>{3}, 3), {0, 1, 1}
    );
}

TEST_CASE("keep_ranges refuses what is no range of the row", "[ranges]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_ranges({0, 3}, {2, 2}, 4),
        "xmask::keep_ranges: the range [3, 2) of row 1 is not within [0, 4)"
    );
    REQUIRE_THROWS_AS(xmask::keep_ranges({0, -1}, {2, 2}, 4), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::keep_ranges({0, 0}, {2, 5}, 4), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::keep_ranges({0, 0}, {2}, 4), std::invalid_argument);
    // Bounds that change later are clamped to the row.
    xt::xtensor<int, 1> begin = {1};
    xt::xtensor<int, 1> end = {2};
    const auto m = xmask::keep_ranges(begin, end, 3);
    begin(0) = -4;
    end(0) = 100;
    oracle::require_mask(m, {1, 1, 1});
    end(0) = -3;
    oracle::require_mask(m, {0, 0, 0});
}

TEST_CASE("packed batches are padded, and their tokens know their sequence", "[ranges]") {
    oracle::require_mask(xmask::keep_packed({0, 2, 2, 5}, 4), {1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0});
    const std::vector<std::int32_t> cumulative = {0, 70, 71, 200};
    const xt::xtensor<int, 1> lengths = {70, 1, 129};
    oracle::require_mask(
        xmask::keep_packed(cumulative, 130), oracle::elements(xmask::keep_lengths(lengths, 130))
    );
    REQUIRE(xmask::segment_ids({0, 2, 3, 7}) == xt::xtensor<std::size_t, 1>{0, 0, 1, 2, 2, 2, 2});
    REQUIRE(xmask::segment_ids({0}).size() == 0);
    REQUIRE(xmask::keep_packed({0}, 3).size() == 0);
    REQUIRE_THROWS_WITH(
        xmask::keep_packed({0, 5, 4}, 9),
        "xmask::keep_packed: cumulative length 4 at position 2 is below the one before it, 5"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_packed({1, 2}, 4),
        "xmask::keep_packed: cumulative length 1 at position 0; expected 0"
    );
    REQUIRE_THROWS_WITH(
        xmask::segment_ids({-1, 2}),
        "xmask::segment_ids: cumulative length -1 at position 0; expected 0"
    );
    REQUIRE_THROWS_AS(xmask::segment_ids(std::vector<int>()), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::keep_packed({0, 2, 9}, 4),
        "xmask::keep_packed: length 7 of row 1 is outside of [0, 4]"
    );
}
