// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "choice.hpp"
#include "replace.hpp"

/// @file
/// masked_fill and masked_fill_inplace: what is dropped becomes a value.

namespace xmask::inline XMASK_ABI {
/// x where the mask keeps, `value` where it drops; lazy, with x's shape and element type.
///
/// The mask broadcasts into x, as NumPy does, and never enlarges it. What is dropped is not seen:
/// NaN there stays there. `value` is converted to x's element type. Throws std::invalid_argument
/// where the mask's shape does not fit. One pass, no temporary; what lies outside of the mask's
/// extent is not read.
///
///     xt::xtensor<float, 2> scores = {{1, 2, 3}, {4, 5, 6}};
///     xt::noalias(y) = xmask::masked_fill(scores, xmask::keep_lengths({3, 1}, 3), -1e9f);
///     // 1, 2, 3
///     // 4, -1e9, -1e9
template <class X, class M, class T>
auto masked_fill(X&& x, M&& m, const T& value) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        return detail::make_fill("masked_fill", std::forward<X>(x), std::forward<M>(m), value);
    }
}

/// Overwrites what the mask drops with `value`; takes the time to write that. x is any assignable
/// tensor or view.
///
/// Throws std::invalid_argument where the mask's shape does not fit, before anything is written.
///
///     xmask::masked_fill_inplace(scores, xmask::keep_lengths(lengths, n), -1e9f);
template <class X, class M, class T>
void masked_fill_inplace(X&& x, const M& m, const T& value) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        detail::fill_inplace("masked_fill_inplace", x, m, static_cast<element>(value));
    }
}
} // namespace xmask::inline XMASK_ABI
