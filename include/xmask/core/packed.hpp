// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "abi.hpp"
#include "attributes.hpp"
#include "block.hpp"
#include "cursor.hpp"
#include "walk.hpp"
#include "word.hpp"

/// @file
/// Packed rows. Where the memory of all operands continues from one row to the next, an operation
/// walks many short rows as one, and spends no time on their ends. This file joins the words of
/// such rows.

namespace xmask::inline XMASK_ABI::detail {
/// Rows with fewer columns than this are packed.
inline constexpr std::size_t packed_columns = 2 * word_columns;

/// The most columns that are packed at a time.
inline constexpr std::size_t packed_at_once = 128 * word_columns;

/// Writes the first word of each of `count` rows from r on, by asking each row.
template <class Rows>
[[gnu::noinline]] void ask_first_words(
    const Rows& rows, std::size_t r, std::size_t count, word_t* to
) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = rows.row(r + i).word(0);
    }
}

/// Writes them as words of W, which has at least one bit for each column. One function asks for all W:
/// it is long where masks are made of masks.
template <class Rows, class W>
void ask_first_words(const Rows& rows, std::size_t r, std::size_t count, W* to) {
    constexpr std::size_t at_once = 64;
    std::array<word_t, at_once> words;
    for (std::size_t i = 0; i < count; i += at_once) {
        const std::size_t some = std::min(at_once, count - i);
        ask_first_words(rows, r + i, some, words.data());
        std::transform(words.data(), words.data() + some, to + i, [](word_t word) {
            return static_cast<W>(word);
        });
    }
}

/// A row whose words are in memory. `begin` is the column of the first bit.
class words_cursor {
public:
    words_cursor(const word_t* words, std::size_t begin) noexcept
        : m_words(words), m_begin(begin) {}

    /// Reads two neighbouring words: the word past the last one is readable, and 0.
    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const std::size_t at = c - m_begin;
        const word_t* words = m_words + at / word_columns;
        const std::size_t past = at % word_columns;
        return words[0] >> past | words[1] << 1 << (word_columns - 1 - past);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, stretch_kind::unknown};
    }

private:
    const word_t* m_words;
    std::size_t m_begin;
};

/// The joined words of several rows of n columns. Many rows are joined at a time, so that values
/// common to all rows stay in registers.
class packed_words {
public:
    explicit packed_words(std::size_t n) noexcept : m_columns(n) {}

    /// How many rows are joined at a time: where possible a number that fills whole words.
    [[nodiscard]] std::size_t rows_at_once() const noexcept {
        const std::size_t aligned = word_columns / std::gcd(m_columns, word_columns);
        const std::size_t most = packed_at_once / m_columns;
        return most >= aligned ? most - most % aligned : most;
    }

    /// Joins `count` rows from `first` on, and gives the cursor of the joined row.
    template <class Masks>
    [[gnu::noinline]] words_cursor join(const Masks& masks, std::size_t first, std::size_t count) {
        const std::size_t columns = count * m_columns;
        if (columns != m_filled || !masks.one_row()) {
            m_filled = columns;
            fill(masks, first, count);
        }
        return {m_words.values, first * m_columns};
    }

private:
    template <class Masks>
    void fill(const Masks& masks, std::size_t first, std::size_t count) {
        switch (std::endian::native == std::endian::little ? m_columns : 0) {
        case 8:
            copy_words<std::uint8_t>(masks, first, count);
            break;
        case 16:
            copy_words<std::uint16_t>(masks, first, count);
            break;
        case 32:
            copy_words<std::uint32_t>(masks, first, count);
            break;
        case word_columns:
            masks.first_words(first, count, m_words.values);
            m_words.values[count] = 0;
            break;
        default:
            join_bits(masks, first, count);
        }
    }

    /// Joins rows of as many columns as W has bits: their words are contiguous in memory.
    template <class W, class Masks>
    void copy_words(const Masks& masks, std::size_t first, std::size_t count) {
        std::array<W, packed_at_once / (8 * sizeof(W))> rows;
        masks.first_words(first, count, rows.data());
        const std::size_t filled = (count * m_columns + word_columns - 1) / word_columns;
        m_words.values[filled - 1] = 0;
        m_words.values[filled] = 0;
        std::memcpy(m_words.values, rows.data(), count * sizeof(W));
    }

    /// Joins rows of any length, bit by bit.
    template <class Masks>
    void join_bits(const Masks& masks, std::size_t first, std::size_t count) {
        word_t* to = m_words.values;
        word_t bits = 0;
        std::size_t filled = 0;
        const auto append = [&](word_t more, std::size_t columns) XMASK_INLINE_LAMBDA {
            bits |= more << filled;
            filled += columns;
            if (filled >= word_columns) {
                *to++ = bits;
                filled -= word_columns;
                bits = filled == 0 ? 0 : more >> (columns - filled);
            }
        };
        if (m_columns < word_columns) {
            constexpr std::size_t some_rows = 64;
            std::array<word_t, some_rows> words;
            for (std::size_t i = 0; i < count; i += some_rows) {
                const std::size_t some = std::min(some_rows, count - i);
                masks.first_words(first + i, some, words.data());
                std::for_each_n(words.begin(), some, [&](word_t word) XMASK_INLINE_LAMBDA {
                    append(word, m_columns);
                });
            }
        } else {
            for (std::size_t r = first; r < first + count; ++r) {
                const auto row = masks.row(r);
                for_each_block(0, m_columns, [&](std::size_t c, std::size_t columns) {
                    append(row.word(c), columns);
                });
            }
        }
        to[0] = bits;
        to[1] = 0;
    }

    std::size_t m_columns;
    std::size_t m_filled = 0; // how many columns the words hold
    block_buffer<word_t, packed_at_once / word_columns + 2> m_words;
};
} // namespace xmask::inline XMASK_ABI::detail
