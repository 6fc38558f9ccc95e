// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/product.hpp>

namespace {
constexpr auto product = [](const auto& x, const auto& m, const auto&... axes) {
    return xmask::masked_prod(x, m, axes...);
};

double naive(const groups::group& kept) {
    double all = 1;
    for (const double x : kept.values) {
        all *= x;
    }
    return all;
}
} // namespace

TEST_CASE("Products over every choice of axes, of any layout", "[product]") {
    groups::require_reduction<double>(product, naive, 1e-12);
    groups::require_reduction<bool>(product, naive, 0.);
    groups::require_layouts<float>(product, naive, 1e-6);
    const xmask::bitmask m = xmask::keep_all(3);
    STATIC_REQUIRE(std::is_same_v<decltype(xmask::masked_prod(xt::xarray<float>(), m)), float>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_prod(xt::xarray<std::int8_t>(), m)), std::int64_t>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_prod(xt::xarray<bool>(), m, 0)),
                   xt::xarray<std::uint64_t>>);
}

TEST_CASE("Products of integers go beyond the elements' type", "[product]") {
    const xt::xarray<std::int8_t> x = {100, 100, 100, -1, 0};
    REQUIRE(xmask::masked_prod(x, xmask::keep_not_equal(x, 0)) == -1000000);
    // Products beyond 64 bits wrap around.
    const xt::xarray<std::int32_t> twos = xt::ones<std::int32_t>({64}) * 2;
    REQUIRE(xmask::masked_prod(twos, xmask::bitmask(xmask::keep_all(64))) == 0);
}

TEST_CASE("Products of floats do not overflow on the way", "[product]") {
    const xt::xarray<float> x = {1e30f, 1e30f, 1e-30f, 1e-30f, 3.f};
    REQUIRE(std::abs(xmask::masked_prod(x, xmask::bitmask(xmask::keep_all(5))) - 3.f) < 1e-5f);
}

TEST_CASE("Products of nothing", "[product]") {
    using xmask::when_empty;
    const xt::xarray<float> x = {{2.f, 3.f}, {4.f, 5.f}};
    const xmask::bitmask m = xmask::keep_lengths({2, 0}, 2);
    REQUIRE(oracle::elements(xmask::masked_prod(x, m, 1)) == std::vector<float>{6.f, 1.f});
    REQUIRE(
        oracle::elements(xmask::masked_prod(x, m, 1, when_empty::zero)) ==
        std::vector<float>{6.f, 0.f}
    );
    REQUIRE(
        std::isnan(xmask::masked_prod(x, xmask::bitmask(xmask::keep_none({2, 2})), when_empty::nan))
    );
    REQUIRE_THROWS_AS(
        xmask::masked_prod(x, m, {-1}, {.empty = when_empty::raise}), std::domain_error
    );
}

TEST_CASE("Products agree with PyTorch", "[product]") {
    const auto x = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    const auto expected = oracle::reference<double>("reduce_rows", "prod");
    const xt::xarray<double> wide = x;
    const auto rows = xmask::masked_prod(wide, m, 1);
    const auto narrow = xmask::masked_prod(x, m, 1);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        REQUIRE(std::abs(rows(r) - expected(r)) <= 1e-12 * std::abs(expected(r)));
        REQUIRE(
            std::abs(static_cast<double>(narrow(r)) - expected(r)) <= 1e-5 * std::abs(expected(r))
        );
    }
}
