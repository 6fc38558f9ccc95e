// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::Message;
using extents = std::vector<std::size_t>;

namespace {
template <class E>
std::vector<char> first(const E& lengths, std::size_t n) {
    std::vector<char> expected;
    for (const auto length : lengths) {
        for (std::size_t c = 0; c < n; ++c) {
            expected.push_back(c < static_cast<std::size_t>(length));
        }
    }
    return expected;
}

template <class E>
std::vector<char> last(const E& lengths, std::size_t n) {
    std::vector<char> expected;
    for (const auto length : lengths) {
        for (std::size_t c = 0; c < n; ++c) {
            expected.push_back(c >= n - static_cast<std::size_t>(length));
        }
    }
    return expected;
}
} // namespace

TEST_CASE("lengths agree with PyTorch", "[lengths][reference]") {
    const auto lengths = oracle::reference<std::int64_t>("keep_lengths", "lengths");
    const auto n = static_cast<std::size_t>(oracle::reference<std::int64_t>("keep_lengths", "n")());
    oracle::require_mask(
        xmask::keep_lengths(lengths, n),
        oracle::elements(oracle::reference<bool>("keep_lengths", "mask"))
    );
    const auto left = oracle::reference<std::int64_t>("keep_lengths_left_padded", "lengths");
    const auto m =
        static_cast<std::size_t>(oracle::reference<std::int64_t>("keep_lengths_left_padded", "n")()
        );
    oracle::require_mask(
        xmask::keep_last(left, m),
        oracle::elements(oracle::reference<bool>("keep_lengths_left_padded", "mask"))
    );
}

TEST_CASE("the examples of the lengths' comments", "[lengths]") {
    const xt::xtensor<int, 1> lengths = {2, 4};
    oracle::require_mask(xmask::keep_lengths(lengths, 4), {1, 1, 0, 0, 1, 1, 1, 1});
    oracle::require_mask(xmask::keep_last({2, 4}, 4), {0, 0, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("every length of rows of any length", "[lengths]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        std::vector<std::size_t> lengths;
        for (const std::size_t length :
             std::initializer_list<std::size_t>{0, 1, 2, 62, 63, 64, 65, 66, 127, 128, 129}) {
            lengths.push_back(std::min(length, n));
        }
        lengths.push_back(n);
        lengths.push_back(n - std::min<std::size_t>(n, 1));
        oracle::require_words(xmask::keep_lengths(lengths, n), first(lengths, n));
        oracle::require_words(xmask::keep_last(lengths, n), last(lengths, n));
    }
}

TEMPLATE_TEST_CASE(
    "lengths are integers of any type", "[lengths]", std::int8_t, std::uint8_t, std::int16_t,
    std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t
) {
    const xt::xtensor<TestType, 1> lengths = {0, 100, 64, 127};
    oracle::require_words(xmask::keep_lengths(lengths, 127), first(lengths, 127));
    const xt::xtensor<TestType, 1> too_long = {7, 101};
    REQUIRE_THROWS_MATCHES(
        xmask::keep_lengths(too_long, 100), std::out_of_range,
        Message("xmask::keep_lengths: length 101 of row 1 is outside of [0, 100]")
    );
}

TEST_CASE("lengths of rank 0 to 7, in every layout", "[lengths]") {
    extents shape;
    for (std::size_t rank = 0; rank <= 7; ++rank) {
        const xt::xarray<int> lengths = oracle::random<int>(shape, 3) + 8;
        CAPTURE(rank);
        const auto expected = first(lengths, 16);
        oracle::for_each_layout(lengths, [&](const auto& e, const char* layout) {
            INFO(layout);
            const auto m = xmask::keep_lengths(e, 16);
            REQUIRE(m.dimension() == rank + 1);
            REQUIRE(m.shape()[rank] == 16);
            oracle::require_words(m, expected);
        });
        shape.push_back(rank % 3 == 2 ? 1 : 2);
    }
    oracle::require_words(xmask::keep_lengths(xt::xarray<int>::from_shape({0}), 5), {});
    oracle::require_words(xmask::keep_lengths(xt::xarray<int>::from_shape({2, 0}), 5), {});
}

TEST_CASE("lengths come in containers, lists and expressions", "[lengths]") {
    const std::vector<char> expected = {1, 0, 0, 1, 1, 1, 0, 0, 0};
    const std::vector<int> vector = {1, 3, 0};
    const std::array<unsigned char, 3> bytes = {1, 3, 0};
    const std::deque<long> deque = {1, 3, 0};
    const xt::xtensor<int, 1> tensor = {0, 2, -1};
    const xt::xtensor_fixed<int, xt::xshape<3>> fixed = {1, 3, 0};
    const xt::xtensor<int, 2> table = {{1, 7}, {3, 7}, {0, 7}};
    const xt::xtensor<char, 1> characters = {1, 3, 0};
    oracle::require_words(xmask::keep_lengths(characters, 3), expected);
    oracle::require_words(xmask::keep_lengths(vector, 3), expected);
    oracle::require_words(xmask::keep_lengths(bytes, 3), expected);
    oracle::require_words(xmask::keep_lengths(deque, 3), expected);
    oracle::require_words(xmask::keep_lengths({1, 3, 0}, 3), expected);
    oracle::require_words(xmask::keep_lengths(tensor + 1, 3), expected);
    oracle::require_words(xmask::keep_lengths(fixed, 3), expected);
    oracle::require_words(xmask::keep_lengths(xt::view(table, xt::all(), 0), 3), expected);
    oracle::require_words(xmask::keep_lengths(xt::view(table, xt::keep(0, 1, 2), 0), 3), expected);
    oracle::require_words(xmask::keep_lengths(std::vector<int>(), 3), {});
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::keep_lengths(tensor, 3))::shape_type,
                   std::array<std::size_t, 2>>);
}

TEST_CASE("a length beyond the row is refused, with its row and value", "[lengths]") {
    REQUIRE_THROWS_MATCHES(
        xmask::keep_lengths({1, 5, 2}, 4), std::out_of_range,
        Message("xmask::keep_lengths: length 5 of row 1 is outside of [0, 4]")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_last({1, 2, -1}, 4), std::out_of_range,
        Message("xmask::keep_last: length -1 of row 2 is outside of [0, 4]")
    );
    for (const std::int64_t length :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        REQUIRE_THROWS_AS(
            xmask::keep_lengths(xt::xtensor<std::int64_t, 1>{0, length, 4}, 4), std::out_of_range
        );
        const xt::xtensor<std::uint64_t, 1> unsigned_lengths = {
            4, static_cast<std::uint64_t>(length)
        };
        REQUIRE_THROWS_AS(xmask::keep_lengths(unsigned_lengths, 4), std::out_of_range);
        REQUIRE_THROWS_AS(
            xmask::keep_lengths(unsigned_lengths + std::uint64_t(1), 5), std::out_of_range
        );
    }
    REQUIRE_THROWS_MATCHES(
        xmask::keep_lengths({1}, 0), std::out_of_range,
        Message("xmask::keep_lengths: length 1 of row 0 is outside of [0, 0]")
    );
    const xt::xtensor<std::int8_t, 2> bytes = {{1, 2}, {3, -4}};
    REQUIRE_THROWS_MATCHES(
        xmask::keep_lengths(bytes, 4), std::out_of_range,
        Message("xmask::keep_lengths: length -4 of row 3 is outside of [0, 4]")
    );
    // As an unsigned number this is the largest one.
    const std::vector<std::uint64_t> huge = {~std::uint64_t(0)};
    REQUIRE_THROWS_AS(xmask::keep_lengths(huge, 4), std::out_of_range);
    const xt::xarray<int, xt::layout_type::column_major> columns = {{1, 2}, {9, 3}};
    REQUIRE_THROWS_MATCHES(
        xmask::keep_lengths(columns, 4), std::out_of_range,
        Message("xmask::keep_lengths: length 9 of row 2 is outside of [0, 4]")
    );
}

TEST_CASE("lengths of the caller's tensor are looked at when asked, and clamped", "[lengths]") {
    xt::xtensor<int, 1> lengths = {1, 2};
    const auto m = xmask::keep_lengths(lengths, 3);
    const auto l = xmask::keep_last(lengths, 3);
    oracle::require_words(m, {1, 0, 0, 1, 1, 0});
    lengths(0) = 3;
    oracle::require_words(m, {1, 1, 1, 1, 1, 0});
    // The builder accepts neither. The nearest valid length is used for each.
    lengths(0) = -5;
    lengths(1) = 1000;
    oracle::require_words(m, {0, 0, 0, 1, 1, 1});
    oracle::require_words(l, {0, 0, 0, 1, 1, 1});
}

TEST_CASE("lengths that are a temporary live in the mask", "[lengths]") {
    const auto make = [] {
        auto m = xmask::keep_lengths(xt::xtensor<int, 1>{1, 2}, 3);
        auto n = m;
        m = xmask::keep_lengths(xt::xtensor<int, 1>{3, 3}, 3);
        return n;
    };
    oracle::require_words(make(), {1, 0, 0, 1, 1, 0});
    std::vector<int> lengths = {1, 2};
    const auto m = xmask::keep_lengths(lengths, 3);
    lengths = {3, 3};
    oracle::require_words(m, {1, 0, 0, 1, 1, 0});
}
