// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/rank.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "../core/word.hpp"

/// @file
/// Where a mask keeps: runs, the first and last kept positions, lengths.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The leading axes of a mask, which number its rows.
template <class S>
any_shape leading_axes(const S& shape) {
    return any_shape(shape.begin(), shape.size() == 0 ? shape.end() : shape.end() - 1);
}

/// An array with f(cursor, row number) for each row of a mask.
template <class T, class M, class F>
auto ask_rows(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    auto result = xt::xarray<T>::from_shape(leading_axes(m.shape()));
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < result.size(); ++r) {
        result.data()[r] = f(rows.row(r), r);
    }
    return with_rank<rank_without<M, int>()>(std::move(result));
}

/// The first column that a row keeps, or -1.
template <row_cursor C>
std::ptrdiff_t first_in_row(const C& cursor, std::size_t n) {
    const std::size_t first = next_kept(cursor, 0, n);
    return first < n ? static_cast<std::ptrdiff_t>(first) : -1;
}

/// The delegate that remembers the last kept column.
class last_delegate {
public:
    static constexpr bool takes_any_range = true;

    template <class Count>
    void block(std::size_t c, Count /*count*/, word_t bits) noexcept {
        if (bits != 0) {
            m_last = static_cast<std::ptrdiff_t>(c + to_size(std::bit_width(bits)) - 1);
        }
    }

    void kept(std::size_t /*c*/, std::size_t end) noexcept {
        m_last = static_cast<std::ptrdiff_t>(end) - 1;
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::ptrdiff_t last() const noexcept { return m_last; }

private:
    std::ptrdiff_t m_last = -1;
};

/// The last column that a row keeps, or -1.
template <row_cursor C>
std::ptrdiff_t last_in_row(const C& cursor, std::size_t n) {
    last_delegate found;
    walk(cursor, 0, n, found);
    return found.last();
}

/// An array over the other axes, with the first or last kept position along an axis, or -1. Goes
/// through the rows in order: the first answer stays, or the last one overwrites.
template <bool First, class M, class A>
auto ask_line_ends(const char* function, const M& m, A axis) {
    const kept_axes kept(function, m.shape(), axis);
    const axis_of_rows lines(m.shape(), line_axis_number(function, axis, m.dimension()));
    const std::size_t n = columns_of(m.shape());
    auto result = xt::xarray<std::ptrdiff_t>::from_shape(kept.shape());
    result.fill(-1);
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < (n == 0 ? 0 : rows_of(m.shape())); ++r) {
        const auto cursor = rows.row(r);
        std::ptrdiff_t* at = result.data() + kept.offset(r);
        if (!kept.keeps_last()) {
            *at = First ? first_in_row(cursor, n) : last_in_row(cursor, n);
            continue;
        }
        const auto position = static_cast<std::ptrdiff_t>(lines.position(r));
        const auto answer = [&](std::size_t c) { at[c] = First && at[c] >= 0 ? at[c] : position; };
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, std::size_t /*count*/, word_t bits) {
            for (; bits != 0; bits &= bits - 1) {
                answer(c + lowest_bit(bits));
            }
        });
    }
    return with_rank<rank_without<M, A>()>(std::move(result));
}

/// The runs of kept positions along a line that crosses rows.
template <class M>
std::vector<column_range> runs_across(const M& m, std::size_t line, const axis_of_rows& lines) {
    std::vector<column_range> runs;
    const std::size_t n = columns_of(m.shape());
    const mask_rows<M> rows(m, m.shape());
    const std::size_t first = lines.first_row(line / n);
    for (std::size_t i = 0; i < lines.extent(); ++i) {
        if (!keeps(rows.row(first + i * lines.stride()), line % n)) {
            continue;
        }
        if (runs.empty() || runs.back().end != i) {
            runs.push_back({i, i});
        }
        runs.back().end = i + 1;
    }
    return runs;
}

/// The delegate that collects the runs of kept columns, in order.
class run_delegate {
public:
    static constexpr bool takes_any_range = true;

    void block(std::size_t c, std::size_t /*count*/, word_t bits) {
        while (bits != 0) {
            const std::size_t begin = lowest_bit(bits);
            const word_t holes = ~bits & ~first_bits(begin);
            const std::size_t end = holes == 0 ? word_columns : lowest_bit(holes);
            kept(c + begin, c + end);
            bits &= ~first_bits(end);
        }
    }

    void kept(std::size_t begin, std::size_t end) {
        if (!m_runs.empty() && m_runs.back().end == begin) {
            m_runs.back().end = end;
        } else {
            m_runs.push_back({begin, end});
        }
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::vector<column_range>&& runs() && noexcept { return std::move(m_runs); }

private:
    std::vector<column_range> m_runs;
};

/// The runs of kept columns of a row, in order.
template <row_cursor C>
std::vector<column_range> runs_in_row(const C& cursor, std::size_t n) {
    run_delegate found;
    walk(cursor, 0, n, found);
    return std::move(found).runs();
}
} // namespace detail

/// The runs of kept columns in one row.
///
///     auto runs = xmask::runs_of(xmask::drop_indices({2}, 5), 0);    // [0, 2), [3, 5)
///
/// @param m a mask.
/// @param row its number, in row-major order of the leading axes.
/// @returns a column_range [begin, end) for each run, in order.
/// @throws std::out_of_range for a row that the mask does not have.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
std::vector<column_range> runs_of(const M& m, std::size_t row) {
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("runs_of", m.shape());
        const std::size_t rows = detail::rows_of(m.shape());
        if (row >= rows) [[unlikely]] {
            detail::throw_out_of_range("runs_of", "row ", row, " is outside of [0, ", rows, ")");
        }
        return detail::runs_in_row(m.row(row), detail::columns_of(m.shape()));
    }
    return {};
}

/// The runs of kept positions along an axis.
///
///     auto runs = xmask::runs_of(xmask::keep_lengths({2, 0, 1}, 3), 0, 0);    // [0, 1), [2, 3)
///
/// @param m a mask.
/// @param line the number of a line along the axis, in row-major order of the other axes.
/// @param axis negative ones are counted from the end.
/// @returns a column_range [begin, end) for each run, in order.
/// @throws std::out_of_range for a line or an axis that the mask does not have.
///
/// Cost: an element costs a question to its row; the last axis costs as much as one row.
template <class M, std::integral A>
std::vector<column_range> runs_of(const M& m, std::size_t line, A axis) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::line_axis_number("runs_of", axis, m.dimension());
        if (at + 1 >= m.dimension()) {
            return runs_of(m, line);
        }
        const detail::axis_of_rows lines(m.shape(), at);
        const std::size_t count = detail::kept_axes("runs_of", m.shape(), axis).size();
        if (line >= count) [[unlikely]] {
            detail::throw_out_of_range("runs_of", "line ", line, " is outside of [0, ", count, ")");
        }
        return detail::runs_across(m, line, lines);
    }
    return {};
}

/// The first column that each row keeps.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_last({2, 0}, 5));    // 3, -1
///
/// @param m a mask.
/// @returns an array of std::ptrdiff_t over the leading axes; -1 for a row that keeps nothing. It
/// is an xt::xtensor where the mask has a rank in its type, else an xt::xarray.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: a look at each row up to that column.
template <class M>
auto first_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "first_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::first_in_row(cursor, n); }
        );
    } else {
        return detail::refused();
    }
}

/// The first kept position along an axis.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 1, 1, -1
///
/// @param m a mask.
/// @param axis negative ones are counted from the end.
/// @returns an array of std::ptrdiff_t over the other axes; -1 where nothing is kept. It is an
/// xt::xtensor where the mask has a rank in its type, else an xt::xarray.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: one pass over the mask; a step for each kept element where the axis is not the last one.
template <class M, std::integral A>
auto first_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<true>("first_kept", m, axis);
    } else {
        return detail::refused();
    }
}

/// The last column that each row keeps.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({2, 0}, 5));    // 1, -1
///
/// @param m a mask.
/// @returns an array of std::ptrdiff_t over the leading axes; -1 for a row that keeps nothing. It
/// is an xt::xtensor where the mask has a rank in its type, else an xt::xarray.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
auto last_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "last_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::last_in_row(cursor, n); }
        );
    } else {
        return detail::refused();
    }
}

/// The last kept position along an axis.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 2, 1, -1
///
/// @param m a mask.
/// @param axis negative ones are counted from the end.
/// @returns an array of std::ptrdiff_t over the other axes; -1 where nothing is kept. It is an
/// xt::xtensor where the mask has a rank in its type, else an xt::xarray.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: one pass over the mask; a step for each kept element where the axis is not the last one.
template <class M, std::integral A>
auto last_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<false>("last_kept", m, axis);
    } else {
        return detail::refused();
    }
}

/// The length of each row: keep_lengths backwards.
///
///     xt::xarray<std::size_t> lengths = xmask::lengths_of(xmask::keep_lengths({3, 1}, 4));    // 3, 1
///
/// @param m a mask whose rows keep their first columns only.
/// @returns an array of std::size_t over the leading axes: an xt::xtensor where the mask has a rank
/// in its type, else an xt::xarray.
/// @throws std::invalid_argument, with the row and its first column that does not fit, for a row
///   that keeps a column after a dropped one.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
auto lengths_of(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::size_t>(
            "lengths_of", m,
            [n](const auto& cursor, std::size_t r) {
                const auto runs = detail::runs_in_row(cursor, n);
                if (runs.size() > 1 || (runs.size() == 1 && runs[0].begin != 0)) [[unlikely]] {
                    const std::size_t at = runs[0].begin != 0 ? runs[0].begin : runs[1].begin;
                    detail::throw_invalid(
                        "lengths_of", "row ", r, " keeps column ", at,
                        " behind one that it drops; expected rows that "
                        "keep their first columns only"
                    );
                }
                return runs.empty() ? std::size_t(0) : runs[0].end;
            }
        );
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
