// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/error.hpp"
#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "options.hpp"
#include "row_map.hpp"

/// @file
/// Tensors divided by the norm of what a mask keeps along an axis, and the gradient.
/// (masked_standardize, to mean 0 and variance 1, is with the moments.)

namespace xmask::inline XMASK_ABI {
/// Options of masked_normalize.
struct normalize_options {
    double p = 2;       ///< which norm: (sum |x|^p)^(1/p), or the largest |x| where p is infinite
    double eps = 1e-12; ///< the least that is divided by
};

namespace detail {
/// |x|, of a number or a register.
template <class V>
XMASK_INLINE V absolute(const V& x) noexcept {
    using std::abs;
    return abs(x);
}

/// The norm of a line, taken of elements over the largest, so that no power overflows.
template <class T>
struct norm_terms {
    using value_type = T;
    using wide = wide_t<T>;

    static constexpr bool shifts = true;
    static constexpr std::size_t fact_count = 2;
    static constexpr bool keeps_terms = false;
    static constexpr T outside = T(0);

    normalize_options options;

    /// The largest, so that it may be divided by.
    [[nodiscard]] T settle(T largest) const noexcept {
        using limits = std::numeric_limits<T>;
        const T least = std::isinf(options.p) ? limits::denorm_min() : limits::min();
        return std::clamp(largest, least, limits::max());
    }

    template <class V>
    XMASK_INLINE V power_term(const V& largest, const V& x) const noexcept {
        // The largest is the norm already; the sum only tells of NaN.
        return std::isinf(options.p) ? absolute(x)
                                     : power(absolute(x) * (V(1) / largest), options.p);
    }

    /// 1 / max(norm, eps) in two factors, the second 1 but where T does not hold their product; and
    /// the norm over the largest, or 0 where eps counts.
    struct factors {
        wide first;
        wide second;
        double scale;
    };

    [[nodiscard]] factors inverse_norm(T largest, double sum) const noexcept {
        using limits = std::numeric_limits<T>;
        const double scale = root(sum);
        const wide norm = static_cast<wide>(largest) * static_cast<wide>(scale);
        // NaN is kept, as it is by the elements.
        if (norm < options.eps) {
            return {1 / static_cast<wide>(options.eps), 1, 0};
        }
        if (std::isnormal(static_cast<T>(1 / norm)) || !std::isnormal(scale)) [[likely]] {
            return {1 / norm, 1, scale};
        }
        constexpr int most = 1 - limits::min_exponent;
        const wide unit = std::ldexp(wide(1), -std::clamp(std::ilogb(largest), -most, most));
        return {unit, 1 / (static_cast<wide>(largest) * unit * static_cast<wide>(scale)), scale};
    }

private:
    [[nodiscard]] double root(double sum) const noexcept {
        if (std::isinf(options.p)) {
            return sum == sum ? 1 : sum;
        }
        return options.p == 2   ? std::sqrt(sum)
               : options.p == 1 ? sum
                                : std::pow(sum, 1 / options.p);
    }
};

/// x / max(norm, eps).
template <class T>
struct normalize_function : norm_terms<T> {
    static constexpr std::size_t sums = 1;

    template <class V>
    XMASK_INLINE static V first(const V& x) noexcept {
        return absolute(x);
    }

    template <std::size_t I, class V>
    XMASK_INLINE V term(const V& largest, const V& x) const noexcept {
        return this->power_term(largest, x);
    }

    std::array<T, 2> facts(T largest, const std::array<double, 1>& total) const noexcept {
        const auto inverse = this->inverse_norm(largest, total[0]);
        return {static_cast<T>(inverse.first), static_cast<T>(inverse.second)};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return x * facts[0] * facts[1];
    }
};

/// (g - sum(g y) sign(x) |y|^(p - 1)) / norm, of y = x / norm; g / eps where eps is larger.
template <class T>
struct normalize_gradient_function : norm_terms<T> {
    static constexpr std::size_t sums = 2;
    static constexpr std::size_t fact_count = 3;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*g*/) noexcept {
        return absolute(x);
    }

    template <std::size_t I, class V>
    XMASK_INLINE V term(const V& largest, const V& x, const V& g) const noexcept {
        if constexpr (I == 0) {
            return this->power_term(largest, x);
        } else {
            return x * (V(1) / largest) * g;
        }
    }

    std::array<T, 3> facts(T largest, const std::array<double, 2>& total) const noexcept {
        const auto [first, second, scale] = this->inverse_norm(largest, total[0]);
        return {
            static_cast<T>(first), static_cast<T>(second),
            scale != 0 ? static_cast<T>(total[1] / scale) : T(0)
        };
    }

    template <class V>
    XMASK_INLINE V map(const std::array<V, 3>& facts, const V& x, const V& g) const noexcept {
        const V y = x * facts[0] * facts[1];
        if (this->options.p == 2) {
            return (g - facts[2] * y) * facts[0] * facts[1];
        }
        const V size = absolute(y);
        const V slope = this->options.p == 1 ? V(1) : power(size, this->options.p - 1);
        return (g - facts[2] * sign_of(x) * slope) * facts[0] * facts[1];
    }

private:
    template <class V>
    XMASK_INLINE static V sign_of(const V& x) noexcept {
        if constexpr (std::is_arithmetic_v<V>) {
            return x == 0 ? V(0) : std::copysign(V(1), x);
        } else {
            return xsimd::sign(x);
        }
    }
};

/// Throws std::invalid_argument for an invalid norm.
inline void require_norm(
    const char* function, const normalize_options& options, bool differentiable
) {
    require_option(
        function, "p", options.p,
        differentiable ? option_range::at_least(1).finite() : option_range::at_least(1)
    );
    require_option(function, "eps", options.eps, option_range::at_least(0).finite());
}
} // namespace detail

/// x / max(norm of what the mask keeps, eps) along an axis. 0 where the mask drops, and where
/// nothing is kept. No power overflows.
///
/// @param x  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @param options  p, 2 unless set, and eps, the least that is divided by
/// @returns  a lazy tensor of the shape and the type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x, for p below 1 and for
///    eps below 0
/// @throws std::out_of_range  for an axis that x does not have
///
/// x is read three times, while in the cache.
///
///     xt::xtensor<float, 1> x = {3.f, 9.f, 4.f};
///     xt::xtensor<float, 1> y = xmask::masked_normalize(x, xmask::drop_indices({1}, 3));    // 0.6, 0, 0.8
template <class X, class M>
auto masked_normalize(
    X&& x, M&& m, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_lines<X, M>()) {
        detail::require_norm("masked_normalize", options, false);
        return detail::make_row_mapped(
            "masked_normalize", detail::normalize_function<detail::real_of<X>>{{options}}, axis,
            std::forward<M>(m), std::forward<X>(x)
        );
    } else {
        return detail::refused();
    }
}

/// Divides x by max(norm of what the mask keeps, eps) along an axis, in place; 0 where the mask
/// drops.
///
/// @param x  an assignable tensor or view of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @param options  p, 2 unless set, and eps, the least that is divided by
/// @throws std::invalid_argument  where the mask does not broadcast into x, for p below 1 and for
///    eps below 0
/// @throws std::out_of_range  for an axis that x does not have
///
/// x is read three times, while in the cache.
///
///     xmask::masked_normalize_inplace(weights, m);
///     auto now = weights;
///     // 0.447214 -0.894427 0 0
///     // 0.195881 0.783523 -0.587643 0.0489702
///     // -0.893033 0.0558146 0.446516 0
template <class X, class M>
void masked_normalize_inplace(
    X&& x, const M& m, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_lines_inplace<X, M>()) {
        constexpr const char* function = "masked_normalize_inplace";
        detail::require_norm(function, options, false);
        detail::map_inplace(
            function, detail::normalize_function<detail::real_of<X>>{{options}}, axis, m, x
        );
    }
}

/// The gradient by x of masked_normalize(x, m, axis, options), given the gradient by its result. 0
/// where the mask drops.
///
/// @param x  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into x
/// @param upstream  the gradient by the result, of its shape
/// @param axis  the axis of the lines; counts from the end where negative
/// @param options  those of masked_normalize; p is finite
/// @returns  a lazy tensor of the shape and the type of x
/// @throws std::invalid_argument  where shapes do not fit, for p below 1 or infinite, and for eps
///    below 0
/// @throws std::out_of_range  for an axis that x does not have
///
/// x is read three times, while in the cache.
///
///     xt::xtensor<float, 1> a = {3, 4, 9};
///     xt::xtensor<float, 1> up = {1, 0, 0};
///     auto m = xmask::keep_indices({0, 1}, 3);
///     xt::xtensor<float, 1> da = xmask::masked_normalize_gradient(a, m, up);
///     // 0.128, -0.096, 0
template <class X, class M, class G>
auto masked_normalize_gradient(
    X&& x, M&& m, G&& upstream, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_row_gradient<X, M, G>()) {
        detail::require_norm("masked_normalize_gradient", options, true);
        return detail::make_row_mapped(
            "masked_normalize_gradient",
            detail::normalize_gradient_function<detail::real_of<X, G>>{{options}}, axis,
            std::forward<M>(m), std::forward<X>(x), std::forward<G>(upstream)
        );
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
