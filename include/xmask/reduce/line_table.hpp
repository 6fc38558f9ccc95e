// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "../core/axes.hpp"
#include "line_sums.hpp"

/// @file
/// The lines of an axis that is not the last: all lines through the columns of a bundle of rows,
/// side by side.

namespace xmask::inline XMASK_ABI::detail {
/// The lines through the columns of a bundle of rows. Each row of the bundle adds one element to
/// each line.
template <class F>
class line_row {
    using T = typename F::value_type;

public:
    line_row(const F& f, std::size_t n) : m_function(&f), m_shift(padded(n), first_shift<F>) {
        m_sums.fill(std::vector<double>(padded(n)));
    }

    template <class Row>
    void add_to_shift(Row row) {
        if constexpr (F::shifts) {
            const auto first = [&](const auto&... x)
                                   XMASK_INLINE_LAMBDA { return m_function->first(x...); };
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    const auto blocks = row.block(c, count, bits);
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        T* to = m_shift.data() + c + k;
                        const auto before = load_lanes(to);
                        const auto x = blocks.template load<full>(k, count - k, first);
                        store_lanes(to, select_by_bits<T>(bits, k, xsimd::max(x, before), before));
                    });
                }
            );
        }
    }

    void finish_shift() {
        if constexpr (F::shifts) {
            std::ranges::transform(m_shift, m_shift.begin(), [&](T largest) {
                return m_function->settle(largest);
            });
        }
    }

    template <class Row>
    void add_terms(Row row) {
        for_each_index<F::sums>([&](auto i) {
            // The shift of each column is one more operand.
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    const auto blocks = row.block(c, count, bits);
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        const auto shift = load_lanes(m_shift.data() + c + k);
                        const auto term = blocks.template load<full>(
                            k, count - k,
                            [&](const auto&... x) XMASK_INLINE_LAMBDA {
                                return m_function->template term<i>(shift, x...);
                            }
                        );
                        update_columns<T>(
                            m_sums[i].data() + c + k, zero_unless<T>(bits, k, term), std::plus<>()
                        );
                    });
                }
            );
        });
    }

    [[nodiscard]] facts_of<F> facts(std::size_t c) const {
        std::array<double, F::sums> sums;
        std::ranges::transform(m_sums, sums.begin(), [c](const auto& sum) { return sum[c]; });
        return m_function->facts(m_shift[c], sums);
    }

private:
    /// The size of rows whose last columns are loaded and stored in whole registers.
    static std::size_t padded(std::size_t n) noexcept { return n + word_columns; }

    const F* m_function;
    std::vector<T> m_shift;
    std::array<std::vector<double>, F::sums> m_sums;
};

/// The lines through the columns of a bundle of rows, for types without registers.
template <class F>
    requires(!sums_in_registers<typename F::value_type>)
class line_row<F> {
public:
    line_row(const F& f, std::size_t n) : m_lines(n, line_facts<F>(f)) {}

    template <class Row>
    void add_to_shift(Row row) {
        for_each_kept(row, [&](std::size_t c, const auto&... x) { m_lines[c].add_to_shift(x...); });
    }

    void finish_shift() {
        std::ranges::for_each(m_lines, [](auto& line) { line.finish_shift(); });
    }

    template <class Row>
    void add_terms(Row row) {
        for_each_kept(row, [&](std::size_t c, const auto&... x) { m_lines[c].add_terms(x...); });
    }

    [[nodiscard]] facts_of<F> facts(std::size_t c) const { return m_lines[c].facts(); }

private:
    template <class Row, class G>
    static void for_each_kept(Row& row, G&& g) {
        for_each_kept_block(row, [&](std::size_t c, std::size_t count, word_t bits) {
            const auto blocks = row.block(c, count, bits);
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                blocks.at(k, [&](const auto&... x) { g(c + k, x...); });
            }
        });
    }

    std::vector<line_facts<F>> m_lines;
};

/// The facts of all lines of an axis that is not the last: F::fact_count numbers a line.
template <class F>
class facts_table {
    using T = typename F::value_type;

public:
    template <class Rows>
    facts_table(
        const F& f, const Rows& rows, const axis_of_rows& axis, std::size_t row_count, std::size_t n
    )
        : m_columns(n) {
        const std::size_t bundles =
            row_count == 0 || n == 0 || axis.along_rows() ? 0 : row_count / axis.extent();
        m_size = bundles * n;
        if (m_size == 0) {
            return;
        }
        m_values.resize(F::fact_count * m_size + word_columns); // registers are loaded whole
        for (std::size_t bundle = 0; bundle < bundles; ++bundle) {
            line_row<F> lines(f, n);
            const std::size_t first = axis.first_row(bundle);
            for (std::size_t i = 0; i < axis.extent(); ++i) {
                lines.add_to_shift(rows.row(first + i * axis.stride()));
            }
            lines.finish_shift();
            for (std::size_t i = 0; i < axis.extent(); ++i) {
                lines.add_terms(rows.row(first + i * axis.stride()));
            }
            for (std::size_t c = 0; c < n; ++c) {
                const auto facts = lines.facts(c);
                for (std::size_t i = 0; i < F::fact_count; ++i) {
                    m_values[i * m_size + bundle * n + c] = facts[i];
                }
            }
        }
    }

    /// The first facts of the lines through a bundle of rows. The next facts lie size() further on.
    [[nodiscard]] const T* row(std::size_t bundle) const noexcept {
        return m_values.data() + bundle * m_columns;
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

private:
    std::size_t m_columns;
    std::size_t m_size = 0;
    std::vector<T> m_values;
};
} // namespace xmask::inline XMASK_ABI::detail
