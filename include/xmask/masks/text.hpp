// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <ostream>
#include <string>

#include "../core/mask.hpp"
#include "picture.hpp"
#include "tiles.hpp"

/// @file
/// A mask as a picture in text.

namespace xmask::inline XMASK_ABI {
/// The largest size of a picture. A larger mask is folded: each character shows a tile.
struct text_options {
    std::size_t width = 80;  ///< characters of a line
    std::size_t height = 40; ///< lines
};

namespace detail {
[[nodiscard]] constexpr const char* character_of(tile_kind kind) noexcept {
    return kind == tile_kind::full ? "█" : kind == tile_kind::partial ? "▒" : "·";
}

/// The legend of a folded picture: the size of a tile, and the number of tiles of each kind.
template <class Tiles>
std::string legend_text(const Tiles& tiles, const tile_legend& legend) {
    std::string out = "(each character is a tile of " + std::to_string(tiles.tile_rows()) + " x " +
                      std::to_string(tiles.tile_columns()) + " elements:";
    struct entry {
        tile_kind kind;
        const char* name;
    };
    for (const auto& [kind, name] :
         {entry{tile_kind::full, " full,"}, entry{tile_kind::partial, " partial,"},
          entry{tile_kind::empty, " empty)\n"}}) {
        out.append(" ")
            .append(character_of(kind))
            .append(" ")
            .append(std::to_string(legend[kind]))
            .append(name);
    }
    return out;
}

/// One character for each tile, and the legend.
template <class Tiles>
std::string tiles_text(const Tiles& tiles) {
    std::string out;
    tile_legend legend;
    auto band = tiles.band(false);
    for (std::size_t r = 0; r < tiles.rows(); ++r) {
        if (r != 0 && tiles.matrices_before(r) != tiles.matrices_before(r - 1)) {
            out += '\n';
        }
        band.seek(r);
        for (std::size_t t = 0; t < band.tiles(); ++t) {
            out += character_of(band.kind(t));
            legend.count(band.kind(t));
        }
        out += '\n';
    }
    if (is_folded(tiles)) {
        out += legend_text(tiles, legend);
    }
    return out;
}
} // namespace detail

/// Draws a mask in UTF-8: █ kept, · dropped.
///
/// Each row of the last axis is a line; a blank line stands between the matrices of a stack.
///
/// A mask of more columns or rows than fit is folded: a character then is a tile, █ full, ▒
/// partial, · empty. A last line gives the size of a tile and the number of tiles of each kind.
///
///     std::cout << xmask::to_string(xmask::keep_lengths({3, 1}, 4));
///     // ███·
///     // █···
///
/// @param m a mask.
/// @param options the largest size of the picture.
/// @returns the lines of the picture.
///
/// Cost: each word is computed once, and none in ranges that the mask knows: a causal window of
/// 65,536 x 65,536 takes milliseconds.
template <class M>
std::string to_string(const M& m, const text_options& options = {}) {
    if constexpr (detail::require_mask<M>()) {
        return detail::tiles_text(detail::picture_tiles(m, options.height, options.width));
    }
    return {};
}

/// Draws tiles as characters, one for each tile: █ full, ▒ partial, · empty.
///
/// A last line gives the number of tiles of each kind.
///
///     std::string picture = xmask::to_string(xmask::tiles(xmask::keep_causal(256, 256), 64, 64));
///
/// @param tiles a mask cut by tiles(), of any number of tiles.
/// @returns the lines of the picture.
///
/// Cost: that of a walk over the tiles, and three bytes for each tile.
template <class CTM>
std::string to_string(const mask_tiles<CTM>& tiles) {
    return detail::tiles_text(tiles);
}

/// Draws the elements of one tile: █ kept, · dropped.
///
///     std::string first = xmask::to_string(*xmask::tiles(xmask::keep_causal(9, 9), 2, 3).begin());
///
/// @param tile a tile of a mask.
/// @returns a line for each row of the tile.
///
/// Cost: a look at each element.
template <class Band>
std::string to_string(const mask_tile<Band>& tile) {
    std::string out;
    for (std::size_t i = 0; i < tile.rows(); ++i) {
        for (std::size_t c = 0; c < tile.columns(); ++c) {
            const bool kept = (tile.word(i, c) & 1) != 0;
            out += detail::character_of(kept ? tile_kind::full : tile_kind::empty);
        }
        out += '\n';
    }
    return out;
}

/// Writes tiles as to_string draws them.
///
///     std::cout << xmask::tiles(xmask::keep_all({4, 6}), 2, 2);
///
/// @param out where to.
/// @param tiles a mask cut by tiles().
/// @returns out.
template <class CTM>
std::ostream& operator<<(std::ostream& out, const mask_tiles<CTM>& tiles) {
    return out << to_string(tiles);
}

/// Writes one tile as to_string draws it.
///
///     std::cout << *xmask::tiles(xmask::keep_causal(2, 3), 2, 2).begin();
///     // █·
///     // ██
///
/// @param out where to.
/// @param tile a tile of a mask.
/// @returns out.
template <class Band>
std::ostream& operator<<(std::ostream& out, const mask_tile<Band>& tile) {
    return out << to_string(tile);
}
} // namespace xmask::inline XMASK_ABI
