// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// Words of bits from the answers of a test.

namespace xmask::inline XMASK_ABI::detail {
/// Bit k of the word is f(k).
template <class Count, class F>
XMASK_INLINE word_t word_of(Count count, F&& f) {
    word_t bits = 0;
    for (std::size_t k = 0; k < count; ++k) {
        bits |= word_t(f(k)) << k;
    }
    return bits;
}

/// The word that f makes of a block: f gives the lane mask of a register of T.
template <class T, class Block, class Count, class F>
XMASK_INLINE word_t word_of_registers(const Block& block, Count count, F&& f) {
    word_t bits = 0;
    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
        bits |= bits_from_mask(f(load_register<full>(block, k, count - k))) << k;
    });
    return bits & first_bits(count);
}
} // namespace xmask::inline XMASK_ABI::detail
