// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
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
#include "sum.hpp"

/// @file
/// Norms of what a mask keeps, of any order.

namespace xmask::inline XMASK_ABI {
/// Options of a norm. Its order p: 2 for the Euclidean norm, 1 for the sum of magnitudes, infinity
/// for the largest magnitude, -infinity for the smallest, 0 for the number of elements that are not
/// 0, or any other number.
struct norm_options {
    double p = 2;
    std::optional<when_empty> empty = std::nullopt; ///< as in reduce_options
    bool keep_axes = false;                         ///< as in reduce_options
};

namespace detail {
struct magnitude {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        using std::abs;
        return abs(x);
    }
};

struct square {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return x * x;
    }
};

/// |x|^p, or for p = 0 whether x is not 0.
struct magnitude_power {
    double p;

    template <class V>
    V value(const V& x) const {
        using std::abs;
        using std::pow;
        if (p == 0) {
            if constexpr (std::is_floating_point_v<V>) {
                return x != 0 ? V(1) : V(0);
            } else {
                return xsimd::select(x != V(0.), V(1.), V(0.));
            }
        }
        return pow(abs(x), V(p));
    }
};

/// Calls visit(fold, function, finish) with what computes the norm of order p.
template <class T, class F>
auto with_norm(const char* function, double p, F&& visit) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto same = [](T state) { return state; };
    require_option(function, "p", p, option_range::any_number());
    if (p == infinity) {
        // Of no magnitude, 0 is the largest.
        return visit(extreme_fold<T, extreme::largest>(), magnitude(), [](T state) {
            return state < 0 ? T(0) : state;
        });
    }
    if (p == -infinity) {
        return visit(extreme_fold<T, extreme::smallest>(), magnitude(), same);
    }
    if (p == 1) {
        return visit(sum_fold<T>(), magnitude(), same);
    }
    if (p == 2) {
        return visit(sum_fold<T>(), square(), [](T state) { return std::sqrt(state); });
    }
    return visit(sum_fold<T>(), magnitude_power{p}, [p](T state) {
        return p == 0 ? state : std::pow(state, static_cast<T>(1 / p));
    });
}
} // namespace detail

/// The norm of what the mask keeps: (sum of |x|^p)^(1/p), p = 2 unless the options say otherwise; 0
/// where nothing is kept (+infinity where p is negative).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers; computed in
/// double. Throws std::invalid_argument where the mask does not broadcast into x, or p is NaN. One
/// pass over what is kept.
///
///     float length = xmask::masked_norm(x, m);
///     float largest = xmask::masked_norm(x, m, {.p = std::numeric_limits<double>::infinity()});
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                return detail::fold_to_number<result, wide>(
                    "masked_norm", fold, x.shape(),
                    detail::masked_rows<wide>("masked_norm", x, m, f),
                    detail::shared_options(chosen),
                    [&](wide state) { return static_cast<result>(finish(state)); }
                );
            }
        );
    }
}

/// The norms along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_norm(x, m, -1, {.p = 1, .keep_axes = true});
template <class X, class M, detail::axes_argument A, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        const detail::kept_axes kept("masked_norm", x.shape(), axes);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                return detail::fold_to_axes<result, wide>(
                    "masked_norm", fold, x.shape(),
                    detail::masked_rows<wide>("masked_norm", x, m, f), kept,
                    detail::shared_options(chosen),
                    [&](wide state) { return static_cast<result>(finish(state)); }
                );
            }
        );
    }
}

template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_norm(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// u sign(x) (|x| / norm)^(p - 1), 0 where x, u or the norm is 0, or the norm infinite.
struct norm_slope {
    double p;

    template <class A>
    A operator()(const A& x, const A& u, const A& norm) const {
        using std::abs;
        using std::pow;
        if (x == A(0) || u == A(0) || norm == A(0) || std::isinf(norm)) {
            return A(0);
        }
        // The ratio first: neither power alone need be a number.
        const A ratio = abs(x) / norm;
        const auto slope = p == 2 ? ratio : static_cast<A>(pow(ratio, static_cast<A>(p - 1)));
        return x < A(0) ? -u * slope : u * slope;
    }
};

/// a * sign(x) where |x| is the extreme magnitude.
struct extreme_slope {
    template <class A>
    A operator()(const A& x, const A& a, const A& extreme) const {
        using std::abs;
        return abs(x) == extreme && x != A(0) ? (x < A(0) ? -a : a) : A(0);
    }
};

/// 1 where |x| is the extreme magnitude.
struct extreme_tie {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        using std::abs;
        return abs(x) == extreme ? A(1) : A(0);
    }
};

template <class X, class M, class U>
auto norm_gradient(const X& x, const M& m, const axes_list& names, const U& upstream, double p) {
    using element = element_t<X>;
    const char* function = "masked_norm_gradient";
    const kept_axes axes(function, x.shape(), names);
    require_broadcast(function, "a mask", m.shape(), x.shape());
    const auto u = upstream_of<element>(function, upstream, axes);
    const auto norm = masked_norm(x, m, names, norm_options{.p = p, .keep_axes = true});
    if (std::isinf(p)) {
        const auto ties = masked_sum(lazy_function(extreme_tie(), x, norm), m, names);
        const auto a = at_positions<element>(axes, [&](std::size_t i) {
            return ties.data()[i] == 0 ? element(0) : u.data()[i] / ties.data()[i];
        });
        return fill_kept<element>(x.shape(), lazy_function(extreme_slope(), x, a, norm), m);
    }
    if (p == 0) {
        // A number of elements, the same all around.
        auto none = xt::xarray<element>::from_shape(x.shape());
        none.fill(element(0));
        return none;
    }
    return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, norm), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_norm(x, m, axes, options) by x: u sign(x)
/// (|x| / norm)^(p - 1) where the mask keeps, 0 where it drops and where x is 0. Of p = infinity,
/// elements that tie share it evenly. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another.
///
///     xt::xarray<float> dx = xmask::masked_norm_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = norm_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, norm_options>)
auto masked_norm_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::norm_gradient(
            x, m, axes, upstream, detail::to_options<norm_options>(options).p
        );
    }
}

/// The gradient of `upstream` times masked_norm(x, m, options), over everything.
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::norm_gradient(
            x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<norm_options>(options).p
        );
    }
}
} // namespace xmask::inline XMASK_ABI
