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

/// exp(x) by a table of N roots of two: exp(x) = 2^(n / N) exp(r) with |r| <= log(2) / (2 N). A
/// polynomial of degree 3 suffices for exp(r). Source: Tang, Table-Driven Implementation of the
/// Exponential Function, ACM TOMS 15, 1989.
template <std::size_t N>
XMASK_INLINE lanes<float> exp_by_table(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    constexpr int bits = std::countr_zero(N);
    // The sum rounds N x / log(2) to a whole number n; its lowest bits are those of n.
    const auto rounder = batch(12582912.f);
    // At the least n, -127 N, the scale has exponent 0 and is 0, and so is the result.
    const auto bounded = max_or_nan(batch(-88.0297f), x);
    const auto shifted = xsimd::fma(bounded, batch(1.44269504f * N), rounder);
    const auto n = shifted - rounder;
    const auto r = xsimd::fma(
        n, batch(-3.1946185e-5f / N), xsimd::fma(n, batch(-0.693115234375f / N), bounded)
    );
    const auto whole = xsimd::bitwise_cast<std::int32_t>(shifted);
    const auto scale =
        xsimd::bitwise_cast<float>(look_up(roots_of_two<N>.data(), whole) + (whole << (23 - bits)));
    const auto p = xsimd::fma(batch(0.166667f), r, batch(N == 16 ? 0.50001617f : 0.50006454f));
    return xsimd::fma(scale, xsimd::fma(r * r, p, r), scale);
}

/// exp(x) by a polynomial alone: exp(x) = 2^n exp(r) with |r| <= log(2) / 2. n log(2) is subtracted
/// in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980). The
/// polynomial has degree 6 and is fitted to the least relative error (Remez); its first terms, 1 +
/// r + r^2 / 2, are exact.
XMASK_INLINE lanes<float> exp_by_polynomial(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    // The sum rounds x / log(2) to a whole number n. Its lowest bits are n + 127, the bits of an
    // exponent.
    const auto rounder = batch(12582912.f + 127.f);
    // At the least n, -127, these bits are 0, and so is the factor that they form.
    const auto bounded = max_or_nan(batch(-88.0297f), x);
    const auto shifted = xsimd::fma(bounded, batch(1.44269504f), rounder);
    const auto n = shifted - rounder;
    const auto r =
        xsimd::fma(n, batch(2.12194440e-4f), xsimd::fma(n, batch(-0.693359375f), bounded));
    auto p = xsimd::fma(batch(0.00140614226761f), r, batch(0.00837905903569f));
    p = xsimd::fma(p, r, batch(0.0416647733151f));
    p = xsimd::fma(p, r, batch(0.166663648087f));
    p = xsimd::fma(p, r, batch(0.5f));
    p = xsimd::fma(p, r, batch(1.f));
    p = xsimd::fma(p, r, batch(1.f));
    return p * xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(shifted) << 23);
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

/// Functions of registers and numbers that are not inlined, for losses that use several of them. A
/// loop has code for whole, partial and selected registers; to inline these functions into all
/// three costs g++ a minute and a gigabyte for one loss, and gains a tenth of the time.
namespace called {
template <class V>
[[gnu::const, gnu::noinline]] V exp(V x) noexcept {
    return xsimd::exp(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V log(V x) noexcept {
    return xsimd::log(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V log1p(V x) noexcept {
    return xsimd::log1p(x);
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
