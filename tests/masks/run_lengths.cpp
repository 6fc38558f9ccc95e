// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/run_lengths.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"

using numbers = std::vector<std::size_t>;

namespace {
/// The run lengths of elements, by a loop.
numbers expected_of(const std::vector<char>& all) {
    numbers expected = {0};
    char kept = 0;
    for (const char element : all) {
        if (element != kept) {
            expected.push_back(0);
            kept = element;
        }
        ++expected.back();
    }
    return expected;
}

template <class M>
void require_identity(const M& m) {
    const auto all = oracle::elements(m);
    const xmask::run_lengths runs = xmask::run_lengths_of(m);
    REQUIRE(runs.shape == std::vector<std::size_t>(m.shape().begin(), m.shape().end()));
    REQUIRE(runs.counts == expected_of(all));
    const auto back = xmask::keep_run_lengths(runs);
    oracle::require_words(back, all);
    REQUIRE(xmask::run_lengths_of(back) == runs);
}
} // namespace

TEST_CASE("Masks become run lengths and come back", "[run_lengths]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        require_identity(xmask::keep_where(oracle::random<bool>({3, n}, 4)));
        require_identity(xmask::keep_all({2, n}));
        require_identity(xmask::keep_none({2, n}));
        require_identity(xmask::keep_lengths({n, n, std::size_t(0), n / 2, n}, n));
        if (n != 0) {
            for (const xmask::bitmask& m : kinds::stored(n, 6)) {
                require_identity(m);
            }
        }
    }
    for (const auto& shape :
         std::vector<std::vector<std::size_t>>{{}, {1}, {2, 3, 5}, {3, 1, 1}, {0, 3}, {3, 0}}) {
        require_identity(xmask::keep_where(oracle::random<bool>(shape, 5)));
    }
    require_identity(xmask::keep_causal(70, 65));
    require_identity(xmask::keep_window(130, 130, 3, 1));
}

TEST_CASE("Run lengths answer as masks do", "[run_lengths]") {
    oracle::require_mask(xmask::keep_run_lengths({1, 4, 3}, {2, 4}), {0, 1, 1, 1, 1, 0, 0, 0});
    REQUIRE(
        xmask::run_lengths_of(xmask::keep_lengths({2, 4, 0}, 4)).counts == numbers{0, 2, 2, 4, 4}
    );
    // Zeros anywhere, and other types.
    oracle::require_mask(xmask::keep_run_lengths({0, 2, 0, 1, 1, 0}, 4), {1, 1, 1, 0});
    oracle::require_mask(
        xmask::keep_run_lengths(std::vector<std::uint8_t>{3, 0, 1}, {2, 2}), {0, 0, 0, 0}
    );
    const xt::xtensor<std::int64_t, 1> table = {2, 1};
    oracle::require_mask(xmask::keep_run_lengths(table, numbers{3}), {0, 0, 1});
    oracle::require_mask(xmask::keep_run_lengths(std::vector<int>(), {0, 4}), {});
    // Runs of many words, over many rows.
    const auto m = xmask::keep_run_lengths({100, 1000, 100, 800}, {10, 200});
    REQUIRE(oracle::solid_of(m.row(1), 200) == xmask::column_range{0, 200});
    REQUIRE(oracle::extent_of(m.row(0), 200) == xmask::column_range{100, 200});
    REQUIRE(oracle::extent_of(m.row(5), 200) == xmask::column_range{0, 100});
    REQUIRE(oracle::solid_of(m.row(6), 200) == xmask::column_range{0, 200});
    REQUIRE(xmask::count_kept(m) == 1800);
    REQUIRE(
        xmask::bitmask(m && xmask::keep_lengths({70}, 200)) ==
        xmask::bitmask(xmask::keep_lengths({70}, 200) && m)
    );
    // No more memory than the runs take.
    REQUIRE(
        xmask::count_kept(
            xmask::keep_run_lengths({1ull << 59, 1ull << 60, 1ull << 59}, {1ull << 31, 1ull << 30})
        ) == 1ull << 60
    );
    REQUIRE(
        xmask::run_lengths_of(xmask::keep_causal(3, 3)) ==
        xmask::run_lengths{{3, 3}, {0, 1, 2, 2, 1, 3}}
    );
    REQUIRE(
        xmask::run_lengths_of(xmask::keep_all({2, 2})) != xmask::run_lengths_of(xmask::keep_all(4))
    );
}

TEST_CASE("Counts that do not fill a mask are refused", "[run_lengths]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_run_lengths({1, 2}, {2, 2}),
        "xmask::keep_run_lengths: the counts add up to 3; a mask of shape (2, 2) has 4 elements"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_run_lengths({1, 2, 2}, {2, 2}),
        "xmask::keep_run_lengths: count 2 at position 2 is outside of [0, 1], the elements that are left"
    );
    REQUIRE_THROWS_AS(xmask::keep_run_lengths({5, -1}, 4), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::keep_run_lengths({1, -1, 4}, 4), std::out_of_range);
    REQUIRE_THROWS_AS(
        xmask::keep_run_lengths(xt::xtensor<int, 2>{{1, 2}}, 3), std::invalid_argument
    );
    REQUIRE_THROWS_AS(xmask::keep_run_lengths(std::vector<int>(), 3), std::invalid_argument);
}
