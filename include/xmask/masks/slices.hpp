// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <utility>

#include "../core/axes.hpp"
#include "../core/block.hpp"
#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/row_function.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "combine.hpp"

/// @file
/// Masks that are parts of a mask: a range of an axis, or one index of it.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Maps rows of a part to rows of the mask. A part of the last axis has all rows.
class part_rows {
public:
    /// The part is [begin, begin + count) of an axis.
    template <class S>
    part_rows(const S& shape, std::size_t axis, std::size_t begin, std::size_t count) {
        std::size_t inner = 1;
        for (std::size_t a = axis + 1; a + 1 < shape.size(); ++a) {
            inner *= static_cast<std::size_t>(shape[a]);
        }
        if (axis + 1 == shape.size()) {
            m_block = rows_of(shape);
            m_stride = m_block;
            return;
        }
        m_block = count * inner;
        m_stride = static_cast<std::size_t>(shape[axis]) * inner;
        m_first = begin * inner;
    }

    /// The number in the mask of row r of the part.
    [[nodiscard]] XMASK_INLINE std::size_t operator()(std::size_t r) const noexcept {
        return r < m_block ? m_first + r : r / m_block * m_stride + m_first + r % m_block;
    }

private:
    std::size_t m_block;
    std::size_t m_stride;
    std::size_t m_first = 0;
};

/// Columns [begin, begin + n) of a row.
template <row_cursor C>
class part_cursor {
public:
    part_cursor(C cursor, std::size_t begin, std::size_t n)
        : m_cursor(std::move(cursor)), m_begin(begin), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return m_cursor.word(m_begin + c) & first_bits(m_columns - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        const auto [end, kind] = m_cursor.at(m_begin + c);
        return {end == no_end ? no_end : end - m_begin, kind};
    }

private:
    C m_cursor;
    std::size_t m_begin;
    std::size_t m_columns;
};

/// A range of an axis. The axis stays.
template <class CTM>
class slice_range_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;

public:
    using shape_type = shape_like<typename mask_type::inner_shape_type>;

    static constexpr const char* name = "mask_slice";

    template <class M>
    slice_range_rule(M&& m, std::size_t axis, std::size_t begin, std::size_t end)
        : m_mask(std::forward<M>(m))
        , m_shape(xt::uninitialized_shape<shape_type>(m_mask.dimension()))
        , m_axis(axis)
        , m_begin(begin) {
        std::copy(m_mask.shape().begin(), m_mask.shape().end(), m_shape.begin());
        m_shape[axis] = end - begin;
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        const bool last = m_axis + 1 == m_shape.size();
        return row_function([rows = rows_type(m_mask, m_mask.shape()),
                             numbers = part_rows(m_mask.shape(), m_axis, m_begin, m_shape[m_axis]),
                             begin = last ? m_begin : 0,
                             n = columns_of(m_shape)](std::size_t r) XMASK_INLINE_LAMBDA {
            return part_cursor<typename rows_type::cursor>(rows.row(numbers(r)), begin, n);
        });
    }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index[m_axis] += m_begin;
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    std::size_t m_begin;
};

/// One index of an axis. The axis goes. Where this is the last axis, a row of the slice is a column
/// of the mask.
template <class CTM>
class slice_index_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;
    using cursor_type = typename rows_type::cursor;

    class cursor {
    public:
        explicit cursor(cursor_type row) : m_row(std::move(row)) {}

        cursor(const rows_type& rows, std::size_t first, std::size_t column, std::size_t n)
            : m_rows(&rows), m_first(first), m_column(column), m_columns(n) {}

        [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
            return m_row ? m_row->word(c) : gathered(c);
        }

        [[nodiscard]] stretch at(std::size_t c) const {
            return m_row ? m_row->at(c) : stretch{no_end, stretch_kind::unknown};
        }

    private:
        [[nodiscard]] word_t gathered(std::size_t c) const {
            return word_of(std::min(m_columns - c, word_columns), [&](std::size_t k) {
                return keeps(m_rows->row(m_first + c + k), m_column);
            });
        }

        std::optional<cursor_type> m_row;
        const rows_type* m_rows = nullptr;
        std::size_t m_first = 0;
        std::size_t m_column = 0;
        std::size_t m_columns = 0;
    };

public:
    using shape_type = shape_like<typename mask_type::inner_shape_type, -1>;

    static constexpr const char* name = "mask_slice";

    template <class M>
    slice_index_rule(M&& m, std::size_t axis, std::size_t index)
        : m_mask(std::forward<M>(m))
        , m_shape(xt::uninitialized_shape<shape_type>(m_mask.dimension() - 1))
        , m_axis(axis)
        , m_index(index) {
        const auto& from = m_mask.shape();
        const auto gone = from.begin() + static_cast<std::ptrdiff_t>(axis);
        std::copy(gone + 1, from.end(), std::copy(from.begin(), gone, m_shape.begin()));
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        return row_function([rows = rows_type(m_mask, m_mask.shape()),
                             numbers = part_rows(m_mask.shape(), m_axis, m_index, 1),
                             column = m_index, n = columns_of(m_shape),
                             across = m_axis == m_shape.size()](std::size_t r) XMASK_INLINE_LAMBDA {
            return across ? cursor(rows, r * n, column, n) : cursor(rows.row(numbers(r)));
        });
    }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index.insert(index.begin() + static_cast<std::ptrdiff_t>(m_axis), m_index);
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    std::size_t m_index;
};
} // namespace detail

/// Indices [begin, end) of one axis of a mask, as a mask. In Python, m[begin:end] for axis 0.
///
///     auto causal = xmask::keep_causal(4096, 4096);    // (4096, 4096)
///     auto last = xmask::mask_slice(causal, 0, 4000, 4096);    // the last 96 queries see all keys before them
///     auto near = xmask::mask_slice(last, 1, 3000, 4096);      // of the last 1096 keys
///
/// @param m a mask, held by reference if it is an lvalue.
/// @param axis negative ones are counted from the end.
/// @param begin the first index.
/// @param end past the last index.
/// @returns a mask with the same axes.
/// @throws std::out_of_range for an axis that the mask does not have, or unless 0 <= begin <= end
/// <= its extent.
///
/// Cost: nothing is stored; a row costs one of the mask, and knows the ranges that the mask's row
/// knows.
template <class M, std::integral A, std::integral B, std::integral E>
auto mask_slice(M&& m, A axis, B begin, E end) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("mask_slice", axis, m.dimension());
        const auto extent = static_cast<std::size_t>(m.shape()[at]);
        if (std::cmp_less(+begin, 0) || std::cmp_less(+end, +begin) ||
            std::cmp_greater(+end, extent)) [[unlikely]] {
            detail::throw_out_of_range(
                "mask_slice", "the range [", +begin, ", ", +end, ") of axis ", at,
                " is not within [0, ", extent, ")"
            );
        }
        using rule = detail::slice_range_rule<detail::closure_t<M>>;
        return mask(rule(
            std::forward<M>(m), at, static_cast<std::size_t>(begin), static_cast<std::size_t>(end)
        ));
    } else {
        return detail::refused_mask();
    }
}

/// One index of an axis of a mask, as a mask without this axis. In Python, m[index] for axis 0.
///
///     auto row = xmask::mask_slice(xmask::keep_causal(3, 4), 0, 1);    // 1 1 0 0
///
/// @param m a mask, held by reference if it is an lvalue.
/// @param axis negative ones are counted from the end.
/// @param index 0 or more.
/// @returns a mask with one axis less.
/// @throws std::out_of_range for an axis that the mask does not have, or an index outside of it.
///
/// Cost: nothing is stored; a row costs one of the mask, but along the last axis an element costs a
/// row.
template <class M, std::integral A, std::integral I>
auto mask_slice(M&& m, A axis, I index) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("mask_slice", axis, m.dimension());
        const auto extent = static_cast<std::size_t>(m.shape()[at]);
        if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]] {
            detail::throw_out_of_range(
                "mask_slice", "index ", +index, " of axis ", at, " is outside of [0, ", extent, ")"
            );
        }
        using rule = detail::slice_index_rule<detail::closure_t<M>>;
        return mask(rule(std::forward<M>(m), at, static_cast<std::size_t>(index)));
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
