// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/rows.hpp"
#include "../core/shape.hpp"

/// @file
/// Questions to a mask: how much does it keep, of which rows, and where?

namespace xmask::inline XMASK_ABI {
namespace detail {
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
std::size_t count_row(const C& cursor, std::size_t begin, std::size_t end) {
    count_delegate counted;
    walk(cursor, begin, end, counted);
    return counted.count();
}

/// How many elements of `shape` a mask keeps that broadcasts into it.
template <class S, class MaskRows>
std::size_t count_rows(const S& shape, const MaskRows& masks) {
    const row_plan plan(shape, layout_of(masks, true));
    std::size_t count = 0;
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end)
            XMASK_INLINE_LAMBDA { count += count_row(cursor, begin, end); }
    );
    return count;
}

/// The first column of [c, n) that a row keeps, or n.
template <row_cursor C>
std::size_t next_kept(const C& cursor, std::size_t c, std::size_t n) {
    while (c < n) {
        const stretch ahead = stretch_at(cursor, c);
        if (ahead.kind == stretch_kind::kept) {
            return c;
        }
        if (ahead.kind == stretch_kind::unknown) {
            const word_t bits = cursor.word(c) & first_bits(n - c);
            if (bits != 0) {
                return c + lowest_bit(bits);
            }
            c += word_columns;
        } else {
            c = std::min(ahead.end, n);
        }
    }
    return n;
}

/// Whether f(cursor, begin, end) says true for some columns of a mask; none are asked after those.
template <class M, class F>
bool any_row(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    const mask_rows<M> rows(m, m.shape());
    const row_plan plan(m.shape(), layout_of(rows, true));
    return plan.any_row(
        rows, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end) {
            return f(cursor, begin, end);
        }
    );
}

/// The number of kept elements at each position of the axes that stay.
template <class M>
std::vector<std::size_t> count_along(const M& m, const kept_axes& axes) {
    std::vector<std::size_t> counts(axes.size());
    const std::size_t n = columns_of(m.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(m.shape());
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto cursor = rows.row(r);
        std::size_t* at = counts.data() + axes.offset(r);
        if (!axes.keeps_last()) {
            *at += count_row(cursor, 0, n);
            continue;
        }
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, std::size_t, word_t bits) {
            for (; bits != 0; bits &= bits - 1) {
                ++at[c + lowest_bit(bits)];
            }
        });
    }
    return counts;
}

/// An array over the axes that stay, of f(number kept there).
template <class T, class M, class A, class F>
xt::xarray<T> ask_along(const char* function, const M& m, const A& axes, F&& f) {
    const kept_axes kept(function, m.shape(), axes);
    const auto counts = count_along(m, kept);
    auto result = xt::xarray<T>::from_shape(kept.shape());
    std::transform(counts.begin(), counts.end(), result.data(), f);
    return result;
}

/// The leading axes of a mask: one position for each row.
template <class S>
any_shape leading_axes(const S& shape) {
    return any_shape(shape.begin(), shape.size() == 0 ? shape.end() : shape.end() - 1);
}

/// An array with f(cursor, row number) for each row of a mask.
template <class T, class M, class F>
xt::xarray<T> ask_rows(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    auto result = xt::xarray<T>::from_shape(leading_axes(m.shape()));
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < result.size(); ++r) {
        result.data()[r] = f(rows.row(r), r);
    }
    return result;
}

/// The first column that a row keeps, or -1.
template <row_cursor C>
std::ptrdiff_t first_in_row(const C& cursor, std::size_t n) {
    const std::size_t first = next_kept(cursor, 0, n);
    return first < n ? static_cast<std::ptrdiff_t>(first) : -1;
}

/// Remembers the last column that is kept.
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

/// An array over the axes that stay, of the first or last position along an axis that is kept, or
/// -1. Rows are looked at in order, so that the first answer stands, or the last.
template <bool First, class M, class A>
xt::xarray<std::ptrdiff_t> ask_line_ends(const char* function, const M& m, A axis) {
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
    return result;
}

/// The runs of kept positions of a line that crosses rows.
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

/// Collects the longest runs of kept columns, in order.
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

template <row_cursor C>
std::vector<column_range> runs_in_row(const C& cursor, std::size_t n) {
    run_delegate found;
    walk(cursor, 0, n, found);
    return std::move(found).runs();
}
} // namespace detail

/// The number of elements that the mask keeps. Looks at each row's extent only, 64 columns at a
/// time, and not at all where the mask knows a range to be kept whole.
///
///     std::size_t tokens = xmask::count_kept(xmask::keep_lengths({3, 1}, 4));    // 4
template <class M>
std::size_t count_kept(const M& m) {
    std::size_t count = 0;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("count_kept", m.shape());
        count = detail::count_rows(m.shape(), detail::mask_rows<M>(m, m.shape()));
    }
    return count;
}

/// The numbers of kept elements along `axes` (a number or a list, negative ones counted from the
/// end), one for each position of the axes that stay. Throws std::out_of_range for an axis that the
/// mask does not have.
///
///     xt::xarray<std::size_t> each = xmask::count_kept(xmask::keep_lengths({3, 1}, 4), -1);    // 3, 1
template <class M, detail::axes_argument A>
auto count_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<std::size_t>("count_kept", m, axes, std::identity());
    }
}

template <class M>
auto count_kept(const M& m, std::initializer_list<std::ptrdiff_t> axes) {
    return count_kept(m, std::vector<std::ptrdiff_t>(axes));
}

/// The share of elements that the mask keeps, 0 to 1; NaN for a mask without elements.
///
///     double share = xmask::density(xmask::keep_lengths({3, 1}, 4));    // 0.5
template <class M>
double density(const M& m) {
    double share = std::numeric_limits<double>::quiet_NaN();
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("density", m.shape());
        if (m.size() != 0) {
            share = static_cast<double>(count_kept(m)) / static_cast<double>(m.size());
        }
    }
    return share;
}

/// Whether the mask keeps anything; stops at the first element that is kept.
///
///     bool answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4));    // true
template <class M>
bool any_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return detail::any_row(
            "any_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::next_kept(cursor, begin, end) < end;
            }
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
///
///     xt::xarray<bool> answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4), -1);    // false, true
template <class M, detail::axes_argument A>
auto any_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<bool>("any_kept", m, axes, [](std::size_t count) {
            return count != 0;
        });
    }
}

template <class M>
auto any_kept(const M& m, std::initializer_list<std::ptrdiff_t> axes) {
    return any_kept(m, std::vector<std::ptrdiff_t>(axes));
}

/// Whether the mask keeps everything; stops at the first row that drops something. True for a mask
/// without elements.
///
///     bool whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4));    // false
template <class M>
bool all_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return !detail::any_row(
            "all_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::count_row(cursor, begin, end) != end - begin;
            }
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
///
///     xt::xarray<bool> whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4), -1);    // true, false
template <class M, detail::axes_argument A>
auto all_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const detail::kept_axes kept("all_kept", m.shape(), axes);
        const std::size_t each = kept.size() == 0 ? 0 : m.size() / kept.size();
        return detail::ask_along<bool>("all_kept", m, axes, [each](std::size_t count) {
            return count == each;
        });
    }
}

template <class M>
auto all_kept(const M& m, std::initializer_list<std::ptrdiff_t> axes) {
    return all_kept(m, std::vector<std::ptrdiff_t>(axes));
}

/// The runs of kept columns in one row, in order: [begin, end) of each. Rows are numbered in
/// row-major order of the leading axes; throws std::out_of_range for a row that the mask does not
/// have.
///
///     auto runs = xmask::runs_of(xmask::drop_indices({2}, 5), 0);    // [0, 2), [3, 5)
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

/// The runs of kept positions along an axis, negative ones counted from the end. Lines along it are
/// numbered in row-major order of the other axes; throws std::out_of_range for a line or an axis
/// that the mask does not have. An element costs a question to its row, but for the last axis.
///
///     auto runs = xmask::runs_of(xmask::keep_lengths({2, 0, 1}, 3), 0, 0);    // [0, 1), [2, 3)
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

/// The first column that each row keeps, or -1 where it keeps none; an array of the leading axes.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_last({2, 0}, 5));    // 3, -1
template <class M>
auto first_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "first_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::first_in_row(cursor, n); }
        );
    }
}

/// The first position along an axis that is kept, negative axes counted from the end, or -1 where
/// none is; an array of the other axes. Throws std::out_of_range for an axis that the mask does not
/// have.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 1, 1, -1
template <class M, std::integral A>
auto first_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<true>("first_kept", m, axis);
    }
}

/// The last column that each row keeps, or -1 where it keeps none; an array of the leading axes.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({2, 0}, 5));    // 1, -1
template <class M>
auto last_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "last_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::last_in_row(cursor, n); }
        );
    }
}

/// The last position along an axis that is kept, negative axes counted from the end, or -1 where
/// none is; an array of the other axes. Throws std::out_of_range for an axis that the mask does not
/// have.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 2, 1, -1
template <class M, std::integral A>
auto last_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<false>("last_kept", m, axis);
    }
}

/// The length of each row, where a row keeps its first columns only: keep_lengths backwards. An
/// array of the leading axes. Throws std::invalid_argument, naming the row and its first column
/// that does not fit, where one does not.
///
///     xt::xarray<std::size_t> lengths = xmask::lengths_of(xmask::keep_lengths({3, 1}, 4));    // 3, 1
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
    }
}

/// The numbers of the rows that keep nothing, in row-major order of the leading axes.
///
///     auto rows = xmask::empty_rows(xmask::keep_lengths({3, 0, 1, 0}, 4));    // 1, 3
template <class M>
std::vector<std::size_t> empty_rows(const M& m) {
    std::vector<std::size_t> empty;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("empty_rows", m.shape());
        const std::size_t n = detail::columns_of(m.shape());
        const detail::mask_rows<M> rows(m, m.shape());
        for (std::size_t r = 0; r < detail::rows_of(m.shape()); ++r) {
            if (detail::next_kept(rows.row(r), 0, n) == n) {
                empty.push_back(r);
            }
        }
    }
    return empty;
}
} // namespace xmask::inline XMASK_ABI
