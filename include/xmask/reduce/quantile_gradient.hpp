// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "../apply/masked_fill.hpp"
#include "../core/axes.hpp"
#include "gradient.hpp"
#include "kept_elements.hpp"
#include "quantile.hpp"

/// @file
/// Gradients of medians and quantiles.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// a where x is the lower of two elements, b where it is the higher one, both where they are equal;
/// a everywhere where the lower one is NaN.
struct shares_of_ranks {
    template <class A>
    A operator()(const A& x, const A& low, const A& a, const A& high, const A& b) const {
        return (x < low || x > low ? A(0) : a) + (x == high ? b : A(0));
    }
};

/// The gradient of choose(values, selector).low and high at each position, by their shares;
/// elements that tie share it.
template <class X, class M, class U, class F>
auto rank_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    F&& choose
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    kept_elements<element, X, M> kept(function, x, m, axes);
    auto low = at_positions<element>(axes, [](std::size_t) { return 0; });
    auto high = low;
    auto to_low = low;
    auto to_high = low;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto values = kept.at(i);
        if (values.empty()) {
            continue;
        }
        if (holds_nan(values)) {
            low.data()[i] = to_low.data()[i] = std::numeric_limits<element>::quiet_NaN();
            continue;
        }
        const auto chosen = choose(values, kept.selector());
        const auto share = [&](element value, double part) {
            const auto ties = static_cast<wide>(std::ranges::count(values, value));
            return static_cast<element>(
                static_cast<wide>(u.data()[i]) * static_cast<wide>(part) / ties
            );
        };
        low.data()[i] = chosen.low;
        high.data()[i] = chosen.high;
        to_low.data()[i] = share(chosen.low, 1 - chosen.share);
        to_high.data()[i] = share(chosen.high, chosen.share);
    }
    return fill_kept<element>(
        x.shape(), lazy_function(shares_of_ranks(), x, low, to_low, high, to_high), m
    );
}

template <class X, class M, class U>
auto median_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    return rank_gradient(
        "masked_median_gradient", x, m, names, upstream,
        [](auto values, auto& selector) {
            const std::size_t n = values.size();
            const auto middle = selector.kth_largest(values.data(), n, n - (n - 1) / 2).key;
            return between_ranks<std::decay_t<decltype(middle)>>{middle, middle, 0};
        }
    );
}

template <class X, class M, class U>
auto quantile_gradient(
    const X& x, const M& m, double q, const axes_list& names, const U& upstream
) {
    require_share("masked_quantile_gradient", q);
    return rank_gradient(
        "masked_quantile_gradient", x, m, names, upstream,
        [q](auto values, auto& selector) { return ranks_around(values, selector, q); }
    );
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_median(x, m, axes) by x: upstream at the
/// median, shared evenly by elements that equal it; 0 elsewhere and where the mask drops. Where NaN
/// is kept, the gradient of all that is kept with it is NaN.
///
/// Cost: that of the median, and one pass over x.
///
/// @param x tensor or lazy expression of real numbers.
/// @param m mask that broadcasts into x.
/// @param upstream array of the result's shape, with or without the axes that went.
/// @param axes the axes that went, as for masked_median.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where upstream has another shape, or the mask does not broadcast
/// into x.
/// @throws std::out_of_range for an axis that x does not have.
///
///     xt::xarray<float> dx = xmask::masked_median_gradient(x, m, upstream, -1);
///     // 0 1 0 0
///     // 0 0 0 2
///     // 0 3 0 0
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_median_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::median_gradient(x, m, axes, upstream);
    } else {
        return detail::refused();
    }
}

/// The gradient of `upstream` times masked_median(x, m), over everything.
///
/// @param x tensor or lazy expression of real numbers.
/// @param m mask that broadcasts into x.
/// @param upstream what the gradient is multiplied by.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where the mask does not broadcast into x.
///
///     xt::xarray<float> dx = xmask::masked_median_gradient(x, m, 2.);
///     // 0 0 0 0
///     // 0 0 0 2
///     // 0 0 0 0
template <class X, class M>
auto masked_median_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::median_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    } else {
        return detail::refused();
    }
}

/// The gradient of the sum of `upstream` times masked_quantile(x, m, q, axes) by x: the two
/// elements between which the quantile lies get upstream in proportion to their parts in it;
/// elements that tie share it. Where NaN is kept, the gradient of all that is kept with it is NaN.
///
/// Cost: that of the quantile, and one pass over x.
///
/// @param x tensor or lazy expression of real numbers.
/// @param m mask that broadcasts into x.
/// @param upstream array of the result's shape, with or without the axes that went.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @param axes the axes that went, as for masked_quantile.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where upstream has another shape, or the mask does not broadcast
/// into x.
/// @throws std::out_of_range for q outside of [0, 1], or an axis that x does not have.
///
///     xt::xarray<float> dx = xmask::masked_quantile_gradient(x, m, upstream, 0.9, -1);
///     // 0.9 0.1 0 0
///     // 0.6 1.4 0 0
///     // 0 0.6 2.4 0
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class Q = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_quantile_gradient(
    const X& x, const M& m, const U& upstream, const Q& q, const A& axes
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::quantile_gradient(x, m, static_cast<double>(q), axes, upstream);
    } else {
        return detail::refused();
    }
}

/// The gradient of `upstream` times masked_quantile(x, m, q), over everything.
///
/// @param x tensor or lazy expression of real numbers.
/// @param m mask that broadcasts into x.
/// @param upstream what the gradient is multiplied by.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @returns an array of x's shape and type.
/// @throws std::out_of_range for q outside of [0, 1].
/// @throws std::invalid_argument where the mask does not broadcast into x.
///
///     xt::xarray<float> dx = xmask::masked_quantile_gradient(x, m, 1., 0.9);
///     // 0 0 0 0
///     // 0.4 0.2 0 0
///     // 0 0 0.4 0
template <class X, class M>
auto masked_quantile_gradient(const X& x, const M& m, double upstream, double q) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::quantile_gradient(x, m, q, detail::every_axis(x.dimension()), upstream);
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
