// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "../core/assign.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "loss.hpp"
#include "weighted.hpp"

/// @file
/// The mask, the weights, or both, of a loss, and the target of its gradient.

namespace xmask::inline XMASK_ABI::detail {
/// Throws std::invalid_argument unless what counts broadcasts into the operand.
template <class M, class S>
void require_counted_shape(const char* function, const M& m, const S& shape) {
    if constexpr (weighted_mask_expression<M>) {
        require_broadcast(function, "a mask", m.mask().shape(), shape);
        require_broadcast(function, "weights", m.weights().shape(), shape);
    } else {
        require_broadcast(function, mask_expression<M> ? "a mask" : "weights", m.shape(), shape);
    }
}

/// The rows of the mask in what counts; all rows, where there are only weights.
template <class M, class S>
auto counted_rows(const M& m, const S& shape) {
    if constexpr (mask_expression<M>) {
        return mask_rows<M>(m, shape);
    } else if constexpr (weighted_mask_expression<M>) {
        return mask_rows<std::decay_t<decltype(m.mask())>>(m.mask(), shape);
    } else {
        return all_rows(shape);
    }
}

/// The weights in what counts, where there are some.
template <holds_weights M>
const auto& weights_in(const M& m) noexcept {
    if constexpr (weighted_mask_expression<M>) {
        return m.weights();
    } else {
        return m;
    }
}

/// The reads of a mask and weights by a loss, and its other reads. Weights are read again after the
/// gradient is written.
template <class M, class... Source>
auto sources_of_counted(const M& m, Source... others) noexcept {
    if constexpr (mask_expression<M>) {
        return bundle(read_in_place(m), others...);
    } else if constexpr (weighted_mask_expression<M>) {
        return bundle(read_in_place(m.mask()), read_anywhere(m.weights()), others...);
    } else {
        return bundle(read_anywhere(m), others...);
    }
}

/// Whether a gradient is asked for.
template <class G>
inline constexpr bool wants_gradient = !std::is_same_v<std::remove_cvref_t<G>, no_gradient>;

/// f(gradient), with a copy in place of the gradient's container. The result is copied into the
/// container.
template <class T, class E, class S, class F>
auto with_copy(const char* function, const scaled_gradient<E>& gradient, const S& shape, F&& f) {
    row_major_copy_t<T, E> copy;
    resize_or_check(function, "a copy of the gradient", copy, shape);
    const scaled_gradient<decltype(copy)> apart{copy, gradient.scale};
    const auto result = f(apart);
    resize_or_check(function, "the gradient", gradient.container, copy.shape());
    copy_back(gradient.container, copy);
    return result;
}

/// f(gradient), with a scaled_gradient of its shape: one type for all that may be the last argument
/// of a loss. Where the sources would be read too late, f gets a copy. `weight(gradient)` is the
/// weight of the loss, for a gradient of the mean. A generic lambda: only for such a gradient is it
/// compiled.
template <class T, class G, class S, class Sources, class Weight, class F>
auto with_gradient(
    [[maybe_unused]] const char* function, G& gradient, [[maybe_unused]] const S& shape,
    [[maybe_unused]] const Sources& sources, [[maybe_unused]] Weight&& weight, F&& f
) {
    if constexpr (wants_gradient<G>) {
        using traits = gradient_traits<G>;
        using container = typename traits::container;
        double scale = 0;
        if constexpr (of_the_mean<std::remove_const_t<G>>) {
            const double of_all = weight(gradient);
            scale = of_all == 0 ? 0 : 1 / of_all;
        } else {
            scale = traits::scale(gradient);
        }
        const scaled_gradient<container> to{traits::target(gradient), scale};
        if constexpr (any_may_overlap<typename target<container>::element, Sources>) {
            if (reads_too_late(to.container, shape, sources)) [[unlikely]] {
                return with_copy<T>(function, to, shape, f);
            }
        }
        resize_or_check(function, "the gradient", to.container, shape);
        return f(to);
    } else {
        return f(gradient);
    }
}
} // namespace xmask::inline XMASK_ABI::detail
