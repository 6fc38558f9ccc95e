// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <xmask/reduce/element_loss.hpp>

/// @file
/// Losses as a user writes them.

namespace own_loss {
/// Charbonnier's loss, for numbers and registers, as the documentation of element_loss shows it.
struct charbonnier_loss {
    double scale = 1;

    template <class V>
    V value(const V& p, const V& t) const {
        const V u = (p - t) / xmask::constant<V>(scale);
        return u * u / (xsimd::sqrt(u * u + V(1)) + V(1));
    }

    template <class V>
    V derivative(const V& p, const V& t) const {
        const V u = (p - t) / xmask::constant<V>(scale);
        return u / (xsimd::sqrt(u * u + V(1)) * xmask::constant<V>(scale));
    }
};

inline constexpr xmask::element_loss<charbonnier_loss> masked_charbonnier("masked_charbonnier");

/// The quantile loss, for plain numbers, with a branch.
struct pinball_loss {
    double quantile = 0.5;

    double value(double p, double t) const {
        return p < t ? quantile * (t - p) : (1 - quantile) * (p - t);
    }

    double derivative(double p, double t) const { return p < t ? -quantile : 1 - quantile; }
};

/// A loss without a derivative, which is only measured.
struct zero_one_loss {
    double value(double p, double t) const { return (p > 0) == (t > 0) ? 0 : 1; }
};

/// Half the squared difference.
struct half_square_loss {
    template <class V>
    V value(const V& p, const V& t) const {
        return xmask::constant<V>(0.5) * (p - t) * (p - t);
    }

    template <class V>
    V derivative(const V& p, const V& t) const {
        return p - t;
    }
};
} // namespace own_loss
