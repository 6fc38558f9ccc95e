// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "attributes.hpp"
#include "shape.hpp"

/// @file
/// The rows of a mask or of an operand as a function of their number.

namespace xmask::inline XMASK_ABI::detail {
/// The rows f(r), made for one operation: cursors of a mask, or rows of an operand.
template <class F>
class row_function {
public:
    explicit row_function(F f) : m_function(std::move(f)) {}

    XMASK_INLINE auto row(std::size_t r) const { return m_function(r); }

    /// No row of the operand continues in the next.
    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    F m_function;
};

/// The cursors f(row, columns) of the rows of an operand. Where no row of the operand ends, all of
/// them are one row, too.
template <class Rows, class F>
class operand_cursors {
public:
    template <class S>
    operand_cursors(Rows rows, const S& shape, F f)
        : m_rows(std::move(rows))
        , m_row_count(rows_of(shape))
        , m_columns(columns_of(shape))
        , m_function(std::move(f)) {}

    XMASK_INLINE auto row(std::size_t r) const { return m_function(m_rows.row(r), m_columns); }

    [[nodiscard]] bool flat() const { return m_rows.flat(m_columns); }

    XMASK_INLINE auto whole() const { return m_function(m_rows.row(0), m_row_count * m_columns); }

private:
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
    F m_function;
};
} // namespace xmask::inline XMASK_ABI::detail
