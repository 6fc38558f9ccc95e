// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "picture.hpp"
#include "tiles.hpp"

/// @file
/// A mask as a picture in SVG, for documentation.

namespace xmask::inline XMASK_ABI {
/// Options of to_svg. Texts are UTF-8. An empty text takes no room.
struct svg_options {
    std::string title = {};        ///< above the picture, and for screen readers
    std::string row_label = {};    ///< left of the rows, as "queries"
    std::string column_label = {}; ///< above the columns, as "keys"
    std::size_t rows = 64;         ///< most squares in a column; a larger mask is folded into tiles
    std::size_t columns = 64;      ///< most squares in a row
    std::optional<std::size_t> cell = std::nullopt; ///< side of a square, in pixels; else 10 to 24
    bool legend = true; ///< whether to explain the shades and give their numbers
};

namespace detail {
/// Text for XML. Control characters, which XML cannot hold, become spaces.
inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
        }
    }
    return out;
}

/// An upper estimate of a text's width at font size 12, in pixels: capitals are wider than other
/// letters, and characters of three bytes and more, as Chinese ones, are squares. Continuation
/// bytes of UTF-8 have no width.
inline std::size_t text_width(std::string_view text) {
    std::size_t width = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool continues = (byte & 0xC0) == 0x80;
        const bool capital = byte >= 'A' && byte <= 'Z';
        width += continues ? 0 : byte >= 0xE0 ? 12 : capital ? 9 : 7;
    }
    return width;
}

/// Draws a mask tile by tile. All numbers are whole pixels, so that edges are sharp and files
/// small.
template <class Tiles>
class svg_picture {
    static constexpr std::size_t line_height = 18;
    static constexpr std::size_t margin = 2;
    static constexpr std::size_t swatch = 10;

    // Medium brightness, visible on black and on white.
    static constexpr const char* kept_color = "#3b82f6";
    static constexpr const char* text_color = "#76808b";
    static constexpr const char* empty_style = "fill=\"#808080\" fill-opacity=\".2\"";

public:
    svg_picture(const Tiles& tiles, const svg_options& options)
        : m_tiles(tiles)
        , m_options(options)
        , m_cell(options.cell.value_or(cell_of(tiles)))
        , m_left(margin + (options.row_label.empty() ? 0 : line_height))
        , m_top(
              margin +
              line_height * (!options.title.empty() + std::size_t(!options.column_label.empty()))
          )
        , m_picture_width(m_tiles.columns() * m_cell)
        , m_picture_height(m_tiles.rows() == 0 ? 0 : y_of(m_tiles.rows() - 1) + m_cell - m_top) {}

    [[nodiscard]] std::string text() {
        // In this order: runs() counts for the legend, and each part extends the picture.
        std::string body = frames();
        body += runs();
        body += is_folded(m_tiles) ? "" : grid();
        body += labels();
        body += key();
        std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(m_width) +
                          "\" height=\"" + number(m_height) + "\" viewBox=\"0 0 " +
                          number(m_width) + " " + number(m_height) +
                          "\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n";
        if (!m_options.title.empty()) {
            out += "<title>" + escaped(m_options.title) + "</title>\n";
        }
        return out + body + "</svg>\n";
    }

private:
    /// Squares of a small mask are as large as 240 pixels allow, up to 24 pixels.
    static std::size_t cell_of(const Tiles& tiles) {
        const std::size_t longer = std::max({tiles.rows(), tiles.columns(), std::size_t(1)});
        return std::clamp<std::size_t>(240 / longer, 10, 24);
    }

    static std::string number(std::size_t value) { return std::to_string(value); }

    /// The top of a row of tiles. Matrices of a stack stand one square apart.
    [[nodiscard]] std::size_t y_of(std::size_t row) const {
        return m_top + (row + m_tiles.matrices_before(row)) * m_cell;
    }

    static std::string rect(std::size_t x, std::size_t y, std::size_t width, std::size_t height) {
        return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) +
               "\" height=\"" + number(height) + "\"/>\n";
    }

    static std::string group(const char* name, const std::string& style, const std::string& what) {
        if (what.empty()) {
            return what;
        }
        return std::string("<g class=\"") + name + "\" " + style +
               " shape-rendering=\"crispEdges\">\n" + what + "</g>\n";
    }

    static std::string style_of(tile_kind kind) {
        return "fill=\"" + std::string(kept_color) +
               (kind == tile_kind::partial ? "\" fill-opacity=\".5\"" : "\"");
    }

    /// Calls f(first row, last row) for each matrix of a stack.
    template <class F>
    void for_each_matrix(F&& f) const {
        for (std::size_t first = 0, r = 0; r < m_tiles.rows(); ++r) {
            if (r + 1 == m_tiles.rows() ||
                m_tiles.matrices_before(r + 1) != m_tiles.matrices_before(r)) {
                f(first, r);
                first = r + 1;
            }
        }
    }

    /// The background of each matrix, in the shade of dropped elements.
    [[nodiscard]] std::string frames() const {
        std::string out;
        for_each_matrix([&](std::size_t first, std::size_t last) {
            const std::size_t height = y_of(last) + m_cell - y_of(first);
            out += rect(m_left, y_of(first), m_picture_width, height);
        });
        return group("empty", empty_style, out);
    }

    /// A rectangle for each run of full tiles, and of partial ones.
    [[nodiscard]] std::string runs() {
        std::string full;
        std::string partial;
        auto band = m_tiles.band(false);
        for (std::size_t r = 0; r < m_tiles.rows(); ++r) {
            band.seek(r);
            for (std::size_t begin = 0, end = 0; begin < band.tiles(); begin = end) {
                const tile_kind kind = band.kind(begin);
                for (; end < band.tiles() && band.kind(end) == kind; ++end) {
                    m_legend.count(kind);
                }
                if (kind != tile_kind::empty) {
                    const std::size_t width = (end - begin) * m_cell;
                    (kind == tile_kind::full ? full : partial) +=
                        rect(m_left + begin * m_cell, y_of(r), width, m_cell);
                }
            }
        }
        return group("full", style_of(tile_kind::full), full) +
               group("partial", style_of(tile_kind::partial), partial);
    }

    /// Lines between elements.
    [[nodiscard]] std::string grid() const {
        std::string path;
        for_each_matrix([&](std::size_t first, std::size_t last) {
            const std::size_t top = y_of(first);
            const std::size_t bottom = y_of(last) + m_cell;
            for (std::size_t y = top; y <= bottom; y += m_cell) {
                path += "M" + number(m_left) + " " + number(y) + "h" + number(m_picture_width);
            }
            for (std::size_t x = m_left; x <= m_left + m_picture_width; x += m_cell) {
                path += "M" + number(x) + " " + number(top) + "v" + number(bottom - top);
            }
        });
        if (path.empty()) {
            return path;
        }
        return "<path stroke=\"#808080\" stroke-opacity=\".4\" shape-rendering=\"crispEdges\" d=\"" +
               path + "\"/>\n";
    }

    /// Text with its lower left corner at (x, y). Attributes may centre or turn it.
    [[nodiscard]] static std::string words(
        std::size_t x, std::size_t y, const std::string& text, const std::string& attributes = ""
    ) {
        return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" fill=\"" + text_color + "\"" +
               attributes + ">" + escaped(text) + "</text>\n";
    }

    [[nodiscard]] std::string labels() {
        const std::string centred = " text-anchor=\"middle\"";
        std::string out;
        m_width = m_left + m_picture_width + margin;
        m_height = m_top + m_picture_height + margin;
        if (!m_options.title.empty()) {
            out += words(m_left, line_height - 4, m_options.title, " font-weight=\"bold\"");
            m_width =
                std::max(m_width, m_left + text_width(m_options.title) * 8 / 7 + margin); // bold
        }
        if (!m_options.column_label.empty()) {
            const std::size_t middle =
                m_left + std::max(m_picture_width, text_width(m_options.column_label)) / 2;
            out += words(middle, m_top - 5, m_options.column_label, centred);
            m_width = std::max(m_width, m_left + text_width(m_options.column_label) + margin);
        }
        if (!m_options.row_label.empty()) {
            const std::size_t middle =
                m_top + std::max(m_picture_height, text_width(m_options.row_label)) / 2;
            out += words(
                line_height - 5, middle, m_options.row_label,
                centred + " transform=\"rotate(-90 " + number(line_height - 5) + " " +
                    number(middle) + ")\""
            );
            m_height = std::max(m_height, m_top + text_width(m_options.row_label) + margin);
        }
        return out;
    }

    /// The legend below the picture: a line for each shade.
    [[nodiscard]] std::string key() {
        if (!m_options.legend) {
            return "";
        }
        std::string squares;
        std::string texts;
        const auto line = [&](tile_kind kind, const std::string& text) {
            const std::size_t y = m_height + 4;
            squares += group("swatch", empty_style, rect(m_left, y, swatch, swatch));
            squares += kind == tile_kind::empty
                           ? ""
                           : group("swatch", style_of(kind), rect(m_left, y, swatch, swatch));
            texts += words(m_left + swatch + 6, y + swatch, text);
            m_height += line_height;
            m_width = std::max(m_width, m_left + swatch + 6 + text_width(text) + margin);
        };
        if (is_folded(m_tiles)) {
            const std::string tiles =
                " tiles of " + number(m_tiles.tile_rows()) + " x " + number(m_tiles.tile_columns());
            line(tile_kind::full, number(m_legend[tile_kind::full]) + " full" + tiles);
            line(tile_kind::partial, number(m_legend[tile_kind::partial]) + " partial");
            line(tile_kind::empty, number(m_legend[tile_kind::empty]) + " empty");
        } else {
            line(tile_kind::full, number(m_legend[tile_kind::full]) + " kept");
            line(tile_kind::empty, number(m_legend[tile_kind::empty]) + " dropped");
        }
        m_height += margin;
        return "<g class=\"legend\">\n" + squares + texts + "</g>\n";
    }

    const Tiles& m_tiles;
    const svg_options& m_options;
    std::size_t m_cell;
    std::size_t m_left;
    std::size_t m_top;
    std::size_t m_picture_width;
    std::size_t m_picture_height;
    std::size_t m_width = 0;
    std::size_t m_height = 0;
    tile_legend m_legend;
};

template <class Tiles>
std::string svg_text(const Tiles& tiles, const svg_options& options) {
    if (options.cell == std::size_t(0)) [[unlikely]] {
        throw_invalid("to_svg", "cell 0; expected squares of 1 pixel or more");
    }
    return svg_picture<Tiles>(tiles, options).text();
}
} // namespace detail

/// Draws a mask as a small SVG for documentation, readable on light and dark backgrounds.
///
/// Each run of kept columns is one rectangle in the group of class "full". A mask of more rows or
/// columns than the options say is folded into tiles of three shades: full, partial (in a group of
/// that class) and empty. The matrices of a stack stand one square apart.
///
///     std::ofstream file("causal.svg");
///     file << xmask::to_svg(xmask::keep_causal(8, 8), {.row_label = "queries", .column_label = "keys"});
///
/// @param m a mask.
/// @param options texts, sizes and legend.
/// @returns the SVG file.
/// @throws std::invalid_argument for squares of 0 pixels.
///
/// Cost: each word is computed once, and none in ranges that the mask knows.
template <class M>
std::string to_svg(const M& m, const svg_options& options = {}) {
    if constexpr (detail::require_mask<M>()) {
        return detail::svg_text(detail::picture_tiles(m, options.rows, options.columns), options);
    }
    return {};
}

/// Draws tiles as an SVG with a square for each tile.
///
///     std::string svg = xmask::to_svg(xmask::tiles(m, 64, 64), {.title = "what attention computes"});
///
/// @param tiles a mask cut by tiles(), of any number of tiles.
/// @param options texts, sizes and legend; rows and columns are not used.
/// @returns the SVG file.
/// @throws std::invalid_argument for squares of 0 pixels.
///
/// Cost: that of a walk over the tiles.
template <class CTM>
std::string to_svg(const mask_tiles<CTM>& tiles, const svg_options& options = {}) {
    return detail::svg_text(tiles, options);
}
} // namespace xmask::inline XMASK_ABI
