// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/simd.hpp"
#include "../core/xtensor.hpp"
#include "accumulate.hpp"
#include "element_function.hpp"
#include "element_loss.hpp"
#include "loss.hpp"
#include "register_value.hpp"

/// @file
/// A loss of your own, made of lambdas.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Whether a lambda is called by its name alone: not a lambda of `auto`, nor one of several.
template <class F>
concept calls_one = !std::is_class_v<F> || requires { &F::operator(); };

/// The argument of a lambda that is called with registers of type V.
template <class F, class V>
using register_argument = std::conditional_t<calls_one<F>, V, registers::register_value<V>>;

/// Whether a lambda of (p, t) takes and gives registers of type V.
template <class F, class V>
consteval bool takes_lanes() {
    using argument = register_argument<F, V>;
    if constexpr (requires(const F& f, const argument& x) { f(x, x); }) {
        using result = decltype(std::declval<const F&>()(
            std::declval<const argument&>(), std::declval<const argument&>()
        ));
        return std::is_convertible_v<result, V>;
    } else {
        return false;
    }
}

/// Whether lambdas of (p, t) all take registers; they are called for single elements otherwise.
/// Asked before anything else, so that a compiler's message about a lambda is short.
template <class P, class Q, class... F>
consteval bool all_take_lanes() {
    if constexpr (is_real<P>() && is_numbers<Q>()) {
        using element = loss_element_t<P, Q>;
        if constexpr (sums_in_registers<element>) {
            return (takes_lanes<F, lanes<element>>() && ...);
        }
    }
    return false;
}

/// Whether a lambda is called with V, which is a number or a register.
template <class V, class F, bool InRegisters>
concept is_called_with =
    (std::is_arithmetic_v<V> && std::is_invocable_r_v<V, const F&, const V&, const V&>) ||
    (!std::is_arithmetic_v<V> && InRegisters);

/// Two lambdas of (p, t): a loss, and its derivative by p. A lambda of `auto` is called with
/// registers, one of `double` with single elements.
template <class Value, class Derivative, bool InRegisters>
class lambda_loss {
public:
    lambda_loss(const Value& value, const Derivative& derivative)
        : m_value(value), m_derivative(derivative) {}

    template <class V>
        requires is_called_with<V, Value, InRegisters>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return call(m_value, p, t);
    }

    template <class V>
        requires is_called_with<V, Derivative, InRegisters>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return call(m_derivative, p, t);
    }

private:
    template <class F, class V>
    XMASK_INLINE static V call(const F& f, const V& p, const V& t) {
        if constexpr (std::is_arithmetic_v<V>) {
            return static_cast<V>(f(p, t));
        } else {
            using argument = register_argument<F, V>;
            return static_cast<V>(f(argument(p), argument(t)));
        }
    }

    Value m_value;
    Derivative m_derivative;
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
/// xsimd::abs, xsimd::select(condition, a, b). Where it calls std::abs, or decides by `?:`, it does
/// not compile, and says so. A lambda of `double` is called for one element at a time, and takes
/// anything.
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
    using function = detail::lambda_loss<Value, Value, detail::all_take_lanes<P, Q, Value>()>;
    if constexpr (detail::require_element_loss<function, P, Q, M>()) {
        return masked_loss(function(value, value), prediction, target, m);
    } else {
        return {};
    }
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
        constexpr bool in_registers = detail::all_take_lanes<P, Q, Value, Derivative>();
        using function = detail::lambda_loss<Value, Derivative, in_registers>;
        if constexpr (detail::require_element_loss<function, P, Q, M, G...>()) {
            return masked_loss(
                function(value, derivative), prediction, target, m, std::forward<G>(gradient)...
            );
        } else {
            return {};
        }
    } else {
        return {};
    }
}

/// @cond
template <class... Other>
    requires(sizeof...(Other) < 2 || sizeof...(Other) == 3)
loss masked_loss(const Other&... /*arguments*/) {
    constexpr bool is_call = sizeof...(Other) == static_cast<std::size_t>(-1);
    static_assert(
        is_call,
        "xmask: a loss of your own takes an expression and a mask, masked_loss(xt::abs(p - t), m), or a function, too: "
        "masked_loss(p, t, m, [](auto p, auto t) { return (p - t) * (p - t); })."
    );
    return {};
}
/// @endcond
} // namespace xmask::inline XMASK_ABI
