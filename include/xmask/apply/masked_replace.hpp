// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <utility>

#include "../core/mask.hpp"
#include "choice.hpp"
#include "replace.hpp"

/// @file
/// masked_replace and masked_replace_inplace give dropped elements the values of another tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <bool Fits, class... /*Y*/>
struct replacement_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: masked_replace takes what is dropped from a tensor; for one value write xmask::masked_fill."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless dropped elements can be taken from Y.
template <class Y>
using require_replacement = replacement_expected<expression<Y> && !mask_expression<Y>, Y>;
} // namespace detail

/// Gives x where the mask keeps, and y where it drops.
///
/// Elements that are not chosen never influence the result, and a lazy operand is not computed
/// there. Cost: one pass when assigned, nothing allocated.
///
/// @param x  a tensor or lazy expression of any element type, layout and rank
/// @param m  a mask that broadcasts into x and does not enlarge it
/// @param y  a tensor or lazy expression that broadcasts into x; its elements are converted to
///   the element type of x
/// @returns  a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where the mask or y does not broadcast into x
///
///     xt::xtensor<float, 2> a = {{1, 2, 3}, {4, 5, 6}};
///     xt::xtensor<float, 2> b = {{10, 20, 30}, {40, 50, 60}};
///     auto m = xmask::keep_lengths({3, 1}, 3);
///     xt::xtensor<float, 2> c = xmask::masked_replace(a, m, 0.5f * b);
///     // 1, 2, 3
///     // 4, 25, 30
template <class X, class M, class Y>
auto masked_replace(X&& x, M&& m, Y&& y) {
    if constexpr (detail::require_all<
                      detail::require_tensor<X>, detail::require_mask<M>,
                      detail::require_replacement<Y>>()) {
        return detail::make_choice(
            "masked_replace", std::forward<X>(x), std::forward<M>(m), std::forward<Y>(y)
        );
    } else {
        return detail::refused();
    }
}

/// Overwrites dropped elements of x with those of y, in place.
///
/// Cost: the time to read and write the dropped elements. Where y reads an element of x other than
/// the written one, the dropped elements of y are copied first.
///
/// @param x  a tensor or view of any element type and layout, not const
/// @param m  a mask that broadcasts into x; it may look at x
/// @param y  a tensor or lazy expression that broadcasts into x; its elements are converted to
///   the element type of x
/// @throws std::invalid_argument  where the mask or y does not broadcast into x; x is unchanged
///   then
///
///     xmask::masked_replace_inplace(x, xmask::keep_finite(x), xt::zeros_like(x));
///     auto now = x;
///     // 0.5 -1 2 0
///     // 1 4 -3 0.25
///     // -2 0.125 1 3
template <class X, class M, class Y>
void masked_replace_inplace(X&& x, const M& m, const Y& y) {
    if constexpr (detail::require_all<
                      detail::require_tensor_target<X>, detail::require_mask<M>,
                      detail::require_replacement<Y>>()) {
        detail::replace_inplace("masked_replace_inplace", x, m, y);
    }
}
} // namespace xmask::inline XMASK_ABI
