// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"
#include "../core/xtensor.hpp"

/// @file
/// Counts what a mask keeps: in one row, and at each position of the axes that stay.

namespace xmask::inline XMASK_ABI::detail {
/// Counts what a row keeps.
class count_delegate {
public:
    static constexpr bool takes_any_range = true;

    template <class Count>
    XMASK_INLINE void block(std::size_t /*c*/, Count /*count*/, word_t bits) noexcept {
        m_count += count_bits(bits);
    }

    void kept(std::size_t c, std::size_t end) noexcept { m_count += end - c; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

private:
    std::size_t m_count = 0;
};

/// How many of columns [begin, end) a row keeps.
template <row_cursor C>
XMASK_INLINE std::size_t count_row(const C& cursor, std::size_t begin, std::size_t end) {
    if constexpr (has_range<C>) {
        return intersection(cursor.range(), {begin, end}).size();
    } else {
        count_delegate counted;
        walk(cursor, begin, end, counted);
        return counted.count();
    }
}

/// Counts the set bits of many words, column by column. 64 counters are eight words, one word a
/// binary digit: adding a word takes two steps of carrying on average.
class column_counts {
    static constexpr std::size_t digits = 8;
    using counter = std::array<word_t, digits>;

public:
    explicit column_counts(std::size_t columns)
        : m_columns(columns)
        , m_counters(columns == 0 ? 0 : columns / word_columns + 2, counter{}) {}

    /// Adds bit k to column at + k.
    void add(std::size_t at, word_t bits) {
        const std::size_t shift = at % word_columns;
        add_word(at / word_columns, bits << shift);
        if (shift != 0) {
            add_word(at / word_columns + 1, bits >> (word_columns - shift));
        }
    }

    [[nodiscard]] std::size_t count(std::size_t column) const noexcept {
        std::size_t count = m_carried.empty() ? 0 : m_carried[column];
        const auto& held = m_counters[column / word_columns];
        for (std::size_t digit = 0; digit < digits; ++digit) {
            count += to_size(held[digit] >> column % word_columns & 1) << digit;
        }
        return count;
    }

private:
    void add_word(std::size_t i, word_t bits) {
        for (std::size_t digit = 0; bits != 0 && digit < digits; ++digit) {
            const word_t carry = m_counters[i][digit] & bits;
            m_counters[i][digit] ^= bits;
            bits = carry;
        }
        if (bits != 0) [[unlikely]] {
            carry_over(i, bits);
        }
    }

    /// Counts what is beyond the digits.
    void carry_over(std::size_t i, word_t bits) {
        m_carried.resize(m_columns);
        for (; bits != 0; bits &= bits - 1) {
            m_carried[i * word_columns + lowest_bit(bits)] += std::size_t(1) << digits;
        }
    }

    std::size_t m_columns;
    xt::svector<counter, 3> m_counters;
    std::vector<std::size_t> m_carried; // what the counters could not hold: empty up to 255 rows
};

/// How many elements are kept at each position of the axes that stay.
class axis_counts {
public:
    /// `n` is the number of columns. Without `counted` there are no counts of columns.
    axis_counts(const kept_axes& axes, std::size_t n, bool counted)
        : m_columns(n)
        , m_by_column(axes.keeps_last())
        , m_counted(counted)
        , m_counts(m_by_column ? (n == 0 ? 0 : axes.size() / n) : axes.size(), std::size_t(0))
        , m_column_counts(m_by_column && counted ? axes.size() : 0) {}

    [[nodiscard]] std::size_t count(std::size_t i) const noexcept {
        return m_by_column ? m_counts[i / m_columns] + m_column_counts.count(i) : m_counts[i];
    }

    void add(std::size_t at, std::size_t count) noexcept { m_counts[at] += count; }

    /// Adds bit k to position at + k.
    void add_columns(std::size_t at, word_t bits) { m_column_counts.add(at, bits); }

    /// Whether the columns of a row have to be counted one by one. A row that is kept whole costs
    /// one addition.
    template <row_cursor C>
    bool counts_columns(std::size_t at, const C& cursor) {
        if (!m_counted) {
            return false;
        }
        const stretch first = stretch_at(cursor, 0);
        if (first.kind == stretch_kind::kept && first.end >= m_columns) {
            ++m_counts[at / m_columns];
            return false;
        }
        return true;
    }

private:
    std::size_t m_columns;
    bool m_by_column;
    bool m_counted;
    xt::svector<std::size_t, 4> m_counts; // of positions, or of rows that are kept whole
    column_counts m_column_counts;
};

/// The counts of count_along where columns stay apart, by counters of 64 columns.
template <class S, class M>
std::vector<std::size_t> count_columns(const S& shape, const M& m, const kept_axes& axes) {
    const std::size_t n = columns_of(shape);
    axis_counts counted(axes, n, true);
    const mask_rows<M> rows(m, shape);
    for (std::size_t r = 0; r < rows_of(shape); ++r) {
        const auto cursor = rows.row(r);
        const std::size_t at = axes.offset(r);
        if (counted.counts_columns(at, cursor)) {
            for_each_kept_block(cursor, 0, n, [&](std::size_t c, auto /*count*/, word_t bits) {
                counted.add_columns(at + c, bits);
            });
        }
    }
    std::vector<std::size_t> counts(axes.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counts[i] = counted.count(i);
    }
    return counts;
}

/// The number of elements of `shape` that a mask keeps at each position of the axes that stay. The
/// mask broadcasts into the shape.
template <class S, class M>
std::vector<std::size_t> count_along(const S& shape, const M& m, const kept_axes& axes) {
    const std::size_t n = columns_of(shape);
    if (axes.keeps_last() && n >= word_columns) {
        return count_columns(shape, m, axes);
    }
    std::vector<std::size_t> counts(axes.size());
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    const mask_rows<M> rows(m, shape);
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto cursor = rows.row(r);
        std::size_t* const at = counts.data() + axes.offset(r);
        if (!axes.keeps_last()) {
            *at += count_row(cursor, 0, n);
            continue;
        }
        for (word_t bits = cursor.word(0) & first_bits(n); bits != 0; bits &= bits - 1) {
            ++at[lowest_bit(bits)];
        }
    }
    return counts;
}
} // namespace xmask::inline XMASK_ABI::detail
