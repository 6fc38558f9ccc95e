// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "attributes.hpp"
#include "cursor.hpp"
#include "packed.hpp"
#include "pieces.hpp"
#include "row.hpp"
#include "shape.hpp"
#include "walk.hpp"

/// @file
/// All rows of an operation. Only this file decides which rows are walked as one, and how the work
/// is cut into pieces for threads.

namespace xmask::inline XMASK_ABI::detail {
/// The rows of a mask that keeps everything, for operations without a mask.
class all_rows {
public:
    template <class S>
    explicit all_rows(const S& shape) noexcept
        : m_row_count(rows_of(shape)), m_columns(columns_of(shape)) {}

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor({0, m_columns});
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] XMASK_INLINE range_cursor whole() const noexcept {
        return range_cursor({0, m_row_count * m_columns});
    }

    [[nodiscard]] bool packs() const noexcept { return m_columns < packed_columns; }

    [[nodiscard]] static bool one_row() noexcept { return true; }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        ask_first_words(*this, r, count, to);
    }

private:
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// How the rows of an operation are walked.
enum class row_layout {
    separate, ///< each row by itself
    flat,     ///< as one row: the words of the mask continue from one row to the next
    packed    ///< as one row, with joined words
};

/// How the rows of a mask are walked together with operands that are flat or not.
template <class Masks>
row_layout layout_of(const Masks& masks, bool flat_operands) {
    if (!flat_operands) {
        return row_layout::separate;
    }
    return masks.flat()    ? row_layout::flat
           : masks.packs() ? row_layout::packed
                           : row_layout::separate;
}

/// The rows of a shape, and the way to walk them.
class row_plan {
public:
    template <class S>
    row_plan(const S& shape, row_layout layout) noexcept
        : m_row_count(columns_of(shape) == 0 ? 0 : rows_of(shape))
        , m_columns(columns_of(shape))
        , m_layout(layout) {}

    [[nodiscard]] bool empty() const noexcept { return m_row_count == 0; }

    [[nodiscard]] pieces cut() const noexcept {
        switch (m_layout) {
        case row_layout::flat:
            return {m_row_count == 0 ? std::size_t(0) : 1, m_row_count * m_columns};
        case row_layout::packed:
            return pieces::of_whole_rows(m_row_count, m_columns);
        default:
            return {m_row_count, m_columns};
        }
    }

    /// Calls f(cursor, r, begin, end) for the rows of a piece, until f returns true. f walks
    /// columns [begin, end) of row r by the cursor. Rows that are walked as one are row 0. Returns
    /// whether f returned true.
    ///
    /// Inlined, so that the sums of f stay in registers from row to row.
    template <class Masks, class F>
    XMASK_INLINE bool any_row(const Masks& masks, const piece& part, F&& f) const {
        if (m_layout == row_layout::packed && part.first_row != part.last_row) {
            return any_packed(masks, part, f);
        }
        const bool flat = m_layout == row_layout::flat;
        for (std::size_t r = part.first_row; r < part.last_row; ++r) {
            if (f(flat ? masks.whole() : masks.row(r), r, part.begin, part.end)) {
                return true;
            }
        }
        return false;
    }

    /// Calls f(cursor, r, begin, end) for all rows of a piece.
    template <class Masks, class F>
    XMASK_INLINE void for_each_row(const Masks& masks, const piece& part, F&& f) const {
        any_row(
            masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                XMASK_INLINE_LAMBDA {
                    f(cursor, r, begin, end);
                    return false;
                }
        );
    }

private:
    template <class Masks, class F>
    XMASK_INLINE bool any_packed(const Masks& masks, const piece& part, F&& f) const {
        packed_words words(m_columns);
        const std::size_t step = words.rows_at_once();
        for (std::size_t r = part.first_row; r < part.last_row; r += step) {
            const std::size_t count = std::min(step, part.last_row - r);
            const words_cursor cursor = words.join(masks, r, count);
            if (f(cursor, std::size_t(0), r * m_columns, (r + count) * m_columns)) {
                return true;
            }
        }
        return false;
    }

    std::size_t m_row_count;
    std::size_t m_columns;
    row_layout m_layout;
};

/// One row of a mask and of its operands.
template <row_cursor Cursor, class Row>
class masked_row {
public:
    masked_row(Cursor cursor, Row row, std::size_t n)
        : m_cursor(std::move(cursor)), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] const Cursor& cursor() const noexcept { return m_cursor; }

    [[nodiscard]] const Row& operands() const noexcept { return m_row; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

    template <class Count>
    XMASK_INLINE auto block(std::size_t c, Count count, word_t bits) {
        return m_row.block(c, count, bits);
    }

private:
    Cursor m_cursor;
    Row m_row;
    std::size_t m_columns;
};

/// The rows of a mask and of the operands that are walked with it. Each thread has a copy, with its
/// own buffers.
template <class Masks, class Rows>
struct masked_operands {
    Masks masks;
    Rows rows;
    std::size_t columns;

    [[nodiscard]] XMASK_INLINE auto row(std::size_t r) const {
        using cursor = std::decay_t<decltype(masks.row(r))>;
        return masked_row<cursor, row_t<Rows>>(masks.row(r), rows.row(r), columns);
    }
};

template <class Masks, class Rows>
masked_operands(Masks, Rows, std::size_t) -> masked_operands<Masks, Rows>;

/// Calls f(c, count, bits) for each block of a row with a kept column, in order.
template <row_cursor Cursor, class Row, class F>
XMASK_INLINE void for_each_kept_block(masked_row<Cursor, Row>& row, F&& f) {
    for_each_kept_block(row.cursor(), 0, row.columns(), f);
}
} // namespace xmask::inline XMASK_ABI::detail
