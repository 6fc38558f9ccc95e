// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "../core/axes.hpp"
#include "../core/exp.hpp"
#include "../core/simd.hpp"
#include "exp_terms.hpp"
#include "extreme_fold.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "shifted.hpp"

/// @file
/// The logarithm of the sum of exponentials of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// exp(x - shift) for x up to the shift, or NaN.
struct exp_up_to_shift {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& shift) const {
        return exp_nonpositive(V(x - shift));
    }
};

/// The shift of exponents, given the largest one: 0 where all are -infinity, whose difference from
/// itself is NaN, and for NaN.
template <class T>
T shift_of(T largest) noexcept {
    return largest > -std::numeric_limits<T>::infinity() ? largest : T(0);
}

/// The largest element at each position of the result, and the sums of exp(x - shift).
template <class Largest, class Shifts, class Sums>
struct exp_sums {
    Largest largest;
    Shifts shifts;
    Sums sums;

    [[nodiscard]] std::size_t count(std::size_t i) const noexcept { return largest.count(i); }
};

template <class R, class X, class M, reduced_axes Axes>
auto exp_sums_over(const char* function, const X& x, const M& m, const Axes& over, bool counted) {
    const extreme_fold<R, extreme::largest> largest_of;
    auto largest =
        fold_over<R>(over, largest_of, x.shape(), masked_rows<R>(function, x, m), counted);
    auto shifts = one_each<R>(over);
    for (std::size_t i = 0; i < over.size(); ++i) {
        shifts[i] = shift_of(largest.state(i));
    }
    auto sums = sum_shifted<R, exp_up_to_shift>(function, x, m, over, shifts);
    return exp_sums<decltype(largest), decltype(shifts), decltype(sums)>{
        std::move(largest), std::move(shifts), std::move(sums)
    };
}

/// log(sum of exp(x)), given the largest x and the sum of exp(x - shift_of(largest)). The largest x
/// itself where it is infinite or NaN.
template <class R>
R log_of_shifted(R largest, wide_t<R> sum) {
    const auto shift = static_cast<wide_t<R>>(shift_of(largest));
    return std::isfinite(largest) ? static_cast<R>(log_of_sum(sum, shift)) : largest;
}

/// scale * exp(x - shift) for x up to the shift, or NaN.
struct scaled_exp {
    template <class A>
    A operator()(const A& x, const A& shift, const A& scale) const {
        using std::exp;
        return scale * exp(x - shift);
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return scale * exp_nonpositive(B(x - shift));
    }
};

struct logsumexp_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using result = mean_result_t<element_t<X>>;
        const auto all = exp_sums_over<result>(function, x, m, over, chosen.empty.has_value());
        return result_of<result>(function, over, all, chosen, [&](std::size_t i) {
            return log_of_shifted(all.largest.state(i), all.sums.state(i));
        });
    }

    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const no_options& /*options*/
    ) {
        using element = element_t<X>;
        const auto u = upstream_of<element>(function, upstream, axes);
        // Not by the logarithm of the sum, which is rounded to x's type.
        const auto all = exp_sums_over<element>(function, x, m, axes, false);
        const auto shift =
            at_positions<element>(axes, [&](std::size_t i) { return all.shifts[i]; });
        const auto scale = at_positions<element>(axes, [&](std::size_t i) {
            const auto sum = all.sums.state(i);
            // Beside infinity, everything else has no share.
            return sum == 0 || std::isinf(all.largest.state(i))
                       ? decltype(sum)(0)
                       : static_cast<decltype(sum)>(u.data()[i]) / sum;
        });
        return fill_kept<element>(x.shape(), lazy_function(scaled_exp(), x, shift, scale), m);
    }
};
} // namespace detail

/// log(sum of exp(x)) of what the mask keeps, -infinity where nothing is kept. Shifted by the
/// largest element, so that no exponential overflows.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns x's type, or double for integers.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: two passes over the kept elements.
///
///     float energy = xmask::masked_logsumexp(scores, m);    // 12.0003
///     xt::xarray<float> rows = xmask::masked_logsumexp(scores, m, -1);
///     // 1.51105 12.0001 3.07005
inline constexpr reduction<detail::logsumexp_formula> masked_logsumexp("masked_logsumexp");

/// The gradient of the sum of `upstream` times masked_logsumexp(x, m, axes) by x: u times the
/// softmax where the mask keeps, 0 where it drops.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_logsumexp.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
/// Cost: three passes over the kept elements.
///
///     xt::xtensor<float, 2> a = {{0, 0, 5}, {1, 1, 1}};
///     xt::xtensor<float, 1> up = {1, 3};
///     auto m = xmask::keep_lengths({2, 3}, 3);
///     xt::xarray<float> da = xmask::masked_logsumexp_gradient(a, m, up, -1);
///     // 0.5, 0.5, 0
///     // 1, 1, 1
inline constexpr reduction_gradient<detail::logsumexp_formula> masked_logsumexp_gradient(
    "masked_logsumexp_gradient"
);
} // namespace xmask::inline XMASK_ABI
