// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include "../core/axes.hpp"
#include "accumulate.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "kept_elements.hpp"
#include "options.hpp"

/// @file
/// Medians and quantiles of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class R, class T, class Selector>
R median_of(
    const char* function, std::span<const T> values, Selector& selector,
    const reduce_options& options
) {
    const std::size_t n = values.size();
    if (n == 0) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if (holds_nan(values)) {
        return std::numeric_limits<R>::quiet_NaN();
    }
    return static_cast<R>(selector.kth_largest(values.data(), n, n - (n - 1) / 2).key);
}

/// The elements between which a quantile lies, and how far it is from the lower to the higher one.
template <class T>
struct between_ranks {
    T low;
    T high;
    double share;
};

/// The elements around quantile q of at least one value.
template <class T, class Selector>
between_ranks<T> ranks_around(std::span<const T> values, Selector& selector, double q) {
    const std::size_t n = values.size();
    const double rank = q * static_cast<double>(n - 1);
    const auto below = static_cast<std::size_t>(rank);
    const double share = rank - static_cast<double>(below);
    const auto low = selector.kth_largest(values.data(), n, n - below);
    const bool alone = share != 0 && low.above + below + 1 == n;
    return {low.key, alone ? next_larger(values, low.key) : low.key, share};
}

/// The point at a share in [0, 1) of the way from low to high. Between a number and an infinity it
/// is the infinity; between both infinities it is NaN.
template <class T>
T point_between(T low, T high, T share) {
    if (share == 0 || low == high) {
        return low;
    }
    const T way = high - low;
    return std::isinf(way) ? low * (1 - share) + high * share : low + share * way;
}

template <class R, class T, class Selector>
R quantile_of(
    const char* function, std::span<const T> values, Selector& selector, double q,
    const reduce_options& options
) {
    using wide = wide_t<R>;
    if (values.empty()) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if (holds_nan(values)) {
        return std::numeric_limits<R>::quiet_NaN();
    }
    const auto around = ranks_around(values, selector, q);
    return static_cast<R>(point_between(
        static_cast<wide>(around.low), static_cast<wide>(around.high),
        static_cast<wide>(around.share)
    ));
}

inline void require_share(const char* function, double q) {
    if (!(q >= 0 && q <= 1)) [[unlikely]] {
        throw_out_of_range(function, "q is ", q, "; expected a share in [0, 1]");
    }
}
} // namespace detail

/// The median of what the mask keeps: of an even number of elements the lower of the middle two, as
/// torch.median has it, so that it is one of them. NaN that is kept is the result.
///
/// Cost: a copy of the kept elements and about one pass over it, without sorting
/// (core/selection.hpp).
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param options `empty`: the result where nothing is kept. By default NaN, and std::domain_error
/// for integers.
/// @returns the median, of x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x.
/// @throws std::domain_error where nothing is kept, as the options say.
///
///     float middle = xmask::masked_median(x, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const detail::kept_axes none("masked_median", x.shape(), detail::every_axis(x.dimension()));
        detail::kept_elements<element, X, M> kept("masked_median", x, m, none);
        return detail::median_of<element>(
            "masked_median", kept.at(0), kept.selector(),
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The medians along `axes`, one for each position of the axes that stay.
///
/// Cost: a copy of the kept elements, of one position at a time where the axes are the last ones,
/// and about one pass over it.
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param axes the axes that go: one number, or a container of them; negative numbers count from
/// the end.
/// @param options `empty`: the result where nothing is kept; `keep_axes`: keep each axis as 1.
/// @returns an array of x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x, or an axis is named
///   twice.
/// @throws std::out_of_range for an axis that x does not have.
/// @throws std::domain_error where nothing is kept, as the options say.
///
///     xt::xarray<float> rows = xmask::masked_median(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_median", x.shape(), axes);
        detail::kept_elements<element, X, M> kept("masked_median", x, m, stay);
        return detail::make_result<element>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::median_of<element>("masked_median", kept.at(i), kept.selector(), chosen);
        });
    }
}

/// The medians along axes in braces, one for each position of the axes that stay.
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param axes the axes that go; negative numbers count from the end.
/// @param options `empty`: the result where nothing is kept; `keep_axes`: keep each axis as 1.
/// @returns an array of x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x, or an axis is named
///   twice.
/// @throws std::out_of_range for an axis that x does not have.
///
///     xt::xarray<float> middle = xmask::masked_median(x, m, {0, 1});
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_median(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The quantile q of what the mask keeps: the element of rank q (number kept - 1), or, between two
/// ranks, on the line between their elements, as torch.quantile and NumPy have it. Between a finite
/// and an infinite element it is the infinite one, as in NumPy's median; between the two infinities
/// NaN. NaN that is kept is the result.
///
/// Cost: a copy of the kept elements and about two passes over it, without sorting.
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @param options `empty`: the result where nothing is kept, NaN by default.
/// @returns the quantile, of x's type, or double for integers.
/// @throws std::out_of_range for q outside of [0, 1].
/// @throws std::invalid_argument where the mask does not broadcast into x.
/// @throws std::domain_error where nothing is kept, if the options say so.
///
///     float ninth = xmask::masked_quantile(x, m, 0.9);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const detail::kept_axes none(
            "masked_quantile", x.shape(), detail::every_axis(x.dimension())
        );
        detail::kept_elements<element, X, M> kept("masked_quantile", x, m, none);
        return detail::quantile_of<result>(
            "masked_quantile", kept.at(0), kept.selector(), q,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The quantiles q along `axes`, one for each position of the axes that stay.
///
/// Cost: a copy of the kept elements, of one position at a time where the axes are the last ones,
/// and about two passes over it.
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @param axes the axes that go: one number, or a container of them; negative numbers count from
/// the end.
/// @param options `empty`: the result where nothing is kept; `keep_axes`: keep each axis as 1.
/// @returns an array of x's type, or of double for integers.
/// @throws std::out_of_range for q outside of [0, 1], or an axis that x does not have.
/// @throws std::invalid_argument where the mask does not broadcast into x, or an axis is named
///   twice.
/// @throws std::domain_error where nothing is kept, if the options say so.
///
///     xt::xarray<float> rows = xmask::masked_quantile(x, m, 0.5, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_quantile", x.shape(), axes);
        detail::kept_elements<element, X, M> kept("masked_quantile", x, m, stay);
        return detail::make_result<result>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::quantile_of<result>(
                "masked_quantile", kept.at(i), kept.selector(), q, chosen
            );
        });
    }
}

/// The quantiles q along axes in braces, one for each position of the axes that stay.
///
/// @param x tensor or lazy expression of numbers.
/// @param m mask that broadcasts into x.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @param axes the axes that go; negative numbers count from the end.
/// @param options `empty`: the result where nothing is kept; `keep_axes`: keep each axis as 1.
/// @returns an array of x's type, or of double for integers.
/// @throws std::out_of_range for q outside of [0, 1], or an axis that x does not have.
/// @throws std::invalid_argument where the mask does not broadcast into x, or an axis is named
///   twice.
///
///     xt::xarray<float> middle = xmask::masked_quantile(x, m, 0.5, {0, 1});
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(
    const X& x, const M& m, double q, std::initializer_list<std::ptrdiff_t> axes,
    const O& options = {}
) {
    return masked_quantile(x, m, q, std::vector<std::ptrdiff_t>(axes), options);
}
} // namespace xmask::inline XMASK_ABI

#include "quantile_gradient.hpp"
