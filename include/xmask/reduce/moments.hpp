// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../masks/bitmask.hpp"
#include "element_sum.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "sum.hpp"

/// @file
/// Variances and standard deviations of what a mask keeps, and tensors standardized by them.

namespace xmask::inline XMASK_ABI {
/// Options of a variance. It is the sum of squared differences from the mean over (number kept -
/// correction): 1 gives the unbiased estimate, as in PyTorch, 0 the mean of squares, as NumPy and
/// normalization layers take it. Where no more elements than the correction are kept there is no
/// variance, and `empty` says what stands there.
struct var_options {
    double correction = 1;
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::ddof_field ddof = {};         ///< says that this is correction
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

/// A mean and a variance, or arrays of them.
template <class T>
struct mean_and_var {
    T mean;
    T var;
};

namespace detail {
struct squared_difference {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& mean) const {
        const V difference = x - mean;
        return difference * difference;
    }
};

/// The number, mean and sum of squared differences of what is kept, in two passes: nothing cancels.
template <class V>
struct moments {
    double count;
    V mean;
    V squares;

    /// Whether there is a variance.
    [[nodiscard]] bool varies(double correction) const noexcept { return count > correction; }

    template <class R>
    R mean_as(const char* function, std::optional<when_empty> empty) const {
        return count > 0 ? static_cast<R>(mean) : when_nothing_kept<R>(function, empty);
    }

    template <class R>
    R var_as(const char* function, const var_options& options) const {
        return varies(options.correction) ? static_cast<R>(squares / (count - options.correction))
                                          : when_nothing_kept<R>(function, options.empty);
    }

    template <class R>
    R std_as(const char* function, const var_options& options) const {
        return varies(options.correction)
                   ? static_cast<R>(std::sqrt(squares / (count - options.correction)))
                   : when_nothing_kept<R>(function, options.empty);
    }
};

/// Throws std::invalid_argument for a correction that is none.
inline void require_correction(const char* function, double correction) {
    require_option(function, "correction", correction, option_range::at_least(0).finite());
}

template <class X, class M>
auto moments_of(const char* function, const X& x, const M& m, const var_options& options) {
    require_correction(function, options.correction);
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto total =
        element_sum<element, unwrapped_sum_t<element>>(function, identity(), m, no_gradient(), x);
    const auto mean = total.weight > 0 ? static_cast<wide>(total.sum) / total.weight : wide(0);
    const auto squares =
        element_sum<wide>(function, shifted<squared_difference, wide>{mean}, m, no_gradient(), x);
    return moments<wide>{total.weight, mean, squares.sum};
}

template <class X, class M>
auto moments_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, double correction
) {
    require_correction(function, correction);
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto sums = sum_along<element, unwrapped_sum_t<element>>(function, x, m, axes, true);
    std::vector<wide> means(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        means[i] = sums.weight[i] > 0 ? static_cast<wide>(sums.sum[i]) / sums.weight[i] : wide(0);
    }
    const auto squares = sum_shifted<wide, squared_difference>(x, m, axes, means);
    std::vector<moments<wide>> all(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        all[i] = {sums.weight[i], means[i], squares.state(i)};
    }
    return all;
}

/// (x - shift) * scale.
struct standardized {
    template <class A, class B, class C>
    auto operator()(const A& x, const B& shift, const C& scale) const {
        return (static_cast<std::common_type_t<A, B>>(x) - shift) * scale;
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return (x - shift) * scale;
    }
};
} // namespace detail

/// The variance of what the mask keeps, by default with the correction 1 (unbiased).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers. Computed in
/// double in two passes over what is kept, the mean first, so that nothing cancels. Where nothing
/// is kept, or no more than the correction: NaN, 0, or std::domain_error, as the options say.
/// Throws std::invalid_argument where the mask does not broadcast into x, and for a correction
/// below 0.
///
///     float spread = xmask::masked_var(x, m, {.correction = 0});
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        return detail::moments_of("masked_var", x, m, chosen)
            .template var_as<result>("masked_var", chosen);
    }
}

/// The variances along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_var(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_var", x.shape(), axes);
        const auto all = detail::moments_along("masked_var", x, m, kept, chosen.correction);
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            return all[i].template var_as<result>("masked_var", chosen);
        });
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_var(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The standard deviation of what the mask keeps: the root of masked_var.
///
///     float deviation = xmask::masked_std(x, m);
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        return detail::moments_of("masked_std", x, m, chosen)
            .template std_as<result>("masked_std", chosen);
    }
}

/// The standard deviations along `axes`, one for each position of the axes that stay.
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_std", x.shape(), axes);
        const auto all = detail::moments_along("masked_std", x, m, kept, chosen.correction);
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            return all[i].template std_as<result>("masked_std", chosen);
        });
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_std(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The mean and the variance of what the mask keeps, for the price of the variance.
///
///     auto [mean, var] = xmask::masked_mean_var(x, m);
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const auto all = detail::moments_of("masked_mean_var", x, m, chosen);
        return mean_and_var<result>{
            all.template mean_as<result>("masked_mean_var", chosen.empty),
            all.template var_as<result>("masked_mean_var", chosen)
        };
    }
}

/// The means and variances along `axes`: the statistics of a batch norm, where all axes but that of
/// the channels go.
///
///     auto [mean, var] = xmask::masked_mean_var(x, m, {0, 1}, {.correction = 0});
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_mean_var", x.shape(), axes);
        const auto all = detail::moments_along("masked_mean_var", x, m, kept, chosen.correction);
        const auto mean = [&](std::size_t i) {
            return all[i].template mean_as<result>("masked_mean_var", chosen.empty);
        };
        const auto var = [&](std::size_t i) {
            return all[i].template var_as<result>("masked_mean_var", chosen);
        };
        return mean_and_var<xt::xarray<result>>{
            detail::make_result<result>(kept, chosen.keep_axes, mean),
            detail::make_result<result>(kept, chosen.keep_axes, var)
        };
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_mean_var(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// Options of masked_standardize: what is added to the variance, and the variance's correction.
struct standardize_options {
    double eps = 1e-5;
    double correction = 0;
};

namespace detail {
/// Throws std::invalid_argument for options that are none.
inline void require_standardize(const char* function, const standardize_options& options) {
    require_option(function, "eps", options.eps, option_range::at_least(0).finite());
}

template <class R, class T, class X, class M, class A>
void standardize(
    const char* function, T& result, const X& x, const M& m, const A& axes,
    const standardize_options& options
) {
    const kept_axes kept(function, x.shape(), axes);
    require_standardize(function, options);
    const auto all = moments_along(function, x, m, kept, options.correction);
    const auto mean = at_positions<R>(kept, [&](std::size_t i) { return all[i].mean; });
    const auto scale = at_positions<R>(kept, [&](std::size_t i) {
        const double free = all[i].count - options.correction;
        return 1 / std::sqrt((free > 0 ? all[i].squares / free : 0) + options.eps);
    });
    write_kept<R>(result, lazy_function(standardized(), x, mean, scale), m);
}

/// Fails to compile, with one sentence, unless what is standardized has room for it.
template <class X, class M>
consteval bool require_standardizable() {
    if constexpr (require_reducible<X, M>()) {
        constexpr bool real = std::is_floating_point_v<element_t<X>>;
        static_assert(
            real,
            "xmask: only a tensor of real numbers can be standardized in place; convert integers first."
        );
        return real;
    } else {
        return false;
    }
}
} // namespace detail

/// (x - mean) / sqrt(var + eps) where the mask keeps, with the means and variances of what it keeps
/// along `axes`; 0 where it drops. Along the features this is a layer norm, along all axes but the
/// channels' a batch norm, without their weights.
///
/// Returns an array of x's shape and type, double for integers. Where no more elements than the
/// correction are kept, the variance counts as 0. Throws as masked_var, and std::invalid_argument
/// for eps below 0.
///
///     xt::xarray<float> y = xmask::masked_standardize(x, m, -1);
template <class X, class M, detail::axes_argument A>
auto masked_standardize(
    const X& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result_type = detail::mean_result_t<detail::element_t<X>>;
        auto result = xt::xarray<result_type>::from_shape(x.shape());
        detail::standardize<result_type>("masked_standardize", result, x, m, axes, options);
        return result;
    }
}

template <class X, class M>
auto masked_standardize(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes,
    const standardize_options& options = {}
) {
    return masked_standardize(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The same in place. x is any assignable tensor or view of real numbers.
///
///     xmask::masked_standardize_inplace(x, m, -1);
template <class X, class M, detail::axes_argument A>
void masked_standardize_inplace(
    X&& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_standardizable<X, M>() && detail::require_target<X>()) {
        detail::with_mask_apart(m, x, [&](const auto& apart) {
            detail::standardize<detail::element_t<X>>(
                "masked_standardize_inplace", x, x, apart, axes, options
            );
        });
    }
}

template <class X, class M>
void masked_standardize_inplace(
    X&& x, const M& m, std::initializer_list<std::ptrdiff_t> axes,
    const standardize_options& options = {}
) {
    masked_standardize_inplace(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
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
} // namespace detail

/// The gradient by x of masked_standardize(x, m, axes, options), given the gradient by its result,
/// of x's shape; 0 where the mask drops. An array of x's shape and type. Four passes over what is
/// kept.
///
/// Throws std::invalid_argument where shapes do not fit.
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
        using element = detail::element_t<X>;
        constexpr const char* name = "masked_standardize_gradient";
        detail::require_same_shape(
            name, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
        );
        const detail::kept_axes kept(name, x.shape(), axes);
        detail::require_standardize(name, options);
        const auto all = detail::moments_along(name, x, m, kept, options.correction);
        // The mean over what is kept by the variance's own divisor: its slope by the mean is 0.
        const auto free = [&](std::size_t i) { return all[i].count - options.correction; };
        const auto mean =
            detail::at_positions<element>(kept, [&](std::size_t i) { return all[i].mean; });
        const auto scale = detail::at_positions<element>(kept, [&](std::size_t i) {
            return 1 / std::sqrt((free(i) > 0 ? all[i].squares / free(i) : 0) + options.eps);
        });
        const auto y = detail::lazy_function(detail::standardized(), x, mean, scale);
        const auto sums = detail::sum_along<element>(name, upstream, m, kept, true);
        const auto products = detail::sum_along<element>(name, upstream * y, m, kept, false);
        const auto mean_g = detail::at_positions<element>(kept, [&](std::size_t i) {
            return all[i].count > 0 ? sums.sum[i] / all[i].count : 0;
        });
        const auto mean_gy = detail::at_positions<element>(kept, [&](std::size_t i) {
            return free(i) > 0 ? products.sum[i] / free(i) : 0;
        });
        return detail::fill_kept<element>(
            x.shape(),
            detail::lazy_function(
                detail::standardized_slope(), upstream, x, mean, scale, mean_g, mean_gy
            ),
            m
        );
    }
}

namespace detail {
template <class X, class M, class U>
auto var_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    const var_options& options, bool root
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const auto all = moments_along(function, x, m, axes, options.correction);
    const auto mean = at_positions<element>(axes, [&](std::size_t i) { return all[i].mean; });
    const auto scale = at_positions<element>(axes, [&](std::size_t i) {
        const double free = all[i].count - options.correction;
        if (free <= 0 || all[i].squares == 0) {
            return wide(0);
        }
        return static_cast<wide>(u.data()[i]) *
               (root ? 1 / (free * std::sqrt(all[i].squares / free)) : 2 / wide(free));
    });
    return fill_kept<element>(x.shape(), lazy_function(standardized(), x, mean, scale), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_var(x, m, axes, options) by x: 2 u (x - mean)
/// / (number kept - correction) where the mask keeps, 0 where it drops or where there is no
/// variance. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_var_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = var_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, var_options>)
auto masked_var_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::var_gradient(
            "masked_var_gradient", x, m, axes, upstream, detail::to_options<var_options>(options),
            false
        );
    }
}

/// The gradient of `upstream` times masked_var(x, m, options), over everything.
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::var_gradient(
            "masked_var_gradient", x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<var_options>(options), false
        );
    }
}

/// The same of masked_std: u (x - mean) / ((number kept - correction) std), 0 where all that is
/// kept is equal.
///
///     xt::xarray<float> dx = xmask::masked_std_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = var_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, var_options>)
auto masked_std_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::var_gradient(
            "masked_std_gradient", x, m, axes, upstream, detail::to_options<var_options>(options),
            true
        );
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::var_gradient(
            "masked_std_gradient", x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<var_options>(options), true
        );
    }
}
} // namespace xmask::inline XMASK_ABI
