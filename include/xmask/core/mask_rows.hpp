// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "cursor.hpp"
#include "flat.hpp"
#include "shape.hpp"
#include "word.hpp"

/// @file
/// The rows of a mask that is broadcast into a larger shape.

namespace xmask::inline XMASK_ABI::detail {
/// What gives a mask's cursors: what its rule makes for one operation, or the rule itself.
template <class Rule>
decltype(auto) rule_rows(const Rule& rule) {
    if constexpr (requires { rule.rows(); }) {
        return rule.rows();
    } else {
        return (rule);
    }
}

/// A cursor together with the rows that it may look into, for a single row. It stays where it is
/// made.
template <class Rule>
class held_row {
    using rows = std::decay_t<decltype(std::declval<const Rule&>().rows())>;
    using cursor = decltype(std::declval<const rows&>().row(0));

public:
    held_row(const Rule& rule, std::size_t r) : m_rows(rule.rows()), m_cursor(m_rows.row(r)) {}

    held_row(const held_row&) = delete;
    held_row& operator=(const held_row&) = delete;

    [[nodiscard]] word_t word(std::size_t c) const { return m_cursor.word(c); }

    [[nodiscard]] bool kept(std::size_t c) const { return detail::kept(m_cursor, c); }

    [[nodiscard]] column_range extent() const { return m_cursor.extent(); }

    [[nodiscard]] column_range solid() const { return detail::solid(m_cursor); }

    [[nodiscard]] column_stretch stretch(std::size_t c) const {
        return detail::stretch(m_cursor, c);
    }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const cursor& c) { c.has_lanes(); }
    {
        return m_cursor.has_lanes();
    }

    template <class T>
        requires lane_cursor<cursor, T>
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

private:
    rows m_rows;
    cursor m_cursor;
};

/// The cursor of a row whose mask may have one column that stands for all of them.
template <row_cursor C>
class broadcast_cursor {
public:
    broadcast_cursor(C cursor, std::size_t n, bool one_column)
        : m_cursor(cursor), m_columns(n), m_one_column(one_column) {}

    XMASK_INLINE word_t word(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return kept(c) ? first_bits(m_columns - c) : 0;
        }
        return m_cursor.word(c);
    }

    bool kept(std::size_t c) const { return detail::kept(m_cursor, m_one_column ? 0 : c); }

    XMASK_INLINE column_range extent() const {
        if (m_one_column) [[unlikely]] {
            return {0, kept(0) ? m_columns : 0};
        }
        return m_cursor.extent();
    }

    XMASK_INLINE column_range solid() const {
        if (m_one_column) [[unlikely]] {
            return extent();
        }
        return detail::solid(m_cursor);
    }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const C& cursor) { cursor.has_lanes(); }
    {
        return !m_one_column && m_cursor.has_lanes();
    }

    template <class T>
        requires lane_cursor<C, T>
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

    XMASK_INLINE column_stretch stretch(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return {no_end, kept(0) ? column_stretch::kind::kept : column_stretch::kind::dropped};
        }
        return detail::stretch(m_cursor, c);
    }

private:
    C m_cursor;
    std::size_t m_columns;
    bool m_one_column;
};

/// Gives the cursor of each row of `shape`, into which the mask broadcasts.
template <class M>
class mask_rows {
    using rows = decltype(rule_rows(std::declval<const M&>().rule()));

    static constexpr bool answers_flat = requires(const std::decay_t<rows>& r) {
        r.form();
        r.flat();
    };

public:
    using cursor =
        broadcast_cursor<std::decay_t<decltype(std::declval<const std::decay_t<rows>&>().row(0))>>;

    template <class S>
    mask_rows(const M& mask, const S& shape)
        : m_rows(rule_rows(mask.rule()))
        , m_numbers(row_numbers(shape, mask.shape()))
        , m_columns(columns_of(shape))
        , m_row_count(rows_of(shape))
        , m_same(m_row_count == rows_of(mask.shape()) && m_columns == columns_of(mask.shape()))
        , m_one_column(columns_of(mask.shape()) == 1 && m_columns != 1) {}

    XMASK_INLINE cursor row(std::size_t r) const {
        return cursor(m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_columns, m_one_column);
    }

    /// The first word of each of `count` rows from r on, or so much of it as W holds.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        if (one_row()) {
            std::fill_n(to, count, static_cast<W>(row(r).word(0)));
            return;
        }
        if constexpr (requires(const std::decay_t<rows>& own) { own.first_words(r, count, to); }) {
            if (m_numbers.uniform(1) && !m_one_column) {
                m_rows.first_words(r, count, to);
                return;
            }
        }
        ask_first_words(*this, r, count, to);
    }

    /// Whether all rows are the same one, of which a few fit into what packs them: then they are
    /// packed once.
    [[nodiscard]] bool one_row() const noexcept {
        if constexpr (requires(const std::decay_t<rows>& own) { own.one_row(); }) {
            return m_columns <= packed_cursor<mask_rows>::capacity * word_columns / 2 &&
                   !m_one_column && m_rows.one_row();
        } else {
            return false;
        }
    }

    [[nodiscard]] flat_form form() const noexcept {
        // An extent that leaves out much is worth more than words that are found fast.
        const bool packed_once = one_row() && row(0).extent().size() > m_columns / 2;
        return packed_once ? flat_form::direct : std::max(own_form(), flat_form::packed);
    }

    /// The cursor of all rows as one.
    XMASK_INLINE auto flat() const {
        const packed_cursor<mask_rows> packed(*this, m_row_count, m_columns);
        if constexpr (answers_flat) {
            return flat_cursor(m_rows.flat(), own_form() != flat_form::none, packed);
        } else {
            return packed;
        }
    }

private:
    /// What the mask's own rows can do.
    [[nodiscard]] flat_form own_form() const noexcept {
        if constexpr (answers_flat) {
            return m_same ? m_rows.form() : flat_form::none;
        } else {
            return flat_form::none;
        }
    }

    rows m_rows;
    row_offsets m_numbers;
    std::size_t m_columns;
    std::size_t m_row_count;
    bool m_same;
    bool m_one_column;
};
} // namespace xmask::inline XMASK_ABI::detail
