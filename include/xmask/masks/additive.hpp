// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <limits>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/xtensor.hpp"

/// @file
/// A mask as numbers to add to scores: 0 where it keeps, minus infinity where it drops.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The function of an additive mask.
template <class T>
struct to_additive {
    T operator()(bool kept) const noexcept {
        return kept ? T(0) : -std::numeric_limits<T>::infinity();
    }
};
} // namespace detail

/// 0 where a mask keeps, minus infinity where it drops: a float mask, as PyTorch calls it.
///
/// Where a row keeps nothing, a softmax of scores plus this is NaN.
///
///     xt::xtensor<float, 2> bias = xmask::additive<float>(xmask::keep_lengths({2, 4}, 4));
///     // 0, 0, -inf, -inf
///     // 0, 0, 0, 0
///
/// @tparam T a real type.
/// @param m a mask, held by reference if it is an lvalue.
/// @returns a lazy expression of T, of the mask's shape.
///
/// Cost: one of the mask; nothing is stored.
template <class T, class M>
auto additive(M&& m) {
    static_assert(
        std::is_floating_point_v<T>,
        "xmask: an additive mask is of a real type, which has an infinity."
    );
    if constexpr (detail::require_mask<M>()) {
        using expression = xt::xfunction<detail::to_additive<T>, detail::closure_t<M>>;
        return expression(detail::to_additive<T>(), std::forward<M>(m));
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
