// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/word.hpp"
#include "tile_band.hpp"

/// @file
/// A mask as tiles, each full, partial or empty: for skipping work, and for pictures.

namespace xmask::inline XMASK_ABI {
/// One tile of a mask. It is valid until the iterator that gave it goes to the next row of tiles.
///
/// @tparam Band the row of tiles, which is deduced.
template <class Band>
class mask_tile {
public:
    /// @param band the row of tiles.
    /// @param number which of its tiles.
    mask_tile(const Band& band, std::size_t number) noexcept
        : m_band(std::addressof(band)), m_number(number) {}

    /// @returns whether the tile is full, partial or empty.
    [[nodiscard]] tile_kind kind() const noexcept { return m_band->kind(m_number); }

    /// @returns the number of kept elements, which is stored.
    [[nodiscard]] std::size_t kept() const noexcept { return m_band->kept(m_number); }

    /// @returns the number of its matrix, in row-major order of the leading axes.
    [[nodiscard]] std::size_t matrix() const noexcept { return m_band->matrix(); }

    /// @returns its first row in the matrix.
    [[nodiscard]] std::size_t row() const noexcept { return m_band->row(); }

    /// @returns its first column.
    [[nodiscard]] std::size_t column() const noexcept {
        return m_number * m_band->cut().tile_columns;
    }

    /// @returns the number of its rows.
    [[nodiscard]] std::size_t rows() const noexcept { return m_band->rows(); }

    /// @returns the number of its columns.
    [[nodiscard]] std::size_t columns() const noexcept { return m_band->columns(m_number); }

    /// @param i a row of the tile.
    /// @param c a column of the tile.
    /// @returns 64 elements: bit k says whether column c + k of row i is kept. Bits past the tile
    /// are 0. No word of the mask is computed twice.
    [[nodiscard]] word_t word(std::size_t i, std::size_t c = 0) const {
        return m_band->word(i, column() + c) & first_bits(columns() - c);
    }

private:
    const Band* m_band;
    std::size_t m_number;
};

/// A mask cut into tiles, made by tiles(): a range of tiles in row-major order.
///
/// @tparam CTM the mask's type, a reference where the mask is held by reference.
template <class CTM>
class mask_tiles {
    using mask_type = std::decay_t<CTM>;
    using rows_type = detail::mask_rows<mask_type>;

public:
    using band_type = detail::tile_band<rows_type>;

    /// An input iterator over the tiles.
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

    /// @param m the mask, held by reference if it is an lvalue.
    /// @param tile_rows rows of a tile.
    /// @param tile_columns columns of a tile.
    template <class M>
    mask_tiles(M&& m, std::size_t tile_rows, std::size_t tile_columns)
        : m_mask(std::forward<M>(m))
        , m_rows(m_mask, m_mask.shape())
        , m_cut(detail::tiling::of(m_mask.shape(), tile_rows, tile_columns)) {}

    /// @param m the mask, held by reference if it is an lvalue.
    /// @param shape into which the mask is broadcast.
    /// @param cut the tiles.
    template <class M, class S>
    mask_tiles(M&& m, const S& shape, const detail::tiling& cut)
        : m_mask(std::forward<M>(m)), m_rows(m_mask, shape), m_cut(cut) {}

    // m_rows refers to m_mask.
    mask_tiles(const mask_tiles&) = delete;
    mask_tiles& operator=(const mask_tiles&) = delete;

    /// @returns an iterator at the first tile.
    [[nodiscard]] iterator begin() const {
        return {std::make_unique<band_type>(band()), size() == 0 ? 0 : rows()};
    }

    /// @returns the end of the tiles.
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// @returns the number of tiles.
    [[nodiscard]] std::size_t size() const noexcept { return m_cut.tiles(); }

    /// @returns the number of rows of tiles, in all matrices.
    [[nodiscard]] std::size_t rows() const noexcept { return m_cut.bands(); }

    /// @returns the number of tiles in a row of tiles.
    [[nodiscard]] std::size_t columns() const noexcept { return m_cut.tiles_of_band(); }

    /// @returns the number of rows of a tile; the last ones may have fewer.
    [[nodiscard]] std::size_t tile_rows() const noexcept { return m_cut.tile_rows; }

    /// @returns the number of columns of a tile; the last ones may have fewer.
    [[nodiscard]] std::size_t tile_columns() const noexcept { return m_cut.tile_columns; }

    /// @param tile_row the number of a row of tiles.
    /// @returns the number of matrices that end before it.
    [[nodiscard]] std::size_t matrices_before(std::size_t tile_row) const noexcept {
        return tile_row / m_cut.bands_of_matrix();
    }

    /// For a loop of one's own: band.seek(r) goes to row r of tiles. Each thread takes its own.
    ///
    /// @param wants_words whether the words of tiles will be asked for, which are then stored.
    /// @returns a row of tiles, at none yet.
    [[nodiscard]] band_type band(bool wants_words = true) const {
        return band_type(m_rows, m_cut, wants_words);
    }

    /// @param kind full, partial or empty.
    /// @returns the number of tiles of that kind.
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

/// Cuts a mask into tiles of its last two axes: a range of tiles in row-major order. Each tile says
/// whether it is full, partial or empty, where it lies, how many elements it keeps, and which.
///
/// Leading axes are a stack of matrices. A single row is a matrix of one row. The last tiles of a
/// matrix may be smaller. to_string and to_svg draw a tile as one character or square.
///
///     for (const auto tile : xmask::tiles(m, 64, 64))
///     {
///         if (tile.kind() == xmask::tile_kind::empty) { continue; }
///         std::cout << tile.row() << ' ' << tile.column() << ' ' << tile.kept() << '\n';
///     }
///     auto full = xmask::tiles(xmask::keep_causal(256, 256), 64, 64).count(xmask::tile_kind::full);    // 6
///
/// @param m a mask, held by reference if it is an lvalue.
/// @param rows rows of a tile, 1 or more.
/// @param columns columns of a tile, 1 or more.
/// @returns a mask_tiles, a range of mask_tile.
/// @throws std::invalid_argument for tiles of no rows or no columns.
///
/// Cost: each word of the mask is computed once; ranges that the mask knows to be kept or dropped
/// (lengths, ranges, causal masks, windows, prefixes, segments and combinations of them) cost a
/// step. Memory for one row of tiles: a number for each tile and a bit for each element. A causal
/// 65,536 x 65,536 in tiles of 64 x 64 takes milliseconds.
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
