// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <ranges>
#include <type_traits>
#include <utility>

#include "error.hpp"
#include "shape.hpp"

/// @file
/// The axes of a reduction: which are reduced, which are kept, and where the result of a row
/// belongs.

namespace xmask::inline XMASK_ABI::detail {
/// An axis of the empty braces {}. No number converts to it, so that braces with numbers are an
/// array, whose type has their count.
enum class no_axis : std::ptrdiff_t {};

using no_axes = std::initializer_list<no_axis>;

/// The nearest std::ptrdiff_t: a number too large for any tensor must not become negative.
template <std::integral I>
constexpr std::ptrdiff_t signed_axis(I axis) noexcept {
    constexpr auto most = std::numeric_limits<std::ptrdiff_t>::max();
    return std::cmp_greater(+axis, most) ? most : static_cast<std::ptrdiff_t>(axis);
}

/// An axis, given by a number in braces. A bool is refused, because g++ reads options in braces, such
/// as {.keep_axes = true}, as an array of one element.
class braced_axis {
public:
    template <std::integral I>
        requires(!std::same_as<I, bool>)
    constexpr braced_axis(I axis) noexcept : m_axis(signed_axis(axis)) {}

    [[nodiscard]] constexpr std::ptrdiff_t number() const noexcept { return m_axis; }

private:
    std::ptrdiff_t m_axis;
};

/// The numbers of axes in braces.
template <std::size_t N>
std::array<std::ptrdiff_t, N> numbers_of(const braced_axis (&axes)[N]) {
    std::array<std::ptrdiff_t, N> numbers;
    std::ranges::transform(axes, numbers.begin(), &braced_axis::number);
    return numbers;
}

/// The type of an argument that names axes: one number, a container of numbers, or {}. Axes have
/// no names: a string literal is none.
template <class A>
concept axes_argument =
    (std::integral<A> && !std::same_as<A, bool>) || std::same_as<A, no_axes> ||
    (std::ranges::sized_range<A> && std::integral<std::ranges::range_value_t<A>> &&
     !(std::is_array_v<A> && std::same_as<std::ranges::range_value_t<A>, char>));

/// Calls f(axis) for each named axis.
template <axes_argument A, class F>
void for_each_named(const A& axes, F&& f) {
    if constexpr (std::integral<A>) {
        f(axes);
    } else if constexpr (!std::same_as<A, no_axes>) {
        for (const auto axis : axes) {
            f(axis);
        }
    }
}

/// The reduced axes, as the caller named them.
class axes_list {
public:
    template <axes_argument A>
    axes_list(const A& axes) {
        for_each_named(axes, [&](auto axis) { add(axis); });
    }

    axes_list(std::initializer_list<std::ptrdiff_t> axes) : m_axes(axes.begin(), axes.end()) {}

    [[nodiscard]] auto begin() const noexcept { return m_axes.begin(); }

    [[nodiscard]] auto end() const noexcept { return m_axes.end(); }

    [[nodiscard]] std::size_t size() const noexcept { return m_axes.size(); }

private:
    template <class I>
    void add(I axis) {
        m_axes.push_back(signed_axis(axis));
    }

    xt::svector<std::ptrdiff_t, 4> m_axes;
};

/// The number of an axis from 0 on; negative numbers count from the last axis. Throws
/// std::out_of_range for an axis that does not exist.
template <class I>
std::size_t axis_number(const char* function, I axis, std::size_t rank) {
    const auto count = static_cast<std::ptrdiff_t>(rank);
    if (std::cmp_less(+axis, -count) || std::cmp_greater_equal(+axis, count)) [[unlikely]] {
        throw_out_of_range(function, "axis ", +axis, " is outside of [", -count, ", ", count, ")");
    }
    const auto signed_axis = static_cast<std::ptrdiff_t>(axis);
    return static_cast<std::size_t>(signed_axis < 0 ? signed_axis + count : signed_axis);
}

/// The number of the axis of an operation. As in PyTorch, a tensor of rank 0 is a line of one
/// element, whose axis is 0 or -1.
template <class I>
std::size_t line_axis_number(const char* function, I axis, std::size_t rank) {
    return axis_number(function, axis, std::max(rank, std::size_t(1)));
}

/// The rows of a shape as lines along one of its axes cross them. Along the last axis a line is a
/// row.
class axis_of_rows {
public:
    template <class S>
    axis_of_rows(const S& shape, std::size_t axis)
        : m_extent(shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[axis]))
        , m_along_rows(axis + 1 >= shape.size()) {
        for (std::size_t a = axis + 1; a + 1 < shape.size(); ++a) {
            m_stride *= static_cast<std::size_t>(shape[a]);
        }
    }

    [[nodiscard]] bool along_rows() const noexcept { return m_along_rows; }

    /// The extent of the axis.
    [[nodiscard]] std::size_t extent() const noexcept { return m_extent; }

    /// The distance from a row to the next one that the same lines cross.
    [[nodiscard]] std::size_t stride() const noexcept { return m_stride; }

    /// The position of row r along the axis.
    [[nodiscard]] std::size_t position(std::size_t r) const noexcept {
        return r / m_stride % m_extent;
    }

    /// The number of the bundle of row r: the rows that the same lines cross.
    [[nodiscard]] std::size_t bundle(std::size_t r) const noexcept {
        return r / m_stride / m_extent * m_stride + r % m_stride;
    }

    /// The first row of a bundle.
    [[nodiscard]] std::size_t first_row(std::size_t bundle) const noexcept {
        return bundle / m_stride * m_stride * m_extent + bundle % m_stride;
    }

private:
    std::size_t m_extent;
    std::size_t m_stride = 1;
    bool m_along_rows;
};

/// The shape of the result of a reduction, and the offset in the result for each row of the
/// operand.
class kept_axes {
public:
    /// Throws std::out_of_range for an axis that the shape does not have, std::invalid_argument for
    /// one named twice.
    template <class S, axes_argument A>
    kept_axes(const char* function, const S& shape, const A& axes) {
        require_countable(function, shape);
        for_each_named(axes, [&](auto axis) { mark(function, m_reduced, axis, shape.size()); });
        std::array<std::ptrdiff_t, max_rank> strides{};
        auto kept = static_cast<std::size_t>(
            std::count(m_reduced.begin(), m_reduced.begin() + shape.size(), false)
        );
        m_shape = any_shape(kept);
        m_full_shape = any_shape(shape.begin(), shape.end());
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            if (m_reduced[axis]) {
                m_full_shape[axis] = 1;
                continue;
            }
            strides[axis] = static_cast<std::ptrdiff_t>(m_size);
            m_size *= static_cast<std::size_t>(shape[axis]);
            m_shape[--kept] = static_cast<std::size_t>(shape[axis]);
        }
        m_keeps_last = shape.size() != 0 && !m_reduced[shape.size() - 1];
        m_offsets = row_offsets(shape, shape, strides);
    }

    /// The shape of the result.
    [[nodiscard]] const any_shape& shape() const noexcept { return m_shape; }

    /// The shape of the operand with 1 in place of the reduced axes: it broadcasts into the
    /// operand.
    [[nodiscard]] const any_shape& full_shape() const noexcept { return m_full_shape; }

    /// Whether this axis of the operand is reduced.
    [[nodiscard]] bool reduces(std::size_t axis) const noexcept { return m_reduced[axis]; }

    /// The number of elements of the result.
    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

    /// Whether the last axis is kept: each column of a row has its own result.
    [[nodiscard]] bool keeps_last() const noexcept { return m_keeps_last; }

    /// The offset in the result for row r of the operand.
    [[nodiscard]] std::size_t offset(std::size_t r) const noexcept {
        return static_cast<std::size_t>(m_offsets(r));
    }

private:
    template <class I>
    static void mark(
        const char* function, std::array<bool, max_rank>& reduced, I axis, std::size_t rank
    ) {
        const std::size_t at = line_axis_number(function, axis, rank);
        if (reduced[at]) [[unlikely]] {
            throw_invalid(function, "axis ", at, " is named twice");
        }
        reduced[at] = true;
    }

    std::array<bool, max_rank> m_reduced{};
    any_shape m_shape;
    any_shape m_full_shape;
    row_offsets m_offsets;
    std::size_t m_size = 1;
    bool m_keeps_last = false;
};
} // namespace xmask::inline XMASK_ABI::detail
