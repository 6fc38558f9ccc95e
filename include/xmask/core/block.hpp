// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// The walk over one block of at most 64 columns, register by register.

namespace xmask::inline XMASK_ABI::detail
{
    /// A count of 64 columns, known at compile time: such a block becomes a straight line of instructions.
    using whole_word = std::integral_constant<std::size_t, word_columns>;

    /// Calls f(offset, full) for each register of a block of `count` columns; the last one may be partial.
    template <class T, class Count, class F>
    XMASK_INLINE void for_each_register(Count count, F&& f)
    {
        constexpr std::size_t n = lane_count<T>;
        if constexpr (std::is_same_v<Count, whole_word>)
        {
            [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
                (f(I * n, std::true_type()), ...);
            }(std::make_index_sequence<word_columns / n>());
        }
        else
        {
            std::size_t k = 0;
            for (; k + n <= count; k += n)
            {
                f(k, std::true_type());
            }
            if (k < count)
            {
                f(k, std::false_type());
            }
        }
    }

    /// A register of a block from column k on; a partial one holds `count` elements.
    template <bool Full, class Block>
    XMASK_INLINE auto load_register(const Block& block, std::size_t k, std::size_t count)
    {
        if constexpr (Full)
        {
            return block.load(k);
        }
        else
        {
            return block.load_first(k, count);
        }
    }

    /// Calls f(c, count) for each block of n columns; count is whole_word for all but the last.
    template <class F>
    XMASK_INLINE void for_each_block(std::size_t n, F&& f)
    {
        std::size_t c = 0;
        for (; c + word_columns <= n; c += word_columns)
        {
            f(c, whole_word());
        }
        if (c < n)
        {
            f(c, n - c);
        }
    }
}
