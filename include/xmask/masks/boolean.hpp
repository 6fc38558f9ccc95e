// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/simd.hpp"
#include "combine.hpp"
#include "element_rule.hpp"

/// @file
/// The only ways in for boolean tensors: the name says what true means.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The test of a boolean: 64 bytes are packed to a word.
struct is_true {
    /// A byte that is not 0 is a true one.
    static constexpr bool of_bytes = true;

    bool operator()(bool value) const noexcept { return value; }

    template <class V>
    XMASK_INLINE auto lanes(const V& values) const noexcept {
        return values != V(static_cast<unsigned char>(0));
    }
};

template <class E>
consteval bool require_booleans() {
    constexpr bool booleans = [] {
        if constexpr (expression<E> && !mask_expression<E>) {
            return std::same_as<std::remove_cv_t<value_type_t<E>>, bool>;
        } else {
            return false;
        }
    }();
    static_assert(
        booleans,
        "xmask: keep_where and drop_where take a tensor or expression of bool; for numbers compare them, as in "
        "xmask::keep_not_equal(x, 0)."
    );
    return booleans;
}
} // namespace detail

/// Keeps where `e` is true. e: a tensor or lazy expression of bool, of any shape, which is the
/// mask's; or a standard container of bool, which is copied.
///
/// A word costs loading 64 bytes; a lazy expression is computed in its own types, 64 elements at a
/// time, so that comparisons of any types are right.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.9f};
///     auto m = xmask::keep_where(x > 0.5f && x < 0.8f);    // 0 1 0
template <class E>
auto keep_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return keep_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", std::forward<E>(e), detail::is_true());
    }
}

template <expression E>
auto keep_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", e, detail::is_true());
    }
}

/// Drops where `e` is true: for the masks of APIs in which true means padding.
///
///     xt::xtensor<bool, 1> key_padding_mask = {false, false, true};
///     auto m = xmask::drop_where(key_padding_mask);    // 1 1 0
template <class E>
auto drop_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return drop_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(std::forward<E>(e)));
    }
}

template <expression E>
auto drop_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(e));
    }
}
} // namespace xmask::inline XMASK_ABI
