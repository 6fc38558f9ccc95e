// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/norm.hpp>

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

double norm_of(const groups::group& kept, double p) {
    double sum = 0;
    double largest = 0;
    double smallest = infinity;
    for (const double x : kept.values) {
        const double size = std::abs(x);
        sum += p == 0 ? (x != 0 ? 1. : 0.) : std::pow(size, p);
        largest = std::max(largest, size);
        smallest = std::min(smallest, size);
    }
    return p == infinity    ? largest
           : p == -infinity ? smallest
           : p == 0         ? sum
                            : std::pow(sum, 1 / p);
}
} // namespace

TEMPLATE_TEST_CASE("Norms over every choice of axes", "[norm]", float, std::int16_t) {
    groups::require_reduction<TestType>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_norm(x, m, axes...);
        },
        [](const groups::group& kept) { return norm_of(kept, 2); }, 1e-6
    );
}

TEST_CASE("Norms of every order", "[norm]") {
    for (const double p : {1., 2., 3., 0.5, 0., -1., -2.5, infinity, -infinity}) {
        CAPTURE(p);
        groups::require_layouts<double>(
            [&](const auto& x, const auto& m, const auto&... axes) {
                return xmask::masked_norm(x, m, axes..., {.p = p});
            },
            [&](const groups::group& kept) { return norm_of(kept, p); }, 1e-12
        );
        const double nothing = xmask::masked_norm(
            xt::xarray<double>{1., 2.}, xmask::bitmask(xmask::keep_none(2)), {.p = p}
        );
        REQUIRE(nothing == (p < 0 ? infinity : 0.));
    }
}

TEST_CASE("Norms of nothing, of NaN, and of what would overflow", "[norm]") {
    using xmask::when_empty;
    const xt::xarray<float> x = {
        {3.f, 4.f}, {1e30f, 1e30f}, {std::numeric_limits<float>::quiet_NaN(), 1.f}
    };
    const auto m = xmask::keep_lengths({2, 2, 1}, 2);
    const auto rows = xmask::masked_norm(x, m, -1, {.p = 2, .keep_axes = true});
    REQUIRE(rows.dimension() == 2);
    REQUIRE(rows(0, 0) == 5.f);
    REQUIRE(std::abs(rows(1, 0) / 1.41421356e30f - 1) < 1e-6f);
    REQUIRE(std::isnan(rows(2, 0)));
    REQUIRE(std::isnan(xmask::masked_norm(x, m, 1, {.p = infinity})(2)));
    const xmask::bitmask none = xmask::keep_none({3, 2});
    REQUIRE(std::isnan(xmask::masked_norm(x, none, when_empty::nan)));
    REQUIRE_THROWS_AS(xmask::masked_norm(x, none, {.empty = when_empty::raise}), std::domain_error);
    REQUIRE_THROWS_AS(xmask::masked_norm(x, m, {.p = std::nan("")}), std::invalid_argument);
}

TEST_CASE("Norms agree with PyTorch", "[norm]") {
    const auto x = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    const xt::xarray<double> wide = x;
    REQUIRE(oracle::close(
        xmask::masked_norm(x, m, 1), oracle::reference<double>("reduce_rows", "norm2"), 1e-5
    ));
    REQUIRE(oracle::close(
        xmask::masked_norm(wide, m, 1), oracle::reference<double>("reduce_rows", "norm2"), 1e-12
    ));
    REQUIRE(oracle::close(
        xmask::masked_norm(wide, m, 1, {.p = 1}), oracle::reference<double>("reduce_rows", "norm1"),
        1e-12
    ));
    const xt::xarray<double> all = oracle::reference<float>("reduce_all", "x");
    const double norm = oracle::reference<double>("reduce_all", "norm2")();
    REQUIRE(
        std::abs(
            xmask::masked_norm(
                all,
                xmask::bitmask(xmask::keep_where(oracle::reference<bool>("reduce_all", "mask")))
            ) -
            norm
        ) <= 1e-12 * norm
    );
}
