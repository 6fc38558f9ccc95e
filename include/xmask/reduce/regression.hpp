// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/simd.hpp"
#include "element_loss.hpp"

/// @file
/// Losses of real targets that grow more slowly than the square: mae, huber, smooth_l1.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The sign of x: -1, 0 or 1; 0 for NaN.
template <class V>
XMASK_INLINE V sign(const V& x) {
    const V zero(0);
    return xsimd::select(x > zero, V(1), xsimd::select(x < zero, V(-1), zero));
}

/// x, or the nearer end of [-limit, limit].
template <class V>
XMASK_INLINE V clamp(const V& x, const V& limit) {
    return xsimd::select(x > limit, limit, xsimd::select(x < -limit, -limit, x));
}
} // namespace detail

/// The absolute error |p - t|. Its derivative by p is the sign of p - t, and 0 where p equals t.
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

/// The Huber loss of d = p - t: d^2 / 2 where |d| <= delta, otherwise delta (|d| - delta / 2).
struct huber_loss {
    double delta = 1; ///< the largest |p - t| whose loss is a square; above 0

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

/// The smooth L1 loss of d = p - t: d^2 / (2 beta) where |d| < beta, otherwise |d| - beta / 2.
struct smooth_l1_loss {
    double beta = 1; ///< the |p - t| below which the loss is a square; 0 or more

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

/// Gives the absolute error |p - t|, summed over the kept elements.
///
/// The gradient is the sign of p - t, and 0 where p equals t. The loss is that of PyTorch's
/// l1_loss. Cost: one pass over the kept elements.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     none: may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes do not fit; nothing is written then
///
///     double mean = xmask::masked_mae(prediction, target, m).mean();    // 1.43056
inline constexpr element_loss<mae_loss> masked_mae("masked_mae");

/// Gives the Huber loss, summed over the kept elements.
///
/// The loss is (p - t)^2 / 2 where |p - t| <= delta, otherwise delta (|p - t| - delta / 2), as
/// PyTorch's huber_loss. Source: Huber, Robust estimation of a location parameter, 1964. Cost: one
/// pass over the kept elements.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     huber_loss: {.delta = 1}, above 0; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_huber(prediction, target, m, {.delta = 0.5}, gradient).mean();
///     // 0.601562
inline constexpr element_loss<huber_loss> masked_huber("masked_huber");

/// Gives the smooth L1 loss, summed over the kept elements.
///
/// The loss is (p - t)^2 / (2 beta) where |p - t| < beta, otherwise |p - t| - beta / 2, as
/// PyTorch's smooth_l1_loss. This is the Huber loss divided by its delta. Source: Girshick, Fast
/// R-CNN, 2015. Cost: one pass over the kept elements.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     smooth_l1_loss: {.beta = 1}, 0 for the absolute error; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_smooth_l1(prediction, target, m, {.beta = 0.1}).mean();
///     // 1.38056
inline constexpr element_loss<smooth_l1_loss> masked_smooth_l1("masked_smooth_l1");
} // namespace xmask::inline XMASK_ABI
