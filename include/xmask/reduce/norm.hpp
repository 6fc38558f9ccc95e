// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "element_sum.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "sum.hpp"

/// @file
/// Norms of what a mask keeps, of any order.

namespace xmask::inline XMASK_ABI {
/// Options of a norm. Its order p: 2 for the Euclidean norm, 1 for the sum of magnitudes, infinity
/// for the largest magnitude, -infinity for the smallest, 0 for the number of elements that are not
/// 0, or any other number.
struct norm_options {
    double p = 2;
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
struct magnitude {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        using std::abs;
        return abs(x);
    }
};

struct square {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return x * x;
    }
};

/// |x|^p, or for p = 0 whether x is not 0.
struct magnitude_power {
    double p;

    template <class V>
    V value(const V& x) const {
        using std::abs;
        using std::pow;
        if (p == 0) {
            if constexpr (std::is_floating_point_v<V>) {
                return x != 0 ? V(1) : V(0);
            } else {
                return xsimd::select(x != V(0.), V(1.), V(0.));
            }
        }
        return pow(abs(x), V(p));
    }
};

/// Calls visit(fold, function, finish) with what computes the norm of order p.
template <class T, class F>
auto with_norm(const char* function, double p, F&& visit) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto same = [](T state) { return state; };
    require_option(function, "p", p, option_range::any_number());
    if (p == infinity) {
        // Of no magnitude, 0 is the largest.
        return visit(extreme_fold<T, extreme::largest>(), magnitude(), [](T state) {
            return state < 0 ? T(0) : state;
        });
    }
    if (p == -infinity) {
        return visit(extreme_fold<T, extreme::smallest>(), magnitude(), same);
    }
    if (p == 1) {
        return visit(sum_fold<T>(), magnitude(), same);
    }
    if (p == 2) {
        return visit(sum_fold<T>(), square(), [](T state) { return std::sqrt(state); });
    }
    return visit(sum_fold<T>(), magnitude_power{p}, [p](T state) {
        return p == 0 ? state : std::pow(state, static_cast<T>(1 / p));
    });
}

/// Whether a norm of order p is exact whatever elements of T there are: none of their powers is
/// beyond a double.
template <class T>
bool powers_fit(double p) noexcept {
    const bool is_narrow = std::is_integral_v<T> || sizeof(T) <= sizeof(float);
    const double size = std::abs(p);
    return p == 0 || p == 1 || std::isinf(p) || (is_narrow && size >= 0.5 && size <= 6);
}

/// Whether the root of a sum of powers is exact: nothing that counts was too small or too large for
/// T. From |p| = 1 on only powers can be.
template <class T, class Finish>
XMASK_INLINE bool is_exact_norm(T sum, double p, const Finish& finish) noexcept {
    using limits = std::numeric_limits<T>;
    constexpr T elements = std::uint64_t(1) << 40;
    const auto outside = [](T x, T least) { return (x < least) | (x > limits::max()); };
    return !outside(sum, limits::min() / limits::epsilon() * elements) &&
           (std::abs(p) >= 1 || !outside(finish(sum), limits::min()));
}

/// Whether all norms along axes are exact, which are the roots of these sums: of nothing, too.
template <class T, class S, class M, class Finish>
bool holds_exact_norms(
    const folded_axes<T>& sums, const S& shape, const M& m, const kept_axes& axes, double p,
    const Finish& finish
) {
    std::size_t inexact = 0;
    std::size_t empty = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const T sum = sums.state(i);
        inexact += static_cast<std::size_t>(!is_exact_norm(sum, p, finish));
        empty += static_cast<std::size_t>(sum == 0);
    }
    if (inexact == 0 || empty == 0) {
        return inexact == 0;
    }
    // Only the mask tells an empty sum from one of powers that are too small.
    const auto counts = axes.keeps_last() ? count_rows(shape, m, axes) : std::vector<std::size_t>();
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const std::size_t count = counts.empty() ? sums.count(i) : counts[i];
        if (count != 0 && !is_exact_norm(sums.state(i), p, finish)) {
            return false;
        }
    }
    return true;
}

/// The power of a magnitude over a unit.
struct scaled_power {
    double p;

    template <class V>
    XMASK_INLINE V value(const V& x, const V& unit) const {
        const V ratio = x / unit;
        return p == 2 ? ratio * ratio : magnitude_power{p}.value(ratio);
    }
};

/// A norm in two factors: its power may be beyond any number.
template <class T>
struct norm_factors {
    T unit;
    T root;

    [[nodiscard]] T value() const noexcept { return unit * root; }
};

/// The power of two below each extreme magnitude that is a unit, else 1.
template <class T, extreme Which, class X, class M>
std::vector<T> units_along(const char* function, const X& x, const M& m, const kept_axes& axes) {
    auto rows = masked_rows<T>(function, x, m, magnitude());
    const auto extremes = fold_along<T>(
        extreme_fold<T, Which>(), x.shape(), axes, plain_rows<decltype(rows)>{std::move(rows)},
        false
    );
    std::vector<T> units(axes.size());
    for (std::size_t i = 0; i < units.size(); ++i) {
        const T size = extremes.state(i);
        const bool measures = size > 0 && size <= std::numeric_limits<T>::max();
        units[i] = measures ? std::ldexp(T(1), std::ilogb(size)) : T(1);
    }
    return units;
}

/// Norms along axes. Where one is not exact, it is summed again, of elements over a unit that is the
/// power of two below the largest magnitude (the smallest, where p is negative).
template <class T, class X, class M>
std::vector<norm_factors<T>> norms_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, double p
) {
    std::vector<norm_factors<T>> norms(axes.size());
    return with_norm<T>(function, p, [&](const auto& fold, const auto& f, const auto& finish) {
        auto rows = masked_rows<T>(function, x, m, f);
        const auto all = fold_along<T>(
            fold, x.shape(), axes, plain_rows<decltype(rows)>{std::move(rows)}, false
        );
        bool exact = true;
        for (std::size_t i = 0; i < norms.size(); ++i) {
            const T sum = all.state(i);
            norms[i] = {T(1), finish(sum)};
            exact = exact && is_exact_norm(sum, p, finish);
        }
        if (exact || powers_fit<element_t<X>>(p)) {
            return norms;
        }
        const auto lost = [&](std::size_t i) { return !is_exact_norm(all.state(i), p, finish); };
        const auto units = p > 0 ? units_along<T, extreme::largest>(function, x, m, axes)
                                 : units_along<T, extreme::smallest>(function, x, m, axes);
        const auto sums = sum_shifted<T>(x, m, axes, units, scaled_power{p});
        for (std::size_t i = 0; i < norms.size(); ++i) {
            if (lost(i)) {
                norms[i] = {units[i], finish(sums.state(i))};
            }
        }
        return norms;
    });
}
} // namespace detail

/// The norm of what the mask keeps: (sum of |x|^p)^(1/p), p = 2 unless the options say otherwise; 0
/// where nothing is kept (+infinity where p is negative).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers; computed in
/// double. Throws std::invalid_argument where the mask does not broadcast into x, or p is NaN. One
/// pass over what is kept, and two more where powers of it are too small or too large for a double:
/// the norm of {1e200, 1e200} is 1.4e200.
///
///     float length = xmask::masked_norm(x, m);
///     float largest = xmask::masked_norm(x, m, {.p = std::numeric_limits<double>::infinity()});
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                const auto total = detail::fold_all<wide>(
                    fold, x.shape(), detail::masked_rows<wide>("masked_norm", x, m, f)
                );
                if (total.count == 0) {
                    return detail::when_nothing_kept<result>(
                        "masked_norm", chosen.empty, static_cast<result>(finish(total.state))
                    );
                }
                if (detail::is_exact_norm(total.state, chosen.p, finish) ||
                    detail::powers_fit<detail::element_t<X>>(chosen.p)) [[likely]] {
                    return static_cast<result>(finish(total.state));
                }
                const detail::kept_axes none(
                    "masked_norm", x.shape(), detail::every_axis(x.dimension())
                );
                return static_cast<result>(
                    detail::norms_along<wide>("masked_norm", x, m, none, chosen.p)[0].value()
                );
            }
        );
    }
}

/// The norms along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_norm(x, m, -1, {.p = 1, .keep_axes = true});
template <class X, class M, detail::axes_argument A, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        const detail::kept_axes kept("masked_norm", x.shape(), axes);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                auto rows = detail::masked_rows<wide>("masked_norm", x, m, f);
                const auto all = detail::fold_along<wide>(
                    fold, x.shape(), kept, detail::plain_rows<decltype(rows)>{std::move(rows)},
                    chosen.empty.has_value()
                );
                const auto as_result = [&](auto&& norm) {
                    return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
                        const auto one = static_cast<result>(norm(i));
                        return !chosen.empty || all.count(i) != 0
                                   ? one
                                   : detail::when_nothing_kept<result>(
                                         "masked_norm", chosen.empty, one
                                     );
                    });
                };
                if (detail::powers_fit<detail::element_t<X>>(chosen.p) ||
                    detail::holds_exact_norms(all, x.shape(), m, kept, chosen.p, finish))
                    [[likely]] {
                    return as_result([&](std::size_t i) { return finish(all.state(i)); });
                }
                const auto norms = detail::norms_along<wide>("masked_norm", x, m, kept, chosen.p);
                return as_result([&](std::size_t i) { return norms[i].value(); });
            }
        );
    }
}

template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_norm(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// u sign(x) (|x| / norm)^(p - 1), 0 where x, u or the norm is 0, NaN where the norm is. The norm is
/// one number or the product of two factors; where the unit is infinite, infinite elements count as
/// 1 and others as 0.
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

/// a * sign(x) where |x| is the extreme magnitude; NaN where that is.
struct extreme_slope {
    template <class A>
    A operator()(const A& x, const A& a, const A& extreme) const {
        if (is_nan(extreme)) {
            return extreme;
        }
        return std::abs(x) == extreme && x != A(0) ? (x < A(0) ? -a : a) : A(0);
    }
};

/// 1 where |x| is the extreme magnitude.
struct extreme_tie {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        using std::abs;
        return abs(x) == extreme ? A(1) : A(0);
    }
};

template <class X, class M, class U>
auto norm_gradient(const X& x, const M& m, const axes_list& names, const U& upstream, double p) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const char* function = "masked_norm_gradient";
    const kept_axes axes(function, x.shape(), names);
    require_broadcast(function, "a mask", m.shape(), x.shape());
    const auto u = upstream_of<element>(function, upstream, axes);
    if (p == 0) {
        // A number of elements, the same all around.
        auto none = xt::xarray<element>::from_shape(x.shape());
        none.fill(element(0));
        return none;
    }
    const auto norms = norms_along<wide>(function, x, m, axes, p);
    const auto norm = at_positions<wide>(axes, [&](std::size_t i) { return norms[i].value(); });
    const auto ties_of = [&](const xt::xarray<element>& size) {
        return masked_sum(lazy_function(extreme_tie(), x, size), m, names);
    };
    if (std::isinf(p)) {
        const auto size = at_positions<element>(axes, [&](std::size_t i) { return norms[i].root; });
        const auto ties = ties_of(size);
        const auto a = at_positions<element>(axes, [&](std::size_t i) {
            return ties.data()[i] == 0 ? element(0) : u.data()[i] / ties.data()[i];
        });
        return fill_kept<element>(x.shape(), lazy_function(extreme_slope(), x, a, size), m);
    }
    const bool plain = std::ranges::all_of(norms, [](const auto& one) {
        return one.value() == 0 || is_nan(one.value()) || std::isnormal(one.value());
    });
    if (plain || p == 1) {
        return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, norm), m);
    }
    // Infinite elements are taken for equal ones, beside which all others are 0.
    const auto ties = ties_of(at_positions<element>(axes, [](std::size_t) {
        return std::numeric_limits<element>::infinity();
    }));
    const auto unit = at_positions<wide>(axes, [&](std::size_t i) {
        return std::isinf(norms[i].root) ? norms[i].root : norms[i].unit;
    });
    const auto root = at_positions<wide>(axes, [&](std::size_t i) {
        return std::isinf(norms[i].root) ? std::pow(
                                               std::max(static_cast<wide>(ties.data()[i]), wide(1)),
                                               static_cast<wide>(1 / p)
                                           )
                                         : norms[i].root;
    });
    return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, unit, root), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_norm(x, m, axes, options) by x: u sign(x)
/// (|x| / norm)^(p - 1) where the mask keeps, 0 where it drops and where x is 0. Of p = infinity,
/// elements that tie share it evenly. It is NaN for all that is kept where the norm is NaN (of p =
/// 1, for the elements that are). Where k infinite elements are kept, they get u sign(x) k^(1 / p -
/// 1), as equal ones would, and finite elements 0 (u sign(x) of p = 1, infinity of p below 1). An
/// array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another.
///
///     xt::xarray<float> dx = xmask::masked_norm_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = norm_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, norm_options>)
auto masked_norm_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::norm_gradient(
            x, m, axes, upstream, detail::to_options<norm_options>(options).p
        );
    }
}

/// The gradient of `upstream` times masked_norm(x, m, options), over everything.
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::norm_gradient(
            x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<norm_options>(options).p
        );
    }
}
} // namespace xmask::inline XMASK_ABI
