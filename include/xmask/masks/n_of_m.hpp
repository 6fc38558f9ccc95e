// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/shape.hpp"
#include "group_cursor.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep the n largest of every m neighbours: structured sparsity.
/// group_cursor.hpp ranks the elements.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class CTX, size_by By>
class group_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_n_of_m";

    template <class X>
    group_rule(X&& x, std::size_t n, std::size_t m)
        : m_operand(std::forward<X>(x)), m_kept(n), m_group(m) {
        const std::size_t columns = columns_of(shape());
        if (n > m || m == 0 || columns % m != 0) [[unlikely]] {
            throw_invalid(
                name, n, " of every ", m, " in rows of ", columns,
                "; expected at most the group's size, and rows of whole groups"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_operand)); }

    /// Rows are whole groups, so that the groups of one row after another go on.
    [[nodiscard]] auto rows() const {
        return operand_cursors(
            make_operand<T>(m_operand, shape()), shape(),
            [kept = m_kept, group = m_group](auto row, std::size_t n) XMASK_INLINE_LAMBDA {
                return group_cursor<decltype(row), By>(std::move(row), kept, group, n);
            }
        );
    }

private:
    CTX m_operand;
    std::size_t m_kept;
    std::size_t m_group;
};

template <class CTX, size_by By>
class group_along_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_n_of_m";

    template <class X>
    group_along_rule(X&& x, std::size_t n, std::size_t m, std::size_t axis)
        : m_operand(std::forward<X>(x)), m_lines(shape(), axis), m_kept(n), m_group(m) {
        if (n > m || m == 0 || m_lines.extent() % m != 0) [[unlikely]] {
            throw_invalid(
                name, n, " of every ", m, " along axis ", axis, " of extent ", m_lines.extent(),
                "; expected at most the group's size, and whole groups"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const {
        return row_function([this, operand = make_operand<T>(m_operand, shape()),
                             n = columns_of(shape())](std::size_t r) {
            return group_along_cursor<operand_rows, By>(operand, m_lines, r, m_kept, m_group, n);
        });
    }

private:
    CTX m_operand;
    axis_of_rows m_lines;
    std::size_t m_kept;
    std::size_t m_group;
};
} // namespace detail

/// Keeps the n largest of every m neighbouring elements of a row: structured sparsity, 2 of 4 by
/// magnitude as processors take it. Of equal elements the first ones are kept; NaN comes last.
///
/// Cost: for m up to 16, m - 1 comparisons of registers each time a word is asked for; beyond 16, m
/// comparisons of each element. The mask stores nothing but x.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param n how many elements of each group are kept.
/// @param m elements of a group.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument for n beyond m, or rows that are not whole groups.
///
///     xt::xtensor<float, 1> weights = {0.1f, -0.9f, 0.3f, 0.2f, 4.f, 0.f, -3.f, 2.f};
///     auto m = xmask::keep_n_of_m<xmask::size_by::magnitude>(weights, 2, 4);    // 0 1 1 0 1 0 1 0
template <size_by By = size_by::value, class X>
auto keep_n_of_m(X&& x, std::size_t n, std::size_t m) {
    if constexpr (detail::require_numbers<X>()) {
        return mask(detail::group_rule<detail::closure_t<X>, By>(std::forward<X>(x), n, m));
    } else {
        return detail::refused_mask();
    }
}

/// Keeps the n largest of every m neighbouring elements along an axis. Of equal elements the first
/// ones along the axis are kept; NaN comes last.
///
/// Cost: for m up to 16, m - 1 comparisons of registers each time a word is asked for. The mask
/// stores nothing but x.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param n how many elements of each group are kept.
/// @param m elements of a group.
/// @param axis the axis that groups lie along; negative numbers count from the end.
/// @returns a mask of x's shape.
/// @throws std::out_of_range for an axis that x does not have.
/// @throws std::invalid_argument for n beyond m, or an extent that is not a multiple of m.
///
///     xt::xtensor<float, 2> w = {{1, -5}, {-4, 2}, {3, 3}};
///     auto m = xmask::keep_n_of_m<xmask::size_by::magnitude>(w, 1, 3, 0);    // down the columns
///     // 0 1
///     // 1 0
///     // 0 0
template <size_by By = size_by::value, class X>
auto keep_n_of_m(X&& x, std::size_t n, std::size_t m, std::ptrdiff_t axis) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t at = detail::axis_number("keep_n_of_m", axis, x.dimension());
        return mask(detail::group_along_rule<detail::closure_t<X>, By>(std::forward<X>(x), n, m, at)
        );
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
