// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <initializer_list>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/mask.hpp"
#include "../core/refused_calls.hpp"
#include "combine.hpp"
#include "element_rule.hpp"
#include "id_set.hpp"
#include "markers.hpp"
#include "token_test.hpp"

/// @file
/// Masks from token ids, integers or real numbers: padding, special tokens, a vocabulary to keep;
/// and those of markers.hpp.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The mask of a test of each token.
template <bool Fits, class X, class I>
auto make_tokens(const char* name, X&& tokens, I&& ids) {
    if constexpr (Fits) {
        return make_element_mask(
            name, std::forward<X>(tokens), make_token_test<token_t<X>>(std::forward<I>(ids))
        );
    } else {
        return refused_mask();
    }
}

/// Fails to compile, with one sentence: what a call of one argument gives.
template <class Call>
mask<refused_rule> refused_tokens() {
    constexpr bool is_call = !std::is_void_v<Call>;
    static_assert(
        is_call,
        "xmask: masks of tokens take the tokens and the ids: keep_tokens(tokens, 0), drop_tokens(tokens, {0, 101})."
    );
    return refused_mask();
}
} // namespace detail

/// Keeps the tokens that are among ids.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {101, 7, 8, 102};
///     const xmask::id_set<int> special({101, 102});
///     auto m = xmask::keep_tokens(tokens, special);    // 1 0 0 1
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids one id, a container or tensor of integers, which is copied, or an id_set, which is
/// held by reference if it is an lvalue. Real tokens take integers and real numbers.
/// @returns a mask of the tokens' shape.
///
/// Cost: up to about 8 ids cost about as much as copying the tokens; more ids cost three
/// instructions a token, one of them a look into a table.
template <class X, class I>
auto keep_tokens(X&& tokens, I&& ids) {
    return detail::make_tokens<detail::require_tokens<X, I>()>(
        "keep_tokens", std::forward<X>(tokens), std::forward<I>(ids)
    );
}

template <expression X, class I>
auto keep_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::make_tokens<detail::require_tokens<X, I>()>(
        "keep_tokens", tokens, std::forward<I>(ids)
    );
}

/// Keeps the tokens that are in a list.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {101, 7, 8, 102};
///     auto m = xmask::keep_tokens(tokens, {101, 102});    // 1 0 0 1
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids a list of numbers, of integers where the tokens are integers.
/// @returns a mask of the tokens' shape.
///
/// Cost: up to about 8 ids cost about as much as copying the tokens; more ids cost three
/// instructions a token, one of them a look into a table.
template <class X, detail::arithmetic T>
auto keep_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_tokens<detail::require_tokens<X, std::initializer_list<T>>()>(
        "keep_tokens", std::forward<X>(tokens), ids
    );
}

/// Drops the tokens that are among ids, and keeps all others.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<float, 1> codes = {-999.f, 0.5f};
///     auto known = xmask::drop_tokens(codes, -999);    // 0 1
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids one id, a container or tensor of integers, which is copied, or an id_set, which is
/// held by reference if it is an lvalue. Real tokens take integers and real numbers.
/// @returns a mask of the tokens' shape.
///
/// Cost: up to about 8 ids cost about as much as copying the tokens; more ids cost three
/// instructions a token, one of them a look into a table.
template <class X, class I>
auto drop_tokens(X&& tokens, I&& ids) {
    return detail::complement(
        "drop_tokens", detail::make_tokens<detail::require_tokens<X, I>()>(
                           "keep_tokens", std::forward<X>(tokens), std::forward<I>(ids)
                       )
    );
}

template <expression X, class I>
auto drop_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::complement(
        "drop_tokens", detail::make_tokens<detail::require_tokens<X, I>()>(
                           "keep_tokens", tokens, std::forward<I>(ids)
                       )
    );
}

/// Drops the tokens that are in a list, and keeps all others.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 0, 0};
///     auto m = xmask::drop_tokens(tokens, {0});    // 1 1 0 0
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids a list of numbers, of integers where the tokens are integers.
/// @returns a mask of the tokens' shape.
///
/// Cost: up to about 8 ids cost about as much as copying the tokens; more ids cost three
/// instructions a token, one of them a look into a table.
template <class X, detail::arithmetic T>
auto drop_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::complement(
        "drop_tokens", detail::make_tokens<detail::require_tokens<X, std::initializer_list<T>>()>(
                           "keep_tokens", std::forward<X>(tokens), ids
                       )
    );
}

/// @cond
template <class Call = void>
auto keep_tokens(const detail::any_argument& /*first*/) {
    return detail::refused_tokens<Call>();
}

template <class Call = void>
auto drop_tokens(const detail::any_argument& /*first*/) {
    return detail::refused_tokens<Call>();
}
/// @endcond
} // namespace xmask::inline XMASK_ABI
