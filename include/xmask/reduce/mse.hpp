// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include "../core/attributes.hpp"
#include "element_loss.hpp"

/// @file
/// The mean squared error.

namespace xmask::inline XMASK_ABI {
/// The squared error (p - t)^2, and its derivative 2 (p - t) by p.
struct mse_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V difference = p - t;
        return difference * difference;
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V difference = p - t;
        return difference + difference;
    }
};

/// Gives the squared error (p - t)^2, summed over the kept elements.
///
/// The gradient is 2 (p - t). The loss is that of PyTorch's mse_loss. Cost: one pass over the kept
/// elements.
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
///     xt::xtensor<float, 1> a = {1, 2, 3};
///     xt::xtensor<float, 1> b = {3, 2, 9};
///     xt::xtensor<float, 1> da;
///     xmask::loss l = xmask::masked_mse(a, b, xmask::keep_indices({0, 1}, 3), da);
///     double mean = l.mean();    // 2
///     da;                        // -4, 0, 0
inline constexpr element_loss<mse_loss> masked_mse("masked_mse");
} // namespace xmask::inline XMASK_ABI
