// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/compress.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"
#include "ask.hpp"

/// @file
/// The positions that a mask keeps, one by one or all at once.

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
            find_word_from(0);
        }

        std::size_t operator*() const noexcept {
            return m_row * m_columns + m_column + lowest_bit(m_bits);
        }

        iterator& operator++() {
            m_bits &= m_bits - 1;
            if (m_bits == 0) {
                find_word_from(m_column + word_columns);
            }
            return *this;
        }

        void operator++(int) { ++*this; }

        bool operator==(std::default_sentinel_t) const noexcept { return m_row == m_row_count; }

    private:
        /// Goes to the next word with a kept column, from column c of the row on.
        void find_word_from(std::size_t c) {
            for (; m_row != m_row_count; ++m_row, c = 0) {
                const auto cursor = m_rows->row(m_row);
                if (any_block(c, m_columns, [&](std::size_t at, std::size_t count) {
                        m_column = at;
                        m_bits = cursor.word(at) & first_bits(count);
                        return m_bits != 0;
                    })) {
                    return;
                }
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

/// Consecutive numbers as a block.
template <class T>
class iota_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit iota_block(std::size_t first) noexcept : m_first(first) {}

    [[nodiscard]] XMASK_INLINE T at(std::size_t k) const noexcept {
        return static_cast<T>(m_first + k);
    }

    [[nodiscard]] XMASK_INLINE lanes<T> load(std::size_t k) const noexcept
        requires in_registers
    {
        static constexpr auto numbers = [] {
            std::array<T, lane_count<T>> all{};
            for (std::size_t i = 0; i < all.size(); ++i) {
                all[i] = static_cast<T>(i);
            }
            return all;
        }();
        return lanes<T>(at(k)) + load_lanes(numbers.data());
    }

    [[nodiscard]] XMASK_INLINE lanes<T> load_first(
        std::size_t k, std::size_t /*count*/
    ) const noexcept
        requires in_registers
    {
        return load(k);
    }

private:
    std::size_t m_first;
};

/// The flat positions of a shape's elements, as an operand, and as one of its rows.
template <class T>
class position_rows {
public:
    explicit position_rows(std::size_t columns, std::size_t first = 0) noexcept
        : m_columns(columns), m_first(first) {}

    [[nodiscard]] position_rows row(std::size_t r) const noexcept {
        return position_rows(m_columns, r * m_columns);
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return true; }

    [[nodiscard]] XMASK_INLINE iota_block<T> block(
        std::size_t c, std::size_t /*count*/, word_t /*bits*/
    ) const noexcept {
        return iota_block<T>(m_first + c);
    }

private:
    std::size_t m_columns;
    std::size_t m_first;
};

template <class M, class Out>
std::size_t write_positions(const M& m, Out& out) {
    constexpr const char* function = "positions_of";
    using T = std::remove_cv_t<value_type_t<Out>>;
    const auto& shape = m.shape();
    require_countable(function, shape);
    const mask_rows<M> masks(m, shape);
    const std::size_t n = columns_of(shape);
    const std::size_t size = n * rows_of(shape);
    if (size != 0 && std::cmp_greater(size - 1, std::numeric_limits<T>::max())) [[unlikely]] {
        throw_invalid(
            function, "position ", size - 1, " does not fit into elements of ", sizeof(T), " bytes"
        );
    }
    const std::size_t count = count_rows(shape, masks);
    require_room(function, count, out);
    const auto write = [&](T* to) {
        compress_rows(to, to + count, shape, masks, position_rows<T>(n));
    };
    if constexpr (has_memory<Out>) {
        const target<Out> to(out);
        if (overlap_of(m, to) == overlap::none && (count <= 1 || out.strides()[0] == 1)) {
            write(out.data() + out.data_offset());
            return count;
        }
    }
    std::vector<T> copy(count);
    write(copy.data());
    std::copy(copy.begin(), copy.end(), out.begin());
    return count;
}
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
    } else {
        return detail::refused();
    }
}

/// Writes the flat row-major positions of the kept elements, in order, to the first elements of
/// `out`. The other elements of `out` stay as they are.
///
/// Cost: two walks of the mask, one for the count and one for the positions; whole registers are
/// written where the processor can compress them. The positions pass through a copy where `out`
/// shares memory with the mask or is strided.
///
/// @param m    a mask
/// @param out  a tensor or view of integers, of rank 1, with room for the positions
/// @returns  the number of positions written
/// @throws std::invalid_argument  where `out` is too small or not of rank 1, or a position in the
/// mask's shape does not fit into its elements; nothing is written then
///
///     xt::xtensor<int, 1> found = xt::zeros<int>({3});
///     xmask::positions_of(xmask::keep_lengths({1, 2}, 4), found);
///     auto written = found;    // 0 4 5
template <class M, class Out>
std::size_t positions_of(const M& m, Out&& out) {
    if constexpr (detail::require_all<detail::require_mask<M>, detail::require_target<Out>>()) {
        using element = std::remove_cv_t<value_type_t<std::remove_cvref_t<Out>>>;
        constexpr bool integers = std::is_integral_v<element> && !std::is_same_v<element, bool>;
        static_assert(integers, "xmask: positions are written to a tensor of integers.");
        if constexpr (integers) {
            return detail::write_positions(m, out);
        }
    }
}
} // namespace xmask::inline XMASK_ABI
