// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "attributes.hpp"
#include "simd.hpp"

/// @file
/// Logarithms, as losses need them: log of any number, log1p of numbers from -1 to 1.

namespace xmask::inline XMASK_ABI::detail {
/// A float x > 0 as 2^exponent (1 + fraction), where 1 + fraction lies in [sqrt(1/2), sqrt(2)).
struct float_parts {
    lanes<float> exponent;
    lanes<float> fraction;
    lanes<std::int32_t> exponent_bits; ///< the exponent, shifted to the place of a float's exponent
};

XMASK_INLINE float_parts parts_of(const lanes<float>& x) noexcept {
    using integers = lanes<std::int32_t>;
    const auto bits = xsimd::bitwise_cast<std::int32_t>(x);
    const auto exponent = (bits - integers(0x3f3504f3)) >> 23; // the bits of sqrt(1/2)
    const auto exponent_bits = exponent << 23;
    return {
        xsimd::to_float(exponent),
        xsimd::bitwise_cast<float>(bits - exponent_bits) - lanes<float>(1.f), exponent_bits
    };
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

/// log(x) of all floats. The error is at most 0.8 ulp.
///
/// Cost: 22 operations of a register; twice that where a lane is 0, subnormal, negative, infinite
/// or NaN.
inline lanes<float> log_of_floats(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    using limits = std::numeric_limits<float>;
    const auto usual = x >= batch(limits::min()) && x < batch(limits::infinity());
    if (xsimd::all(usual)) [[likely]] {
        const auto parts = parts_of(x);
        return log_of_parts(parts.exponent, parts.fraction);
    }
    // Subnormal floats have no exponent of their own.
    const auto tiny = x < batch(limits::min());
    const auto parts = parts_of(xsimd::select(tiny, x * batch(0x1p23f), x));
    const auto exponent = parts.exponent - xsimd::select(tiny, batch(23.f), batch(0.f));
    const auto finite = or_log_of_nothing(x, log_of_parts(exponent, parts.fraction));
    return xsimd::select(x < batch(limits::infinity()), finite, x);
}

/// log(1 + x) of floats from -1 to 1; NaN below, and for NaN. The error is at most 1.4 ulp.
///
/// Cost: 25 operations of a register, and 6 more where a lane is -1, below, or NaN.
inline lanes<float> log1p_of_floats(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    const batch one(1.f);
    const auto sum = one + x;
    const auto parts = parts_of(sum);
    // What the sum lost is added to the fraction, in the fraction's unit.
    const auto lost = x - (sum - one);
    const auto unit = xsimd::bitwise_cast<float>(
        lanes<std::int32_t>(0x3f800000) - parts.exponent_bits // 2^-exponent
    );
    const auto fraction = xsimd::fma(lost, unit, parts.fraction);
    const auto result = log_of_parts(parts.exponent, fraction);
    if (xsimd::all(sum > batch(0.f))) [[likely]] {
        return result;
    }
    return or_log_of_nothing(sum, result);
}

/// log(1 + x) of floats from 0 to 1; NaN for NaN. The error is at most 1.4 ulp.
///
/// Cost: 19 operations of a register.
inline lanes<float> log1p_of_shares(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    // From sqrt(2) on, 1 + x is 2 (1 + (x - 1) / 2).
    const auto doubled = x > batch(0.41421356f);
    const auto half = xsimd::fma(x, batch(0.5f), batch(-0.5f));
    return log_of_parts(
        xsimd::select(doubled, batch(1.f), batch(0.f)), xsimd::select(doubled, half, x)
    );
}
} // namespace xmask::inline XMASK_ABI::detail
