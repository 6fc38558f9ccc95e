// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/xtensor.hpp"
#include "element_loss.hpp"
#include "loss.hpp"

/// @file
/// A loss of your own, made of lambdas.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Two lambdas of (p, t): a loss, and its derivative by p. A lambda of `auto` is called with
/// registers, one of `double` with single elements.
template <class Value, class Derivative>
struct lambda_loss {
    Value of_value;
    Derivative of_derivative;

    template <class V>
        requires std::is_invocable_r_v<V, const Value&, const V&, const V&>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return static_cast<V>(of_value(p, t));
    }

    template <class V>
        requires std::is_invocable_r_v<V, const Derivative&, const V&, const V&>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return static_cast<V>(of_derivative(p, t));
    }
};

/// Fails to compile, with one sentence, where a gradient stands in the place of a derivative.
template <class Derivative>
consteval bool require_derivative() {
    // A tensor is called with two numbers, too, for its elements.
    constexpr bool is_function =
        !expression<Derivative> && std::is_invocable_v<const Derivative&, double, double>;
    static_assert(
        is_function,
        "xmask: a gradient needs the derivative of the loss: masked_loss(p, t, m, value, derivative, gradient)."
    );
    return is_function;
}
} // namespace detail

/// A loss of your own by a lambda of (p, t).
///
/// A lambda of `auto` is called with registers, and takes what these take: + - * /, comparisons,
/// xsimd::abs, xsimd::select(condition, a, b). A lambda of `double` is called for one element at a
/// time, and takes anything.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      one of numbers, of the same shape
/// @param m           what counts: a mask that broadcasts into it, real weights, or both
/// @param value       the loss of one element
/// @returns           the sum over the kept elements, its weight and its count
/// @throws std::invalid_argument  where shapes do not fit
///
///     xmask::loss l = xmask::masked_loss(p, t, m, [](double p, double t) { return std::abs(p - t); });
///     double mean = l.mean();    // 1.43056
template <class P, class Q, class M, class Value>
    requires expression<P>
loss masked_loss(const P& prediction, const Q& target, const M& m, const Value& value) {
    return masked_loss(detail::lambda_loss<Value, Value>{value, value}, prediction, target, m);
}

/// A loss of your own by two lambdas of (p, t): its value, and its derivative by p. One pass
/// computes both. Lambdas of `auto` are called with registers, lambdas of `double` for one element
/// at a time.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      one of numbers, of the same shape
/// @param m           what counts: a mask that broadcasts into it, real weights, or both
/// @param value       the loss of one element
/// @param derivative  its derivative by p
/// @param gradient    a tensor that is given the gradient of the sum; or of_mean(tensor), or
///                    scaled(tensor, factor); may be left out
/// @returns           the sum over the kept elements, its weight and its count
/// @throws std::invalid_argument  where shapes do not fit, before anything is written
///
///     auto value = [](auto p, auto t) { return (p - t) * (p - t); };
///     auto derivative = [](auto p, auto t) { return 2 * (p - t); };
///     double mean = xmask::masked_loss(p, t, m, value, derivative, xmask::of_mean(gradient)).mean();
///     // 3.59201
template <class P, class Q, class M, class Value, class Derivative, class... G>
    requires(expression<P> && sizeof...(G) <= 1)
loss masked_loss(
    const P& prediction, const Q& target, const M& m, const Value& value,
    const Derivative& derivative, G&&... gradient
) {
    if constexpr (detail::require_derivative<Derivative>()) {
        return masked_loss(
            detail::lambda_loss<Value, Derivative>{value, derivative}, prediction, target, m,
            std::forward<G>(gradient)...
        );
    } else {
        return {};
    }
}
} // namespace xmask::inline XMASK_ABI
