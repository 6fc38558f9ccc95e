// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/xtensor.hpp"
#include "element_function.hpp"
#include "element_sum.hpp"
#include "loss.hpp"
#include "loss_calls.hpp"
#include "weighted.hpp"

/// @file
/// Element-wise losses: a struct of named options with a value and a derivative becomes a loss,
/// with its gradient, for any mask, weights, layout and type.

namespace xmask::inline XMASK_ABI {
/// A loss of two tensors, made of a function of two numbers and its derivative by the first.
///
/// All losses are called alike, and the last two arguments may be left out:
///
///     xt::xtensor<float, 1> a = {1, 2, 3};
///     xt::xtensor<float, 1> b = {3, 2, 9};
///     auto m = xmask::keep_indices({0, 1}, 3);
///     xmask::masked_huber(a, b, m).sum();                    // 1.5
///     xmask::masked_huber(a, b, m, {.delta = 0.5}).sum();    // 0.875
///     xt::xtensor<float, 1> da;
///     xmask::masked_huber(a, b, m, {.delta = 0.5}, da);
///     da;    // -0.5, 0, 0
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
/// b). A function of double also works, one element at a time. A function whose value and
/// derivative share most of their work may also have slope(p, t), a std::array of both.
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
class element_loss : public loss_calls<element_loss<F>, F> {
    friend loss_calls<element_loss<F>, F>;

public:
    /// Makes a loss of its function.
    ///
    /// @param name  the name of the loss in errors
    constexpr explicit element_loss(const char* name) noexcept : m_name(name) {}

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
    ///     xt::xtensor<float, 2> a = {{1, 2, 3}, {4, 5, 6}};
    ///     xt::xtensor<float, 2> b = {{3, 2, 9}, {4, 6, 8}};
    ///     auto m = xmask::keep_lengths({2, 3}, 3);
    ///     xt::xarray<float> losses = xmask::masked_mse.each(a, b, m);
    ///     // 4, 0, 0
    ///     // 0, 1, 4
    ///     xt::xarray<float> of_rows = xmask::masked_mean(losses, m, -1);    // 2, 1.66667
    template <class P, class Q, class M>
    auto each(P&& prediction, Q&& target, M&& m, const F& options = {}) const {
        if constexpr (detail::require_element_loss<F, P, Q, M>()) {
            return detail::each_element(
                m_name, options, std::forward<P>(prediction), std::forward<Q>(target),
                std::forward<M>(m)
            );
        } else {
            return detail::refused();
        }
    }

private:
    template <class P, class Q, class M, class G>
    using fits = detail::require_element_loss<F, P, Q, M, G>;

    template <class P, class Q, class M, class G>
    loss sum(const P& prediction, const Q& target, const M& m, const F& options, G& gradient)
        const {
        return detail::sum_of_elements(m_name, options, prediction, target, m, gradient);
    }

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
///     double mean = l.mean();    // 1.43056
template <class E, class M>
loss masked_loss(const E& e, const M& m) {
    if constexpr (detail::require_all<detail::require_real<E>, detail::require_counted<M>>()) {
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
///     double mean = l.mean();    // 0.138056
template <class F, class P, class Q, class M>
    requires(!expression<F>)
loss masked_loss(const F& function, const P& prediction, const Q& target, const M& m) {
    if constexpr (detail::require_element_loss<F, P, Q, M>()) {
        const detail::no_gradient none{};
        return detail::sum_of_elements("masked_loss", function, prediction, target, m, none);
    } else {
        return {};
    }
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
///     double mean = l.mean();    // 0.138056
template <class F, class P, class Q, class M, class G>
    requires(!expression<F>)
loss masked_loss(
    const F& function, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    if constexpr (detail::require_element_loss<F, P, Q, M, G>()) {
        return detail::sum_of_elements("masked_loss", function, prediction, target, m, gradient);
    } else {
        return {};
    }
}
} // namespace xmask::inline XMASK_ABI
