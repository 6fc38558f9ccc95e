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
/// Masks from boolean tensors. The name of a builder says whether true means keep or drop.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The test of a boolean.
struct is_true {
    /// Bytes other than 0 are true.
    static constexpr bool of_bytes = true;

    bool operator()(bool value) const noexcept { return value; }

    template <class V>
    XMASK_INLINE auto lanes(const V& values) const noexcept {
        return values != V(static_cast<unsigned char>(0));
    }
};

/// Fails to compile, with one sentence, unless E is a tensor of bool.
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

/// Keeps the elements that are true.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.9f};
///     auto m = xmask::keep_where(x > 0.5f && x < 0.8f);    // 0 1 0
///
/// @param e a tensor or lazy expression of bool, or a standard container of bool, which is copied.
/// An lvalue expression is held by reference.
/// @returns a mask of e's shape.
///
/// Cost: a word loads 64 bytes; a lazy expression is computed 64 elements at a time, in its own
/// types, so that its comparisons are right.
template <class E>
auto keep_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return keep_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", std::forward<E>(e), detail::is_true());
    } else {
        return detail::refused_mask();
    }
}

template <expression E>
auto keep_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", e, detail::is_true());
    } else {
        return detail::refused_mask();
    }
}

/// Drops the elements that are true: for APIs in which true means padding.
///
///     xt::xtensor<bool, 1> key_padding_mask = {false, false, true};
///     auto m = xmask::drop_where(key_padding_mask);    // 1 1 0
///
/// @param e a tensor or lazy expression of bool, or a standard container of bool, which is copied.
/// An lvalue expression is held by reference.
/// @returns a mask of e's shape.
///
/// Cost: a word loads 64 bytes; a lazy expression is computed 64 elements at a time, in its own
/// types, so that its comparisons are right.
template <class E>
auto drop_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return drop_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(std::forward<E>(e)));
    } else {
        return detail::refused_mask();
    }
}

template <expression E>
auto drop_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(e));
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
