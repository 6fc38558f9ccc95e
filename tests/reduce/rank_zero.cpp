// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/xmask.hpp>

namespace {
const std::vector<std::size_t> no_axes;
const std::vector<std::ptrdiff_t> axes = {0, -1};
} // namespace

/// As in PyTorch, a tensor of rank 0 has an axis 0 or -1, and gives the results of a line of one
/// element.
TEST_CASE("Reductions of rank 0 take the axis 0 or -1", "[rank_zero]") {
    const xt::xarray<double> x = -3.;
    const xt::xarray<double> line = {-3.};
    for (const bool kept : {true, false}) {
        const xmask::bitmask m = kept ? xmask::bitmask(xmask::keep_all(no_axes))
                                      : xmask::bitmask(xmask::keep_none(no_axes));
        const xmask::bitmask one =
            kept ? xmask::bitmask(xmask::keep_all(1)) : xmask::bitmask(xmask::keep_none(1));
        for (const std::ptrdiff_t axis : axes) {
            CAPTURE(kept, axis);
            const auto same = [&](auto&& reduce) {
                const auto result = reduce(x, m);
                const auto wanted = reduce(line, one);
                REQUIRE(result.dimension() == 0);
                REQUIRE(wanted.dimension() == 0);
                REQUIRE(oracle::same_bits(oracle::elements(result), oracle::elements(wanted)));
            };
            same([&](const auto& a, const auto& k) { return xmask::masked_sum(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_mean(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_prod(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_max(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_min(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_norm(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_logsumexp(a, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_median(a, k, axis); });
            same([&](const auto& a, const auto& k) {
                return xmask::masked_quantile(a, k, 0.3, axis);
            });
            same([&](const auto& a, const auto& k) {
                return xmask::masked_var(a, k, axis, {.correction = 0});
            });
            same([&](const auto& a, const auto& k) {
                return xmask::masked_argmax(a, k, axis, xmask::when_empty::zero);
            });
            same([&](const auto& a, const auto& k) { return xmask::masked_any(a < 0, k, axis); });
            same([&](const auto& a, const auto& k) { return xmask::masked_all(a > 0, k, axis); });
            same([&](const auto& /*a*/, const auto& k) { return xmask::count_kept(k, axis); });
            same([&](const auto& /*a*/, const auto& k) { return xmask::all_kept(k, axis); });
            // Real weights, too.
            REQUIRE(xmask::masked_sum(x, xt::xarray<double>(2.), axis)() == -6.);
            REQUIRE(xmask::masked_mse(x, x, xmask::balanced(m, axis)).weight == (kept ? 1. : 0.));
            REQUIRE(xmask::masked_sum(x, m, axis, {.keep_axes = true}).dimension() == 0);
            // Operations that keep the shape.
            const auto value = [](const auto& e) { return xt::xarray<double>(e)(); };
            REQUIRE(value(xmask::masked_softmax(x, m, axis)) == (kept ? 1. : 0.));
            REQUIRE(value(xmask::masked_normalize(x, m, axis)) == (kept ? -1. : 0.));
            REQUIRE(value(xmask::masked_standardize(x, m, axis)) == 0.);
            REQUIRE(value(xmask::masked_cumsum(x, m, axis)) == (kept ? -3. : 0.));
            REQUIRE(value(xmask::masked_cumprod(x, m, axis)) == (kept ? -3. : 1.));
            // Gradients.
            const xt::xarray<double> u = 2.;
            REQUIRE(value(xmask::masked_sum_gradient(x, m, u, axis)) == (kept ? 2. : 0.));
            REQUIRE(value(xmask::masked_max_gradient(x, m, u, axis)) == (kept ? 2. : 0.));
            REQUIRE(value(xmask::masked_norm_gradient(x, m, u, axis)) == (kept ? -2. : 0.));
        }
    }
}

TEST_CASE("Rank 0 has no other axis, and no slices", "[rank_zero]") {
    const xt::xarray<double> x = 1.;
    const xmask::bitmask m = xmask::keep_all(no_axes);
    REQUIRE_THROWS_WITH(
        xmask::masked_softmax(x, m, 1), "xmask::masked_softmax: axis 1 is outside of [-1, 1)"
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_cumsum(x, m, -2), "xmask::masked_cumsum: axis -2 is outside of [-1, 1)"
    );
    REQUIRE_THROWS_AS(xmask::count_kept(m, 1), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::mask_slice(m, 0, 0, 1), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::keep_largest_slices(x, 0.5, 0), std::out_of_range);
}
