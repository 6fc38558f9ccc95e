// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/row.hpp"
#include "../core/word.hpp"
#include "quad_ranks.hpp"
#include "size_key.hpp"

/// @file
/// The cursors of keep_n_of_m: the ranks of elements in their groups, along rows and down columns.
///
/// An element is kept if fewer than n of its group come before it. Comparisons of whole registers
/// tell which elements come before which; the bits of these comparisons are added column by column,
/// 64 columns at once. Nothing is sorted.

namespace xmask::inline XMASK_ABI::detail {
/// The largest group that is ranked by comparisons of registers.
inline constexpr std::size_t most_ranked = 16;

/// Counts in 64 columns at once: digit i holds bit i of each count.
template <std::size_t Digits>
class column_ranks {
public:
    XMASK_INLINE void add(word_t bits) noexcept {
        for (auto& digit : m_digits) {
            if (Digits > 4 && bits == 0) {
                return;
            }
            const word_t carry = digit & bits;
            digit ^= bits;
            bits = carry;
        }
    }

    /// The columns that have counted less than n.
    [[nodiscard]] XMASK_INLINE word_t below(std::size_t n) const noexcept {
        if (n >> Digits != 0) {
            return ~word_t(0);
        }
        word_t below = 0;
        word_t equal = ~word_t(0);
        for (std::size_t i = Digits; i-- > 0;) {
            const word_t bit = word_t(0) - (n >> i & 1);
            below |= equal & bit & ~m_digits[i];
            equal &= ~(bit ^ m_digits[i]);
        }
        return below;
    }

private:
    std::array<word_t, Digits> m_digits{};
};

/// Columns [0, 64) of whole groups of m columns, by the comparisons of neighbours: bit i of
/// later[d] says whether column i + d is larger than column i. `pairs` holds all columns but the
/// last one of each group.
template <class M>
XMASK_INLINE word_t keep_ranked(
    const std::array<word_t, most_ranked>& later, M m, std::size_t n, word_t pairs
) noexcept {
    constexpr std::size_t digits = [] {
        if constexpr (std::is_same_v<M, std::size_t>) {
            return std::size_t(4);
        } else {
            return static_cast<std::size_t>(std::bit_width(M::value - 1));
        }
    }();
    // Of each pair one comes before the other: the later column if it is larger, otherwise the
    // earlier one. Bit i of `behind` counts for column i, bit i of `ahead` for column i - d.
    std::array<word_t, most_ranked> behind;
    std::array<word_t, most_ranked> ahead;
    for (std::size_t d = 1; d < m; ++d, pairs &= pairs >> 1) {
        behind[d] = later[d] & pairs;
        ahead[d] = (~later[d] & pairs) << d;
    }
    column_ranks<digits> before;
    for (std::size_t d = 1; d < m; ++d) {
        // The first m - d columns of a group have a column d behind, the others one m - d ahead.
        before.add(behind[d] | ahead[m - d]);
    }
    return before.below(n);
}

/// Whether a word holds whole groups of a size known at compile time.
template <class M>
inline constexpr bool fills_words = false;

template <std::size_t M>
inline constexpr bool fills_words<std::integral_constant<std::size_t, M>> = word_columns % M == 0;

/// Keeps n of each group of m columns of a row.
template <class Row, size_by By>
class group_cursor {
    using T = typename block_t<Row>::value_type;

    static constexpr std::size_t window = word_columns + most_ranked;

public:
    group_cursor(Row row, std::size_t kept, std::size_t group, std::size_t columns)
        : m_row(std::move(row))
        , m_elements(contiguous_elements(m_row))
        , m_kept(kept)
        , m_group(group)
        , m_columns(columns) {
        if (group <= most_ranked) {
            m_whole = word_columns / group * group;
            for (std::size_t first = 0; first < m_whole; first += group) {
                m_pairs |= first_bits(group - 1) << first;
            }
        }
    }

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return m_group == 4 ? ranked(std::integral_constant<std::size_t, 4>(), c) : of_any_size(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_kept == 0 ? stretch_kind::dropped : stretch_kind::unknown};
    }

    [[nodiscard]] XMASK_INLINE bool gives_lanes() const noexcept
        requires ranks_quads<T>
    {
        return m_group == 4 && m_elements != nullptr;
    }

    /// Only where gives_lanes().
    template <std::same_as<T> U>
        requires ranks_quads<T>
    [[nodiscard]] XMASK_INLINE lane_word<U> lanes(std::size_t c) const {
        if (c % 4 != 0) [[unlikely]] {
            const word_t bits = word(c);
            return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
                return mask_from_bits<U>(bits, i * lane_count<U>);
            });
        }
        return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return largest_of_quads<By>(load_lanes(m_elements + c + i * lane_count<U>), m_kept);
        });
    }

private:
    // Out of line, so that the loops around hold one copy of the registers of groups of 4.
    [[gnu::noinline]] word_t of_any_size(std::size_t c) const {
        return m_group <= most_ranked ? ranked(m_group, c) : one_by_one(c);
    }

    template <class M>
    XMASK_INLINE word_t ranked(M m, std::size_t c) const {
        if (c % m == 0 && word_columns % m == 0) [[likely]] {
            return ranked_from(m, c) & first_bits(m_columns - c);
        }
        return ranked_across(m, c);
    }

    /// Columns [c, c + 64) from as many windows of whole groups as cover them. The last window is
    /// the first one of the next word.
    template <class M>
    word_t ranked_across(M m, std::size_t c) const {
        std::size_t first = c - c % m;
        word_t bits = window_from(m, first) >> (c - first);
        for (first += m_whole; first < std::min(c + word_columns, m_columns); first += m_whole) {
            bits |= window_from(m, first) << (first - c);
        }
        return bits & first_bits(m_columns - c);
    }

    template <class M>
    word_t window_from(M m, std::size_t first) const {
        if (m_window_first != first) {
            m_window = ranked_from(m, first);
            m_window_first = first;
        }
        return m_window;
    }

    /// The columns of whole groups from `first`, where a group begins, on.
    template <class M>
    XMASK_INLINE word_t ranked_from(M m, std::size_t first) const {
        if (m_elements != nullptr) [[likely]] {
            const T* const x = m_elements + first;
            if (first + word_columns + m <= m_columns) [[likely]] {
                return compared(m, x, std::false_type());
            }
            if (first >= m && first + word_columns <= m_columns) {
                return compared(m, x, std::true_type());
            }
        }
        return copied(m, first);
    }

    /// Compares pairs of elements; x and the elements up to m behind them, or m ahead, are there.
    template <class M, class Back>
    XMASK_INLINE word_t compared(M m, const T* x, Back) const noexcept {
        std::array<word_t, most_ranked> later;
        const word_t numbers = number_bits(x);
        for (std::size_t d = 1; d < m; ++d) {
            later[d] = Back::value ? larger_bits<By>(x, numbers, x - d) >> d
                                   : larger_bits<By>(x + d, numbers >> d, x);
        }
        if constexpr (fills_words<M>) {
            // All but the last bit of each group.
            constexpr word_t pairs = ~(~word_t(0) / first_bits(M::value) << (M::value - 1));
            return keep_ranked(later, m, m_kept, pairs);
        } else {
            return keep_ranked(later, m, m_kept, m_pairs) & first_bits(m_whole);
        }
    }

    /// The same of a copy, where the row ends, or is not contiguous.
    template <class M>
    [[gnu::noinline]] word_t copied(M m, std::size_t first) const {
        std::array<T, window> copy{};
        const std::size_t count = std::min(m_whole, m_columns - first);
        const auto block = m_row.block(first, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            copy[k] = block.at(k);
        }
        return compared(m, copy.data(), std::false_type());
    }

    /// Groups of any size.
    [[nodiscard]] word_t one_by_one(std::size_t c) const {
        word_t bits = 0;
        const std::size_t end = std::min(c + word_columns, m_columns);
        for (std::size_t k = c; k < end; ++k) {
            bits |= word_t(kept(k)) << (k - c);
        }
        return bits;
    }

    [[nodiscard]] bool kept(std::size_t c) const {
        const std::size_t first = c - c % m_group;
        const T x = read_one(m_row, c);
        std::size_t before = 0;
        for (std::size_t k = first; k < first + m_group; ++k) {
            before += k != c && precedes<By>(read_one(m_row, k), k, x, c) ? 1u : 0u;
        }
        return before < m_kept;
    }

    mutable Row m_row;
    const T* m_elements;
    std::size_t m_kept;
    std::size_t m_group;
    std::size_t m_columns;
    std::size_t m_whole = 0;                     ///< columns of the whole groups in a word
    word_t m_pairs = 0;                          ///< of these all but the last one of each group
    mutable std::size_t m_window_first = no_end; ///< where the last window began
    mutable word_t m_window = 0;
};

/// Keeps n of each group of m neighbours along an axis; those in other rows are read, one after
/// another.
template <class Rows, size_by By>
class group_along_cursor {
    using row_type = row_t<Rows>;
    using T = typename block_t<row_type>::value_type;
    using copy_type = std::array<T, word_columns>;

public:
    group_along_cursor(
        const Rows& rows, const axis_of_rows& lines, std::size_t r, std::size_t kept,
        std::size_t group, std::size_t n
    )
        : m_along_row(rows.row(r), kept, group, n)
        , m_rows(&rows)
        , m_lines(&lines)
        , m_kept(kept)
        , m_group(group)
        , m_columns(n) {
        if (!lines.along_rows()) {
            m_at = lines.position(r) % group;
            m_first = r - m_at * lines.stride();
            // Along one axis all steps are alike.
            m_elements = contiguous_elements(rows.row(m_first));
            if (m_elements != nullptr && group > 1) {
                m_step = contiguous_elements(rows.row(m_first + lines.stride())) - m_elements;
            }
        }
    }

    [[nodiscard]] word_t word(std::size_t c) const {
        if (m_lines->along_rows()) {
            return m_along_row.word(c);
        }
        return m_group <= most_ranked ? across<4>(c) : across<63>(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_along_row.at(c);
    }

private:
    template <std::size_t Digits>
    [[nodiscard]] word_t across(std::size_t c) const {
        copy_type own_copy;
        copy_type copy;
        const T* const own = elements(m_at, c, own_copy);
        const word_t numbers = number_bits(own);
        column_ranks<Digits> before;
        for (std::size_t i = 0; i < m_group; ++i) {
            if (i < m_at) {
                before.add(~larger_bits<By>(own, numbers, elements(i, c, copy)));
            } else if (i > m_at) {
                const T* const other = elements(i, c, copy);
                before.add(larger_bits<By>(other, number_bits(other), own));
            }
        }
        return before.below(m_kept) & first_bits(m_columns - c);
    }

    /// 64 elements from column c on of row i of the group, or as many as there are and zeros.
    [[nodiscard]] const T* elements(std::size_t i, std::size_t c, copy_type& copy) const {
        if (m_elements != nullptr && c + word_columns <= m_columns) [[likely]] {
            return m_elements + static_cast<std::ptrdiff_t>(i) * m_step + c;
        }
        copy.fill(T());
        auto row = m_rows->row(m_first + i * m_lines->stride());
        const std::size_t count = std::min(word_columns, m_columns - c);
        const auto block = row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            copy[k] = block.at(k);
        }
        return copy.data();
    }

    group_cursor<row_type, By> m_along_row;
    const Rows* m_rows;
    const axis_of_rows* m_lines;
    const T* m_elements = nullptr; ///< of the group's first row, where rows are contiguous
    std::ptrdiff_t m_step = 0;     ///< from one row of the group to the next
    std::size_t m_first = 0;       ///< number of the group's first row
    std::size_t m_at = 0;          ///< of this row within the group
    std::size_t m_kept;
    std::size_t m_group;
    std::size_t m_columns;
};
} // namespace xmask::inline XMASK_ABI::detail
