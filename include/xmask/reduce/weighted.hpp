// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/xtensor.hpp"
#include "../masks/count_along.hpp"

/// @file
/// A mask and weights together: the elements that a loss, a sum or a mean counts, and how much.

namespace xmask::inline XMASK_ABI {
/// A mask whose kept elements have weights; weighted() and balanced() make it.
///
/// @tparam CTM  how the mask is held: a reference or a value
/// @tparam CTW  how the weights are held: a reference or a value
template <class CTM, class CTW>
class weighted_mask {
public:
    static constexpr bool holds_weights = true; ///< tells a weighted mask from a mask

    /// Holds a mask and weights.
    ///
    /// @param m        a mask
    /// @param weights  a tensor or lazy expression of real numbers
    template <class M, class W>
    weighted_mask(M&& m, W&& weights)
        : m_mask(std::forward<M>(m)), m_weights(std::forward<W>(weights)) {}

    /// The mask.
    [[nodiscard]] const std::decay_t<CTM>& mask() const& noexcept { return m_mask; }

    /// The mask, to be moved out of a temporary.
    [[nodiscard]] CTM&& mask() && noexcept { return static_cast<CTM&&>(m_mask); }

    /// The weights.
    [[nodiscard]] const std::decay_t<CTW>& weights() const& noexcept { return m_weights; }

    /// The weights, to be moved out of a temporary.
    [[nodiscard]] CTW&& weights() && noexcept { return static_cast<CTW&&>(m_weights); }

private:
    CTM m_mask;
    CTW m_weights;
};

namespace detail {
template <class T>
struct is_weighted_mask : std::false_type {};

template <class CTM, class CTW>
struct is_weighted_mask<weighted_mask<CTM, CTW>> : std::true_type {};
} // namespace detail

/// A mask with weights.
///
/// @tparam M  the type of the argument
template <class M>
concept weighted_mask_expression = detail::is_weighted_mask<std::remove_cvref_t<M>>::value;

namespace detail {
template <class M, class W>
auto make_weighted(M&& m, W&& weights) {
    return weighted_mask<closure_t<M>, closure_t<W>>(std::forward<M>(m), std::forward<W>(weights));
}

template <bool Fits, class... /*W*/>
struct weights_expected {
    consteval operator bool() const {
        static_assert(Fits, "xmask: weights are a tensor (or lazy expression) of real numbers.");
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless W are weights.
template <class W>
using require_weights = weights_expected<weight_expression<W>, W>;

/// Fails to compile, with one sentence, where M is neither a mask, nor weights, nor both.
template <class M>
using require_counted = mask_or_weights_expected<
    weighted_mask_expression<M> || mask_expression<M> || weight_expression<M>, M>;
} // namespace detail

/// Gives a mask whose kept elements have weights, for losses, masked_sum and masked_mean.
///
/// Dropped elements are never seen, neither those of the operand nor those of the weights. The
/// weight of a loss is the sum of the kept weights. Cost: none; named arguments are held by
/// reference.
///
/// @param m        a mask that broadcasts into the operand
/// @param weights  a tensor or lazy expression of real numbers that broadcasts into the operand
/// @returns        the third argument of a loss, or the second of masked_sum and masked_mean
///
///     double mean = xmask::masked_mse(p, t, xmask::weighted(m, weights)).mean();    // 34.4487
///     float by_weight = xmask::masked_mean(x, xmask::weighted(m, weights));    // 36.9464
template <class M, class W>
auto weighted(M&& m, W&& weights) {
    if constexpr (detail::require_all<detail::require_mask<M>, detail::require_weights<W>>()) {
        return detail::make_weighted(std::forward<M>(m), std::forward<W>(weights));
    } else {
        return detail::refused_mask();
    }
}

/// Gives a mask whose kept elements together weigh 1 at each position of the other axes.
///
/// The mean of a loss is then the mean of the means along `axes`, also of several losses that are
/// added. Positions that keep nothing do not count. Cost: one count of the mask, and one number for
/// each position.
///
/// @param m     a mask
/// @param axes  a number or a list of numbers, in braces or not; negative ones count from the last
///   axis
/// @returns     the third argument of a loss, or the second of masked_sum and masked_mean
/// @throws std::out_of_range  for an axis that the mask does not have
/// @throws std::invalid_argument  where an axis is named twice
///
///     xmask::loss l = xmask::masked_mse(p, t, xmask::balanced(m, -1), gradient);
///     double mean_of_means = l.mean();
///     double of_columns = xmask::masked_mse(p, t, xmask::balanced(m, {0})).mean();    // 3.12109
template <class M, class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::axes_argument<A>
auto balanced(M&& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const detail::kept_axes kept("balanced", m.shape(), axes);
        const auto counts = detail::count_along(m.shape(), m, kept);
        auto weights = xt::xarray<double>::from_shape(kept.full_shape());
        std::ranges::transform(counts, weights.data(), [](std::size_t count) {
            return count == 0 ? 0. : 1. / static_cast<double>(count);
        });
        return detail::make_weighted(std::forward<M>(m), std::move(weights));
    }
}

/// Gives a mask each of whose rows weighs 1: the mean of a loss is then the mean of the means of
/// rows.
///
/// Rows that keep nothing do not count. Cost: one count of the mask, and one number a row.
///
/// @param m  a mask
/// @returns  the third argument of a loss, or the second of masked_sum and masked_mean
///
///     double mean_of_means = xmask::masked_mse(p, t, xmask::balanced(m)).mean();    // 2.9375
template <class M>
auto balanced(M&& m) {
    return balanced(std::forward<M>(m), -1);
}
} // namespace xmask::inline XMASK_ABI
