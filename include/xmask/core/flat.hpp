// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "abi.hpp"
#include "attributes.hpp"
#include "cursor.hpp"
#include "word.hpp"

/// @file
/// Rows laid end to end. Where memory goes on from one row to the next, an operation may walk all of them as one long
/// row, its flat row, and spends nothing on the ends of short ones. Operands offer form() and flat_row(), masks form()
/// and flat().

namespace xmask::inline XMASK_ABI::detail
{
    /// How the flat row of something answers; the least of its parts decides.
    enum class flat_form
    {
        none,    ///< not at all: there are gaps between the rows
        packed,  ///< its words are put together from those of the rows
        direct   ///< as any row does
    };

    /// Rows shorter than this are worth packing.
    inline constexpr std::size_t packed_columns = 2 * word_columns;

    constexpr bool worth_flat(flat_form form, std::size_t n) noexcept
    {
        return form == flat_form::direct || (form == flat_form::packed && n < packed_columns);
    }

    /// The flat row of any mask: each word holds the ends and beginnings of the rows that it covers.
    template <class Rows>
    class packed_cursor
    {
    public:

        packed_cursor(const Rows& rows, std::size_t row_count, std::size_t n) noexcept
            : m_rows(&rows)
            , m_row_count(row_count)
            , m_columns(n)
        {
        }

        [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const
        {
            if (c - m_begin >= m_columns) [[unlikely]]
            {
                m_row = c / m_columns;
                m_begin = m_row * m_columns;
            }
            const std::size_t k = c - m_begin;
            word_t bits = m_rows->row(m_row).word(k);
            std::size_t filled = m_columns - k;
            for (; filled < word_columns && m_row + 1 < m_row_count; filled += m_columns)
            {
                bits |= m_rows->row(++m_row).word(0) << filled;
            }
            // Words are mostly asked for in order, and the next one begins where this one ends.
            if (filled == word_columns && m_row + 1 < m_row_count)
            {
                ++m_row;
                filled += m_columns;
            }
            m_begin = c + filled - m_columns;
            return bits;
        }

        [[nodiscard]] column_range extent() const noexcept
        {
            return {0, m_row_count * m_columns};
        }

    private:

        const Rows* m_rows;
        std::size_t m_row_count;
        std::size_t m_columns;
        mutable std::size_t m_row = 0;
        mutable std::size_t m_begin = 0;
    };

    /// The flat row of a mask that can often answer directly.
    template <class Direct, class Rows>
    class flat_cursor
    {
    public:

        flat_cursor(Direct cursor, bool direct, packed_cursor<Rows> packed)
            : m_cursor(std::move(cursor))
            , m_packed(packed)
            , m_direct(direct)
        {
        }

        [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const
        {
            return m_direct ? m_cursor.word(c) : m_packed.word(c);
        }

        [[nodiscard]] column_range extent() const
        {
            return m_direct ? m_cursor.extent() : m_packed.extent();
        }

        [[nodiscard]] column_range solid() const
        {
            return m_direct ? detail::solid(m_cursor) : column_range();
        }

        [[nodiscard]] bool has_lanes() const noexcept
            requires requires(const Direct& cursor) { cursor.has_lanes(); }
        {
            return m_direct && m_cursor.has_lanes();
        }

        template <class T>
            requires lane_cursor<Direct, T>
        XMASK_INLINE lane_mask<T> lanes(std::size_t c) const
        {
            return m_cursor.template lanes<T>(c);
        }

    private:

        Direct m_cursor;
        packed_cursor<Rows> m_packed;
        bool m_direct;
    };
}
