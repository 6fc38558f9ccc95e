// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "../core/refused_calls.hpp"

/// @file
/// What wrong calls of reductions, of their gradients and of pools give: nothing that compiles, and
/// one sentence.

namespace xmask::inline XMASK_ABI::detail {
/// Fails to compile, with one sentence: what a call that is none gives.
template <class Formula>
struct refused_reduction : refused {
    static constexpr bool is_call = !std::is_empty_v<Formula>;
    static_assert(
        is_call,
        "xmask: a reduction takes a tensor, a mask, and, if any, axes and options: masked_sum(x, m), "
        "masked_sum(x, m, 1), masked_sum(x, m, {0, 1}), masked_sum(x, m, 1, {.keep_axes = true}). Axes are "
        "integers; the share of a quantile, one number, comes before them. Options are the fields that the "
        "reduction documents, in their order."
    );
};

/// Fails to compile, with one sentence: what a call of a gradient that is none gives.
template <class Formula>
struct refused_reduction_gradient : refused {
    static constexpr bool is_call = !std::is_empty_v<Formula>;
    static_assert(
        is_call,
        "xmask: the gradient of a reduction takes the tensor, the mask, and, if any, the upstream gradient, axes and "
        "options: masked_sum_gradient(x, m), masked_sum_gradient(x, m, upstream, 1). Axes are integers. Options are "
        "the fields that the reduction documents, in their order."
    );
};

/// Fails to compile, with one sentence: what a call of a pooling that is none gives.
template <class Formula>
struct refused_pooling : refused {
    static constexpr bool is_call = !std::is_empty_v<Formula>;
    static_assert(
        is_call,
        "xmask: a pooling takes the features of tokens, a mask of the tokens, and, if any, options: "
        "masked_mean_pool(x, m), masked_mean_pool(x, m, {.keep_axes = true}). It has no axes: the tokens are the last "
        "axis but one."
    );
};
} // namespace xmask::inline XMASK_ABI::detail
