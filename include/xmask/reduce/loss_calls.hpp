// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "../core/refused_calls.hpp"
#include "element_function.hpp"
#include "loss.hpp"

/// @file
/// The ways to call a loss: with options, with a gradient, with both, or with neither.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Fails to compile, with one sentence: what a call of a loss that is none gives.
template <class Loss>
struct refused_loss : loss {
    static constexpr bool is_call = std::is_void_v<Loss>;
    static_assert(
        is_call,
        "xmask: a loss takes a prediction, a target and a mask, and, if any, options and a gradient: "
        "masked_mse(p, t, m), masked_huber(p, t, m, {.delta = 0.5}, gradient). Everything counts under "
        "xmask::keep_all(t.shape()). Options are the fields that the loss documents, in their order; the mean is "
        "masked_mse(p, t, m).mean()."
    );
};
} // namespace detail

/// The calls that all losses have in common; the base of element_loss and class_loss. The loss has
/// `sum(prediction, target, m, options, gradient)`, which checks its arguments.
///
///     double mean = xmask::masked_mse(p, t, m).mean();    // 3.59201
///     xmask::loss l = xmask::masked_huber(p, t, m, {.delta = 0.5}, gradient);
///
/// @tparam Loss  the loss
/// @tparam Options  the type of its options
template <class Loss, class Options>
class loss_calls : detail::refused_calls<detail::refused_loss<Loss>> {
public:
    /// @cond
    using detail::refused_calls<detail::refused_loss<Loss>>::operator();
    /// @endcond

    /// Gives the loss.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      the targets, as the loss describes them
    /// @param m           a mask that broadcasts into the elements or positions, real weights, or
    ///   both by weighted() and balanced()
    /// @param options     the options; may be left out
    /// @returns  the sum over what is kept, its weight and its count
    /// @throws std::invalid_argument  where shapes or options do not fit
    /// @throws std::out_of_range  where the class of a kept position is not one of the classes
    template <class P, class Q, class M>
    loss operator()(const P& prediction, const Q& target, const M& m, const Options& options = {})
        const {
        if constexpr (typename Loss::template fits<P, Q, M, detail::no_gradient>()) {
            const detail::no_gradient none{};
            return own().sum(prediction, target, m, options, none);
        } else {
            return {};
        }
    }

    /// Gives the loss, and writes its gradient.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      the targets, as the loss describes them
    /// @param m           a mask that broadcasts into the elements or positions, real weights, or
    ///   both by weighted() and balanced()
    /// @param gradient    receives the gradient by the prediction, 0 for what is not kept: a
    ///   tensor, of_mean(tensor) or scaled(tensor, factor)
    /// @returns  the sum over what is kept, its weight and its count
    /// @throws std::invalid_argument  where shapes do not fit; nothing is written then
    /// @throws std::out_of_range  where the class of a kept position is not one of the classes
    template <class P, class Q, class M, class G>
        requires(!std::same_as<std::remove_cvref_t<G>, Options>)
    loss operator()(const P& prediction, const Q& target, const M& m, G&& gradient) const {
        if constexpr (typename Loss::template fits<P, Q, M, G>()) {
            return own().sum(prediction, target, m, Options{}, gradient);
        } else {
            return {};
        }
    }

    /// Gives the loss with options, and writes its gradient.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers
    /// @param target      the targets, as the loss describes them
    /// @param m           a mask that broadcasts into the elements or positions, real weights, or
    ///   both by weighted() and balanced()
    /// @param options     the options
    /// @param gradient    receives the gradient by the prediction, 0 for what is not kept: a
    ///   tensor, of_mean(tensor) or scaled(tensor, factor)
    /// @returns  the sum over what is kept, its weight and its count
    /// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
    /// @throws std::out_of_range  where the class of a kept position is not one of the classes
    template <class P, class Q, class M, class G>
    loss operator()(
        const P& prediction, const Q& target, const M& m, const Options& options, G&& gradient
    ) const {
        if constexpr (typename Loss::template fits<P, Q, M, G>()) {
            return own().sum(prediction, target, m, options, gradient);
        } else {
            return {};
        }
    }

private:
    [[nodiscard]] const Loss& own() const noexcept { return static_cast<const Loss&>(*this); }
};
} // namespace xmask::inline XMASK_ABI
