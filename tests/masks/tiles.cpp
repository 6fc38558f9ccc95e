// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/svg.hpp>
#include <xmask/masks/text.hpp>
#include <xmask/masks/tiles.hpp>

#include "support/oracle.hpp"

namespace {
using xmask::tile_kind;

/// The expected tiles, from each element.
std::vector<tile_kind> naive_tiles(
    const std::vector<char>& kept, std::size_t n, std::size_t tile_rows, std::size_t tile_columns
) {
    std::vector<tile_kind> tiles;
    const std::size_t rows = kept.size() / n;
    for (std::size_t r = 0; r < rows; r += tile_rows) {
        for (std::size_t c = 0; c < n; c += tile_columns) {
            bool any = false;
            bool all = true;
            for (std::size_t i = r; i < std::min(r + tile_rows, rows); ++i) {
                for (std::size_t j = c; j < std::min(c + tile_columns, n); ++j) {
                    any = any || kept[i * n + j] != 0;
                    all = all && kept[i * n + j] != 0;
                }
            }
            tiles.push_back(all ? tile_kind::full : any ? tile_kind::partial : tile_kind::empty);
        }
    }
    return tiles;
}

template <class M>
void require_tiles(const M& m) {
    const auto kept = oracle::elements(m);
    const std::size_t n = m.shape(m.dimension() - 1);
    for (const std::size_t most : {1u, 2u, 3u, 7u, 64u, 100u, 5000u}) {
        CAPTURE(n, most);
        const auto tiles = xmask::detail::picture_tiles(m, most, most);
        std::vector<tile_kind> all;
        for (const auto tile : tiles) {
            all.push_back(tile.kind());
        }
        REQUIRE(all.size() == tiles.rows() * tiles.columns());
        REQUIRE(tiles.rows() <= most);
        REQUIRE(tiles.columns() <= most);
        REQUIRE(all == naive_tiles(kept, n, tiles.tile_rows(), tiles.tile_columns()));
    }
}

/// Answers as another mask does, and counts the words that are asked for.
template <class M>
struct counting_rule {
    using shape_type = typename M::shape_type;

    struct cursor {
        decltype(std::declval<const M&>().row(0)) inner;
        std::size_t* asked;

        std::uint64_t word(std::size_t c) const {
            ++*asked;
            return inner.word(c);
        }

        xmask::stretch at(std::size_t c) const { return oracle::stretch_at(inner, c); }
    };

    const shape_type& shape() const { return counted.shape(); }

    cursor row(std::size_t r) const { return {counted.row(r), asked}; }

    M counted;
    std::size_t* asked;
};

template <class M>
auto counting(const M& m, std::size_t& asked) {
    return xmask::mask(counting_rule<M>{m, &asked});
}
} // namespace

TEST_CASE("tiles say what is kept of their elements", "[tiles]") {
    for (const std::size_t n : oracle::columns) {
        if (n == 0) {
            continue;
        }
        require_tiles(xmask::bitmask(xmask::keep_where(oracle::random<bool>({3, n}, 5))));
        require_tiles(xmask::keep_window(9, n, n / 2, 3));
        require_tiles(xmask::keep_lengths({n, n / 2, std::size_t(0), n - 1}, n));
        // Words, then a kept stretch, then words.
        require_tiles(
            xmask::keep_lengths({n / 3, n / 2}, n) ||
            xmask::keep_if({2, n}, [](std::size_t i, std::size_t j) { return (i + j) % 5 == 0; })
        );
    }
    require_tiles(xmask::keep_all({2, 3, 5}));
    require_tiles(xmask::keep_none({70, 3}));
}

TEST_CASE("a mask without elements has no tiles", "[tiles]") {
    for (const std::vector<std::size_t>& shape :
         std::vector<std::vector<std::size_t>>{{0}, {0, 3}, {3, 0}, {2, 0, 100}}) {
        const auto m = xmask::keep_all(shape);
        const auto tiles = xmask::detail::picture_tiles(m, 4, 4);
        REQUIRE(tiles.size() == 0);
        REQUIRE(tiles.begin() == tiles.end());
        REQUIRE_FALSE(xmask::detail::is_folded(tiles));
        REQUIRE(xmask::tiles(m, 2, 3).size() == 0);
        REQUIRE(xmask::tiles(m, 2, 3).begin() == xmask::tiles(m, 2, 3).end());
        REQUIRE(xmask::tiles(m, 2, 3).count(tile_kind::empty) == 0);
    }
}

TEST_CASE("pictures of structured masks ask for no word", "[tiles]") {
    std::size_t asked = 0;
    // Tens of thousands of rows, drawn at once: each row keeps one range.
    const auto window = counting(xmask::keep_window(65536, 65536, 4096, 0), asked);
    const std::string text = xmask::to_string(window, {.width = 16, .height = 16});
    REQUIRE(asked == 0);
    // Tiles of 4096: a query sees its own tile up to itself, and the rest of the tile before.
    REQUIRE(
        text.find(
            "(each character is a tile of 4096 x 4096 elements: █ 0 full, ▒ 31 partial, · 225 empty)"
        ) != text.npos
    );
    REQUIRE(xmask::to_svg(window).find("tiles of 1024 x 1024") != std::string::npos);
    REQUIRE(asked == 0);
    const auto causal = counting(xmask::keep_causal(65536, 65536), asked);
    xmask::to_string(causal && counting(xmask::keep_window(65536, 65536, 9, 9), asked));
    REQUIRE(asked == 0);
}

TEST_CASE("pictures of other masks ask for each word of the extent once", "[tiles]") {
    // Every other key from 64 to 164 is in segment 1: two words a query, however narrow the tiles
    // are.
    xt::xtensor<int, 1> keys = xt::zeros<int>({1000});
    for (std::size_t c = 64; c < 164; c += 2) {
        keys(c) = 1;
    }
    std::size_t asked = 0;
    const auto m = counting(xmask::keep_same_segment(std::vector<int>(5, 1), keys), asked);
    xmask::to_string(m, {.width = 1000});
    REQUIRE(asked == 10);
    xmask::to_string(m, {.width = 10});
    REQUIRE(asked == 20);
    xmask::to_svg(m, {.columns = 100});
    REQUIRE(asked == 30);
}
