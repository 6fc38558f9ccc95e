// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/target.hpp"
#include "../masks/ask.hpp"

/// @file
/// masked_select gives kept elements, without gaps.

namespace xmask::inline XMASK_ABI {
namespace detail {
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

template <class T, class X, class M>
auto select_kept(const char* function, const X& x, const M& m) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    const mask_rows<M> masks(m, shape);
    const auto operand = make_operand<T>(x, shape);
    auto result = xt::xtensor<T, 1>::from_shape({count_rows(shape, masks)});
    T* to = result.data();
    T* const end = to + result.size();
    const row_plan plan(shape, layout_of(masks, operand.flat(columns_of(shape))));
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t r, std::size_t first, std::size_t last) {
            auto row = operand.row(r);
            for_each_kept_block(
                cursor, first, last,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    to = compress_block(to, end, row.block(c, count, bits), count, bits);
                }
            );
        }
    );
    return result;
}
} // namespace detail

/// Gives the kept elements of x, in row-major order.
///
/// masked_scatter is the inverse; masked_scatter(zeros, m, upstream) is the gradient by x. Cost:
/// two walks of the mask, one for the count and one for the elements. Blocks without a kept element
/// are not read.
///
/// @param x  a tensor or lazy expression of any element type, layout and rank
/// @param m  a mask that broadcasts into x and does not enlarge it
/// @returns  an xtensor of rank 1 with the element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
///
///     xt::xtensor<float, 1> positive = xmask::masked_select(x, xmask::keep_above(x, 0));
template <class X, class M>
auto masked_select(const X& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        return detail::select_kept<std::remove_cv_t<value_type_t<X>>>("masked_select", x, m);
    }
}
} // namespace xmask::inline XMASK_ABI
