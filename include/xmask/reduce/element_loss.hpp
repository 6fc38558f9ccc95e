// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../apply/multiply.hpp"
#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "../core/simd.hpp"
#include "../core/xtensor.hpp"
#include "element_sum.hpp"
#include "loss.hpp"
#include "number_or_tensor.hpp"
#include "weighted.hpp"

/// @file
/// Element-wise losses: a struct of named options with a value and a derivative becomes a loss,
/// with its gradient, for any mask, weights, layout and type.

namespace xmask::inline XMASK_ABI {
/// The function of a loss: value(p, t), and derivative(p, t) by p for a gradient.
///
/// @tparam F  the type of the function
/// @tparam T  the type of the numbers
template <class F, class T>
concept element_function = requires(const F& f, const T& x) {
    { f.value(x, x) } -> std::convertible_to<T>;
};

namespace detail {
template <class T>
loss to_loss(const weighted_sum<T>& total) noexcept {
    return {static_cast<double>(total.sum), total.weight, total.count};
}

template <class E>
consteval bool is_real() {
    if constexpr (expression<E>) {
        return std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

template <class E>
consteval bool is_numbers() {
    if constexpr (expression<E> && !mask_expression<E>) {
        return std::is_arithmetic_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

template <class P, class... Q>
consteval bool require_real() {
    constexpr bool fits = is_real<P>() && (is_numbers<Q>() && ...);
    static_assert(
        fits,
        "xmask: a loss takes tensors (or lazy expressions) of real numbers, and a target of any numbers; "
        "convert an integer prediction first."
    );
    return fits;
}

/// The type that a loss is computed in: that of its real operands.
template <class P, class Q>
using loss_element_t = std::conditional_t<
    std::is_floating_point_v<std::remove_cv_t<value_type_t<Q>>>,
    std::common_type_t<value_type_t<P>, value_type_t<Q>>, std::remove_cv_t<value_type_t<P>>>;

/// A loss one of whose options may be a tensor: `terms` is its function of (p, t, that option).
template <class F>
concept has_operand = requires(const F& f) {
    typename F::terms;
    { F::operand_name } -> std::convertible_to<const char*>;
    { f.operand() } -> std::same_as<const number_or_tensor&>;
};

/// The function of (p, t) where that option is one number.
template <class Terms>
struct with_number {
    double number;

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return Terms().value(p, t, V(constant<V>(number)));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return Terms().derivative(p, t, V(constant<V>(number)));
    }
};

/// Calls f(function, more...) with a loss's function of the prediction, the target and more
/// operands.
template <class T, class F, class S, class Call>
auto call_with_function(const char* name, const F& function, const S& shape, Call&& call) {
    if constexpr (has_operand<F>) {
        const number_or_tensor& option = function.operand();
        if (option.tensor() == nullptr) {
            return call(with_number<typename F::terms>{option.number()});
        }
        require_broadcast(name, F::operand_name, option.tensor()->shape(), shape);
        const xt::xarray<T> values = *option.tensor();
        return call(typename F::terms(), values);
    } else {
        return call(function);
    }
}

template <class F, class T, class G>
consteval bool require_function() {
    constexpr bool derives = has_operand<F> || std::is_same_v<std::decay_t<G>, no_gradient> ||
                             requires(const F& f, const T& x) {
                                 { f.derivative(x, x) } -> std::convertible_to<T>;
                             };
    constexpr bool has_value = has_operand<F> || element_function<F, T>;
    static_assert(
        has_value && derives,
        "xmask: the function of a loss is a struct with `value(p, t) const` and, for a gradient, "
        "`derivative(p, t) const`, of numbers; or two lambdas of (p, t): masked_loss(p, t, m, value, derivative, "
        "gradient)."
    );
    return has_value && derives;
}

template <class G>
consteval bool require_gradient() {
    constexpr bool fits = requires {
        typename gradient_traits<std::remove_reference_t<G>>::container;
    } && writable<typename gradient_traits<std::remove_reference_t<G>>::container>;
    static_assert(
        fits, "xmask: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or "
              "scaled(tensor, factor), and is written: neither const nor lazy."
    );
    return fits;
}

/// Lets a function refuse its options.
template <class F>
void check_options(const char* function, const F& f) {
    if constexpr (requires { f.check(function); }) {
        f.check(function);
    }
}

template <class F, class P, class Q, class M, class G>
loss sum_of_elements(
    const char* name, const F& f, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    if constexpr (require_real<P, Q>() && require_counted<M>()) {
        using element = loss_element_t<P, Q>;
        if constexpr (require_function<F, element, G>()) {
            check_options(name, f);
            require_same_shape(
                name, "the prediction", prediction.shape(), "the target", target.shape()
            );
            return call_with_function<element>(
                name, f, prediction.shape(),
                [&](const auto& function, const auto&... more) {
                    return to_loss(element_sum<element>(
                        name, function, m, gradient, prediction, target, more...
                    ));
                }
            );
        }
    }
    return {};
}

/// The value of a loss as a function of xtensor's.
template <class T, class F>
struct value_functor {
    F function;

    template <class... X>
    T operator()(const X&... x) const {
        return static_cast<T>(function.value(static_cast<T>(x)...));
    }

    template <class... V>
        requires(takes_registers<F, T, V...>())
    XMASK_INLINE auto simd_apply(const V&... x) const {
        return function.value(x...);
    }
};

/// The losses of all elements, lazy. A loss that may have a tensor as an option has one type for
/// both: the number is a tensor, too.
template <class T, class F, class P, class Q>
auto each_value(const char* name, const F& f, P&& prediction, Q&& target) {
    if constexpr (has_operand<F>) {
        const number_or_tensor& option = f.operand();
        if (option.tensor() != nullptr) {
            require_broadcast(name, F::operand_name, option.tensor()->shape(), prediction.shape());
        }
        using functor = value_functor<T, typename F::terms>;
        return xt::xfunction<functor, closure_t<P>, closure_t<Q>, xt::xarray<T>>(
            functor{}, std::forward<P>(prediction), std::forward<Q>(target),
            option.tensor() != nullptr ? xt::xarray<T>(*option.tensor())
                                       : xt::xarray<T>(static_cast<T>(option.number()))
        );
    } else {
        using functor = value_functor<T, F>;
        return xt::xfunction<functor, closure_t<P>, closure_t<Q>>(
            functor{f}, std::forward<P>(prediction), std::forward<Q>(target)
        );
    }
}

template <class F, class P, class Q, class M>
auto each_element(const char* name, const F& f, P&& prediction, Q&& target, M&& m) {
    if constexpr (require_real<P, Q>() && require_counted<M>()) {
        using element = loss_element_t<P, Q>;
        if constexpr (require_function<F, element, no_gradient>()) {
            check_options(name, f);
            require_same_shape(
                name, "the prediction", prediction.shape(), "the target", target.shape()
            );
            require_counted_shape(name, m, prediction.shape());
            auto values =
                each_value<element>(name, f, std::forward<P>(prediction), std::forward<Q>(target));
            if constexpr (weighted_mask_expression<M>) {
                return multiply(
                    multiply(std::move(values), std::forward<M>(m).weights()),
                    std::forward<M>(m).mask()
                );
            } else {
                return multiply(std::move(values), std::forward<M>(m));
            }
        }
    }
}
} // namespace detail

/// A loss of two tensors, made of a function of two numbers and its derivative by the first.
///
/// All losses are called alike, and the last two arguments may be left out:
///
///     xmask::masked_huber(p, t, m);
///     xmask::masked_huber(p, t, m, {.delta = 0.5});
///     xmask::masked_huber(p, t, m, gradient);
///     xmask::masked_huber(p, t, m, {.delta = 0.5}, gradient);
///
/// The gradient has the shape of the prediction, and is 0 where the mask drops. It is the gradient
/// of the sum; of_mean(tensor) asks for that of the mean. Losses are computed in the type of the
/// real operands, and summed in double. Cost: one pass over the kept elements; dropped elements are
/// not read. As reductions there are the sum (loss::sum), the mean (loss::mean()), the mean of the
/// means of rows (balanced(m)), and none (each).
///
/// The function is a struct, whose fields are the options. It has a template value(p, t), and for
/// gradients a template derivative(p, t), of two numbers or two registers; and, where options need
/// it, check(name), which throws for bad ones. Registers have + - * /, comparisons, and the
/// functions of xsimd, which take numbers, too: xsimd::exp, xsimd::abs, xsimd::select(condition, a,
/// b). A function of double also works, one element at a time.
///
/// @tparam F  the function, and the type of the options
///
/// A loss of your own, here sqrt(1 + (p - t)^2 / s^2) - 1. Sources: Charbonnier et al.,
/// Deterministic edge-preserving regularization in computed imaging, 1997; Barron, A general and
/// adaptive robust loss function, 2019, with alpha = 1.
///
///     struct charbonnier_loss
///     {
///         double scale = 1;
///
///         template <class V>
///         V value(const V& p, const V& t) const
///         {
///             const V u = (p - t) / xmask::constant<V>(scale);
///             return u * u / (xsimd::sqrt(u * u + V(1)) + V(1));    // the same, and exact for small u
///         }
///
///         template <class V>
///         V derivative(const V& p, const V& t) const
///         {
///             const V u = (p - t) / xmask::constant<V>(scale);
///             return u / (xsimd::sqrt(u * u + V(1)) * xmask::constant<V>(scale));
///         }
///     };
///     inline constexpr xmask::element_loss<charbonnier_loss> masked_charbonnier("masked_charbonnier");
///     double mean = masked_charbonnier(p, t, m, {.scale = 0.1}, gradient).mean();
template <class F>
class element_loss {
public:
    /// Makes a loss of its function.
    ///
    /// @param name  the name of the loss in errors
    constexpr explicit element_loss(const char* name) noexcept : m_name(name) {}

    /// Gives the loss.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
    /// @param m           a mask that broadcasts into the prediction, real weights, or both by
    ///   weighted() and balanced()
    /// @param options     the options; may be left out
    /// @returns  the sum over the kept elements, its weight and their count
    /// @throws std::invalid_argument  where shapes or options do not fit
    template <class P, class Q, class M>
    loss operator()(const P& prediction, const Q& target, const M& m, const F& options = {}) const {
        return detail::sum_of_elements(
            m_name, options, prediction, target, m, detail::no_gradient()
        );
    }

    /// Gives the loss, and writes its gradient.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
    /// @param m           a mask that broadcasts into the prediction, real weights, or both by
    ///   weighted() and balanced()
    /// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
    ///   scaled(tensor, factor)
    /// @returns  the sum over the kept elements, its weight and their count
    /// @throws std::invalid_argument  where shapes do not fit; nothing is written then
    template <class P, class Q, class M, class G>
        requires(!std::same_as<std::remove_cvref_t<G>, F>)
    loss operator()(const P& prediction, const Q& target, const M& m, G&& gradient) const {
        return (*this)(prediction, target, m, F{}, std::forward<G>(gradient));
    }

    /// Gives the loss with options, and writes its gradient.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
    /// @param m           a mask that broadcasts into the prediction, real weights, or both by
    ///   weighted() and balanced()
    /// @param options     the options
    /// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
    ///   scaled(tensor, factor)
    /// @returns  the sum over the kept elements, its weight and their count
    /// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
    template <class P, class Q, class M, class G>
    loss operator()(
        const P& prediction, const Q& target, const M& m, const F& options, G&& gradient
    ) const {
        if constexpr (detail::require_gradient<G>()) {
            return detail::sum_of_elements(m_name, options, prediction, target, m, gradient);
        } else {
            return {};
        }
    }

    /// Gives the losses of single elements, times their weights, and 0 where the mask drops.
    /// masked_sum and masked_mean of them give the loss of each row, or along any axes.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
    /// @param m           a mask that broadcasts into the prediction, real weights, or both by
    ///   weighted() and balanced()
    /// @param options     the options; may be left out
    /// @returns  a lazy expression of the shape of the prediction
    /// @throws std::invalid_argument  where shapes or options do not fit
    ///
    ///     xt::xarray<float> losses = xmask::masked_mse.each(p, t, m);
    ///     xt::xarray<float> of_rows = xmask::masked_mean(xmask::masked_huber.each(p, t, m, {.delta = 0.5}), m, -1);
    template <class P, class Q, class M>
    auto each(P&& prediction, Q&& target, M&& m, const F& options = {}) const {
        return detail::each_element(
            m_name, options, std::forward<P>(prediction), std::forward<Q>(target),
            std::forward<M>(m)
        );
    }

private:
    const char* m_name;
};

/// Gives a loss of your own as a lazy expression, summed over the kept elements.
///
/// Cost: one pass; only kept elements are computed.
///
/// @param e  a tensor or lazy expression of real numbers
/// @param m  a mask that broadcasts into e, real weights, or both by weighted() and balanced()
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where m does not broadcast into e
///
///     xmask::loss l = xmask::masked_loss(xt::abs(p - t), m);
template <class E, class M>
loss masked_loss(const E& e, const M& m) {
    if constexpr (detail::require_real<E>() && detail::require_counted<M>()) {
        using element = std::remove_cv_t<value_type_t<E>>;
        return detail::to_loss(detail::element_sum<element>(
            "masked_loss", detail::identity(), m, detail::no_gradient(), e
        ));
    } else {
        return {};
    }
}

/// Gives a loss of your own by its function, summed over the kept elements.
///
/// Cost: one pass over the kept elements.
///
/// @param function    a struct with value(p, t), as element_loss describes it
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or the options of the function do not fit
///
///     xmask::loss l = xmask::masked_loss(xmask::huber_loss{.delta = 0.1}, p, t, m);
template <class F, class P, class Q, class M>
    requires(!expression<F>)
loss masked_loss(const F& function, const P& prediction, const Q& target, const M& m) {
    return element_loss<F>("masked_loss")(prediction, target, m, function);
}

/// Gives a loss of your own by its function and its derivative, and writes its gradient.
///
/// Cost: one pass over the kept elements.
///
/// @param function    a struct with value(p, t) and derivative(p, t), as element_loss describes it
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      a tensor or lazy expression of numbers, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor)
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or the options of the function do not fit; nothing
///   is written then
///
///     xmask::loss l = xmask::masked_loss(xmask::huber_loss{.delta = 0.1}, p, t, m, gradient);
template <class F, class P, class Q, class M, class G>
    requires(!expression<F>)
loss masked_loss(
    const F& function, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    return element_loss<F>("masked_loss")(
        prediction, target, m, function, std::forward<G>(gradient)
    );
}
} // namespace xmask::inline XMASK_ABI
