// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>

#include "abi.hpp"
#include "attributes.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// What a mask answers about one row.

namespace xmask::inline XMASK_ABI {
/// What a mask answers about one row. `word(c)` is for any c below the row's length, a multiple of
/// 64 or not; its bits past the row's end are 0. No column outside of `extent()` is kept.
///
/// A cursor may also have `bool kept(std::size_t c) const` for one column alone, where a word would
/// be costly, and `column_range solid() const`, a range in which every column is kept, so that
/// nobody asks for its words. One that knows more than one such range, or gaps between them, has
/// `column_stretch stretch(std::size_t c) const`. One that decides registers of elements may have
/// `lane_mask<T> lanes<T>(std::size_t c) const`, the decisions for a register of T from column c
/// on, and `bool has_lanes() const`, whether it gives them for this row.
template <class C>
concept row_cursor = requires(const C& cursor, std::size_t c) {
    { cursor.word(c) } -> std::same_as<word_t>;
    { cursor.extent() } -> std::same_as<column_range>;
};

/// What the columns from some c up to `end` have in common: all are kept, or all are dropped, or
/// only their words tell. `end` is larger than c, and may lie past the row.
struct column_stretch {
    enum class kind : unsigned char { dropped, kept, unknown };

    std::size_t end;
    kind what;

    friend constexpr bool operator==(const column_stretch&, const column_stretch&) = default;
};

namespace detail {
/// One column of a row, by the cheapest way the cursor has.
template <row_cursor C>
bool kept(const C& cursor, std::size_t c) {
    if constexpr (requires {
                      { cursor.kept(c) } -> std::same_as<bool>;
                  }) {
        return cursor.kept(c);
    } else {
        return (cursor.word(c) & 1) != 0;
    }
}

/// Columns of which the cursor knows that all are kept; none where it does not say.
template <row_cursor C>
XMASK_INLINE column_range solid(const C& cursor) {
    if constexpr (requires {
                      { cursor.solid() } -> std::same_as<column_range>;
                  }) {
        return cursor.solid();
    } else {
        return {};
    }
}

/// Whether a cursor may give its decisions for registers of T, and so spares them the way through a
/// word.
template <class C, class T>
concept lane_cursor = detail::has_lanes<T> && requires(const C& cursor, std::size_t c) {
    { cursor.template lanes<T>(c) } -> std::same_as<lane_mask<T>>;
    { cursor.has_lanes() } -> std::same_as<bool>;
};

/// No column is as far.
inline constexpr std::size_t no_end = std::numeric_limits<std::size_t>::max();

/// What extent() and solid() say of the columns from c on.
[[nodiscard]] constexpr column_stretch stretch_of(
    column_range extent, column_range solid, std::size_t c
) noexcept {
    using kind = column_stretch::kind;
    if (extent.size() == 0 || c >= extent.end) {
        return {no_end, kind::dropped};
    }
    if (c < extent.begin) {
        return {extent.begin, kind::dropped};
    }
    if (c >= solid.begin && c < solid.end) {
        return {solid.end, kind::kept};
    }
    return {
        c < solid.begin && solid.size() != 0 ? std::min(extent.end, solid.begin) : extent.end,
        kind::unknown
    };
}

/// What the cursor knows, without looking at words, of the columns from c on.
template <row_cursor C>
XMASK_INLINE column_stretch stretch(const C& cursor, std::size_t c) {
    if constexpr (requires {
                      { cursor.stretch(c) } -> std::same_as<column_stretch>;
                  }) {
        return cursor.stretch(c);
    } else {
        return stretch_of(cursor.extent(), solid(cursor), c);
    }
}

/// Calls words(c, count, bits) for the columns of a row of which only words tell, at most 64 at a
/// time, and whole(range) for those that are known to be kept; in order, until one says true.
/// Whether one did.
template <row_cursor C, class F, class G>
bool walk_stretches(const C& cursor, std::size_t n, F&& words, G&& whole) {
    for (std::size_t c = 0; c < n;) {
        const column_stretch next = stretch(cursor, c);
        const std::size_t end = std::min(next.end, n);
        if (next.what == column_stretch::kind::kept) {
            if (whole(column_range{c, end})) {
                return true;
            }
        } else if (next.what == column_stretch::kind::unknown) {
            for (; c < end; c += word_columns) {
                const std::size_t count = std::min(word_columns, end - c);
                if (words(c, count, cursor.word(c) & first_bits(count))) {
                    return true;
                }
            }
        }
        c = end;
    }
    return false;
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
