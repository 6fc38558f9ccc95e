// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/computed_rows.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "../masks/bitmask.hpp"

/// @file
/// The elements that equal the largest or smallest one.

namespace xmask::inline XMASK_ABI::detail {
/// The word of the elements of a block that are neither below nor above their extreme. Of NaN as the
/// extreme, all are.
template <class T, class X, class Best, class Count>
XMASK_INLINE word_t ties_of(const zip_block<X, Best>& blocks, Count count) {
    const auto apart = [](const auto& x, const auto& best)
                           XMASK_INLINE_LAMBDA { return (x < best) | (x > best); };
    if constexpr (X::in_registers && Best::in_registers) {
        word_t word = 0;
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            word |= bits_from_mask(blocks.template load<full>(k, count - k, apart)) << k;
        });
        return ~word;
    } else {
        return ~word_of(count, [&](std::size_t k) { return blocks.at(k, apart); });
    }
}

/// The mask of the kept elements of x that tie with the extreme at their position. `best` broadcasts
/// into x.
template <class T, class X, class M, class Best>
mask<bitmask_rule> kept_ties(const X& x, const M& m, const Best& best) {
    const auto& shape = x.shape();
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    const std::size_t row_words = (n + word_columns - 1) / word_columns;
    std::vector<word_t> words(row_count * row_words);
    const masked_operands all{
        mask_rows<M>(m, shape), zip_rows(make_operand<T>(x, shape), make_operand<T>(best, shape)), n
    };
    for_each_piece(
        pieces::of_whole_rows(row_count, n), all,
        [&](const auto& rows, const piece& part) {
            for (std::size_t r = part.first_row; r < part.last_row; ++r) {
                auto row = rows.row(r);
                word_t* const to = words.data() + r * row_words;
                for_each_kept_block(
                    row,
                    [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                        to[c / word_columns] = bits & ties_of<T>(row.block(c, count, bits), count);
                    }
                );
            }
        }
    );
    return mask(bitmask_rule(any_shape(shape.begin(), shape.end()), std::move(words)));
}
} // namespace xmask::inline XMASK_ABI::detail
