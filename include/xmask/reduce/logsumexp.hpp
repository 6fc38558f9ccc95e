// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "element_sum.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"

/// @file
/// The logarithm of the sum of exponentials of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
struct exp_of_difference {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& shift) const {
        using std::exp;
        return exp(x - shift);
    }
};

/// By how much exponents are shifted, given the largest: not by an infinity, whose difference from
/// itself is NaN.
template <class T>
T shift_of(T largest) noexcept {
    return std::isfinite(largest) ? largest : T(0);
}

/// The largest at each position of the axes that stay, and the sums of exp(x - shift).
template <class R>
struct exp_sums {
    folded_axes<R> largest;
    std::vector<R> shifts;
    folded_axes<sum_t<R>> sums;
};

template <class R, class X, class M>
exp_sums<R> exp_sums_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, bool counted
) {
    using rows = decltype(masked_rows<R>(function, x, m));
    auto largest = fold_along<R>(
        extreme_fold<R, extreme::largest>(), x.shape(), axes,
        plain_rows<rows>{masked_rows<R>(function, x, m)}, counted
    );
    std::vector<R> shifts(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        shifts[i] = shift_of(largest.state(i));
    }
    auto sums = sum_shifted<R, exp_of_difference>(x, m, axes, shifts);
    return {std::move(largest), std::move(shifts), std::move(sums)};
}

/// log(sum of exp(x - shift)) + shift; NaN where NaN is kept.
template <class R>
R shifted_log(R largest, double sum) {
    return is_nan(largest) ? largest
                           : static_cast<R>(
                                 std::log(static_cast<wide_t<R>>(sum)) +
                                 static_cast<wide_t<R>>(shift_of(largest))
                             );
}
} // namespace detail

/// log(sum of exp(x)) of what the mask keeps, -infinity where that is nothing. Shifted by the
/// largest, so that it does not overflow.
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers. Throws
/// std::invalid_argument where the mask does not broadcast into x. Two passes over what is kept.
///
///     float energy = xmask::masked_logsumexp(scores, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto rows = detail::masked_rows<result>("masked_logsumexp", x, m);
        const auto largest = detail::fold_all<result>(
            detail::extreme_fold<result, detail::extreme::largest>(), x.shape(), rows
        );
        const detail::shifted<detail::exp_of_difference, result> exp{detail::shift_of(largest.state)
        };
        const auto total =
            detail::element_sum<result>("masked_logsumexp", exp, m, detail::no_gradient(), x);
        const auto log = detail::shifted_log(largest.state, static_cast<double>(total.sum));
        return largest.count != 0
                   ? log
                   : detail::when_nothing_kept<result>(
                         "masked_logsumexp", detail::to_options<reduce_options>(options).empty, log
                     );
    }
}

/// The same along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_logsumexp(scores, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes kept("masked_logsumexp", x.shape(), axes);
        const auto all = detail::exp_sums_along<result>(
            "masked_logsumexp", x, m, kept, chosen.empty.has_value()
        );
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            const auto log =
                detail::shifted_log(all.largest.state(i), static_cast<double>(all.sums.state(i)));
            return !chosen.empty || all.largest.count(i) != 0
                       ? log
                       : detail::when_nothing_kept<result>("masked_logsumexp", chosen.empty, log);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_logsumexp(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// a * exp(x - shift).
struct scaled_exp {
    template <class A>
    A operator()(const A& x, const A& shift, const A& scale) const {
        using std::exp;
        return scale * exp(x - shift);
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return scale * xsimd::exp(x - shift);
    }
};

template <class X, class M, class U>
auto logsumexp_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    using element = element_t<X>;
    constexpr const char* function = "masked_logsumexp_gradient";
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    // Not by the logarithm of the sum, which is rounded to x's type.
    const auto all = exp_sums_along<element>(function, x, m, axes, false);
    const auto shift = at_positions<element>(axes, [&](std::size_t i) { return all.shifts[i]; });
    const auto scale = at_positions<element>(axes, [&](std::size_t i) {
        const auto sum = all.sums.state(i);
        return sum == 0 ? decltype(sum)(0) : static_cast<decltype(sum)>(u.data()[i]) / sum;
    });
    return fill_kept<element>(x.shape(), lazy_function(scaled_exp(), x, shift, scale), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_logsumexp(x, m, axes) by x: u times the
/// softmax where the mask keeps, 0 where it drops. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_logsumexp_gradient(scores, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_logsumexp_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::logsumexp_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_logsumexp(x, m), over everything.
template <class X, class M>
auto masked_logsumexp_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::logsumexp_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI
