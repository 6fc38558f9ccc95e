// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"
#include "windows.hpp"

/// @file
/// Masks of attention with gaps: dilated windows.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Keys begin, begin + step, ... before end.
class dilated_cursor {
public:
    /// @param comb bits 0, step, 2 * step, ... of a word.
    dilated_cursor(column_range range, std::size_t step, word_t comb) noexcept
        : m_range(range), m_step(step), m_comb(comb) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        // Distance to the next multiple of the step.
        const std::size_t past = c > m_range.begin ? (c - m_range.begin) % m_step : 0;
        const std::size_t ahead = c < m_range.begin ? m_range.begin - c
                                  : past == 0       ? 0
                                                    : m_step - past;
        const word_t bits = ahead < word_columns ? m_comb << ahead : 0;
        return bits & first_bits(std::max(m_range.end, c) - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_step == 1 || m_range.size() == 1 ? stretch_of(m_range, c)
                                                  : stretch_within(m_range, c);
    }

private:
    column_range m_range;
    std::size_t m_step;
    word_t m_comb;
};

/// Every step-th key of a window that ends at the query's own place.
class dilated_rows {
public:
    dilated_rows(std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset)
        : m_keys(k), m_left(left), m_step(step), m_offset(offset) {
        if (step == 0) [[unlikely]] {
            throw_invalid("keep_dilated", "step 0; expected 1 or more");
        }
        for (std::size_t bit = 0; bit < word_columns; bit += std::min(step, word_columns)) {
            m_comb |= word_t(1) << bit;
        }
    }

    [[nodiscard]] XMASK_INLINE dilated_cursor operator()(std::size_t i) const noexcept {
        const std::size_t n = m_keys;
        const std::size_t past = moved_by(i + 1, m_offset);
        if (past == 0) {
            return dilated_cursor({0, 0}, m_step, m_comb);
        }
        const std::size_t last = past - 1;
        const std::size_t begin = last - std::min(m_left, last / m_step) * m_step;
        if (begin >= n) {
            return dilated_cursor({n, n}, m_step, m_comb);
        }
        const std::size_t end = last < n ? past : n - (n - 1 - begin) % m_step;
        return dilated_cursor({begin, end}, m_step, m_comb);
    }

private:
    std::size_t m_keys;
    std::size_t m_left;
    std::size_t m_step;
    std::ptrdiff_t m_offset;
    word_t m_comb = 0;
};
} // namespace detail

/// Keeps keys p, p - step, p - 2 * step, ... down to p - left * step for query i at position
/// p = i + offset: a dilated window.
///
/// A query before the first key sees nothing.
///
///     auto m = xmask::keep_dilated(4, 4, 1, 2);
///     // 1 0 0 0
///     // 0 1 0 0
///     // 1 0 1 0
///     // 0 1 0 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param left number of keys besides the query's own.
/// @param step distance of these keys, 1 or more.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k).
/// @throws std::invalid_argument for a step of 0.
///
/// Cost: nothing is stored; a word costs a division and two shifts.
inline auto keep_dilated(
    std::size_t q, std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset = 0
) {
    return mask(detail::computed_rule(
        "keep_dilated", std::array<std::size_t, 2>{q, k},
        detail::dilated_rows(k, left, step, offset)
    ));
}
} // namespace xmask::inline XMASK_ABI
