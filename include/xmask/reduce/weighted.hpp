// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/xtensor.hpp"
#include "../masks/ask.hpp"

/// @file
/// What counts in a loss, a sum or a mean, and how much: a mask and weights together.

namespace xmask::inline XMASK_ABI {
/// A mask whose kept elements have weights; made by weighted() and balanced().
template <class CTM, class CTW>
class weighted_mask {
public:
    static constexpr bool holds_weights = true;

    template <class M, class W>
    weighted_mask(M&& m, W&& weights)
        : m_mask(std::forward<M>(m)), m_weights(std::forward<W>(weights)) {}

    [[nodiscard]] const std::decay_t<CTM>& mask() const& noexcept { return m_mask; }

    [[nodiscard]] CTM&& mask() && noexcept { return static_cast<CTM&&>(m_mask); }

    [[nodiscard]] const std::decay_t<CTW>& weights() const& noexcept { return m_weights; }

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

/// Whether M is a mask with weights.
template <class M>
concept weighted_mask_expression = detail::is_weighted_mask<std::remove_cvref_t<M>>::value;

namespace detail {
template <class M, class W>
auto make_weighted(M&& m, W&& weights) {
    return weighted_mask<closure_t<M>, closure_t<W>>(std::forward<M>(m), std::forward<W>(weights));
}

template <class W>
consteval bool require_weights() {
    static_assert(
        weight_expression<W>, "xmask: weights are a tensor (or lazy expression) of real numbers."
    );
    return weight_expression<W>;
}

/// Fails to compile, with one sentence, where what counts is not said by a mask or weights.
template <class M>
consteval bool require_counted() {
    if constexpr (weighted_mask_expression<M>) {
        return true;
    } else {
        return require_mask_or_weights<M>();
    }
}
} // namespace detail

/// What a loss, masked_sum and masked_mean count: what the mask keeps, each element by its weight.
/// What is dropped is not seen, neither there nor in the weights.
///
/// weights: real numbers, a tensor or a lazy expression. Both broadcast into the operand. The
/// loss's weight is the sum of the weights that are kept. Lvalues are held by reference.
///
///     double mean = xmask::masked_mse(p, t, xmask::weighted(m, weights)).mean();
///     float by_weight = xmask::masked_mean(x, xmask::weighted(m, weights));
template <class M, class W>
auto weighted(M&& m, W&& weights) {
    if constexpr (detail::require_mask<M>() && detail::require_weights<W>()) {
        return detail::make_weighted(std::forward<M>(m), std::forward<W>(weights));
    }
}

/// A mask each of whose rows weighs 1 in all, however much it keeps: the loss's mean is then the
/// mean of its rows' means, and so is the mean of several losses added up. Rows that keep nothing
/// do not count. With `axes` (a number or a list, negative ones counted from the end), what is kept
/// along them weighs 1.
///
/// Holds one number a row. Throws as count_kept does.
///
///     xmask::loss l = xmask::masked_mse(p, t, xmask::balanced(m), gradient);
///     double mean_of_means = l.mean();
template <class M, detail::axes_argument A>
auto balanced(M&& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const auto counts = detail::ask_along<std::size_t>("balanced", m, axes, std::identity());
        // The mask's shape with 1 along the axes.
        std::vector<std::size_t> shape(m.shape().begin(), m.shape().end());
        const auto reduce = [&](auto axis) {
            if (shape.empty()) {
                return;
            }
            const auto from_end = static_cast<std::ptrdiff_t>(shape.size());
            const auto at = static_cast<std::ptrdiff_t>(axis);
            shape[static_cast<std::size_t>(at < 0 ? at + from_end : at)] = 1;
        };
        if constexpr (std::integral<A>) {
            reduce(axes);
        } else {
            std::ranges::for_each(axes, reduce);
        }
        auto weights = xt::xarray<double>::from_shape(shape);
        std::ranges::transform(counts, weights.data(), [](std::size_t count) {
            return count == 0 ? 0. : 1. / static_cast<double>(count);
        });
        return detail::make_weighted(std::forward<M>(m), std::move(weights));
    }
}

template <class M>
auto balanced(M&& m, std::initializer_list<std::ptrdiff_t> axes) {
    return balanced(std::forward<M>(m), std::vector<std::ptrdiff_t>(axes));
}

template <class M>
auto balanced(M&& m) {
    return balanced(std::forward<M>(m), -1);
}
} // namespace xmask::inline XMASK_ABI
