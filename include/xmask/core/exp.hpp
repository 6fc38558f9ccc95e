// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "attributes.hpp"
#include "log.hpp"
#include "simd.hpp"

/// @file
/// Exponentials and powers: exp of numbers up to 0, as a softmax has them after its shift; x to the
/// power of a number; and constants as registers.

namespace xmask::inline XMASK_ABI {
/// Converts a number to V, which is a number or a register. For the constants in the function of a
/// loss, which computes on both.
///
/// @tparam V  an arithmetic type, or a register of xsimd
/// @param x   the number
/// @returns   x as V; in every lane where V is a register
///
///     float half = xmask::constant<float>(0.5);    // 0.5
template <class V>
XMASK_INLINE V constant(double x) {
    if constexpr (std::is_arithmetic_v<V>) {
        return static_cast<V>(x);
    } else {
        return V(static_cast<typename V::value_type>(x));
    }
}
} // namespace xmask::inline XMASK_ABI

namespace xmask::inline XMASK_ABI::detail {
/// For j from 0 to N - 1, the bits of 2^(j / N) as a float, minus j << (23 - log2(N)). exp_by_table
/// adds n << (23 - log2(N)), whose low part j cancels this.
template <std::size_t N>
inline constexpr std::array<std::int32_t, N> roots_of_two{};

template <>
inline constexpr std::array<std::int32_t, 16> roots_of_two<16> = {
    0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
    0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d,
};

template <>
inline constexpr std::array<std::int32_t, 8> roots_of_two<8> = {
    0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7,
};

/// x as n log(2) / N + rest, |rest| <= log(2) / (2 N), with `shifted` = n + rounder. The sum with
/// the rounder rounds N x / log(2) to the whole number n; its lowest bits are those of n. n log(2) is
/// subtracted in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980).
struct reduced_exponent {
    lanes<float> shifted;
    lanes<float> rest;
};

template <std::size_t N>
XMASK_INLINE reduced_exponent
reduce_exponent(const lanes<float>& x, const lanes<float>& rounder) noexcept {
    using batch = lanes<float>;
    const auto shifted = xsimd::fma(x, batch(1.44269504f * N), rounder);
    const auto n = shifted - rounder;
    if constexpr (N == 1) {
        return {
            shifted,
            xsimd::fma(n, batch(2.12194440e-4f), xsimd::fma(n, batch(-0.693359375f), x)),
        };
    } else {
        return {
            shifted,
            xsimd::fma(n, batch(-3.1946185e-5f / N), xsimd::fma(n, batch(-0.693115234375f / N), x)),
        };
    }
}

/// exp(r) - 1 for |r| <= log(2) / (2 N): a polynomial of degree 3 suffices.
template <std::size_t N>
XMASK_INLINE lanes<float> exp_minus_one(const lanes<float>& r) noexcept {
    using batch = lanes<float>;
    const auto p = xsimd::fma(batch(0.166667f), r, batch(N == 16 ? 0.50001617f : 0.50006454f));
    return xsimd::fma(r * r, p, r);
}

/// exp(r) for |r| <= log(2) / 2. The polynomial has degree 6 and is fitted to the least relative
/// error (Remez); its first terms, 1 + r + r^2 / 2, are exact.
XMASK_INLINE lanes<float> exp_of_rest(const lanes<float>& r) noexcept {
    using batch = lanes<float>;
    auto p = xsimd::fma(batch(0.00140614226761f), r, batch(0.00837905903569f));
    p = xsimd::fma(p, r, batch(0.0416647733151f));
    p = xsimd::fma(p, r, batch(0.166663648087f));
    p = xsimd::fma(p, r, batch(0.5f));
    p = xsimd::fma(p, r, batch(1.f));
    return xsimd::fma(p, r, batch(1.f));
}

/// exp(x) by a table of N roots of two: exp(x) = 2^(n / N) exp(rest). Source: Tang, Table-Driven
/// Implementation of the Exponential Function, ACM TOMS 15, 1989.
template <std::size_t N>
XMASK_INLINE lanes<float> exp_by_table(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    constexpr int bits = std::countr_zero(N);
    // At the least n, -127 N, the scale has exponent 0 and is 0, and so is the result.
    const auto reduced = reduce_exponent<N>(max_or_nan(batch(-88.0297f), x), batch(12582912.f));
    const auto whole = xsimd::bitwise_cast<std::int32_t>(reduced.shifted);
    const auto scale =
        xsimd::bitwise_cast<float>(look_up(roots_of_two<N>.data(), whole) + (whole << (23 - bits)));
    return xsimd::fma(scale, exp_minus_one<N>(reduced.rest), scale);
}

/// exp(x) by a polynomial alone: exp(x) = 2^n exp(rest).
XMASK_INLINE lanes<float> exp_by_polynomial(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    // The lowest bits of the sum are n + 127, the bits of an exponent. At the least n, -127, these
    // bits are 0, and so is the factor that they form.
    const auto reduced =
        reduce_exponent<1>(max_or_nan(batch(-88.0297f), x), batch(12582912.f + 127.f));
    return exp_of_rest(reduced.rest) *
           xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(reduced.shifted) << 23);
}

/// exp(x) for x <= 0, in registers of float. The error is at most 1.1 ulp with AVX-512 and ARM's
/// FMA, and 1.6 ulp elsewhere. exp(0) is exactly 1. Below -87.34, where exp leaves the normal
/// floats, the result falls faster, and is exactly 0 from -88.03 on. NaN stays NaN.
///
/// Cost: half the time of xsimd's exp, which takes all x, with AVX-512 and AVX2; 5/6 elsewhere.
XMASK_INLINE lanes<float> exp_nonpositive(const lanes<float>& x) noexcept {
    if constexpr (table_lanes == lane_count<float>) {
        return exp_by_table<table_lanes>(x);
    } else {
        return exp_by_polynomial(x);
    }
}

template <std::same_as<lanes<double>> V>
XMASK_INLINE V exp_nonpositive(const V& x) noexcept {
    return xsimd::exp(x);
}

template <class T>
    requires std::is_floating_point_v<T>
XMASK_INLINE T exp_nonpositive(T x) noexcept {
    return std::exp(x);
}

/// -|x|, by the sign bit alone.
template <class V>
XMASK_INLINE V negative_absolute(const V& x) noexcept {
    if constexpr (std::is_arithmetic_v<V>) {
        return -xsimd::abs(x);
    } else {
        return x | constant<V>(-0.);
    }
}

/// exp(x) of all floats, with subnormal results and infinity. The error is at most 1.3 ulp; xsimd's
/// is infinite from 88.376 on.
inline lanes<float> exp_of_floats(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    using integers = lanes<std::int32_t>;
    constexpr std::size_t n = table_lanes == lane_count<float> ? table_lanes : 1;
    constexpr int bits = std::countr_zero(n);
    const auto least = max_or_nan(batch(-105.f), x);
    const auto bounded = xsimd::select(least > batch(90.f), batch(90.f), least);
    const auto reduced = reduce_exponent<n>(bounded, batch(12582912.f));
    const auto whole = xsimd::bitwise_cast<std::int32_t>(reduced.shifted) - integers(0x4b400000);
    // The power of two in two parts, because it may be larger or smaller than all floats.
    const auto half = whole >> (bits + 1);
    const auto first = xsimd::bitwise_cast<float>((half + integers(127)) << 23);
    const auto rest = (whole - (half << bits)) << (23 - bits);
    if constexpr (n > 1) {
        const auto second =
            xsimd::bitwise_cast<float>(look_up(roots_of_two<n>.data(), whole) + rest);
        return xsimd::fma(second, exp_minus_one<n>(reduced.rest), second) * first;
    } else {
        const auto second = xsimd::bitwise_cast<float>(rest + integers(0x3f800000));
        return exp_of_rest(reduced.rest) * second * first;
    }
}

/// log(x).
template <class V>
XMASK_INLINE V log_of(const V& x) noexcept {
    if constexpr (std::is_same_v<V, lanes<float>>) {
        return log_of_floats(x);
    } else {
        return xsimd::log(x);
    }
}

/// log(1 + x) for x from -1 to 1.
template <class V>
XMASK_INLINE V log1p_of(const V& x) noexcept {
    if constexpr (std::is_same_v<V, lanes<float>>) {
        return log1p_of_floats(x);
    } else {
        return xsimd::log1p(x);
    }
}

/// log(1 + x) for x from 0 to 1.
template <class V>
XMASK_INLINE V log1p_of_share(const V& x) noexcept {
    if constexpr (std::is_same_v<V, lanes<float>>) {
        return log1p_of_shares(x);
    } else {
        return xsimd::log1p(x);
    }
}

/// Functions of registers and numbers that are not inlined, for losses that use several of them. A
/// loop has code for whole, partial and selected registers. Inlining these functions into all three
/// would triple the time to compile a loss, and save a tenth of the time to run it.
namespace called {
template <class V>
[[gnu::const, gnu::noinline]] V exp(V x) noexcept {
    if constexpr (std::is_same_v<V, lanes<float>>) {
        return exp_of_floats(x);
    } else {
        return xsimd::exp(x);
    }
}

template <class V>
[[gnu::const, gnu::noinline]] V log(V x) noexcept {
    return log_of(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V pow(V x, V exponent) noexcept {
    return xsimd::pow(x, exponent);
}
} // namespace called

/// x to the power of a number, for x >= 0.
template <class V>
XMASK_INLINE V power(const V& x, double exponent) noexcept {
    // The most frequent exponents, with exact results.
    if (exponent == 2) {
        return x * x;
    }
    if (exponent == 1) {
        return x;
    }
    return called::pow(x, constant<V>(exponent));
}
} // namespace xmask::inline XMASK_ABI::detail
