// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "held.hpp"
#include "mask_expression.hpp"
#include "refused_calls.hpp"
#include "xtensor.hpp"

/// @file
/// The operators that masks do not have. xtensor would make them plain expressions of 0 and 1; each
/// fails to compile, with one sentence that says what to write.

namespace xmask::inline XMASK_ABI {
/// @cond
namespace detail {
/// An operand of arithmetic: a number, an expression, or a container of numbers.
template <class T>
concept arithmetic_operand =
    std::is_arithmetic_v<std::remove_cvref_t<T>> || number_table<std::remove_cvref_t<T>>;

/// The operands of an operator that would read a mask as numbers.
template <class A, class B>
concept mask_and_number =
    (mask_expression<A> && arithmetic_operand<B>) || (mask_expression<B> && arithmetic_operand<A>);

/// What an operator would do with the elements of masks.
enum class refused_use { sum, difference, product, arithmetic, order };

/// Fails to compile, with one sentence that says what to write in place of the operator.
template <refused_use Use, class A, class B = A>
refused refuse() {
    constexpr bool masks = mask_expression<A> && mask_expression<B>;
    constexpr bool adds_masks = Use == refused_use::sum && masks;
    constexpr bool subtracts_masks = Use == refused_use::difference && masks;
    constexpr bool multiplies_masks = Use == refused_use::product && masks;
    constexpr bool multiplies_tensor =
        Use == refused_use::product && !masks && expression<A> && expression<B>;
    constexpr bool orders = Use == refused_use::order;
    constexpr bool calculates =
        !adds_masks && !subtracts_masks && !multiplies_masks && !multiplies_tensor && !orders;
    static_assert(
        !adds_masks,
        "xmask: masks are not added: m || n keeps what either keeps. As numbers, a mask is xt::cast<int>(m)."
    );
    static_assert(
        !subtracts_masks,
        "xmask: masks are not subtracted: m && !n keeps what only the first keeps. As numbers, a mask is "
        "xt::cast<int>(m)."
    );
    static_assert(
        !multiplies_masks,
        "xmask: masks are not multiplied: m && n keeps what both keep. As numbers, a mask is xt::cast<int>(m)."
    );
    static_assert(
        !multiplies_tensor,
        "xmask: write xmask::multiply(x, m) for a tensor times a mask: what is dropped becomes 0, where NaN * 0 would "
        "be NaN. As numbers, the mask is xt::cast<float>(m)."
    );
    static_assert(
        !orders,
        "xmask: a mask is neither less nor more: m itself keeps, !m is its opposite, and m && !n keeps what only m keeps. "
        "As numbers, a mask is xt::cast<int>(m)."
    );
    static_assert(
        !calculates,
        "xmask: a mask is not a number: xmask::multiply(x, m) and xmask::masked_fill(x, m, v) change what m drops, !m "
        "is its opposite, and xt::cast<float>(m) is 1 where m keeps, else 0."
    );
    return {};
}
} // namespace detail

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator+(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::sum, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator-(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::difference, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator*(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::product, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator/(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::arithmetic, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator%(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::arithmetic, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator<<(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::arithmetic, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator>>(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::arithmetic, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator<(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::order, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator<=(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::order, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator>(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::order, A, B>();
}

template <class A, class B>
    requires detail::mask_and_number<A, B>
auto operator>=(A&& /*a*/, B&& /*b*/) {
    return detail::refuse<detail::refused_use::order, A, B>();
}

template <class M>
    requires mask_expression<M>
auto operator+(M&& /*m*/) {
    return detail::refuse<detail::refused_use::arithmetic, M>();
}

template <class M>
    requires mask_expression<M>
auto operator-(M&& /*m*/) {
    return detail::refuse<detail::refused_use::arithmetic, M>();
}

template <class A, class B>
    requires(mask_expression<A> || (mask_expression<B> && std::is_arithmetic_v<A>))
A& operator+=(A& a, B&& /*b*/) {
    detail::refuse<detail::refused_use::arithmetic, A, B>();
    return a;
}

template <class A, class B>
    requires(mask_expression<A> || (mask_expression<B> && std::is_arithmetic_v<A>))
A& operator-=(A& a, B&& /*b*/) {
    detail::refuse<detail::refused_use::arithmetic, A, B>();
    return a;
}

template <class A, class B>
    requires(mask_expression<A> || (mask_expression<B> && std::is_arithmetic_v<A>))
A& operator*=(A& a, B&& /*b*/) {
    detail::refuse<detail::refused_use::arithmetic, A, B>();
    return a;
}

template <class A, class B>
    requires(mask_expression<A> || (mask_expression<B> && std::is_arithmetic_v<A>))
A& operator/=(A& a, B&& /*b*/) {
    detail::refuse<detail::refused_use::arithmetic, A, B>();
    return a;
}

template <class A, class B>
    requires(mask_expression<A> || (mask_expression<B> && std::is_arithmetic_v<A>))
A& operator%=(A& a, B&& /*b*/) {
    detail::refuse<detail::refused_use::arithmetic, A, B>();
    return a;
}

template <class A, class B>
    requires mask_expression<A>
A&& operator&=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept &= n. A lazy mask "
        "becomes a new one: auto both = m && n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator|=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept |= n. A lazy mask "
        "becomes a new one: auto both = m || n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator^=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept ^= n. A lazy mask "
        "becomes a new one: auto both = m ^ n."
    );
    return std::forward<A>(a);
}

template <class M, class T>
    requires(mask_expression<M> && !expression<T>)
bool operator==(const M& /*m*/, const T& /*value*/) {
    constexpr bool is_mask = expression<T>;
    static_assert(
        is_mask,
        "xmask: a mask is not compared with a number. !m is its opposite, and xmask::all_kept(m) and "
        "xmask::any_kept(m) ask about the whole."
    );
    return is_mask;
}
/// @endcond
} // namespace xmask::inline XMASK_ABI
