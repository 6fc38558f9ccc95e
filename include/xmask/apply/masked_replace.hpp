// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "choice.hpp"
#include "replace.hpp"

/// @file
/// masked_replace and masked_replace_inplace: what is dropped becomes another tensor's.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class Y>
consteval bool require_replacement() {
    constexpr bool tensor = expression<Y> && !mask_expression<Y>;
    static_assert(
        tensor,
        "xmask: masked_replace takes what is dropped from a tensor; for one value write xmask::masked_fill."
    );
    return tensor;
}
} // namespace detail

/// x where the mask keeps, y where it drops; lazy, with x's shape and element type.
///
/// x, y: tensors or lazy expressions of any element type; y's elements are converted to x's type.
/// The mask and y broadcast into x and never enlarge it: std::invalid_argument otherwise. What is
/// not chosen is not seen on either side, and a lazy operand is not computed there. One pass, no
/// temporary.
///
///     xt::noalias(y) = xmask::masked_replace(x, xmask::keep_finite(x), z);
///     xt::noalias(y) = xmask::masked_replace(x, xmask::keep_lengths(lengths, n), 0.5f * y);
template <class X, class M, class Y>
auto masked_replace(X&& x, M&& m, Y&& y) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>() &&
                  detail::require_replacement<Y>()) {
        return detail::make_choice(
            "masked_replace", std::forward<X>(x), std::forward<M>(m), std::forward<Y>(y)
        );
    }
}

/// Overwrites what the mask drops with y; takes the time to write that. x is any assignable tensor
/// or view. Where y reads elements of x other than the one that is written, what is dropped of it
/// is copied first.
///
/// Throws std::invalid_argument where shapes do not fit, before anything is written.
///
///     xmask::masked_replace_inplace(x, xmask::keep_finite(x), xt::zeros_like(x));
template <class X, class M, class Y>
void masked_replace_inplace(X&& x, const M& m, const Y& y) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>() && detail::require_replacement<Y>()) {
        detail::replace_inplace("masked_replace_inplace", x, m, y);
    }
}
} // namespace xmask::inline XMASK_ABI
