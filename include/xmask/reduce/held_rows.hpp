// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "line_sums.hpp"
#include "mapped_row.hpp"

/// @file
/// Rows along which the axis lies, written in place. Registers hold short rows as a whole. Longer
/// rows are written a few at a time, so that they stay in the first cache.

namespace xmask::inline XMASK_ABI::detail {
/// The most registers that hold a row as a whole.
inline constexpr std::size_t held_registers = 4;

/// Whether registers hold rows of n columns as a whole.
template <class T>
constexpr bool fits_registers(std::size_t n) noexcept {
    return n <= std::min(held_registers * lane_count<T>, word_columns);
}

/// Writes a row that R registers hold. No branch depends on the mask, so that the processor works
/// on several rows at a time.
template <std::size_t R, class F, class Row>
void write_held_row(const F& f, Row row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    using batch = lanes<T>;
    constexpr std::size_t width = lane_count<T>;
    const word_t bits = row.cursor().word(0) & first_bits(n);
    const auto blocks = row.block(0, n, bits);
    // g of the registers of the operands, `other` in dropped lanes.
    const auto kept = [&](std::size_t i, const batch& other, auto&& g) XMASK_INLINE_LAMBDA {
        const std::size_t k = i * width;
        const batch x = k + width <= n ? blocks.template load<true>(k, width, g)
                                       : blocks.template load<false>(k, n > k ? n - k : 0, g);
        return select_by_bits<T>(bits, k, x, other);
    };
    T shift = T(0);
    if constexpr (F::shifts) {
        const auto lowest = batch(first_shift<F>);
        auto largest = lowest;
        for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
            const auto first = [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.first(x...); };
            largest = xsimd::max(kept(i, lowest, first), largest);
        });
        shift = f.settle(xsimd::reduce_max(largest));
    }
    const auto wide = batch(shift);
    const auto zero = batch(T(0));
    std::array<batch, R> terms;
    std::array<double, F::sums> totals;
    for_each_index<F::sums>([&](auto s) XMASK_INLINE_LAMBDA {
        register_sum<T> sum;
        for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
            const auto term = kept(i, zero, [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return f.template term<s>(wide, x...);
            });
            sum.add(term);
            if constexpr (s == 0) {
                terms[i] = term;
            }
        });
        totals[s] = sum.total();
    });
    const facts_of<F> facts = f.facts(shift, totals);
    std::array<batch, F::fact_count> wide_facts;
    std::ranges::transform(facts, wide_facts.begin(), [](T fact) { return batch(fact); });
    for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
        batch y;
        if constexpr (F::keeps_terms) {
            // Dropped lanes are 0: times a factor of NaN they would be NaN.
            y = zero_unless<T>(bits, i * width, terms[i] * wide_facts[1]);
        } else {
            y = kept(i, batch(F::outside), [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return f.map(wide_facts, x...);
            });
        }
        const std::size_t k = i * width;
        if (k + width <= n) {
            store_lanes(to + k, y);
        } else if (k < n) {
            store_first_lanes(to + k, y, n - k);
        }
    });
}

/// Writes rows that R registers hold, one by one.
template <std::size_t R, class F, class Rows, class Writer>
void write_held_rows(
    const F& f, const Rows& rows, Writer& writer, std::size_t begin, std::size_t end, std::size_t n
) {
    for (std::size_t r = begin; r < end; ++r) {
        writer.seek(r);
        write_held_row<R>(f, rows.row(r), writer.block(0), n);
    }
}

/// Writes a row, given its facts. Where F keeps its terms, `to` holds them.
template <class F, class Row>
void finish_row(const F& f, const facts_of<F>& facts, Row row, typename F::value_type* to) {
    if constexpr (F::keeps_terms) {
        scale_terms(row, to, row.columns(), facts[1]);
    } else {
        const auto cursor = row.cursor();
        const std::size_t n = row.columns();
        using columns = written_columns<typename F::value_type, false>;
        map_delegate<columns, F, Row> delegate(
            columns(to, 0), mapped_row<F, Row>(f, row_facts<F>(facts), std::move(row))
        );
        walk(cursor, 0, n, delegate);
    }
}

/// Writes rows along which the axis lies. Each step goes through a few rows, which stay in the
/// first cache, so that the next row need not wait for the last operations of one row.
template <class F, class Rows, class Writer>
void write_whole_rows(
    const F& f, const Rows& rows, Writer& writer, std::size_t begin, std::size_t end, std::size_t n
) {
    using T = typename F::value_type;
    constexpr std::size_t most = 8;
    constexpr std::size_t cached_columns = (std::size_t(16) << 10) / sizeof(T);
    const std::size_t step = std::clamp(cached_columns / n, std::size_t(1), most);
    std::array<T, most> shifts;
    std::array<std::array<double, F::sums>, most> sums;
    for (std::size_t first = begin; first < end; first += step) {
        const std::size_t count = std::min(step, end - first);
        for (std::size_t i = 0; i < count; ++i) {
            auto row = rows.row(first + i);
            shifts[i] = shift_of_row(f, row);
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            auto row = rows.row(first + i);
            if constexpr (F::keeps_terms) {
                sums[i] = store_terms(f, shifts[i], row, writer.block(0));
            } else {
                sums[i] = sums_of_terms(f, shifts[i], row);
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            finish_row(f, f.facts(shifts[i], sums[i]), rows.row(first + i), writer.block(0));
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail
