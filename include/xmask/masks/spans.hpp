// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <utility>

#include "../core/cursor.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "combine.hpp"
#include "lengths.hpp"
#include "random_stream.hpp"
#include "span_plan.hpp"

/// @file
/// Random spans of columns in each row, for training models of speech and text.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The spans of one row, generated in order. The cursor remembers its place, and restarts where an
/// earlier column is asked for.
class spans_cursor {
public:
    spans_cursor(const span_plan& plan, std::size_t row, column_range within) noexcept
        : m_plan(&plan)
        , m_lengths(plan.stream(stream_use::span_lengths, row))
        , m_gaps(plan.stream(stream_use::span_gaps, row))
        , m_within(within) {
        plan_row(row);
        restart();
    }

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        if (c < m_known) {
            restart();
        }
        word_t bits = range_word(m_span, c);
        while (m_span.end < c + word_columns) {
            advance();
            bits |= range_word(m_span, c);
        }
        return bits;
    }

    [[nodiscard]] stretch at(std::size_t c) const noexcept {
        return stretch_within(m_count == 0 ? column_range() : m_within, c);
    }

private:
    static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

    /// Finds the number of spans and of the columns that they hold.
    void plan_row(std::size_t row) noexcept {
        const std::size_t n = m_within.size();
        const auto& options = m_plan->options();
        if (options.exact) {
            m_columns = m_plan->exact_columns(n);
            m_count = m_plan->exact_count(n, m_columns);
        } else if (m_plan->fixed()) {
            const std::size_t length = options.length.shortest();
            m_count = std::min(m_plan->wanted_count(n, row), m_plan->fitting_count(n, length));
            m_columns = m_count * length;
        } else {
            for (const std::size_t wanted = m_plan->wanted_count(n, row); m_count < wanted;
                 ++m_count) {
                const std::size_t free =
                    n - m_columns - (m_count == 0 ? 0 : (m_count - 1) * options.min_space);
                const std::size_t space = m_count == 0 ? 0 : options.min_space;
                const std::size_t length = drawn_length(m_count);
                if (space > free || length > free - space) {
                    break;
                }
                m_columns += length;
            }
        }
        m_free = m_count == 0 ? 0 : n - m_columns - (m_count - 1) * options.min_space;
    }

    [[nodiscard]] std::size_t drawn_length(std::size_t span) const noexcept {
        return m_plan->options().length(m_lengths.pair(span));
    }

    void restart() const noexcept {
        m_next = 0;
        m_marks = ordered_marks(m_free + m_count, m_count);
        m_cuts = ordered_marks(
            std::max<std::size_t>(m_columns, 1) - 1, std::max<std::size_t>(m_count, 1) - 1
        );
        m_left = m_columns;
        m_span = {m_within.begin, m_within.begin};
        advance();
        m_known = 0;
    }

    /// Goes to the next span. Behind the last one stands a span past any column.
    void advance() const noexcept {
        m_known = m_span.end;
        if (m_next == m_count) {
            m_span = {nowhere, nowhere};
            return;
        }
        const std::size_t space = m_next == 0 ? 0 : m_plan->options().min_space;
        const std::size_t begin = m_span.end + space + m_marks.next(m_gaps);
        m_span = {begin, begin + next_length()};
        ++m_next;
    }

    [[nodiscard]] std::size_t next_length() const noexcept {
        if (!m_plan->options().exact) {
            return drawn_length(m_next);
        }
        const std::size_t length = m_next + 1 == m_count ? m_left : m_cuts.next(m_lengths) + 1;
        m_left -= length;
        return length;
    }

    const span_plan* m_plan;
    row_stream m_lengths;
    row_stream m_gaps;
    column_range m_within;
    std::size_t m_count = 0;
    std::size_t m_columns = 0;
    std::size_t m_free = 0;

    mutable ordered_marks m_marks{0, 0}; // where spans begin among the free columns
    mutable ordered_marks m_cuts{0, 0};  // where exact spans end among their columns
    mutable std::size_t m_left = 0;      // columns of the exact spans that follow
    mutable std::size_t m_next = 0;      // the number of the span after m_span
    mutable column_range m_span;
    mutable std::size_t m_known = 0; // no column is kept from here to m_span
};

/// A rule that gives the range of columns in which a row's spans lie.
template <class R>
concept range_rule = mask_rule<R> && requires(const R& rule, std::size_t r) {
    { rule.row(r) } -> std::same_as<range_cursor>;
};

/// Spans in each row.
template <range_rule Within>
class spans_rule {
public:
    using shape_type = typename Within::shape_type;

    static constexpr const char* name = "keep_spans";

    spans_rule(Within within, span_plan plan)
        : m_within(std::move(within)), m_plan(std::move(plan)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_within.shape(); }

    [[nodiscard]] auto sources() const noexcept { return m_within.sources(); }

    [[nodiscard]] spans_cursor row(std::size_t r) const noexcept {
        return {m_plan, r, m_within.row(r).range()};
    }

private:
    Within m_within;
    span_plan m_plan;
};
} // namespace detail

/// Keeps spans of columns at random places of each row.
///
/// Masked models predict the spans and see !keep_spans(...). Spans never overlap. Lengths are drawn
/// one by one; then all ways to distribute the free columns before, between and after the spans
/// are equally likely. Where random lengths do not all fit, a row has fewer spans. The mask is a
/// pure function of the seed, the number of the row and its length.
///
/// wav2vec 2.0 and HuBERT: {.fraction = 0.65, .length = 10}; SpanBERT: {.fraction = 0.15, .length =
/// random_length::geometric(0.2, 10)}; BART: {.fraction = 0.3, .length =
/// random_length::poisson(3)}; T5: {.fraction = 0.15, .length = 3, .exact = true}.
///
///     auto predicted = xmask::keep_spans({8, 1500}, {.fraction = 0.65, .length = 10}, 42);
///     auto two = xmask::keep_spans({2, 12}, {.count = 2, .length = 3}, 42);
///     // ····███·███·
///     // ·███····███·
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @param options number and length of the spans.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for a fraction outside of [0, 1], for both or neither of fraction
/// and count, and where it is known that the spans do not fit: as many of the smallest length as
/// are wanted.
///
/// Cost: nothing is stored; a cursor generates the spans in order, with a random number for each
/// free column. A question for an earlier column starts the row again: store a mask for random
/// access in a bitmask.
template <class S = std::initializer_list<std::size_t>>
auto keep_spans(const S& shape, span_options options, std::uint64_t seed) {
    auto owned = detail::to_shape("keep_spans", shape);
    using within = detail::constant_rule<decltype(owned)>;
    detail::span_plan plan("keep_spans", std::move(options), detail::columns_of(owned), seed);
    return mask(detail::spans_rule<within>(within(std::move(owned), true), std::move(plan)));
}

/// Keeps spans of columns at random places of each sequence of a padded batch.
///
/// Spans lie within the first lengths[...] of n columns of each row, and fractions are of these.
/// The options are checked for rows of n columns; a shorter row has as many spans as fit.
///
///     auto predicted = xmask::keep_spans(lengths, n, {.fraction = 0.5, .length = 2}, 42);
///     // 0 0 0 0
///     // 0 1 1 0
///     // 1 1 0 0
///
/// @param lengths integers of any rank, 0 to n: a tensor, lazy expression or standard container. An
/// lvalue tensor or expression is held by reference.
/// @param n number of columns.
/// @param options number and length of the spans.
/// @param seed of the random numbers.
/// @returns a mask of shape lengths.shape + (n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
/// @throws std::invalid_argument for a fraction outside of [0, 1], for both or neither of fraction
/// and count, and where it is known that the spans do not fit: as many of the smallest length as
/// are wanted.
///
/// Cost: nothing is stored; a cursor generates the spans in order, with a random number for each
/// free column. A question for an earlier column starts the row again: store a mask for random
/// access in a bitmask.
template <class L>
auto keep_spans(L&& lengths, std::size_t n, span_options options, std::uint64_t seed) {
    if constexpr (detail::require_lengths<L>()) {
        using within = detail::lengths_rule<detail::held_t<L>, detail::padding::right>;
        detail::span_plan plan("keep_spans", std::move(options), n, seed);
        return mask(detail::spans_rule<within>(
            within("keep_spans", detail::hold(std::forward<L>(lengths)), n), std::move(plan)
        ));
    } else {
        return detail::refused_mask();
    }
}

/// Keeps spans of columns at random places of each sequence of a padded batch, for lengths in a
/// list.
///
/// Spans lie within the first lengths[...] of n columns of each row, and fractions are of these.
/// The options are checked for rows of n columns; a shorter row has as many spans as fit.
///
///     auto predicted = xmask::keep_spans({2, 4}, 4, {.fraction = 0.5, .length = 2}, 42);
///     // 0 0 0 0
///     // 0 1 1 0
///
/// @param lengths a list of integers, 0 to n, one for each row.
/// @param n number of columns.
/// @param options number and length of the spans.
/// @param seed of the random numbers.
/// @returns a mask of shape (lengths.size(), n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
/// @throws std::invalid_argument for a fraction outside of [0, 1], for both or neither of fraction
/// and count, and where it is known that the spans do not fit: as many of the smallest length as
/// are wanted.
///
/// Cost: nothing is stored; a cursor generates the spans in order, with a random number for each
/// free column. A question for an earlier column starts the row again: store a mask for random
/// access in a bitmask.
template <detail::arithmetic T>
auto keep_spans(
    std::initializer_list<T> lengths, std::size_t n, span_options options, std::uint64_t seed
) {
    return keep_spans(detail::hold(lengths), n, std::move(options), seed);
}
} // namespace xmask::inline XMASK_ABI
