// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/rank.hpp"
#include "../core/rows.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "count_along.hpp"
#include "runs.hpp"

/// @file
/// Questions to a mask: how much it keeps, and of which rows.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// How many elements of `shape` are kept by a mask that broadcasts into it.
template <class S, class MaskRows>
std::size_t count_rows(const S& shape, const MaskRows& masks) {
    const row_plan plan(shape, layout_of(masks, true));
    std::size_t count = 0;
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end)
            XMASK_INLINE_LAMBDA { count += count_row(cursor, begin, end); }
    );
    return count;
}

/// Whether f(cursor, begin, end) is true for some columns of a mask. Stops at the first of them.
template <class M, class F>
bool any_row(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    const mask_rows<M> rows(m, m.shape());
    const row_plan plan(m.shape(), layout_of(rows, true));
    return plan.any_row(
        rows, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end) {
            return f(cursor, begin, end);
        }
    );
}

/// An array over the axes that stay, with f(number of kept elements) for each position.
template <class T, class M, class A, class F>
auto ask_along(const char* function, const M& m, const A& axes, F&& f) {
    const kept_axes kept(function, m.shape(), axes);
    const auto counts = count_along(m.shape(), m, kept);
    auto result = xt::xarray<T>::from_shape(kept.shape());
    std::transform(counts.begin(), counts.end(), result.data(), f);
    return with_rank<rank_without<M, A>()>(std::move(result));
}
} // namespace detail

/// The number of elements that a mask keeps.
///
///     std::size_t tokens = xmask::count_kept(xmask::keep_lengths({3, 1}, 4));    // 4
///
/// @param m a mask.
/// @returns the number of kept elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
std::size_t count_kept(const M& m) {
    std::size_t count = 0;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("count_kept", m.shape());
        count = detail::count_rows(m.shape(), detail::mask_rows<M>(m, m.shape()));
    }
    return count;
}

/// The numbers of kept elements along axes.
///
///     xt::xarray<std::size_t> each = xmask::count_kept(xmask::keep_lengths({3, 1}, 4), -1);    // 3, 1
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an array of std::size_t over the axes that stay: an xt::xtensor where the mask has a rank in
/// its type and the axes are a number or a std::array, else an xt::xarray.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: 64 columns at a time where the last axis goes, else a step for each kept element.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto count_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<std::size_t>("count_kept", m, axes, std::identity());
    } else {
        return detail::refused();
    }
}

/// The share of elements that a mask keeps.
///
///     double share = xmask::density(xmask::keep_lengths({3, 1}, 4));    // 0.5
///
/// @param m a mask.
/// @returns 0 to 1; NaN for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: that of count_kept.
template <class M>
double density(const M& m) {
    double share = std::numeric_limits<double>::quiet_NaN();
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("density", m.shape());
        if (m.size() != 0) {
            share = static_cast<double>(count_kept(m)) / static_cast<double>(m.size());
        }
    }
    return share;
}

/// Whether a mask keeps anything.
///
///     bool answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4));    // true
///
/// @param m a mask.
/// @returns false for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: stops at the first kept element.
template <class M>
bool any_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return detail::any_row(
            "any_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::next_kept(cursor, begin, end) < end;
            }
        );
    }
    return false;
}

/// Whether a mask keeps anything along axes.
///
///     xt::xarray<bool> answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4), -1);    // false, true
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an array of bool over the axes that stay: an xt::xtensor where the mask has a rank in
/// its type and the axes are a number or a std::array, else an xt::xarray.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: that of count_kept along these axes.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto any_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<bool>("any_kept", m, axes, [](std::size_t count) {
            return count != 0;
        });
    } else {
        return detail::refused();
    }
}

/// Whether a mask keeps everything.
///
///     bool whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4));    // false
///
/// @param m a mask.
/// @returns true for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: stops at the first row that drops something.
template <class M>
bool all_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return !detail::any_row(
            "all_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::count_row(cursor, begin, end) != end - begin;
            }
        );
    }
    return false;
}

/// Whether a mask keeps everything along axes.
///
///     xt::xarray<bool> whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4), -1);    // true, false
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an array of bool over the axes that stay: an xt::xtensor where the mask has a rank in
/// its type and the axes are a number or a std::array, else an xt::xarray.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: that of count_kept along these axes.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto all_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const detail::kept_axes kept("all_kept", m.shape(), axes);
        const std::size_t each = kept.size() == 0 ? 0 : m.size() / kept.size();
        return detail::ask_along<bool>("all_kept", m, axes, [each](std::size_t count) {
            return count == each;
        });
    } else {
        return detail::refused();
    }
}

/// The rows that keep nothing.
///
///     auto rows = xmask::empty_rows(xmask::keep_lengths({3, 0, 1, 0}, 4));    // 1, 3
///
/// @param m a mask.
/// @returns the numbers of these rows, in row-major order of the leading axes.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: a look at each row up to its first kept element.
template <class M>
std::vector<std::size_t> empty_rows(const M& m) {
    std::vector<std::size_t> empty;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("empty_rows", m.shape());
        const std::size_t n = detail::columns_of(m.shape());
        const detail::mask_rows<M> rows(m, m.shape());
        for (std::size_t r = 0; r < detail::rows_of(m.shape()); ++r) {
            if (detail::next_kept(rows.row(r), 0, n) == n) {
                empty.push_back(r);
            }
        }
    }
    return empty;
}
} // namespace xmask::inline XMASK_ABI
