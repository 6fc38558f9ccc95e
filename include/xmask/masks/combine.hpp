// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>

#include "../core/axes.hpp"
#include "../core/cursor.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"

/// @file
/// Masks from masks: unsqueeze and shift (&& || ! ^ come with every mask); and the two constant
/// masks, keep_all and keep_none.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A mask with one more axis of extent 1. Where this is the last axis, each element becomes a row.
template <class CTM>
class unsqueeze_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;
    using cursor_type = typename rows_type::cursor;

    class column_cursor {
    public:
        column_cursor(cursor_type cursor, std::size_t column, bool whole_row)
            : m_cursor(std::move(cursor)), m_column(column), m_whole_row(whole_row) {}

        [[nodiscard]] word_t word(std::size_t c) const {
            return m_whole_row ? m_cursor.word(c) : word_t(keeps(m_cursor, m_column));
        }

        [[nodiscard]] stretch at(std::size_t c) const {
            return m_whole_row ? m_cursor.at(c) : stretch{no_end, stretch_kind::unknown};
        }

        template <class T>
            requires lane_cursor<cursor_type, T>
        XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
            return m_cursor.template lanes<T>(c);
        }

        [[nodiscard]] bool gives_lanes() const noexcept {
            return m_whole_row && detail::gives_lanes(m_cursor);
        }

    private:
        cursor_type m_cursor;
        std::size_t m_column;
        bool m_whole_row;
    };

    class column_rows {
    public:
        column_rows(rows_type rows, std::size_t n, bool whole_row)
            : m_rows(std::move(rows)), m_columns(n), m_whole_row(whole_row) {}

        XMASK_INLINE column_cursor row(std::size_t r) const {
            return m_whole_row ? column_cursor(m_rows.row(r), 0, true)
                               : column_cursor(m_rows.row(r / m_columns), r % m_columns, false);
        }

        [[nodiscard]] bool one_row() const { return m_whole_row && m_rows.one_row(); }

        [[nodiscard]] bool flat() const { return m_rows.flat(); }

        /// Packing is for short rows. Rows of one column do not tell how long the mask's rows are.
        [[nodiscard]] bool packs() const noexcept { return m_whole_row; }

        /// The new axis does not change the order of the elements.
        XMASK_INLINE column_cursor whole() const { return column_cursor(m_rows.whole(), 0, true); }

    private:
        rows_type m_rows;
        std::size_t m_columns;
        bool m_whole_row;
    };

public:
    using shape_type = shape_like<typename mask_type::inner_shape_type, 1>;

    static constexpr const char* name = "unsqueeze";

    template <class M>
    unsqueeze_rule(M&& m, std::size_t axis)
        : m_mask(std::forward<M>(m))
        , m_shape(append_axis(m_mask.shape(), 1))
        , m_axis(axis)
        , m_last(axis + 1 == m_shape.size()) {
        std::rotate(
            m_shape.begin() + static_cast<std::ptrdiff_t>(axis), m_shape.end() - 1, m_shape.end()
        );
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        return column_rows(rows_type(m_mask, m_mask.shape()), columns_of(m_mask.shape()), !m_last);
    }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index.erase(index.begin() + static_cast<std::ptrdiff_t>(m_axis));
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    bool m_last;
};

/// A row moved along its columns. Columns that come in from outside are dropped.
template <row_cursor C>
class shift_cursor {
public:
    shift_cursor(C cursor, std::ptrdiff_t by, std::size_t n)
        : m_cursor(std::move(cursor))
        , m_right(by > 0 ? static_cast<std::size_t>(by) : 0)
        , m_left(by < 0 ? std::size_t(0) - static_cast<std::size_t>(by) : 0)
        , m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        const std::size_t hidden = m_right > c ? m_right - c : 0;
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (hidden >= word_columns || from >= m_columns) {
            return 0;
        }
        return m_cursor.word(from) << hidden & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t c) const {
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (c < m_right || from >= m_columns) {
            return {c < m_right ? m_right : no_end, stretch_kind::dropped};
        }
        const auto [end, kind] = m_cursor.at(from);
        return {std::min(end, m_columns) - m_left + m_right, kind};
    }

private:
    C m_cursor;
    std::size_t m_right;
    std::size_t m_left;
    std::size_t m_columns;
};

/// Rows moved along their columns.
template <class Rows>
class shift_rows {
public:
    shift_rows(Rows rows, std::ptrdiff_t by, std::size_t n)
        : m_rows(std::move(rows)), m_by(by), m_columns(n) {}

    auto row(std::size_t r) const {
        return shift_cursor<typename Rows::cursor>(m_rows.row(r), m_by, m_columns);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_rows.one_row(); }

private:
    Rows m_rows;
    std::ptrdiff_t m_by;
    std::size_t m_columns;
};

/// A mask moved along its last axis.
template <class CTM>
class shift_rule {
    using mask_type = std::decay_t<CTM>;

public:
    using shape_type = typename mask_type::inner_shape_type;

    static constexpr const char* name = "shift";

    template <class M>
    shift_rule(M&& m, std::ptrdiff_t by)
        : m_mask(std::forward<M>(m)), m_by(std::clamp(by, -columns(), columns())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_mask.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        using rows = mask_rows<mask_type>;
        return shift_rows<rows>(rows(m_mask, shape()), m_by, columns_of(shape()));
    }

    /// Bits shifted in from outside the row belong to no term.
    template <class F>
    void for_each_term(element_index index, F&& f) const {
        const std::ptrdiff_t from =
            index.empty() ? 0 : static_cast<std::ptrdiff_t>(index.back()) - m_by;
        if (from < 0 || from >= columns() || (index.empty() && m_by != 0)) {
            return;
        }
        if (!index.empty()) {
            index.back() = static_cast<std::size_t>(from);
        }
        f(m_mask, index);
    }

private:
    [[nodiscard]] std::ptrdiff_t columns() const {
        return static_cast<std::ptrdiff_t>(columns_of(shape()));
    }

    CTM m_mask;
    std::ptrdiff_t m_by;
};

/// All elements kept, or none.
template <class S>
class constant_rule {
public:
    using shape_type = S;

    constant_rule(S shape, bool kept)
        : m_shape(std::move(shape))
        , m_kept{0, kept ? columns_of(m_shape) : 0}
        , m_name(kept ? "keep_all" : "keep_none") {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor(m_kept);
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] XMASK_INLINE range_cursor whole() const noexcept {
        return range_cursor({0, rows_of(m_shape) * m_kept.end});
    }

private:
    S m_shape;
    column_range m_kept;
    const char* m_name;
};

template <class S>
auto make_constant(const S& shape, bool kept) {
    auto owned = to_shape(kept ? "keep_all" : "keep_none", shape);
    return mask(constant_rule<decltype(owned)>(std::move(owned), kept));
}
} // namespace detail

/// Inserts an axis of extent 1, along which the mask broadcasts.
///
///     auto m = xmask::unsqueeze(xmask::keep_lengths({2, 4, 3}, 4), 1);    // (3, 1, 4)
///
/// @param m a mask, held by reference if it is an lvalue.
/// @param axis the place of the new axis in the new shape; negative ones are counted from its end.
/// @returns a mask with one more axis.
/// @throws std::out_of_range for an axis that the new shape does not have.
///
/// Cost: nothing is stored; a word costs one of the mask, or one element where the new axis is the
/// last.
template <class M>
auto unsqueeze(M&& m, std::ptrdiff_t axis) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("unsqueeze", axis, m.dimension() + 1);
        using rule = detail::unsqueeze_rule<detail::closure_t<M>>;
        return mask(rule(std::forward<M>(m), at));
    } else {
        return detail::refused_mask();
    }
}

/// Moves a mask along its last axis: column c is kept where column c - by was.
///
///     auto m = xmask::shift(xmask::keep_lengths({3}, 4), 1);    // 0 1 1 1
///     auto targets = xmask::shift(xmask::keep_tokens(tokens, {5, 6}), -1);    // of next-token prediction
///
/// @param m a mask, held by reference if it is an lvalue.
/// @param by number of columns, to the right where positive. Columns from outside the row are
/// dropped.
/// @returns a mask of m's shape.
///
/// Cost: nothing is stored; a word costs one of the mask.
template <class M>
auto shift(M&& m, std::ptrdiff_t by) {
    if constexpr (detail::require_mask<M>()) {
        return mask(detail::shift_rule<detail::closure_t<M>>(std::forward<M>(m), by));
    } else {
        return detail::refused_mask();
    }
}

/// Keeps everything.
///
///     auto m = xmask::keep_all({2, 3});
///     // 1 1 1
///     // 1 1 1
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for an extent below 0, or more than 16 axes.
///
/// Cost: nothing is stored, and no word is asked for.
template <class S = std::initializer_list<std::size_t>>
auto keep_all(const S& shape) {
    return detail::make_constant(shape, true);
}

/// Keeps nothing.
///
///     auto m = xmask::keep_none(3);    // 0 0 0
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for an extent below 0, or more than 16 axes.
///
/// Cost: nothing is stored, and no word is asked for.
template <class S = std::initializer_list<std::size_t>>
auto keep_none(const S& shape) {
    return detail::make_constant(shape, false);
}
} // namespace xmask::inline XMASK_ABI
