// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "../core/walk.hpp"
#include "accumulate.hpp"

/// @file
/// Sums over the lines of an axis, the base of softmax, normalization and cross entropy. Where the
/// function asks for it, terms are shifted by the largest kept element of the line.

namespace xmask::inline XMASK_ABI::detail {
/// The terms that are summed along a line: a struct with
///
///     using value_type = ...;                    // T, float or double
///     static constexpr std::size_t sums = ...;   // how many sums there are
///     static constexpr bool shifts = ...;        // whether the terms have a shift
///
///     V first(const V& x...) const;              // the shift is made of the largest of these,
///     T settle(T largest) const;                 // by settle
///     V term<I>(const V& shift, const V& x...) const;    // of sum I
///
/// V is T or a register of it. Of each operand there is one x.
template <class F, class... Operand>
concept line_terms =
    std::floating_point<typename F::value_type> && (F::sums > 0) &&
    requires(const F& f, const typename F::value_type& x) {
        {
            f.template term<F::sums - 1>(x, (static_cast<void>(sizeof(Operand)), x)...)
        } -> std::convertible_to<typename F::value_type>;
    } && (!F::shifts || requires(const F& f, const typename F::value_type& x) {
        {
            f.first((static_cast<void>(sizeof(Operand)), x)...)
        } -> std::convertible_to<typename F::value_type>;
        { f.settle(x) } -> std::convertible_to<typename F::value_type>;
    });

/// A function of a line's elements: line_terms, and how the sums map each kept element.
///
///     static constexpr std::size_t fact_count = ...;
///     static constexpr T outside = ...;          // what is dropped
///     static constexpr bool keeps_terms = ...;   // whether map is term<0> times facts[1], and outside 0
///
///     std::array<T, fact_count> facts(T shift, const std::array<double, sums>& totals) const;
///     V map(const std::array<V, fact_count>& facts, const V& x...) const;
///
/// A row that is assigned by itself and keeps its terms holds these in the result until their sum
/// is known, so that none is computed twice.
template <class F, class... Operand>
concept line_function =
    line_terms<F, Operand...> &&
    requires(
        const F& f, const typename F::value_type& x, const std::array<double, F::sums>& totals,
        const std::array<typename F::value_type, F::fact_count>& facts
    ) {
        { F::keeps_terms } -> std::convertible_to<bool>;
        { F::outside } -> std::convertible_to<typename F::value_type>;
        { f.facts(x, totals) } -> std::same_as<std::array<typename F::value_type, F::fact_count>>;
        {
            f.map(facts, (static_cast<void>(sizeof(Operand)), x)...)
        } -> std::convertible_to<typename F::value_type>;
    };

/// The numbers with which F maps an element.
template <class F>
using facts_of = std::array<typename F::value_type, F::fact_count>;

/// The shift before the first element.
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

/// Collects the shift and the sums of one line, element by element.
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

/// The shift and the sums of a line. visit(f) calls f(x...) for each kept element, in order.
template <class F, class Visit>
line_sums<F> sums_of_line(const F& f, Visit&& visit) {
    line_facts<F> line(f);
    visit([&](const auto&... x) { line.add_to_shift(x...); });
    line.finish_shift();
    visit([&](const auto&... x) { line.add_terms(x...); });
    return line.total();
}

/// The rows of some operands under a mask, as elements of T.
template <class T, class S, class M, class... X>
auto make_zipped_operands(const S& shape, const M& m, const X&... x) {
    return masked_operands{
        mask_rows<M>(m, shape), zip_rows(make_operand<T>(x, shape)...), columns_of(shape)
    };
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

/// The shift of a row. Rows are taken by reference here and below: a copy would wait until the row,
/// just made, is in the cache.
template <class F, class Row>
typename F::value_type shift_of_row(const F& f, Row& row) {
    using T = typename F::value_type;
    if constexpr (F::shifts) {
        const auto lowest = lanes<T>(first_shift<F>);
        // Four: a processor starts as many comparisons before the first is done.
        std::array<lanes<T>, 4> largest{lowest, lowest, lowest, lowest};
        const auto first = [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.first(x...); };
        for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
            const auto blocks = row.block(c, count, bits);
            const bool all = bits == ~word_t(0);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                auto x = blocks.template load<full>(k, count - k, first);
                if (!full || !all) {
                    x = select_by_bits<T>(bits, k, x, lowest);
                }
                // NaN may get lost here: the sums bring it back.
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

/// The sums of a row, given its shift.
template <class F, class Row>
std::array<double, F::sums> sums_of_terms(const F& f, typename F::value_type shift, Row& row) {
    using T = typename F::value_type;
    const auto wide = lanes<T>(shift);
    std::array<register_sum<T>, F::sums> sums;
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        const auto blocks = row.block(c, count, bits);
        for_each_index<F::sums>([&](auto i) XMASK_INLINE_LAMBDA {
            add_kept<false>(
                sums[i], blocks, count, bits,
                [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.template term<i>(wide, x...); }
            );
        });
    });
    return totals_of(sums);
}

/// The shift and the sums of a row.
template <class F, class Row>
line_sums<F> sums_of_row(const F& f, Row&& row) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, sums_of_terms(f, shift, row)};
    } else {
        return sums_of_line(f, [&](auto&& visit) {
            for_each_kept_block(row, [&](std::size_t c, std::size_t count, word_t bits) {
                const auto blocks = row.block(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    blocks.at(lowest_bit(bits), visit);
                }
            });
        });
    }
}

/// The facts of a row.
template <class F, class Row>
facts_of<F> facts_of_row(const F& f, Row&& row) {
    const auto total = sums_of_row(f, row);
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

/// Writes term<0> of each kept element of a row, 0 where nothing is kept, and sums all terms.
template <class F, class Row>
class store_terms_delegate {
    using T = typename F::value_type;

public:
    store_terms_delegate(const F& f, T shift, Row& row, T* to) noexcept
        : m_function(&f), m_row(&row), m_to(to), m_shift(shift) {}

    void dropped(std::size_t c, std::size_t end) const noexcept {
        fill_columns(m_to + c, m_to + end, T(0));
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        const auto blocks = m_row->block(c, count, bits);
        // Before the store: the row may lie where it is written.
        for_each_index<F::sums - 1>([&](auto i) XMASK_INLINE_LAMBDA {
            add_kept<false>(m_sums[i + 1], blocks, count, bits, term<i + 1>());
        });
        const bool all = bits == ~word_t(0);
        all ? store<true>(c, blocks, count, bits) : store<false>(c, blocks, count, bits);
    }

    [[nodiscard]] std::array<double, F::sums> totals() const noexcept { return totals_of(m_sums); }

private:
    template <std::size_t I>
    XMASK_INLINE auto term() const {
        return [this](const auto&... x)
                   XMASK_INLINE_LAMBDA { return m_function->template term<I>(m_shift, x...); };
    }

    template <bool All, class Blocks, class Count>
    XMASK_INLINE void store(std::size_t c, const Blocks& blocks, Count count, word_t bits) {
        T* const to = m_to + c;
        add_block<T, false>(m_sums[0], count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            lanes<T> y = blocks.template load<full>(k, count - k, term<0>());
            if constexpr (!All) {
                y = zero_unless<T>(bits, k, y);
            }
            store_register<full, false>(to + k, y, count - k);
            return y;
        });
    }

    const F* m_function;
    Row* m_row;
    T* m_to;
    lanes<T> m_shift;
    std::array<register_sum<T>, F::sums> m_sums;
};

/// The sums of a row's terms, while term<0> of each kept element is written to `to`.
template <class F, class Row>
std::array<double, F::sums> store_terms(
    const F& f, typename F::value_type shift, Row& row, typename F::value_type* to
) {
    store_terms_delegate<F, Row> delegate(f, shift, row, to);
    walk(row.cursor(), 0, row.columns(), delegate);
    return delegate.totals();
}

/// The shift and the sums of a row, while term<0> of each kept element is written to `to`.
template <class F, class Row>
line_sums<F> store_terms(const F& f, Row&& row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, store_terms(f, shift, row, to)};
    } else {
        const auto line = sums_of_row(f, row);
        // Block by block: the row may lie where it is written.
        for_each_block(0, n, [&](std::size_t c, std::size_t count) {
            const word_t bits = row.cursor().word(c) & first_bits(count);
            const auto blocks = row.block(c, count, bits);
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = (bits >> k & 1) == 0 ? T(0) : blocks.at(k, [&](const auto&... x) {
                    return f.template term<0>(line.shift, x...);
                });
            }
        });
        return line;
    }
}

/// Multiplies a row's terms by a factor. Dropped columns stay 0, even by a factor of NaN.
template <class T, class Row>
void scale_terms(const Row& row, T* to, std::size_t n, T factor) {
    // Only stretches that are not dropped; no word is asked for.
    any_stretch(row.cursor(), 0, n, [&](std::size_t c, std::size_t end, stretch_kind kind) {
        if (kind != stretch_kind::dropped) {
            scale_columns(to + c, to + end, factor);
        }
        return false;
    });
    if (factor == factor) [[likely]] {
        return;
    }
    for_each_block(0, n, [&](std::size_t c, std::size_t count) {
        word_t dropped = ~row.cursor().word(c) & first_bits(count);
        for (; dropped != 0; dropped &= dropped - 1) {
            to[c + lowest_bit(dropped)] = T(0);
        }
    });
}
} // namespace xmask::inline XMASK_ABI::detail
