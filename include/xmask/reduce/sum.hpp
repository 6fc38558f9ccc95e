// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../masks/combine.hpp"
#include "../masks/count_along.hpp"
#include "element_sum.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "weighted.hpp"

/// @file
/// Sums and means over what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <bool Fits, class... /*X*/>
struct summed_tensor_expected {
    consteval operator bool() const {
        static_assert(
            Fits, "xmask: sums and means are of a tensor (or lazy expression) of numbers."
        );
        return Fits;
    }
};

template <bool Fits, class... /*X, M*/>
struct real_tensor_of_weights_expected {
    consteval operator bool() const {
        static_assert(
            Fits, "xmask: real weights go with a tensor of real numbers; convert the tensor first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor of numbers and M counts its elements.
template <class X, class M>
using require_summable = require_all<
    summed_tensor_expected<number_expression<X>, X>,
    reduced_tensor_expected_first<in_order<X, M>, X, M>, require_counted<M>,
    real_tensor_of_weights_expected<mask_expression<M> || real_expression<X>, X, M>>;

/// The sum at one position of the result, and its weight: the number of elements or the sum of
/// their weights.
template <class Sum>
struct weighed {
    Sum sum;
    double weight;
};

/// The sums of x, which the weights in m multiply, at each position of the axes that stay.
template <class T, class X, class M>
auto sum_times_weights(const X& x, const M& m, const kept_axes& axes) {
    const auto& shape = x.shape();
    return fold_over<T>(
        axes, sum_fold<T>(), shape,
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
}

/// The weight at each position of the axes that stay.
template <class T, class S, class M>
std::vector<double> weights_along(const S& shape, const M& m, const kept_axes& axes) {
    if constexpr (mask_expression<M>) {
        const auto counts = count_along(shape, m, axes);
        return {counts.begin(), counts.end()};
    } else {
        const auto sums = fold_over<T>(
            axes, sum_fold<T>(), shape,
            masked_operands{
                counted_rows(m, shape),
                make_terms<T>(identity(), make_operand<T>(weights_in(m), shape)), columns_of(shape)
            },
            false
        );
        std::vector<double> weights(axes.size());
        for (std::size_t i = 0; i < weights.size(); ++i) {
            weights[i] = static_cast<double>(sums.state(i));
        }
        return weights;
    }
}

/// The sum and the weight of all that m counts. Elements of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class X, class M>
std::array<weighed<Sum>, 1> sum_over(
    const char* function, const X& x, const M& m, const everything& /*over*/, bool /*weighed*/
) {
    const auto total = element_sum<T, Sum>(function, identity(), m, no_gradient(), x);
    return {{{static_cast<Sum>(total.sum), total.weight}}};
}

/// The sum and the weight at each position of the axes that stay; the weight only where asked for.
template <class T, class Sum = sum_t<T>, class X, class M>
std::vector<weighed<Sum>> sum_over(
    const char* function, const X& x, const M& m, const kept_axes& axes, bool with_weight
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    std::vector<weighed<Sum>> result(axes.size());
    if constexpr (mask_expression<M>) {
        const auto sums = fold_over<T>(
            axes, sum_fold<T, Sum>(), shape, masked_rows<T>(function, x, m), with_weight
        );
        for (std::size_t i = 0; i < result.size(); ++i) {
            result[i] = {sums.state(i), with_weight ? static_cast<double>(sums.count(i)) : 0};
        }
    } else {
        const auto sums = sum_times_weights<T>(x, m, axes);
        const auto weights =
            with_weight ? weights_along<T>(shape, m, axes) : std::vector<double>(axes.size());
        for (std::size_t i = 0; i < result.size(); ++i) {
            result[i] = {static_cast<Sum>(sums.state(i)), weights[i]};
        }
    }
    return result;
}

/// The common part of sums and means.
template <bool Mean>
struct sum_arguments {
    using options = reduce_options;
    using gradient_options = no_options;

    template <class X, class M>
    using fits = require_summable<X, M>;

    template <class X, class M, class... U>
    using has_gradient =
        require_all<require_gradient_order<U...>, require_summable<X, M>, require_real_element<X>>;

    /// u at each element that counts, or u / weight of its position; times the weights of m.
    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const no_options& /*options*/
    ) {
        using element = element_t<X>;
        using wide = wide_t<element>;
        const auto& shape = x.shape();
        require_counted_shape(function, m, shape);
        auto u = upstream_of<element>(function, upstream, axes);
        if constexpr (Mean) {
            const auto weights = weights_along<element>(shape, m, axes);
            for (std::size_t i = 0; i < axes.size(); ++i) {
                const wide all = static_cast<wide>(u.data()[i]);
                u.data()[i] = weights[i] == 0
                                  ? element(0)
                                  : static_cast<element>(all / static_cast<wide>(weights[i]));
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
};

struct sum_formula : sum_arguments<false> {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using element = element_t<X>;
        using result = sum_result_t<element>;
        const auto sums = sum_over<element>(function, x, m, over, chosen.empty.has_value());
        return make_result<result>(over, chosen.keep_axes, [&](std::size_t i) {
            const auto sum = static_cast<result>(sums[i].sum);
            return !chosen.empty || sums[i].weight != 0
                       ? sum
                       : when_nothing_kept<result>(function, chosen.empty, sum);
        });
    }
};

struct mean_formula : sum_arguments<true> {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using element = element_t<X>;
        using result = mean_result_t<element>;
        const auto sums = sum_over<element, unwrapped_sum_t<element>>(function, x, m, over, true);
        return make_result<result>(over, chosen.keep_axes, [&](std::size_t i) {
            const auto [sum, weight] = sums[i];
            return weight != 0 ? static_cast<result>(static_cast<wide_t<element>>(sum) / weight)
                               : when_nothing_kept<result>(function, chosen.empty);
        });
    }
};
} // namespace detail

/// The sum of what the mask keeps, 0 where nothing is kept. By real weights, the sum of x times its
/// weights.
///
/// @param x a tensor or lazy expression of numbers. Of real numbers, where there are weights.
/// @param m a mask, real weights, or both by weighted(m, w); they broadcast into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns x's type, or 64-bit integers for integers and bool. Real elements are added in double:
///    for floats of any number the error is below 1e-7 of the sum of their magnitudes.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     float total = xmask::masked_sum(x, xmask::keep_above(x, 0));    // 11.875
///     xt::xarray<float> rows = xmask::masked_sum(x, m, -1);    // -0.5, 2.25, -0.875
inline constexpr reduction<detail::sum_formula> masked_sum("masked_sum");

/// The mean of what the mask keeps, or the mean by real weights. Along the tokens of (batch,
/// tokens, features) this is mean pooling: the features of a token that is dropped are not read.
///
/// @param x a tensor or lazy expression of numbers. Of real numbers, where there are weights.
/// @param m a mask, real weights, or both by weighted(m, w); they broadcast into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty. Where nothing is kept, or the weights add up to
///    0: NaN, 0, or std::domain_error, as the options say.
/// @returns x's type, or double for integers.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     double mean = xmask::masked_mean(x, m, xmask::when_empty::zero);    // 0.0972222
///     xt::xarray<float> pooled = xmask::masked_mean(hidden, xmask::unsqueeze(m, -1), 1);    // over tokens
inline constexpr reduction<detail::mean_formula> masked_mean("masked_mean");

/// The gradient of the sum of `upstream` times masked_sum(x, m, axes) by x: u where the mask keeps,
/// 0 where it drops; u times its weight, where there are weights.
///
/// @param x a tensor or lazy expression of real numbers; only its shape is used.
/// @param m what masked_sum takes.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_sum.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
///     xt::xarray<float> dx = xmask::masked_sum_gradient(x, m, upstream, -1);
///     // 1 1 0 0
///     // 2 2 2 2
///     // 3 3 3 0
inline constexpr reduction_gradient<detail::sum_formula> masked_sum_gradient("masked_sum_gradient");

/// The gradient of the sum of `upstream` times masked_mean(x, m, axes) by x: u over the number of
/// kept elements where the mask keeps, 0 where it drops. By weights, u times the weight over the
/// sum of weights.
///
/// @param x a tensor or lazy expression of real numbers; only its shape is used.
/// @param m what masked_mean takes.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_mean.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
///     xt::xarray<float> dx = xmask::masked_mean_gradient(hidden, xmask::unsqueeze(m, -1), dpooled, 1);    // of pooling
inline constexpr reduction_gradient<detail::mean_formula> masked_mean_gradient(
    "masked_mean_gradient"
);
} // namespace xmask::inline XMASK_ABI
