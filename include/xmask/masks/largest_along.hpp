// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/selection.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"
#include "largest.hpp"
#include "size_cut.hpp"
#include "size_key.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep the largest elements along any axis.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The cuts of lines, and how far along its line each keeps elements of its key.
template <class T, size_by By>
class line_cuts {
public:
    using key_type = stored_key<T, By>;

    void reserve(std::size_t count) {
        m_keys.reserve(count + word_columns);
        m_tie_ends.reserve(count);
    }

    /// The cut of a line of n keys, where the selector may overwrite its own room only.
    void add(key_selector<key_type>& selector, const key_type* keys, std::size_t n, std::size_t k) {
        const auto cut = size_cut<T, By>::through(selector, keys, n, k);
        m_keys.push_back(cut.key);
        m_tie_ends.push_back(cut.tie_end(n, [&](std::size_t c) {
            word_t bits = 0;
            for (std::size_t i = c; i < std::min(c + word_columns, n); ++i) {
                const bool both_nan = keys[i] != keys[i] && cut.key != cut.key;
                bits |= word_t(keys[i] == cut.key || both_nan) << (i - c);
            }
            return bits;
        }));
    }

    /// Whole registers may be loaded at the last cuts.
    void finish() { m_keys.resize(m_keys.size() + word_columns); }

    [[nodiscard]] const key_type* keys() const noexcept { return m_keys.data(); }

    [[nodiscard]] const std::size_t* tie_ends() const noexcept { return m_tie_ends.data(); }

private:
    std::vector<key_type> m_keys;
    std::vector<std::size_t> m_tie_ends;
};

/// Keeps the elements above the cut of their line: one cut for all columns, or one for each.
template <size_by By, class Row>
class line_cursor {
    using T = typename block_t<Row>::value_type;
    using K = stored_key<T, By>;

    struct decision {
        word_t above = 0;
        word_t ties = 0;
    };

public:
    line_cursor(
        Row row, const K* keys, const std::size_t* tie_ends, std::size_t position, bool along_row,
        column_range extent
    )
        : m_row(std::move(row))
        , m_keys(keys)
        , m_tie_ends(tie_ends)
        , m_position(position)
        , m_along_row(along_row)
        , m_extent(extent) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        if (c >= m_extent.end) {
            return 0;
        }
        const std::size_t count = std::min(word_columns, m_extent.end - c);
        const decision bits = decide(m_row.block(c, count, first_bits(count)), c, count);
        if (m_along_row) {
            return bits.above | (bits.ties & first_bits(std::max(*m_tie_ends, c) - c));
        }
        word_t kept = bits.above;
        for (word_t ties = bits.ties; ties != 0; ties &= ties - 1) {
            const std::size_t k = lowest_bit(ties);
            kept |= word_t(m_position < m_tie_ends[c + k]) << k;
        }
        return kept;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    template <class Block>
    [[nodiscard]] decision decide(const Block& block, std::size_t c, std::size_t count) const {
        decision bits;
        if constexpr (Block::in_registers) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = keys_of<T, By>(load_register<full>(block, k, count - k));
                const auto cut = m_along_row ? lanes<K>(*m_keys) : load_lanes(m_keys + c + k);
                const auto numbers = bits_from_mask(x == x);
                const auto cuts = bits_from_mask(cut == cut);
                const auto larger = bits_from_mask(x > cut) | (numbers & ~cuts);
                const auto equal = bits_from_mask(x == cut) | ~(numbers | cuts);
                bits.above |= larger << k;
                bits.ties |= (equal & first_bits(lane_count<K>)) << k;
            });
            bits.above &= first_bits(count);
            bits.ties &= first_bits(count);
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                const K x = static_cast<K>(key_of<By>(block.at(k)));
                const K cut = m_keys[m_along_row ? 0 : c + k];
                bits.above |= word_t(x > cut || (cut != cut && x == x)) << k;
                bits.ties |= word_t(x == cut || (cut != cut && x != x)) << k;
            }
        }
        return bits;
    }

    mutable Row m_row; // a row over anything but memory keeps a buffer
    const K* m_keys;
    const std::size_t* m_tie_ends;
    std::size_t m_position;
    bool m_along_row;
    column_range m_extent;
};

/// The k largest of each line along an axis; memory for a cut a line.
template <class CTX, size_by By>
class line_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using K = stored_key<T, By>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_top_k";

    template <class X>
    line_rule(X&& x, std::size_t k, std::size_t axis)
        : m_operand(std::forward<X>(x)), m_lines(shape(), axis), m_any(k != 0) {
        const std::size_t n = columns_of(shape());
        const std::size_t extent = m_lines.extent();
        const std::size_t row_count = n == 0 || extent == 0 ? 0 : rows_of(shape());
        const std::size_t bundles =
            m_lines.along_rows() ? row_count : row_count / std::max<std::size_t>(extent, 1);
        const auto operand = make_operand<T>(m_operand, shape());
        key_selector<K> selector;
        // Whole registers may be written at the ends of rows.
        std::vector<K> keys((m_lines.along_rows() ? n : word_columns * extent) + word_columns);
        m_cuts.reserve(m_lines.along_rows() ? bundles : bundles * n);
        for (std::size_t bundle = 0; bundle < bundles; ++bundle) {
            if (m_lines.along_rows()) {
                write_keys<By>(operand.row(bundle), n, keys.data());
                m_cuts.add(selector, keys.data(), n, k);
                continue;
            }
            for_each_block(0, n, [&](std::size_t c, std::size_t count) {
                collect_lines(operand, bundle, c, count, keys.data());
                for (std::size_t at = 0; at < count; ++at) {
                    m_cuts.add(selector, keys.data() + at * extent, extent, k);
                }
            });
        }
        m_cuts.finish();
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const {
        return row_function([this, operand = make_operand<T>(m_operand, shape()),
                             n = columns_of(shape())](std::size_t r) {
            const bool along = m_lines.along_rows();
            const std::size_t first = n == 0 ? 0 : along ? r : m_lines.bundle(r) * n;
            return line_cursor<By, row_t<operand_rows>>(
                operand.row(r), m_cuts.keys() + first, m_cuts.tie_ends() + first,
                along ? 0 : m_lines.position(r), along, {0, m_any ? n : 0}
            );
        });
    }

private:
    /// Columns [c, c + count) of one bundle, one line after another.
    void collect_lines(
        const operand_rows& operand, std::size_t bundle, std::size_t c, std::size_t count, K* to
    ) const {
        const std::size_t extent = m_lines.extent();
        for (std::size_t i = 0; i < extent; ++i) {
            auto row = operand.row(m_lines.first_row(bundle) + i * m_lines.stride());
            const auto block = row.block(c, count, first_bits(count));
            for (std::size_t at = 0; at < count; ++at) {
                to[at * extent + i] = static_cast<K>(key_of<By>(block.at(at)));
            }
        }
    }

    CTX m_operand;
    axis_of_rows m_lines;
    line_cuts<T, By> m_cuts;
    bool m_any;
};
} // namespace detail

/// Keeps the k largest elements along an axis: of each column of a matrix, for axis 0. Of equal
/// elements the first ones along the axis are kept; NaN comes last.
///
/// Cost: to build it a few passes over x, without sorting, and memory for 64 lines; an element
/// costs two comparisons in registers. The mask stores x and a cut for each line along the axis.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param k how many elements of each line are kept.
/// @param axis the axis along which lines lie; negative numbers count from the end.
/// @returns a mask of x's shape.
/// @throws std::out_of_range for an axis that x does not have, or k beyond its extent.
///
///     const xt::xtensor<int, 2> x = {{1, 5}, {4, 5}, {3, 6}};
///     auto m = xmask::keep_top_k(x, 2, 0);
///     // 0 1
///     // 1 0
///     // 1 1
template <size_by By = size_by::value, class X>
auto keep_top_k(X&& x, std::size_t k, std::ptrdiff_t axis) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t at = detail::axis_number("keep_top_k", axis, x.dimension());
        const auto extent = static_cast<std::size_t>(x.shape()[at]);
        if (k > extent) [[unlikely]] {
            detail::throw_out_of_range(
                "keep_top_k", "k ", k, " is outside of [0, ", extent, "], the extent of axis ", at
            );
        }
        return mask(detail::line_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, at));
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
