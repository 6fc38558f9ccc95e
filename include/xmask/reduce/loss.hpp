// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <type_traits>

#include "../core/error.hpp"
#include "../core/xtensor.hpp"
#include "when_empty.hpp"

/// @file
/// The result of a loss, and the ways to ask for its gradient.

namespace xmask::inline XMASK_ABI {
/// A number of a loss. It is read as a function, as means are: `l.sum()`; and, shorter, as a number:
/// `l.sum`.
///
///     xt::xtensor<float, 1> a = {1, 2, 3};
///     xt::xtensor<float, 1> b = {4, 2, 9};
///     xmask::loss l = xmask::masked_mse(a, b, xmask::keep_indices({0, 1}, 3));
///     double root = std::sqrt(l.sum() / l.weight());    // 2.12132
class loss_number {
public:
    /// A number.
    ///
    /// @param value  the number
    constexpr explicit loss_number(double value = 0) noexcept : m_value(value) {}

    /// Gives the number.
    ///
    /// @returns  the number
    constexpr double operator()() const noexcept { return m_value; }

    /// Gives the number.
    constexpr operator double() const noexcept { return m_value; }

    /// Replaces the number.
    ///
    /// @param value  the new number
    /// @returns      this number
    constexpr loss_number& operator=(double value) noexcept {
        m_value = value;
        return *this;
    }

    /// Adds to the number.
    ///
    /// @param value  the number to add
    /// @returns      this number
    constexpr loss_number& operator+=(double value) noexcept {
        m_value += value;
        return *this;
    }

private:
    double m_value;
};

/// The result of a loss: its sum over the kept elements, the sum of their weights, and their
/// number.
///
/// Without weights, weight and count are equal. Losses of parts (micro-batches, ranks) add up to
/// the loss of the whole. In memory, a loss is three doubles: sum, weight, count.
///
///     xt::xtensor<float, 1> a = {1, 2, 3};
///     xt::xtensor<float, 1> b = {3, 2, 9};
///     xmask::loss total;
///     total += xmask::masked_mse(a, b, xmask::keep_indices({0}, 3));
///     total += xmask::masked_mse(a, b, xmask::keep_all(3));
///     double mean = total.mean();    // 11
///     // Over all kept elements, not a mean of means.
struct loss {
    loss_number sum;    ///< sum(): the sum of the losses of kept elements, times their weights
    loss_number weight; ///< weight(): the sum of their weights; without weights, their number
    loss_number
        count; ///< count(): the number of kept elements, or positions, whatever their weights

    /// The loss of nothing: all numbers are 0.
    constexpr loss() = default;

    /// A loss of known numbers.
    ///
    /// @param of_sum     the sum of the losses of kept elements
    /// @param of_weight  the sum of their weights
    /// @param of_count   their number
    constexpr loss(double of_sum, double of_weight, double of_count = 0) noexcept
        : sum(of_sum), weight(of_weight), count(of_count) {}

    /// Gives the mean by weight, sum / weight.
    ///
    /// @param empty  the mean where the weight is 0
    /// @returns      the mean
    /// @throws std::domain_error  where the weight is 0 and `empty` is when_empty::raise
    [[nodiscard]] double mean(when_empty empty = when_empty::nan) const {
        return weight() != 0 ? sum() / weight()
                             : detail::when_nothing_kept<double>("loss::mean", empty);
    }

    /// Gives the mean by count, sum / count: the "mean" of PyTorch's mse_loss and
    /// binary_cross_entropy with weights.
    ///
    /// @param empty  the mean where the count is 0
    /// @returns      the mean
    /// @throws std::domain_error  where the count is 0 and `empty` is when_empty::raise
    ///
    ///     xt::xtensor<float, 1> a = {1, 2, 3};
    ///     xt::xtensor<float, 1> b = {3, 2, 9};
    ///     xt::xtensor<float, 1> w = {1, 2, 3};
    ///     auto m = xmask::keep_indices({0, 1}, 3);
    ///     xmask::loss l = xmask::masked_mse(a, b, xmask::weighted(m, w));
    ///     double mean = l.mean_by_count();    // 2
    [[nodiscard]] double mean_by_count(when_empty empty = when_empty::nan) const {
        return count() != 0 ? sum() / count()
                            : detail::when_nothing_kept<double>("loss::mean_by_count", empty);
    }

    /// Adds the loss of another part.
    loss& operator+=(const loss& other) noexcept {
        sum += other.sum;
        weight += other.weight;
        count += other.count;
        return *this;
    }

    /// Gives the loss of two parts together.
    friend loss operator+(loss a, const loss& b) noexcept { return a += b; }

    /// Fails to compile, with one sentence: a loss is not a number.
    ///
    /// @tparam T  the number type
    template <class T>
        requires std::is_arithmetic_v<T>
    operator T() const {
        constexpr bool is_number = !std::is_arithmetic_v<T>;
        static_assert(
            is_number,
            "xmask: a loss is a sum and a weight; write l.mean() for their quotient, or l.sum()."
        );
        return T();
    }

    /// Prints the mean, the sum and the weight.
    ///
    ///     std::cout << xmask::loss{6, 4};    // mean 1.5, sum 6, weight 4
    template <class Stream>
        requires requires(Stream& out) { out.rdbuf()->pubsync(); }
    friend Stream& operator<<(Stream& out, const loss& l) {
        out << "mean " << l.mean() << ", sum " << l.sum() << ", weight " << l.weight();
        return out;
    }
};

/// A gradient to be written times a factor; scaled() makes it.
///
/// @tparam E  the type of the tensor or view
template <class E>
struct scaled_gradient {
    E& container; ///< receives the gradient
    double scale; ///< the factor
};

/// Asks a loss for its gradient times a factor, such as 1 / weight for the gradient of the mean of
/// several losses.
///
/// @param container  a tensor or view, not const, that receives the gradient; held by reference
/// @param scale      the factor
/// @returns          the last argument of a loss
/// @throws std::invalid_argument  for a factor of NaN
///
///     auto kept = static_cast<double>(xmask::count_kept(m));    // 9
///     xmask::masked_mse(prediction, target, m, xmask::scaled(gradient, 1 / kept));
template <class E>
    requires expression<E>
scaled_gradient<E> scaled(E& container, double scale) {
    if (std::isnan(scale)) [[unlikely]] {
        detail::throw_invalid("scaled", "factor ", scale, "; expected a number");
    }
    return {container, scale};
}

/// A gradient of the mean of a loss; of_mean() makes it.
///
/// @tparam E  the type of the tensor or view
template <class E>
struct mean_gradient {
    E& container; ///< receives the gradient
};

/// Asks a loss for the gradient of its mean, loss::mean(), in place of that of its sum.
///
/// Where the weight is 0, the gradient is 0. Cost: a pass over the mask for the weight, as
/// count_kept, or a pass over the weights.
///
/// @param container  a tensor or view, not const, that receives the gradient; held by reference
/// @returns          the last argument of a loss, or of masked_loss
///
///     xt::xtensor<float, 1> a = {1, 2, 3};
///     xt::xtensor<float, 1> b = {3, 2, 9};
///     xt::xtensor<float, 1> da;
///     xmask::masked_mse(a, b, xmask::keep_indices({0, 1}, 3), xmask::of_mean(da));
///     da;    // -2, 0, 0
template <class E>
    requires expression<E>
mean_gradient<E> of_mean(E& container) noexcept {
    return {container};
}

namespace detail {
/// The argument in place of a gradient where none is asked for.
struct no_gradient {};

template <class G>
struct gradient_traits {
    using container = std::remove_reference_t<G>;

    static container& target(container& gradient) noexcept { return gradient; }

    static double scale(const container& /*gradient*/) noexcept { return 1; }
};

template <class E>
struct gradient_traits<scaled_gradient<E>> {
    using container = E;

    static E& target(const scaled_gradient<E>& gradient) noexcept { return gradient.container; }

    static double scale(const scaled_gradient<E>& gradient) noexcept { return gradient.scale; }
};

template <class E>
struct gradient_traits<const scaled_gradient<E>> : gradient_traits<scaled_gradient<E>> {};

/// The scale is known once the weight is: with_gradient then makes a scaled_gradient.
template <class E>
struct gradient_traits<mean_gradient<E>> {
    using container = E;

    static E& target(const mean_gradient<E>& gradient) noexcept { return gradient.container; }
};

template <class E>
struct gradient_traits<const mean_gradient<E>> : gradient_traits<mean_gradient<E>> {};

/// Whether the gradient of the mean is asked for.
template <class G>
inline constexpr bool of_the_mean = false;

template <class E>
inline constexpr bool of_the_mean<mean_gradient<E>> = true;
} // namespace detail
} // namespace xmask::inline XMASK_ABI
