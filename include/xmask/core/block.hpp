// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "cursor.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// The walk over one block of at most 64 columns, register by register.

namespace xmask::inline XMASK_ABI::detail {
/// A count of 64 columns, known at compile time: such a block becomes a straight line of
/// instructions.
using whole_word = std::integral_constant<std::size_t, word_columns>;

/// Calls f(offset, full) for each register of a block of `count` columns; the last one may be
/// partial.
template <class T, class Count, class F>
XMASK_INLINE void for_each_register(Count count, F&& f) {
    constexpr std::size_t n = lane_count<T>;
    if constexpr (std::is_same_v<Count, whole_word>) {
        [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
            (f(I * n, std::true_type()), ...);
        }(std::make_index_sequence<word_columns / n>());
    } else {
        std::size_t k = 0;
        for (; k + n <= count; k += n) {
            f(k, std::true_type());
        }
        if (k < count) {
            f(k, std::false_type());
        }
    }
}

/// A register of a block from column k on; a partial one holds `count` elements.
template <bool Full, class Block>
XMASK_INLINE auto load_register(const Block& block, std::size_t k, std::size_t count) {
    if constexpr (Full) {
        return block.load(k);
    } else {
        return block.load_first(k, count);
    }
}

/// Calls f(c, count) for each block of the columns [c, stop) of a row of operands, prepared; count
/// is whole_word for all but the last.
template <class Row, class F>
XMASK_INLINE void for_each_block(Row& row, std::size_t c, std::size_t stop, F&& f) {
    while (c < stop) {
        const std::size_t end = row.prepare(c, stop);
        for (; c + word_columns <= end; c += word_columns) {
            f(c, whole_word());
        }
        if (c < end) {
            f(c, end - c);
            c = end;
        }
    }
}

/// Calls f(c, count, bits) for each block of a row's columns [c, stop); the row has cursor() and
/// prepare().
template <class Row, class F>
XMASK_INLINE void walk_blocks(Row& row, std::size_t c, std::size_t stop, F&& f) {
    const auto& cursor = row.cursor();
    const column_range solid = detail::solid(cursor);
    while (c < stop) {
        const std::size_t end = row.prepare(c, stop);
        const std::size_t solid_end = std::min(solid.end, end);
        while (c + word_columns <= end) {
            if (c >= solid.begin) {
                for (; c + word_columns <= solid_end; c += word_columns) {
                    f(c, whole_word(), ~word_t(0));
                }
            }
            if (c + word_columns <= end) {
                f(c, whole_word(), cursor.word(c));
                c += word_columns;
            }
        }
        if (c < end) {
            f(c, end - c, cursor.word(c) & first_bits(end - c));
            c = end;
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail
