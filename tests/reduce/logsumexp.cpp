// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/logsumexp.hpp>

namespace {
constexpr auto logsumexp = [](const auto& x, const auto& m, const auto&... axes) {
    return xmask::masked_logsumexp(x, m, axes...);
};

double naive(const groups::group& kept) {
    double sum = 0;
    for (const double x : kept.values) {
        sum += std::exp(x);
    }
    return std::log(sum);
}
} // namespace

TEST_CASE("logsumexp over every choice of axes, of any layout", "[logsumexp]") {
    groups::require_reduction<float>(logsumexp, naive, 1e-6);
    groups::require_reduction<std::int32_t>(logsumexp, naive, 1e-13);
    groups::require_layouts<double>(logsumexp, naive, 1e-13);
}

TEST_CASE("logsumexp of large numbers, infinities and NaN", "[logsumexp]") {
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xarray<float> x = {{1000.f, 1000.f, 0.f},       {-1000.f, -1000.f, 0.f},
                                 {-infinity, -infinity, 1.f}, {infinity, 2.f, 0.f},
                                 {nan, infinity, 0.f},        {-infinity, 2.f, 0.f}};
    const xmask::bitmask m = xmask::keep_indices({0, 1}, {6, 3});
    const auto check = [&](const auto& rows) {
        REQUIRE(std::abs(rows(0) - 1000.6931472f) < 1e-4f);
        REQUIRE(std::abs(rows(1) + 999.3068528f) < 1e-4f);
        REQUIRE(rows(2) == -infinity);
        REQUIRE(rows(3) == infinity);
        REQUIRE(std::isnan(rows(4)));
        REQUIRE(rows(5) == 2.f);
    };
    check(xmask::masked_logsumexp(x, m, 1));
    const xt::xarray<float> turned = xt::transpose(x);
    check(xmask::masked_logsumexp(
        turned, xmask::unsqueeze(xmask::keep_lengths(xt::xtensor<int, 0>(2), 3), 1), 0
    ));
    REQUIRE(std::isnan(xmask::masked_logsumexp(x, m)));
}

TEST_CASE("logsumexp of nothing", "[logsumexp]") {
    using xmask::when_empty;
    const xt::xarray<float> x = {{1.f, 2.f}, {3.f, 4.f}};
    const xmask::bitmask m = xmask::keep_lengths({1, 0}, 2);
    REQUIRE(xmask::masked_logsumexp(x, m, 1)(1) == -std::numeric_limits<float>::infinity());
    REQUIRE(xmask::masked_logsumexp(x, m, 1, when_empty::zero)(1) == 0.f);
    REQUIRE(std::isnan(
        xmask::masked_logsumexp(x, m, 1, {.empty = when_empty::nan, .keep_axes = true})(1, 0)
    ));
    REQUIRE_THROWS_AS(
        xmask::masked_logsumexp(x, xmask::bitmask(xmask::keep_none({2, 2})), when_empty::raise),
        std::domain_error
    );
}

TEST_CASE("logsumexp agrees with PyTorch", "[logsumexp]") {
    const auto x = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    const auto expected = oracle::reference<double>("reduce_rows", "logsumexp");
    REQUIRE(oracle::close(xmask::masked_logsumexp(x, m, 1), expected, 1e-5));
    REQUIRE(oracle::close(xmask::masked_logsumexp(xt::xarray<double>(x), m, 1), expected, 1e-12));
}
