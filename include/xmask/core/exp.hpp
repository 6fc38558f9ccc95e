// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "attributes.hpp"
#include "simd.hpp"

/// @file
/// Exponentials and powers: exp of what a softmax leaves after its shift, numbers up to 0; and x to the power of a number.

namespace xmask::inline XMASK_ABI::detail
{
    /// exp(x) for x <= 0, in registers of float: within 1.1 ulp where the processor multiplies and adds in one step and
    /// 1.6 ulp elsewhere, exactly 1 at 0, and exactly 0 below -87.7, where exp leaves the normal floats. NaN stays NaN.
    ///
    /// exp(x) = 2^n exp(r) with |r| <= log(2) / 2: log(2) is subtracted n times in two parts (Cody and Waite, Software
    /// Manual for the Elementary Functions, 1980), and the rest is a polynomial of degree 6, fitted to the least relative
    /// error (Remez) with 1 + r + r^2 / 2 kept exact. It takes 5/6 of the time of xsimd's exp, which is for all x.
    XMASK_INLINE lanes<float> exp_nonpositive(const lanes<float>& x) noexcept
    {
        using batch = lanes<float>;
        // The sum rounds x / log(2) to a whole number n, and leaves n + 127, an exponent's bits, in its lowest bits.
        const auto rounder = batch(12582912.f + 127.f);
        // At the least n, -127, those bits are 0, and so is the factor that they make.
        const auto bounded = max_or_nan(batch(-88.0297f), x);
        const auto shifted = xsimd::fma(bounded, batch(1.44269504f), rounder);
        const auto n = shifted - rounder;
        const auto r = xsimd::fma(n, batch(2.12194440e-4f), xsimd::fma(n, batch(-0.693359375f), bounded));
        auto p = xsimd::fma(batch(0.00140614226761f), r, batch(0.00837905903569f));
        p = xsimd::fma(p, r, batch(0.0416647733151f));
        p = xsimd::fma(p, r, batch(0.166663648087f));
        p = xsimd::fma(p, r, batch(0.5f));
        p = xsimd::fma(p, r, batch(1.f));
        p = xsimd::fma(p, r, batch(1.f));
        return p * xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(shifted) << 23);
    }

    XMASK_INLINE lanes<double> exp_nonpositive(const lanes<double>& x) noexcept
    {
        return xsimd::exp(x);
    }

    template <class T>
        requires std::is_floating_point_v<T>
    XMASK_INLINE T exp_nonpositive(T x) noexcept
    {
        return std::exp(x);
    }

    /// x to the power of a number; x is 0 or more.
    template <class V>
    XMASK_INLINE V power(const V& x, double exponent) noexcept
    {
        // By far the most usual ones, and exact.
        if (exponent == 2)
        {
            return x * x;
        }
        if (exponent == 1)
        {
            return x;
        }
        if constexpr (std::is_arithmetic_v<V>)
        {
            return std::pow(x, static_cast<V>(exponent));
        }
        else
        {
            return xsimd::pow(x, V(static_cast<typename V::value_type>(exponent)));
        }
    }
}
