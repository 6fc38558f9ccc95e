// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/reduce/normalize.hpp>

#include "support/lines.hpp"
#include "support/oracle.hpp"

using Catch::Matchers::Message;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

auto normalize(double p, double eps = 1e-12) {
    return [=](const std::vector<char>& kept, const std::vector<double>& x) {
        double norm = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double size = kept[i] ? std::abs(x[i]) : 0;
            norm = std::isinf(p) ? std::fmax(norm, size) : norm + (kept[i] ? std::pow(size, p) : 0);
        }
        norm = std::fmax(std::isinf(p) ? norm : std::pow(norm, 1 / p), eps);
        std::vector<double> y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            y[i] = kept[i] ? x[i] / norm : 0;
        }
        return y;
    };
}
} // namespace

TEMPLATE_TEST_CASE("normalize agrees with PyTorch", "[normalize][reference]", float, double) {
    const xt::xarray<TestType> x = oracle::reference<float>("masked_normalize", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("masked_normalize", "mask"));
    const double close = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    REQUIRE(oracle::close(
        xt::xarray<TestType>(xmask::masked_normalize(x, m)),
        oracle::reference<double>("masked_normalize", "y"), close
    ));
}

TEST_CASE("the examples of normalize's comments", "[normalize]") {
    const xt::xtensor<float, 1> x = {3.f, 9.f, 4.f};
    const xt::xtensor<float, 1> y = xmask::masked_normalize(x, xmask::drop_indices({1}, 3));
    REQUIRE(oracle::close(y, xt::xtensor<float, 1>({0.6f, 0.f, 0.8f}), 1e-7));
}

TEST_CASE("each norm along each axis, in each layout", "[normalize]") {
    const auto x = oracle::random<float>({3, 4, 67});
    const auto kept = oracle::random<bool>({3, 4, 67}, 2);
    const xmask::bitmask m = xmask::keep_where(kept);
    for (const std::size_t axis : {0u, 1u, 2u}) {
        const auto along = static_cast<std::ptrdiff_t>(axis);
        for (const double p : {1., 2., 3., 1.5, infinity}) {
            CAPTURE(axis, p);
            const xt::xarray<float> y = xmask::masked_normalize(x, m, along, {.p = p});
            REQUIRE(oracle::close(y, lines::map(axis, kept, normalize(p), x), 1e-6));
        }
        oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
            CAPTURE(axis, layout);
            REQUIRE(oracle::close(
                xt::xarray<float>(xmask::masked_normalize(e, m, along)),
                lines::map(axis, kept, normalize(2), x), 1e-6
            ));
        });
        REQUIRE(oracle::close(
            xmask::masked_normalize(x, m, along), lines::map(axis, kept, normalize(2), x), 1e-6
        ));
    }
}

TEST_CASE("normalize of rows of any length, all, some and nothing kept", "[normalize]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto x = oracle::random<double>({4, n});
        for (const auto& kept :
             {oracle::random<bool>({4, n}, 3), xt::xarray<bool>(xt::ones<bool>({std::size_t(4), n}))
             }) {
            const auto m = xmask::keep_where(kept);
            REQUIRE(oracle::close(
                xt::xarray<double>(xmask::masked_normalize(x, m)),
                lines::map(1, kept, normalize(2), x), 1e-14
            ));
        }
        const xt::xarray<double> nothing =
            xmask::masked_normalize(x, xmask::bitmask(xmask::keep_none({4, n})));
        REQUIRE(std::all_of(nothing.begin(), nothing.end(), [](double y) { return y == 0; }));
    }
}

TEST_CASE("normalize at the ends of its numbers", "[normalize]") {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xmask::bitmask all = xmask::keep_all(2);
    const auto of = [&](float a, float b, const xmask::normalize_options& options = {}) {
        const xt::xarray<float> x = {a, b};
        return xt::xarray<float>(xmask::masked_normalize(x, all, -1, options));
    };
    REQUIRE(oracle::close(of(3e38f, 3e38f), xt::xtensor<float, 1>({0.70710678f, 0.70710678f}), 1e-6)
    );
    REQUIRE(oracle::close(of(3e-30f, 4e-30f, {.eps = 0}), xt::xtensor<float, 1>({0.6f, 0.8f}), 1e-6)
    );
    REQUIRE(of(0.f, 0.f) == xt::xtensor<float, 1>({0.f, 0.f}));
    REQUIRE(std::isnan(of(nan, 1.f)(1)));
    REQUIRE(std::isnan(of(1.f, nan, {.p = infinity})(0)));
    REQUIRE(of(inf, 1.f)(1) == 0.f);
    REQUIRE(of(2e-13f, 0.f)(0) == 2e-13f / 1e-12f);
}

TEMPLATE_TEST_CASE(
    "normalize neither overflows nor underflows", "[normalize]", float, double, long double
) {
    using limits = std::numeric_limits<TestType>;
    const double close = std::is_same_v<TestType, float> ? 1e-6 : 1e-14;
    const auto expected = [](double p) {
        const double norm = std::isinf(p) ? 4 : std::pow(std::pow(3., p) + std::pow(4., p), 1 / p);
        return std::array<double, 2>{3 / norm, -4 / norm};
    };
    const TestType most = limits::max() / 4;
    for (const TestType scale :
         {TestType(1), most, most / 16, limits::min() * 4, limits::min() / 4, limits::min() / 512
         }) {
        for (const double p : {1., 2., 3., infinity}) {
            CAPTURE(scale, p);
            const auto y = expected(p);
            // In one register, in rows of several words, and across rows.
            for (const std::size_t n : {2u, 200u}) {
                xt::xarray<TestType> x = xt::zeros<TestType>({std::size_t(3), n});
                xt::view(x, xt::all(), 0) = 3 * scale;
                xt::view(x, xt::all(), n - 1) = -4 * scale;
                const auto all = xmask::keep_all(x.shape());
                const xt::xarray<TestType> rows =
                    xmask::masked_normalize(x, all, -1, {.p = p, .eps = 0});
                const xt::xarray<TestType> turned = xt::transpose(x);
                const xt::xarray<TestType> columns = xmask::masked_normalize(
                    turned, xmask::keep_all(turned.shape()), 0, {.p = p, .eps = 0}
                );
                for (std::size_t i = 0; i < 3; ++i) {
                    REQUIRE(std::abs(static_cast<double>(rows(i, 0)) - y[0]) < close);
                    REQUIRE(std::abs(static_cast<double>(rows(i, n - 1)) - y[1]) < close);
                    REQUIRE(std::abs(static_cast<double>(columns(0, i)) - y[0]) < close);
                    REQUIRE(std::abs(static_cast<double>(columns(n - 1, i)) - y[1]) < close);
                }
            }
            // Sums for a gradient are in double.
            if (std::isinf(p) || std::is_same_v<TestType, long double>) {
                continue;
            }
            // The gradient is that of scale 1, divided by the scale.
            const xt::xarray<TestType> one = {3, -4};
            const xt::xarray<TestType> x = one * scale;
            const xt::xarray<TestType> up = {1, 2};
            const auto two = xmask::keep_all(2);
            const xt::xarray<TestType> slope = xmask::masked_normalize_gradient(
                x, two, xt::xarray<TestType>(up * scale), -1, {.p = p, .eps = 0}
            );
            REQUIRE(oracle::close(
                slope,
                xt::xarray<TestType>(
                    xmask::masked_normalize_gradient(one, two, up, -1, {.p = p, .eps = 0})
                ),
                scale < limits::min() ? 1e-3 : close
            ));
        }
    }
}

TEST_CASE("normalize's gradients are those of central differences", "[normalize]") {
    const auto x = oracle::random<double>({3, 2, 9});
    const auto kept = oracle::random<bool>({3, 2, 9}, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto up = oracle::random<double>({3, 2, 9}, 6);
    for (const std::ptrdiff_t axis : {0, 2}) {
        for (const double p : {1., 2., 3.}) {
            CAPTURE(axis, p);
            const xt::xarray<double> gradient =
                xmask::masked_normalize_gradient(x, m, up, axis, {.p = p});
            REQUIRE(oracle::close(
                gradient,
                lines::numeric_gradient(
                    x, up,
                    [&](const auto& at) {
                        return xt::xarray<double>(xmask::masked_normalize(at, m, axis, {.p = p}));
                    }
                ),
                1e-7
            ));
        }
    }
    // Where eps is the divisor, it does not depend on x.
    const xt::xarray<double> tiny = {1e-13, 0.};
    const xt::xarray<double> g = {1., 2.};
    REQUIRE(
        xt::xarray<double>(
            xmask::masked_normalize_gradient(tiny, xmask::bitmask(xmask::keep_all(2)), g)
        ) == xt::xarray<double>({1e12, 2e12})
    );
}

TEST_CASE("normalize refuses what is no norm", "[normalize]") {
    const xt::xarray<float> x = {1.f, 2.f};
    const xmask::bitmask m = xmask::keep_all(2);
    REQUIRE_THROWS_MATCHES(
        xmask::masked_normalize(x, m, -1, {.p = 0.5}), std::invalid_argument,
        Message("xmask::masked_normalize: p is 0.5; expected 1 or more")
    );
    for (const double bad : {-1., std::nan("")}) {
        REQUIRE_THROWS_AS(xmask::masked_normalize(x, m, -1, {.eps = bad}), std::invalid_argument);
    }
    REQUIRE_THROWS_AS(
        xmask::masked_normalize_gradient(x, m, x, -1, {.p = infinity}), std::invalid_argument
    );
}
