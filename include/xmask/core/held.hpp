// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>

#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// Small tables that a builder holds, such as lengths or indices, from a tensor, a lazy expression,
/// a standard container or a list.

namespace xmask::inline XMASK_ABI::detail {
/// The type of a number.
template <class T>
concept arithmetic = std::is_arithmetic_v<T>;

/// A standard container of numbers.
template <class C>
concept number_range = !expression<C> && std::ranges::sized_range<C> &&
                       std::is_arithmetic_v<std::ranges::range_value_t<C>>;

/// A type that can be held as a table of numbers.
template <class C>
concept number_table = expression<C> || number_range<C>;

/// Whether C is a table of integers. bool is not an integer here.
template <class C>
consteval bool holds_integers() {
    if constexpr (number_range<C>) {
        using value = std::ranges::range_value_t<C>;
        return std::integral<value> && !std::same_as<value, bool>;
    } else if constexpr (expression<C>) {
        using value = std::remove_cv_t<value_type_t<C>>;
        return std::integral<value> && !std::same_as<value, bool>;
    } else {
        return false;
    }
}

/// Holds a table: a tensor in memory by reference, or moved in where it is an rvalue; anything else
/// as a copy.
template <number_table C>
decltype(auto) hold(C&& values) {
    if constexpr (number_range<C>) {
        auto copy =
            xt::xtensor<std::ranges::range_value_t<C>, 1>::from_shape({std::ranges::size(values)});
        std::ranges::copy(values, copy.begin());
        return copy;
    } else if constexpr (has_memory<C>) {
        return closure_t<C>(std::forward<C>(values));
    } else {
        return std::decay_t<decltype(xt::eval(std::forward<C>(values)))>(values);
    }
}

template <class T>
auto hold(std::initializer_list<T> values) {
    auto copy = xt::xtensor<T, 1>::from_shape({values.size()});
    std::copy(values.begin(), values.end(), copy.begin());
    return copy;
}

/// The result of hold(): a reference or a container.
template <class C>
using held_t = decltype(hold(std::declval<C>()));

/// A number of columns that a table holds, within [0, n]: the caller's tensor may have changed
/// since it was checked.
template <std::integral T, std::unsigned_integral N>
constexpr N clamped(T number, N n) noexcept {
    const T positive = std::max(number, T(0));
    if constexpr (sizeof(T) > sizeof(N)) {
        return static_cast<N>(std::min(positive, static_cast<T>(n)));
    } else {
        return std::min(static_cast<N>(positive), n);
    }
}

/// Maps the rows of a mask to offsets in the memory of a table that has the leading axes of the
/// mask.
template <class E>
row_offsets table_offsets(const char* function, const E& table) {
    const std::size_t axes = table.dimension();
    require_rank(function, axes + 1);
    return row_offsets(table.shape(), table.strides(), axes);
}
} // namespace xmask::inline XMASK_ABI::detail
