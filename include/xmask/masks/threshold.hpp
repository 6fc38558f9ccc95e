// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/xtensor.hpp"
#include "boolean.hpp"
#include "compare.hpp"
#include "element_rule.hpp"
#include "threshold_ranges.hpp"

/// @file
/// Masks from comparing elements with a threshold, and those of threshold_ranges.hpp.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The xtensor functor that compares two tensors element by element, exactly.
template <class Order>
struct order_function {
    template <class T, class U>
    bool operator()(T x, U t) const noexcept {
        return Order::test(x, t);
    }
};

/// The threshold where none is given.
struct no_threshold {};

template <bool Fits, class... /*T*/>
struct threshold_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a threshold is a number, or a tensor or container of numbers, and comes second: "
            "keep_above(x, 0.5)."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor or container of numbers, and T is one,
/// too, or a number.
template <class X, class T>
using require_threshold = require_all<
    require_number_table<X>,
    threshold_expected<number_table<T> || std::is_arithmetic_v<std::decay_t<T>>, T>>;

/// The mask of comparing x with a number or a tensor.
template <class Order, bool Fits, class X, class T>
auto make_threshold(const char* name, X&& x, T&& t) {
    if constexpr (number_range<X>) {
        return make_threshold<Order, Fits>(name, hold(x), std::forward<T>(t));
    } else if constexpr (number_range<T>) {
        return make_threshold<Order, Fits>(name, std::forward<X>(x), hold(t));
    } else if constexpr (Fits) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (expression<T>) {
            require_broadcast(name, "a threshold", t.shape(), x.shape());
            using compared = xt::xfunction<order_function<Order>, closure_t<X>, closure_t<T>>;
            return make_element_mask(
                name, compared(order_function<Order>(), std::forward<X>(x), std::forward<T>(t)),
                is_true()
            );
        } else {
            return make_element_mask(name, std::forward<X>(x), compare_number<Order, element>(t));
        }
    } else {
        return refused_mask();
    }
}
} // namespace detail

/// Keeps x > t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_above(x, 0.5);    // 0 1 0
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_above(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_above, fits>(
        "keep_above", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_above(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_above, fits>("keep_above", x, std::forward<T>(t));
}

/// Keeps x >= t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_least(x, 0.5);    // 0 1 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_at_least(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_at_least, fits>(
        "keep_at_least", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_least(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_at_least, fits>(
        "keep_at_least", x, std::forward<T>(t)
    );
}

/// Keeps x < t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_below(x, 0.5);    // 1 0 0
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_below(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_below, fits>(
        "keep_below", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_below(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_below, fits>("keep_below", x, std::forward<T>(t));
}

/// Keeps x <= t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_most(x, 0.5);    // 1 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_at_most(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_at_most, fits>(
        "keep_at_most", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_most(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_at_most, fits>("keep_at_most", x, std::forward<T>(t));
}

/// Keeps x == t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is dropped.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_equal(x, 0.5);    // 0 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_equal(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_equal, fits>(
        "keep_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_equal, fits>("keep_equal", x, std::forward<T>(t));
}

/// Keeps x != t.
///
/// Values are compared exactly, whatever their types: 16777217 is above 16777216.f, and -1 is not
/// above 0u. NaN is kept.
///
///     xt::xtensor<float, 1> weights = {1.f, 0.f, 0.5f};
///     auto m = xmask::keep_not_equal(weights, 0.f);    // 1 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: a comparison for each register of x where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_not_equal(X&& x, T&& t = {}) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_not_equal, fits>(
        "keep_not_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_not_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    constexpr bool fits = detail::require_threshold<X, T>();
    return detail::make_threshold<detail::is_not_equal, fits>(
        "keep_not_equal", x, std::forward<T>(t)
    );
}

/// Keeps |x| > t, as magnitude pruning does.
///
/// Values are compared exactly, whatever their types. The magnitude of the lowest integer is right,
/// too. NaN is dropped.
///
///     xt::xtensor<float, 1> weights = {-0.5f, 0.001f, 0.2f};
///     auto m = xmask::keep_magnitude_above(weights, 0.01);    // 1 0 1
///
/// @param x a tensor or lazy expression of numbers, or a standard container, which is copied. An
/// lvalue expression is held by reference.
/// @param t a number, or a tensor or container of numbers that broadcasts into x.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument where t does not broadcast into x.
///
/// Cost: two comparisons for each register where t is a number; nothing is stored.
template <class X, class T = detail::no_threshold>
auto keep_magnitude_above(X&& x, T&& t = {}) {
    if constexpr (detail::number_table<T>) {
        constexpr bool fits = detail::require_threshold<X, T>();
        return detail::make_threshold<detail::beyond, fits>(
            "keep_magnitude_above", std::forward<X>(x), std::forward<T>(t)
        );
    } else if constexpr (detail::require_threshold<X, T>()) {
        return detail::make_outside<true>(
            "keep_magnitude_above", std::forward<X>(x), detail::negated(t), t
        );
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
