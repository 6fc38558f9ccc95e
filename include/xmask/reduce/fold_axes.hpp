// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/pieces.hpp"
#include "../core/rows.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../masks/count_along.hpp"
#include "fold.hpp"

/// @file
/// Folds along axes: one state for each position of the axes that stay. And everything, as if it
/// were axes that leave one position.

namespace xmask::inline XMASK_ABI::detail {
/// All axes of a reduction to one number: what kept_axes is to a reduction along some axes.
struct everything {
    [[nodiscard]] static constexpr std::size_t size() noexcept { return 1; }

    [[nodiscard]] static constexpr bool keeps_last() noexcept { return false; }

    [[nodiscard]] static constexpr std::size_t offset(std::size_t /*r*/) noexcept { return 0; }
};

/// The reduced part: everything, or some axes. It gives the number of positions of the result, and
/// the position that a row belongs to.
template <class A>
concept reduced_axes = std::same_as<A, everything> || std::same_as<A, kept_axes>;

/// One T for each position of the result.
template <class T>
std::array<T, 1> one_each(const everything& /*over*/) {
    return {};
}

template <class T>
std::vector<T> one_each(const kept_axes& axes) {
    return std::vector<T>(axes.size());
}

/// The states of all positions of the axes that stay, and the number of elements in each.
template <class State>
class folded_axes {
public:
    /// Without `counted` there are no counts of columns.
    folded_axes(const kept_axes& axes, std::size_t n, const State& start, bool counted)
        // The last columns are loaded and stored in whole registers.
        : m_states(axes.size() + word_columns, start), m_counts(axes, n, counted) {}

    [[nodiscard]] State* states(std::size_t at) noexcept { return m_states.data() + at; }

    [[nodiscard]] const State& state(std::size_t i) const noexcept { return m_states[i]; }

    [[nodiscard]] std::size_t count(std::size_t i) const noexcept { return m_counts.count(i); }

    [[nodiscard]] axis_counts& counts() noexcept { return m_counts; }

private:
    std::vector<State> m_states;
    axis_counts m_counts;
};

/// Adds the kept elements of a block, each to the state of its own column.
template <class T, element_fold<T> Fold, class Block, class Count>
XMASK_INLINE void fold_block_columns(
    const Fold& fold, const Block& block, Count count, word_t bits, typename Fold::state* to
) {
    if constexpr (Fold::in_registers) {
        const auto neutral = fold.neutral();
        const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                auto x = block.template value_register<full>(k, count - k);
                if constexpr (select || !full) {
                    x = select_by_bits<T>(bits, k, x, neutral);
                }
                fold.add_columns(to + k, x);
            });
        };
        bits == first_bits(count) ? add_all(std::false_type()) : add_all(std::true_type());
    } else if (bits == ~word_t(0)) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            fold.add(to[k], block.value(k));
        }
    } else {
        for (; bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            fold.add(to[k], block.value(k));
        }
    }
}

/// Folds what a row keeps, each column by itself. A row of less than 64 columns is one block.
template <class T, element_fold<T> Fold, class Cursor, class Row>
XMASK_INLINE void fold_columns(
    const Fold& fold, const masked_row<Cursor, Row>& row, folded_axes<typename Fold::state>& result,
    std::size_t at
) {
    auto& counts = result.counts();
    const bool counted = counts.counts_columns(at, row.cursor());
    Row operands = row.operands();
    const auto add = [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        if (counted) {
            counts.add_columns(at + c, bits);
        }
        fold_block_columns<T>(
            fold, operands.block(c, count, bits), count, bits, result.states(at + c)
        );
    };
    const std::size_t n = row.columns();
    if (n >= word_columns) {
        for_each_kept_block(row.cursor(), 0, n, add);
        return;
    }
    const word_t bits = row.cursor().word(0) & first_bits(n);
    if (bits != 0) {
        add(std::size_t(0), n, bits);
    }
}

/// Rows whose terms do not depend on the position that they belong to.
template <class Rows>
struct plain_rows {
    Rows rows;

    XMASK_INLINE auto row(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }

    XMASK_INLINE auto columns(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }
};

/// Folds each row into its position. Threads fold single rows. The merging keeps the order of rows,
/// so that the result does not depend on threads.
template <class T, element_fold<T> Fold, class Rows>
void fold_rows(
    const Fold& fold, std::size_t row_count, std::size_t n, const kept_axes& axes, const Rows& rows,
    folded_axes<typename Fold::state>& result
) {
    using part = folded<typename Fold::state>;
    const auto fold_one = [&](const Rows& own, std::size_t r) {
        return fold_row<T>(fold, own.row(r, axes.offset(r)));
    };
    const auto merge = [&](std::size_t r, const part& one) {
        const std::size_t at = axes.offset(r);
        result.counts().add(at, one.kept);
        fold.merge(*result.states(at), one.value);
    };
    if constexpr (has_threads) {
        const auto all = pieces::of_whole_rows(row_count, n);
        if (all.worth_threads()) {
            std::vector<part> parts(row_count, part{fold.start(), 0});
            for_each_piece(all, rows, [&](const Rows& own, const piece& some) {
                for (std::size_t r = some.first_row; r < some.last_row; ++r) {
                    parts[r] = fold_one(own, r);
                }
            });
            for (std::size_t r = 0; r < row_count; ++r) {
                merge(r, parts[r]);
            }
            return;
        }
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        merge(r, fold_one(rows, r));
    }
}

/// Folds along axes: each row into its position, or, where the last axis stays, column by column.
/// `rows` gives the terms of row r, which belongs to position `at`: as row(r, at), or as
/// columns(r, at) where each column has a position of its own.
template <class T, element_fold<T> Fold, class S, class Rows>
folded_axes<typename Fold::state> fold_along(
    const Fold& fold, const S& shape, const kept_axes& axes, const Rows& rows, bool counted = true
) {
    const std::size_t n = columns_of(shape);
    folded_axes<typename Fold::state> result(axes, n, fold.start(), counted);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (!axes.keeps_last()) {
        fold_rows<T>(fold, row_count, n, axes, rows, result);
        return result;
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        const std::size_t at = axes.offset(r);
        fold_columns<T>(fold, rows.columns(r, at), result, at);
    }
    return result;
}

/// Folds all rows. The result has one state(i) for each position, and one count(i) where `counted`
/// asks for counts.
template <class T, element_fold<T> Fold, class S, class Rows>
folded<typename Fold::state> fold_over(
    const everything& /*over*/, const Fold& fold, const S& shape, const Rows& rows, bool /*counted*/
) {
    return fold_all<T>(fold, shape, rows);
}

template <class T, element_fold<T> Fold, class S, class Rows>
folded_axes<typename Fold::state> fold_over(
    const kept_axes& axes, const Fold& fold, const S& shape, Rows rows, bool counted
) {
    return fold_along<T>(fold, shape, axes, plain_rows<Rows>{std::move(rows)}, counted);
}
} // namespace xmask::inline XMASK_ABI::detail
