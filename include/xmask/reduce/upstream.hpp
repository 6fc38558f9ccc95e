// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "../core/axes.hpp"
#include "../core/mask.hpp"

/// @file
/// The order in which all gradients are called: the tensor, the mask, the upstream gradient, then
/// axes and options.

namespace xmask::inline XMASK_ABI::detail {
/// The upstream gradient as an array over the axes of the result.
template <class U>
concept upstream_argument = expression<U> && !mask_expression<U>;

/// Whether these are the third and the fourth argument of a gradient along axes, in this order or
/// swapped. require_gradient_order refuses the latter with a sentence.
template <class U, class A>
concept gradient_arguments = (expression<U> && axes_argument<A>) || upstream_argument<A>;

template <bool Fits, class... /*U*/>
struct gradient_order_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a gradient takes the tensor, the mask, the upstream gradient (that of what the result feeds), "
            "then axes and options, in this order."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, where the upstream gradient is not in its place.
template <class... U>
using require_gradient_order = gradient_order_expected<(upstream_argument<U> && ...), U...>;
} // namespace xmask::inline XMASK_ABI::detail
