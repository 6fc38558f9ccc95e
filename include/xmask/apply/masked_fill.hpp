// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "choice.hpp"
#include "replace.hpp"

/// @file
/// masked_fill and masked_fill_inplace give dropped elements one value.

namespace xmask::inline XMASK_ABI {
/// Gives x where the mask keeps, and `value` where it drops.
///
/// Dropped elements never influence the result: a NaN under the mask stays there. Cost: one pass
/// when assigned, nothing allocated; long dropped ranges of x are not read.
///
/// @param x      a tensor or lazy expression of any element type, layout and rank
/// @param m      a mask that broadcasts into x and does not enlarge it
/// @param value  a number, converted to the element type of x
/// @returns      a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
///
///     xt::xtensor<float, 2> scores = {{1, 2, 3}, {4, 5, 6}};
///     xt::noalias(y) = xmask::masked_fill(scores, xmask::keep_lengths({3, 1}, 3), -1e9f);
///     // 1, 2, 3
///     // 4, -1e9, -1e9
template <class X, class M, class T>
auto masked_fill(X&& x, M&& m, const T& value) {
    if constexpr (detail::require_all<detail::require_tensor<X>, detail::require_mask<M>>()) {
        return detail::make_fill("masked_fill", std::forward<X>(x), std::forward<M>(m), value);
    } else {
        return detail::refused();
    }
}

/// Overwrites dropped elements of x with `value`, in place.
///
/// Cost: the time to write the dropped elements; kept ranges are neither read nor written. A mask
/// that reads x at other places than its own element is stored first, one bit an element.
///
/// @param x      a tensor or view of any element type and layout, not const
/// @param m      a mask that broadcasts into x; it may look at x
/// @param value  a number, converted to the element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x; x is unchanged then
///
///     xt::xtensor<float, 2> a = {{1, 2, 3}, {4, 5, 6}};
///     xmask::masked_fill_inplace(a, xmask::keep_lengths({3, 1}, 3), -1);
///     a;
///     // 1, 2, 3
///     // 4, -1, -1
template <class X, class M, class T>
void masked_fill_inplace(X&& x, const M& m, const T& value) {
    if constexpr (detail::require_all<detail::require_tensor_target<X>, detail::require_mask<M>>(
                  )) {
        using element = std::remove_cv_t<value_type_t<X>>;
        detail::fill_inplace("masked_fill_inplace", x, m, static_cast<element>(value));
    }
}
} // namespace xmask::inline XMASK_ABI
