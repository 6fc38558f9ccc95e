// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "abi.hpp"
#include "simd/bits.hpp"

/// @file
/// The two answers of a mask about a row: words of 64 columns, and the range outside of which
/// nothing is kept.

namespace xmask::inline XMASK_ABI {
/// 64 mask values of one row; bit k is column c + k, and 1 means keep.
using word_t = std::uint64_t;

/// How many columns a word holds.
inline constexpr std::size_t word_columns = 64;

namespace detail {
/// As a size. (A plain cast is a useless one on machines whose std::uint64_t is std::size_t, and
/// g++ warns of these.)
template <class T>
constexpr std::size_t to_size(T value) noexcept {
    return static_cast<std::size_t>(value);
}
} // namespace detail

/// Columns [begin, end) of a row.
struct column_range {
    std::size_t begin = 0;
    std::size_t end = 0;

    /// Number of columns; 0 where end lies before begin.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return end > begin ? end - begin : 0;
    }

    friend constexpr bool operator==(const column_range&, const column_range&) = default;
};

/// The columns that both ranges hold.
[[nodiscard]] constexpr column_range intersection(column_range a, column_range b) noexcept {
    const std::size_t begin = std::max(a.begin, b.begin);
    return {begin, std::max(begin, std::min(a.end, b.end))};
}

/// The smallest range that holds both.
[[nodiscard]] constexpr column_range hull(column_range a, column_range b) noexcept {
    if (a.size() == 0 || b.size() == 0) {
        return a.size() == 0 ? b : a;
    }
    return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

/// A word with its lowest `count` bits set; all 64 where count is 64 or more.
[[nodiscard]] constexpr word_t first_bits(std::size_t count) noexcept {
    return detail::simd::lowest_bits(std::min(count, word_columns));
}

/// The number of the lowest set bit; the word must not be 0.
[[nodiscard]] constexpr std::size_t lowest_bit(word_t bits) noexcept {
    return static_cast<std::size_t>(std::countr_zero(bits));
}

/// How many bits are set.
[[nodiscard]] constexpr std::size_t count_bits(word_t bits) noexcept {
    return static_cast<std::size_t>(std::popcount(bits));
}

/// The bits of columns [c, c + 64) that lie in `range`.
[[nodiscard]] constexpr word_t range_word(column_range range, std::size_t c) noexcept {
    return first_bits(std::max(range.end, c) - c) & ~first_bits(std::max(range.begin, c) - c);
}
} // namespace xmask::inline XMASK_ABI
