// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>

#include "abi.hpp"
#include "attributes.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// What a mask answers about one row.

namespace xmask::inline XMASK_ABI
{
    /// What a mask answers about one row. `word(c)` is for any c below the row's length, a multiple of 64 or not;
    /// its bits past the row's end are 0. No column outside of `extent()` is kept.
    ///
    /// A cursor may also have `bool kept(std::size_t c) const` for one column alone, where a word would be costly, and
    /// `column_range solid() const`, a range in which every column is kept, so that nobody asks for its words. One that
    /// decides registers of elements may have `lane_mask<T> lanes<T>(std::size_t c) const`, the decisions for a register
    /// of T from column c on, and `bool has_lanes() const`, whether it gives them for this row.
    template <class C>
    concept row_cursor = requires(const C& cursor, std::size_t c) {
        { cursor.word(c) } -> std::same_as<word_t>;
        { cursor.extent() } -> std::same_as<column_range>;
    };

    namespace detail
    {
        /// One column of a row, by the cheapest way the cursor has.
        template <row_cursor C>
        bool kept(const C& cursor, std::size_t c)
        {
            if constexpr (requires { { cursor.kept(c) } -> std::same_as<bool>; })
            {
                return cursor.kept(c);
            }
            else
            {
                return (cursor.word(c) & 1) != 0;
            }
        }

        /// Columns of which the cursor knows that all are kept; none where it does not say.
        template <row_cursor C>
        XMASK_INLINE column_range solid(const C& cursor)
        {
            if constexpr (requires { { cursor.solid() } -> std::same_as<column_range>; })
            {
                return cursor.solid();
            }
            else
            {
                return {};
            }
        }

        /// Whether a cursor may give its decisions for registers of T, and so spares them the way through a word.
        template <class C, class T>
        concept lane_cursor = detail::has_lanes<T> && requires(const C& cursor, std::size_t c) {
            { cursor.template lanes<T>(c) } -> std::same_as<lane_mask<T>>;
            { cursor.has_lanes() } -> std::same_as<bool>;
        };
    }
}
