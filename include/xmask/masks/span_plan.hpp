// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "../core/error.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "random_lanes.hpp"
#include "random_length.hpp"
#include "random_stream.hpp"

/// @file
/// How many random spans a row has, and how long they are.

namespace xmask::inline XMASK_ABI {
/// How many spans keep_spans keeps in a row, and how long they are: by `fraction` or by `count`.
struct span_options {
    /// Share of a row that the spans hold, 0 to 1: fraction * n / mean length spans, rounded up or
    /// down at random so that the share is right on average.
    std::optional<double> fraction = {};

    std::optional<std::size_t> count = {}; ///< number of spans in a row
    random_length length = 10;             ///< columns of a span
    std::size_t min_space = 1;             ///< least number of columns between two spans

    /// Spans hold exactly round(fraction * n) columns of each row, as in T5: `count` spans, or as
    /// many as the mean length makes of them, to the nearest number. All ways to divide the columns
    /// among the spans are equally likely; only the mean of `length` counts.
    bool exact = false;
};

namespace detail {
/// Marks some of a row of slots, all choices equally likely, and gives the marks in order (Fan,
/// Muller and Rezucha's selection sampling, 1962): a slot is marked where a random number below the
/// number of slots from this one on is below the number of marks that are left. Each slot costs a
/// random number. They are drawn many at a time; only those that are below the number of marks at
/// the first of these slots are looked at.
class ordered_marks {
public:
    ordered_marks(std::uint64_t slots, std::uint64_t marks) noexcept
        : m_slots(slots), m_marks(marks) {}

    /// The number of slots before the next mark. There must be one.
    [[nodiscard]] std::size_t next(const row_stream& stream) noexcept {
        for (;;) {
            for (; m_candidates != 0; m_candidates &= m_candidates - 1) {
                const std::size_t k = lowest_bit(m_candidates);
                if (m_numbers[k] < m_marks) {
                    m_candidates &= m_candidates - 1;
                    --m_marks;
                    const std::size_t slot = m_end - at_once + k;
                    return slot - std::exchange(m_next, slot + 1);
                }
            }
            draw(stream);
        }
    }

private:
    static constexpr std::size_t at_once = 32;

    /// Draws the numbers of the next slots. Past the last slot they are of no use.
    void draw(const row_stream& stream) noexcept {
        if (m_slots >> 32 == 0) {
            draw_lanes(stream);
        } else {
            for (std::size_t k = 0; k < at_once; ++k) {
                m_numbers[k] = stream.below(m_slots - m_end - k, m_end + k);
                m_candidates |= word_t(m_numbers[k] < m_marks) << k;
            }
        }
        m_end += at_once;
    }

    /// As row_stream::below, of less than 2^32 slots.
    void draw_lanes(const row_stream& stream) noexcept {
        using batch = lanes<std::uint64_t>;
        constexpr std::size_t n = lane_count<std::uint64_t>;
        const lanes<std::int64_t> marks(static_cast<std::int64_t>(m_marks));
        auto state = batch(stream.state(m_end)) + lane_multiples<std::uint64_t>(golden_gamma);
        auto slots = batch(m_slots - m_end) - lane_multiples<std::uint64_t>(1);
        for (std::size_t k = 0; k < at_once; k += n) {
            const auto number = upper_wide_products(scrambled_lanes(state), slots);
            store_lanes(m_numbers.data() + k, number);
            m_candidates |= bits_from_mask(xsimd::bitwise_cast<std::int64_t>(number) < marks) << k;
            state += batch(n * golden_gamma);
            slots -= batch(n);
        }
    }

    std::uint64_t m_slots;
    std::uint64_t m_marks;
    std::size_t m_next = 0;  // the slot after the last mark
    std::size_t m_end = 0;   // the slot after those whose numbers are drawn
    word_t m_candidates = 0; // those of the drawn numbers that may mark their slots
    std::array<std::uint64_t, at_once> m_numbers;
};

/// The options of a mask of spans, which its rows share. Checks them.
class span_plan {
public:
    span_plan(const char* name, span_options options, std::size_t n, std::uint64_t seed)
        : m_options(std::move(options)), m_mean(m_options.length.mean()), m_seed(seed) {
        // More space than a row has columns means the same as the whole row.
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

    /// The number of columns that exact spans hold.
    [[nodiscard]] std::size_t exact_columns(std::size_t n) const noexcept {
        return std::min(
            n, static_cast<std::size_t>(std::llround(*m_options.fraction * static_cast<double>(n)))
        );
    }

    /// The number of exact spans that hold that many of n columns.
    [[nodiscard]] std::size_t exact_count(std::size_t n, std::size_t columns) const noexcept {
        const auto wanted = m_options.count ? *m_options.count
                                            : at_least_one(static_cast<double>(columns) / m_mean);
        const std::size_t fitting =
            m_options.min_space == 0 ? n : (n - columns) / m_options.min_space + 1;
        return std::min({wanted, columns, fitting});
    }

    /// The number of spans wanted in a row of n columns, whether or not they fit.
    [[nodiscard]] std::size_t wanted_count(std::size_t n, std::size_t row) const noexcept {
        if (m_options.count) {
            return *m_options.count;
        }
        // 53 bits are exactly a double of [0, 1).
        const auto drawn = static_cast<double>(stream(stream_use::span_count, row).pair(0) >> 11);
        return static_cast<std::size_t>(
            *m_options.fraction * static_cast<double>(n) / m_mean + drawn / 9007199254740992.
        );
    }

    /// The number of spans of one length that fit.
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

    /// Throws where it is known, before anything is drawn, that the spans do not fit.
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
            // However small the fraction, some rows have a span.
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
} // namespace detail
} // namespace xmask::inline XMASK_ABI
