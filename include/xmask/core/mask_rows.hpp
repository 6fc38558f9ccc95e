// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "attributes.hpp"
#include "mask.hpp"
#include "shape.hpp"
#include "word.hpp"

/// @file
/// The rows of a mask that is broadcast into a larger shape.

namespace xmask::inline XMASK_ABI::detail
{
    /// The cursor of a row whose mask may have one column that stands for all of them.
    template <row_cursor C>
    class broadcast_cursor
    {
    public:

        broadcast_cursor(C cursor, std::size_t n, bool one_column)
            : m_cursor(cursor)
            , m_columns(n)
            , m_one_column(one_column)
            , m_kept(one_column && detail::kept(m_cursor, 0))
        {
        }

        XMASK_INLINE word_t word(std::size_t c) const
        {
            if (m_one_column) [[unlikely]]
            {
                return m_kept ? first_bits(m_columns - c) : 0;
            }
            return m_cursor.word(c);
        }

        bool kept(std::size_t c) const
        {
            return m_one_column ? m_kept : detail::kept(m_cursor, c);
        }

        XMASK_INLINE column_range extent() const
        {
            if (m_one_column) [[unlikely]]
            {
                return {0, m_kept ? m_columns : 0};
            }
            return m_cursor.extent();
        }

        XMASK_INLINE column_range solid() const
        {
            if (m_one_column) [[unlikely]]
            {
                return {0, m_kept ? m_columns : 0};
            }
            return detail::solid(m_cursor);
        }

    private:

        C m_cursor;
        std::size_t m_columns;
        bool m_one_column;
        bool m_kept;
    };

    /// Gives the cursor of each row of `shape`, into which the mask broadcasts.
    template <mask_expression M>
    class mask_rows
    {
        using rows = decltype(rule_rows(std::declval<const M&>().rule()));

    public:

        using cursor = broadcast_cursor<std::decay_t<decltype(std::declval<const std::decay_t<rows>&>().row(0))>>;

        template <class S>
        mask_rows(const M& mask, const S& shape)
            : m_rows(rule_rows(mask.rule()))
            , m_numbers(row_numbers(shape, mask.shape()))
            , m_columns(columns_of(shape))
            , m_one_column(columns_of(mask.shape()) == 1 && m_columns != 1)
        {
        }

        XMASK_INLINE cursor row(std::size_t r) const
        {
            return cursor(m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_columns, m_one_column);
        }

    private:

        rows m_rows;
        row_offsets m_numbers;
        std::size_t m_columns;
        bool m_one_column;
    };
}
