// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "attributes.hpp"
#include "simd.hpp"

/// @file
/// Logarithms, as losses need them: log of any number, log1p of numbers from -1 to 1.
///
/// Where the processor looks up fast, a table gives c near 1 / y and log(1 / c), so that log(y) =
/// log(1 / c) + log(1 + r) with a small r = c y - 1. Each c is the float near the middle of its
/// range whose logarithm is nearest to a float, so that log(1 / c) as a float is nearly exact.
/// Sources: Tang, Table-Driven Implementation of the Logarithm Function in IEEE Floating-Point
/// Arithmetic, ACM TOMS 16, 1990; Gal and Bachelis, An Accurate Elementary Mathematical Library for
/// the IEEE Floating Point Standard, ACM TOMS 17, 1991.

namespace xmask::inline XMASK_ABI::detail {
/// Reciprocals and the logarithms of 1 / reciprocal, as the bits of floats.
template <std::size_t N>
struct reciprocal_table {
    constexpr reciprocal_table(const std::array<float, N>& c, const std::array<float, N>& log)
        : reciprocals(bits_of(c)), logarithms(bits_of(log)) {}

    static constexpr std::array<std::int32_t, N> bits_of(const std::array<float, N>& x) {
        std::array<std::int32_t, N> bits{};
        for (std::size_t i = 0; i < N; ++i) {
            bits[i] = std::bit_cast<std::int32_t>(x[i]);
        }
        return bits;
    }

    std::array<std::int32_t, N> reciprocals;
    std::array<std::int32_t, N> logarithms;
};

/// The table for [least, 2 least), cut into N ranges: the bits of a float grow by the same number
/// in each. For other N than 8 and 16 the table has one entry, which changes nothing.
template <std::size_t N>
struct table_around_one {
    static constexpr float least = 0.70710678f;
    static constexpr reciprocal_table<1> table = {{1.f}, {0.f}};
};

template <>
struct table_around_one<16> {
    static constexpr float least = 0.703125f;
    static constexpr reciprocal_table<16> table = {
        {1.39085817f, 1.33357203f, 1.2802093f, 1.23096991f, 1.18511927f, 1.14280593f, 1.10310709f,
         1.0664537f, 1.03251493f, 1.f, 0.941317141f, 0.888807893f, 0.842035592f, 0.800120592f,
         0.761999667f, 0.727389693f},
        {-0.329920948f, -0.287861079f, -0.247023582f, -0.2078024f, -0.16984342f, -0.133486584f,
         -0.0981308296f, -0.0643388405f, -0.0319975056f, 0.f, 0.0604751706f, 0.11787416f,
         0.171932995f, 0.222992823f, 0.271809161f, 0.318292916f},
    };
};

template <>
struct table_around_one<8> {
    static constexpr float least = 0.71875f;
    static constexpr reciprocal_table<8> table = {
        {1.33357203f, 1.23096991f, 1.14280593f, 1.0664537f, 1.f, 0.888807893f, 0.800120592f,
         0.727389693f},
        {-0.287861079f, -0.2078024f, -0.133486584f, -0.0643388405f, 0.f, 0.11787416f, 0.222992823f,
         0.318292916f},
    };
};

/// For N numbers of equal steps from 1 to 2.
template <std::size_t N>
struct table_from_one {
    static constexpr reciprocal_table<1> table = {{1.f}, {0.f}};
};

template <>
struct table_from_one<16> {
    static constexpr reciprocal_table<16> table = {
        {1.f, 0.937780142f, 0.882043481f, 0.832499206f, 0.78848213f, 0.749076426f, 0.71426338f,
         0.682568729f, 0.652004123f, 0.624409556f, 0.600627601f, 0.576167643f, 0.555079579f,
         0.535306096f, 0.517602503f, 0.5f},
        {0.f, 0.0642397478f, 0.125513926f, 0.183323011f, 0.237645537f, 0.288914263f, 0.336503506f,
         0.381892055f, 0.427704394f, 0.470948786f, 0.509780169f, 0.551356614f, 0.588643789f,
         0.624916553f, 0.658547699f, 0.693147182f},
    };
};

template <>
struct table_from_one<8> {
    static constexpr reciprocal_table<8> table = {
        {1.f, 0.874513865f, 0.777964115f, 0.698912144f, 0.636966407f, 0.583887637f, 0.538213968f,
         0.5f},
        {0.f, 0.13408713f, 0.25107488f, 0.358230233f, 0.451038361f, 0.538046718f, 0.619499087f,
         0.693147182f},
    };
};

/// A float y > 0 as (1 + r) / scale, where log(1 / scale) = exponent log(2) + logarithm.
struct scaled_float {
    lanes<float> scale;
    lanes<float> exponent;
    lanes<float> logarithm;
};

/// y for 2^-126 <= y < 2^126. |r| is at most 1/32 with 16 numbers in the table, 1/16 with 8; without
/// a table the scale is a power of two, and 1 + r lies in [sqrt(1/2), sqrt(2)).
XMASK_INLINE scaled_float scale_to_one(const lanes<float>& y) noexcept {
    using integers = lanes<std::int32_t>;
    using around_one = table_around_one<table_lanes>;
    constexpr auto exponent_mask = static_cast<std::int32_t>(0xff800000);
    const auto from_least = xsimd::bitwise_cast<std::int32_t>(y) -
                            integers(std::bit_cast<std::int32_t>(around_one::least));
    const auto exponent = xsimd::to_float(from_least >> 23);
    const auto exponent_bits = from_least & integers(exponent_mask);
    if constexpr (table_lanes == 1) {
        const auto scale = integers(0x3f800000) - exponent_bits;
        return {xsimd::bitwise_cast<float>(scale), exponent, lanes<float>(0.f)};
    } else {
        const auto at = from_least >> (23 - std::countr_zero(table_lanes));
        const auto scale = look_up(around_one::table.reciprocals.data(), at) - exponent_bits;
        const auto logarithm = look_up(around_one::table.logarithms.data(), at);
        return {xsimd::bitwise_cast<float>(scale), exponent, xsimd::bitwise_cast<float>(logarithm)};
    }
}

/// log(1 + r) for the small r of a table. The polynomial is fitted to the least relative error
/// (Remez) for |r| up to 1/30 with 16 numbers in the table, 1/14 with 8.
XMASK_INLINE lanes<float> log1p_of_rest(const lanes<float>& r) noexcept {
    using batch = lanes<float>;
    if constexpr (table_lanes == 16) {
        auto p = xsimd::fma(batch(-0.250262147f), r, batch(0.333517558f));
        p = xsimd::fma(p, r, batch(-0.499999915f));
        return xsimd::fma(r * r, p, r);
    } else {
        auto p = xsimd::fma(batch(0.201209816f), r, batch(-0.251060897f));
        p = xsimd::fma(p, r, batch(0.333330894f));
        p = xsimd::fma(p, r, batch(-0.499998664f));
        return xsimd::fma(r * r, p, r);
    }
}

/// log(2^exponent (1 + fraction)), by a polynomial of degree 11 for log(1 + fraction). Source: S. L.
/// Moshier, Cephes Mathematical Library, logf, 1989.
XMASK_INLINE lanes<float> log_of_parts(
    const lanes<float>& exponent, const lanes<float>& fraction
) noexcept {
    using batch = lanes<float>;
    const auto square = fraction * fraction;
    auto p = xsimd::fma(batch(7.0376836292e-2f), fraction, batch(-1.1514610310e-1f));
    p = xsimd::fma(p, fraction, batch(1.1676998740e-1f));
    p = xsimd::fma(p, fraction, batch(-1.2420140846e-1f));
    p = xsimd::fma(p, fraction, batch(1.4249322787e-1f));
    p = xsimd::fma(p, fraction, batch(-1.6668057665e-1f));
    p = xsimd::fma(p, fraction, batch(2.0000714765e-1f));
    p = xsimd::fma(p, fraction, batch(-2.4999993993e-1f));
    p = xsimd::fma(p, fraction, batch(3.3333331174e-1f));
    // The two parts of log(2): the products with the first one are exact.
    const auto rest = xsimd::fma(exponent, batch(-2.12194440e-4f), fraction * square * p);
    const auto low = xsimd::fma(batch(-0.5f), square, rest);
    return xsimd::fma(exponent, batch(0.693359375f), fraction + low);
}

/// log((1 + r) / scale).
XMASK_INLINE lanes<float> log_of_scaled(const scaled_float& y, const lanes<float>& r) noexcept {
    if constexpr (table_lanes == 1) {
        return log_of_parts(y.exponent, r);
    } else {
        // One part of log(2) suffices: the error of the float is 1/20 ulp of the product.
        const auto start = xsimd::fma(y.exponent, lanes<float>(0.693147181f), y.logarithm);
        return start + log1p_of_rest(r);
    }
}

/// The logarithm where x is a number above 0; -infinity at 0, NaN below.
XMASK_INLINE lanes<float> or_log_of_nothing(
    const lanes<float>& x, const lanes<float>& log_of_x
) noexcept {
    using batch = lanes<float>;
    using limits = std::numeric_limits<float>;
    const auto below =
        xsimd::select(x == batch(0.f), batch(-limits::infinity()), batch(limits::quiet_NaN()));
    return xsimd::select(x > batch(0.f), log_of_x, below);
}

/// log(x) of all floats. The error is at most 1.6 ulp with a table, 0.8 without.
///
/// Cost: 16 operations of a register with a table, 23 without; twice that where a lane is 0,
/// subnormal, negative, 2^126 or more, or NaN.
inline lanes<float> log_of_floats(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    using limits = std::numeric_limits<float>;
    const auto usual = x >= batch(limits::min()) && x < batch(0x1p126f);
    if (xsimd::all(usual)) [[likely]] {
        const auto scaled = scale_to_one(x);
        return log_of_scaled(scaled, xsimd::fma(x, scaled.scale, batch(-1.f)));
    }
    // Subnormal floats have no exponent of their own, and the largest no normal reciprocal.
    const auto tiny = x < batch(limits::min());
    const auto huge = x >= batch(0x1p126f);
    const batch one(1.f);
    const auto y =
        x * xsimd::select(tiny, batch(0x1p23f), xsimd::select(huge, batch(0x1p-23f), one));
    auto scaled = scale_to_one(y);
    scaled.exponent -=
        xsimd::select(tiny, batch(23.f), xsimd::select(huge, batch(-23.f), batch(0.f)));
    const auto log_of_x = log_of_scaled(scaled, xsimd::fma(y, scaled.scale, -one));
    return xsimd::select(x < batch(limits::infinity()), or_log_of_nothing(x, log_of_x), x);
}

/// log(1 + x), given y = 1 + x > 0, rounded.
XMASK_INLINE lanes<float> log1p_near(const lanes<float>& y, const lanes<float>& x) noexcept {
    const auto scaled = scale_to_one(y);
    // (1 + x) scale - 1. The subtraction is exact, so that nothing of x is lost.
    return log_of_scaled(scaled, xsimd::fma(x, scaled.scale, scaled.scale - lanes<float>(1.f)));
}

/// log(1 + x) of floats from -1 to 1; NaN below, and for NaN. The error is at most 1.6 ulp.
///
/// Cost: 18 operations of a register with a table, 25 without, and 6 more where a lane is -1, below,
/// or NaN.
inline lanes<float> log1p_of_floats(const lanes<float>& x) noexcept {
    const auto y = lanes<float>(1.f) + x;
    const auto result = log1p_near(y, x);
    if (xsimd::all(y > lanes<float>(0.f))) [[likely]] {
        return result;
    }
    return or_log_of_nothing(y, result);
}

/// log(1 + x) of floats from 0 to 1; NaN for NaN. The error is at most 1.4 ulp.
///
/// Cost: 11 operations of a register with a table, 19 without.
XMASK_INLINE lanes<float> log1p_of_shares(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    if constexpr (table_lanes == 1) {
        // From sqrt(2) on, 1 + x is 2 (1 + (x - 1) / 2).
        const auto doubled = x > batch(0.41421356f);
        const auto half = xsimd::fma(x, batch(0.5f), batch(-0.5f));
        return log_of_parts(
            xsimd::select(doubled, batch(1.f), batch(0.f)), xsimd::select(doubled, half, x)
        );
    } else {
        // The sum with 3 * 2^22 rounds to a whole number, and its lowest bits are those of the number.
        const auto step = xsimd::fma(x, batch(table_lanes - 1), batch(0x3p22f));
        const auto at = xsimd::bitwise_cast<std::int32_t>(step);
        constexpr auto& table = table_from_one<table_lanes>::table;
        const auto scale = xsimd::bitwise_cast<float>(look_up(table.reciprocals.data(), at));
        const auto start = xsimd::bitwise_cast<float>(look_up(table.logarithms.data(), at));
        return start + log1p_of_rest(xsimd::fma(x, scale, scale - batch(1.f)));
    }
}

/// log(p) in the chosen lanes, log(1 - p) in the others, for p from 2^-126 to 1 - 2^-24. The results
/// are those of log_of_floats and log1p_of_floats to the bit.
///
/// Cost: 19 operations of a register with a table, 26 without.
XMASK_INLINE lanes<float> log_of_choice(
    const lane_mask<float>& chosen, const lanes<float>& p
) noexcept {
    const lanes<float> one(1.f);
    const auto scaled = scale_to_one(xsimd::select(chosen, p, one - p));
    const auto x = xsimd::select(chosen, p, -p);
    const auto offset = xsimd::select(chosen, -one, scaled.scale - one);
    return log_of_scaled(scaled, xsimd::fma(x, scaled.scale, offset));
}
} // namespace xmask::inline XMASK_ABI::detail
