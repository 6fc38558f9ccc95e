// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "class_options.hpp"
#include "element_function.hpp"
#include "hard_cross_entropy.hpp"
#include "likelihood.hpp"
#include "loss.hpp"
#include "loss_calls.hpp"
#include "positions.hpp"
#include "soft_cross_entropy.hpp"
#include "weighted.hpp"

/// @file
/// Losses of a class for each position: cross entropy of logits, and negative log-likelihood of
/// log-probabilities.

namespace xmask::inline XMASK_ABI {
/// A loss with a class for each position: masked_cross_entropy and masked_nll. Called like all
/// losses: (prediction, target, what counts, options, gradient). Options, the gradient, or both may
/// be left out.
///
/// A position that does not count is not looked at. Its target may be anything, -100 too. The
/// weight of the loss is the number of positions that count, or the sum of their weights, each
/// times the weight of its target's class. Of probabilities it is the number or sum alone, as
/// PyTorch has it. Classes on another axis than the last take a view with this axis moved, and such
/// a view of the gradient.
///
/// @tparam Options  cross_entropy_options or nll_options
///
///     // (batch, classes, positions), as PyTorch has them
///     xt::xtensor<float, 3> first = xt::ones<float>({3, 110, 4});
///     double mean = xmask::masked_cross_entropy(xt::transpose(first, {0, 2, 1}), classes, m).mean();
///     // 4.70048
template <class Options>
class class_loss : public loss_calls<class_loss<Options>, Options> {
    friend loss_calls<class_loss<Options>, Options>;

    static constexpr bool of_logits = std::same_as<Options, cross_entropy_options>;
    static constexpr const char* name = of_logits ? "masked_cross_entropy" : "masked_nll";

public:
    /// Gives the losses of single positions. Not lazy: targets are checked first. With masked_sum
    /// and masked_mean they give a loss of each row, or along any axes.
    ///
    /// @param prediction  a tensor or lazy expression of real numbers, with the classes on the last
    ///    axis
    /// @param target  the class of each position: integers of the shape of the prediction without
    ///    its last axis; for a cross entropy also the probability of each class: real numbers of
    ///    the shape of the prediction
    /// @param m  a mask that broadcasts into the positions, real weights, or both by weighted() and
    ///   balanced()
    /// @param options  the options; may be left out
    /// @returns  an array of the shape of the positions and the type of the prediction, 0 for
    ///    positions that do not count
    /// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
    /// @throws std::out_of_range  where the target of a kept position is outside of the classes
    ///
    ///     xt::xtensor<float, 2> scores = {{0, 0}, {1, 1}, {2, 2}};
    ///     xt::xtensor<int, 1> right = {0, 1, 0};
    ///     auto m = xmask::keep_indices({0, 1}, 3);
    ///     xt::xarray<float> losses = xmask::masked_cross_entropy.each(scores, right, m);
    ///     // 0.693147, 0.693147, 0
    template <class P, class Q, class M>
    auto each(const P& prediction, const Q& target, const M& m, const Options& options = {}) const {
        if constexpr (fits<P, Q, M, detail::no_gradient>()) {
            using T = std::remove_cv_t<value_type_t<P>>;
            // The prediction's shape without classes. What does not fit is refused before it is
            // used.
            const auto& shape = prediction.shape();
            const std::size_t rank = shape.size() == 0 ? 0 : shape.size() - 1;
            auto losses = xt::xarray<T>::from_shape(
                detail::any_shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(rank))
            );
            losses.fill(T(0));
            const detail::no_gradient none{};
            visit(prediction, target, m, options, none, [&](std::size_t position, const loss& one) {
                losses.data()[position] = static_cast<T>(one.sum());
            });
            return losses;
        } else {
            return detail::refused();
        }
    }

private:
    template <class P, class Q, class M, class G>
    using fits = detail::require_all<
        detail::require_gradient<G>, detail::require_classes<P, Q, of_logits>,
        detail::require_counted<M>>;

    template <class P, class Q, class M, class G>
    static loss sum(
        const P& prediction, const Q& target, const M& m, const Options& options, G& gradient
    ) {
        return visit(prediction, target, m, options, gradient, [](std::size_t, const loss&) {});
    }

    /// The loss; calls f(position, loss) for each position that counts, and writes the gradient.
    template <class P, class Q, class M, class G, class F>
    static loss visit(
        const P& prediction, const Q& target, const M& m, const Options& options, G& gradient, F&& f
    ) {
        if constexpr (of_logits && detail::is_probabilities<Q>) {
            return detail::soft_cross_entropy(name, prediction, target, m, options, gradient, f);
        } else if constexpr (of_logits) {
            return detail::cross_entropy(name, prediction, target, m, options, gradient, f);
        } else {
            return detail::log_likelihood(name, prediction, target, m, options, gradient, f);
        }
    }
};

/// Cross entropy, -log softmax(prediction)[target], of real logits; as PyTorch's cross_entropy.
///
/// With smoothing e, class weights w and a z-loss z, of the classes there are, a position costs (1
/// - e) w[t] (L - x[t]) + e / (number of classes) * sum(w (L - x)) + z L^2, where L =
/// log(sum(exp(x))). Of probabilities q in place of a class it costs sum(w ((1 - e) q + e / (number
/// of classes)) (L - x)) + z L^2; these need not add up to 1, and a probability of 0 costs nothing.
/// A mask over classes leaves out the others, in L too.
///
/// @param prediction  a tensor or lazy expression of real numbers, with the classes on the last
///    axis
/// @param target  the class of each position: integers of the shape of the prediction without its
///    last axis; for a cross entropy also the probability of each class: real numbers of the shape
///    of the prediction
/// @param m  a mask that broadcasts into the positions, real weights, or both by weighted() and
///   balanced()
/// @param options  the options; may be left out
/// @param gradient  receives the gradient by the prediction, 0 for positions that do not count: a
///   tensor, of_mean(tensor) or scaled(tensor, factor)
/// @returns  the sum over the positions that count, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
/// @throws std::out_of_range  where the target of a kept position is outside of the classes
///
/// The logits of a position that counts are read twice, while in the cache.
///
///     auto kept = xmask::keep_not_equal(classes, -100);
///     // 1 1 1 1
///     // 1 1 1 1
///     // 1 1 1 1
///     double mean = xmask::masked_cross_entropy(logits, classes, kept).mean();    // 4.70048
///     xmask::masked_cross_entropy(logits, classes, kept, {.label_smoothing = 0.1}, logits_gradient);
///     double distilled = xmask::masked_cross_entropy(logits, share, kept).mean();    // 4.70048
inline constexpr class_loss<cross_entropy_options> masked_cross_entropy;

/// Negative log-likelihood, -w[target] prediction[target], of log-probabilities; as PyTorch's
/// nll_loss.
///
/// @param prediction  a tensor or lazy expression of real numbers, with the classes on the last
///    axis
/// @param target  the class of each position: integers of the shape of the prediction without its
///    last axis
/// @param m  a mask that broadcasts into the positions, real weights, or both by weighted() and
///   balanced()
/// @param options  the options; may be left out
/// @param gradient  receives the gradient by the prediction, 0 for positions that do not count: a
///   tensor, of_mean(tensor) or scaled(tensor, factor)
/// @returns  the sum over the positions that count, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
/// @throws std::out_of_range  where the target of a kept position is outside of the classes
///
/// Reads one log-probability of each position that counts.
///
///     double mean = xmask::masked_nll(log_p, classes, m).mean();    // 4.70048
inline constexpr class_loss<nll_options> masked_nll;
} // namespace xmask::inline XMASK_ABI
