// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/assign.hpp"
#include "../core/axes.hpp"
#include "../core/lazy.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/write.hpp"
#include "../masks/bitmask.hpp"
#include "accumulate.hpp"
#include "upstream.hpp"

/// @file
/// Lazy tensors whose elements depend on all that is kept along an axis: softmax, normalize, and
/// their gradients.
///
/// A function F says how. Along the axis, over what is kept, first the largest of first(x...) is
/// found, where F::shifts, and settle() makes the shift of it; then F::sums sums of term<n>(shift,
/// x...) are taken. facts(shift, sums) makes of them the few numbers with which map(facts, x...)
/// gives each kept element; what is dropped is `outside`. first, term and map take numbers and
/// registers of them. Where F::keeps_terms, map is term<0> times facts[1], and outside 0: a row
/// that is assigned by itself holds its terms in the result until their sum is known, so that none
/// is computed twice.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The numbers with which F maps an element.
template <class F>
using facts_of = std::array<typename F::value_type, F::fact_count>;

/// The shift of nothing.
template <class F>
inline constexpr auto first_shift =
    F::shifts ? -std::numeric_limits<typename F::value_type>::infinity()
              : typename F::value_type(0);

/// Calls f(std::integral_constant<std::size_t, I>()) for I = 0, ..., N - 1.
template <std::size_t N, class F>
XMASK_INLINE void for_each_index(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        (f(std::integral_constant<std::size_t, I>()), ...);
    }(std::make_index_sequence<N>());
}

/// The shift of a line and the sums of its terms.
template <class F>
struct line_sums {
    typename F::value_type shift;
    std::array<double, F::sums> sums;
};

// ---- One element after another: an element that is asked for alone, and types without registers ------------

/// The shift and the sums of one line of elements.
template <class F>
class line_facts {
    using T = typename F::value_type;

public:
    explicit line_facts(const F& f) noexcept : m_function(&f) {}

    template <class... V>
    void add_to_shift(const V&... x) {
        if constexpr (F::shifts) {
            m_shift = std::max(m_shift, m_function->first(x...));
        }
    }

    /// After the last element was added to the shift.
    void finish_shift() noexcept {
        if constexpr (F::shifts) {
            m_shift = m_function->settle(m_shift);
        }
    }

    template <class... V>
    void add_terms(const V&... x) {
        for_each_index<F::sums>([&](auto i) {
            m_sums[i] += static_cast<double>(m_function->template term<i>(m_shift, x...));
        });
    }

    [[nodiscard]] line_sums<F> total() const noexcept { return {m_shift, m_sums}; }

    [[nodiscard]] facts_of<F> facts() const { return m_function->facts(m_shift, m_sums); }

private:
    const F* m_function;
    T m_shift = first_shift<F>;
    std::array<double, F::sums> m_sums{};
};

/// The shift and sums of a line; visit(f) calls f(x...) with what it keeps, in order.
template <class F, class Visit>
line_sums<F> sums_of_line(const F& f, Visit&& visit) {
    line_facts<F> line(f);
    visit([&](const auto&... x) { line.add_to_shift(x...); });
    line.finish_shift();
    visit([&](const auto&... x) { line.add_terms(x...); });
    return line.total();
}

// ---- Row after row, by registers -------------------------------------------------------------------------------

/// The blocks of several operands at the same columns.
template <class... Block>
class block_tuple {
public:
    explicit block_tuple(Block... blocks) : m_blocks(blocks...) {}

    /// f of the elements at k.
    template <class G>
    XMASK_INLINE auto at(std::size_t k, G&& f) const {
        return call_with(
            [&](const auto&... block) XMASK_INLINE_LAMBDA { return f(block.at(k)...); }, m_blocks
        );
    }

    /// f of the registers from k on.
    template <bool Full, class G>
    XMASK_INLINE auto load(std::size_t k, std::size_t count, G&& f) const {
        return call_with(
            [&](const auto&... block)
                XMASK_INLINE_LAMBDA { return f(load_register<Full>(block, k, count)...); },
            m_blocks
        );
    }

private:
    std::tuple<Block...> m_blocks;
};

/// One row of several operands under a mask.
template <class Cursor, class... Row>
class bundle_row {
public:
    bundle_row(Cursor cursor, Row... rows)
        : m_cursor(std::move(cursor)), m_rows(std::move(rows)...) {}

    [[nodiscard]] const Cursor& cursor() const noexcept { return m_cursor; }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return prepare_all(m_rows, c, end);
    }

    XMASK_INLINE block_tuple<block_t<Row>...> read(std::size_t c, std::size_t count, word_t bits) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return block_tuple<block_t<Row>...>(row.read(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    Cursor m_cursor;
    std::tuple<Row...> m_rows;
};

template <class Masks, class... Rows>
class bundle_rows {
public:
    bundle_rows(Masks masks, Rows... rows)
        : m_masks(std::move(masks)), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return bundle_row<row_t<Masks>, row_t<Rows>...>(m_masks.row(r), rows.row(r)...);
            },
            m_rows
        );
    }

private:
    Masks m_masks;
    std::tuple<Rows...> m_rows;
};

template <class T, class S, class M, class... X>
auto make_bundle_rows(const S& shape, const M& m, const X&... x) {
    return bundle_rows<mask_rows<M>, decltype(make_operand<T>(x, shape))...>(
        mask_rows<M>(m, shape), make_operand<T>(x, shape)...
    );
}

template <class T, std::size_t N>
std::array<double, N> totals_of(const std::array<register_sum<T>, N>& sums) noexcept {
    std::array<double, N> totals;
    std::ranges::transform(sums, totals.begin(), [](const auto& sum) { return sum.total(); });
    return totals;
}

/// Adds g(x...) of what a block keeps.
template <bool Exact, class T, class Blocks, class Count, class G>
XMASK_INLINE void add_kept(
    register_sum<T>& sum, const Blocks& blocks, Count count, word_t bits, G&& g
) {
    if (bits == ~word_t(0)) {
        add_block<T, Exact>(sum, count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            return blocks.template load<full>(k, count - k, g);
        });
        return;
    }
    add_block<T, Exact>(sum, count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
        return zero_unless<T>(bits, k, blocks.template load<full>(k, count - k, g));
    });
}

template <class F, class Row>
typename F::value_type shift_of_row(const F& f, Row row) {
    using T = typename F::value_type;
    if constexpr (F::shifts) {
        const auto lowest = lanes<T>(first_shift<F>);
        // As many as a processor compares before it has the first result.
        std::array<lanes<T>, 4> largest{lowest, lowest, lowest, lowest};
        const auto first = [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.first(x...); };
        for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
            const auto blocks = row.read(c, count, bits);
            const bool all = bits == ~word_t(0);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                auto x = blocks.template load<full>(k, count - k, first);
                if (!full || !all) {
                    x = select_by_bits<T>(bits, k, x, lowest);
                }
                // Whether NaN is passed over or not: it shows in the sums.
                auto& to = largest[k / lane_count<T> % 4];
                to = xsimd::max(x, to);
            });
        });
        const auto even = xsimd::max(largest[0], largest[2]);
        const auto odd = xsimd::max(largest[1], largest[3]);
        return f.settle(xsimd::reduce_max(xsimd::max(even, odd)));
    } else {
        return T(0);
    }
}

/// The sums of a row whose shift is known.
template <class F, class Row>
std::array<double, F::sums> sums_of_terms(const F& f, typename F::value_type shift, Row row) {
    using T = typename F::value_type;
    const auto wide = lanes<T>(shift);
    std::array<register_sum<T>, F::sums> sums;
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        const auto blocks = row.read(c, count, bits);
        for_each_index<F::sums>([&](auto i) XMASK_INLINE_LAMBDA {
            add_kept<false>(
                sums[i], blocks, count, bits,
                [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.template term<i>(wide, x...); }
            );
        });
    });
    return totals_of(sums);
}

template <class F, class Row>
line_sums<F> sums_of_row(const F& f, Row row) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, sums_of_terms(f, shift, std::move(row))};
    } else {
        return sums_of_line(f, [&](auto&& visit) {
            auto walked = row;
            for_each_kept_block(walked, [&](std::size_t c, std::size_t count, word_t bits) {
                const auto blocks = walked.read(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    blocks.at(lowest_bit(bits), visit);
                }
            });
        });
    }
}

template <class F, class Row>
facts_of<F> facts_of_row(const F& f, Row row) {
    const auto total = sums_of_row(f, std::move(row));
    return f.facts(total.shift, total.sums);
}

/// Multiplies [first, last) by a factor.
template <class T>
void scale_columns(T* first, T* last, T factor) noexcept {
    if constexpr (has_lanes<T>) {
        const auto wide = lanes<T>(factor);
        constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
        for (; last - first >= n; first += n) {
            store_lanes(first, load_lanes(first) * wide);
        }
    }
    for (; first != last; ++first) {
        *first *= factor;
    }
}

/// The extent of a row of n columns, within them.
template <class Row>
column_range extent_within(const Row& row, std::size_t n) {
    const column_range kept = row.cursor().extent();
    const std::size_t begin = std::min(kept.begin, n);
    return {begin, std::max(begin, std::min(kept.end, n))};
}

/// Multiplies a row's terms by a factor. What is dropped is 0, and stays so if the factor is NaN.
template <class T, class Row>
void scale_terms(const Row& row, T* to, std::size_t n, T factor) {
    const column_range kept = extent_within(row, n);
    scale_columns(to + kept.begin, to + kept.end, factor);
    if (factor == factor) [[likely]] {
        return;
    }
    for (std::size_t c = kept.begin; c < kept.end; c += word_columns) {
        const std::size_t count = std::min(word_columns, kept.end - c);
        word_t dropped = ~row.cursor().word(c) & first_bits(count);
        for (; dropped != 0; dropped &= dropped - 1) {
            to[c + lowest_bit(dropped)] = T(0);
        }
    }
}

/// The sums of a row's terms, while term<0> of each kept element is written to n columns, 0 where
/// nothing is kept.
template <class F, class Row>
std::array<double, F::sums> store_terms(
    const F& f, typename F::value_type shift, Row row, typename F::value_type* to, std::size_t n
) {
    using T = typename F::value_type;
    const column_range kept = extent_within(row, n);
    const auto wide = lanes<T>(shift);
    std::array<register_sum<T>, F::sums> sums;
    fill_columns(to, to + kept.begin, T(0));
    walk_blocks(
        row, kept.begin, kept.end,
        [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
            if (bits == 0) {
                fill_columns(to + c, to + c + count, T(0));
                return;
            }
            const auto blocks = row.read(c, count, bits);
            // First, as the row may lie where it is written.
            for_each_index<F::sums - 1>([&](auto i) XMASK_INLINE_LAMBDA {
                add_kept<false>(
                    sums[i + 1], blocks, count, bits,
                    [&](const auto&... x)
                        XMASK_INLINE_LAMBDA { return f.template term<i + 1>(wide, x...); }
                );
            });
            const auto term = [&](const auto&... x)
                                  XMASK_INLINE_LAMBDA { return f.template term<0>(wide, x...); };
            const auto store = [&](std::size_t k, auto full, const lanes<T>& y)
                                   XMASK_INLINE_LAMBDA {
                                       store_register<full, false>(to + c + k, y, count - k);
                                       return y;
                                   };
            if (bits == ~word_t(0)) {
                add_block<T, false>(
                    sums[0], count,
                    [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        return store(k, full, blocks.template load<full>(k, count - k, term));
                    }
                );
            } else {
                add_block<T, false>(
                    sums[0], count,
                    [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        return store(
                            k, full,
                            zero_unless<T>(bits, k, blocks.template load<full>(k, count - k, term))
                        );
                    }
                );
            }
        }
    );
    fill_columns(to + kept.end, to + n, T(0));
    return totals_of(sums);
}

/// The same, with the shift of the row.
template <class F, class Row>
line_sums<F> store_terms(const F& f, Row row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, store_terms(f, shift, std::move(row), to, n)};
    } else {
        // The row may lie where it is written.
        const auto line = sums_of_row(f, row);
        const column_range kept = extent_within(row, n);
        fill_columns(to, to + kept.begin, T(0));
        walk_blocks(row, kept.begin, kept.end, [&](std::size_t c, auto count, word_t bits) {
            const auto blocks = row.read(c, count, bits);
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = (bits >> k & 1) == 0 ? T(0) : blocks.at(k, [&](const auto&... x) {
                    return f.template term<0>(line.shift, x...);
                });
            }
        });
        fill_columns(to + kept.end, to + n, T(0));
        return line;
    }
}

/// The most registers of a row that is held in them as a whole.
inline constexpr std::size_t held_registers = 4;

/// Whether rows of n columns are held in registers as a whole.
template <class T>
constexpr bool fits_registers(std::size_t n) noexcept {
    return n <= std::min(held_registers * lane_count<T>, word_columns);
}

/// Writes a row that R registers hold. No branch depends on what is kept, so that the processor
/// works on several rows at a time.
template <std::size_t R, class F, class Row>
void write_held_row(const F& f, Row row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    using batch = lanes<T>;
    constexpr std::size_t width = lane_count<T>;
    const word_t bits = row.cursor().word(0) & first_bits(n);
    row.prepare(0, n);
    const auto blocks = row.read(0, n, bits);
    // g of the operands' registers, `other` where nothing is kept.
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
            y = terms[i] * wide_facts[1];
            // What is dropped is 0, and times NaN would be NaN.
            if (facts[1] != facts[1]) [[unlikely]] {
                const auto nan = [&](const auto&...) XMASK_INLINE_LAMBDA { return wide_facts[1]; };
                y = kept(i, zero, nan);
            }
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

/// Writes each row by itself, from what registers hold of it.
template <std::size_t R, class F, class Rows, class Writer>
void write_held_rows(
    const F& f, const Rows& rows, Writer& writer, std::size_t begin, std::size_t end, std::size_t n
) {
    for (std::size_t r = begin; r < end; ++r) {
        writer.seek(r);
        write_held_row<R>(f, rows.row(r), writer.block(0), n);
    }
}

// ---- Along another axis than the last: a table, column by column -----------------------------------------------

/// How an axis lies among the rows of a shape. Its lines are numbered like the rows, with the axis
/// left out.
struct row_axis {
    std::size_t extent = 1; ///< of the axis
    std::size_t inner = 1;  ///< rows between two elements of a line
    bool last = true;       ///< lines are rows

    template <class S>
    row_axis(const S& shape, std::size_t axis) : last(axis + 1 >= shape.size()) {
        for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
            if (i == axis) {
                extent = static_cast<std::size_t>(shape[i]);
            } else if (i > axis) {
                inner *= static_cast<std::size_t>(shape[i]);
            }
        }
    }

    /// The row of lines that row r belongs to.
    [[nodiscard]] std::size_t line_row(std::size_t r) const noexcept {
        return r / (extent * inner) * inner + r % inner;
    }

    /// The row at position i of a row of lines.
    [[nodiscard]] std::size_t row(std::size_t line_row, std::size_t i) const noexcept {
        return (line_row / inner * extent + i) * inner + line_row % inner;
    }
};

/// The lines through the columns of a row, side by side; each row of the axis is added to all of
/// them.
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
                    const auto blocks = row.read(c, count, bits);
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
            // The shift is one more operand, read from where the columns are.
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    const auto blocks = row.read(c, count, bits);
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        const auto shift = load_lanes(m_shift.data() + c + k);
                        const auto term = blocks.template load<full>(
                            k, count - k,
                            [&](const auto&... x) XMASK_INLINE_LAMBDA {
                                return m_function->template term<i>(shift, x...);
                            }
                        );
                        add(m_sums[i].data() + c + k, zero_unless<T>(bits, k, term));
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
    /// Registers are loaded and stored whole, also at the last few columns.
    static std::size_t padded(std::size_t n) noexcept { return n + word_columns; }

    static void add(double* to, const lanes<T>& x) {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) + wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) + wide[1]);
        } else {
            store_lanes(to, load_lanes(to) + x);
        }
    }

    const F* m_function;
    std::vector<T> m_shift;
    std::array<std::vector<double>, F::sums> m_sums;
};

/// The same for types without registers.
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
            const auto blocks = row.read(c, count, bits);
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                blocks.at(k, [&](const auto&... x) { g(c + k, x...); });
            }
        });
    }

    std::vector<line_facts<F>> m_lines;
};

/// The facts of all lines of an axis that is not the last. Holds as many numbers as there are
/// lines, a few times.
template <class F>
class facts_table {
    using T = typename F::value_type;

public:
    template <class Rows>
    facts_table(
        const F& f, const Rows& rows, const row_axis& axis, std::size_t row_count, std::size_t n
    )
        : m_columns(n) {
        const std::size_t line_rows =
            row_count == 0 || n == 0 || axis.last ? 0 : row_count / axis.extent;
        m_size = line_rows * n;
        if (m_size == 0) {
            return;
        }
        m_values.resize(F::fact_count * m_size + word_columns); // registers are loaded whole
        for (std::size_t l = 0; l < line_rows; ++l) {
            line_row<F> lines(f, n);
            for (std::size_t i = 0; i < axis.extent; ++i) {
                lines.add_to_shift(rows.row(axis.row(l, i)));
            }
            lines.finish_shift();
            for (std::size_t i = 0; i < axis.extent; ++i) {
                lines.add_terms(rows.row(axis.row(l, i)));
            }
            for (std::size_t c = 0; c < n; ++c) {
                const auto facts = lines.facts(c);
                for (std::size_t i = 0; i < F::fact_count; ++i) {
                    m_values[i * m_size + l * n + c] = facts[i];
                }
            }
        }
    }

    /// Where the first facts of a row of lines begin; the next ones lie size() further on.
    [[nodiscard]] const T* row(std::size_t line_row) const noexcept {
        return m_values.data() + line_row * m_columns;
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

private:
    std::size_t m_columns;
    std::size_t m_size = 0;
    std::vector<T> m_values;
};

// ---- The result ------------------------------------------------------------------------------------------------

/// The facts of a row of the result: the same for all columns, or some for each.
template <class F>
class row_facts {
    using T = typename F::value_type;

public:
    explicit row_facts(const facts_of<F>& facts) : m_facts(facts) {}

    row_facts(const T* table, std::size_t size) : m_table(table), m_size(size) {}

    XMASK_INLINE facts_of<F> at(std::size_t c) const {
        if (m_table == nullptr) [[likely]] {
            return m_facts;
        }
        facts_of<F> facts;
        for_each_index<F::fact_count>([&](auto i) XMASK_INLINE_LAMBDA {
            facts[i] = m_table[i * m_size + c];
        });
        return facts;
    }

    XMASK_INLINE auto load(std::size_t c) const {
        std::array<lanes<T>, F::fact_count> facts;
        for_each_index<F::fact_count>([&](auto i) XMASK_INLINE_LAMBDA {
            facts[i] =
                m_table == nullptr ? lanes<T>(m_facts[i]) : load_lanes(m_table + i * m_size + c);
        });
        return facts;
    }

private:
    facts_of<F> m_facts{};
    const T* m_table = nullptr;
    std::size_t m_size = 0;
};

/// 64 elements of the result.
template <class F, class Blocks>
class mapped_block {
public:
    using value_type = typename F::value_type;
    static constexpr bool in_registers = sums_in_registers<value_type>;

    mapped_block(
        const F& f, const row_facts<F>& facts, const Blocks& operands, std::size_t c, word_t bits
    )
        : m_function(f), m_facts(facts), m_operands(operands), m_column(c), m_bits(bits) {}

    XMASK_INLINE value_type at(std::size_t k) const {
        return (m_bits >> k & 1) == 0 ? F::outside : m_operands.at(k, [&](const auto&... x) {
            return m_function.map(m_facts.at(m_column + k), x...);
        });
    }

    XMASK_INLINE lanes<value_type> load(std::size_t k) const
        requires in_registers
    {
        return load<true>(k, 0);
    }

    XMASK_INLINE lanes<value_type> load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return load<false>(k, count);
    }

private:
    template <bool Full>
    XMASK_INLINE lanes<value_type> load(std::size_t k, std::size_t count) const {
        const auto facts = m_facts.load(m_column + k);
        const auto y =
            m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return m_function.map(facts, x...);
            });
        return select_by_bits<value_type>(m_bits, k, y, lanes<value_type>(F::outside));
    }

    F m_function;
    row_facts<F> m_facts;
    Blocks m_operands;
    std::size_t m_column;
    word_t m_bits;
};

/// One row of the result, to be written or to be read by a larger expression.
template <class F, class Row>
class mapped_row {
    using T = typename F::value_type;

public:
    mapped_row(const F& f, const row_facts<F>& facts, Row row)
        : m_function(f), m_facts(facts), m_row(std::move(row)) {}

    [[nodiscard]] const auto& cursor() const noexcept { return m_row.cursor(); }

    [[nodiscard]] T outside() const noexcept { return F::outside; }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_row.prepare(c, end);
    }

    XMASK_INLINE auto read(std::size_t c, std::size_t count, word_t bits) {
        const word_t kept = m_row.cursor().word(c);
        const auto operands = m_row.read(c, count, kept & bits);
        return mapped_block<F, std::remove_const_t<decltype(operands)>>(
            m_function, m_facts, operands, c, kept
        );
    }

    template <bool Streaming, class Count>
    XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            fill_columns<Streaming>(to, to + count, F::outside);
            return;
        }
        const auto operands = m_row.read(c, count, bits);
        const mapped_block<F, std::remove_const_t<decltype(operands)>> mapped(
            m_function, m_facts, operands, c, bits
        );
        store_block<Streaming>(to, mapped, count);
    }

private:
    F m_function;
    row_facts<F> m_facts;
    Row m_row;
};

/// Writes what a row gives of its facts; where the terms are kept, `to` holds them.
template <class F, class Row>
void finish_row(
    const F& f, const facts_of<F>& facts, Row row, typename F::value_type* to, std::size_t n
) {
    if constexpr (F::keeps_terms) {
        scale_terms(row, to, n, facts[1]);
    } else {
        write_row<false>(mapped_row<F, Row>(f, row_facts<F>(facts), std::move(row)), to, 0, n);
    }
}

/// Writes rows along which the axis lies. Each step goes through a few of them, which stay in the
/// first cache: what comes last in one row need not be waited for by the next.
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
            shifts[i] = shift_of_row(f, rows.row(first + i));
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            if constexpr (F::keeps_terms) {
                sums[i] = store_terms(f, shifts[i], rows.row(first + i), writer.block(0), n);
            } else {
                sums[i] = sums_of_terms(f, shifts[i], rows.row(first + i));
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            finish_row(f, f.facts(shifts[i], sums[i]), rows.row(first + i), writer.block(0), n);
        }
    }
}

/// The rows of the result, broadcast to a shape. What is summed along the axis is so in the
/// result's own shape.
template <class F, class OwnRows, class Rows>
class mapped_rows {
public:
    template <class Own, class S>
    mapped_rows(
        const F& f, const Own& own_shape, OwnRows own, const row_axis& axis, const S& shape,
        Rows rows
    )
        : m_function(f)
        , m_own(std::move(own))
        , m_rows(std::move(rows))
        , m_axis(axis)
        , m_numbers(row_numbers(shape, own_shape))
        , m_table(f, m_own, axis, rows_of(own_shape), columns_of(own_shape))
        , m_one_column(columns_of(own_shape) == 1) {}

    XMASK_INLINE auto row(std::size_t r) const {
        using row_type = row_t<Rows>;
        return mapped_row<F, row_type>(
            m_function, facts(static_cast<std::size_t>(m_numbers(r))), m_rows.row(r)
        );
    }

    [[nodiscard]] flat_form form() const noexcept { return flat_form::none; }

    XMASK_INLINE auto flat_row() const { return row(0); }

private:
    [[nodiscard]] row_facts<F> facts(std::size_t own_row) const {
        if (m_axis.last) {
            return row_facts<F>(facts_of_row(m_function, m_own.row(own_row)));
        }
        const row_facts<F> facts(m_table.row(m_axis.line_row(own_row)), m_table.size());
        return m_one_column ? row_facts<F>(facts.at(0)) : facts;
    }

    F m_function;
    OwnRows m_own;
    Rows m_rows;
    row_axis m_axis;
    row_offsets m_numbers;
    facts_table<F> m_table;
    bool m_one_column;
};
} // namespace detail

/// A tensor whose elements depend on all that a mask keeps along an axis (masked_softmax,
/// masked_normalize, ...), not yet computed. An ordinary lazy xtensor expression: what is assigned
/// goes row by row. A single element costs the whole line along the axis.
template <class F, class CTM, class... CTX>
class row_mapped;
} // namespace xmask::inline XMASK_ABI

template <class F, class CTM, class CTX, class... CTY>
struct xt::xiterable_inner_types<xmask::row_mapped<F, CTM, CTX, CTY...>> {
    using inner_shape_type = typename std::decay_t<CTX>::inner_shape_type;
    using const_stepper = xt::xindexed_stepper<xmask::row_mapped<F, CTM, CTX, CTY...>, true>;
    using stepper = const_stepper;
};

template <class F, class CTM, class... CTX>
struct xt::xcontainer_inner_types<xmask::row_mapped<F, CTM, CTX...>> {
    using reference = typename F::value_type;
    using const_reference = typename F::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class F, class CTM, class... CTX>
class row_mapped : public detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type> {
    using base = detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// Operands of one shape. Throws std::invalid_argument where the shapes do not fit.
    template <class M, class... X>
    row_mapped(const char* name, const F& f, std::size_t axis, M&& m, X&&... operands)
        : m_function(f)
        , m_mask(std::forward<M>(m))
        , m_operands(std::forward<X>(operands)...)
        , m_axis(axis)
        , m_name(name) {
        detail::call_with(
            [&](const auto&, const auto&... rest) {
                (detail::require_same_shape(
                     name, "the first tensor", shape(), "another", rest.shape()
                 ),
                 ...);
            },
            m_operands
        );
        detail::require_broadcast(name, "a mask", m_mask.shape(), shape());
    }

    using base::shape;

    const inner_shape_type& shape() const noexcept { return std::get<0>(m_operands).shape(); }

    template <class It>
    value_type element(It first, It last) const {
        // As xtensor does: surplus leading indices are ignored, missing ones count as 0.
        xt::svector<std::size_t, 8> index(shape().size(), 0);
        for (std::size_t axis = index.size(); axis-- > 0 && last != first;) {
            index[axis] = static_cast<std::size_t>(*--last);
        }
        const auto kept = [&](const auto& at) { return m_mask.element(at.begin(), at.end()); };
        if (!kept(index)) {
            return F::outside;
        }
        const auto visit_at = [&](const auto& at, auto&& visit) {
            return detail::call_with(
                [&](const auto&... x) {
                    return visit(static_cast<value_type>(x.element(at.begin(), at.end()))...);
                },
                m_operands
            );
        };
        const auto total = detail::sums_of_line(m_function, [&](auto&& visit) {
            auto at = index;
            const std::size_t extent = at.empty() ? 1 : static_cast<std::size_t>(shape()[m_axis]);
            for (std::size_t i = 0; i < extent; ++i) {
                if (!at.empty()) {
                    at[m_axis] = i;
                }
                if (kept(at)) {
                    visit_at(at, visit);
                }
            }
        });
        const auto facts = m_function.facts(total.shift, total.sums);
        return visit_at(index, [&](const auto&... x) { return m_function.map(facts, x...); });
    }

    value_type data_element(size_type i) const {
        return detail::at_flat_index(shape(), i, [&](const auto& index) {
            return element(index.begin(), index.end());
        });
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type /*l*/) const noexcept {
        return const_stepper(this, walked.size() - this->dimension(), true);
    }

    /// xtensor calls it when this expression stands alone on the right-hand side.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<value_type>(m_name, *this, sources_of_rows(), result)) {
            return;
        }
        if constexpr (detail::has_threads) {
            // Several threads may write parts of a row, each of which needs all of it.
            if (detail::columns_of(shape()) > detail::piece_elements &&
                detail::assign_apart<value_type>(m_name, *this, result)) {
                return;
            }
        }
        detail::resize_or_check(m_name, "the result", result, shape());
        write_to(result);
    }

    /// The same into what has this shape, and is read in place, if at all.
    template <class E>
    void write_to(E& result) const {
        if constexpr (detail::sums_in_registers<value_type>) {
            if (detail::row_axis(shape(), m_axis).last &&
                detail::row_writer<value_type, E>(result).in_place()) {
                write_own_rows(result);
                return;
            }
        }
        detail::write_rows<value_type>(rows(result.shape()), result);
    }

    /// What this reads in a larger expression (core/overlap.hpp).
    [[nodiscard]] auto sources() const noexcept {
        return detail::call_with(
            [&](const auto&... x) {
                return std::tuple(detail::read_anywhere(m_mask), detail::read_anywhere(x)...);
            },
            m_operands
        );
    }

    /// What a walk over `walked`, into which this broadcasts, reads.
    template <class S>
    auto rows(const S& walked) const {
        auto own = bundle_rows(shape());
        auto broadcast = bundle_rows(walked);
        return detail::mapped_rows<F, decltype(own), decltype(broadcast)>(
            m_function, shape(), std::move(own), detail::row_axis(shape(), m_axis), walked,
            std::move(broadcast)
        );
    }

private:
    /// What this reads where it is written by itself: a line before any element of it is written,
    /// and its mask again where the line holds its terms.
    [[nodiscard]] auto sources_of_rows() const noexcept {
        return detail::call_with(
            [&](const auto&... x) {
                if constexpr (F::keeps_terms) {
                    return std::tuple(detail::read_anywhere(m_mask), detail::read_in_place(x)...);
                } else {
                    return std::tuple(detail::read_in_place(m_mask), detail::read_in_place(x)...);
                }
            },
            m_operands
        );
    }

    /// Writes rows along which the axis lies, in place.
    template <class E>
    void write_own_rows(E& to) const {
        constexpr std::size_t width = detail::lane_count<value_type>;
        const std::size_t n = detail::columns_of(shape());
        const auto all = detail::pieces::of_whole_rows(n == 0 ? 0 : detail::rows_of(shape()), n);
        detail::for_each_piece(
            all, bundle_rows(shape()),
            [&](const auto& rows, const detail::piece& part) {
                detail::row_writer<value_type, E> writer(to);
                const auto write = [&](auto registers) {
                    detail::write_held_rows<registers>(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                };
                if (!detail::fits_registers<value_type>(n)) {
                    detail::write_whole_rows(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                } else if (n <= width) {
                    write(std::integral_constant<std::size_t, 1>());
                } else if (n <= 2 * width) {
                    write(std::integral_constant<std::size_t, 2>());
                } else {
                    write(std::integral_constant<std::size_t, 4>());
                }
            }
        );
    }

    template <class S>
    auto bundle_rows(const S& walked) const {
        return detail::call_with(
            [&](const auto&... x) {
                return detail::make_bundle_rows<value_type>(walked, m_mask, x...);
            },
            m_operands
        );
    }

    F m_function;
    CTM m_mask;
    std::tuple<CTX...> m_operands;
    std::size_t m_axis;
    const char* m_name;
};

namespace detail {
template <class F, class CTM, class... CTX>
struct row_maker<row_mapped<F, CTM, CTX...>> {
    template <class S>
    static auto make(const row_mapped<F, CTM, CTX...>& e, const S& shape) {
        return e.rows(shape);
    }
};

template <class... X>
consteval bool require_real_tensors() {
    constexpr bool real = ([] {
        if constexpr (expression<X> && !mask_expression<X>) {
            return std::is_floating_point_v<std::remove_cv_t<value_type_t<X>>>;
        } else {
            return false;
        }
    }() && ...);
    static_assert(
        real,
        "xmask: this takes tensors (or lazy expressions) of real numbers, the mask after them; convert integers first."
    );
    return real;
}

/// Fails to compile, with one sentence, unless these are the tensor, the mask and the upstream
/// gradient of a gradient along an axis.
template <class X, class M, class G>
consteval bool require_row_gradient() {
    if constexpr (require_gradient_order<G>()) {
        return require_real_tensors<X, G>() && require_mask<M>();
    } else {
        return false;
    }
}

template <class... X>
using real_of = std::common_type_t<std::remove_cv_t<value_type_t<X>>...>;

template <class F, class M, class... X>
auto make_row_mapped(const char* name, const F& f, std::ptrdiff_t axis, M&& m, X&&... operands) {
    const std::size_t rank = std::get<0>(std::forward_as_tuple(operands...)).dimension();
    return row_mapped<F, closure_t<M>, closure_t<X>...>(
        name, f, line_axis_number(name, axis, rank), std::forward<M>(m),
        std::forward<X>(operands)...
    );
}

/// Gives x what F makes of it, in place.
template <class F, class X, class M>
void map_inplace(const char* name, const F& f, std::ptrdiff_t axis, const M& m, X& x) {
    // Of a row that holds its terms, the mask is asked again.
    with_mask_apart(
        m, x, [&](const auto& apart) { make_row_mapped(name, f, axis, apart, x).assign_to(x); },
        F::keeps_terms ? overlap::none : overlap::in_place
    );
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
