// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <type_traits>
#include <utility>

#include "../core/error.hpp"
#include "../core/xtensor.hpp"
#include "when_empty.hpp"

/// @file
/// What a loss returns, and how it writes its gradient.

namespace xmask::inline XMASK_ABI {
/// The sum of a loss over what is kept, the weight that it is of, and the number of elements:
/// without weights these are equal; with weights, `weight` is their sum. Losses of parts
/// (micro-batches, ranks) add up to the loss of the whole.
///
///     xmask::loss total;
///     total += xmask::masked_mse(x, y, m);
///     total += xmask::masked_mse(y, z, xmask::keep_above(z, 1));
///     double mean = total.mean();    // over all kept elements, not a mean of means
struct loss {
    double sum = 0;
    double weight = 0;
    double count = 0; ///< how many elements (or positions) count, whatever their weights

    /// sum / weight; where the weight is 0, what `empty` says (std::domain_error for raise).
    [[nodiscard]] double mean(when_empty empty = when_empty::nan) const {
        return weight != 0 ? sum / weight : detail::when_nothing_kept<double>("loss::mean", empty);
    }

    /// sum / count: a weighted loss over the number of elements, not over the sum of their weights,
    /// as the "mean" of PyTorch's mse_loss and binary_cross_entropy with weights.
    ///
    ///     xmask::loss l = xmask::masked_mse(x, y, xmask::weighted(m, weights));
    ///     double mean = l.mean_by_count();
    [[nodiscard]] double mean_by_count(when_empty empty = when_empty::nan) const {
        return count != 0 ? sum / count
                          : detail::when_nothing_kept<double>("loss::mean_by_count", empty);
    }

    loss& operator+=(const loss& other) noexcept {
        sum += other.sum;
        weight += other.weight;
        count += other.count;
        return *this;
    }

    friend loss operator+(loss a, const loss& b) noexcept { return a += b; }

    /// A loss is no number: this fails to compile, and says what to write.
    template <class T>
        requires std::is_arithmetic_v<T>
    operator T() const {
        constexpr bool is_number = !std::is_arithmetic_v<T>;
        static_assert(
            is_number,
            "xmask: a loss is a sum and a weight; write l.mean() for their quotient, or l.sum."
        );
        return T();
    }

    /// Prints the mean, the sum and the weight.
    ///
    ///     std::cout << xmask::loss{6, 4};    // mean 1.5, sum 6, weight 4
    template <class Stream>
        requires requires(Stream& out) { out.rdbuf()->pubsync(); }
    friend Stream& operator<<(Stream& out, const loss& l) {
        out << "mean " << l.mean() << ", sum " << l.sum << ", weight " << l.weight;
        return out;
    }
};

/// A container for a gradient, and the factor that it is written with.
template <class E>
struct scaled_gradient {
    E& container;
    double scale;
};

/// Has a loss write its gradient times `scale`: 1 / weight for the gradient of the mean, where that
/// is known. Throws std::invalid_argument for a factor of NaN.
///
///     auto kept = static_cast<double>(xmask::count_kept(m));
///     xmask::masked_mse(prediction, target, m, xmask::scaled(gradient, 1 / kept));
template <class E>
    requires expression<E>
scaled_gradient<E> scaled(E& container, double scale) {
    if (std::isnan(scale)) [[unlikely]] {
        detail::throw_invalid("scaled", "factor ", scale, "; expected a number");
    }
    return {container, scale};
}

/// A container for the gradient of a loss's mean.
template <class E>
struct mean_gradient {
    E& container;
};

/// Has a loss write the gradient of its mean, `loss::mean()`, in place of that of its sum.
///
/// Cost: the weight is found first, in a pass over the mask, as count_kept; weights are added up in a
/// pass over them. Where the weight is 0, the gradient is 0.
///
/// @param container  a tensor or a view, not const, which the loss gives the prediction's shape; held
///                   by reference
/// @returns          the last argument of a loss, or of masked_loss
///
///     xmask::loss l = xmask::masked_mse(prediction, target, m, xmask::of_mean(gradient));
///     prediction -= 0.1f * gradient;    // a step of training, however much is kept
template <class E>
    requires expression<E>
mean_gradient<E> of_mean(E& container) noexcept {
    return {container};
}

namespace detail {
/// Stands for a gradient that nobody asked for.
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

/// Its scale is known where the weight is: with_gradient makes a scaled_gradient of it.
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
