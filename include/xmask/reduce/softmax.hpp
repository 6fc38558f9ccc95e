// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "exp_terms.hpp"
#include "row_map.hpp"

/// @file
/// Softmax, log_softmax and softmin over what a mask keeps, and their gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// exp(x - largest) / sum.
template <class T, bool Negative = false>
struct softmax_function : exp_terms<T, Negative> {
    static constexpr bool keeps_terms = true;
    static constexpr T outside = T(0);

    static std::array<T, 2> facts(T largest, const std::array<double, 1>& total) noexcept {
        return {largest, total[0] == 0 ? T(0) : static_cast<T>(1 / total[0])};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return softmax_function::template term<0>(facts[0], x) * facts[1];
    }
};

/// (x - largest) - log(sum).
template <class T>
struct log_softmax_function : exp_terms<T, false> {
    static constexpr bool keeps_terms = false;
    static constexpr T outside = -std::numeric_limits<T>::infinity();

    static std::array<T, 2> facts(T largest, const std::array<double, 1>& total) noexcept {
        return {largest, total[0] == 0 ? T(0) : static_cast<T>(std::log(total[0]))};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return (x - facts[0]) - facts[1];
    }
};

/// y (g - sum(y g)), of y = softmax(x) and the gradient g by y.
template <class T>
struct softmax_gradient_function {
    using value_type = T;

    static constexpr bool shifts = false;
    static constexpr std::size_t sums = 1;
    static constexpr std::size_t fact_count = 1;
    static constexpr bool keeps_terms = false;
    static constexpr T outside = T(0);

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& /*shift*/, const V& y, const V& g) noexcept {
        return y * g;
    }

    static std::array<T, 1> facts(T /*shift*/, const std::array<double, 1>& total) noexcept {
        return {static_cast<T>(total[0])};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return y * (g - facts[0]);
    }
};

/// y (sum(y g) - g), of y = softmin(x) and the gradient g by y.
template <class T>
struct softmin_gradient_function : softmax_gradient_function<T> {
    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return y * (facts[0] - g);
    }
};

/// g - exp(y) sum(g), of y = log_softmax(x) and the gradient g by y.
template <class T>
struct log_softmax_gradient_function : softmax_gradient_function<T> {
    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& /*shift*/, const V& /*y*/, const V& g) noexcept {
        return g;
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return g - exp_nonpositive(y) * facts[0];
    }
};

template <class T>
using softmax_of = softmax_function<T>;

template <class T>
using softmin_of = softmax_function<T, true>;

/// Maps the lines of x by F, lazily, where the arguments fit.
template <template <class> class F, bool Fits, class X, class M>
auto map_lines(const char* name, X&& x, M&& m, std::ptrdiff_t axis) {
    if constexpr (Fits) {
        return make_row_mapped(name, F<real_of<X>>(), axis, std::forward<M>(m), std::forward<X>(x));
    } else {
        return refused();
    }
}

/// Maps the lines of x by F, in place, where the arguments fit.
template <template <class> class F, bool Fits, class X, class M>
void map_lines_inplace(const char* name, X&& x, const M& m, std::ptrdiff_t axis) {
    if constexpr (Fits) {
        map_inplace(name, F<real_of<X>>(), axis, m, x);
    }
}

/// The gradient of such a map, of its result y and of the gradient by y, where the arguments fit.
template <template <class> class F, bool Fits, class Y, class M, class G>
auto map_line_slopes(const char* name, Y&& y, M&& m, G&& upstream, std::ptrdiff_t axis) {
    if constexpr (Fits) {
        return make_row_mapped(
            name, F<real_of<Y, G>>(), axis, std::forward<M>(m), std::forward<Y>(y),
            std::forward<G>(upstream)
        );
    } else {
        return refused();
    }
}
} // namespace detail

/// The softmax along an axis of what the mask keeps: exp(x) / sum(exp(x)). 0 where the mask drops.
///
/// Where nothing is kept, or nothing but -infinity, the result is 0, never NaN. NaN that is kept
/// makes its line NaN. Elements below 1.2e-38 of the largest one may come out smaller, or 0.
///
/// @param x  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape and the type of x: it is assigned, or goes on into another
///   expression, such as `0.5f * xmask::masked_softmax(0.125f * scores + bias, m)`
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// Along the last axis a row is read twice, while in the cache, and each exponential is computed
/// once. Along another axis, or inside of a larger expression, each is computed twice, and another
/// axis takes memory for its lines.
///
///     xt::xtensor<float, 2> scores = {{1.f, 1.f, 7.f}, {0.f, 3.f, 5.f}};
///     xt::xtensor<float, 2> p = xmask::masked_softmax(scores, xmask::keep_lengths({2, 0}, 3));
///     // 0.5 0.5 0
///     // 0   0   0
template <class X, class M>
auto masked_softmax(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines<X, M>();
    return detail::map_lines<detail::softmax_of, fits>(
        "masked_softmax", std::forward<X>(x), std::forward<M>(m), axis
    );
}

/// Replaces x by its softmax along an axis, over what the mask keeps; by 0 where the mask drops.
///
/// @param x  an assignable tensor or view of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// No memory for a copy: a row is read twice, while in the cache, and each exponential is computed
/// once.
///
///     xmask::masked_softmax_inplace(scores, m);
template <class X, class M>
void masked_softmax_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines_inplace<X, M>();
    detail::map_lines_inplace<detail::softmax_of, fits>(
        "masked_softmax_inplace", std::forward<X>(x), m, axis
    );
}

/// The softmax of -x along an axis, over what the mask keeps: the smallest elements weigh most. 0
/// where the mask drops, and where nothing is kept.
///
/// @param x  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape and the type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// Along the last axis a row is read twice, while in the cache, and each exponential is computed
/// once. Along another axis, or inside of a larger expression, each is computed twice, and another
/// axis takes memory for its lines.
///
///     auto weights = xmask::masked_softmin(distances, m);
///     // 0.622459 0.377541 0 0
///     // 0.302836 0.0150773 0.0409843 0.641103
///     // 0.0976648 0.636855 0.265481 0
template <class X, class M>
auto masked_softmin(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines<X, M>();
    return detail::map_lines<detail::softmin_of, fits>(
        "masked_softmin", std::forward<X>(x), std::forward<M>(m), axis
    );
}

/// Replaces x by the softmax of -x along an axis, over what the mask keeps; by 0 where the mask
/// drops.
///
/// @param x  an assignable tensor or view of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// No memory for a copy: a row is read twice, while in the cache, and each exponential is computed
/// once.
///
///     xmask::masked_softmin_inplace(distances, m);
///     auto now = distances;
///     // 0.622459 0.377541 0 0
///     // 0.302836 0.0150773 0.0409843 0.641103
///     // 0.0976648 0.636855 0.265481 0
template <class X, class M>
void masked_softmin_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines_inplace<X, M>();
    detail::map_lines_inplace<detail::softmin_of, fits>(
        "masked_softmin_inplace", std::forward<X>(x), m, axis
    );
}

/// log(softmax(x)) along an axis, over what the mask keeps, without the rounding of a small
/// softmax. -infinity where the mask drops, and where nothing is kept.
///
/// @param x  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape and the type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// Along the last axis a row is read three times, while in the cache; along another axis the lines
/// take memory, too.
///
///     xt::xtensor<float, 2> logs = xmask::masked_log_softmax(scores, m);
template <class X, class M>
auto masked_log_softmax(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines<X, M>();
    return detail::map_lines<detail::log_softmax_function, fits>(
        "masked_log_softmax", std::forward<X>(x), std::forward<M>(m), axis
    );
}

/// Replaces x by log(softmax(x)) along an axis, over what the mask keeps; by -infinity where the
/// mask drops.
///
/// @param x  an assignable tensor or view of real numbers
/// @param m  a mask that broadcasts into x
/// @param axis  the axis of the lines; counts from the end where negative
/// @throws std::invalid_argument  where the mask does not broadcast into x
/// @throws std::out_of_range  for an axis that x does not have
///
/// No memory for a copy: a row is read three times, while in the cache.
///
///     xmask::masked_log_softmax_inplace(scores, m);
template <class X, class M>
void masked_log_softmax_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_lines_inplace<X, M>();
    detail::map_lines_inplace<detail::log_softmax_function, fits>(
        "masked_log_softmax_inplace", std::forward<X>(x), m, axis
    );
}

/// The gradient by x of masked_softmax(x, m, axis), from its result and not from x: result
/// (upstream - sum(result upstream)). 0 where the mask drops.
///
/// @param result  what masked_softmax gave
/// @param m  the mask that it was given
/// @param upstream  the gradient by the result, of its shape
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape of the result
/// @throws std::invalid_argument  where shapes do not fit
/// @throws std::out_of_range  for an axis that the tensors do not have
///
/// Cost: two passes over the kept elements.
///
///     xt::xtensor<float, 2> dx = xmask::masked_softmax_gradient(p, m, dy);
///     // -0.375 2.25 0 0
///     // -25.0625 -88.25 87.1875 -6.45312
///     // 14.0312 -0.611328 -4.01562 0
template <class Y, class M, class G>
auto masked_softmax_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_row_gradient<Y, M, G>();
    return detail::map_line_slopes<detail::softmax_gradient_function, fits>(
        "masked_softmax_gradient", std::forward<Y>(result), std::forward<M>(m),
        std::forward<G>(upstream), axis
    );
}

/// The gradient by x of masked_softmin(x, m, axis), from its result and not from x: result
/// (sum(result upstream) - upstream). 0 where the mask drops.
///
/// @param result  what masked_softmin gave
/// @param m  the mask that it was given
/// @param upstream  the gradient by the result, of its shape
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape of the result
/// @throws std::invalid_argument  where shapes do not fit
/// @throws std::out_of_range  for an axis that the tensors do not have
///
/// Cost: two passes over the kept elements.
///
///     xt::xtensor<float, 2> dx = xmask::masked_softmin_gradient(p, m, dy);
///     // 0.375 -2.25 0 0
///     // 25.0625 88.25 -87.1875 6.45312
///     // -14.0312 0.611328 4.01562 0
template <class Y, class M, class G>
auto masked_softmin_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_row_gradient<Y, M, G>();
    return detail::map_line_slopes<detail::softmin_gradient_function, fits>(
        "masked_softmin_gradient", std::forward<Y>(result), std::forward<M>(m),
        std::forward<G>(upstream), axis
    );
}

/// The gradient by x of masked_log_softmax(x, m, axis), from its result and not from x: upstream -
/// exp(result) sum(upstream). 0 where the mask drops.
///
/// @param result  what masked_log_softmax gave
/// @param m  the mask that it was given
/// @param upstream  the gradient by the result, of its shape
/// @param axis  the axis of the lines; counts from the end where negative
/// @returns  a lazy tensor of the shape of the result
/// @throws std::invalid_argument  where shapes do not fit
/// @throws std::out_of_range  for an axis that the tensors do not have
///
/// Cost: two passes over the kept elements.
///
///     xt::xtensor<float, 2> dx = xmask::masked_log_softmax_gradient(p, m, dy);
///     // 1.32436 -0.81606 0 0
///     // -5.11613 -118.846 -3.11202 -2.63906
///     // -1.88158 1.1165 3.3785 0
template <class Y, class M, class G>
auto masked_log_softmax_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    constexpr bool fits = detail::require_row_gradient<Y, M, G>();
    return detail::map_line_slopes<detail::log_softmax_gradient_function, fits>(
        "masked_log_softmax_gradient", std::forward<Y>(result), std::forward<M>(m),
        std::forward<G>(upstream), axis
    );
}
} // namespace xmask::inline XMASK_ABI
