// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <type_traits>

#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/overlap.hpp"
#include "../core/target.hpp"
#include "../masks/bitmask.hpp"
#include "gradient.hpp"
#include "moment_sums.hpp"
#include "options.hpp"
#include "sum.hpp"

/// @file
/// Tensors standardized by the mean and the variance of what a mask keeps, and the gradient.

namespace xmask::inline XMASK_ABI {
/// Options of masked_standardize.
struct standardize_options {
    double eps = 1e-5;     ///< is added to the variance
    double correction = 0; ///< that of the variance, as in var_options
};

namespace detail {
/// Throws std::invalid_argument for an invalid eps.
inline void require_standardize(const char* function, const standardize_options& options) {
    require_option(function, "eps", options.eps, option_range::at_least(0).finite());
}

/// The mean and 1 / sqrt(var + eps) of each position, as they broadcast into x.
template <class R>
struct standardization {
    xt::xarray<R> mean;
    xt::xarray<R> scale;

    template <class Moments>
    standardization(const kept_axes& axes, const Moments& all, const standardize_options& options)
        : mean(at_positions<R>(axes, [&](std::size_t i) { return all[i].mean; }))
        , scale(at_positions<R>(axes, [&](std::size_t i) {
            return 1 / std::sqrt(all[i].variance_or_zero(options.correction) + options.eps);
        })) {}
};

template <class R, class T, class X, class M, class A>
void standardize(
    const char* function, T& result, const X& x, const M& m, const A& names,
    const standardize_options& options
) {
    const kept_axes axes(function, x.shape(), names);
    require_standardize(function, options);
    const auto all = moments_over(function, x, m, axes, options.correction);
    const standardization<R> by(axes, all, options);
    write_kept<R>(result, lazy_function(standardized(), x, by.mean, by.scale), m);
}

template <bool Fits, class... /*X*/>
struct standardized_tensor_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: only a tensor of real numbers can be standardized in place; convert integers first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless a standardized x fits into x.
template <class X, class M>
using require_standardizable = require_all<
    require_reducible<X, M>, standardized_tensor_expected<real_expression<X>, X>,
    require_target<X>>;

/// (g - mean of g - y * mean of g y) * scale, of y = (x - mean of x) * scale; the means first.
struct standardized_slope {
    template <class V>
    XMASK_INLINE V operator()(
        const V& g, const V& x, const V& mean, const V& scale, const V& mean_g, const V& mean_gy
    ) const {
        return (g - mean_g - (x - mean) * scale * mean_gy) * scale;
    }

    template <class B>
    XMASK_INLINE B simd_apply(
        const B& g, const B& x, const B& mean, const B& scale, const B& mean_g, const B& mean_gy
    ) const {
        return (*this)(g, x, mean, scale, mean_g, mean_gy);
    }
};
/// The gradient of a standardized x. The mean of `upstream` times y is divided like the variance,
/// whose slope by the mean is 0.
template <class X, class M, class U>
auto standardize_gradient(
    const char* function, const X& x, const M& m, const U& upstream, const kept_axes& axes,
    const standardize_options& options
) {
    using element = element_t<X>;
    require_standardize(function, options);
    const auto all = moments_over(function, x, m, axes, options.correction);
    const standardization<element> by(axes, all, options);
    const auto y = lazy_function(standardized(), x, by.mean, by.scale);
    const auto sums = sum_over<element>(function, upstream, m, axes, true);
    const auto products = sum_over<element>(function, upstream * y, m, axes, false);
    const auto mean_g = at_positions<element>(axes, [&](std::size_t i) {
        return all[i].count > 0 ? sums[i].sum / all[i].count : 0;
    });
    const auto mean_gy = at_positions<element>(axes, [&](std::size_t i) {
        const double divisor = all[i].count - options.correction;
        return divisor > 0 ? products[i].sum / divisor : 0;
    });
    return fill_kept<element>(
        x.shape(),
        lazy_function(standardized_slope(), upstream, x, by.mean, by.scale, mean_g, mean_gy), m
    );
}
} // namespace detail

/// (x - mean) / sqrt(var + eps) where the mask keeps, with the means and variances of the kept
/// elements along `axes`; 0 where it drops. Along the features this is a layer norm, along all axes
/// but the one of the channels a batch norm, without their weights.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes a number or a list, braced or not; negative ones count from the end.
/// @param options eps and correction. Where no more elements than the correction are kept, the
///    variance counts as 0.
/// @returns an array of x's shape and type, double for integers.
/// @throws std::invalid_argument where the mask does not broadcast into x, and for an eps or a
///    correction below 0; std::out_of_range for an axis that x does not have.
///
/// Cost: three passes over the kept elements.
///
///     xt::xarray<float> y = xmask::masked_standardize(x, m, -1);
///     // 0.999991 -0.999991 0 0
///     // 0.175715 1.38062 -1.43082 -0.125511
///     // -1.35616 0.33077 1.02539 0
template <class X, class M, class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::axes_argument<A>
auto masked_standardize(
    const X& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result_type = detail::mean_result_t<detail::element_t<X>>;
        auto result = detail::row_major_copy_t<result_type, X>::from_shape(x.shape());
        detail::standardize<result_type>("masked_standardize", result, x, m, axes, options);
        return result;
    } else {
        return detail::refused();
    }
}

/// Standardizes x in place: x becomes (x - mean) / sqrt(var + eps) where the mask keeps, with the
/// means and variances of the kept elements along `axes`; 0 where it drops.
///
/// @param x an assignable tensor or view of real numbers.
/// @param m a mask that broadcasts into x.
/// @param axes a number or a list, braced or not; negative ones count from the end.
/// @param options eps and correction. Where no more elements than the correction are kept, the
///    variance counts as 0.
/// @throws std::invalid_argument where the mask does not broadcast into x, and for an eps or a
///    correction below 0; std::out_of_range for an axis that x does not have.
///
/// Cost: three passes over the kept elements.
///
///     xmask::masked_standardize_inplace(x, m, -1);
///     auto now = x;
///     // 0.999991 -0.999991 0 0
///     // 0.175715 1.38062 -1.43082 -0.125511
///     // -1.35616 0.33077 1.02539 0
template <class X, class M, class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::axes_argument<A>
void masked_standardize_inplace(
    X&& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_standardizable<X, M>()) {
        detail::with_mask_apart(m, x, [&](const auto& apart) {
            detail::standardize<detail::element_t<X>>(
                "masked_standardize_inplace", x, x, apart, axes, options
            );
        });
    }
}

/// The gradient by x of masked_standardize(x, m, axes, options), given the gradient by its result;
/// 0 where the mask drops.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream the gradient by the result, of x's shape.
/// @param axes those of masked_standardize.
/// @param options those of masked_standardize.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape or an option does not fit, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: four passes over the kept elements.
///
///     xt::xarray<float> dx = xmask::masked_standardize_gradient(x, m, dy, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_standardize_gradient(
    const X& x, const M& m, const U& upstream, const A& axes,
    const standardize_options& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        constexpr const char* name = "masked_standardize_gradient";
        detail::require_same_shape(
            name, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
        );
        return detail::standardize_gradient(
            name, x, m, upstream, detail::kept_axes(name, x.shape(), axes), options
        );
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
