// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/slices.hpp>
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

namespace {
/// By factors of long double, whose exponent range suffices for each power here.
template <class T>
long double wide_norm(const std::vector<T>& x, double p) {
    long double sum = 0;
    for (const T one : x) {
        sum += std::pow(std::abs(static_cast<long double>(one)), static_cast<long double>(p));
    }
    return std::pow(sum, static_cast<long double>(1 / p));
}

bool near(double a, long double b) {
    return std::abs(static_cast<long double>(a) - b) <= 1e-12L * std::abs(b);
}
} // namespace

TEST_CASE("Norms neither overflow nor underflow", "[norm]") {
    const auto all = xmask::keep_all(2);
    REQUIRE(xmask::masked_norm(xt::xarray<double>{1e200, 1e200}, all) == std::sqrt(2.) * 1e200);
    REQUIRE(
        near(xmask::masked_norm(xt::xarray<double>{1e-200, 1e-200}, all), 1.4142135623730951e-200L)
    );
    for (const double p : {2., 3., 1.5, 0.5, -1., -2., 6.5, 15.}) {
        for (const double scale : {1e300, 1e200, 1e160, 1e-150, 1e-160, 1e-200, 1e-300, 1.}) {
            CAPTURE(p, scale);
            // Rows of 70 columns: whole words, registers and single elements.
            xt::xarray<double> x = oracle::random<double>({3, 70});
            x += 3.;
            xt::view(x, 0) *= scale;
            xt::view(x, 2) *= 1 / scale;
            const auto kept = oracle::random<bool>({3, 70}, 3);
            const auto m = xmask::keep_where(kept);
            const auto hidden = groups::hide(x, oracle::elements(kept));
            std::vector<std::vector<double>> rows(3);
            std::vector<std::vector<double>> columns(70);
            for (std::size_t i = 0; i < 3; ++i) {
                for (std::size_t k = 0; k < 70; ++k) {
                    if (kept(i, k)) {
                        rows[i].push_back(x(i, k));
                        columns[k].push_back(x(i, k));
                    }
                }
            }
            const auto along = xmask::masked_norm(hidden, m, 1, {.p = p});
            for (std::size_t i = 0; i < 3; ++i) {
                REQUIRE(near(along(i), wide_norm(rows[i], p)));
                const auto one = xmask::mask_slice(
                    m, 0, static_cast<std::ptrdiff_t>(i), static_cast<std::ptrdiff_t>(i + 1)
                );
                REQUIRE(near(
                    xmask::masked_norm(xt::view(hidden, xt::range(i, i + 1)), one, {.p = p}),
                    wide_norm(rows[i], p)
                ));
            }
            const auto across = xmask::masked_norm(hidden, m, 0, {.p = p});
            for (std::size_t k = 0; k < 70; ++k) {
                CAPTURE(k);
                if (columns[k].empty()) {
                    REQUIRE(across(k) == (p < 0 ? infinity : 0.));
                } else {
                    REQUIRE(near(across(k), wide_norm(columns[k], p)));
                }
            }
        }
    }
}

TEST_CASE("Norms of high orders of floats neither overflow nor underflow", "[norm]") {
    for (const float scale : {1e38f, 1e-38f, 1e-44f}) {
        for (const double p : {2., 6., 7., 20., -20., 100.}) {
            CAPTURE(scale, p);
            const xt::xarray<float> x = {scale, scale, 0.5f * scale};
            const std::vector<float> all(x.begin(), x.end());
            const float norm = xmask::masked_norm(x, xmask::keep_all(3), {.p = p});
            const auto wanted = static_cast<float>(wide_norm(all, p));
            REQUIRE((norm == wanted || std::abs(norm / wanted - 1) < 1e-6f));
            REQUIRE(xmask::masked_norm(x, xmask::keep_all(3), 0, {.p = p})() == norm);
        }
    }
}

TEST_CASE("Norms at the ends of doubles", "[norm]") {
    using limits = std::numeric_limits<double>;
    const auto norm = [](const xt::xarray<double>& x, double p) {
        const double all = xmask::masked_norm(x, xmask::keep_all({x.size()}), {.p = p});
        const double along = xmask::masked_norm(x, xmask::keep_all({x.size()}), 0, {.p = p})();
        REQUIRE((all == along || (std::isnan(all) && std::isnan(along))));
        return all;
    };
    const double least = limits::denorm_min();
    for (const double p : {2., 3., 0.5}) {
        CAPTURE(p);
        REQUIRE(norm({0., 0.}, p) == 0.);
        REQUIRE(near(norm({0., 1e-300, 0.}, p), 1e-300));
        REQUIRE(norm({0., least}, p) == least);
        REQUIRE(near(norm({-limits::max() / 2}, p), limits::max() / 2));
        REQUIRE(norm({limits::max(), limits::max()}, p) == infinity);
        REQUIRE(norm({1e-300, -infinity}, p) == infinity);
        REQUIRE(std::isnan(norm({1e-300, infinity, limits::quiet_NaN()}, p)));
        REQUIRE(std::isnan(norm({1e300, limits::quiet_NaN()}, p)));
    }
    for (const double p : {-1., -3.}) {
        CAPTURE(p);
        REQUIRE(norm({0., 1e-300}, p) == 0.);
        REQUIRE(norm({infinity, infinity}, p) == infinity);
        REQUIRE(near(norm({infinity, 1e300}, p), 1e300L));
        REQUIRE(near(norm({infinity, 1e-300}, p), 1e-300L));
        REQUIRE(std::isnan(norm({0., limits::quiet_NaN()}, p)));
    }
    REQUIRE(norm({infinity, 0., least, -2.}, 0) == 3.);
    REQUIRE(norm({infinity, -least, 2.}, -infinity) == least);
    const xt::xarray<long double> wide = {1e4000L, 1e4000L};
    const long double wide_result = xmask::masked_norm(wide, xmask::keep_all(2));
    if constexpr (std::numeric_limits<long double>::max_exponent > 16000) {
        REQUIRE(std::abs(wide_result / (std::sqrt(2.L) * 1e4000L) - 1) < 1e-15L);
    }
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
