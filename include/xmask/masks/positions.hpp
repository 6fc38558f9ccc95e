// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

#include "../core/cursor.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"

/// @file
/// The positions that a mask keeps, one by one.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The range of the flat positions that a mask keeps, in order.
template <class CTM>
class kept_positions {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;

public:
    class iterator {
    public:
        using value_type = std::size_t;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator(const rows_type& rows, std::size_t row_count, std::size_t n)
            : m_rows(std::addressof(rows)), m_row_count(row_count), m_columns(n) {
            if (m_row_count != 0) {
                m_bits = word();
            }
            skip_empty();
        }

        std::size_t operator*() const noexcept {
            return m_row * m_columns + m_column + lowest_bit(m_bits);
        }

        iterator& operator++() {
            m_bits &= m_bits - 1;
            skip_empty();
            return *this;
        }

        void operator++(int) { ++*this; }

        bool operator==(std::default_sentinel_t) const noexcept { return m_row == m_row_count; }

    private:
        [[nodiscard]] word_t word() const {
            return m_rows->row(m_row).word(m_column) & first_bits(m_columns - m_column);
        }

        void skip_empty() {
            while (m_bits == 0 && m_row != m_row_count) {
                m_column += word_columns;
                if (m_column >= m_columns) {
                    m_column = 0;
                    ++m_row;
                }
                m_bits = m_row == m_row_count ? 0 : word();
            }
        }

        const rows_type* m_rows;
        std::size_t m_row_count;
        std::size_t m_columns;
        std::size_t m_row = 0;
        std::size_t m_column = 0;
        word_t m_bits = 0;
    };

    template <class M>
    explicit kept_positions(M&& m) : m_mask(std::forward<M>(m)), m_rows(m_mask, m_mask.shape()) {}

    // m_rows refers to m_mask.
    kept_positions(const kept_positions&) = delete;
    kept_positions& operator=(const kept_positions&) = delete;

    [[nodiscard]] iterator begin() const {
        const std::size_t n = columns_of(m_mask.shape());
        return {m_rows, n == 0 ? 0 : rows_of(m_mask.shape()), n};
    }

    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    CTM m_mask;
    rows_type m_rows;
};
} // namespace detail

/// The flat row-major positions that a mask keeps, in order: a range for a loop.
///
///     for (std::size_t i : xmask::positions_of(xmask::keep_lengths({1, 2}, 4))) { std::cout << i << ' '; }    // 0 4 5
///
/// @param m a mask, held by reference if it is an lvalue.
/// @returns an input range of std::size_t.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: nothing is stored; each word is computed once.
template <class M>
auto positions_of(M&& m) {
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("positions_of", m.shape());
        return detail::kept_positions<detail::closure_t<M>>(std::forward<M>(m));
    }
}
} // namespace xmask::inline XMASK_ABI
