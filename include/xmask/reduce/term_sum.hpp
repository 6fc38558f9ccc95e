// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/packed.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "accumulate.hpp"

/// @file
/// Sums of terms, and how a block of them is added.

namespace xmask::inline XMASK_ABI::detail {
/// A sum of terms of type T, its weight, and the number of terms.
template <class T, class Sum = sum_t<T>>
struct weighted_sum {
    Sum sum = 0;
    double weight = 0;
    double count = 0;

    weighted_sum& operator+=(const weighted_sum& other) noexcept {
        add_to(sum, other.sum);
        weight += other.weight;
        count += other.count;
        return *this;
    }
};

/// Adds terms of type T, in registers where T has them.
template <class T, class Sum = sum_t<T>>
class term_sum {
public:
    template <bool Exact, class Count, class Term>
    XMASK_INLINE void add_registers(Count count, Term&& term) {
        add_block<T, Exact>(m_registers, count, term);
    }

    /// Adds the first registers of a word. The sum is that of add_registers<true> to the bit: the
    /// other registers would add 0.
    template <class Term>
    XMASK_INLINE void add_first(std::size_t count, Term&& term) {
        register_sum<T> sum;
        add_block<T, true>(sum, count, term);
        m_registers += sum;
    }

    void add(Sum term) noexcept { add_to(m_scalars, term); }

    void add_count(std::size_t count) noexcept { m_count += count; }

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

    [[nodiscard]] weighted_sum<T, Sum> total() const noexcept {
        const auto count = static_cast<double>(m_count);
        if constexpr (sums_in_registers<T>) {
            return {m_scalars + m_registers.total(), count, count};
        } else {
            return {m_scalars, count, count};
        }
    }

private:
    struct nothing {};

    std::conditional_t<sums_in_registers<T>, register_sum<T>, nothing> m_registers;
    Sum m_scalars = 0;
    std::size_t m_count = 0;
};

/// Whether a word may hold columns of several rows.
template <class Cursor>
inline constexpr bool joins_rows = std::is_same_v<Cursor, words_cursor>;

/// Adds the kept terms of a block. Without Exact, words that are kept whole are added four
/// registers at a time. The sum of a row depends only on its own columns, not on padding or other
/// rows.
template <bool Exact, class T, class Sum, class Block, class Count>
XMASK_INLINE void add_terms(term_sum<T, Sum>& sum, const Block& terms, Count count, word_t bits) {
    sum.add_count(count_bits(bits));
    if constexpr (Block::in_registers) {
        // Where the first columns are kept, only a partial register needs selection: the function
        // may give anything of the zeros past its end.
        const auto first = [&](auto some) XMASK_INLINE_LAMBDA {
            return [&, some](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = terms.template value_register<full>(k, some - k);
                if constexpr (full) {
                    return x;
                } else {
                    return zero_unless<T>(bits, k, x);
                }
            };
        };
        if (bits == first_bits(count)) {
            sum.template add_registers<Exact>(count, first(count));
            return;
        }
        if constexpr (std::is_same_v<T, float> && std::is_same_v<Count, whole_word>) {
            if ((bits & (bits + 1)) == 0) { // the word in which a length ends
                const std::size_t kept = count_bits(bits);
                sum.add_first(kept, first(kept));
                return;
            }
        }
        sum.template add_registers<true>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            return zero_unless<T>(bits, k, terms.template value_register<full>(k, count - k));
        });
    } else if (bits == ~word_t(0)) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            sum.add(static_cast<sum_t<T>>(terms.value(k)));
        }
    } else {
        for (; bits != 0; bits &= bits - 1) {
            sum.add(static_cast<sum_t<T>>(terms.value(lowest_bit(bits))));
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail
