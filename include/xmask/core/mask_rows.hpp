// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "cursor.hpp"
#include "packed.hpp"
#include "shape.hpp"
#include "walk.hpp"
#include "word.hpp"

/// @file
/// The rows of a mask that is broadcast into a larger shape.

namespace xmask::inline XMASK_ABI::detail {
/// The rows of a mask for one operation: rule.rows() where the rule has it, otherwise the rule
/// itself.
template <class Rule>
decltype(auto) rule_rows(const Rule& rule) {
    if constexpr (requires { rule.rows(); }) {
        return rule.rows();
    } else {
        return (rule);
    }
}

/// A cursor together with the rows that it may point into. Not movable: the cursor points into
/// m_rows.
template <class Rule>
class held_row {
    using rows = std::decay_t<decltype(std::declval<const Rule&>().rows())>;
    using cursor = decltype(std::declval<const rows&>().row(0));

public:
    held_row(const Rule& rule, std::size_t r) : m_rows(rule.rows()), m_cursor(m_rows.row(r)) {}

    held_row(const held_row&) = delete;
    held_row& operator=(const held_row&) = delete;

    [[nodiscard]] word_t word(std::size_t c) const { return m_cursor.word(c); }

    [[nodiscard]] stretch at(std::size_t c) const { return stretch_at(m_cursor, c); }

    template <class T>
        requires lane_cursor<cursor, T>
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

    [[nodiscard]] bool gives_lanes() const noexcept { return detail::gives_lanes(m_cursor); }

private:
    rows m_rows;
    cursor m_cursor;
};

/// The cursor of a row whose mask may have one column, broadcast to all columns.
template <row_cursor C>
class broadcast_cursor {
public:
    broadcast_cursor(C cursor, std::size_t n, bool one_column)
        : m_cursor(cursor), m_columns(n), m_one_column(one_column) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return keeps(m_cursor, 0) ? first_bits(m_columns - c) : 0;
        }
        return m_cursor.word(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return {no_end, keeps(m_cursor, 0) ? stretch_kind::kept : stretch_kind::dropped};
        }
        return stretch_at(m_cursor, c);
    }

    [[nodiscard]] XMASK_INLINE column_range range() const
        requires has_range<C>
    {
        return m_one_column ? column_range{0, keeps(m_cursor, 0) ? m_columns : 0}
                            : m_cursor.range();
    }

    template <class T>
        requires lane_cursor<C, T>
    [[nodiscard]] XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

    template <class T>
        requires comparing_cursor<C, T>
    [[nodiscard]] XMASK_INLINE bool compares(const T* x, std::size_t c) const {
        return m_cursor.compares(x, c);
    }

    [[nodiscard]] XMASK_INLINE auto comparison() const
        requires has_comparison<C>
    {
        return m_cursor.comparison();
    }

    /// One column has no register of elements.
    [[nodiscard]] XMASK_INLINE bool gives_lanes() const noexcept {
        return !m_one_column && detail::gives_lanes(m_cursor);
    }

private:
    C m_cursor;
    std::size_t m_columns;
    bool m_one_column;
};

/// Gives the cursor of each row of `shape`, into which the mask broadcasts.
///
/// The rows of the mask itself may have more than row(r). `flat()` says whether their words
/// continue from one row to the next, and `whole()` gives the cursor of all rows as one row.
/// `one_row()` says whether all rows are alike. `first_words(r, count, to)` gives the first words
/// of many rows at once. `packs()` says whether the rows may be packed.
template <class M>
class mask_rows {
    using rows = decltype(rule_rows(std::declval<const M&>().rule()));
    using plain_rows = std::decay_t<rows>;

public:
    using cursor =
        broadcast_cursor<std::decay_t<decltype(std::declval<const plain_rows&>().row(0))>>;

    template <class S>
    mask_rows(const M& mask, const S& shape)
        : m_rows(rule_rows(mask.rule()))
        , m_numbers(row_numbers(shape, mask.shape()))
        , m_row_count(rows_of(shape))
        , m_columns(columns_of(shape))
        , m_same(m_row_count == rows_of(mask.shape()) && m_columns == columns_of(mask.shape()))
        , m_one_column(columns_of(mask.shape()) == 1 && m_columns != 1) {}

    [[nodiscard]] XMASK_INLINE cursor row(std::size_t r) const {
        return cursor(m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_columns, m_one_column);
    }

    /// Whether whole() may be walked in place of all rows.
    [[nodiscard]] bool flat() const {
        if constexpr (requires(const plain_rows& own) { own.flat(); }) {
            return m_same && m_rows.flat();
        } else {
            return false;
        }
    }

    /// The cursor of all rows as one row.
    [[nodiscard]] XMASK_INLINE cursor whole() const {
        if constexpr (requires(const plain_rows& own) { own.whole(); }) {
            return cursor(m_rows.whole(), m_row_count * m_columns, false);
        } else {
            return row(0);
        }
    }

    /// Whether all rows are alike.
    [[nodiscard]] bool one_row() const {
        if constexpr (requires(const plain_rows& own) { own.one_row(); }) {
            return !m_one_column && m_rows.one_row();
        } else {
            return false;
        }
    }

    /// Whether rows are packed: short rows are, and longer rows that are all alike, unless half of
    /// their columns are in dropped stretches, which separate rows skip.
    [[nodiscard]] bool packs() const {
        if constexpr (requires(const plain_rows& own) { own.packs(); }) {
            if (!m_rows.packs()) {
                return false;
            }
        }
        if (m_columns < packed_columns) {
            return true;
        }
        if (m_columns > packed_at_once / 4 || !one_row()) {
            return false;
        }
        std::size_t dropped = 0;
        any_stretch(row(0), 0, m_columns, [&](std::size_t c, std::size_t end, stretch_kind kind) {
            dropped += kind == stretch_kind::dropped ? end - c : 0;
            return false;
        });
        return dropped < m_columns / 2;
    }

    /// Writes the first word of each of `count` rows from r on. W may hold fewer bits than a word,
    /// but no fewer than the columns.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        if (one_row()) {
            std::fill_n(to, count, static_cast<W>(row(r).word(0)));
            return;
        }
        if constexpr (requires(const plain_rows& own) { own.first_words(r, count, to); }) {
            if (m_numbers.uniform(1) && !m_one_column) {
                m_rows.first_words(r, count, to);
                return;
            }
        }
        ask_first_words(*this, r, count, to);
    }

private:
    rows m_rows;
    row_offsets m_numbers;
    std::size_t m_row_count;
    std::size_t m_columns;
    bool m_same;
    bool m_one_column;
};
} // namespace xmask::inline XMASK_ABI::detail
