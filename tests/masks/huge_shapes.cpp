// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <xmask/xmask.hpp>

#include "support/oracle.hpp"

/// @file
/// Shapes with too many elements, negative extents, or too many axes.

namespace {
using extents = std::vector<std::size_t>;

constexpr std::size_t many = std::size_t(1) << 32;
} // namespace

TEST_CASE("Shapes of more than 2^63 - 1 elements are refused", "[huge]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_all({many, many, 64}),
        "xmask::keep_all: shape (4294967296, 4294967296, 64) has more than 2^63 - 1 elements"
    );
    for (const extents& shape : std::vector<extents>{
             {many, many, 64},
             {many, many / 2},
             {many, many},
             {std::size_t(1) << 63},
             {~std::size_t(0)},
             {~std::size_t(0), ~std::size_t(0)},
             {3, ~std::size_t(0) / 6 + 1},
         }) {
        CAPTURE(shape.size(), shape[0]);
        REQUIRE_THROWS_AS(xmask::keep_all(shape), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_none(shape), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_random(shape, 0.5, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_random_k(shape, 1, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_random_fraction(shape, 0.1, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_indices({0}, shape), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::drop_indices({0}, shape), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_spans(shape, {.count = 1}, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::keep_run_lengths({0}, shape), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::random_tokens(shape, 5, 1), std::invalid_argument);
        REQUIRE_THROWS_AS(
            xmask::keep_if(shape, [](const auto&) { return true; }), std::invalid_argument
        );
    }
}

namespace {
/// Fails unless all functions that count or store the elements throw, with their name.
template <class M>
void require_uncountable(const M& m) {
    const auto refuses = [](const std::string& name) {
        return Catch::Matchers::StartsWith("xmask::" + name + ": shape (");
    };
    REQUIRE_THROWS_WITH(xmask::count_kept(m), refuses("count_kept"));
    REQUIRE_THROWS_WITH(xmask::count_kept(m, -1), refuses("count_kept"));
    REQUIRE_THROWS_WITH(xmask::density(m), refuses("density"));
    REQUIRE_THROWS_WITH(xmask::any_kept(m), refuses("any_kept"));
    REQUIRE_THROWS_WITH(xmask::all_kept(m), refuses("all_kept"));
    REQUIRE_THROWS_WITH(xmask::all_kept(m, 0), refuses("all_kept"));
    REQUIRE_THROWS_WITH(xmask::first_kept(m), refuses("first_kept"));
    REQUIRE_THROWS_WITH(xmask::last_kept(m), refuses("last_kept"));
    REQUIRE_THROWS_WITH(xmask::lengths_of(m), refuses("lengths_of"));
    REQUIRE_THROWS_WITH(xmask::runs_of(m, 0), refuses("runs_of"));
    REQUIRE_THROWS_WITH(xmask::empty_rows(m), refuses("empty_rows"));
    REQUIRE_THROWS_WITH(xmask::run_lengths_of(m), refuses("run_lengths_of"));
    REQUIRE_THROWS_WITH(xmask::positions_of(m), refuses("positions_of"));
    REQUIRE_THROWS_WITH(xmask::packbits(m), refuses("packbits"));
    REQUIRE_THROWS_WITH(xmask::bitmask(m), refuses("bitmask"));
    xt::xarray<bool> all;
    REQUIRE_THROWS_WITH(xt::noalias(all) = m, refuses("mask"));
}
} // namespace

TEST_CASE("Masks of more than 2^63 - 1 elements answer for a row only", "[huge]") {
    const auto causal = xmask::keep_causal(many, many);
    require_uncountable(causal);
    require_uncountable(!causal);
    require_uncountable(xmask::unsqueeze(causal, 0));
    require_uncountable(xmask::keep_lengths({1, 2}, std::size_t(1) << 62));
    require_uncountable(xmask::keep_last({1}, ~std::size_t(0)));
    require_uncountable(xmask::keep_ranges({1}, {2}, ~std::size_t(0)));
    // Each mask can be counted; their combination cannot.
    const auto column = xmask::keep_all({many, std::size_t(1)});
    const auto row = xmask::keep_all(many);
    require_uncountable(column && row);
    REQUIRE(xmask::count_kept(xmask::mask_slice(causal, 0, many - 1)) == many);
    REQUIRE(xmask::count_kept(xmask::mask_slice(!causal && row, 0, 5)) == many - 6);
}

TEST_CASE("Shapes of up to 2^63 - 1 elements are counted", "[huge]") {
    const std::size_t most = ~std::size_t(0) / 2;
    REQUIRE(xmask::count_kept(xmask::keep_all(most)) == most);
    REQUIRE(xmask::count_kept(xmask::keep_all({std::size_t(7), most / 7})) == most);
    REQUIRE(xmask::density(xmask::keep_all({many, many / 4})) == 1);
    REQUIRE(xmask::count_kept(!xmask::keep_lengths({5}, most)) == most - 5);
    REQUIRE_THROWS_WITH(
        xmask::bitmask(xmask::keep_all({many / 4 * many, std::size_t(1)})),
        "xmask::bitmask: shape (4611686018427387904, 1) takes more than 2^63 - 1 bytes"
    );
}

TEST_CASE("An extent of 0 beside huge ones is an empty mask", "[huge]") {
    for (const extents& shape : std::vector<extents>{
             {many, many, 0},
             {many, 0, many},
             {0, many, many},
             {many * 3, many * 3, 0, many},
             {many * 3, 0},
         }) {
        const auto m = xmask::keep_all(shape);
        REQUIRE(m.size() == 0);
        REQUIRE(xmask::count_kept(m) == 0);
        REQUIRE(xmask::count_kept(!m) == 0);
        REQUIRE_FALSE(xmask::any_kept(m));
        REQUIRE(xmask::all_kept(m));
        REQUIRE(std::isnan(xmask::density(m)));
        REQUIRE(xmask::bitmask(m).size() == 0);
        REQUIRE(xmask::bitmask(m) == xmask::bitmask(!m));
        REQUIRE(xmask::run_lengths_of(m).counts == extents{0});
    }
}

TEST_CASE("Negative extents are refused", "[huge]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_all(-1), "xmask::keep_all: extent -1 of axis 0; expected 0 or more"
    );
    const std::vector<int> shape = {2, -3};
    const std::vector<std::int8_t> bytes = {-2, 3};
    REQUIRE_THROWS_WITH(
        xmask::keep_none(shape), "xmask::keep_none: extent -3 of axis 1; expected 0 or more"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_random(bytes, 0.5, 1),
        "xmask::keep_random: extent -2 of axis 0; expected 0 or more"
    );
    REQUIRE_THROWS_AS(xmask::keep_random_k(shape, 1, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_random_fraction(shape, 0.1, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_indices({0}, shape), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::drop_points({{0, 0}}, shape), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_spans(-5L, {.count = 1}, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_run_lengths({0}, shape), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_blocks(shape, xmask::block_options{}, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_patches(shape, 1, 1, 0.5, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::random_tokens(shape, 5, 1), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::keep_if(shape, [](const auto&) { return true; }), std::invalid_argument
    );
    oracle::require_mask(xmask::keep_all(std::vector<std::int8_t>{2, 1}), {1, 1});
}

TEST_CASE("More than 16 axes are refused by name", "[huge]") {
    const extents ones(17, 1);
    const auto x = xt::xarray<float>::from_shape(ones);
    const auto narrow = xt::xarray<float>::from_shape(extents(16, 1));
    const auto lengths = xt::xarray<int>::from_shape(extents(16, 1));
    const auto m = xmask::keep_all(1);
    const std::string refused = ": a tensor of 17 axes; at most 16 are supported";
    REQUIRE_THROWS_WITH(xmask::keep_all(ones), "xmask::keep_all" + refused);
    REQUIRE_THROWS_WITH(xmask::keep_above(x, 0), "xmask::keep_above" + refused);
    REQUIRE_THROWS_WITH(xmask::keep_lengths(lengths, 1), "xmask::keep_lengths" + refused);
    REQUIRE_THROWS_WITH(
        xmask::unsqueeze(xmask::keep_all(extents(16, 1)), 0), "xmask::unsqueeze" + refused
    );
    REQUIRE_THROWS_WITH(xmask::masked_fill(x, m, 0), "xmask::masked_fill" + refused);
    REQUIRE_THROWS_WITH(xmask::masked_sum(x, m), "xmask::masked_sum" + refused);
    REQUIRE_THROWS_WITH(xmask::masked_sum(x, m, 0), "xmask::masked_sum" + refused);
    REQUIRE_THROWS_WITH(xmask::masked_softmax(x, m), "xmask::masked_softmax" + refused);
    REQUIRE_THROWS_WITH(xmask::masked_select(x, m), "xmask::masked_select" + refused);
    REQUIRE_THROWS_WITH(xmask::masked_mse(x, x, m), "xmask::masked_mse" + refused);
    REQUIRE_NOTHROW(xmask::masked_sum(narrow, m));
}
