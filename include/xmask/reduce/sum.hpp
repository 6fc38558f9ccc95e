// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../masks/combine.hpp"
#include "element_sum.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "loss.hpp"
#include "options.hpp"

/// @file
/// Sums and means over what a mask keeps: of everything, or along axes.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class X, class M>
consteval bool require_summable() {
    constexpr bool numbers = holds_numbers<X>();
    static_assert(
        numbers, "xmask: sums and means are of a tensor (or lazy expression) of numbers."
    );
    static_assert(
        in_order<X, M>, "xmask: the tensor comes first, the mask second; here the mask comes first."
    );
    if constexpr (numbers && in_order<X, M> && require_counted<M>()) {
        constexpr bool weighable = mask_expression<M> || std::is_floating_point_v<value_type_t<X>>;
        static_assert(
            weighable,
            "xmask: real weights go with a tensor of real numbers; convert the tensor first."
        );
        return weighable;
    } else {
        return false;
    }
}

/// The sum and the weight at each position of the axes that stay.
template <class Sum>
struct axis_sums {
    std::vector<Sum> sum;
    std::vector<double> weight;
};

template <class T, class Sum = sum_t<T>, class Rows, class S>
folded_axes<Sum> sum_rows(const S& shape, const kept_axes& axes, Rows rows, bool counted) {
    return fold_along<T>(
        sum_fold<T, Sum>(), shape, axes, plain_rows<Rows>{std::move(rows)}, counted
    );
}

/// The weight at each position of the axes that stay: the number that is kept, or the sum of their
/// weights.
template <class T, class S, class M>
std::vector<double> weights_along(const S& shape, const M& m, const kept_axes& axes) {
    if constexpr (mask_expression<M>) {
        const auto counts = count_rows(shape, m, axes);
        return {counts.begin(), counts.end()};
    } else {
        const auto weights = sum_rows<T>(
            shape, axes,
            masked_operands{
                counted_rows(m, shape),
                make_terms<T>(identity(), make_operand<T>(weights_in(m), shape)), columns_of(shape)
            },
            false
        );
        std::vector<double> sums(axes.size());
        std::copy_n(&weights.state(0), axes.size(), sums.begin());
        return sums;
    }
}

/// Sums along axes, and their weights where asked for. Elements of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class X, class M>
axis_sums<Sum> sum_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, bool weighed
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    axis_sums<Sum> result{
        std::vector<Sum>(axes.size()), std::vector<double>(weighed ? axes.size() : 0)
    };
    if constexpr (mask_expression<M>) {
        const auto sums = sum_rows<T, Sum>(shape, axes, masked_rows<T>(function, x, m), weighed);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            result.sum[i] = sums.state(i);
            if (weighed) {
                result.weight[i] = static_cast<double>(sums.count(i));
            }
        }
    } else {
        const auto sums = sum_rows<T>(
            shape, axes,
            masked_operands{
                counted_rows(m, shape),
                make_terms<T>(
                    weighted<identity>(), make_operand<T>(weights_in(m), shape),
                    make_operand<T>(x, shape)
                ),
                columns_of(shape)
            },
            false
        );
        std::copy_n(&sums.state(0), axes.size(), result.sum.begin());
        if (weighed) {
            result.weight = weights_along<T>(shape, m, axes);
        }
    }
    return result;
}
} // namespace detail

/// The sum of what the mask keeps, 0 where that is nothing; or the sum of x times real weights, or
/// both by weighted(m, w).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and
/// bool. Real elements are added in double: for floats of any number the error is below 1e-7 of the
/// sum of their magnitudes. Throws std::invalid_argument where the mask does not broadcast into x.
/// One pass over what is kept.
///
///     float total = xmask::masked_sum(x, xmask::keep_above(x, 0));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::sum_result_t<element>;
        const auto total = detail::element_sum<element>(
            "masked_sum", detail::identity(), m, detail::no_gradient(), x
        );
        return total.weight != 0
                   ? static_cast<result>(total.sum)
                   : detail::when_nothing_kept<result>(
                         "masked_sum", detail::to_options<reduce_options>(options).empty,
                         static_cast<result>(total.sum)
                     );
    }
}

/// The sums along `axes` (a number or a list, negative ones counted from the end), one for each
/// position of the axes that stay. Throws std::out_of_range for an axis that x does not have.
/// Otherwise as above.
///
///     xt::xarray<float> rows = xmask::masked_sum(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::sum_result_t<element>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes kept("masked_sum", x.shape(), axes);
        const auto sums =
            detail::sum_along<element>("masked_sum", x, m, kept, chosen.empty.has_value());
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            const auto sum = static_cast<result>(sums.sum[i]);
            return sums.weight.empty() || sums.weight[i] != 0
                       ? sum
                       : detail::when_nothing_kept<result>("masked_sum", chosen.empty, sum);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_sum(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The mean of what the mask keeps, or the mean by real weights. Where nothing is kept (or the
/// weights sum to 0): NaN, 0, or std::domain_error, as the options say. Returns x's type, or double
/// for integers. Otherwise as masked_sum.
///
///     double mean = xmask::masked_mean(x, m, xmask::when_empty::zero);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        const auto total = detail::element_sum<element, detail::unwrapped_sum_t<element>>(
            "masked_mean", detail::identity(), m, detail::no_gradient(), x
        );
        return total.weight != 0
                   ? static_cast<result>(
                         static_cast<detail::wide_t<element>>(total.sum) / total.weight
                     )
                   : detail::when_nothing_kept<result>(
                         "masked_mean", detail::to_options<reduce_options>(options).empty
                     );
    }
}

namespace detail {
template <class X, class M, class A>
auto mean_along(
    const char* function, const X& x, const M& m, const A& axes, const reduce_options& options
) {
    using element = element_t<X>;
    using result = mean_result_t<element>;
    const kept_axes kept(function, x.shape(), axes);
    const auto sums = sum_along<element, unwrapped_sum_t<element>>(function, x, m, kept, true);
    return make_result<result>(kept, options.keep_axes, [&](std::size_t i) {
        return sums.weight[i] != 0
                   ? static_cast<result>(static_cast<wide_t<element>>(sums.sum[i]) / sums.weight[i])
                   : when_nothing_kept<result>(function, options.empty);
    });
}
} // namespace detail

/// The means along `axes`, one for each position of the axes that stay. Over the tokens of (batch,
/// tokens, features) this is mean pooling: the features of a token that is dropped are not read.
///
///     xt::xarray<float> pooled = xmask::masked_mean(hidden, xmask::unsqueeze(m, -1), 1);    // over tokens
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        return detail::mean_along(
            "masked_mean", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_mean(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// u at each position, or u / weight; times the weights where there are some.
template <class X, class M, class U>
auto sum_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    bool mean
) {
    using element = element_t<X>;
    const auto& shape = x.shape();
    const kept_axes axes(function, shape, names);
    require_counted_shape(function, m, shape);
    auto u = upstream_of<element>(function, upstream, axes);
    if (mean) {
        const auto weights = weights_along<element>(shape, m, axes);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            u.data()[i] = weights[i] == 0 ? element(0)
                                          : static_cast<element>(
                                                static_cast<wide_t<element>>(u.data()[i]) /
                                                static_cast<wide_t<element>>(weights[i])
                                            );
        }
    }
    if constexpr (mask_expression<M>) {
        return fill_kept<element>(shape, u, m);
    } else {
        const auto slopes = u * weights_in(m);
        if constexpr (weighted_mask_expression<M>) {
            return fill_kept<element>(shape, slopes, m.mask());
        } else {
            return fill_kept<element>(shape, slopes, keep_all(shape));
        }
    }
}

/// As require_differentiable, where weights may stand.
template <class X, class M, class... U>
consteval bool require_differentiable_sum() {
    if constexpr (!require_gradient_order<U...>()) {
        return false;
    } else if constexpr (require_summable<X, M>()) {
        return require_real_element<X>();
    } else {
        return false;
    }
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_sum(x, m, axes) by x: u where the mask keeps,
/// 0 where it drops; u times its weight, where there are weights. An array of x's shape and type;
/// only x's shape is looked at.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another.
///
///     xt::xarray<float> dx = xmask::masked_sum_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_sum_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable_sum<X, M, U>()) {
        return detail::sum_gradient("masked_sum_gradient", x, m, axes, upstream, false);
    }
}

/// The gradient of `upstream` times masked_sum(x, m), over everything.
template <class X, class M>
auto masked_sum_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable_sum<X, M>()) {
        return detail::sum_gradient(
            "masked_sum_gradient", x, m, detail::every_axis(x.dimension()), upstream, false
        );
    }
}

/// The same of masked_mean: u / number kept where the mask keeps, 0 where it drops; of weights, u
/// times the weight over their sum.
///
///     xt::xarray<float> dx = xmask::masked_mean_gradient(hidden, xmask::unsqueeze(m, -1), dpooled, 1);    // of pooling
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_mean_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable_sum<X, M, U>()) {
        return detail::sum_gradient("masked_mean_gradient", x, m, axes, upstream, true);
    }
}

template <class X, class M>
auto masked_mean_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable_sum<X, M>()) {
        return detail::sum_gradient(
            "masked_mean_gradient", x, m, detail::every_axis(x.dimension()), upstream, true
        );
    }
}
} // namespace xmask::inline XMASK_ABI
