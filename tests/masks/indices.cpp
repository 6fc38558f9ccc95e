// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/indices.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::Message;
using extents = std::vector<std::size_t>;

namespace {
/// A mask of `rows` rows of n columns that keeps the listed ones.
std::vector<char> listed(
    const std::vector<std::size_t>& indices, std::size_t rows, std::size_t n, bool kept = true
) {
    std::vector<char> expected(rows * n, !kept);
    for (std::size_t r = 0; r < rows; ++r) {
        for (const std::size_t c : indices) {
            expected[r * n + c] = kept;
        }
    }
    return expected;
}
} // namespace

TEST_CASE("indices agree with PyTorch", "[indices][reference]") {
    const auto indices = oracle::reference<std::int64_t>("drop_indices", "indices");
    const auto n = oracle::reference<std::int64_t>("drop_indices", "n")();
    oracle::require_mask(
        xmask::drop_indices(indices, n),
        oracle::elements(oracle::reference<bool>("drop_indices", "mask"))
    );
}

TEST_CASE("the examples of the indices' comments", "[indices]") {
    oracle::require_mask(xmask::keep_indices({0, 2}, 4), {1, 0, 1, 0});
    const xt::xtensor<float, 2> x = xt::zeros<float>({2, 3});
    const std::vector<int> held_out = {1};
    oracle::require_mask(xmask::drop_indices(held_out, x.shape()), {1, 0, 1, 1, 0, 1});
}

TEST_CASE("any indices of rows of any length", "[indices]") {
    std::mt19937 generator(1);
    for (const std::size_t n : oracle::columns) {
        for (const std::size_t count : std::initializer_list<std::size_t>{0, 1, 2, 10, 300}) {
            CAPTURE(n, count);
            // In any order, and often twice.
            std::vector<std::size_t> indices;
            for (std::size_t k = 0; n != 0 && k < count; ++k) {
                indices.push_back(generator() % n);
            }
            oracle::require_words(xmask::keep_indices(indices, n), listed(indices, 1, n));
            oracle::require_words(xmask::drop_indices(indices, n), listed(indices, 1, n, false));
            oracle::require_words(xmask::keep_indices(indices, {3, n}), listed(indices, 3, n));
            oracle::require_words(
                xmask::drop_indices(indices, {2, 2, n}), listed(indices, 4, n, false)
            );
        }
    }
}

TEST_CASE("the ends of a row and of its words are indices", "[indices]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{64, 65, 128, 130, 4097}) {
        for (const std::size_t c : std::initializer_list<std::size_t>{0, 63, n / 2, n - 1}) {
            oracle::require_words(xmask::keep_indices({c}, n), listed({c}, 1, n));
        }
        oracle::require_words(
            xmask::keep_indices({n - 1, std::size_t(0)}, n), listed({0, n - 1}, 1, n)
        );
    }
}

TEST_CASE("a cursor of indices answers in any order", "[indices]") {
    const std::vector<std::size_t> indices = {3, 64, 70, 500, 501, 1000, 1001, 3000};
    const auto m = xmask::keep_indices(indices, 4097);
    const auto expected = listed(indices, 1, 4097);
    const auto cursor = m.row(0);
    std::mt19937 generator(2);
    for (int k = 0; k < 1000; ++k) {
        const std::size_t c = generator() % 4097;
        REQUIRE(cursor.word(c) == oracle::word_of(expected, c, expected.size()));
    }
    REQUIRE(oracle::extent_of(cursor) == xmask::column_range{3, 3001});
}

TEST_CASE("words of indices anywhere in rows of about a thousand columns", "[indices]") {
    for (const std::size_t n :
         std::initializer_list<std::size_t>{960, 961, 1023, 1024, 1025, 2048}) {
        const std::vector<std::size_t> indices = {0, 900, n - 65, n - 64, n - 1};
        const auto m = xmask::keep_indices(indices, n);
        const auto expected = listed(indices, 1, n);
        for (std::size_t c = 0; c < n; ++c) {
            CAPTURE(n, c);
            REQUIRE(m.row(0).word(c) == oracle::word_of(expected, c, expected.size()));
        }
    }
}

TEST_CASE("a table of indices holds one list for each row", "[indices]") {
    const xt::xarray<int> table = {{0, 3, 3}, {4, 4, 4}, {2, 1, 0}, {1, 2, 3}};
    const std::vector<char> expected = {1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0};
    oracle::for_each_layout(table, [&](const auto& e, const char* layout) {
        INFO(layout);
        oracle::require_words(xmask::keep_indices(e, {4, 5}), expected);
        oracle::require_words(xmask::keep_indices(e, {2, 2, 5}), expected);
    });
    // No lists, or empty lists.
    oracle::require_words(
        xmask::keep_indices(xt::xtensor<int, 2>::from_shape({2, 0}), {2, 3}), {0, 0, 0, 0, 0, 0}
    );
    oracle::require_words(xmask::drop_indices(xt::xtensor<int, 2>::from_shape({0, 2}), {0, 3}), {});
    oracle::require_words(xmask::keep_indices(xt::xtensor<int, 2>{{1}}, {1, 3}), {0, 1, 0});
    oracle::require_words(xmask::keep_indices(xt::xtensor<int, 2>{{1}}, 3), {0, 1, 0});
    REQUIRE_THROWS_MATCHES(
        xmask::keep_indices(table, {3, 5}), std::invalid_argument,
        Message(
            "xmask::keep_indices: indices of shape (4, 3) hold 4 lists; a mask of shape (3, 5) has 3 rows"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::drop_indices(xt::xarray<int>::from_shape({1, 1, 1}), 3), std::invalid_argument,
        Message(
            "xmask::drop_indices: indices of shape (1, 1, 1); expected one list (1-D), or one list for each row of "
            "the mask (2-D)"
        )
    );
    REQUIRE_THROWS_AS(xmask::keep_indices(xt::xarray<int>(1), 3), std::invalid_argument);
}

TEST_CASE("an index outside of the row is refused, with its position and value", "[indices]") {
    REQUIRE_THROWS_MATCHES(
        xmask::keep_indices({0, 4}, 4), std::out_of_range,
        Message("xmask::keep_indices: index 4 at position 1 is outside of [0, 4)")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::drop_indices({-1}, {2, 4}), std::out_of_range,
        Message("xmask::drop_indices: index -1 at position 0 is outside of [0, 4)")
    );
    const xt::xtensor<std::int8_t, 2> table = {{0, 1}, {2, 65}};
    REQUIRE_THROWS_MATCHES(
        xmask::keep_indices(table, {2, 4}), std::out_of_range,
        Message("xmask::keep_indices: index 65 at position 1 of row 1 is outside of [0, 4)")
    );
    REQUIRE_THROWS_AS(xmask::keep_indices({~std::uint64_t(0)}, 4), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::keep_indices({0}, 0), std::out_of_range);
}

TEST_CASE("indices and shapes come in any form", "[indices]") {
    const std::vector<char> expected = {0, 1, 1, 0, 1, 1};
    const xt::xtensor<std::uint8_t, 1> tensor = {2, 1};
    const xt::xtensor<int, 1> lower = {1, 0};
    const xt::xarray<float> dynamic = xt::zeros<float>({2, 3});
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> fixed = {};
    oracle::require_words(xmask::keep_indices(tensor, dynamic.shape()), expected);
    oracle::require_words(xmask::keep_indices(lower + 1, fixed.shape()), expected);
    oracle::require_words(
        xmask::keep_indices(xt::xtensor<long, 1>{1, 2}, std::vector<int>{2, 3}), expected
    );
    oracle::require_words(xmask::keep_indices({1, 2}, {2, 3}), expected);
    oracle::require_words(xmask::keep_indices(xt::xtensor<char, 1>{1, 2}, {2, 3}), expected);
    oracle::require_words(xmask::drop_indices({0}, {2, 3}), expected);
    oracle::require_words(xmask::drop_indices({0}, dynamic.shape()), expected);
    oracle::require_words(xmask::drop_indices(std::vector<int>(), 3), {1, 1, 1});
    // One element, and therefore one column.
    oracle::require_words(xmask::keep_indices({0}, extents{}), {1});
    oracle::require_words(xmask::drop_indices({0}, extents{}), {0});
}

TEST_CASE("indices are copied", "[indices]") {
    xt::xtensor<int, 1> indices = {1};
    const auto m = xmask::keep_indices(indices, 3);
    const auto n = m;
    indices(0) = 99;
    oracle::require_words(m, {0, 1, 0});
    oracle::require_words(n, {0, 1, 0});
}
