// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>

#include <xmask/core/block.hpp>
#include <xmask/core/walk.hpp>

namespace detail = xmask::detail;
using xmask::column_range;
using xmask::word_t;

namespace {
/// A cursor that keeps columns [kept.begin, kept.end), except every seventh outside of
/// [certain.begin, certain.end).
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

    [[nodiscard]] xmask::stretch at(std::size_t c) const {
        const auto known = detail::stretch_of(certain, c);
        if (known.kind == xmask::stretch_kind::kept) {
            return known;
        }
        const auto outer = detail::stretch_within(kept, c);
        return {std::min(outer.end, known.end), outer.kind};
    }
};

/// A delegate that notes its columns, and whether they came in order with the right bits.
template <bool AnyRange>
struct noting_delegate {
    const striped_cursor& cursor;
    std::size_t next;
    bool right = true;
    std::size_t whole_blocks = 0;

    template <class Count>
    void block(std::size_t c, Count count, word_t bits) {
        right = right && c == next && bits == (cursor.word(c) & xmask::first_bits(count));
        whole_blocks += std::is_same_v<Count, detail::whole_word> ? 1 : 0;
        next += count;
    }

    void dropped(std::size_t c, std::size_t end) { take(c, end, false); }

    void take(std::size_t c, std::size_t end, bool kept) {
        right = right && c == next && end > c;
        for (; c < end; ++c) {
            right = right && cursor.keeps(c) == kept;
        }
        next = end;
    }
};

struct any_range_delegate : noting_delegate<true> {
    static constexpr bool takes_any_range = true;

    void kept(std::size_t c, std::size_t end) { take(c, end, true); }
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
        for (const std::size_t begin : {std::size_t(0), std::min(n, std::size_t(70))}) {
            std::size_t next = begin;
            detail::for_each_block(begin, n, [&](std::size_t c, auto count) {
                REQUIRE(c == next);
                const bool whole = std::is_same_v<decltype(count), detail::whole_word>;
                REQUIRE(whole == (n - c >= 64));
                next += count;
            });
            REQUIRE(next == n);
        }
    }
}

TEST_CASE("a walk gives each column once, with its bit", "[block]") {
    const std::vector<column_range> ranges = {{0, 0},    {0, 300}, {0, 10},    {3, 200},
                                              {64, 128}, {70, 71}, {100, 299}, {130, 257}};
    for (const auto kept : ranges) {
        for (const auto certain : ranges) {
            for (const std::size_t start : std::initializer_list<std::size_t>{0, 5}) {
                for (const std::size_t end : std::initializer_list<std::size_t>{5, 60, 133, 300}) {
                    const striped_cursor cursor{kept, intersection(certain, kept)};
                    noting_delegate<false> blocks{cursor, start};
                    detail::walk(cursor, start, end, blocks);
                    REQUIRE(blocks.right);
                    REQUIRE(blocks.next == end);
                    any_range_delegate ranges_too{{cursor, start}};
                    detail::walk(cursor, start, end, ranges_too);
                    REQUIRE(ranges_too.right);
                    REQUIRE(ranges_too.next == end);
                }
            }
        }
    }
}
