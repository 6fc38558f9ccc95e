// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "../core/axes.hpp"
#include "extreme_fold.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "norm_sums.hpp"
#include "options.hpp"
#include "reduction.hpp"

/// @file
/// Norms of what a mask keeps, of any order.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// u sign(x) (|x| / norm)^(p - 1); 0 where x, u or the norm is 0, NaN where the norm is NaN. The
/// norm is one number or the product of two factors. Where the unit is infinite, infinite elements
/// count as 1 and others as 0.
struct norm_slope {
    double p;

    template <class A, class N>
    A operator()(const A& x, const A& u, const N& norm) const {
        return slope(x, u, norm, std::abs(static_cast<N>(x)) / norm);
    }

    template <class A, class N>
    A operator()(const A& x, const A& u, const N& unit, const N& root) const {
        const N size = std::abs(static_cast<N>(x));
        const N ratio = std::isinf(unit) ? (std::isinf(size) ? N(1) : N(0)) : size / unit;
        return slope(x, u, root, ratio / root);
    }

private:
    // The ratio first: neither power alone need be a number.
    template <class A, class N>
    A slope(const A& x, const A& u, const N& norm, const N& ratio) const {
        if (p == 1) {
            return x < A(0) ? -u : x > A(0) ? u : x == A(0) ? A(0) : x;
        }
        if (is_nan(norm)) {
            return static_cast<A>(norm);
        }
        if (x == A(0) || u == A(0) || norm == N(0)) {
            return A(0);
        }
        const N size = p == 2 ? ratio : std::pow(ratio, static_cast<N>(p - 1));
        return static_cast<A>(static_cast<N>(x < A(0) ? -u : u) * size);
    }
};

/// a sign(x) where |x| is the extreme magnitude, else 0. NaN where the extreme is NaN.
struct extreme_slope {
    template <class A>
    A operator()(const A& x, const A& a, const A& extreme) const {
        if (is_nan(extreme)) {
            return extreme;
        }
        return std::abs(x) == extreme && x != A(0) ? (x < A(0) ? -a : a) : A(0);
    }
};

/// 1 where |x| is the extreme magnitude, else 0.
struct extreme_tie {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        using std::abs;
        return abs(x) == extreme ? A(1) : A(0);
    }
};

/// How many kept elements have this magnitude, at each position of the axes that stay.
template <class X, class M>
auto ties_along(
    const char* function, const X& x, const M& m, const kept_axes& axes,
    const xt::xarray<element_t<X>>& size
) {
    using element = element_t<X>;
    return fold_elements<element>(
        function, sum_fold<element>(), lazy_function(extreme_tie(), x, size), m, axes,
        reduce_options()
    );
}

/// The gradient of a largest or smallest magnitude: elements that tie share it.
template <class X, class M, class U, class Norms>
auto extreme_norm_gradient(
    const char* function, const X& x, const M& m, const kept_axes& axes, const U& u,
    const Norms& norms
) {
    using element = element_t<X>;
    const auto size = at_positions<element>(axes, [&](std::size_t i) { return norms[i].root; });
    const auto ties = ties_along(function, x, m, axes, size);
    const auto share = at_positions<element>(axes, [&](std::size_t i) {
        return ties.data()[i] == 0 ? element(0) : u.data()[i] / ties.data()[i];
    });
    return fill_kept<element>(x.shape(), lazy_function(extreme_slope(), x, share, size), m);
}

/// The gradient of norms of order p that are only known by two factors, or infinite. Infinite
/// elements are taken for equal ones, beside which all others are 0.
template <class X, class M, class U, class Norms>
auto scaled_norm_gradient(
    const char* function, const X& x, const M& m, const kept_axes& axes, const U& u,
    const Norms& norms, double p
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto infinite = at_positions<element>(axes, [](std::size_t /*i*/) {
        return std::numeric_limits<element>::infinity();
    });
    const auto ties = ties_along(function, x, m, axes, infinite);
    const auto unit = at_positions<wide>(axes, [&](std::size_t i) {
        return std::isinf(norms[i].root) ? norms[i].root : norms[i].unit;
    });
    const auto root = at_positions<wide>(axes, [&](std::size_t i) {
        const wide count = std::max(static_cast<wide>(ties.data()[i]), wide(1));
        return std::isinf(norms[i].root) ? std::pow(count, static_cast<wide>(1 / p))
                                         : norms[i].root;
    });
    return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, unit, root), m);
}

struct norm_formula : plain_arguments {
    using options = norm_options;
    using gradient_options = norm_options;

    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using result = mean_result_t<element_t<X>>;
        using wide = wide_t<element_t<X>>;
        const double p = chosen.p;
        return with_norm<wide>(
            function, p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                const auto sums = fold_over<wide>(
                    over, fold, x.shape(), masked_rows<wide>(function, x, m, f),
                    chosen.empty.has_value()
                );
                const auto as_result = [&](auto&& norm) {
                    return result_of<result>(
                        function, over, sums, shared_options(chosen),
                        [&](std::size_t i) { return static_cast<result>(norm(i)); }
                    );
                };
                if (powers_fit<element_t<X>>(p) || holds_exact_norms(sums, x, m, over, p, finish))
                    [[likely]] {
                    return as_result([&](std::size_t i) { return finish(sums.state(i)); });
                }
                const auto norms = exact_norms<wide>(function, x, m, over, p, sums, finish);
                return as_result([&](std::size_t i) { return norms[i].value(); });
            }
        );
    }

    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const options& chosen
    ) {
        const double p = chosen.p;
        using element = element_t<X>;
        using wide = wide_t<element>;
        require_broadcast(function, "a mask", m.shape(), x.shape());
        const auto u = upstream_of<element>(function, upstream, axes);
        if (p == 0) {
            // A number of elements has no slope.
            auto none = row_major_copy_t<element, X>::from_shape(x.shape());
            none.fill(element(0));
            return none;
        }
        const auto norms =
            with_norm<wide>(function, p, [&](const auto& fold, const auto& f, const auto& finish) {
                const auto sums = fold_over<wide>(
                    axes, fold, x.shape(), masked_rows<wide>(function, x, m, f), false
                );
                return exact_norms<wide>(function, x, m, axes, p, sums, finish);
            });
        if (std::isinf(p)) {
            return extreme_norm_gradient(function, x, m, axes, u, norms);
        }
        const bool plain = std::ranges::all_of(norms, [](const auto& one) {
            return one.value() == 0 || is_nan(one.value()) || std::isnormal(one.value());
        });
        if (plain || p == 1) {
            const auto norm =
                at_positions<wide>(axes, [&](std::size_t i) { return norms[i].value(); });
            return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, norm), m);
        }
        return scaled_norm_gradient(function, x, m, axes, u, norms, p);
    }
};
} // namespace detail

/// The norm of what the mask keeps: (sum of |x|^p)^(1/p), with p = 2 unless the options say
/// otherwise. 0 where nothing is kept, or +infinity where p is negative.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options norm_options or a when_empty.
/// @returns x's type, or double for integers; computed in double.
/// @throws std::invalid_argument where the mask does not broadcast into x, or p is NaN;
///    std::out_of_range for an axis that x does not have.
///
/// Cost: one pass over the kept elements, and two more where its powers are too small or too large
/// for a double: the norm of {1e200, 1e200} is 1.4e200.
///
///     float length = xmask::masked_norm(x, m);    // 5.68578
///     float largest = xmask::masked_norm(x, m, {.p = std::numeric_limits<double>::infinity()});
///     // 4
///     xt::xarray<float> rows = xmask::masked_norm(x, m, -1, {.p = 1, .keep_axes = true});
///     // 1.5
///     // 8.25
///     // 3.125
inline constexpr reduction<detail::norm_formula> masked_norm("masked_norm");

/// The gradient of the sum of `upstream` times masked_norm(x, m, axes, options) by x: u sign(x)
/// (|x| / norm)^(p - 1) where the mask keeps, 0 where it drops and where x is 0.
///
/// Of p = infinity, elements that tie share it evenly. It is NaN for all that is kept where the
/// norm is NaN (of p = 1, for the elements that are). Where k infinite elements are kept, they get
/// u sign(x) k^(1 / p - 1), as equal ones would, and finite elements 0 (u sign(x) of p = 1,
/// infinity of p below 1).
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_norm.
/// @param options those of masked_norm.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, or p is NaN; std::out_of_range for an
///    axis that x does not have.
///
/// Cost: two passes over the kept elements, and up to three more where its powers are too small or
/// too large for a double.
///
///     xt::xarray<float> dx = xmask::masked_norm_gradient(x, m, upstream, -1);
///     // 0.447214 -0.894427 0 0
///     // 0.391762 1.56705 -1.17529 0.0979404
///     // -2.6791 0.167444 1.33955 0
inline constexpr reduction_gradient<detail::norm_formula> masked_norm_gradient(
    "masked_norm_gradient"
);
} // namespace xmask::inline XMASK_ABI
