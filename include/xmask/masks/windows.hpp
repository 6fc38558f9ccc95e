// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"

/// @file
/// Masks of attention in which a query sees one range of keys: causal, windows, chunks.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Farther than any row or column. No offset that is added to a column needs to be larger.
inline constexpr std::size_t far_away = std::numeric_limits<std::size_t>::max() / 4 + 1;

/// offset + count, at most far_away from 0.
[[nodiscard]] constexpr std::ptrdiff_t add_far(std::ptrdiff_t offset, std::size_t count) noexcept {
    const auto value = static_cast<std::size_t>(offset);
    if (offset < 0 && count < 0 - value) {
        return -static_cast<std::ptrdiff_t>(std::min(0 - value - count, far_away));
    }
    const std::size_t sum =
        offset < 0 ? value + count : std::min(value, far_away) + std::min(count, far_away);
    return static_cast<std::ptrdiff_t>(std::min(sum, far_away));
}

/// offset - count. ~x is -x - 1, which overflows for no x.
[[nodiscard]] constexpr std::ptrdiff_t subtract_far(
    std::ptrdiff_t offset, std::size_t count
) noexcept {
    return ~add_far(~offset, count);
}

/// i + offset, or 0 where that lies before the first key.
[[nodiscard]] constexpr std::size_t moved_by(std::size_t i, std::ptrdiff_t offset) noexcept {
    const auto by = static_cast<std::size_t>(offset);
    return offset < 0 ? i - std::min(i, 0 - by) : i + by;
}

/// The range of n keys that query i sees.
template <class P>
concept key_pattern = requires(const P& pattern, std::size_t i, std::size_t n) {
    { pattern(i, n) } -> std::same_as<column_range>;
};

/// Keys [i + begin, i + end) of query i.
struct window_pattern {
    std::ptrdiff_t begin;
    std::ptrdiff_t end;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {std::min(moved_by(i, begin), n), std::min(moved_by(i, end), n)};
    }
};

/// Causal within chunks.
struct chunk_pattern {
    std::size_t chunk;
    std::ptrdiff_t offset;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        // Before the first key there are no chunks.
        const std::size_t end = moved_by(i + 1, offset);
        return {std::min(end - (end == 0 ? 0 : (end - 1) % chunk + 1), n), std::min(end, n)};
    }
};

/// The rows of a pattern.
template <key_pattern Pattern>
struct pattern_rows {
    Pattern pattern;
    std::size_t keys;

    XMASK_INLINE range_cursor operator()(std::size_t i) const noexcept {
        return range_cursor(pattern(i, keys));
    }
};

template <key_pattern Pattern>
auto make_pattern(const char* name, std::size_t q, std::size_t k, Pattern pattern) {
    const std::array<std::size_t, 2> shape{q, k};
    return mask(computed_rule(name, shape, pattern_rows<Pattern>{pattern, k}));
}
} // namespace detail

/// Keeps key j for query i where j <= i + offset: no query sees a later key.
///
/// With offset 0 the first query sees the first key only, as with PyTorch's is_causal. With k - q,
/// the number of earlier keys in a cache, the last query sees all keys, as in FlashAttention.
/// keep_causal_top_left and keep_causal_bottom_right are these two.
///
///     auto m = xmask::keep_causal(2, 3, 1);
///     // 1 1 0
///     // 1 1 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param offset number of keys before the first query; may be negative.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal(std::size_t q, std::size_t k, std::ptrdiff_t offset = 0) {
    const auto begin = -static_cast<std::ptrdiff_t>(detail::far_away);
    const detail::window_pattern pattern{begin, detail::add_far(offset, 1)};
    return detail::make_pattern("keep_causal", q, k, pattern);
}

/// Keeps keys 0 to i for query i: keep_causal(q, k, 0).
///
///     auto m = xmask::keep_causal_top_left(2, 4);
///     // 1 0 0 0
///     // 1 1 0 0
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal_top_left(std::size_t q, std::size_t k) { return keep_causal(q, k, 0); }

/// Keeps keys 0 to i + k - q for query i: keep_causal(q, k, k - q). The queries are the last q of k
/// tokens, as with a cache of keys and values.
///
/// Where there are more queries than keys, the first queries see nothing.
///
///     auto m = xmask::keep_causal_bottom_right(2, 4);
///     // 1 1 1 0
///     // 1 1 1 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal_bottom_right(std::size_t q, std::size_t k) {
    return keep_causal(q, k, static_cast<std::ptrdiff_t>(k) - static_cast<std::ptrdiff_t>(q));
}

/// Keeps keys i + offset - left to i + offset + right, both included, for query i: attention in a
/// sliding window.
///
/// FlashAttention's window_size of (left, right) is this with an offset of k - q.
///
///     auto m = xmask::keep_window(3, 4, 1, 0);
///     // 1 0 0 0
///     // 1 1 0 0
///     // 0 1 1 0
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param left number of keys before the query's own place; k or more sets no limit.
/// @param right number of keys after it; k or more sets no limit.
/// @param offset number of keys before the first query; may be negative.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs two shifts.
inline auto keep_window(
    std::size_t q, std::size_t k, std::size_t left, std::size_t right, std::ptrdiff_t offset = 0
) {
    const auto begin = detail::subtract_far(offset, left);
    const auto end = detail::add_far(detail::add_far(offset, right), 1);
    return detail::make_pattern("keep_window", q, k, detail::window_pattern{begin, end});
}

/// Keeps key j for query i at position p = i + offset, where j <= p and both lie in the same chunk:
/// causal within chunks.
///
/// A query before the first key sees nothing.
///
///     auto m = xmask::keep_chunked(3, 3, 2);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param chunk number of tokens in a chunk, 1 or more.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k).
/// @throws std::invalid_argument for a chunk of 0.
///
/// Cost: nothing is stored; a row is one range, which costs a division, and a word costs two
/// shifts.
inline auto keep_chunked(
    std::size_t q, std::size_t k, std::size_t chunk, std::ptrdiff_t offset = 0
) {
    if (chunk == 0) [[unlikely]] {
        detail::throw_invalid("keep_chunked", "chunk 0; expected 1 or more");
    }
    return detail::make_pattern("keep_chunked", q, k, detail::chunk_pattern{chunk, offset});
}
} // namespace xmask::inline XMASK_ABI
