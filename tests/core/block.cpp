// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>

#include <xmask/core/block.hpp>

namespace detail = xmask::detail;
using xmask::column_range;
using xmask::word_t;

namespace {
/// Keeps columns [kept.begin, kept.end) but for every seventh outside of [solid.begin, solid.end).
struct striped_cursor {
    column_range kept;
    column_range certain;

    [[nodiscard]] bool keeps(std::size_t c) const {
        const bool sure = c >= certain.begin && c < certain.end;
        return c >= kept.begin && c < kept.end && (sure || c % 7 != 0);
    }

    [[nodiscard]] word_t word(std::size_t c) const {
        word_t bits = 0;
        for (std::size_t k = 0; k < 64; ++k) {
            bits |= word_t(keeps(c + k)) << k;
        }
        return bits;
    }

    [[nodiscard]] column_range extent() const { return kept; }

    [[nodiscard]] column_range solid() const { return certain; }
};

/// A row whose columns are ready `step` at a time.
struct stepwise_row {
    striped_cursor keeps;
    std::size_t step;
    std::size_t begin = 0;
    std::size_t ready = 0;

    [[nodiscard]] const striped_cursor& cursor() const { return keeps; }

    std::size_t prepare(std::size_t c, std::size_t end) {
        begin = c;
        ready = std::min(end, c + step);
        return ready;
    }
};
} // namespace

TEMPLATE_TEST_CASE(
    "registers cover a block once, and only the last may be partial", "[block]", float, double,
    bool, int
) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (std::size_t count = 0; count <= 64; ++count) {
        std::size_t next = 0;
        detail::for_each_register<T>(count, [&](std::size_t k, auto full) {
            REQUIRE(k == next);
            REQUIRE(decltype(full)::value == (k + n <= count));
            next = k + n;
        });
        REQUIRE(next == (count + n - 1) / n * n);
    }
    std::size_t next = 0;
    detail::for_each_register<T>(detail::whole_word(), [&](std::size_t k, auto full) {
        STATIC_REQUIRE(decltype(full)::value);
        REQUIRE(k == next);
        next += n;
    });
    REQUIRE(next == 64);
}

TEST_CASE("blocks cover a row once", "[block]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 63, 64, 65, 130, 4097}) {
        for (const std::size_t step : std::initializer_list<std::size_t>{64, 512, 100000}) {
            for (const std::size_t begin : {std::size_t(0), std::min(n, std::size_t(70))}) {
                stepwise_row row{{}, step};
                std::size_t next = begin;
                detail::for_each_block(row, begin, n, [&](std::size_t c, auto count) {
                    REQUIRE(c == next);
                    REQUIRE((c >= row.begin && c + count <= row.ready));
                    const bool whole = std::is_same_v<decltype(count), detail::whole_word>;
                    REQUIRE(whole == (n - c >= 64));
                    next += count;
                });
                REQUIRE(next == n);
            }
        }
    }
}

TEST_CASE("a walk gives each block its word", "[block]") {
    const std::vector<column_range> ranges = {{0, 0},    {0, 300}, {0, 10},    {3, 200},
                                              {64, 128}, {70, 71}, {100, 299}, {130, 257}};
    for (const auto kept : ranges) {
        for (const auto certain : ranges) {
            for (const std::size_t step : std::initializer_list<std::size_t>{64, 128, 100000}) {
                for (const std::size_t start : std::initializer_list<std::size_t>{0, 5}) {
                    stepwise_row row{{kept, intersection(certain, kept)}, step};
                    std::size_t next = start;
                    bool right = true;
                    detail::walk_blocks(
                        row, start, 300,
                        [&](std::size_t c, auto count, word_t bits) {
                            right = right && c == next && c >= row.begin && c + count <= row.ready;
                            right = right && bits == (row.keeps.word(c) & xmask::first_bits(count));
                            next += count;
                        }
                    );
                    REQUIRE(right);
                    REQUIRE(next == 300);
                }
            }
        }
    }
}
