// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <numbers>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/exp.hpp"
#include "../core/simd.hpp"
#include "element_loss.hpp"

/// @file
/// Losses of distributions: the Kullback-Leibler divergence, and counts under a Poisson
/// distribution.

namespace xmask::inline XMASK_ABI {
/// The divergence t (log t - p) of a log-probability p; exp(t) (t - p) where targets are
/// logarithms, too.
struct kl_div_loss {
    bool log_target = false; ///< whether targets are log-probabilities

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V zero(0);
        const V target = probability(t);
        const V log_of_target = log_target ? t : V(detail::called::log(t));
        return xsimd::select(target == zero, zero, target * (log_of_target - p));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& /*p*/, const V& t) const {
        return -probability(t);
    }

private:
    template <class V>
    XMASK_INLINE V probability(const V& t) const {
        return log_target ? detail::called::exp(t) : t;
    }
};

/// The loss exp(p) - t p, where p is the logarithm of the rate; p - t log(p + eps), where p is the
/// rate.
struct poisson_nll_loss {
    bool log_input = true; ///< whether predictions are logarithms of rates
    bool full = false;     ///< whether to add Stirling's approximation of log t! where t > 1
    double eps = 1e-8;     ///< is added to a rate before its logarithm; 0 or more

    void check(const char* name) const {
        detail::require_option(name, "eps", eps, detail::option_range::at_least(0).finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return slope(p, t)[0];
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return slope(p, t)[1];
    }

    template <class V>
    XMASK_INLINE std::array<V, 2> slope(const V& p, const V& t) const {
        std::array<V, 2> result;
        if (log_input) {
            const V rate = detail::called::exp(p);
            result = {rate - t * p, rate - t};
        } else {
            const V rate = p + constant<V>(eps);
            result = {p - t * detail::called::log(rate), V(1) - t / rate};
        }
        if (full) {
            result[0] += stirling(t);
        }
        return result;
    }

private:
    /// Stirling's approximation of log t!, 0 up to 1.
    template <class V>
    XMASK_INLINE static V stirling(const V& t) {
        const V approximation =
            t * detail::called::log(t) - t +
            constant<V>(0.5) * detail::called::log(V(constant<V>(2 * std::numbers::pi) * t));
        return xsimd::select(t > V(1), approximation, V(0));
    }
};

/// Gives the Kullback-Leibler divergence of log-probabilities from probabilities, summed over the
/// kept elements.
///
/// The loss is t (log t - p), and 0 where t is 0, as PyTorch's kl_div; the gradient is -t. The mean
/// counts each element of a distribution, as PyTorch's reduction "mean"; for "batchmean" divide the
/// sum by the number of distributions. Cost: one pass over the kept elements.
///
/// @param prediction  log-probabilities, a tensor or lazy expression of real numbers
/// @param target      probabilities, or their logarithms, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     kl_div_loss: {.log_target = false}; where true, targets are
///   log-probabilities; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     xmask::loss l = xmask::masked_kl_div(log_p, share, xmask::unsqueeze(m, -1));
///     double batch_mean = l.sum() / static_cast<double>(xmask::count_kept(m));    // 0
inline constexpr element_loss<kl_div_loss> masked_kl_div("masked_kl_div");

/// Gives the negative log-likelihood of counts under a Poisson distribution, summed over the kept
/// elements.
///
/// The loss is exp(p) - t p, or p - t log(p + eps) where p is the rate itself, as PyTorch's
/// poisson_nll_loss. With `full`, Stirling's approximation t log t - t + log(2 pi t) / 2 of log t!
/// is added where t > 1. Cost: one pass over the kept elements.
///
/// @param prediction  logarithms of rates, or rates, a tensor or lazy expression of real numbers
/// @param target      counts, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     poisson_nll_loss: {.log_input = true, .full = false, .eps = 1e-8}; may be
///   left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_poisson_nll(scores, tokens, m, {.full = true}).mean();
///     // 18039.9
inline constexpr element_loss<poisson_nll_loss> masked_poisson_nll("masked_poisson_nll");
} // namespace xmask::inline XMASK_ABI
