// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/compress.hpp"
#include "../core/keys.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/selection.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../masks/ask.hpp"
#include "fold.hpp"

/// @file
/// Copies of what a mask keeps, for reductions that need all of it at once.

namespace xmask::inline XMASK_ABI::detail {
/// The kept elements at each position of the result. Where the reduced axes are the last ones, a
/// position is collected when it is asked for, otherwise all are collected at once.
template <class T, class X, class M>
class kept_elements {
    using value = lane_t<T>;

    static auto make_rows(const X& x, const M& m) {
        const auto& shape = x.shape();
        return masked_operands{
            mask_rows<M>(m, shape), make_operand<T>(x, shape), columns_of(shape)
        };
    }

public:
    kept_elements(const char* function, const X& x, const M& m, const kept_axes& axes)
        : m_axes(&axes), m_row_count(columns_of(x.shape()) == 0 ? 0 : rows_of(x.shape())) {
        require_broadcast(function, "a mask", m.shape(), x.shape());
        m_rows.emplace(make_rows(x, m));
        bool goes = false;
        for (std::size_t axis = 0; axis < x.dimension(); ++axis) {
            goes = goes || axes.reduces(axis);
            m_in_turn = m_in_turn && goes == axes.reduces(axis);
        }
        m_in_turn = m_in_turn && !axes.keeps_last();
        if (!m_in_turn) {
            collect_all(x.shape(), m);
        }
    }

    /// Those of position i, in any order; the next call overwrites them.
    [[nodiscard]] std::span<const value> at(std::size_t i) {
        return m_in_turn ? collect(i)
                         : std::span<const value>(
                               m_values.data() + m_begins[i], m_begins[i + 1] - m_begins[i]
                           );
    }

    /// Selects among the kept elements.
    [[nodiscard]] key_selector<value>& selector() noexcept { return m_selector; }

private:
    std::span<const value> collect(std::size_t i) {
        const std::size_t row_count = m_row_count / m_axes->size();
        const std::size_t first = i * row_count;
        std::size_t most = m_rows->columns;
        if (row_count != 1) {
            most = 0;
            for (std::size_t r = first; r < first + row_count; ++r) {
                most += count_row(m_rows->masks.row(r), 0, m_rows->columns);
            }
        }
        if (m_values.size() < most) {
            m_values.resize(most);
        }
        // bool lies in memory as a byte.
        T* const begin = reinterpret_cast<T*>(m_values.data());
        T* const end = begin + m_values.size();
        T* to = begin;
        for (std::size_t r = first; r < first + row_count; ++r) {
            auto row = m_rows->row(r);
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    to = compress_block(to, end, row.block(c, count, bits), count, bits);
                }
            );
        }
        return {m_values.data(), static_cast<std::size_t>(to - begin)};
    }

    template <class S>
    void collect_all(const S& shape, const M& m) {
        const auto counts = count_along(shape, m, *m_axes);
        m_begins.resize(m_axes->size() + 1);
        std::partial_sum(counts.begin(), counts.end(), m_begins.begin() + 1);
        m_values.resize(m_begins.back());
        std::vector<std::size_t> next(m_begins.begin(), m_begins.end() - 1);
        const bool by_column = m_axes->keeps_last();
        for (std::size_t r = 0; r < m_row_count; ++r) {
            auto row = m_rows->row(r);
            std::size_t* to = next.data() + m_axes->offset(r);
            for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
                const auto block = row.block(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    const std::size_t k = lowest_bit(bits);
                    m_values[to[by_column ? c + k : 0]++] = static_cast<value>(block.at(k));
                }
            });
        }
    }

    const kept_axes* m_axes;
    std::size_t m_row_count;
    std::optional<decltype(make_rows(std::declval<const X&>(), std::declval<const M&>()))> m_rows;
    bool m_in_turn = true;
    std::vector<std::size_t> m_begins;
    std::vector<value> m_values;
    key_selector<value> m_selector;
};

template <class T>
bool holds_nan(std::span<const T> values) {
    if constexpr (!std::is_floating_point_v<T>) {
        return false;
    } else if constexpr (has_lanes<T>) {
        word_t found = 0;
        for_each_lanes(
            values.data(), values.size(),
            [&](const lanes<T>& x, word_t valid)
                XMASK_INLINE_LAMBDA { found |= bits_from_mask(x != x) & valid; }
        );
        return found != 0;
    } else {
        return std::ranges::any_of(values, [](T x) { return is_nan(x); });
    }
}

/// The smallest of the values that are larger than a limit; there are some.
template <class T>
T next_larger(std::span<const T> values, T limit) {
    if constexpr (has_lanes<T>) {
        // A lane without any holds the largest value of all.
        lanes<T> least(key_limits<T>::largest);
        const lanes<T> at(limit);
        for_each_lanes(
            values.data(), values.size(),
            [&](const lanes<T>& x, word_t valid) XMASK_INLINE_LAMBDA {
                const word_t larger = bits_from_mask(x > at) & valid;
                least = select_by_bits<T>(larger, 0, xsimd::min(least, x), least);
            }
        );
        std::array<T, lane_count<T>> all;
        store_lanes(all.data(), least);
        return *std::ranges::min_element(all);
    } else {
        T least = key_limits<T>::largest;
        for (const T x : values) {
            least = x > limit && x < least ? x : least;
        }
        return least;
    }
}
} // namespace xmask::inline XMASK_ABI::detail
