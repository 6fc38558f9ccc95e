// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "../core/abi.hpp"
#include "../core/attributes.hpp"
#include "../core/simd.hpp"

/// @file
/// The arguments of a lambda of `auto`: registers that say what they are not.

namespace xmask::inline XMASK_ABI::detail::registers {
/// Fails to compile, with one sentence, where it becomes an N: a register is not one number.
template <class V, class N>
class refused_number {
    static constexpr bool is_number = std::is_arithmetic_v<V>;

public:
    explicit(std::is_same_v<N, bool>) operator N() const noexcept {
        static_assert(
            is_number,
            "xmask: a lambda of `auto` is called with registers: write xsimd::abs in place of std::abs, and so on, and "
            "xsimd::select(condition, a, b) in place of ?: and if; or write a lambda of double, which takes anything."
        );
        return N();
    }
};

/// A comparison of registers: for each lane whether it holds.
template <class V>
class register_condition : public V::batch_bool_type, public refused_number<V, bool> {
public:
    XMASK_INLINE register_condition(const typename V::batch_bool_type& x) noexcept
        : V::batch_bool_type(x) {}
};

/// A register that fails to compile, with one sentence, where a number is expected: by functions of
/// <cmath> and by conditions. Functions of xsimd take it as the register that it is.
///
/// @tparam V  the type of the register
template <class V>
class register_value : public V, public refused_number<V, double> {
public:
    XMASK_INLINE register_value(const V& x) noexcept : V(x) {}

    template <class N>
        requires std::is_arithmetic_v<N>
    XMASK_INLINE register_value(N x) noexcept : V(static_cast<typename V::value_type>(x)) {}

    XMASK_INLINE register_value operator-() const noexcept { return V::operator-(); }
};

/// The type of register of two operands. At least one operand is a register_value.
template <class A, class B>
struct register_in {};

template <class V, class B>
struct register_in<register_value<V>, B> {
    using type = V;
};

template <class A, class V>
struct register_in<A, register_value<V>> {
    using type = V;
};

template <class V>
struct register_in<register_value<V>, register_value<V>> {
    using type = V;
};

template <class A, class B>
using register_of = typename register_in<A, B>::type;

/// An operand beside registers of type V: one, or a number.
template <class T, class V>
concept operand = std::is_arithmetic_v<T> || std::is_base_of_v<V, T>;

template <class A, class B>
concept operands = requires { typename register_of<A, B>; } && operand<A, register_of<A, B>> &&
                   operand<B, register_of<A, B>>;

template <class V, class T>
XMASK_INLINE V value_of(const T& x) noexcept {
    if constexpr (std::is_arithmetic_v<T>) {
        return V(static_cast<typename V::value_type>(x));
    } else {
        return static_cast<const V&>(x);
    }
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator+(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_value<V>(value_of<V>(a) + value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator-(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_value<V>(value_of<V>(a) - value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator*(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_value<V>(value_of<V>(a) * value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator/(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_value<V>(value_of<V>(a) / value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator==(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) == value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator!=(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) != value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator<(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) < value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator<=(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) <= value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator>(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) > value_of<V>(b));
}

template <class A, class B>
    requires operands<A, B>
XMASK_INLINE auto operator>=(const A& a, const B& b) noexcept {
    using V = register_of<A, B>;
    return register_condition<V>(value_of<V>(a) >= value_of<V>(b));
}
} // namespace xmask::inline XMASK_ABI::detail::registers

namespace xsimd {
/// Chooses between registers. Without this overload calls are ambiguous with AVX-512: there a condition
/// of registers converts to an integer, so that the overload for numbers fits as well.
template <class V>
XMASK_INLINE V select(
    const typename V::batch_bool_type& condition,
    const xmask::detail::registers::register_value<V>& a,
    const xmask::detail::registers::register_value<V>& b
) noexcept {
    return select(condition, static_cast<const V&>(a), static_cast<const V&>(b));
}
} // namespace xsimd
