// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <numbers>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/exp.hpp"
#include "../core/simd.hpp"
#include "element_loss.hpp"

/// @file
/// Losses between distributions: Kullback-Leibler divergence, and counts under a Poisson
/// distribution.

namespace xmask::inline XMASK_ABI {
/// t (log t - p) of a log-probability p; or, where targets are logarithms too, exp(t) (t - p).
struct kl_div_loss {
    bool log_target = false;

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V zero(0);
        const V target = probability(t);
        const V log_of_target = log_target ? t : V(xsimd::log(t));
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

/// exp(p) - t p, p being the logarithm of the rate; or p - t log(p + eps), p being the rate itself.
struct poisson_nll_loss {
    bool log_input = true;
    bool full = false;
    double eps = 1e-8;

    void check(const char* name) const {
        detail::require_option(name, "eps", eps, detail::option_range::at_least(0).finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V l = log_input ? V(xsimd::exp(p) - t * p)
                              : V(p - t * detail::called::log(p + constant<V>(eps)));
        return full ? V(l + stirling(t)) : l;
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return log_input ? V(xsimd::exp(p) - t) : V(V(1) - t / (p + constant<V>(eps)));
    }

private:
    /// Stirling's approximation of log t!, 0 up to 1.
    template <class V>
    XMASK_INLINE static V stirling(const V& t) {
        const V approximation =
            t * detail::called::log(t) - t +
            constant<V>(0.5) * detail::called::log(constant<V>(2 * std::numbers::pi) * t);
        return xsimd::select(t > V(1), approximation, V(0));
    }
};

/// The Kullback-Leibler divergence of log-probabilities p from probabilities t, as PyTorch's
/// kl_div: t (log t - p), 0 where t is 0; gradient -t. Options: log_target = false; if true,
/// targets are log-probabilities, exp(t) (t - p). Each element of a distribution is one element of
/// the mean, as PyTorch's reduction "mean" has it; for its "batchmean" divide the sum by the number
/// of distributions. element_loss says what the arguments are.
///
///     xmask::loss l = xmask::masked_kl_div(log_p, share, xmask::unsqueeze(m, -1));
///     double batch_mean = l.sum / static_cast<double>(xmask::count_kept(m));
inline constexpr element_loss<kl_div_loss> masked_kl_div("masked_kl_div");

/// The negative log-likelihood of counts t under a Poisson distribution, as PyTorch's
/// poisson_nll_loss: exp(p) - t p, p being the logarithm of its rate. Options: log_input = true; if
/// false, p is the rate, p - t log(p + eps); eps = 1e-8. full = false; if true, log t! is added
/// where t > 1, by Stirling's approximation t log t - t + log(2 pi t) / 2. element_loss says what
/// the arguments are.
///
///     double mean = xmask::masked_poisson_nll(scores, tokens, m, {.full = true}).mean();
inline constexpr element_loss<poisson_nll_loss> masked_poisson_nll("masked_poisson_nll");
} // namespace xmask::inline XMASK_ABI
