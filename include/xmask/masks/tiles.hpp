// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"

/// @file
/// A mask as tiles, each full, partial or empty: what work is skipped by, and pictures are drawn
/// from.

namespace xmask::inline XMASK_ABI {
/// How much of a tile is kept.
enum class tile_kind : unsigned char { empty, partial, full };

namespace detail {
/// One row of tiles: how many elements of each are kept.
class tile_counts {
public:
    tile_counts(std::size_t tiles, std::size_t width)
        : m_width(width), m_kept(tiles), m_whole(tiles + 1) {}

    void clear() {
        std::fill(m_kept.begin(), m_kept.end(), 0);
        std::fill(m_whole.begin(), m_whole.end(), 0);
    }

    /// Columns of one row that are all kept: two tiles take their share, and those between them are
    /// noted at once.
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

    /// The word at column c of one row.
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

    /// Calls f(tile number, elements kept) for each tile.
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
    std::vector<std::ptrdiff_t>
        m_whole; // rows that keep this tile whole, less those that keep the one before
};

/// Bits, one for each element of some rows. There is no memory for them until some are written.
class bit_rows {
public:
    bit_rows(std::size_t rows, std::size_t n)
        : m_rows(rows), m_words((n + word_columns - 1) / word_columns) {}

    /// Sets the bits of columns [c, c + count); they lie in at most two words.
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

    /// The bits of columns [c, c + 64), those past the row 0 or those of the next one.
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

/// How a stack of matrices is cut: tiles of `tile_rows` x `tile_columns` elements, fewer at the
/// last edges.
struct tiling {
    std::size_t matrices;
    std::size_t matrix_rows;
    std::size_t columns;
    std::size_t tile_rows;
    std::size_t tile_columns;

    /// The last two axes are the matrix; a row alone is a matrix of one row.
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

/// One row of tiles of a mask. Each word is asked for at most once; where words are wanted, those
/// that were asked for are kept.
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

    /// Goes to a band. Of columns that the mask knows to be kept or dropped nobody asks for words.
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

    /// Its first row in the matrix, and how many it has.
    [[nodiscard]] std::size_t row() const noexcept { return m_first; }

    [[nodiscard]] std::size_t rows() const noexcept { return m_row_count; }

    [[nodiscard]] std::size_t tiles() const noexcept { return m_kept.size(); }

    /// Columns of tile t.
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
    /// Counts a row, and writes its words where they are wanted.
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

/// One tile of a mask, while the walk that gave it stands at its row of tiles.
template <class Band>
class mask_tile {
public:
    mask_tile(const Band& band, std::size_t number) noexcept
        : m_band(std::addressof(band)), m_number(number) {}

    [[nodiscard]] tile_kind kind() const noexcept { return m_band->kind(m_number); }

    /// How many of its elements are kept; it is known, and asking costs nothing.
    [[nodiscard]] std::size_t kept() const noexcept { return m_band->kept(m_number); }

    /// Which matrix of a stack it lies in, by row-major number of the leading axes.
    [[nodiscard]] std::size_t matrix() const noexcept { return m_band->matrix(); }

    /// Its first row and column, in the matrix.
    [[nodiscard]] std::size_t row() const noexcept { return m_band->row(); }

    [[nodiscard]] std::size_t column() const noexcept {
        return m_number * m_band->cut().tile_columns;
    }

    /// How many rows and columns it has.
    [[nodiscard]] std::size_t rows() const noexcept { return m_band->rows(); }

    [[nodiscard]] std::size_t columns() const noexcept { return m_band->columns(m_number); }

    /// 64 of its elements, from column c of its row i on: bit k says whether column c + k is kept.
    /// Bits past the tile are 0. No word of the mask is asked for twice.
    [[nodiscard]] word_t word(std::size_t i, std::size_t c = 0) const {
        return m_band->word(i, column() + c) & first_bits(columns() - c);
    }

private:
    const Band* m_band;
    std::size_t m_number;
};

/// A mask cut into tiles: a range of them, in row-major order. Made by tiles().
template <class CTM>
class mask_tiles {
    using mask_type = std::decay_t<CTM>;
    using rows_type = detail::mask_rows<mask_type>;

public:
    using band_type = detail::tile_band<rows_type>;

    class iterator {
    public:
        using value_type = mask_tile<band_type>;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator(std::unique_ptr<band_type> band, std::size_t bands)
            : m_band(std::move(band)), m_left(bands), m_bands(bands) {
            seek();
        }

        value_type operator*() const noexcept { return {*m_band, m_tile}; }

        iterator& operator++() {
            if (++m_tile == m_band->tiles()) {
                m_tile = 0;
                --m_left;
                seek();
            }
            return *this;
        }

        void operator++(int) { ++*this; }

        bool operator==(std::default_sentinel_t) const noexcept { return m_left == 0; }

    private:
        void seek() {
            if (m_left != 0) {
                m_band->seek(m_bands - m_left);
            }
        }

        std::unique_ptr<band_type> m_band; // tiles refer to it, wherever the iterator goes
        std::size_t m_tile = 0;
        std::size_t m_left;
        std::size_t m_bands;
    };

    /// Of the mask as it is.
    template <class M>
    mask_tiles(M&& m, std::size_t tile_rows, std::size_t tile_columns)
        : m_mask(std::forward<M>(m))
        , m_rows(m_mask, m_mask.shape())
        , m_cut(detail::tiling::of(m_mask.shape(), tile_rows, tile_columns)) {}

    /// Of a mask that is broadcast to a shape, cut as `cut` says.
    template <class M, class S>
    mask_tiles(M&& m, const S& shape, const detail::tiling& cut)
        : m_mask(std::forward<M>(m)), m_rows(m_mask, shape), m_cut(cut) {}

    // The rows look into the mask.
    mask_tiles(const mask_tiles&) = delete;
    mask_tiles& operator=(const mask_tiles&) = delete;

    [[nodiscard]] iterator begin() const {
        return {std::make_unique<band_type>(band()), size() == 0 ? 0 : rows()};
    }

    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// How many tiles there are, how many rows of them in all matrices, and how many in a row.
    [[nodiscard]] std::size_t size() const noexcept { return m_cut.tiles(); }

    [[nodiscard]] std::size_t rows() const noexcept { return m_cut.bands(); }

    [[nodiscard]] std::size_t columns() const noexcept { return m_cut.tiles_of_band(); }

    /// The extents of a tile; the last ones may be smaller.
    [[nodiscard]] std::size_t tile_rows() const noexcept { return m_cut.tile_rows; }

    [[nodiscard]] std::size_t tile_columns() const noexcept { return m_cut.tile_columns; }

    /// How many matrices of a stack end before a row of tiles.
    [[nodiscard]] std::size_t matrices_before(std::size_t tile_row) const noexcept {
        return tile_row / m_cut.bands_of_matrix();
    }

    /// For a walk of one's own: band.seek(number of a row of tiles) makes it that row. Each thread
    /// takes its own.
    [[nodiscard]] band_type band(bool wants_words = true) const {
        return band_type(m_rows, m_cut, wants_words);
    }

    /// How many tiles are full, partial and empty.
    [[nodiscard]] std::size_t count(tile_kind kind) const {
        std::size_t count = 0;
        band_type line = band(false);
        for (std::size_t r = 0; r < rows(); ++r) {
            line.seek(r);
            for (std::size_t t = 0; t < columns(); ++t) {
                count += line.kind(t) == kind;
            }
        }
        return count;
    }

private:
    CTM m_mask;
    rows_type m_rows;
    detail::tiling m_cut;
};

namespace detail {
/// A mask cut for a picture: at most `most_rows` x `most_columns` tiles of equal size, of one
/// element each where that fits. Folded rows may belong to several matrices of a stack.
template <mask_expression M>
mask_tiles<const M&> picture_tiles(const M& m, std::size_t most_rows, std::size_t most_columns) {
    const auto extent_of_tile = [](std::size_t extent, std::size_t most) {
        const std::size_t room = std::max<std::size_t>(most, 1);
        return std::max<std::size_t>(extent / room + (extent % room != 0), 1);
    };
    const std::size_t rows = m.size() == 0 ? 0 : rows_of(m.shape());
    const std::size_t height = extent_of_tile(rows, most_rows);
    const std::size_t width =
        extent_of_tile(m.size() == 0 ? 0 : columns_of(m.shape()), most_columns);
    tiling cut = tiling::of(m.shape(), height, width);
    if (height != 1 || rows == 0 || m.dimension() < 3) {
        cut.matrices = 1;
        cut.matrix_rows = rows;
    }
    return {m, m.shape(), cut};
}

/// How many tiles of each kind a picture has.
class tile_legend {
public:
    void count(tile_kind kind) { ++m_counts[static_cast<std::size_t>(kind)]; }

    [[nodiscard]] std::size_t operator[](tile_kind kind) const noexcept {
        return m_counts[static_cast<std::size_t>(kind)];
    }

private:
    std::array<std::size_t, 3> m_counts{};
};

/// Whether tiles are more than one element.
template <class Tiles>
bool is_folded(const Tiles& tiles) noexcept {
    return tiles.tile_rows() > 1 || tiles.tile_columns() > 1;
}
} // namespace detail

/// The mask cut into tiles of `rows` x `columns` of its last two axes: a range of tiles in
/// row-major order, each of which says whether it is full, partial or empty, where it lies, how
/// many elements it keeps, and their words. Leading axes are a stack of matrices; a row alone is a
/// matrix of one row. The last tiles of a matrix may be smaller.
///
/// Throws std::invalid_argument for tiles of no rows or no columns. What the mask knows of its rows
/// (of lengths, ranges, causal masks, windows, prefixes, segments and all that is combined of them)
/// is not looked at; other masks are asked for each word once. Memory for one row of tiles: a
/// number for each, and a bit for each element. A causal 65,536 x 65,536 in tiles of 64 x 64 is
/// walked in milliseconds. to_string and to_svg draw a tile as a character or square.
///
///     for (const auto tile : xmask::tiles(m, 64, 64))
///     {
///         if (tile.kind() == xmask::tile_kind::empty) { continue; }
///         std::cout << tile.row() << ' ' << tile.column() << ' ' << tile.kept() << '\n';
///     }
///     auto full = xmask::tiles(xmask::keep_causal(256, 256), 64, 64).count(xmask::tile_kind::full);    // 6
template <class M>
auto tiles(M&& m, std::size_t rows, std::size_t columns) {
    if constexpr (detail::require_mask<M>()) {
        if (rows == 0 || columns == 0) [[unlikely]] {
            detail::throw_invalid(
                "tiles", "tiles of ", rows, " x ", columns, " elements; expected 1 x 1 or more"
            );
        }
        return mask_tiles<detail::closure_t<M>>(std::forward<M>(m), rows, columns);
    }
}
} // namespace xmask::inline XMASK_ABI
