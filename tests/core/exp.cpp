// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
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

/// The largest error, in ulps, of f beside `exact` at the floats from `first` to `last`, every
/// step-th of them, by their bits.
template <class F>
double worst_error(F f, double (*exact)(double), float first, float last, std::uint32_t step) {
    double worst = 0;
    float x[n];
    float y[n];
    auto bits = std::bit_cast<std::uint32_t>(first);
    const auto end = std::bit_cast<std::uint32_t>(last);
    for (; bits + n * step <= end; bits += static_cast<std::uint32_t>(n) * step) {
        for (std::size_t k = 0; k < n; ++k) {
            x[k] = std::bit_cast<float>(bits + static_cast<std::uint32_t>(k) * step);
        }
        store_lanes(y, f(load_lanes(x)));
        for (std::size_t k = 0; k < n; ++k) {
            const double wanted = exact(static_cast<double>(x[k]));
            const double ulp = std::ldexp(1., std::max(std::ilogb(wanted) - 23, -149));
            worst = std::fmax(worst, std::fabs(static_cast<double>(y[k]) - wanted) / ulp);
        }
    }
    return worst;
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
constexpr double stated = xmask::detail::table_lanes == 8 ? 1.6 : 1.1;
#else
constexpr double stated = 1.6;
#endif

/// exp of nonpositive numbers at every step-th float. Above -2^-26 it rounds to 1. Below -87.3 it is
/// not a normal float.
void require_small_errors_of_nonpositive(std::uint32_t step) {
    const auto nonpositive = [](const lanes<float>& x) {
        return xmask::detail::exp_nonpositive(x);
    };
    REQUIRE(worst_error(nonpositive, std::exp, -0x1p-26f, -87.33f, step) < stated);
}

/// The other functions at every step-th float of their ranges.
void require_small_errors(std::uint32_t step) {
    const auto exp = [](const lanes<float>& x) { return xmask::detail::called::exp(x); };
    const auto log = [](const lanes<float>& x) { return xmask::detail::called::log(x); };
    const auto log1p = [](const lanes<float>& x) { return xmask::detail::log1p_of(x); };
    const auto of_share = [](const lanes<float>& x) { return xmask::detail::log1p_of_share(x); };
    REQUIRE(worst_error(exp, std::exp, 0.f, 88.7228f, step) < 1.4);
    REQUIRE(worst_error(exp, std::exp, -0.f, -103.9f, step) < 1.4);
    REQUIRE(
        worst_error(
            log, std::log, std::numeric_limits<float>::denorm_min(),
            std::numeric_limits<float>::max(), step
        ) < 1.6
    );
    REQUIRE(worst_error(log1p, std::log1p, 0x1p-149f, 1.f, step) < 1.6);
    REQUIRE(worst_error(log1p, std::log1p, -0x1p-149f, -0.99999994f, step) < 1.6);
    REQUIRE(worst_error(of_share, std::log1p, 0x1p-149f, 1.f, step) < 1.4);
}
} // namespace

TEST_CASE("exp, log and log1p of floats err by what their comments say", "[exp]") {
    // The step is odd, so that all low bits occur.
    require_small_errors_of_nonpositive(6007);
    require_small_errors(6007);
}

TEST_CASE("exp of every nonpositive float, and more of the others", "[exp][.][many-floats]") {
    require_small_errors_of_nonpositive(1);
    require_small_errors(1021);
}

// Takes minutes, and an hour where the other tests are not optimized: xmask_lanes_tests "[every-float]".
TEST_CASE("exp, log and log1p of every float of their ranges", "[exp][.][every-float]") {
    require_small_errors_of_nonpositive(1);
    require_small_errors(1);
}

TEST_CASE("log, log1p and exp of numbers outside of their ranges", "[exp]") {
    using limits = std::numeric_limits<float>;
    const auto at = [](auto f, float x) {
        float y[n];
        store_lanes(y, f(lanes<float>(x)));
        return y[0];
    };
    const auto exp = [](const auto& x) { return xmask::detail::called::exp(x); };
    const auto log = [](const auto& x) { return xmask::detail::called::log(x); };
    const auto log1p = [](const auto& x) { return xmask::detail::log1p_of(x); };
    REQUIRE(at(exp, 0.f) == 1.f);
    REQUIRE(at(exp, 88.73f) == limits::infinity());
    REQUIRE(at(exp, limits::infinity()) == limits::infinity());
    REQUIRE(at(exp, -limits::infinity()) == 0.f);
    REQUIRE(at(log, 1.f) == 0.f);
    REQUIRE(at(log, limits::infinity()) == limits::infinity());
    REQUIRE(at(log1p, 0.f) == 0.f);
    for (const float zero : {0.f, -0.f}) {
        REQUIRE(at(log, zero) == -limits::infinity());
        REQUIRE(at(log1p, zero - 1.f) == -limits::infinity());
    }
    for (const float below : {-limits::denorm_min(), -1.f, -limits::infinity()}) {
        REQUIRE(std::isnan(at(log, below)));
        REQUIRE(std::isnan(at(log1p, below - 1.01f)));
    }
    for (const auto& nan : {limits::quiet_NaN(), -limits::quiet_NaN()}) {
        REQUIRE(std::isnan(at(exp, nan)));
        REQUIRE(std::isnan(at(log, nan)));
        REQUIRE(std::isnan(at(log1p, nan)));
        REQUIRE(std::isnan(at([](const auto& x) { return xmask::detail::log1p_of_share(x); }, nan))
        );
    }
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
