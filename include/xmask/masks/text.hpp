// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"

/// @file
/// A mask as a picture in text.

namespace xmask::inline XMASK_ABI
{
    /// How large a picture may be, in characters and lines. A larger mask is folded: a character then stands for a tile.
    struct text_options
    {
        std::size_t width = 80;
        std::size_t height = 40;
    };

    namespace detail
    {
        /// How many columns of [begin, end) a row keeps.
        template <row_cursor C>
        std::size_t count_columns(const C& cursor, std::size_t begin, std::size_t end)
        {
            std::size_t count = 0;
            for (std::size_t c = begin; c < end; c += word_columns)
            {
                count += count_bits(cursor.word(c) & first_bits(end - c));
            }
            return count;
        }

        /// Draws a mask tile by tile.
        template <mask_expression M>
        class text_picture
        {
        public:

            text_picture(const M& m, const text_options& options)
                : m_masks(m, m.shape())
                , m_rows(rows_of(m.shape()))
                , m_columns(columns_of(m.shape()))
                , m_matrix_rows(m.dimension() > 2 ? static_cast<std::size_t>(m.shape()[m.dimension() - 2]) : m_rows)
                , m_tile_rows(tile(m_rows, options.height))
                , m_tile_columns(tile(m_columns, options.width))
            {
            }

            [[nodiscard]] std::string text() const
            {
                std::string out;
                if (m_rows == 0 || m_columns == 0)
                {
                    return out;
                }
                for (std::size_t r = 0; r < m_rows; r += m_tile_rows)
                {
                    // Matrices of a stack stand apart, as long as each line is one row.
                    if (r != 0 && m_tile_rows == 1 && r % m_matrix_rows == 0)
                    {
                        out += '\n';
                    }
                    draw_line(out, r, std::min(r + m_tile_rows, m_rows));
                }
                if (m_tile_rows > 1 || m_tile_columns > 1)
                {
                    out += "(a character is " + std::to_string(m_tile_rows) + " x " + std::to_string(m_tile_columns)
                           + " elements: █ all kept, ▒ some, · none)\n";
                }
                return out;
            }

        private:

            static std::size_t tile(std::size_t extent, std::size_t characters)
            {
                const std::size_t room = std::max<std::size_t>(characters, 1);
                return std::max<std::size_t>((extent + room - 1) / room, 1);
            }

            void draw_line(std::string& out, std::size_t first, std::size_t last) const
            {
                std::vector<std::size_t> kept((m_columns + m_tile_columns - 1) / m_tile_columns);
                for (std::size_t r = first; r < last; ++r)
                {
                    const auto cursor = m_masks.row(r);
                    for (std::size_t t = 0; t < kept.size(); ++t)
                    {
                        const std::size_t begin = t * m_tile_columns;
                        kept[t] += count_columns(cursor, begin, std::min(begin + m_tile_columns, m_columns));
                    }
                }
                for (std::size_t t = 0; t < kept.size(); ++t)
                {
                    const std::size_t columns = std::min(m_tile_columns, m_columns - t * m_tile_columns);
                    out += kept[t] == 0 ? "·" : kept[t] == columns * (last - first) ? "█" : "▒";
                }
                out += '\n';
            }

            mask_rows<M> m_masks;
            std::size_t m_rows;
            std::size_t m_columns;
            std::size_t m_matrix_rows;
            std::size_t m_tile_rows;
            std::size_t m_tile_columns;
        };
    }

    /// The mask as lines of characters, UTF-8: █ kept, · dropped. A mask of more columns or rows than fit is folded, and
    /// ▒ stands for a tile that is kept in part. Leading axes follow one another, matrices a blank line apart.
    ///
    ///     std::cout << xmask::to_string(xmask::keep_lengths({3, 1}, 4));
    ///     // ███·
    ///     // █···
    template <class M>
    std::string to_string(const M& m, const text_options& options = {})
    {
        if constexpr (detail::require_mask<M>())
        {
            return detail::text_picture<M>(m, options).text();
        }
    }

    /// Draws the mask, as to_string does.
    template <class M>
        requires mask_expression<M>
    std::ostream& operator<<(std::ostream& out, const M& m)
    {
        return out << to_string(m);
    }
}
