// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "combination.hpp"
#include "mask_expression.hpp"
#include "xtensor.hpp"

/// @file
/// The operators of masks: && || ! ^, and & | ~. Operators that would compile to something else are
/// refused.

namespace xmask::inline XMASK_ABI {
/// Keeps what both masks keep.
///
/// Holds named masks by reference, as xtensor's expressions do: a function that returns the result
/// moves its local masks in. Cost: nothing is computed before the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({2, 3}, 4) && xmask::drop_indices({1}, 4);
///     // 1 0 0 0
///     // 1 0 1 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what both masks keep. Of named masks: the result refers to a and b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A& a XMASK_LIFETIMEBOUND, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::both>(a, b);
}

/// Keeps what both masks keep. Of a named mask and another: the result refers to a, and holds b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A& a XMASK_LIFETIMEBOUND, B&& b) {
    return detail::combine<detail::both>(a, std::forward<B>(b));
}

/// Keeps what both masks keep. Of a mask and a named one: the result holds a, and refers to b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A&& a, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::both>(std::forward<A>(a), b);
}

/// Keeps what both masks keep; `&` and `&&` are one operation.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({2, 3}, 4) & xmask::keep_last({3}, 4);
///     // 0 1 0 0
///     // 0 1 1 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what either mask keeps.
///
/// Holds named masks by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) || xmask::keep_last({1, 0}, 4);
///     // 1 0 0 1
///     // 1 1 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what either mask keeps. Of named masks: the result refers to a and b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A& a XMASK_LIFETIMEBOUND, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::either>(a, b);
}

/// Keeps what either mask keeps. Of a named mask and another: the result refers to a, and holds b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A& a XMASK_LIFETIMEBOUND, B&& b) {
    return detail::combine<detail::either>(a, std::forward<B>(b));
}

/// Keeps what either mask keeps. Of a mask and a named one: the result holds a, and refers to b.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::either>(std::forward<A>(a), b);
}

/// Keeps what either mask keeps; `|` and `||` are one operation.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) | xmask::keep_last({1}, 4);
///     // 1 0 0 1
///     // 1 1 0 1
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator|(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what exactly one of the masks keeps.
///
/// Holds named masks by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) ^ xmask::keep_indices({1}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator^(A&& a, B&& b) {
    return detail::combine<detail::one_of>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what the mask drops.
///
/// Holds a named mask by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param m  a mask
/// @returns  a mask of the same shape
///
///     auto m = !xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator!(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

/// Keeps what the mask drops. Of a named mask: the result refers to m.
///
/// @param m  a mask
/// @returns  a mask of the same shape
template <class M>
    requires mask_expression<M>
auto operator!(M& m XMASK_LIFETIMEBOUND) {
    return detail::complement(nullptr, m);
}

/// Keeps what the mask drops; `~` and `!` are one operation.
///
/// @param m  a mask
/// @returns  a mask of the same shape
///
///     auto m = ~xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator~(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

/// Prints a mask as a picture, as to_string does; without <xmask/masks/text.hpp>, its shape.
///
/// @param out  a stream of char
/// @param m    a mask
/// @returns    the stream
///
///     std::cout << xmask::keep_causal(2, 3);
///     // █··
///     // ██·
template <class Stream, class M, bool Drawn = requires(const M& m) { to_string(m); }>
    requires(mask_expression<M> && requires(Stream& out) { out.rdbuf()->pubsync(); })
Stream& operator<<(Stream& out, const M& m) {
    // Drawn is part of the function's name, so that files with and without text.hpp may be linked
    // together.
    if constexpr (Drawn) {
        out << to_string(m);
    } else {
        out << "a mask of shape " << detail::tuple_text(m.shape())
            << "; <xmask/masks/text.hpp> draws it";
    }
    return out;
}

// Ambiguous expressions do not compile: each of these operators gives one sentence that says what
// to write.
/// @cond

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

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator+(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not added: m || n keeps what either keeps. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) || std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator-(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not subtracted: m && !n keeps what only the first keeps. As numbers, a mask is "
        "xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not multiplied: m && n keeps what both keep. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(expression<A> && expression<B> && mask_expression<A> != mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool times_mask = mask_expression<A> || mask_expression<B>;
    static_assert(
        !times_mask,
        "xmask: write xmask::multiply(x, m) for a tensor times a mask: what is dropped becomes 0, where NaN * 0 would "
        "be NaN. As numbers, the mask is xt::cast<float>(m)."
    );
    return xt::detail::make_xfunction<xt::detail::multiplies>(
        std::forward<A>(a), std::forward<B>(b)
    );
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
