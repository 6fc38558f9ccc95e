// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "ask.hpp"

/// @file
/// A mask in memory as the lengths of its runs.

namespace xmask::inline XMASK_ABI {
/// A mask as the lengths of alternating runs, in row-major order of all its elements: how many are
/// dropped first, how many are kept then, and so on. Two masks are equal if their run lengths are.
struct run_lengths {
    std::vector<std::size_t> shape;  ///< the mask's shape
    std::vector<std::size_t> counts; ///< dropped, kept, dropped, ...; only the first may be 0

    /// Compares shapes and counts.
    friend bool operator==(const run_lengths&, const run_lengths&) = default;
};

namespace detail {
/// A row of a sequence of runs, with the runs that touch it. Words are mostly asked for in order:
/// each search starts where the last one ended.
class runs_cursor {
public:
    /// Positions [begin, begin + n) of the sequence. Each run of [first, last) touches them.
    runs_cursor(
        const column_range* first, const column_range* last, std::size_t begin, std::size_t n
    ) noexcept
        : m_first(first), m_last(last), m_at(first), m_begin(begin), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const std::size_t from = m_begin + c;
        word_t bits = 0;
        for (const column_range* run = first_run(from);
             run != m_last && run->begin < from + word_columns; ++run) {
            bits |= range_word(*run, from);
        }
        return bits & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t c) const noexcept {
        const std::size_t from = m_begin + c;
        const column_range* const run = first_run(from);
        if (run == m_last) {
            return {no_end, stretch_kind::dropped};
        }
        return run->begin > from ? stretch{run->begin - m_begin, stretch_kind::dropped}
                                 : stretch{run->end - m_begin, stretch_kind::kept};
    }

private:
    /// The first run that ends past a position of the sequence.
    const column_range* first_run(std::size_t from) const noexcept {
        const auto ends_before = [from](const column_range& run) { return run.end <= from; };
        if (m_at != m_first && !ends_before(*(m_at - 1))) {
            m_at = std::partition_point(m_first, m_at, ends_before);
        }
        while (m_at != m_last && ends_before(*m_at)) {
            ++m_at;
        }
        return m_at;
    }

    const column_range* m_first;
    const column_range* m_last;
    mutable const column_range* m_at;
    std::size_t m_begin;
    std::size_t m_columns;
};

/// Runs of kept elements in row-major order; memory in proportion to the runs.
template <class S>
class runs_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_run_lengths";

    template <class E>
    runs_rule(const E& counts, S shape) : m_shape(std::move(shape)) {
        if (counts.dimension() != 1) [[unlikely]] {
            throw_invalid(
                name, "counts of shape ", tuple_text(counts.shape()), "; expected one axis"
            );
        }
        std::size_t at = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const std::size_t end = at + checked(counts(i), i, at);
            if (i % 2 == 1 && end != at) {
                append(at, end);
            }
            at = end;
        }
        if (at != elements()) [[unlikely]] {
            throw_invalid(
                name, "the counts add up to ", at, "; a mask of shape ", tuple_text(m_shape),
                " has ", elements(), " elements"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] runs_cursor row(std::size_t r) const noexcept {
        const std::size_t n = columns_of(m_shape);
        const std::size_t begin = r * n;
        const column_range* all = m_runs.data();
        const column_range* past = all + m_runs.size();
        const column_range* first = std::partition_point(all, past, [=](const column_range& run) {
            return run.end <= begin;
        });
        const column_range* last = std::partition_point(first, past, [=](const column_range& run) {
            return run.begin < begin + n;
        });
        return {first, last, begin, n};
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] runs_cursor whole() const noexcept {
        return {m_runs.data(), m_runs.data() + m_runs.size(), 0, elements()};
    }

private:
    [[nodiscard]] std::size_t elements() const noexcept {
        return rows_of(m_shape) * columns_of(m_shape);
    }

    template <class T>
    std::size_t checked(T count, std::size_t i, std::size_t before) const {
        if (std::cmp_less(+count, 0) || std::cmp_greater(+count, elements() - before))
            [[unlikely]] {
            throw_out_of_range(
                name, "count ", +count, " at position ", i, " is outside of [0, ",
                elements() - before, "], the elements that are left"
            );
        }
        return static_cast<std::size_t>(count);
    }

    void append(std::size_t begin, std::size_t end) {
        if (!m_runs.empty() && m_runs.back().end == begin) {
            m_runs.back().end = end;
            return;
        }
        m_runs.push_back({begin, end});
    }

    S m_shape;
    std::vector<column_range> m_runs;
};

/// Fails to compile, with one sentence, unless C holds integers.
template <class C>
consteval bool require_counts() {
    constexpr bool integers = holds_integers<C>();
    static_assert(
        integers,
        "xmask: run lengths are integers: a 1-D tensor of them, a standard container, or a list."
    );
    return integers;
}
} // namespace detail

/// The run lengths of a mask.
///
/// Runs go on from row to row. COCO's run-length encoding counts down the columns: it is that of
/// the transposed mask.
///
///     xmask::run_lengths_of(xmask::keep_lengths({2, 4, 0}, 4)).counts;    // 0 2 2 4 4
///
/// @param m a mask.
/// @returns its shape, and the lengths of its runs.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: 64 columns at a time, no look at ranges that the mask knows; memory for the runs.
template <class M>
run_lengths run_lengths_of(const M& m) {
    run_lengths result;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("run_lengths_of", m.shape());
        result.shape.assign(m.shape().begin(), m.shape().end());
        result.counts = {0};
        const auto add = [&](std::size_t count, bool kept) {
            const bool same = (result.counts.size() % 2 == 0) == kept;
            if (same) {
                result.counts.back() += count;
            } else if (count != 0) {
                result.counts.push_back(count);
            }
        };
        const std::size_t n = detail::columns_of(m.shape());
        const detail::mask_rows<M> rows(m, m.shape());
        for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(m.shape())); ++r) {
            std::size_t c = 0;
            for (const auto& [begin, end] : detail::runs_in_row(rows.row(r), n)) {
                add(begin - c, false);
                add(end - begin, true);
                c = end;
            }
            add(n - c, false);
        }
    }
    return result;
}

/// The mask that has these run lengths.
///
///     const std::vector<int> counts = {1, 4, 3};
///     auto m = xmask::keep_run_lengths(counts, {2, 4});
///     // 0 1 1 1
///     // 1 0 0 0
///
/// @param counts a container or 1-D tensor of integers: how many elements are dropped first, how
/// many are kept then, and so on, in row-major order; any may be 0.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for a count below 0 or beyond the elements that are left, with its
/// position.
/// @throws std::invalid_argument where the counts do not add up to the mask's elements.
///
/// Cost: memory for the kept runs; a row costs a search among them, a word a step through them.
/// Nothing is unpacked.
template <class C, class S = std::initializer_list<std::size_t>>
auto keep_run_lengths(C&& counts, const S& shape) {
    if constexpr (detail::require_counts<C>()) {
        decltype(auto) table = detail::hold(std::forward<C>(counts));
        auto owned = detail::to_shape("keep_run_lengths", shape);
        return mask(detail::runs_rule<decltype(owned)>(table, std::move(owned)));
    } else {
        return detail::refused_mask();
    }
}

/// The mask that has the run lengths of a list.
///
///     auto m = xmask::keep_run_lengths({1, 4, 3}, {2, 4});
///     // 0 1 1 1
///     // 1 0 0 0
///
/// @param counts a list of integers: how many elements are dropped first, how many are kept then,
/// and so on, in row-major order; any may be 0.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for a count below 0 or beyond the elements that are left, with its
/// position.
/// @throws std::invalid_argument where the counts do not add up to the mask's elements.
///
/// Cost: memory for the kept runs; a row costs a search among them, a word a step through them.
/// Nothing is unpacked.
template <detail::arithmetic T, class S = std::initializer_list<std::size_t>>
auto keep_run_lengths(std::initializer_list<T> counts, const S& shape) {
    return keep_run_lengths(detail::hold(counts), shape);
}

/// The mask whose run lengths run_lengths_of gave.
///
///     const auto runs = xmask::run_lengths_of(xmask::keep_lengths({1, 3}, 4));
///     auto m = xmask::keep_run_lengths(runs);
///     // 1 0 0 0
///     // 1 1 1 0
///
/// @param runs shape and counts, as run_lengths_of gives them.
/// @returns a mask of runs.shape.
/// @throws std::out_of_range for a count below 0 or beyond the elements that are left, with its
/// position.
/// @throws std::invalid_argument where the counts do not add up to the mask's elements.
///
/// Cost: memory for the kept runs; a row costs a search among them, a word a step through them.
/// Nothing is unpacked.
template <std::same_as<run_lengths> R>
auto keep_run_lengths(const R& runs) {
    return keep_run_lengths(runs.counts, runs.shape);
}
} // namespace xmask::inline XMASK_ABI
