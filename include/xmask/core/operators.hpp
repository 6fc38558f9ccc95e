// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <utility>

#include "attributes.hpp"
#include "combination.hpp"
#include "mask_expression.hpp"
#include "refused_operators.hpp"

/// @file
/// The operators of masks: && || ! ^, and & | ~. Those that would compile to something else are in
/// refused_operators.hpp.

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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::both, fits>(std::forward<A>(a), std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::both, fits>(a, b);
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::both, fits>(a, std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::both, fits>(std::forward<A>(a), b);
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::both, fits>(std::forward<A>(a), std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::either, fits>(std::forward<A>(a), std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::either, fits>(a, b);
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::either, fits>(a, std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::either, fits>(std::forward<A>(a), b);
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::either, fits>(std::forward<A>(a), std::forward<B>(b));
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
    constexpr bool fits = detail::require_masks<A, B>();
    return detail::combine<detail::one_of, fits>(std::forward<A>(a), std::forward<B>(b));
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
} // namespace xmask::inline XMASK_ABI
