// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <ostream>
#include <string>

#include "../core/mask.hpp"
#include "tiles.hpp"

/// @file
/// A mask as a picture in text.

namespace xmask::inline XMASK_ABI {
/// How large a picture may be, in characters and lines. A larger mask is folded: a character then
/// stands for a tile.
struct text_options {
    std::size_t width = 80;
    std::size_t height = 40;
};

namespace detail {
[[nodiscard]] constexpr const char* character_of(tile_kind kind) noexcept {
    return kind == tile_kind::full ? "█" : kind == tile_kind::partial ? "▒" : "·";
}

/// What a character of a folded picture stands for, and how many there are of each.
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

/// A character for each tile, and what it stands for.
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

/// The mask as lines of characters, UTF-8: █ kept, · dropped. Leading axes follow one another,
/// matrices a blank line apart.
///
/// A mask of more columns or rows than fit is folded: a character is then a tile, █ kept whole, ▒
/// in part, · not at all, and a last line says how large a tile is and how many there are of each
/// kind. Each row's extent is looked at once, and not where the mask knows a range to be kept
/// whole: a causal window of 65,536 x 65,536 takes milliseconds.
///
///     std::cout << xmask::to_string(xmask::keep_lengths({3, 1}, 4));
///     // ███·
///     // █···
template <class M>
std::string to_string(const M& m, const text_options& options = {}) {
    if constexpr (detail::require_mask<M>()) {
        return detail::tiles_text(detail::picture_tiles(m, options.height, options.width));
    }
    return {};
}

/// Tiles as lines of characters, one for each, however many there are: █ full, ▒ partial, · empty;
/// and how many there are of each kind.
///
///     std::string picture = xmask::to_string(xmask::tiles(xmask::keep_causal(256, 256), 64, 64));
template <class CTM>
std::string to_string(const mask_tiles<CTM>& tiles) {
    return detail::tiles_text(tiles);
}

/// The elements of one tile: █ kept, · dropped.
///
///     std::string first = xmask::to_string(*xmask::tiles(xmask::keep_causal(9, 9), 2, 3).begin());
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

/// Draws tiles, as to_string does.
///
///     std::cout << xmask::tiles(xmask::keep_all({4, 6}), 2, 2);
template <class CTM>
std::ostream& operator<<(std::ostream& out, const mask_tiles<CTM>& tiles) {
    return out << to_string(tiles);
}

/// Draws one tile, as to_string does.
///
///     std::cout << *xmask::tiles(xmask::keep_causal(2, 3), 2, 2).begin();
///     // █·
///     // ██
template <class Band>
std::ostream& operator<<(std::ostream& out, const mask_tile<Band>& tile) {
    return out << to_string(tile);
}
} // namespace xmask::inline XMASK_ABI
