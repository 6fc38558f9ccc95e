// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "tile_band.hpp"
#include "tiles.hpp"

/// @file
/// The tiles of a picture of a mask, and its legend.

namespace xmask::inline XMASK_ABI::detail {
/// Cuts a mask for a picture into at most `most_rows` x `most_columns` tiles of equal size, of one
/// element each where there are no more. The rows of a tile may belong to several matrices.
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

/// The number of tiles of each kind in a picture.
class tile_legend {
public:
    void count(tile_kind kind) { ++m_counts[static_cast<std::size_t>(kind)]; }

    [[nodiscard]] std::size_t operator[](tile_kind kind) const noexcept {
        return m_counts[static_cast<std::size_t>(kind)];
    }

private:
    std::array<std::size_t, 3> m_counts{};
};

/// Whether tiles have more than one element.
template <class Tiles>
bool is_folded(const Tiles& tiles) noexcept {
    return tiles.tile_rows() > 1 || tiles.tile_columns() > 1;
}
} // namespace xmask::inline XMASK_ABI::detail
