// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <utility>

#include "../core/axes.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "moment_sums.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "standardize.hpp"

/// @file
/// Variances and standard deviations of what a mask keeps.

namespace xmask::inline XMASK_ABI {
/// A mean and a variance, or arrays of them.
///
/// @tparam T the type of either.
template <class T>
struct mean_and_var {
    T mean; ///< the mean
    T var;  ///< the variance
};

namespace detail {
template <class T>
struct ranked_result<mean_and_var<T>> {
    template <std::size_t Rank>
    static auto of(mean_and_var<T> result) {
        auto mean = with_rank<Rank>(std::move(result.mean));
        return mean_and_var<decltype(mean)>{
            std::move(mean), with_rank<Rank>(std::move(result.var))
        };
    }
};

/// The common part of variances and standard deviations.
struct var_arguments : plain_arguments {
    using options = var_options;
    using gradient_options = var_options;
};

/// The variance, or its root.
template <bool Root>
struct spread_formula : var_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using result = mean_result_t<element_t<X>>;
        const auto all = moments_over(function, x, m, over, chosen.correction);
        return make_result<result>(over, chosen.keep_axes, [&](std::size_t i) {
            return all[i].template spread_as<result>(function, chosen, Root);
        });
    }

    /// u times (x - mean) times the slope of the variance, or of its root.
    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const options& chosen
    ) {
        using element = element_t<X>;
        using wide = wide_t<element>;
        const auto u = upstream_of<element>(function, upstream, axes);
        const auto all = moments_over(function, x, m, axes, chosen.correction);
        const auto mean = at_positions<element>(axes, [&](std::size_t i) { return all[i].mean; });
        const auto scale = at_positions<element>(axes, [&](std::size_t i) {
            const double divisor = all[i].count - chosen.correction;
            if (divisor <= 0 || all[i].squares == 0) {
                return wide(0);
            }
            return static_cast<wide>(u.data()[i]) *
                   (Root ? 1 / (divisor * std::sqrt(all[i].squares / divisor)) : 2 / wide(divisor));
        });
        return fill_kept<element>(x.shape(), lazy_function(standardized(), x, mean, scale), m);
    }
};

using var_formula = spread_formula<false>;
using std_formula = spread_formula<true>;

/// The mean and the variance.
struct mean_var_formula : var_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using result = mean_result_t<element_t<X>>;
        const auto all = moments_over(function, x, m, over, chosen.correction);
        const auto of_each = [&](auto&& f) {
            return make_result<result>(over, chosen.keep_axes, f);
        };
        auto mean = of_each([&](std::size_t i) {
            return all[i].template mean_as<result>(function, chosen.empty);
        });
        auto var = of_each([&](std::size_t i) {
            return all[i].template spread_as<result>(function, chosen, false);
        });
        return mean_and_var<decltype(mean)>{std::move(mean), std::move(var)};
    }
};
} // namespace detail

/// The variance of what the mask keeps, by default with the correction 1 (unbiased).
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options var_options or a when_empty. Where nothing is kept, or no more than the
///    correction: NaN, 0, or std::domain_error, as the options say.
/// @returns x's type, or double for integers; computed in double.
/// @throws std::invalid_argument where the mask does not broadcast into x, and for a correction
///    below 0; std::out_of_range for an axis that x does not have.
///
/// Cost: two passes over the kept elements, the mean first, so that nothing cancels.
///
///     float spread = xmask::masked_var(x, m, {.correction = 0});    // 3.58256
///     xt::xarray<float> rows = xmask::masked_var(x, m, -1);    // 1.125, 8.26562, 2.38021
inline constexpr reduction<detail::var_formula> masked_var("masked_var");

/// The standard deviation of what the mask keeps: the root of masked_var.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options var_options or a when_empty. Where nothing is kept, or no more than the
///    correction: NaN, 0, or std::domain_error, as the options say.
/// @returns x's type, or double for integers; computed in double.
/// @throws std::invalid_argument where the mask does not broadcast into x, and for a correction
///    below 0; std::out_of_range for an axis that x does not have.
///
/// Cost: two passes over the kept elements.
///
///     float deviation = xmask::masked_std(x, m);    // 2.00758
///     xt::xarray<float> rows = xmask::masked_std(x, m, -1);    // 1.06066, 2.875, 1.54279
inline constexpr reduction<detail::std_formula> masked_std("masked_std");

/// The mean and the variance of what the mask keeps, for the price of the variance. Along all axes
/// but that of the channels these are the statistics of a batch norm.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options var_options or a when_empty. Where there is no mean or no variance: NaN, 0, or
///    std::domain_error, as the options say.
/// @returns mean_and_var of numbers or of arrays, in x's type, or double for integers.
/// @throws std::invalid_argument where the mask does not broadcast into x, and for a correction
///    below 0; std::out_of_range for an axis that x does not have.
///
/// Cost: two passes over the kept elements.
///
///     xt::xtensor<float, 2> a = {{1, 3, 9}, {2, 6, 10}};
///     auto m = xmask::keep_lengths({2, 3}, 3);
///     auto [mean, var] = xmask::masked_mean_var(a, m);
///     mean;    // 4.4
///     var;     // 13.3
///     auto [means, vars] = xmask::masked_mean_var(a, m, 1, {.correction = 0});
///     means;    // 2, 6
///     vars;     // 1, 10.6667
inline constexpr reduction<detail::mean_var_formula> masked_mean_var("masked_mean_var");

/// The gradient of the sum of `upstream` times masked_var(x, m, axes, options) by x: 2 u (x - mean)
/// / (number kept - correction) where the mask keeps, 0 where it drops or where there is no
/// variance.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_var.
/// @param options those of masked_var.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, and for a correction below 0;
///    std::out_of_range for an axis that x does not have.
///
/// Cost: three passes over the kept elements.
///
///     xt::xarray<float> dx = xmask::masked_var_gradient(x, m, upstream, -1);
///     // 1.5 -1.5 0 0
///     // 0.583333 4.58333 -4.75 -0.416667
///     // -5.125 1.25 3.875 0
inline constexpr reduction_gradient<detail::var_formula> masked_var_gradient("masked_var_gradient");

/// The gradient of the sum of `upstream` times masked_std(x, m, axes, options) by x: u (x - mean) /
/// ((number kept - correction) std) where the mask keeps, 0 where it drops or where all that is
/// kept is equal.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_std.
/// @param options those of masked_std.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, and for a correction below 0;
///    std::out_of_range for an axis that x does not have.
///
/// Cost: three passes over the kept elements.
///
///     xt::xarray<float> dx = xmask::masked_std_gradient(x, m, upstream, -1);
///     // 0.707107 -0.707107 0 0
///     // 0.101449 0.797101 -0.826087 -0.0724638
///     // -1.66095 0.40511 1.25584 0
inline constexpr reduction_gradient<detail::std_formula> masked_std_gradient("masked_std_gradient");
} // namespace xmask::inline XMASK_ABI
