// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "largest.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep the largest elements along any axis.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Keeps what lies above the cut of its line: one cut for all columns, or one for each.
template <size_by By, class Row>
class line_cursor {
    using T = typename block_t<Row>::value_type;

public:
    line_cursor(
        Row row, const size_cut<T, By>* cuts, std::size_t position, bool along_row,
        column_range extent
    )
        : m_row(std::move(row))
        , m_cuts(cuts)
        , m_position(position)
        , m_along_row(along_row)
        , m_extent(extent) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        word_t bits = 0;
        if (c >= m_extent.end) {
            return bits;
        }
        const std::size_t count = std::min(word_columns, m_extent.end - c);
        const auto block = m_row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            bits |= word_t(keeps(block.at(k), c + k)) << k;
        }
        return bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    [[nodiscard]] bool keeps(T x, std::size_t c) const noexcept {
        return m_along_row ? m_cuts->keeps(x, c) : m_cuts[c].keeps(x, m_position);
    }

    mutable Row m_row; // a row over anything but memory keeps a buffer
    const size_cut<T, By>* m_cuts;
    std::size_t m_position;
    bool m_along_row;
    column_range m_extent;
};

/// The k largest of each line along an axis; memory for a cut a line.
template <class CTX, size_by By>
class line_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

    class line_rows {
    public:
        explicit line_rows(const line_rule& rule)
            : m_rule(&rule)
            , m_operand(make_operand<T>(rule.m_operand, rule.shape()))
            , m_columns(columns_of(rule.shape())) {}

        auto row(std::size_t r) const {
            const axis_of_rows& lines = m_rule->m_lines;
            const bool along = lines.along_rows();
            const std::size_t first = m_columns == 0 ? 0 : along ? r : lines.bundle(r) * m_columns;
            return line_cursor<By, row_t<operand_rows>>(
                m_operand.row(r), m_rule->m_cuts.data() + first, along ? 0 : lines.position(r),
                along, {0, m_rule->m_any ? m_columns : 0}
            );
        }

    private:
        const line_rule* m_rule;
        operand_rows m_operand;
        std::size_t m_columns;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_top_k";

    template <class X>
    line_rule(X&& x, std::size_t k, std::size_t axis)
        : m_operand(std::forward<X>(x)), m_lines(shape(), axis), m_any(k != 0) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 || m_lines.extent() == 0 ? 0 : rows_of(shape());
        const auto operand = make_operand<T>(m_operand, shape());
        if (m_lines.along_rows()) {
            std::vector<T> elements;
            for (std::size_t r = 0; r < row_count; ++r, elements.clear()) {
                append_row(operand.row(r), n, elements);
                m_cuts.push_back(size_cut<T, By>::through(elements, k));
            }
            return;
        }
        m_cuts.reserve(row_count / std::max<std::size_t>(m_lines.extent(), 1) * n);
        std::array<std::vector<T>, word_columns> lines;
        for (std::size_t bundle = 0;
             bundle < row_count / std::max<std::size_t>(m_lines.extent(), 1); ++bundle) {
            for_each_block(0, n, [&](std::size_t c, std::size_t count) {
                cut_lines(operand, bundle, c, count, k, lines);
            });
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return line_rows(*this); }

private:
    /// Columns [c, c + count) of one bundle, a line each.
    void cut_lines(
        const operand_rows& operand, std::size_t bundle, std::size_t c, std::size_t count,
        std::size_t k, std::array<std::vector<T>, word_columns>& lines
    ) {
        for (std::size_t i = 0; i < m_lines.extent(); ++i) {
            auto row = operand.row(m_lines.first_row(bundle) + i * m_lines.stride());
            const auto block = row.block(c, count, first_bits(count));
            for (std::size_t at = 0; at < count; ++at) {
                lines[at].push_back(block.at(at));
            }
        }
        for (std::size_t at = 0; at < count; ++at) {
            m_cuts.push_back(size_cut<T, By>::through(lines[at], k));
            lines[at].clear();
        }
    }

    CTX m_operand;
    axis_of_rows m_lines;
    std::vector<size_cut<T, By>> m_cuts;
    bool m_any;
};
} // namespace detail

/// Keeps the k largest elements along an axis, negative ones counted from the end: of each column
/// of a matrix, for axis 0. Of equal elements the first ones along the axis are kept; NaN comes
/// last.
///
/// Throws std::out_of_range for an axis that x does not have, or k beyond its extent. To build it
/// takes linear time on average; memory is that of a cut for each line along the axis, x.size()
/// divided by its extent. An element costs two comparisons. Otherwise as keep_top_k(x, k).
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
    }
}
} // namespace xmask::inline XMASK_ABI
