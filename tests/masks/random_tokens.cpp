// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/random.hpp>
#include <xmask/masks/random_tokens.hpp>

namespace {
/// The documented id: the upper half of a product with the vocabulary.
std::uint64_t id_of(
    std::uint64_t vocabulary, std::uint64_t seed, std::size_t row, std::size_t column
) {
    using xmask::detail::stream_use;
    const xmask::detail::row_stream stream(xmask::detail::seed_of(stream_use::tokens, seed), row);
    const std::uint64_t bits = stream.pair(column);
    // By long multiplication in pieces of 16 bits.
    std::uint64_t pieces[8] = {};
    for (unsigned i = 0; i < 4; ++i) {
        std::uint64_t carry = 0;
        for (unsigned j = 0; j < 4; ++j) {
            carry += pieces[i + j] + (bits >> 16 * i & 0xffff) * (vocabulary >> 16 * j & 0xffff);
            pieces[i + j] = carry & 0xffff;
            carry >>= 16;
        }
        pieces[i + 4] = carry;
    }
    return pieces[4] | pieces[5] << 16 | pieces[6] << 32 | pieces[7] << 48;
}

template <class T>
void require_ids(std::uint64_t vocabulary) {
    for (const std::size_t n : {0u, 1u, 3u, 63u, 64u, 65u, 130u, 1000u}) {
        CAPTURE(vocabulary, n);
        const auto tokens = xmask::random_tokens<T>({2, 3, n}, vocabulary, 5);
        STATIC_REQUIRE(std::is_same_v<typename decltype(tokens)::value_type, T>);
        std::vector<T> expected;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            expected.push_back(static_cast<T>(id_of(vocabulary, 5, i / n, i % n)));
        }
        REQUIRE(oracle::elements(tokens) == expected);
        REQUIRE(std::vector<T>(tokens.begin(), tokens.end()) == expected);
        const xt::xtensor<T, 3> stored = tokens;
        REQUIRE(oracle::elements(stored) == expected);
        const xt::xarray<T, xt::layout_type::column_major> transposed = tokens;
        REQUIRE(oracle::elements(transposed) == expected);
        xt::xarray<T> wide = xt::zeros<T>({std::size_t(2), std::size_t(3), 2 * n + 1});
        auto strided =
            xt::view(wide, xt::all(), xt::all(), xt::range(1, static_cast<int>(2 * n + 1), 2));
        xt::noalias(strided) = tokens;
        REQUIRE(oracle::elements(strided) == expected);
    }
}
} // namespace

TEST_CASE("Random tokens are ids below the vocabulary, of every type", "[random_tokens]") {
    require_ids<std::int64_t>(30522);
    require_ids<std::int64_t>(1);
    require_ids<std::uint8_t>(256);
    require_ids<std::uint64_t>(std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("All tokens are equally likely", "[random_tokens]") {
    const auto tokens = xmask::random_tokens<int>({100, 1000}, 700, 3);
    std::vector<double> counts(700);
    for (const int id : tokens) {
        ++counts.at(static_cast<std::size_t>(id));
    }
    chance::require_even(counts);
    // Pairs of neighbours are even, too, in a row and in a column.
    const xt::xtensor<int, 2> few = xmask::random_tokens<int>({100, 1000}, 12, 4);
    std::vector<double> beside(144);
    std::vector<double> below(144);
    for (std::size_t r = 0; r < 99; ++r) {
        for (std::size_t c = 0; c < 999; ++c) {
            ++beside[static_cast<std::size_t>(few(r, c) * 12 + few(r, c + 1))];
            ++below[static_cast<std::size_t>(few(r, c) * 12 + few(r + 1, c))];
        }
    }
    chance::require_even(beside);
    chance::require_even(below);
}

TEST_CASE("Random tokens of a known seed", "[random_tokens]") {
    // The drawn tokens must be the same on every machine and in every version.
    const xt::xtensor<int, 1> ids = xmask::random_tokens<int>(6, 30522, 1);
    REQUIRE(ids == xt::xtensor<int, 1>{21105, 10537, 22379, 18969, 2663, 12220});
}

TEST_CASE("Random tokens are a tensor like any other", "[random_tokens]") {
    const std::size_t n = 100;
    const auto tokens = xmask::random_tokens({3, n}, 50, 2);
    const xt::xtensor<std::int64_t, 2> stored = tokens;
    // In a larger expression, broadcast, converted, and under a mask.
    const xt::xtensor<std::int64_t, 2> shifted = 7 + tokens;
    REQUIRE(shifted == 7 + stored);
    const xt::xtensor<std::int64_t, 3> deep =
        tokens + xt::zeros<std::int64_t>({std::size_t(2), std::size_t(3), n});
    REQUIRE(
        oracle::elements(xt::xarray<std::int64_t>(xt::view(deep, 1))) == oracle::elements(stored)
    );
    const auto m = xmask::keep_random({3, n}, 0.3, 1);
    const xt::xtensor<std::int64_t, 2> filled = xmask::masked_fill(tokens, m, -1);
    const xt::xtensor<std::int64_t, 2> sum = xmask::masked_fill(stored + 2 * tokens, m, -1);
    bool right = true;
    for (std::size_t r = 0; r < 3; ++r) {
        for (std::size_t c = 0; c < n; ++c) {
            right = right && filled(r, c) == (m(r, c) ? stored(r, c) : -1);
            right = right && sum(r, c) == (m(r, c) ? 3 * stored(r, c) : -1);
        }
    }
    REQUIRE(right);
    // A single column is one token for the row.
    const auto column = xmask::random_tokens({3, 1}, 50, 2);
    const xt::xtensor<std::int64_t, 2> spread =
        column + xt::zeros<std::int64_t>({std::size_t(3), n});
    for (std::size_t r = 0; r < 3; ++r) {
        REQUIRE(spread(r, 0) == stored(r, 0));
        REQUIRE(spread(r, n - 1) == stored(r, 0));
    }
    const auto scalar = xmask::random_tokens(std::vector<std::size_t>{}, 50, 2);
    REQUIRE(scalar() == stored(0, 0));
    // An element does not depend on the shape.
    REQUIRE(xmask::random_tokens({9, 5000}, 50, 2)(2, 77) == stored(2, 77));
}

TEST_CASE("Vocabularies that can't be are refused", "[random_tokens]") {
    REQUIRE_THROWS_WITH(
        xmask::random_tokens({2, 3}, 0, 1),
        "xmask::random_tokens: a vocabulary of 0 tokens; expected 1 or more, and ids up to 9223372036854775807"
    );
    REQUIRE_THROWS_WITH(
        xmask::random_tokens<std::int8_t>({2, 3}, 129, 1),
        "xmask::random_tokens: a vocabulary of 129 tokens; expected 1 or more, and ids up to 127"
    );
    REQUIRE_NOTHROW(xmask::random_tokens<std::int8_t>({2, 3}, 128, 1));
}
