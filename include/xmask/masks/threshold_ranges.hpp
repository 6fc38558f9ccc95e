// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/xtensor.hpp"
#include "compare.hpp"
#include "element_rule.hpp"

/// @file
/// Masks of elements that lie in a range or outside of one, or are finite.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <bool Fits, class... /*X*/>
struct compared_numbers_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a threshold compares a tensor (or lazy expression) of numbers. A mask m needs none: it keeps what it is "
            "true for, and !m is its opposite."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor of numbers.
template <class X>
using require_numbers = compared_numbers_expected<number_expression<X> && !mask_expression<X>, X>;

/// Fails to compile, with one sentence, unless X is a tensor or container of numbers.
template <class X>
using require_number_table =
    compared_numbers_expected<number_range<X> || (number_expression<X> && !mask_expression<X>), X>;

/// A bound where none is given.
struct no_bound {};

template <bool Fits, class... /*L, H*/>
struct bounds_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: this takes two numbers: keep_between(x, 0, 1). For tensors of bounds write keep_at_least(x, "
            "lo) && keep_at_most(x, hi)."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor or container of numbers, and L and H
/// are numbers.
template <class X, class L, class H>
using require_bounds = require_all<
    require_number_table<X>,
    bounds_expected<std::is_arithmetic_v<L> && std::is_arithmetic_v<H>, L, H>>;

/// The largest number that is not above a + b, for finite a and b.
inline long double sum_rounded_down(long double a, long double b) noexcept {
    const long double sum = a + b;
    // The exact rounding error: Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B.
    const long double from_b = sum - a;
    const long double lost = (a - (sum - from_b)) + (b - from_b);
    return lost < 0 ? std::nextafter(sum, -std::numeric_limits<long double>::infinity()) : sum;
}

template <bool Fits, class X, class L, class H>
auto make_between(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_between<Fits>(name, hold(x), lo, hi);
    } else if constexpr (Fits) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_between<element>(lo, hi));
    } else {
        return refused_mask();
    }
}

template <bool Fits, class X, class L, class H>
auto make_outside(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_outside<Fits>(name, hold(x), lo, hi);
    } else if constexpr (Fits) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_outside<element>(lo, hi));
    } else {
        return refused_mask();
    }
}
} // namespace detail

/// Keeps lo <= x <= hi.
///
/// Values are compared exactly, whatever their types. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {-0.25f, 0.8f, 0.5f};
///     auto m = xmask::keep_between(x, -0.25, 0.75);    // 1 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param lo the lower bound, a number.
/// @param hi the upper bound, a number. Where hi < lo, or a bound is NaN, nothing is kept.
/// @returns a mask of x's shape.
///
/// Cost: two comparisons for each register; nothing is stored.
template <class X, class L = detail::no_bound, class H = detail::no_bound>
auto keep_between(X&& x, L lo = {}, H hi = {}) {
    constexpr bool fits = detail::require_bounds<X, L, H>();
    return detail::make_between<fits>("keep_between", std::forward<X>(x), lo, hi);
}

/// Keeps x < lo or x > hi.
///
/// Values are compared exactly, whatever their types. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {-4.f, 3.f, 5.f};
///     auto m = xmask::keep_outside(x, -3, 3);    // 1 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param lo the lower bound, a number. NaN keeps nothing below.
/// @param hi the upper bound, a number. NaN keeps nothing above.
/// @returns a mask of x's shape.
///
/// Cost: two comparisons for each register; nothing is stored.
template <class X, class L = detail::no_bound, class H = detail::no_bound>
auto keep_outside(X&& x, L lo = {}, H hi = {}) {
    constexpr bool fits = detail::require_bounds<X, L, H>();
    return detail::make_outside<fits>("keep_outside", std::forward<X>(x), lo, hi);
}

/// Keeps value - tolerance <= x <= value + tolerance.
///
/// The comparison is exact: no bound is rounded to where an element changes sides. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.9f, 1.f, 1.1f};
///     auto m = xmask::keep_close_to(x, 1, 1e-6);    // 0 1 0
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param value a number.
/// @param tolerance a number. Where the tolerance is below 0, or one of both is NaN, nothing is
/// kept.
/// @returns a mask of x's shape.
///
/// Cost: two comparisons for each register; nothing is stored.
template <class X, class V = detail::no_bound, class T = detail::no_bound>
auto keep_close_to(X&& x, V value = {}, T tolerance = {}) {
    if constexpr (detail::require_bounds<X, V, T>()) {
        const auto middle = static_cast<long double>(value);
        const auto radius = static_cast<long double>(tolerance);
        return detail::make_between<true>(
            "keep_close_to", std::forward<X>(x), -detail::sum_rounded_down(-middle, radius),
            detail::sum_rounded_down(middle, radius)
        );
    } else {
        return detail::refused_mask();
    }
}

/// Keeps all but NaN and the infinities. Every integer is kept.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_finite(x);    // 1 0 0
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @returns a mask of x's shape.
///
/// Cost: two comparisons for each register; nothing is stored.
template <class X>
auto keep_finite(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_finite(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::numeric_limits<std::remove_cv_t<value_type_t<X>>>;
        return detail::make_between<true>(
            "keep_finite", std::forward<X>(x), element::lowest(), element::max()
        );
    } else {
        return detail::refused_mask();
    }
}

/// Keeps all but NaN. Every integer is kept.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_not_nan(x);    // 1 1 0
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @returns a mask of x's shape.
///
/// Cost: a comparison for each register; nothing is stored.
template <class X>
auto keep_not_nan(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_not_nan(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return detail::make_element_mask(
            "keep_not_nan", std::forward<X>(x), detail::compare_itself<element>()
        );
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
