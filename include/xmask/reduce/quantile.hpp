// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>

#include "../core/axes.hpp"
#include "accumulate.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "kept_elements.hpp"
#include "options.hpp"
#include "reduction.hpp"

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
/// Calls f(position) with the kept elements at each position of the result, and their selector.
template <class R, class X, class M, reduced_axes Axes, class F>
auto of_kept_elements(
    const char* function, const X& x, const M& m, const Axes& over, const reduce_options& options,
    F&& f
) {
    const auto reduced = [&] {
        if constexpr (std::same_as<Axes, everything>) {
            return kept_axes(function, x.shape(), every_axis(x.dimension()));
        } else {
            return over;
        }
    }();
    kept_elements<element_t<X>, X, M> kept(function, x, m, reduced);
    return make_result<R>(over, options.keep_axes, [&](std::size_t i) {
        return f(kept.at(i), kept.selector());
    });
}

struct median_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using result = element_t<X>;
        return of_kept_elements<result>(
            function, x, m, over, chosen,
            [&](auto values, auto& selector) {
                return median_of<result>(function, values, selector, chosen);
            }
        );
    }
};

struct quantile_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen,
        double q
    ) {
        using result = mean_result_t<element_t<X>>;
        require_share(function, q);
        return of_kept_elements<result>(
            function, x, m, over, chosen,
            [&](auto values, auto& selector) {
                return quantile_of<result>(function, values, selector, q, chosen);
            }
        );
    }
};
} // namespace detail

/// The median of the kept elements. Where their number is even, the median is the lower of the two in
/// the middle, as in torch.median. Where a kept element is NaN, the median is NaN.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty. Where nothing is kept: NaN, and std::domain_error
///    for integers, unless the options say otherwise.
/// @returns x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have, std::domain_error where nothing is kept, as the options say.
///
/// Cost: a copy of the kept elements, of one position at a time where the axes are the last ones,
/// and about one pass over it, without sorting (core/selection.hpp).
///
///     float middle = xmask::masked_median(x, m);    // 0.25
///     xt::xarray<float> rows = xmask::masked_median(x, m, -1);    // -1, 0.25, 0.125
inline constexpr reduction<detail::median_formula> masked_median("masked_median");

/// The quantile q of what the mask keeps: the element of rank q (number kept - 1), or, between two
/// ranks, on the line between their elements, as torch.quantile and NumPy have it. Between a finite
/// and an infinite element it is the infinite one, as in NumPy's median; between the two infinities
/// NaN. NaN that is kept is the result.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param q the share of the elements below the quantile, from 0 to 1.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty. Where nothing is kept: NaN unless the options say
///    otherwise.
/// @returns x's type, or double for integers.
/// @throws std::out_of_range for q outside of [0, 1] or an axis that x does not have,
///    std::invalid_argument where the mask does not broadcast into x, std::domain_error where
///    nothing is kept, if the options say so.
///
/// Cost: a copy of the kept elements, of one position at a time where the axes are the last ones,
/// and about two passes over it, without sorting.
///
///     float ninth = xmask::masked_quantile(x, m, 0.9);    // 1.6
///     xt::xarray<float> rows = xmask::masked_quantile(x, m, 0.5, -1);    // -0.25, 0.625, 0.125
inline constexpr reduction<detail::quantile_formula, double> masked_quantile("masked_quantile");
} // namespace xmask::inline XMASK_ABI

#include "quantile_gradient.hpp"
