// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/simd.hpp"
#include "../core/xtensor.hpp"
#include "boolean.hpp"
#include "combine.hpp"
#include "element_rule.hpp"

/// @file
/// Masks from comparing elements with a threshold.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// One past the largest value of an integer type, as a real number: a power of two, so exact.
template <class Real, class Integer>
constexpr Real upper_bound() noexcept {
    return static_cast<Real>(std::numeric_limits<Integer>::max() / 2 + 1) * Real(2);
}

/// Exact comparison of any two numbers: no conversion can change the answer.
template <class T, class U>
constexpr bool exactly_less(T a, U b) noexcept {
    if constexpr (std::integral<T> && std::integral<U>) {
        return std::cmp_less(+a, +b);
    } else if constexpr (std::integral<T>) {
        // Beyond T's range the answer is known; within it, b lies in (whole - 1, whole].
        if (!(b > static_cast<U>(std::numeric_limits<T>::min()))) {
            return false;
        }
        if (b >= upper_bound<U, T>()) {
            return true;
        }
        const U whole = std::ceil(b);
        return whole >= upper_bound<U, T>() || a < static_cast<T>(whole);
    } else if constexpr (std::integral<U>) {
        if (!(a < upper_bound<T, U>())) {
            return false;
        }
        if (a < static_cast<T>(std::numeric_limits<U>::min())) {
            return true;
        }
        return static_cast<U>(std::floor(a)) < b;
    } else {
        return static_cast<std::common_type_t<T, U>>(a) < static_cast<std::common_type_t<T, U>>(b);
    }
}

template <class T, class U>
constexpr bool exactly_equal(T a, U b) noexcept {
    return a == a && b == b && !exactly_less(a, b) && !exactly_less(b, a);
}

/// Orders. Each compares two numbers exactly, and two registers of one type.
struct above {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x > t;
    }
};

struct at_least {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x) || exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x >= t;
    }
};

struct below {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x < t;
    }
};

struct at_most {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(x, t) || exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x <= t;
    }
};

struct equal {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x == t;
    }
};

struct not_equal {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return !exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x != t;
    }
};

/// The largest T that is not above t, the smallest that is not below, or neither where T ends
/// before.
template <class T, class U>
constexpr T rounded_down(U t) noexcept {
    if constexpr (std::same_as<T, U>) {
        return t;
    } else if constexpr (std::integral<T>) {
        if (exactly_less(std::numeric_limits<T>::max(), t)) {
            return std::numeric_limits<T>::max();
        }
        return std::integral<U> ? static_cast<T>(t) : static_cast<T>(std::floor(t));
    } else {
        if (exactly_less(std::numeric_limits<T>::max(), t)) {
            return exactly_less(t, std::numeric_limits<T>::infinity())
                       ? std::numeric_limits<T>::max()
                       : std::numeric_limits<T>::infinity();
        }
        if (exactly_less(t, std::numeric_limits<T>::lowest())) {
            return -std::numeric_limits<T>::infinity();
        }
        const T nearest = static_cast<T>(t);
        return exactly_less(t, nearest)
                   ? std::nextafter(nearest, -std::numeric_limits<T>::infinity())
                   : nearest;
    }
}

template <class T, class U>
constexpr T rounded_up(U t) noexcept {
    if constexpr (std::same_as<T, U>) {
        return t;
    } else if constexpr (std::integral<T>) {
        if (exactly_less(t, std::numeric_limits<T>::min())) {
            return std::numeric_limits<T>::min();
        }
        return std::integral<U> ? static_cast<T>(t) : static_cast<T>(std::ceil(t));
    } else {
        const T down = rounded_down<T>(t);
        return exactly_less(down, t) ? std::nextafter(down, std::numeric_limits<T>::infinity())
                                     : down;
    }
}

/// Whether a number compares at all, and lies within T's range.
template <class T, class U>
constexpr bool within(U t) noexcept {
    return t == t && (std::floating_point<T> || (!exactly_less(t, std::numeric_limits<T>::min()) &&
                                                 !exactly_less(std::numeric_limits<T>::max(), t)));
}

/// Compares elements of type T with one number of any type. The number is brought to T on
/// construction, rounded to the side that leaves every answer as it is; where no T does that, the
/// answer is settled once for all.
template <class Order, class T>
class compare_number {
public:
    template <class U>
    explicit compare_number(U t) {
        constexpr bool lower = std::same_as<Order, above> || std::same_as<Order, at_most>;
        const bool exact = std::same_as<Order, equal> || std::same_as<Order, not_equal>;
        if (!within<T>(t) || (exact && !exactly_equal(rounded_down<T>(t), t))) {
            // All T lie on one side of t, or none equals it, or t is NaN. A real T has NaN, which
            // answers just so; of integers any gives the answer.
            if constexpr (std::floating_point<T>) {
                m_threshold = std::numeric_limits<T>::quiet_NaN();
            } else {
                m_always = Order::test(T(), t);
                m_settled = true;
            }
            return;
        }
        m_threshold = lower ? rounded_down<T>(t) : rounded_up<T>(t);
    }

    bool operator()(T x) const noexcept {
        return m_settled ? m_always : Order::test(x, m_threshold);
    }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return Order::lanes(x, detail::lanes<T>(m_threshold));
    }

    /// A word of answers, unless they were settled.
    XMASK_INLINE word_t word(word_t bits) const noexcept
        requires std::integral<T>
    {
        return m_settled ? (m_always ? ~word_t(0) : 0) : bits;
    }

private:
    T m_threshold = T();
    bool m_settled = false;
    bool m_always = false;
};

/// Keeps lo <= x <= hi, both brought to T.
template <class T>
class compare_between {
public:
    template <class U, class V>
    compare_between(U lo, V hi) {
        constexpr T least = std::numeric_limits<T>::lowest();
        constexpr T most = std::numeric_limits<T>::max();
        if (lo != lo || hi != hi || exactly_less(hi, lo) ||
            (std::integral<T> && (exactly_less(most, lo) || exactly_less(hi, least)))) {
            m_low = most;
            m_high = least;
            return;
        }
        m_low = rounded_up<T>(lo);
        m_high = rounded_down<T>(hi);
    }

    bool operator()(T x) const noexcept { return x >= m_low && x <= m_high; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x >= detail::lanes<T>(m_low) && x <= detail::lanes<T>(m_high);
    }

private:
    T m_low;
    T m_high;
};

/// -t exactly, in a type that holds it; long double holds any integer of 64 bits where it is the wider one.
template <class T>
constexpr auto negated(T t) noexcept {
    if constexpr (std::floating_point<T>) {
        return -t;
    } else if constexpr (std::unsigned_integral<T>) {
        return -static_cast<long double>(t);
    } else {
        // The lowest has no opposite; any element lies beyond either.
        return t == std::numeric_limits<T>::min() ? std::numeric_limits<T>::max()
                                                  : static_cast<T>(-t);
    }
}

/// Keeps x < lo or x > hi, both brought to T; NaN is neither.
template <class T>
class compare_outside {
public:
    template <class U, class V>
    compare_outside(U lo, V hi) {
        constexpr T least = std::numeric_limits<T>::lowest();
        constexpr T most = std::numeric_limits<T>::max();
        if constexpr (std::integral<T>) {
            if (exactly_less(most, lo) || exactly_less(hi, least)) {
                m_low = most;
                m_high = static_cast<T>(most - 1);
                return;
            }
        }
        // What does not compare keeps nothing on its side.
        m_low = lo == lo ? rounded_up<T>(lo)
                         : (std::integral<T> ? least : -std::numeric_limits<T>::infinity());
        m_high = hi == hi ? rounded_down<T>(hi)
                          : (std::integral<T> ? most : std::numeric_limits<T>::infinity());
    }

    bool operator()(T x) const noexcept { return x < m_low || x > m_high; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x < detail::lanes<T>(m_low) || x > detail::lanes<T>(m_high);
    }

private:
    T m_low;
    T m_high;
};

/// Keeps what equals itself: all but NaN.
template <class T>
struct compare_itself {
    bool operator()(T x) const noexcept { return x == x; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x == x;
    }
};

/// |x| > t, for two tensors.
struct beyond {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x) || exactly_less(x, negated(t));
    }
};

template <class X>
consteval bool require_numbers() {
    constexpr bool numbers = [] {
        if constexpr (expression<X> && !mask_expression<X>) {
            return std::is_arithmetic_v<std::remove_cv_t<value_type_t<X>>>;
        } else {
            return false;
        }
    }();
    static_assert(numbers, "xmask: a threshold compares a tensor (or lazy expression) of numbers.");
    return numbers;
}

/// Compares two tensors element by element, exactly; as an xtensor functor, computed by the rows of
/// both.
template <class Order>
struct order_function {
    template <class T, class U>
    bool operator()(T x, U t) const noexcept {
        return Order::test(x, t);
    }
};

template <class Order, class X, class T>
auto make_threshold(const char* name, X&& x, T&& t) {
    if constexpr (number_range<X>) {
        return make_threshold<Order>(name, hold(x), std::forward<T>(t));
    } else if constexpr (number_range<T>) {
        return make_threshold<Order>(name, std::forward<X>(x), hold(t));
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (expression<T>) {
            require_broadcast(name, "a threshold", t.shape(), x.shape());
            using compared = xt::xfunction<order_function<Order>, closure_t<X>, closure_t<T>>;
            return make_element_mask(
                name, compared(order_function<Order>(), std::forward<X>(x), std::forward<T>(t)),
                is_true()
            );
        } else {
            static_assert(
                std::is_arithmetic_v<std::decay_t<T>>, "xmask: a threshold is a number or a tensor."
            );
            return make_element_mask(name, std::forward<X>(x), compare_number<Order, element>(t));
        }
    }
}
} // namespace detail

namespace detail {
/// The largest number that is not above a + b, where both are finite.
inline long double sum_rounded_down(long double a, long double b) noexcept {
    const long double sum = a + b;
    // What rounding took away, exactly: Knuth, The Art of Computer Programming 2, section 4.2.2,
    // theorem B.
    const long double from_b = sum - a;
    const long double lost = (a - (sum - from_b)) + (b - from_b);
    return lost < 0 ? std::nextafter(sum, -std::numeric_limits<long double>::infinity()) : sum;
}

template <class X, class L, class H>
auto make_between(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_between(name, hold(x), lo, hi);
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_between<element>(lo, hi));
    }
}

template <class X, class L, class H>
auto make_outside(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_outside(name, hold(x), lo, hi);
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_outside<element>(lo, hi));
    }
}
} // namespace detail

/// Keeps x > t.
///
/// x: a tensor or lazy expression of numbers, whose shape is the mask's, or a standard container,
/// which is copied. t: a number, or a tensor or container that broadcasts into x
/// (std::invalid_argument otherwise). Values are compared exactly, whatever
/// their types: 16777217 is above
/// 16777216.f, and -1 is not above 0u. NaN is above nothing, below nothing and equal to nothing.
/// A number costs a comparison a register.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_above(x, 0.5);    // 0 1 0
template <class X, class T>
auto keep_above(X&& x, T&& t) {
    return detail::make_threshold<detail::above>(
        "keep_above", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_above(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::above>("keep_above", x, std::forward<T>(t));
}

/// Keeps x >= t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_least(x, 0.5);    // 0 1 1
template <class X, class T>
auto keep_at_least(X&& x, T&& t) {
    return detail::make_threshold<detail::at_least>(
        "keep_at_least", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_least(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::at_least>("keep_at_least", x, std::forward<T>(t));
}

/// Keeps x < t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_below(x, 0.5);    // 1 0 0
template <class X, class T>
auto keep_below(X&& x, T&& t) {
    return detail::make_threshold<detail::below>(
        "keep_below", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_below(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::below>("keep_below", x, std::forward<T>(t));
}

/// Keeps x <= t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_most(x, 0.5);    // 1 0 1
template <class X, class T>
auto keep_at_most(X&& x, T&& t) {
    return detail::make_threshold<detail::at_most>(
        "keep_at_most", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_most(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::at_most>("keep_at_most", x, std::forward<T>(t));
}

/// Keeps x == t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_equal(x, 0.5);    // 0 0 1
template <class X, class T>
auto keep_equal(X&& x, T&& t) {
    return detail::make_threshold<detail::equal>(
        "keep_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::equal>("keep_equal", x, std::forward<T>(t));
}

/// Keeps x != t; NaN is kept. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> weights = {1.f, 0.f, 0.5f};
///     auto m = xmask::keep_not_equal(weights, 0.f);    // 1 0 1
template <class X, class T>
auto keep_not_equal(X&& x, T&& t) {
    return detail::make_threshold<detail::not_equal>(
        "keep_not_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_not_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::not_equal>("keep_not_equal", x, std::forward<T>(t));
}

/// Keeps lo <= x <= hi, for numbers lo and hi; nothing where hi < lo or one of them is NaN. As
/// exact as keep_above.
///
///     xt::xtensor<float, 1> x = {-0.25f, 0.8f, 0.5f};
///     auto m = xmask::keep_between(x, -0.25, 0.75);    // 1 0 1
template <class X, class L, class H>
    requires(std::is_arithmetic_v<L> && std::is_arithmetic_v<H>)
auto keep_between(X&& x, L lo, H hi) {
    return detail::make_between("keep_between", std::forward<X>(x), lo, hi);
}

/// Keeps x < lo or x > hi, for numbers lo and hi; NaN is dropped, and a NaN bound keeps nothing on
/// its side. As exact as keep_above.
///
///     xt::xtensor<float, 1> x = {-4.f, 3.f, 5.f};
///     auto m = xmask::keep_outside(x, -3, 3);    // 1 0 1
template <class X, class L, class H>
    requires(std::is_arithmetic_v<L> && std::is_arithmetic_v<H>)
auto keep_outside(X&& x, L lo, H hi) {
    return detail::make_outside("keep_outside", std::forward<X>(x), lo, hi);
}

/// Keeps |x| > t, as magnitude pruning does; t a number, or a tensor that broadcasts into x. NaN is
/// dropped. The magnitude of the lowest integer is right, too. As exact as keep_above.
///
///     xt::xtensor<float, 1> weights = {-0.5f, 0.001f, 0.2f};
///     auto m = xmask::keep_magnitude_above(weights, 0.01);    // 1 0 1
template <class X, class T>
auto keep_magnitude_above(X&& x, T&& t) {
    if constexpr (detail::number_table<T>) {
        return detail::make_threshold<detail::beyond>(
            "keep_magnitude_above", std::forward<X>(x), std::forward<T>(t)
        );
    } else {
        static_assert(
            std::is_arithmetic_v<std::decay_t<T>>, "xmask: a threshold is a number or a tensor."
        );
        return detail::make_outside(
            "keep_magnitude_above", std::forward<X>(x), detail::negated(t), t
        );
    }
}

/// Keeps value - tolerance <= x <= value + tolerance; nothing where the tolerance is negative or
/// anything is NaN. As exact as keep_above: no bound is rounded to where an element would change
/// sides.
///
///     xt::xtensor<float, 1> x = {0.9f, 1.f, 1.1f};
///     auto m = xmask::keep_close_to(x, 1, 1e-6);    // 0 1 0
template <class X, class V, class T>
    requires(std::is_arithmetic_v<V> && std::is_arithmetic_v<T>)
auto keep_close_to(X&& x, V value, T tolerance) {
    const auto middle = static_cast<long double>(value);
    const auto radius = static_cast<long double>(tolerance);
    return detail::make_between(
        "keep_close_to", std::forward<X>(x), -detail::sum_rounded_down(-middle, radius),
        detail::sum_rounded_down(middle, radius)
    );
}

/// Keeps all but NaN and the infinities; every integer.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_finite(x);    // 1 0 0
template <class X>
auto keep_finite(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_finite(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::numeric_limits<std::remove_cv_t<value_type_t<X>>>;
        return detail::make_between(
            "keep_finite", std::forward<X>(x), element::lowest(), element::max()
        );
    }
}

/// Keeps all but NaN; every integer.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_not_nan(x);    // 1 1 0
template <class X>
auto keep_not_nan(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_not_nan(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return detail::make_element_mask(
            "keep_not_nan", std::forward<X>(x), detail::compare_itself<element>()
        );
    }
}
} // namespace xmask::inline XMASK_ABI
