// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
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
#include "terms.hpp"
#include "weighted.hpp"

/// @file
/// The function of an element-wise loss: its concept, its checks, and its sums and values.

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
/// A loss from the sum of its terms.
template <class T>
loss to_loss(const weighted_sum<T>& total) noexcept {
    return {static_cast<double>(total.sum), total.weight, total.count};
}

/// Whether E is a tensor of real numbers.
template <class E>
consteval bool is_real() {
    if constexpr (expression<E>) {
        return std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

/// Whether E is a tensor of numbers, and no mask.
template <class E>
consteval bool is_numbers() {
    if constexpr (expression<E> && !mask_expression<E>) {
        return std::is_arithmetic_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

template <bool Fits, class... /*P, Q*/>
struct loss_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a loss takes tensors (or lazy expressions) of real numbers, and a target of any numbers; convert an integer prediction first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless P is real and each Q holds numbers.
template <class P, class... Q>
using require_real = loss_tensors_expected<is_real<P>() && (is_numbers<Q>() && ...), P, Q...>;

/// The type in which a loss is computed: the type of its real operands.
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

    template <class V>
    XMASK_INLINE std::array<V, 2> slope(const V& p, const V& t) const {
        return slope_of<V>(Terms(), p, t, V(constant<V>(number)));
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
    } else if constexpr (requires { function.template in<T>(); }) {
        return call(function.template in<T>());
    } else {
        return call(function);
    }
}

/// Whether F has a value and, for a gradient, a derivative. True where P and Q are no tensors.
template <class F, class P, class Q, class... G>
consteval bool is_loss_function() {
    if constexpr (!has_operand<F> && is_real<P>() && is_numbers<Q>()) {
        using T = loss_element_t<P, Q>;
        constexpr bool derives = (std::is_same_v<std::decay_t<G>, no_gradient> && ...) ||
                                 requires(const F& f, const T& x) {
                                     { f.derivative(x, x) } -> std::convertible_to<T>;
                                 };
        return element_function<F, T> && derives;
    }
    return true;
}

template <bool Fits, class... /*F*/>
struct loss_function_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: the function of a loss is a struct with `value(p, t) const` and, for a gradient, `derivative(p, t) const`, of numbers; or two lambdas of (p, t): masked_loss(p, t, m, value, derivative, gradient)."
        );
        return Fits;
    }
};

template <bool Fits, class... /*G*/>
struct gradient_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or scaled(tensor, factor), and is written: neither const nor lazy."
        );
        return Fits;
    }
};

/// Whether G can be written as a gradient.
template <class G>
concept writable_gradient = requires {
    typename gradient_traits<std::remove_reference_t<G>>::container;
} && writable<typename gradient_traits<std::remove_reference_t<G>>::container>;

/// Fails to compile, with one sentence, unless G can be written as a gradient, or is none.
template <class G>
using require_gradient =
    gradient_expected<writable_gradient<G> || std::is_same_v<std::decay_t<G>, no_gradient>, G>;

/// Fails to compile, with one sentence, unless F is a function of these tensors, over what M counts,
/// and each G can be written as its gradient.
template <class F, class P, class Q, class M, class... G>
using require_element_loss = require_all<
    require_gradient<G>..., require_real<P, Q>, require_counted<M>,
    loss_function_expected<is_loss_function<F, P, Q, G...>(), F>>;

/// Calls the check of a function, if there is one: it throws for bad options.
template <class F>
void check_options(const char* function, const F& f) {
    if constexpr (requires { f.check(function); }) {
        f.check(function);
    }
}

/// The loss of a function over what m counts, and its gradient. Checks all values first.
template <class F, class P, class Q, class M, class G>
loss sum_of_elements(
    const char* name, const F& f, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    using element = loss_element_t<P, Q>;
    check_options(name, f);
    require_same_shape(name, "the prediction", prediction.shape(), "the target", target.shape());
    return call_with_function<element>(
        name, f, prediction.shape(),
        [&](const auto& function, const auto&... more) {
            return to_loss(
                element_sum<element>(name, function, m, gradient, prediction, target, more...)
            );
        }
    );
}

/// The value of a loss, as a functor of xtensor.
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

/// The losses of all elements, lazy. Where an option may be a number or a tensor, both give one
/// type: the number becomes a tensor.
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

/// The losses of single elements, lazy, times what m says. Checks all values first.
template <class F, class P, class Q, class M>
auto each_element(const char* name, const F& f, P&& prediction, Q&& target, M&& m) {
    using element = loss_element_t<P, Q>;
    check_options(name, f);
    require_same_shape(name, "the prediction", prediction.shape(), "the target", target.shape());
    require_counted_shape(name, m, prediction.shape());
    auto values =
        each_value<element>(name, f, std::forward<P>(prediction), std::forward<Q>(target));
    if constexpr (weighted_mask_expression<M>) {
        return multiply(
            multiply(std::move(values), std::forward<M>(m).weights()), std::forward<M>(m).mask()
        );
    } else {
        return multiply(std::move(values), std::forward<M>(m));
    }
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
