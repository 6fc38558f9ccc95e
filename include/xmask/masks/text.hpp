// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <utility>

#include "../core/mask.hpp"
#include "tiles.hpp"

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
        [[nodiscard]] constexpr const char* character_of(tile t) noexcept
        {
            return t == tile::full ? "█" : t == tile::partial ? "▒" : "·";
        }

        /// What a character of a folded picture stands for, and how many there are of each.
        template <mask_expression M>
        std::string legend_text(const tiled_mask<M>& tiles, const tile_legend& legend)
        {
            std::string out = "(each character is a tile of " + std::to_string(tiles.tile_rows()) + " x "
                              + std::to_string(tiles.tile_columns()) + " elements:";
            for (const auto& [kind, name] : {std::pair(tile::full, " full,"), std::pair(tile::partial, " partial,"),
                                             std::pair(tile::empty, " empty)\n")})
            {
                out.append(" ").append(character_of(kind)).append(" ").append(std::to_string(legend[kind])).append(name);
            }
            return out;
        }
    }

    /// The mask as lines of characters, UTF-8: █ kept, · dropped. Leading axes follow one another, matrices a blank line
    /// apart.
    ///
    /// A mask of more columns or rows than fit is folded: a character is then a tile, █ kept whole, ▒ in part, · not at
    /// all, and a last line says how large a tile is and how many there are of each kind. Each row's extent is looked at
    /// once, and not where the mask knows a range to be kept whole: a causal window of 65,536 x 65,536 takes milliseconds.
    ///
    ///     std::cout << xmask::to_string(xmask::keep_lengths({3, 1}, 4));
    ///     // ███·
    ///     // █···
    template <class M>
    std::string to_string(const M& m, const text_options& options = {})
    {
        std::string out;
        if constexpr (detail::require_mask<M>())
        {
            const detail::tiled_mask<M> tiles(m, options.height, options.width);
            detail::tile_legend legend;
            for (std::size_t r = 0; r < tiles.rows(); ++r)
            {
                if (r != 0 && tiles.matrices_before(r) != tiles.matrices_before(r - 1))
                {
                    out += '\n';
                }
                const auto line = tiles.row(r);
                for (const detail::tile t : line)
                {
                    out += detail::character_of(t);
                }
                out += '\n';
                legend.count(line);
            }
            if (tiles.folded())
            {
                out += detail::legend_text(tiles, legend);
            }
        }
        return out;
    }

    /// Draws the mask, as to_string does.
    ///
    ///     std::cout << xmask::keep_causal(2, 3);
    ///     // █··
    ///     // ██·
    template <class M>
        requires mask_expression<M>
    std::ostream& operator<<(std::ostream& out, const M& m)
    {
        return out << to_string(m);
    }
}
