// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "../core/attributes.hpp"
#include "../core/exp.hpp"

/// @file
/// Sums of exponentials, and their logarithm: what softmax, logsumexp and cross entropy share.

namespace xmask::inline XMASK_ABI::detail {
/// The terms exp(x - largest), or exp(-x - largest). Of a shift by the largest no exponential overflows.
template <class T, bool Negative>
struct exp_terms {
    using value_type = T;

    static constexpr bool shifts = true;
    static constexpr std::size_t sums = 1;
    static constexpr std::size_t fact_count = 2;

    template <class V>
    XMASK_INLINE static V first(const V& x) noexcept {
        if constexpr (Negative) {
            return -x;
        } else {
            return x;
        }
    }

    /// Where all that is kept is -infinity, the shift is 0: no difference of infinities is taken.
    static T settle(T largest) noexcept {
        return largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x) noexcept {
        return exp_nonpositive(first(x) - largest);
    }
};

/// log(sum of exp(x)), given the shift and the sum of exp(x - shift).
template <class T>
T log_of_sum(T sum, T shift) {
    return std::log(sum) + shift;
}
} // namespace xmask::inline XMASK_ABI::detail
