// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <utility>
#include <vector>

#include "error.hpp"
#include "shape.hpp"

/// @file
/// The axes of a reduction: which go, which stay, and where a row's sum belongs.

namespace xmask::inline XMASK_ABI::detail
{
    /// Axes as a reduction takes them: one number, or a container of numbers.
    template <class A>
    concept axes_argument = std::integral<A> || (std::ranges::sized_range<A> && std::integral<std::ranges::range_value_t<A>>);

    /// An axis of a shape, negative ones counted from the end. Throws std::out_of_range for one that it does not have.
    template <std::integral I>
    std::size_t checked_axis(const char* function, I axis, std::size_t rank)
    {
        const auto count = static_cast<std::ptrdiff_t>(rank);
        if (std::cmp_less(axis, -count) || std::cmp_greater_equal(axis, count)) [[unlikely]]
        {
            throw_out_of_range(function, "axis ", axis, " is outside of [", -count, ", ", count, ")");
        }
        const auto signed_axis = static_cast<std::ptrdiff_t>(axis);
        return static_cast<std::size_t>(signed_axis < 0 ? signed_axis + count : signed_axis);
    }

    /// The result's shape, and the result's offset for each row of the operand.
    class kept_axes
    {
    public:

        /// Throws std::out_of_range for an axis that the shape does not have, std::invalid_argument for one named twice.
        template <class S, axes_argument A>
        kept_axes(const char* function, const S& shape, const A& axes)
        {
            require_rank(shape.size());
            std::array<bool, max_rank> reduced{};
            if constexpr (std::integral<A>)
            {
                mark(function, reduced, axes, shape.size());
            }
            else
            {
                for (const auto axis : axes)
                {
                    mark(function, reduced, axis, shape.size());
                }
            }
            std::array<std::ptrdiff_t, max_rank> strides{};
            std::vector<std::size_t> kept;
            for (std::size_t axis = shape.size(); axis-- > 0;)
            {
                if (!reduced[axis])
                {
                    strides[axis] = static_cast<std::ptrdiff_t>(m_size);
                    m_size *= static_cast<std::size_t>(shape[axis]);
                    kept.insert(kept.begin(), static_cast<std::size_t>(shape[axis]));
                }
            }
            m_shape = any_shape(kept.begin(), kept.end());
            m_keeps_last = shape.size() != 0 && !reduced[shape.size() - 1];
            m_offsets = row_offsets(shape, shape, strides);
        }

        /// The shape of the result.
        [[nodiscard]] const any_shape& shape() const noexcept
        {
            return m_shape;
        }

        /// The number of elements of the result.
        [[nodiscard]] std::size_t size() const noexcept
        {
            return m_size;
        }

        /// Whether the columns of a row stay apart.
        [[nodiscard]] bool keeps_last() const noexcept
        {
            return m_keeps_last;
        }

        /// Where row r of the operand goes.
        [[nodiscard]] std::size_t offset(std::size_t r) const noexcept
        {
            return static_cast<std::size_t>(m_offsets(r));
        }

    private:

        template <class I>
        static void mark(const char* function, std::array<bool, max_rank>& reduced, I axis, std::size_t rank)
        {
            const std::size_t at = checked_axis(function, axis, rank);
            if (reduced[at]) [[unlikely]]
            {
                throw_invalid(function, "axis ", at, " is named twice");
            }
            reduced[at] = true;
        }

        any_shape m_shape;
        row_offsets m_offsets;
        std::size_t m_size = 1;
        bool m_keeps_last = false;
    };
}
