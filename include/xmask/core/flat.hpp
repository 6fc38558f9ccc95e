// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "abi.hpp"
#include "attributes.hpp"
#include "buffer.hpp"
#include "cursor.hpp"
#include "word.hpp"

/// @file
/// Rows laid end to end. Where memory goes on from one row to the next, an operation may walk all
/// of them as one long row, its flat row, and spends nothing on the ends of short ones. Operands
/// offer form() and flat_row(), masks form() and flat(). Masks whose rows may all be the same one
/// say so by one_row(); such rows are put together only once.

namespace xmask::inline XMASK_ABI::detail {
/// How the flat row of something answers; the least of its parts decides.
enum class flat_form {
    none,   ///< not at all: there are gaps between the rows
    packed, ///< its words are put together from those of the rows
    direct  ///< as easily as any row does
};

/// Rows shorter than this are worth packing.
inline constexpr std::size_t packed_columns = 2 * word_columns;

constexpr bool worth_flat(flat_form form, std::size_t n) noexcept {
    return form == flat_form::direct || (form == flat_form::packed && n < packed_columns);
}

/// The first word of each of `count` rows from r on, one after the other; W has a bit for each of
/// their columns.
template <class Rows, class W>
void ask_first_words(const Rows& rows, std::size_t r, std::size_t count, W* to) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = static_cast<W>(rows.row(r + i).word(0));
    }
}

/// The flat row of any mask: each word holds the ends and beginnings of the rows that it covers.
/// Many are put together at a time, so that what is the same for all of them stays in registers.
template <class Rows>
class packed_cursor {
public:
    packed_cursor(const Rows& rows, std::size_t row_count, std::size_t n) noexcept
        : m_rows(&rows), m_row_count(row_count), m_columns(n) {}

    /// The words stay behind.
    packed_cursor(const packed_cursor& other) noexcept
        : packed_cursor(*other.m_rows, other.m_row_count, other.m_columns) {}

    packed_cursor& operator=(const packed_cursor&) = delete;

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        if (c - m_begin >= m_ready) [[unlikely]] {
            refill(c);
        }
        const std::size_t at = c - m_begin;
        const word_t* words = m_words.values + at / word_columns;
        const std::size_t past = at % word_columns;
        return words[0] >> past | words[1] << 1 << (word_columns - 1 - past);
    }

    [[nodiscard]] column_range extent() const noexcept { return {0, m_row_count * m_columns}; }

    /// How many words there are at a time, and 0 behind them.
    static constexpr std::size_t capacity = 64;

private:
    /// The rows from the one that holds column c on, as many as there is room for.
    [[gnu::noinline]] void refill(std::size_t c) const {
        const std::size_t first = c / m_columns;
        const std::size_t count =
            std::min(m_row_count - first, capacity * word_columns / m_columns);
        const std::size_t columns = count * m_columns;
        m_begin = first * m_columns;
        m_ready = first + count < m_row_count ? columns - (word_columns - 1) : columns;
        if (m_rows->one_row() && columns == m_filled) {
            return;
        }
        m_filled = columns;
        switch (std::endian::native == std::endian::little ? m_columns : 0) {
        case 8:
            fill<std::uint8_t>(first, count);
            break;
        case 16:
            fill<std::uint16_t>(first, count);
            break;
        case 32:
            fill<std::uint32_t>(first, count);
            break;
        case word_columns:
            m_rows->first_words(first, count, m_words.values);
            m_words.values[count] = 0;
            break;
        default:
            join(first, count);
        }
    }

    /// Rows as long as W has bits lie in memory as they do in words.
    template <class W>
    void fill(std::size_t first, std::size_t count) const {
        std::array<W, capacity * word_columns / (8 * sizeof(W))> rows;
        m_rows->first_words(first, count, rows.data());
        const std::size_t filled = (count * m_columns + word_columns - 1) / word_columns;
        m_words.values[filled - 1] = 0;
        m_words.values[filled] = 0;
        std::memcpy(m_words.values, rows.data(), count * sizeof(W));
    }

    /// Rows of any length, one behind the other.
    void join(std::size_t first, std::size_t count) const {
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
                m_rows->first_words(first + i, some, words.data());
                for (std::size_t k = 0; k < some; ++k) {
                    append(words[k], m_columns);
                }
            }
        } else {
            for (std::size_t r = first; r < first + count; ++r) {
                const auto row = m_rows->row(r);
                for (std::size_t k = 0; k < m_columns; k += word_columns) {
                    append(row.word(k), std::min(word_columns, m_columns - k));
                }
            }
        }
        to[0] = bits;
        to[1] = 0;
    }

    const Rows* m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
    mutable std::size_t m_begin = 0;  // the column of the first of the words
    mutable std::size_t m_ready = 0;  // from how many columns on a whole word can be given
    mutable std::size_t m_filled = 0; // how many columns the words hold
    mutable block_buffer<word_t, capacity + 2> m_words;
};

/// The flat row of a mask that can often answer directly.
template <class Direct, class Rows>
class flat_cursor {
public:
    flat_cursor(Direct cursor, bool direct, packed_cursor<Rows> packed)
        : m_cursor(std::move(cursor)), m_packed(packed), m_direct(direct) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return m_direct ? m_cursor.word(c) : m_packed.word(c);
    }

    [[nodiscard]] bool kept(std::size_t c) const {
        return m_direct ? detail::kept(m_cursor, c) : detail::kept(m_packed, c);
    }

    [[nodiscard]] column_range extent() const {
        return m_direct ? m_cursor.extent() : m_packed.extent();
    }

    [[nodiscard]] column_range solid() const {
        return m_direct ? detail::solid(m_cursor) : column_range();
    }

    [[nodiscard]] column_stretch stretch(std::size_t c) const {
        return m_direct ? detail::stretch(m_cursor, c) : detail::stretch(m_packed, c);
    }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const Direct& cursor) { cursor.has_lanes(); }
    {
        return m_direct && m_cursor.has_lanes();
    }

    template <class T>
        requires lane_cursor<Direct, T>
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

private:
    Direct m_cursor;
    packed_cursor<Rows> m_packed;
    bool m_direct;
};
} // namespace xmask::inline XMASK_ABI::detail
