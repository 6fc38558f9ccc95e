// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "ask.hpp"

/// @file
/// A mask as tiles, each full, partial or empty: what pictures are drawn from.

namespace xmask::inline XMASK_ABI::detail
{
    enum class tile : unsigned char
    {
        empty,
        partial,
        full
    };

    /// One row of tiles: how many elements of each are kept.
    class tile_counts
    {
    public:

        tile_counts(std::size_t tiles, std::size_t width)
            : m_width(width)
            , m_kept(tiles)
            , m_whole(tiles + 1)
        {
        }

        /// Columns of one row that are all kept: two tiles take their share, and those between them are noted at once.
        void add(column_range all)
        {
            const std::size_t first = all.begin / m_width;
            const std::size_t last = (all.end - 1) / m_width;
            if (first == last)
            {
                m_kept[first] += all.size();
                return;
            }
            m_kept[first] += (first + 1) * m_width - all.begin;
            m_kept[last] += all.end - last * m_width;
            ++m_whole[first + 1];
            --m_whole[last];
        }

        /// The word at column c of one row.
        void add(std::size_t c, word_t bits)
        {
            while (bits != 0)
            {
                const std::size_t dropped = lowest_bit(bits);
                c += dropped;
                bits >>= dropped;
                const std::size_t t = c / m_width;
                const std::size_t count = std::min((t + 1) * m_width - c, word_columns);
                m_kept[t] += count_bits(bits & first_bits(count));
                bits = count == word_columns ? 0 : bits >> count;
                c += count;
            }
        }

        /// Calls f(tile number, elements kept) for each tile.
        template <class F>
        void for_each(F&& f) const
        {
            std::ptrdiff_t whole = 0;
            for (std::size_t t = 0; t < m_kept.size(); ++t)
            {
                whole += m_whole[t];
                f(t, m_kept[t] + static_cast<std::size_t>(whole) * m_width);
            }
        }

    private:

        std::size_t m_width;
        std::vector<std::size_t> m_kept;
        std::vector<std::ptrdiff_t> m_whole;    // rows that keep this tile whole, less those that keep the one before
    };

    /// A mask cut into at most `most_rows` x `most_columns` tiles of equal size; a tile is one element where that fits.
    /// The rows of a stack of matrices follow one another.
    template <mask_expression M>
    class tiled_mask
    {
    public:

        tiled_mask(const M& m, std::size_t most_rows, std::size_t most_columns)
            : m_masks(m, m.shape())
            , m_row_count(m.size() == 0 ? 0 : rows_of(m.shape()))
            , m_column_count(m.size() == 0 ? 0 : columns_of(m.shape()))
            , m_matrix_rows(m.dimension() > 2 ? static_cast<std::size_t>(m.shape()[m.dimension() - 2]) : m_row_count)
            , m_tile_rows(extent_of_tile(m_row_count, most_rows))
            , m_tile_columns(extent_of_tile(m_column_count, most_columns))
        {
        }

        /// The number of rows of tiles, and of tiles in each.
        [[nodiscard]] std::size_t rows() const noexcept
        {
            return (m_row_count + m_tile_rows - 1) / m_tile_rows;
        }

        [[nodiscard]] std::size_t columns() const noexcept
        {
            return (m_column_count + m_tile_columns - 1) / m_tile_columns;
        }

        /// The extents of a tile; the last ones may be smaller.
        [[nodiscard]] std::size_t tile_rows() const noexcept
        {
            return m_tile_rows;
        }

        [[nodiscard]] std::size_t tile_columns() const noexcept
        {
            return m_tile_columns;
        }

        [[nodiscard]] bool folded() const noexcept
        {
            return m_tile_rows > 1 || m_tile_columns > 1;
        }

        /// How many matrices of a stack end before a row of tiles. Folded rows may belong to several, and all count as one.
        [[nodiscard]] std::size_t matrices_before(std::size_t tile_row) const noexcept
        {
            return m_tile_rows > 1 || m_matrix_rows == 0 ? 0 : tile_row / m_matrix_rows;
        }

        /// One row of tiles. Nobody asks for the words of columns that the mask knows to be kept or dropped.
        [[nodiscard]] std::vector<tile> row(std::size_t tile_row) const
        {
            const std::size_t first = tile_row * m_tile_rows;
            const std::size_t last = std::min(first + m_tile_rows, m_row_count);
            tile_counts counts(columns(), m_tile_columns);
            for (std::size_t r = first; r < last; ++r)
            {
                any_word(
                    m_masks.row(r), m_column_count,
                    [&](std::size_t c, word_t bits) {
                        counts.add(c, bits);
                        return false;
                    },
                    [&](column_range all) {
                        counts.add(all);
                        return false;
                    }
                );
            }
            std::vector<tile> tiles(columns());
            counts.for_each([&](std::size_t t, std::size_t kept) {
                const std::size_t width = std::min(m_tile_columns, m_column_count - t * m_tile_columns);
                tiles[t] = kept == 0 ? tile::empty : kept == width * (last - first) ? tile::full : tile::partial;
            });
            return tiles;
        }

    private:

        static std::size_t extent_of_tile(std::size_t extent, std::size_t most)
        {
            const std::size_t room = std::max<std::size_t>(most, 1);
            return std::max<std::size_t>(extent / room + (extent % room != 0), 1);
        }

        mask_rows<M> m_masks;
        std::size_t m_row_count;
        std::size_t m_column_count;
        std::size_t m_matrix_rows;
        std::size_t m_tile_rows;
        std::size_t m_tile_columns;
    };

    /// How many tiles of each kind a picture has.
    class tile_legend
    {
    public:

        void count(const std::vector<tile>& tiles)
        {
            for (const tile t : tiles)
            {
                ++m_counts[static_cast<std::size_t>(t)];
            }
        }

        [[nodiscard]] std::size_t operator[](tile t) const noexcept
        {
            return m_counts[static_cast<std::size_t>(t)];
        }

    private:

        std::array<std::size_t, 3> m_counts{};
    };
}
