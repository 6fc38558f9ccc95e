// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include "../core/attributes.hpp"
#include "element_loss.hpp"

/// @file
/// The mean squared error.

namespace xmask::inline XMASK_ABI {
/// (p - t)^2, and 2 (p - t) by p.
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

/// The squared error (p - t)^2, as PyTorch's mse_loss, summed over what the mask keeps; and its
/// gradient 2 (p - t). element_loss says what the arguments are.
///
///     xmask::loss l = xmask::masked_mse(prediction, target, xmask::keep_lengths(lengths, n));
///     double mean = l.mean();
///     xmask::masked_mse(prediction, target, m, gradient);
inline constexpr element_loss<mse_loss> masked_mse("masked_mse");
} // namespace xmask::inline XMASK_ABI
