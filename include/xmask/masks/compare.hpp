// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// Exact comparisons of numbers of any two types.

namespace xmask::inline XMASK_ABI::detail {
/// One past the largest value of an integer type, as a real number: a power of two, so exact.
template <class Real, class Integer>
constexpr Real upper_bound() noexcept {
    return static_cast<Real>(std::numeric_limits<Integer>::max() / 2 + 1) * Real(2);
}

/// Whether a < b, exactly: no conversion changes the answer.
template <class T, class U>
constexpr bool exactly_less(T a, U b) noexcept {
    if constexpr (std::integral<T> && std::integral<U>) {
        return std::cmp_less(+a, +b);
    } else if constexpr (std::integral<T>) {
        // Outside T's range the answer is known. Within it, b lies in (whole - 1, whole].
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

/// Whether a == b, exactly. NaN equals nothing.
template <class T, class U>
constexpr bool exactly_equal(T a, U b) noexcept {
    return a == a && b == b && !exactly_less(a, b) && !exactly_less(b, a);
}

/// An order of numbers: Compare of two numbers or registers of one type, and exact for any two
/// types. The other arguments are its answers where x < t, x == t, x > t, and where one is NaN.
template <class Compare, bool Less, bool Equal, bool Greater, bool Unordered = false>
struct order {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        if constexpr (std::same_as<T, U>) {
            return Compare()(x, t);
        } else if (x != x || t != t) {
            return Unordered;
        } else {
            return exactly_less(x, t) ? Less : exactly_less(t, x) ? Greater : Equal;
        }
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return Compare()(x, t);
    }
};

using is_above = order<std::greater<>, false, false, true>;
using is_at_least = order<std::greater_equal<>, false, true, true>;
using is_below = order<std::less<>, true, false, false>;
using is_at_most = order<std::less_equal<>, true, true, false>;
using is_equal = order<std::equal_to<>, false, true, false>;
using is_not_equal = order<std::not_equal_to<>, true, false, true, true>;

/// The largest T that is not above t; T's own limit where t lies beyond it.
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

/// The smallest T that is not below t; T's own limit where t lies beyond it.
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

/// Whether t is a number in the range of T. NaN is not.
template <class T, class U>
constexpr bool within(U t) noexcept {
    return t == t && (std::floating_point<T> || (!exactly_less(t, std::numeric_limits<T>::min()) &&
                                                 !exactly_less(std::numeric_limits<T>::max(), t)));
}

/// Compares elements of type T with one number of any type. On construction the number is converted
/// to T and rounded to the side that leaves every answer as it is. Where no T does that, all
/// answers are equal.
template <class Order, class T>
class compare_number {
public:
    template <class U>
    explicit compare_number(U t) {
        constexpr bool lower = std::same_as<Order, is_above> || std::same_as<Order, is_at_most>;
        const bool exact = std::same_as<Order, is_equal> || std::same_as<Order, is_not_equal>;
        if (!within<T>(t) || (exact && !exactly_equal(rounded_down<T>(t), t))) {
            // All T lie on one side of t, or none equals t, or t is NaN. NaN as a threshold gives
            // these answers; for integers, which have none, any element gives the answer.
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

    /// The word of answers, where `bits` are those of the comparison.
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

/// Keeps lo <= x <= hi, both converted to T.
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

/// -t exactly, in a type that holds it. (A long double of 80 bits holds any 64-bit integer.)
template <class T>
constexpr auto negated(T t) noexcept {
    if constexpr (std::floating_point<T>) {
        return -t;
    } else if constexpr (std::unsigned_integral<T>) {
        return -static_cast<long double>(t);
    } else {
        // The lowest number has no opposite. No element lies between either bound and itself.
        return t == std::numeric_limits<T>::min() ? std::numeric_limits<T>::max()
                                                  : static_cast<T>(-t);
    }
}

/// Keeps x < lo or x > hi, both converted to T. NaN is dropped.
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
        // A NaN bound keeps nothing on its side.
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

/// Keeps all but NaN.
template <class T>
struct compare_itself {
    bool operator()(T x) const noexcept { return x == x; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x == x;
    }
};

/// The order |x| > t of two tensors.
struct beyond {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x) || exactly_less(x, negated(t));
    }
};
} // namespace xmask::inline XMASK_ABI::detail
