// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/simd.hpp"
#include "element_loss.hpp"

/// @file
/// Losses of real targets that grow slower than the square: mae, huber, smooth_l1.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// -1, 0 or 1; 0 for NaN.
template <class V>
XMASK_INLINE V sign(const V& x) {
    const V zero(0);
    return xsimd::select(x > zero, V(1), xsimd::select(x < zero, V(-1), zero));
}

/// x, or the end of [-limit, limit] that is closer to it.
template <class V>
XMASK_INLINE V clamp(const V& x, const V& limit) {
    return xsimd::select(x > limit, limit, xsimd::select(x < -limit, -limit, x));
}
} // namespace detail

/// |p - t|, and its sign by p, which is 0 where p equals t.
struct mae_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return xsimd::abs(p - t);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return detail::sign<V>(p - t);
    }
};

/// d = p - t: d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond.
struct huber_loss {
    double delta = 1;

    void check(const char* name) const {
        detail::require_option(name, "delta", delta, detail::option_range::above(0));
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V half(constant<V>(0.5));
        const V limit(constant<V>(delta));
        const V size = xsimd::abs(p - t);
        return xsimd::select(size <= limit, half * size * size, limit * (size - half * limit));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return detail::clamp<V>(p - t, constant<V>(delta));
    }
};

/// d = p - t: d^2 / (2 beta) where |d| < beta, |d| - beta / 2 beyond.
struct smooth_l1_loss {
    double beta = 1;

    void check(const char* name) const {
        detail::require_option(name, "beta", beta, detail::option_range::at_least(0));
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V half(constant<V>(0.5));
        const V limit(constant<V>(beta));
        const V size = xsimd::abs(p - t);
        return xsimd::select(size < limit, half * size * size / limit, size - half * limit);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V difference = p - t;
        const V limit(constant<V>(beta));
        return xsimd::select(
            xsimd::abs(difference) < limit, difference / limit, detail::sign(difference)
        );
    }
};

/// The absolute error |p - t|, as PyTorch's l1_loss; its gradient is the sign of p - t, 0 where
/// they are equal. element_loss says what the arguments are.
///
///     double mean = xmask::masked_mae(prediction, target, m).mean();
inline constexpr element_loss<mae_loss> masked_mae("masked_mae");

/// The Huber loss, as PyTorch's huber_loss: (p - t)^2 / 2 where |p - t| <= delta, delta (|p - t| -
/// delta / 2) beyond (Huber, Robust estimation of a location parameter, 1964). Options: delta = 1,
/// above 0. element_loss says what the arguments are.
///
///     double mean = xmask::masked_huber(prediction, target, m, {.delta = 0.5}, gradient).mean();
inline constexpr element_loss<huber_loss> masked_huber("masked_huber");

/// PyTorch's smooth_l1_loss: (p - t)^2 / (2 beta) where |p - t| < beta, |p - t| - beta / 2 beyond;
/// the Huber loss divided by its delta (Girshick, Fast R-CNN, 2015). Options: beta = 1, 0 for the
/// absolute error. element_loss says what the arguments are.
///
///     double mean = xmask::masked_smooth_l1(prediction, target, m, {.beta = 0.1}).mean();
inline constexpr element_loss<smooth_l1_loss> masked_smooth_l1("masked_smooth_l1");
} // namespace xmask::inline XMASK_ABI
