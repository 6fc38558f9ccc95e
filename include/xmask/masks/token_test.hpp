// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/xtensor.hpp"
#include "id_set.hpp"
#include "real_ids.hpp"

/// @file
/// Tests of tokens against ids.

namespace xmask::inline XMASK_ABI::detail {
/// The type of a tensor's tokens.
template <class X>
using token_t = std::remove_cv_t<value_type_t<X>>;

/// Whether X is a tensor of real numbers.
template <class X>
consteval bool holds_real_tokens() {
    if constexpr (expression<X> && !mask_expression<X>) {
        return std::is_floating_point_v<token_t<X>>;
    }
    return false;
}

/// Fails to compile, with one sentence, unless X is a tensor of tokens and all I are ids for them.
template <class X, class... I>
consteval bool require_tokens() {
    if constexpr (holds_real_tokens<X>()) {
        constexpr bool numbers = (holds_real_ids<I>() && ...);
        static_assert(
            numbers,
            "xmask: ids of real tokens are numbers: one, a list, a container or a tensor of them."
        );
        return numbers;
    } else {
        constexpr bool integers =
            expression<X> && !mask_expression<X> && holds_integers<X>() && (holds_ids<I>() && ...);
        static_assert(
            integers,
            "xmask: tokens are a tensor of integers, and ids a list or container of integers; a tensor "
            "of real numbers takes ids of either."
        );
        return integers;
    }
}

/// The test of a token of type T against ids.
template <class T, class I>
auto make_token_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_id_test<T>(std::forward<I>(ids));
    }
}

/// The test of a token against ids, which it lists.
template <class T, class I>
auto make_marker_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_set_test<T>(std::forward<I>(ids));
    }
}
} // namespace xmask::inline XMASK_ABI::detail
