// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "combine.hpp"
#include "lengths.hpp"
#include "random_length.hpp"
#include "random_stream.hpp"

/// @file
/// Random spans of columns in each row, as models of speech and text are trained with.

namespace xmask::inline XMASK_ABI {
/// How many spans keep_spans keeps in a row, and how long they are.
struct span_options {
    /// How much of a row the spans are to hold, 0 to 1: fraction * n / mean length spans, rounded
    /// up or down at random so that it is right on average.
    std::optional<double> fraction = std::nullopt;

    /// Or how many spans there are in a row.
    std::optional<std::size_t> count = std::nullopt;

    /// How long a span is.
    random_length length = 10;

    /// The least number of columns between two spans; 0 lets them touch.
    std::size_t min_space = 1;

    /// Spans hold exactly round(fraction * n) columns of each row, as T5 has it: `count` spans, or
    /// as many as the mean length makes of them, to the nearest number; all ways to part the
    /// columns among them are equally likely, and only the mean of `length` counts.
    bool exact = false;
};

namespace detail {
/// Some of a row of slots are marked, all choices equally likely; gives the marks in order, each by
/// how many slots lie before it (Fan, Muller and Rezucha's selection sampling, 1962). A draw a
/// slot.
class ordered_marks {
public:
    ordered_marks(std::uint64_t slots, std::uint64_t marks) noexcept
        : m_slots(slots), m_marks(marks) {}

    /// How many slots are skipped before the next mark, of which there must be one.
    [[nodiscard]] std::size_t next(const row_stream& stream) noexcept {
        std::size_t skipped = 0;
        while (stream.below(m_slots--, m_drawn++) >= m_marks) {
            ++skipped;
        }
        --m_marks;
        return skipped;
    }

private:
    std::uint64_t m_slots;
    std::uint64_t m_marks;
    std::size_t m_drawn = 0;
};

/// What the rows of a mask of spans share: the options, checked.
class span_plan {
public:
    span_plan(const char* name, span_options options, std::size_t n, std::uint64_t seed)
        : m_options(std::move(options)), m_mean(m_options.length.mean()), m_seed(seed) {
        // More than a row has is as much as a row has.
        m_options.min_space = std::min(m_options.min_space, n);
        require_complete(name);
        require_fit(name, n);
    }

    [[nodiscard]] const span_options& options() const noexcept { return m_options; }

    [[nodiscard]] bool fixed() const noexcept {
        return m_options.length.shortest() == m_options.length.longest();
    }

    [[nodiscard]] row_stream stream(stream_use use, std::size_t row) const noexcept {
        return {seed_of(use, m_seed), row};
    }

    /// How many columns exact spans hold.
    [[nodiscard]] std::size_t exact_columns(std::size_t n) const noexcept {
        return std::min(
            n, static_cast<std::size_t>(std::llround(*m_options.fraction * static_cast<double>(n)))
        );
    }

    /// How many exact spans hold that many of n columns.
    [[nodiscard]] std::size_t exact_count(std::size_t n, std::size_t columns) const noexcept {
        const auto wanted = m_options.count ? *m_options.count
                                            : at_least_one(static_cast<double>(columns) / m_mean);
        const std::size_t fitting =
            m_options.min_space == 0 ? n : (n - columns) / m_options.min_space + 1;
        return std::min({wanted, columns, fitting});
    }

    /// How many spans a row of n columns is to have, whether or not they fit.
    [[nodiscard]] std::size_t wanted_count(std::size_t n, std::size_t row) const noexcept {
        if (m_options.count) {
            return *m_options.count;
        }
        // 53 bits make a double of [0, 1) exactly.
        const auto drawn = static_cast<double>(stream(stream_use::span_count, row).pair(0) >> 11);
        return static_cast<std::size_t>(
            *m_options.fraction * static_cast<double>(n) / m_mean + drawn / 9007199254740992.
        );
    }

    /// How many spans of one length fit.
    [[nodiscard]] std::size_t fitting_count(std::size_t n, std::size_t length) const noexcept {
        return length > n ? 0 : (n - length) / (length + m_options.min_space) + 1;
    }

private:
    static std::size_t at_least_one(double count) noexcept {
        return std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(count)));
    }

    void require_complete(const char* name) const {
        const auto& fraction = m_options.fraction;
        if (fraction) {
            require_option(name, "fraction", *fraction, option_range::between(0, 1));
        }
        if (m_options.exact && !fraction) [[unlikely]] {
            throw_invalid(
                name, "exact spans without a fraction; give the fraction of a row that they hold"
            );
        }
        if (!m_options.exact && fraction.has_value() == m_options.count.has_value()) [[unlikely]] {
            throw_invalid(
                name, fraction ? "both a fraction and a count" : "no fraction and no count",
                "; give one of them"
            );
        }
    }

    /// What is known before anything is drawn.
    void require_fit(const char* name, std::size_t n) const {
        std::size_t count = m_options.count.value_or(0);
        if (m_options.exact) {
            const std::size_t columns = exact_columns(n);
            const bool none = m_options.count && count == 0 && columns != 0;
            if (none || count > exact_count(n, columns)) [[unlikely]] {
                throw_invalid(
                    name, count, " spans that hold ", columns, " columns, with ",
                    m_options.min_space, " between them, do not fit into rows of ", n
                );
            }
            return;
        }
        if (!m_options.count) {
            // At least one in some of the rows, however small a fraction is.
            const double wanted = *m_options.fraction * static_cast<double>(n) / m_mean;
            count = wanted > 0 ? std::max<std::size_t>(1, static_cast<std::size_t>(wanted)) : 0;
        }
        if (count > fitting_count(n, m_options.length.shortest())) [[unlikely]] {
            throw_invalid(
                name, count, " spans of ", m_options.length.shortest(), fixed() ? "" : " or more",
                " columns, with ", m_options.min_space, " between them, do not fit into rows of ", n
            );
        }
    }

    span_options m_options;
    double m_mean;
    std::uint64_t m_seed;
};

/// The spans of one row, generated in order; it remembers where it is, and begins again when asked
/// for what lies behind.
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

    [[nodiscard]] bool kept(std::size_t c) const noexcept {
        if (c < m_known) {
            restart();
        }
        while (m_span.end <= c) {
            advance();
        }
        return c >= m_span.begin;
    }

    [[nodiscard]] stretch at(std::size_t c) const noexcept {
        return stretch_within(m_count == 0 ? column_range() : m_within, c);
    }

private:
    static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

    /// How many spans there are, and how many columns they hold.
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

    /// Goes on to the next span; behind the last one there is one that nobody reaches.
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
    mutable std::size_t m_left = 0;      // columns of exact spans that are still to come
    mutable std::size_t m_next = 0;      // the number of the span after m_span
    mutable column_range m_span;
    mutable std::size_t m_known = 0; // nothing is kept from here to m_span
};

/// Within says which columns of a row there are: all of them, or those of a sequence.
template <class Within>
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

template <class S>
auto make_spans(const S& shape, span_options options, std::uint64_t seed) {
    auto owned = to_shape("keep_spans", shape);
    span_plan plan("keep_spans", std::move(options), columns_of(owned), seed);
    using within = constant_rule<decltype(owned)>;
    return mask(spans_rule<within>(within(std::move(owned), true), std::move(plan)));
}
} // namespace detail

/// Keeps spans of columns in each row, at random places, each row on its own: what speech and text
/// models are to predict (!keep_spans(...) is what they see). Spans never overlap.
///
/// shape: the mask's shape, or a number for 1-D. options: see span_options. Lengths are drawn one
/// by one, then all ways to distribute the free columns before, between and behind the spans are
/// equally likely. A pure function of the seed, the number of the row and its length. wav2vec 2.0
/// and HuBERT: {.fraction = 0.65, .length = 10}; SpanBERT: {.fraction = 0.15, .length =
/// random_length::geometric(0.2, 10)}; BART: {.fraction = 0.3, .length =
/// random_length::poisson(3)}; T5: {.fraction =
/// 0.15, .length = 3, .exact = true}.
/// Throws std::invalid_argument for a fraction outside of [0, 1], for both or none of fraction and
/// count, and where it is known that the spans do not fit: as many of the least length as are wanted.
/// Otherwise a row has as many of them as fit. No memory; a
/// cursor makes the spans in order, a random number for each free column, so that a row costs about
/// as much as one of keep_random. Asked for what lies behind, it begins the row again: for random
/// access store a bitmask.
///
///     auto predicted = xmask::keep_spans({8, 1500}, {.fraction = 0.65, .length = 10}, 42);
///     auto two = xmask::keep_spans({2, 12}, {.count = 2, .length = 3}, 42);
///     // ····███·███·
///     // ·███····███·
template <class S>
auto keep_spans(const S& shape, span_options options, std::uint64_t seed) {
    return detail::make_spans(shape, std::move(options), seed);
}

inline auto keep_spans(
    std::initializer_list<std::size_t> shape, span_options options, std::uint64_t seed
) {
    return detail::make_spans(shape, std::move(options), seed);
}

/// The same for a padded batch: spans lie within the first lengths[...] of n columns of each row,
/// and fractions are of these. lengths: as keep_lengths takes them, which throws what this throws.
/// The mask's shape is lengths.shape + [n]. Options are checked for rows of n columns; a shorter
/// row has as many spans as fit.
///
///     auto predicted = xmask::keep_spans(lengths, n, {.fraction = 0.5, .length = 2}, 42);
template <class L>
auto keep_spans(L&& lengths, std::size_t n, span_options options, std::uint64_t seed) {
    if constexpr (detail::require_lengths<L>()) {
        using within = detail::lengths_rule<detail::held_t<L>, detail::padding::right>;
        detail::span_plan plan("keep_spans", std::move(options), n, seed);
        return mask(detail::spans_rule<within>(
            within("keep_spans", detail::hold(std::forward<L>(lengths)), n), std::move(plan)
        ));
    }
}

template <std::integral T>
auto keep_spans(
    std::initializer_list<T> lengths, std::size_t n, span_options options, std::uint64_t seed
) {
    return keep_spans(detail::hold(lengths), n, std::move(options), seed);
}
} // namespace xmask::inline XMASK_ABI
