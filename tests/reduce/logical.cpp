// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/logical.hpp>

namespace {
bool is_true(double x) { return x != 0; }

double any(const groups::group& kept) {
    return std::any_of(kept.values.begin(), kept.values.end(), is_true) ? 1 : 0;
}

double all(const groups::group& kept) {
    return std::all_of(kept.values.begin(), kept.values.end(), is_true) ? 1 : 0;
}

// Reductions are function objects: they are passed by their names.
constexpr auto any_of = xmask::masked_any;
constexpr auto all_of = xmask::masked_all;
} // namespace

TEMPLATE_TEST_CASE("Any and all over every choice of axes", "[logical]", bool, float, std::int8_t) {
    groups::require_reduction<TestType>(any_of, any, 0.);
    groups::require_reduction<TestType>(all_of, all, 0.);
}

TEST_CASE("Any and all of any layout", "[logical]") {
    groups::require_layouts<std::int32_t>(any_of, any, 0.);
    groups::require_layouts<double>(all_of, all, 0.);
}

TEST_CASE("Any and all of lazy comparisons, of NaN, of negative numbers, of nothing", "[logical]") {
    using xmask::when_empty;
    const xt::xarray<int> predicted = {{1, 2, 3}, {4, 5, 6}};
    const xt::xarray<int> target = {{1, 2, 9}, {4, 0, 6}};
    const auto m = xmask::keep_lengths({2, 3}, 3);
    REQUIRE(xmask::masked_any(xt::not_equal(predicted, target), m));
    REQUIRE(
        oracle::elements(xmask::masked_all(xt::equal(predicted, target), m, -1)) ==
        std::vector<char>{1, 0}
    );
    const xt::xarray<float> x = {std::numeric_limits<float>::quiet_NaN(), -1.f};
    REQUIRE(xmask::masked_all(x, xmask::bitmask(xmask::keep_all(2))));
    REQUIRE(xmask::masked_any(x, xmask::bitmask(xmask::keep_lengths(xt::xtensor<int, 0>(1), 2))));
    const xmask::bitmask none = xmask::keep_none({2, 3});
    REQUIRE_FALSE(xmask::masked_any(predicted, none));
    REQUIRE(xmask::masked_all(predicted, none));
    REQUIRE_FALSE(xmask::masked_all(predicted, none, when_empty::zero));
    REQUIRE_THROWS_AS(xmask::masked_any(predicted, none, when_empty::raise), std::domain_error);
    REQUIRE_THROWS_AS(
        xmask::masked_any(predicted, none, 0, {.empty = when_empty::nan}), std::domain_error
    );
    REQUIRE(xmask::masked_all(predicted, m, {0}, {.keep_axes = true}).dimension() == 2);
}
