// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/slices.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

TEST_CASE("a bitmask is the mask that it was made of", "[bitmask]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto b = oracle::random<bool>({3, n}, 8);
        const xmask::bitmask stored = xmask::keep_where(b);
        oracle::require_words(stored, oracle::elements(b));
    }
    extents shape;
    for (std::size_t rank = 0; rank <= 8; ++rank) {
        const auto b = oracle::random<bool>(shape, 9);
        oracle::require_words(xmask::bitmask(xmask::keep_where(b)), oracle::elements(b));
        shape.push_back(rank % 3 == 1 ? 1 : 3);
    }
    oracle::require_words(xmask::bitmask(xmask::keep_none({0, 3})), {});
    oracle::require_words(xmask::bitmask(xmask::keep_all({3, 0})), {});
    oracle::require_mask(xmask::bitmask(xmask::keep_all({3, 70})), std::vector<char>(210, 1));
}

TEST_CASE("the example of the bitmask's comment", "[bitmask]") {
    const xt::xtensor<int, 2> tokens = {{5, 0, 7}, {1, 2, 3}};
    const xt::xtensor<int, 1> lengths = {3, 2};
    const std::vector<int> stop_words = {0, 2};
    const xmask::bitmask kept =
        xmask::drop_tokens(tokens, stop_words) && xmask::keep_lengths(lengths, 3);
    oracle::require_mask(kept, {1, 0, 1, 1, 0, 0});
}

TEST_CASE("a bitmask stores every kind of mask", "[bitmask]") {
    const auto x = oracle::random<float>({4, 130}, 1);
    const auto same = [](const auto& m) {
        oracle::require_words(xmask::bitmask(m), oracle::elements(m));
    };
    same(xmask::keep_above(x, 0));
    same(xmask::keep_indices({1, 100}, {4, 130}));
    same(xmask::keep_lengths({0, 130, 64, 65}, 130));
    same(!xmask::keep_below(x, 0.25));
    same(xmask::unsqueeze(xmask::keep_above(x, 0), -1));
    same(xmask::keep_above(x, 0) ^ xmask::keep_lengths({50}, 130));
}

TEST_CASE("a bitmask is a value: what it was made of may go", "[bitmask]") {
    xt::xtensor<bool, 1> b = {true, false, true};
    xmask::bitmask m = xmask::keep_where(b);
    b = {false, true, false};
    oracle::require_words(m, {1, 0, 1});
    const xmask::bitmask copy = m;
    m = !m;
    oracle::require_words(m, {0, 1, 0});
    oracle::require_words(copy, {1, 0, 1});
    m = xmask::keep_all({2, 2});
    oracle::require_words(m, {1, 1, 1, 1});
    // Bitmasks have one type, and fit into a container.
    const std::vector<xmask::bitmask> layers = {copy, xmask::keep_none(3), !copy};
    oracle::require_words(layers[1], {0, 0, 0});
    oracle::require_words(layers[2], {0, 1, 0});
}

TEST_CASE("bitmasks are combined in place", "[bitmask]") {
    for (const std::size_t n : {0u, 1u, 63u, 64u, 65u, 200u}) {
        CAPTURE(n);
        const auto a = oracle::random<bool>({3, n}, 1);
        const auto b = oracle::random<bool>({3, n}, 2);
        const auto row = oracle::random<bool>({n}, 3);
        xmask::bitmask kept = xmask::keep_where(a);
        const xmask::bitmask copy = kept;
        // By loops: xtensor computes broadcast booleans wrongly with XTENSOR_USE_XSIMD.
        auto expected = oracle::elements(a);
        const auto combine = [&](const xt::xarray<bool>& other, auto&& f) {
            for (std::size_t i = 0; i < expected.size(); ++i) {
                expected[i] = f(expected[i] != 0, other.flat(i % other.size()));
            }
        };
        kept &= xmask::keep_where(b);
        combine(b, [](bool u, bool v) { return u && v; });
        REQUIRE(oracle::elements(kept) == expected);
        kept |= xmask::keep_where(row);
        combine(row, [](bool u, bool v) { return u || v; });
        REQUIRE(oracle::elements(kept) == expected);
        kept ^= !xmask::keep_where(a);
        combine(a, [](bool u, bool v) { return u != !v; });
        REQUIRE(oracle::elements(kept) == expected);
        oracle::require_words(kept, oracle::elements(kept));
        REQUIRE(oracle::elements(copy) == oracle::elements(a));
        xmask::bitmask same = !copy;
        REQUIRE((same == copy) == (n == 0));
        same ^= xmask::keep_all({3, n});
        REQUIRE(same == copy);
        REQUIRE_FALSE(same != copy);
    }
    const xmask::bitmask small = xmask::keep_all({2, 3});
    REQUIRE(small != xmask::bitmask(xmask::keep_all({3, 2})));
    xmask::bitmask to = small;
    REQUIRE_THROWS_AS(to &= xmask::keep_all({3, 2, 3}), std::invalid_argument);
}

TEST_CASE("a bitmask may be updated by masks that look at it", "[bitmask]") {
    for (const std::size_t n : {1u, 63u, 64u, 65u, 130u, 300u}) {
        for (const std::size_t rows : {1u, 4u}) {
            const xmask::bitmask from = xmask::keep_where(oracle::random<bool>({rows, n}, 4));
            const auto require = [&](const char* name, const auto& make) {
                CAPTURE(n, rows, name);
                const xmask::bitmask other = make(from);
                xmask::bitmask b = from;
                b |= make(b);
                oracle::require_words(b, oracle::elements(from || other));
                b = from;
                b &= make(b);
                oracle::require_words(b, oracle::elements(from && other));
                b = from;
                b ^= make(b);
                oracle::require_words(b, oracle::elements(from ^ other));
                b = from;
                b = make(b);
                oracle::require_words(b, oracle::elements(other));
            };
            require("itself", [](const auto& b) { return xmask::bitmask(b); });
            require("not", [](const auto& b) { return !b; });
            require("right", [](const auto& b) { return xmask::shift(b, 1); });
            require("left", [](const auto& b) { return xmask::shift(b, -1); });
            require("far", [](const auto& b) { return !xmask::shift(b, 70) && b; });
            require("rows", [&](const auto& b) {
                return xmask::shift(xmask::mask_slice(b, 0, 0, rows), 2);
            });
            const xmask::bitmask copy = from;
            xmask::bitmask b = from;
            b &= !xmask::mask_slice(b, 0, 0);
            oracle::require_words(b, oracle::elements(copy && !xmask::mask_slice(copy, 0, 0)));
            b = from;
            b ^= xmask::mask_slice(b, 0, 0, 1);
            oracle::require_words(b, oracle::elements(copy ^ xmask::mask_slice(copy, 0, 0, 1)));
            b = from;
            b |= xmask::unsqueeze(xmask::mask_slice(b, 1, 0), -1);
            oracle::require_words(
                b, oracle::elements(copy || xmask::unsqueeze(xmask::mask_slice(copy, 1, 0), -1))
            );
        }
    }
}

TEST_CASE("a bitmask that was moved from is empty; one moved to itself stays", "[bitmask]") {
    const auto kept = oracle::random<bool>({3, 70}, 4);
    for (const std::size_t rank : {2u, 7u}) {
        extents shape(rank, 1);
        shape[rank - 2] = 3;
        shape[rank - 1] = 70;
        xmask::bitmask m = xmask::keep_where(xt::reshape_view(kept, shape));
        const xmask::bitmask to(std::move(m));
        oracle::require_words(to, oracle::elements(kept));
        oracle::require_words(m, {}); // NOLINT(bugprone-use-after-move)
        REQUIRE(xmask::count_kept(m) == 0);
        m = to;
        auto& same = m;
        m = std::move(same);
        oracle::require_words(m, oracle::elements(kept));
        xmask::bitmask assigned = xmask::keep_all({2, 2});
        assigned = std::move(m);
        oracle::require_words(assigned, oracle::elements(kept));
        oracle::require_words(m, {}); // NOLINT(bugprone-use-after-move)
        m |= xmask::keep_all(1);
        m = xmask::keep_all({2, 2});
        oracle::require_words(m, {1, 1, 1, 1});
    }
}

TEST_CASE("bits are packed as NumPy packs them", "[bitmask]") {
    // numpy.packbits([[1, 0, 0, 1, 1, 0, 0, 0, 1, 1]], axis=-1) is [[152, 192]], with
    // bitorder="little" [[25, 3]].
    const auto m = xmask::keep_indices({0, 3, 4, 8, 9}, {1, 10});
    REQUIRE(xmask::packbits(m) == xt::xarray<std::uint8_t>{{152, 192}});
    REQUIRE(xmask::packbits(m, xmask::bit_order::little) == xt::xarray<std::uint8_t>{{25, 3}});
    REQUIRE(xmask::packbits(xmask::keep_all({})) == xt::xarray<std::uint8_t>{128});
    for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 63u, 64u, 65u, 200u}) {
        for (const auto order : {xmask::bit_order::big, xmask::bit_order::little}) {
            CAPTURE(n);
            const auto b = oracle::random<bool>({2, 3, n}, 4);
            const auto bytes = xmask::packbits(xmask::keep_where(b), order);
            REQUIRE(bytes.shape(2) == (n + 7) / 8);
            const xmask::bitmask back = xmask::unpackbits(bytes, n, order);
            oracle::require_words(back, oracle::elements(b));
            REQUIRE(back == xmask::bitmask(xmask::keep_where(b)));
        }
    }
    // Bits past n are not read.
    const xt::xtensor<std::uint8_t, 1> full = {255, 255};
    REQUIRE(xmask::unpackbits(full, 9) == xmask::bitmask(xmask::keep_all(9)));
    REQUIRE_THROWS_WITH(
        xmask::unpackbits(full, 17),
        "xmask::unpackbits: bytes of shape (2,); 17 columns are 3 bytes along the last axis"
    );
}
