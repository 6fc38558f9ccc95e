// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <bit>
#include <concepts>
#include <cstddef>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/row.hpp"
#include "../core/selection.hpp"
#include "../core/simd.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"
#include "element_rule.hpp"
#include "size_key.hpp"

/// @file
/// Where a cut by size goes through elements.

namespace xmask::inline XMASK_ABI::detail {
/// Keys of elements of T as they lie in memory.
template <class T, size_by By>
using stored_key = lane_t<size_key<T, By>>;

/// The first position past the first `left` ties, where bits_at(c) says which of positions
/// [c, c + 64) are ties. Where there are fewer, they are taken from `left`.
template <class F>
std::size_t past_ties(std::size_t& left, std::size_t n, F&& bits_at) {
    std::size_t found = n;
    any_block(0, n, [&](std::size_t c, std::size_t /*count*/) {
        word_t bits = bits_at(c);
        if (left > count_bits(bits)) {
            left -= count_bits(bits);
            return false;
        }
        for (; left > 1; --left) {
            bits &= bits - 1;
        }
        left = 0;
        found = c + lowest_bit(bits) + 1;
        return true;
    });
    return found;
}

/// Elements with larger keys are kept, and the first few elements with the cut's key.
template <class T, size_by By>
struct size_cut {
    using key_type = stored_key<T, By>;

    key_type key = key_limits<key_type>::largest; ///< NaN where every number is kept
    std::size_t ties = 0;                         ///< how many elements with this key are kept
    bool all_ties = true;                         ///< whether these are all

    /// The cut that keeps k of n keys. Keys in the selector's own room are overwritten.
    static size_cut through(
        key_selector<key_type>& selector, const key_type* keys, std::size_t n, std::size_t k
    ) {
        if (k == 0) {
            return {};
        }
        const auto found = selector.kth_largest(keys, n, k);
        return {found.key, k - found.above, k - found.above == found.equal};
    }

    /// The first position past the ties that are kept, where bits_at(c) says which of positions
    /// [c, c + 64) have the cut's key.
    template <class F>
    [[nodiscard]] std::size_t tie_end(std::size_t n, F&& bits_at) const {
        std::size_t left = ties;
        return all_ties ? (ties == 0 ? 0 : n) : past_ties(left, n, bits_at);
    }
};

/// Whether elements lie above a cut or, where Ties, at the cut; for element_cursor.
template <class T, size_by By, bool Ties>
struct beyond_cut {
    stored_key<T, By> key;

    bool operator()(T x) const noexcept {
        if (key != key) {
            return Ties || x == x;
        }
        const auto own = static_cast<stored_key<T, By>>(key_of<By>(x));
        return Ties ? own >= key : own > key;
    }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        const auto own = keys_of<T, By>(x);
        const detail::lanes<stored_key<T, By>> cut(key);
        auto beyond = Ties ? own >= cut : own > cut;
        if constexpr (std::floating_point<T>) {
            if (key != key) [[unlikely]] {
                beyond = Ties ? decltype(beyond)(true) : x == x;
            }
        }
        return beyond;
    }
};

/// Keys of columns [0, n) of a row; `to` has room for a register more.
template <size_by By, class Row, class K>
void write_keys(Row row, std::size_t n, K* to) {
    using T = typename block_t<Row>::value_type;
    for_each_block(0, n, [&](std::size_t c, auto count) {
        const auto block = row.block(c, count, first_bits(count));
        if constexpr (block_t<Row>::in_registers) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                store_lanes(to + c + k, keys_of<T, By>(load_register<full>(block, k, count - k)));
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = static_cast<K>(key_of<By>(block.at(k)));
            }
        }
    });
}

/// A row's elements as keys, where they lie in memory and are their own keys; otherwise null.
template <size_by By, class Row>
auto keys_in_place(const Row& row) noexcept {
    using T = typename block_t<Row>::value_type;
    using K = stored_key<T, By>;
    if constexpr (key_differs<T, By>) {
        return static_cast<const K*>(nullptr);
    } else {
        return reinterpret_cast<const K*>(contiguous_elements(row));
    }
}

/// One row under a cut.
template <class T, size_by By, class Row>
class cut_cursor {
public:
    cut_cursor(
        const beyond_cut<T, By, false>& above, const beyond_cut<T, By, true>& from,
        std::size_t tie_end, column_range extent, const Row& row, std::size_t n
    )
        : m_above(above, row, n), m_from(from, row, n), m_tie_end(tie_end), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        if (c >= m_tie_end) {
            return m_above.word(c);
        }
        const word_t bits = m_from.word(c);
        return c + word_columns <= m_tie_end ? bits
                                             : (bits & first_bits(m_tie_end - c)) | m_above.word(c);
    }

    /// Columns at the cut are kept before this one.
    void end_ties(std::size_t tie_end) noexcept { m_tie_end = tie_end; }

    /// Which columns lie at the cut.
    [[nodiscard]] word_t ties(std::size_t c) const { return m_from.word(c) & ~m_above.word(c); }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    element_cursor<beyond_cut<T, By, false>, Row> m_above;
    element_cursor<beyond_cut<T, By, true>, Row> m_from;
    std::size_t m_tie_end;
    column_range m_extent;
};

/// From the first of columns [0, n) that is kept to past the last.
template <class Cursor>
column_range kept_extent(const Cursor& cursor, std::size_t n) {
    const std::size_t first = next_kept(cursor, 0, n);
    std::size_t end = n;
    any_block(first, n, [&](std::size_t /*c*/, std::size_t count) {
        const word_t bits = cursor.word(end - count) & first_bits(count);
        end -= bits == 0 ? count : count - to_size(std::bit_width(bits));
        return bits != 0;
    });
    return {first, end};
}
} // namespace xmask::inline XMASK_ABI::detail
