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
/// The protocol of a cursor: the answers of a mask about one row.

namespace xmask::inline XMASK_ABI {
/// The common property of the columns of a stretch.
enum class stretch_kind : unsigned char {
    dropped, ///< all columns are dropped
    kept,    ///< all columns are kept
    unknown  ///< the words decide
};

/// A range of columns with a known or unknown decision: from the column that was asked about to
/// `end`.
struct stretch {
    std::size_t end;   ///< one past the last column; it may be past the end of the row
    stretch_kind kind; ///< whether the columns are kept, dropped or unknown

    friend constexpr bool operator==(const stretch&, const stretch&) = default;
};

/// A cursor: it answers for one row of a mask.
///
/// `word(c)` gives columns [c, c + 64) as bits, for any c in the row; bits past the end of the row
/// are 0. `at(c)` gives the stretch that begins at column c; its end is larger than c. A cursor
/// that only knows its words may omit `at`.
///
/// A cursor that compares registers anyway may also have `lane_word<T> lanes<T>(c)`: the decisions
/// for columns [c, c + 64) as masks of registers of T. All 64 columns are then in the row.
///
/// A cursor whose row keeps one range of columns may also have `column_range range()`.
template <class C>
concept row_cursor = requires(const C& cursor, std::size_t c) {
    { cursor.word(c) } -> std::same_as<word_t>;
};

namespace detail {
/// A cursor that gives the only range of columns that its row keeps.
template <class C>
concept has_range = requires(const C& cursor) {
    { cursor.range() } -> std::same_as<column_range>;
};

/// The end of a stretch that reaches the end of every row.
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

/// The masks f(i) for each register i of T in 64 columns.
template <class T, class F>
XMASK_INLINE lane_word<T> make_lane_word(F&& f) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        return lane_word<T>{f(I)...};
    }(std::make_index_sequence<word_columns / lane_count<T>>());
}

/// Whether the masks of 64 columns keep all of them.
template <class T>
XMASK_INLINE bool all_kept_lanes(const lane_word<T>& kept) noexcept {
    return [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        return xsimd::all((kept[I] & ...));
    }(std::make_index_sequence<word_columns / lane_count<T>>());
}

/// Whether the masks of 64 columns keep none of them.
template <class T>
XMASK_INLINE bool no_kept_lanes(const lane_word<T>& kept) noexcept {
    return [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        return xsimd::none((kept[I] | ...));
    }(std::make_index_sequence<word_columns / lane_count<T>>());
}

/// A cursor that gives its decisions as masks of registers of T, too.
template <class C, class T>
concept lane_cursor = has_lanes<T> && requires(const C& cursor, std::size_t c) {
    { cursor.template lanes<T>(c) } -> std::same_as<lane_word<T>>;
};

/// A cursor that gives the function it compares with: see comparing_cursor.
template <class C>
concept has_comparison = requires(const C& cursor) { cursor.comparison(); };

/// A lane cursor that decides by a comparison of elements in memory. `compares(x, c)` says whether
/// these elements are those at x, and `comparison()` gives the function that decides for a register
/// of them: an operation that has read them anyway does not read them again.
template <class C, class T>
concept comparing_cursor =
    lane_cursor<C, T> && requires(const C& cursor, const T* x, std::size_t c, const lanes<T>& r) {
        { cursor.compares(x, c) } -> std::same_as<bool>;
        { cursor.comparison()(r) } -> std::same_as<lane_mask<T>>;
    };

/// Whether the lanes of this row may be asked for. A cursor that gives them for some rows only has
/// `gives_lanes()`: a branch inside of lanes() would carry the masks through other registers.
template <row_cursor C>
XMASK_INLINE bool gives_lanes([[maybe_unused]] const C& cursor) noexcept {
    if constexpr (requires { cursor.gives_lanes(); }) {
        return cursor.gives_lanes();
    } else {
        return true;
    }
}

/// The stretch at column c of a row that keeps the columns of one range.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_of(column_range kept, std::size_t c) noexcept {
    if (c < kept.begin) {
        return {kept.begin < kept.end ? kept.begin : no_end, stretch_kind::dropped};
    }
    return c < kept.end ? stretch{kept.end, stretch_kind::kept}
                        : stretch{no_end, stretch_kind::dropped};
}

/// The stretch at column c of a row that drops everything outside of a range, and whose words
/// decide inside.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_within(
    column_range range, std::size_t c
) noexcept {
    const stretch known = stretch_of(range, c);
    return {known.end, known.kind == stretch_kind::kept ? stretch_kind::unknown : known.kind};
}

/// A row that keeps one range of columns.
class range_cursor {
public:
    explicit constexpr range_cursor(column_range kept) noexcept : m_kept(kept) {}

    [[nodiscard]] XMASK_INLINE constexpr word_t word(std::size_t c) const noexcept {
        return range_word(m_kept, c);
    }

    [[nodiscard]] XMASK_INLINE constexpr stretch at(std::size_t c) const noexcept {
        return stretch_of(m_kept, c);
    }

    [[nodiscard]] constexpr column_range range() const noexcept { return m_kept; }

private:
    column_range m_kept;
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI
