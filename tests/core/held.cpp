// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

using xmask::count_kept;
using xmask::keep_lengths;

TEST_CASE("a tensor lvalue is held by reference, an rvalue by value", "[held]") {
    xt::xtensor<int, 1> lengths = {1, 2, 3};
    const auto m = keep_lengths(lengths, 4);
    REQUIRE(count_kept(m) == 6);
    lengths(0) = 4;
    REQUIRE(count_kept(m) == 9);
    const auto own = keep_lengths(xt::xtensor<int, 1>(lengths), 4);
    lengths(0) = 0;
    REQUIRE(count_kept(m) == 5);
    REQUIRE(count_kept(own) == 9);
}

TEST_CASE("containers, lists and lazy expressions are copied", "[held]") {
    std::vector<int> values = {3, 1, 2};
    const std::array<short, 3> shorts = {3, 1, 2};
    const std::deque<long> deque = {3, 1, 2};
    xt::xtensor<int, 1> tensor = {2, 0, 1};
    const auto of_vector = keep_lengths(values, 4);
    const auto of_span = keep_lengths(std::span<const int>(values), 4);
    const auto of_sum = keep_lengths(tensor + 1, 4);
    values[0] = 0;
    tensor(0) = 0;
    const std::vector<char> expected = {1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0};
    REQUIRE(oracle::elements(of_vector) == expected);
    REQUIRE(oracle::elements(of_span) == expected);
    REQUIRE(oracle::elements(of_sum) == expected);
    REQUIRE(oracle::elements(keep_lengths(shorts, 4)) == expected);
    REQUIRE(oracle::elements(keep_lengths(deque, 4)) == expected);
    REQUIRE(oracle::elements(keep_lengths({3, 1, 2}, 4)) == expected);
    REQUIRE(keep_lengths(std::vector<int>(), 4).size() == 0);
}

TEST_CASE("a table is read by its strides", "[held]") {
    const std::size_t n = 17;
    const auto lengths = oracle::random<unsigned>(std::vector<std::size_t>{2, 3, 4});
    std::vector<char> expected;
    for (const unsigned length : lengths) {
        for (std::size_t c = 0; c < n; ++c) {
            expected.push_back(c < length);
        }
    }
    oracle::for_each_layout(lengths, [&](const auto& table, const char* layout) {
        INFO(layout);
        REQUIRE(oracle::elements(keep_lengths(table, n)) == expected);
    });
}

TEST_CASE("tensors and lazy expressions are expressions, containers are not", "[held]") {
    const xt::xtensor<int, 2> x = {{1, 2}, {3, 4}};
    const auto sum = x + 1;
    STATIC_REQUIRE(xmask::expression<decltype(x)>);
    STATIC_REQUIRE(xmask::expression<decltype(sum)&>);
    STATIC_REQUIRE_FALSE(xmask::expression<std::vector<int>>);
}
