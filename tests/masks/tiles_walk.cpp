// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

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

/// Fails unless tiles have the kind and the words of their elements, and follow each other without
/// a gap.
template <class M>
void require_walk(const M& m, std::size_t tile_rows, std::size_t tile_columns) {
    CAPTURE(tile_rows, tile_columns);
    const auto kept = oracle::elements(m);
    const std::size_t n = m.shape(m.dimension() - 1);
    const std::size_t height = m.dimension() < 2 ? 1 : m.shape(m.dimension() - 2);
    std::size_t matrix = 0;
    std::size_t row = 0;
    std::size_t column = 0;
    bool right = true;
    const auto walk = xmask::tiles(m, tile_rows, tile_columns);
    std::size_t count = 0;
    for (const auto tile : walk) {
        right = right && tile.matrix() == matrix && tile.row() == row && tile.column() == column;
        right = right && tile.rows() == std::min(tile_rows, height - row);
        right = right && tile.columns() == std::min(tile_columns, n - column);
        REQUIRE(right);
        std::size_t all = 0;
        for (std::size_t i = 0; i < tile.rows(); ++i) {
            for (std::size_t c = 0; c < tile.columns(); ++c) {
                const bool keeps = kept[(matrix * height + row + i) * n + column + c] != 0;
                all += keeps;
                right = right && (tile.word(i, c) & 1) == std::uint64_t(keeps);
                right = right && (tile.word(i, c - c % 64) >> c % 64 & 1) == std::uint64_t(keeps);
            }
            const std::size_t last = (tile.columns() - 1) / 64 * 64;
            right = right && (tile.word(i, last) & ~xmask::first_bits(tile.columns() - last)) == 0;
        }
        right = right && tile.kept() == all;
        right =
            right && tile.kind() == (all == 0                              ? tile_kind::empty
                                     : all == tile.rows() * tile.columns() ? tile_kind::full
                                                                           : tile_kind::partial);
        REQUIRE(right);
        ++count;
        column += tile_columns;
        if (column >= n) {
            column = 0;
            row += tile_rows;
        }
        if (row >= height) {
            row = 0;
            ++matrix;
        }
    }
    REQUIRE(count == walk.size());
    REQUIRE(matrix * height * n == kept.size());
    REQUIRE(
        walk.count(tile_kind::empty) + walk.count(tile_kind::partial) +
            walk.count(tile_kind::full) ==
        count
    );
}

template <class M>
void require_walks(const M& m) {
    require_walk(m, 1, 1);
    require_walk(m, 2, 3);
    require_walk(m, 5, 64);
    require_walk(m, 64, 70);
    require_walk(m, 1000, 1000);
}

/// Fails where a word is asked for: only stretches may answer.
template <class M>
struct wordless_rule {
    using shape_type = typename M::shape_type;

    struct cursor {
        decltype(std::declval<const M&>().row(0)) inner;

        std::uint64_t word(std::size_t /*c*/) const {
            throw std::logic_error("a word was asked for");
        }

        xmask::stretch at(std::size_t c) const { return inner.at(c); }
    };

    const shape_type& shape() const { return answering.shape(); }

    cursor row(std::size_t r) const { return {answering.row(r)}; }

    M answering;
};

template <class M>
auto wordless(const M& m) {
    return xmask::mask(wordless_rule<M>{m});
}
} // namespace

TEST_CASE("a walk over tiles gives each tile's place, kind, count and words", "[tiles]") {
    for (const std::size_t n : {1u, 63u, 64u, 65u, 130u, 200u}) {
        require_walks(xmask::keep_causal(67, n));
        require_walks(xmask::keep_where(oracle::random<bool>({2, 3, n}, 5)));
        // Words, then a range, then words: known and unknown columns are in one word.
        require_walks(
            xmask::keep_lengths({n / 3, n / 2}, n) ||
            xmask::keep_if({2, n}, [](std::size_t i, std::size_t j) { return (i + j) % 5 == 0; })
        );
    }
    require_walks(
        xmask::unsqueeze(xmask::keep_lengths({3, 0, 77}, 80), 1) && xmask::keep_window(70, 80, 9, 2)
    );
    require_walks(xmask::keep_lengths({3, 4}, 5));
    require_walks(xmask::keep_all(70));
}

TEST_CASE("what is known of masks is known of their combinations", "[tiles]") {
    const std::size_t n = 150;
    const auto causal = xmask::keep_causal(n, n);
    const auto window = xmask::keep_window(n, n, 70, 70);
    const auto lengths = xmask::keep_last({0, 1, 64, 100, 150}, n);
    require_walks(!window);
    require_walks(causal ^ window);
    require_walks(xmask::keep_lengths({150, 20, 0, 64, 3}, n) || lengths);
    require_walks(
        !(xmask::keep_lengths({150, 20, 0, 64, 3}, n) || lengths) &&
        xmask::keep_lengths({9, 99, 149, 150, 0}, n)
    );
    for (const std::ptrdiff_t by : {-200, -70, -1, 0, 3, 64, 149, 150}) {
        require_walks(xmask::shift(
            xmask::keep_lengths({150, 20, 0, 64}, n) ^ xmask::keep_last({3, 9, 150, 64}, n), by
        ));
        require_walks(xmask::shift(!xmask::keep_lengths({150, 20, 0, 64}, n), by));
    }
    require_walks(
        xmask::unsqueeze(xmask::keep_lengths({3, 1}, 4), -1) && xmask::keep_all({2, 4, 5})
    );
    require_walks(xmask::unsqueeze(xmask::unsqueeze(!lengths, 0), 2));
}

TEST_CASE("structure answers for tiles, and no word is asked for", "[tiles]") {
    const std::size_t n = 4096;
    const auto causal = wordless(xmask::keep_causal(n, n));
    const auto window = wordless(xmask::keep_window(n, n, 255, 0));
    const auto prefix = wordless(xmask::keep_prefix(n, n, 100));
    const auto lengths = wordless(xmask::keep_lengths({1000, 4096, 0}, n));
    std::vector<int> ids(n);
    for (std::size_t i = 0; i < n; ++i) {
        ids[i] = static_cast<int>(i / 700);
    }
    const auto segments = wordless(xmask::keep_same_segment(ids, ids));
    REQUIRE(xmask::tiles(causal, 64, 64).count(tile_kind::full) == 63 * 64 / 2);
    REQUIRE(xmask::tiles(causal, 64, 64).count(tile_kind::partial) == 64);
    // Queries of a tile begin in the tile four before, and see the three between wholly.
    REQUIRE(xmask::tiles(window, 64, 64).count(tile_kind::full) == 63 + 62 + 61);
    REQUIRE(xmask::tiles(prefix && window, 64, 64).size() == 64 * 64);
    REQUIRE(xmask::tiles(segments && causal, 64, 64).count(tile_kind::empty) > 3000);
    REQUIRE(xmask::tiles(xmask::unsqueeze(lengths, 1) && causal, 64, 64).rows() == 3 * 64);
    // Of 1000 keys, 15 tiles are whole, and tile k is full below the diagonal.
    const std::size_t below = 15 * 63 - 15 * 14 / 2;
    REQUIRE(
        xmask::tiles(xmask::unsqueeze(lengths, 1) && causal, 64, 64).count(tile_kind::full) ==
        below + 63 * 64 / 2
    );
    REQUIRE(xmask::tiles(!(window || segments) ^ prefix, 64, 64).count(tile_kind::partial) > 0);
}

TEST_CASE("tiles have pictures", "[tiles]") {
    const auto m = xmask::keep_causal(4, 6);
    const auto walk = xmask::tiles(m, 2, 2);
    REQUIRE(
        xmask::to_string(walk) ==
        "▒··\n"
        "█▒·\n"
        "(each character is a tile of 2 x 2 elements: █ 1 full, ▒ 2 partial, · 3 empty)\n"
    );
    std::ostringstream out;
    out << *walk.begin();
    REQUIRE(out.str() == "█·\n██\n");
    out << walk;
    REQUIRE(out.str() == "█·\n██\n" + xmask::to_string(walk));
    // One blank line between matrices, whatever the size of a tile.
    REQUIRE(
        xmask::to_string(xmask::tiles(xmask::keep_all({2, 2, 4}), 2, 2)).substr(0, 15) ==
        "██\n\n██\n"
    );
    const std::string svg = xmask::to_svg(walk, {.cell = 4});
    REQUIRE(svg.find("1 full tiles of 2 x 2") != std::string::npos);
    REQUIRE_THROWS_AS(xmask::to_svg(walk, {.cell = 0}), std::invalid_argument);
}

TEST_CASE("a tile has at least one element", "[tiles]") {
    REQUIRE_THROWS_MATCHES(
        xmask::tiles(xmask::keep_all({2, 2}), 0, 64), std::invalid_argument,
        Catch::Matchers::Message("xmask::tiles: tiles of 0 x 64 elements; expected 1 x 1 or more")
    );
    REQUIRE_THROWS_AS(xmask::tiles(xmask::keep_all({2, 2}), 64, 0), std::invalid_argument);
}
