// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "../core/cursor.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"

/// @file
/// The rows of tiles into which a mask is cut.

namespace xmask::inline XMASK_ABI {
/// How much of a tile is kept.
enum class tile_kind : unsigned char {
    empty,   ///< nothing
    partial, ///< some elements
    full     ///< all elements
};

namespace detail {
/// The numbers of kept elements of the tiles in one row of tiles.
class tile_counts {
public:
    tile_counts(std::size_t tiles, std::size_t width)
        : m_width(width), m_kept(tiles), m_whole(tiles + 1) {}

    void clear() {
        std::fill(m_kept.begin(), m_kept.end(), 0);
        std::fill(m_whole.begin(), m_whole.end(), 0);
    }

    /// Adds columns of one row that are all kept. The first and the last tile get their share; the
    /// whole tiles between them cost one step.
    void add(column_range all) {
        const std::size_t first = all.begin / m_width;
        const std::size_t last = (all.end - 1) / m_width;
        if (first == last) {
            m_kept[first] += all.size();
            return;
        }
        m_kept[first] += (first + 1) * m_width - all.begin;
        m_kept[last] += all.end - last * m_width;
        ++m_whole[first + 1];
        --m_whole[last];
    }

    /// Adds the word at column c of one row.
    void add(std::size_t c, word_t bits) {
        while (bits != 0) {
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

    /// Calls f(number of the tile, number of kept elements) for each tile.
    template <class F>
    void for_each(F&& f) const {
        std::ptrdiff_t whole = 0;
        for (std::size_t t = 0; t < m_kept.size(); ++t) {
            whole += m_whole[t];
            f(t, m_kept[t] + static_cast<std::size_t>(whole) * m_width);
        }
    }

private:
    std::size_t m_width;
    std::vector<std::size_t> m_kept;
    std::vector<std::ptrdiff_t> m_whole; // rows that keep the whole tile: differences of neighbours
};

/// One bit for each element of some rows. Memory is allocated with the first write.
class bit_rows {
public:
    bit_rows(std::size_t rows, std::size_t n)
        : m_rows(rows), m_words((n + word_columns - 1) / word_columns) {}

    /// Sets the bits of columns [c, c + count), which lie in at most two words.
    void write(std::size_t i, std::size_t c, std::size_t count, word_t bits) {
        if (m_bits.empty()) {
            m_bits.resize(m_rows * m_words);
        }
        word_t* at = m_bits.data() + i * m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        const word_t chosen = first_bits(count);
        *at = (*at & ~(chosen << shift)) | bits << shift;
        if (shift + count > word_columns) {
            at[1] = (at[1] & ~(chosen >> (word_columns - shift))) | bits >> (word_columns - shift);
        }
    }

    /// The bits of columns [c, c + 64). Bits past the row are unspecified.
    [[nodiscard]] word_t read(std::size_t i, std::size_t c) const {
        const std::size_t at = i * m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        const bool two = shift != 0 && at + 1 < m_bits.size();
        return m_bits[at] >> shift | (two ? m_bits[at + 1] << (word_columns - shift) : 0);
    }

private:
    std::size_t m_rows;
    std::size_t m_words;
    std::vector<word_t> m_bits;
};

/// How a stack of matrices is cut into tiles of `tile_rows` x `tile_columns` elements. Those at the
/// last edges are smaller.
struct tiling {
    std::size_t matrices;
    std::size_t matrix_rows;
    std::size_t columns;
    std::size_t tile_rows;
    std::size_t tile_columns;

    /// The last two axes are matrices. A single row is a matrix of one row.
    template <class S>
    static tiling of(const S& shape, std::size_t tile_rows, std::size_t tile_columns) {
        const std::size_t rows =
            shape.size() < 2 ? 1 : static_cast<std::size_t>(shape[shape.size() - 2]);
        return {
            rows == 0 ? 0 : rows_of(shape) / rows, rows, columns_of(shape), tile_rows, tile_columns
        };
    }

    [[nodiscard]] std::size_t bands_of_matrix() const noexcept {
        return columns == 0 ? 0 : matrix_rows / tile_rows + (matrix_rows % tile_rows != 0);
    }

    [[nodiscard]] std::size_t bands() const noexcept { return matrices * bands_of_matrix(); }

    [[nodiscard]] std::size_t tiles_of_band() const noexcept {
        return matrices * matrix_rows == 0 ? 0
                                           : columns / tile_columns + (columns % tile_columns != 0);
    }

    [[nodiscard]] std::size_t tiles() const noexcept { return bands() * tiles_of_band(); }
};

/// One row of tiles of a mask. Each word is computed at most once, and stored where words are
/// wanted.
template <class MaskRows>
class tile_band {
public:
    tile_band(const MaskRows& rows, const tiling& cut, bool wants_words)
        : m_rows(std::addressof(rows))
        , m_wants_words(wants_words)
        , m_cut(cut)
        , m_counts(cut.tiles_of_band(), std::max<std::size_t>(cut.tile_columns, 1))
        , m_kept(cut.tiles_of_band())
        , m_words(std::min(cut.tile_rows, cut.matrix_rows), cut.columns) {
        m_cursors.reserve(std::min(cut.tile_rows, cut.matrix_rows));
    }

    /// Goes to a band. Computes no words of columns that the mask knows to be kept or dropped.
    void seek(std::size_t band) {
        m_matrix = band / m_cut.bands_of_matrix();
        m_first = band % m_cut.bands_of_matrix() * m_cut.tile_rows;
        m_row_count = std::min(m_cut.tile_rows, m_cut.matrix_rows - m_first);
        m_cursors.clear();
        m_counts.clear();
        for (std::size_t i = 0; i < m_row_count; ++i) {
            m_cursors.push_back(m_rows->row(m_matrix * m_cut.matrix_rows + m_first + i));
            row_delegate delegate{*this, i};
            walk(m_cursors.back(), 0, m_cut.columns, delegate);
        }
        m_counts.for_each([&](std::size_t t, std::size_t kept) { m_kept[t] = kept; });
    }

    [[nodiscard]] const tiling& cut() const noexcept { return m_cut; }

    [[nodiscard]] std::size_t matrix() const noexcept { return m_matrix; }

    /// The first row in the matrix, and the number of rows.
    [[nodiscard]] std::size_t row() const noexcept { return m_first; }

    [[nodiscard]] std::size_t rows() const noexcept { return m_row_count; }

    [[nodiscard]] std::size_t tiles() const noexcept { return m_kept.size(); }

    /// The number of columns of tile t.
    [[nodiscard]] std::size_t columns(std::size_t t) const noexcept {
        return std::min(m_cut.tile_columns, m_cut.columns - t * m_cut.tile_columns);
    }

    [[nodiscard]] std::size_t kept(std::size_t t) const noexcept { return m_kept[t]; }

    [[nodiscard]] tile_kind kind(std::size_t t) const noexcept {
        if (m_kept[t] == 0) {
            return tile_kind::empty;
        }
        return m_kept[t] == m_row_count * columns(t) ? tile_kind::full : tile_kind::partial;
    }

    /// Columns [c, c + 64) of row i of the band.
    [[nodiscard]] word_t word(std::size_t i, std::size_t c) const {
        const auto& cursor = m_cursors[i];
        const std::size_t end = std::min(c + word_columns, m_cut.columns);
        word_t bits = 0;
        for (std::size_t at = c; at < end;) {
            const stretch next = cursor.at(at);
            const std::size_t stop = std::min(next.end, end);
            if (next.kind != stretch_kind::dropped) {
                const word_t known =
                    next.kind == stretch_kind::kept ? ~word_t(0) : m_words.read(i, at);
                bits |= (known & first_bits(stop - at)) << (at - c);
            }
            at = stop;
        }
        return bits;
    }

private:
    /// The delegate that counts a row, and stores its words where they are wanted.
    struct row_delegate {
        static constexpr bool takes_any_range = true;

        tile_band& to;
        std::size_t i;

        void block(std::size_t c, std::size_t count, word_t bits) {
            to.m_counts.add(c, bits);
            if (to.m_wants_words) {
                to.m_words.write(i, c, count, bits);
            }
        }

        void kept(std::size_t c, std::size_t end) { to.m_counts.add(column_range{c, end}); }

        void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}
    };

    const MaskRows* m_rows;
    bool m_wants_words;
    tiling m_cut;
    std::vector<typename MaskRows::cursor> m_cursors;
    tile_counts m_counts;
    std::vector<std::size_t> m_kept;
    bit_rows m_words;
    std::size_t m_matrix = 0;
    std::size_t m_first = 0;
    std::size_t m_row_count = 0;
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI
