// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "abi.hpp"
#include "simd/bits.hpp"

/// @file
/// Words: 64 columns of one row of a mask as bits. Ranges of columns, and their bits.

namespace xmask::inline XMASK_ABI {
/// 64 columns of one row of a mask: bit k stands for column c + k, and 1 means keep.
using word_t = std::uint64_t;

/// The number of columns in a word.
inline constexpr std::size_t word_columns = 64;

namespace detail {
/// Converts to std::size_t. A template, because g++ warns of a plain cast where both types are one.
template <class T>
constexpr std::size_t to_size(T value) noexcept {
    return static_cast<std::size_t>(value);
}
} // namespace detail

/// Columns [begin, end) of a row.
struct column_range {
    std::size_t begin = 0; ///< the first column
    std::size_t end = 0;   ///< one past the last column

    /// The number of columns; 0 where end is less than begin.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return end > begin ? end - begin : 0;
    }

    friend constexpr bool operator==(const column_range&, const column_range&) = default;
};

/// Gives the columns that are in both ranges.
///
/// @param a  a range of columns
/// @param b  another one
/// @returns  the common range; an empty one where there is none
///
///     std::size_t common = xmask::intersection({0, 4}, {2, 9}).size();    // 2
[[nodiscard]] constexpr column_range intersection(column_range a, column_range b) noexcept {
    const std::size_t begin = std::max(a.begin, b.begin);
    return {begin, std::max(begin, std::min(a.end, b.end))};
}

/// Gives the smallest range that contains both ranges.
///
/// @param a  a range of columns; an empty one counts for nothing
/// @param b  another one
/// @returns  the smallest range that contains a and b
///
///     std::size_t spanned = xmask::hull({0, 4}, {6, 9}).size();    // 9
[[nodiscard]] constexpr column_range hull(column_range a, column_range b) noexcept {
    if (a.size() == 0 || b.size() == 0) {
        return a.size() == 0 ? b : a;
    }
    return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

/// Gives a word with its lowest `count` bits set.
///
/// @param count  a number of bits; 64 or more give all 64
/// @returns      the word
///
///     xmask::word_t bits = xmask::first_bits(3);    // 7
[[nodiscard]] constexpr word_t first_bits(std::size_t count) noexcept {
    return detail::simd::lowest_bits(std::min(count, word_columns));
}

/// Gives the number of the lowest set bit.
///
/// @param bits  a word that is not 0
/// @returns     the number of the bit, from 0 to 63
///
///     std::size_t k = xmask::lowest_bit(12);    // 2
[[nodiscard]] constexpr std::size_t lowest_bit(word_t bits) noexcept {
    return static_cast<std::size_t>(std::countr_zero(bits));
}

/// Counts the set bits of a word.
///
/// @param bits  a word
/// @returns     the number of set bits, from 0 to 64
///
///     std::size_t kept = xmask::count_bits(12);    // 2
[[nodiscard]] constexpr std::size_t count_bits(word_t bits) noexcept {
    return static_cast<std::size_t>(std::popcount(bits));
}

/// Gives the word of a row that keeps one range: what `word(c)` of such a cursor returns.
///
/// @param range  the kept columns
/// @param c      the first column of the word
/// @returns      a word whose bit k says whether `range` contains column c + k
///
///     xmask::word_t bits = xmask::range_word({2, 4}, 1);    // 6
[[nodiscard]] constexpr word_t range_word(column_range range, std::size_t c) noexcept {
    return first_bits(std::max(range.end, c) - c) & ~first_bits(std::max(range.begin, c) - c);
}
} // namespace xmask::inline XMASK_ABI
