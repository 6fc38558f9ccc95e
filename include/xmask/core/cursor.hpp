// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>

#include "abi.hpp"
#include "attributes.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// The protocol of a cursor: what a mask answers about one row.

namespace xmask::inline XMASK_ABI {
/// What the columns of a stretch have in common.
enum class stretch_kind : unsigned char {
    dropped, ///< all are dropped
    kept,    ///< all are kept
    unknown  ///< only their words tell
};

/// The columns from some column up to `end`, which may lie past the end of the row.
struct stretch {
    std::size_t end;
    stretch_kind kind;

    friend constexpr bool operator==(const stretch&, const stretch&) = default;
};

/// Answers for one row of a mask.
///
/// `word(c)` gives columns [c, c + 64) as bits, for any c within the row; bits past the end of the
/// row are 0. `at(c)` gives the stretch that begins at column c; its end is larger than c. A cursor
/// that knows nothing ahead of its words may leave `at` out.
///
/// A cursor whose decisions come from a comparison of registers may also have
/// `lane_word<T> lanes<T>(c)`: the decisions for columns [c, c + 64) as masks of registers of T. All
/// of them must lie within the row.
template <class C>
concept row_cursor = requires(const C& cursor, std::size_t c) {
    { cursor.word(c) } -> std::same_as<word_t>;
};

namespace detail {
/// The end of a stretch that goes on to the end of any row.
inline constexpr std::size_t no_end = std::numeric_limits<std::size_t>::max();

/// The stretch that begins at column c; unknown where the cursor has no at().
template <row_cursor C>
XMASK_INLINE stretch stretch_at(const C& cursor, [[maybe_unused]] std::size_t c) {
    if constexpr (requires {
                      { cursor.at(c) } -> std::same_as<stretch>;
                  }) {
        return cursor.at(c);
    } else {
        return {no_end, stretch_kind::unknown};
    }
}

/// Whether the cursor keeps column c.
template <row_cursor C>
XMASK_INLINE bool keeps(const C& cursor, std::size_t c) {
    return (cursor.word(c) & 1) != 0;
}

/// The decisions for 64 columns, as masks of registers of T.
template <class T>
using lane_word = std::array<lane_mask<T>, word_columns / lane_count<T>>;

/// f(i) for each register of T in 64 columns.
template <class T, class F>
XMASK_INLINE lane_word<T> make_lane_word(F&& f) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        return lane_word<T>{f(I)...};
    }(std::make_index_sequence<word_columns / lane_count<T>>());
}

/// A cursor that gives its decisions as masks of registers of T.
template <class C, class T>
concept lane_cursor = has_lanes<T> && requires(const C& cursor, std::size_t c) {
    { cursor.template lanes<T>(c) } -> std::same_as<lane_word<T>>;
};

/// The stretch at column c of a row that keeps the columns of one range.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_of(column_range kept, std::size_t c) noexcept {
    if (c < kept.begin) {
        return {kept.begin < kept.end ? kept.begin : no_end, stretch_kind::dropped};
    }
    return c < kept.end ? stretch{kept.end, stretch_kind::kept}
                        : stretch{no_end, stretch_kind::dropped};
}

/// The stretch at column c of a row that keeps nothing outside of a range; inside, words tell.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_within(
    column_range range, std::size_t c
) noexcept {
    const stretch known = stretch_of(range, c);
    return {known.end, known.kind == stretch_kind::kept ? stretch_kind::unknown : known.kind};
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
