// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "element_sum.hpp"
#include "loss.hpp"

/// @file
/// Element-wise losses: the mean squared error, and the sum of any lazy expression.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// (p - t)^2, and 2 (p - t) by p.
        struct squared_error
        {
            template <class V>
            XMASK_INLINE V value(const V& p, const V& t) const
            {
                const V difference = p - t;
                return difference * difference;
            }

            template <class V>
            XMASK_INLINE V derivative(const V& p, const V& t) const
            {
                const V difference = p - t;
                return difference + difference;
            }
        };

        template <class T>
        loss to_loss(const weighted_sum<T>& total) noexcept
        {
            return {static_cast<double>(total.sum), total.weight};
        }

        template <class E>
        consteval bool is_real()
        {
            if constexpr (expression<E>)
            {
                return std::is_floating_point_v<value_type_t<E>>;
            }
            else
            {
                return false;
            }
        }

        template <class... E>
        consteval bool require_real()
        {
            constexpr bool real = (is_real<E>() && ...);
            static_assert(real, "xmask: a loss takes tensors (or lazy expressions) of real numbers; convert integers first.");
            return real;
        }

        /// A loss of two tensors, by a function of two numbers and its derivative.
        template <class F, class P, class Q, class M, class G>
        loss element_loss(const char* function, const F& f, const P& prediction, const Q& target, const M& m, G&& gradient)
        {
            if constexpr (require_real<P, Q>() && require_mask_or_weights<M>())
            {
                using element = std::common_type_t<value_type_t<P>, value_type_t<Q>>;
                require_same_shape(function, "the prediction", prediction.shape(), "the target", target.shape());
                return to_loss(element_sum<element>(function, f, m, gradient, prediction, target));
            }
            else
            {
                return {};
            }
        }
    }

    /// The squared error (p - t)^2, summed over what the mask keeps.
    ///
    /// prediction, target: real tensors or lazy expressions of one shape. m: a mask that broadcasts into it, or real
    /// weights; then the loss's weight is their sum. Throws std::invalid_argument where shapes do not fit.
    /// One pass over what is kept; what is dropped is not read.
    ///
    ///     xmask::loss l = xmask::masked_mse(prediction, target, xmask::keep_lengths(lengths, n));
    ///     double mean = l.mean();
    template <class P, class Q, class M>
    loss masked_mse(const P& prediction, const Q& target, const M& m)
    {
        return detail::element_loss(
            "masked_mse", detail::squared_error(), prediction, target, m, detail::no_gradient()
        );
    }

    /// The same, and the gradient of the sum by the prediction, 2 (p - t), in the same pass: 0 where the mask drops.
    /// `gradient`: a tensor that is given the prediction's shape, or scaled(tensor, factor).
    ///
    ///     xmask::masked_mse(prediction, target, m, gradient);
    template <class P, class Q, class M, class G>
    loss masked_mse(const P& prediction, const Q& target, const M& m, G&& gradient)
    {
        return detail::element_loss("masked_mse", detail::squared_error(), prediction, target, m, gradient);
    }

    /// A loss of your own: the sum of a lazy expression over what the mask keeps, or times real weights.
    ///
    /// Only what is kept is computed. Throws std::invalid_argument where the mask does not broadcast into e.
    ///
    ///     xmask::loss l = xmask::masked_loss(xt::abs(prediction - target), m);
    template <class E, class M>
    loss masked_loss(const E& e, const M& m)
    {
        if constexpr (detail::require_real<E>() && detail::require_mask_or_weights<M>())
        {
            using element = value_type_t<E>;
            return detail::to_loss(
                detail::element_sum<element>("masked_loss", detail::identity(), m, detail::no_gradient(), e)
            );
        }
        else
        {
            return {};
        }
    }
}
