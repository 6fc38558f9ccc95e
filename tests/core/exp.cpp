// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/exp.hpp>

using xmask::detail::lanes;
using xmask::detail::load_lanes;
using xmask::detail::store_lanes;

namespace {
constexpr std::size_t n = xmask::detail::lane_count<float>;

float exp_of(float x) {
    float y[n];
    store_lanes(y, xmask::detail::exp_nonpositive(lanes<float>(x)));
    return y[n - 1];
}

/// The largest error, in ulps, at `count` floats: the first has these bits, and the others follow
/// at distances of `step`.
double worst_error(std::uint32_t bits, std::uint32_t last, std::uint32_t step) {
    double worst = 0;
    float x[n];
    float y[n];
    for (; bits + n * step <= last; bits += static_cast<std::uint32_t>(n) * step) {
        for (std::size_t k = 0; k < n; ++k) {
            x[k] = std::bit_cast<float>(bits + static_cast<std::uint32_t>(k) * step);
        }
        store_lanes(y, xmask::detail::exp_nonpositive(load_lanes(x)));
        for (std::size_t k = 0; k < n; ++k) {
            const double exact = std::exp(static_cast<double>(x[k]));
            const double ulp = std::ldexp(1., std::ilogb(exact) - 23);
            worst = std::fmax(worst, std::fabs(static_cast<double>(y[k]) - exact) / ulp);
        }
    }
    return worst;
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
constexpr double stated = xmask::detail::table_lanes == 8 ? 1.6 : 1.1;
#else
constexpr double stated = 1.6;
#endif

// Above -2^-26, exp rounds to 1. Below -87.3, exp is not a normal float.
const auto first = std::bit_cast<std::uint32_t>(-0x1p-26f);
const auto last = std::bit_cast<std::uint32_t>(-87.33f);
} // namespace

TEST_CASE("exp of negative floats errs by what its comment says", "[exp]") {
    // The step is odd, so that all low bits occur.
    REQUIRE(worst_error(first, last, 601) < stated);
}

// Hidden, because it is slow without optimization: xmask_tests "[every-float]".
TEST_CASE("exp of every float from -87.3 to 0", "[exp][.][every-float]") {
    REQUIRE(worst_error(first, last, 1) < stated);
}

TEST_CASE("exp of floats at its ends", "[exp]") {
    using limits = std::numeric_limits<float>;
    REQUIRE(exp_of(0.f) == 1.f);
    REQUIRE(exp_of(-0.f) == 1.f);
    REQUIRE(exp_of(-limits::denorm_min()) == 1.f);
    REQUIRE(exp_of(-0x1p-30f) == 1.f);
    REQUIRE(exp_of(-87.f) > 0.f);
    // Between the normal floats and 0, results only fall.
    float before = exp_of(-87.33f);
    for (float x = -87.34f; x > -88.1f; x -= 1e-3f) {
        const float y = exp_of(x);
        REQUIRE((y >= 0.f && y <= before));
        before = y;
    }
    REQUIRE(before == 0.f);
    for (const float x :
         {-88.04f, -89.f, -100.f, -1e4f, -1e9f, limits::lowest(), -limits::infinity()}) {
        REQUIRE(exp_of(x) == 0.f);
        REQUIRE_FALSE(std::signbit(exp_of(x)));
    }
    REQUIRE(std::isnan(exp_of(limits::quiet_NaN())));
    REQUIRE(std::isnan(exp_of(-limits::quiet_NaN())));
}
