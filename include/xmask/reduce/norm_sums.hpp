// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/simd.hpp"
#include "../masks/count_along.hpp"
#include "extreme_fold.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "options.hpp"
#include "shifted.hpp"
#include "when_empty.hpp"

/// @file
/// Sums of powers of magnitudes of what a mask keeps, and their roots.

namespace xmask::inline XMASK_ABI {
/// Options of a norm. Its order p: 2 for the Euclidean norm, 1 for the sum of magnitudes, infinity
/// for the largest magnitude, -infinity for the smallest, 0 for the number of elements that are not
/// 0, or any other number.
struct norm_options {
    double p = 2;                                               ///< the order
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
struct magnitude {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        using std::abs;
        return abs(x);
    }
};

struct square {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return x * x;
    }
};

/// |x|^p, or for p = 0 whether x is not 0.
struct magnitude_power {
    double p;

    template <class V>
    V value(const V& x) const {
        using std::abs;
        using std::pow;
        if (p == 0) {
            if constexpr (std::is_floating_point_v<V>) {
                return x != 0 ? V(1) : V(0);
            } else {
                return xsimd::select(x != V(0.), V(1.), V(0.));
            }
        }
        return pow(abs(x), V(p));
    }
};

/// Calls visit(fold, function, finish) with what computes the norm of order p.
template <class T, class F>
auto with_norm(const char* function, double p, F&& visit) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto same = [](T state) { return state; };
    require_option(function, "p", p, option_range::any_number());
    if (p == infinity) {
        // Of no magnitude, 0 is the largest.
        return visit(extreme_fold<T, extreme::largest>(), magnitude(), [](T state) {
            return state < 0 ? T(0) : state;
        });
    }
    if (p == -infinity) {
        return visit(extreme_fold<T, extreme::smallest>(), magnitude(), same);
    }
    if (p == 1) {
        return visit(sum_fold<T>(), magnitude(), same);
    }
    if (p == 2) {
        return visit(sum_fold<T>(), square(), [](T state) { return std::sqrt(state); });
    }
    return visit(sum_fold<T>(), magnitude_power{p}, [p](T state) {
        return p == 0 ? state : std::pow(state, static_cast<T>(1 / p));
    });
}

/// Whether a norm of order p is exact for all elements of T: a double holds all of their powers.
template <class T>
bool powers_fit(double p) noexcept {
    const bool is_narrow = std::is_integral_v<T> || sizeof(T) <= sizeof(float);
    const double size = std::abs(p);
    return p == 0 || p == 1 || std::isinf(p) || (is_narrow && size >= 0.5 && size <= 6);
}

/// Whether the root of a sum of powers is exact: no power that matters was too small or too large
/// for T. From |p| = 1 on the root itself cannot be.
template <class T, class Finish>
XMASK_INLINE bool is_exact_norm(T sum, double p, const Finish& finish) noexcept {
    using limits = std::numeric_limits<T>;
    constexpr T elements = std::uint64_t(1) << 40;
    const auto outside = [](T x, T least) { return (x < least) | (x > limits::max()); };
    return !outside(sum, limits::min() / limits::epsilon() * elements) &&
           (std::abs(p) >= 1 || !outside(finish(sum), limits::min()));
}

/// Whether the norm of everything is exact, which is the root of this sum.
template <class T, class X, class M, class Finish>
bool holds_exact_norms(
    const folded<T>& sum, const X& /*x*/, const M& /*m*/, const everything& /*over*/, double p,
    const Finish& finish
) {
    return sum.kept == 0 || is_exact_norm(sum.value, p, finish);
}

/// Whether all norms along axes are exact, which are the roots of these sums.
template <class T, class X, class M, class Finish>
bool holds_exact_norms(
    const folded_axes<T>& sums, const X& x, const M& m, const kept_axes& axes, double p,
    const Finish& finish
) {
    std::size_t inexact = 0;
    std::size_t empty = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const T sum = sums.state(i);
        inexact += static_cast<std::size_t>(!is_exact_norm(sum, p, finish));
        empty += static_cast<std::size_t>(sum == 0);
    }
    if (inexact == 0 || empty == 0) {
        return inexact == 0;
    }
    // Only the mask tells a sum of nothing from a sum of powers that are too small.
    const auto counts = count_along(x.shape(), m, axes);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (counts[i] != 0 && !is_exact_norm(sums.state(i), p, finish)) {
            return false;
        }
    }
    return true;
}

/// The power of a magnitude over a unit.
struct scaled_power {
    double p;

    template <class V>
    XMASK_INLINE V value(const V& x, const V& unit) const {
        const V ratio = x / unit;
        return p == 2 ? ratio * ratio : magnitude_power{p}.value(ratio);
    }
};

/// A norm in two factors, as its power may be beyond any number.
template <class T>
struct norm_factors {
    T unit;
    T root;

    [[nodiscard]] T value() const noexcept { return unit * root; }
};

/// At each position, the power of two below the extreme magnitude; 1 where that is no unit.
template <class T, extreme Which, class X, class M, reduced_axes Axes>
auto units_over(const char* function, const X& x, const M& m, const Axes& over) {
    const auto extremes = fold_over<T>(
        over, extreme_fold<T, Which>(), x.shape(), masked_rows<T>(function, x, m, magnitude()),
        false
    );
    auto units = one_each<T>(over);
    for (std::size_t i = 0; i < units.size(); ++i) {
        const T size = extremes.state(i);
        const bool measures = size > 0 && size <= std::numeric_limits<T>::max();
        units[i] = measures ? std::ldexp(T(1), std::ilogb(size)) : T(1);
    }
    return units;
}

/// The norms of these sums. A norm that is not exact is summed again, of elements over a unit: the
/// power of two below the largest magnitude, or below the smallest, where p is negative.
template <class T, class X, class M, reduced_axes Axes, class Sums, class Finish>
auto exact_norms(
    const char* function, const X& x, const M& m, const Axes& over, double p, const Sums& sums,
    const Finish& finish
) {
    auto norms = one_each<norm_factors<T>>(over);
    bool exact = true;
    for (std::size_t i = 0; i < norms.size(); ++i) {
        norms[i] = {T(1), finish(sums.state(i))};
        exact = exact && is_exact_norm(sums.state(i), p, finish);
    }
    if (exact || powers_fit<element_t<X>>(p)) {
        return norms;
    }
    const auto units = p > 0 ? units_over<T, extreme::largest>(function, x, m, over)
                             : units_over<T, extreme::smallest>(function, x, m, over);
    const auto again = sum_shifted<T>(function, x, m, over, units, scaled_power{p});
    for (std::size_t i = 0; i < norms.size(); ++i) {
        if (!is_exact_norm(sums.state(i), p, finish)) {
            norms[i] = {units[i], finish(again.state(i))};
        }
    }
    return norms;
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
