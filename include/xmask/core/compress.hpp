// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

#include "attributes.hpp"
#include "block.hpp"
#include "error.hpp"
#include "rows.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "store.hpp"
#include "walk.hpp"
#include "word.hpp"

/// @file
/// Compression: kept elements without gaps, in row-major order.

namespace xmask::inline XMASK_ABI::detail {
/// Writes the elements of a block whose bits are set to `to`, and nothing past `end`. Returns the
/// address after the last one.
template <class T, class Block, class Count>
XMASK_INLINE T* compress_block(T* to, T* end, const Block& block, Count count, word_t bits) {
    if (bits == first_bits(count)) {
        store_block<false>(to, block, count);
        return to + count;
    }
    if constexpr (has_compress<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            const word_t chosen = bits >> k & first_bits(lane_count<T>);
            const std::size_t chosen_count = count_bits(chosen);
            const auto packed = compress_lanes<T>(load_register<full>(block, k, count - k), chosen);
            if (end - to >= static_cast<std::ptrdiff_t>(lane_count<T>)) {
                // The next store overwrites the lanes after the chosen ones.
                store_lanes(to, packed);
            } else {
                store_first_lanes(to, packed, chosen_count);
            }
            to += chosen_count;
        });
    } else {
        for (; bits != 0; bits &= bits - 1) {
            *to++ = block.at(lowest_bit(bits));
        }
    }
    return to;
}

/// Throws std::invalid_argument unless an output has rank 1 and room for `count` elements.
template <class Out>
void require_room(const char* function, std::size_t count, const Out& out) {
    if (out.dimension() != 1) [[unlikely]] {
        throw_invalid(function, "the output has ", out.dimension(), " axes; expected 1");
    }
    if (out.size() < count) [[unlikely]] {
        throw_invalid(
            function, "the mask keeps ", count, " elements; the output has room for ", out.size()
        );
    }
}

/// Writes the kept elements of an operand to [to, end), which has exactly their number.
template <class T, class S, class Masks, class Rows>
void compress_rows(T* to, T* end, const S& shape, const Masks& masks, const Rows& operand) {
    const row_plan plan(shape, layout_of(masks, operand.flat(columns_of(shape))));
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t r, std::size_t first, std::size_t last)
            XMASK_INLINE_LAMBDA {
                auto row = operand.row(r);
                for_each_kept_block<true>(
                    cursor, first, last,
                    [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                        to = compress_block(to, end, row.block(c, count, bits), count, bits);
                    }
                );
            }
    );
}
} // namespace xmask::inline XMASK_ABI::detail
