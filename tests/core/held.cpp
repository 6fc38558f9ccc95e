// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <deque>
#include <span>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/held.hpp>

#include "support/oracle.hpp"

namespace detail = xmask::detail;

TEST_CASE("a tensor lvalue is held by reference, an rvalue by value", "[held]") {
    xt::xtensor<int, 1> tensor = {1, 2, 3};
    const xt::xarray<int> array = {1, 2, 3};
    STATIC_REQUIRE(std::is_same_v<
                   detail::held_t<xt::xtensor<int, 1>&>, const xt::xtensor<int, 1>&>);
    STATIC_REQUIRE(std::is_same_v<detail::held_t<xt::xtensor<int, 1>>, xt::xtensor<int, 1>>);
    STATIC_REQUIRE(std::is_same_v<detail::held_t<const xt::xarray<int>&>, const xt::xarray<int>&>);
    REQUIRE(&detail::hold(tensor) == &tensor);
    REQUIRE(&detail::hold(array) == &array);
    const int* memory = tensor.data();
    const auto moved = detail::hold(std::move(tensor));
    REQUIRE(moved.data() == memory);
}

TEST_CASE("containers, lists and lazy expressions are copied once", "[held]") {
    const std::vector<std::size_t> shape = {3};
    const std::vector<int> values = {3, 1, 2};
    const std::array<short, 3> bytes = {3, 1, 2};
    const std::deque<long> deque = {3, 1, 2};
    const xt::xtensor<int, 1> tensor = {2, 0, 1};
    const std::vector<int> expected = {3, 1, 2};

    REQUIRE(oracle::elements(detail::hold(values)) == expected);
    REQUIRE(oracle::elements(detail::hold(std::span<const int>(values))) == expected);
    REQUIRE(oracle::elements(detail::hold(bytes)) == std::vector<short>{3, 1, 2});
    REQUIRE(oracle::elements(detail::hold(deque)) == std::vector<long>{3, 1, 2});
    REQUIRE(oracle::elements(detail::hold({3, 1, 2})) == expected);
    REQUIRE(oracle::elements(detail::hold(tensor + 1)) == expected);
    STATIC_REQUIRE(detail::has_memory<std::decay_t<decltype(detail::hold(tensor + 1))>>);
    REQUIRE(detail::hold(std::vector<int>()).size() == 0);
}

TEST_CASE("what has memory is known", "[held]") {
    const xt::xtensor<int, 2> x = {{1, 2}, {3, 4}};
    const auto strided = xt::view(x, xt::all(), 1);
    const auto picked = xt::view(x, xt::keep(1, 0), xt::all());
    const auto sum = x + 1;
    STATIC_REQUIRE(detail::has_memory<decltype(x)>);
    STATIC_REQUIRE(detail::has_memory<decltype(strided)>);
    STATIC_REQUIRE_FALSE(detail::has_memory<decltype(picked)>);
    STATIC_REQUIRE_FALSE(detail::has_memory<decltype(sum)>);
    STATIC_REQUIRE(xmask::expression<decltype(sum)&>);
    STATIC_REQUIRE_FALSE(xmask::expression<std::vector<int>>);
}

TEST_CASE("a table's offsets follow its strides", "[held]") {
    const auto row_major = oracle::random<int>({2, 3, 4});
    oracle::for_each_layout(row_major, [&](const auto& table, const char* layout) {
        if constexpr (detail::has_memory<decltype(table)>) {
            INFO(layout);
            const auto offsets = detail::table_offsets("test", table);
            for (std::size_t r = 0; r < 24; ++r) {
                REQUIRE(
                    table.data()[static_cast<std::ptrdiff_t>(table.data_offset()) + offsets(r)] ==
                    row_major.flat(r)
                );
            }
        }
    });
}
