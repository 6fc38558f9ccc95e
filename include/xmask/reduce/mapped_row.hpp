// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "line_sums.hpp"

/// @file
/// One row of a tensor whose elements depend on all that is kept along an axis.

namespace xmask::inline XMASK_ABI::detail {
/// The facts of a row of the result: common to all columns, or own ones for each column.
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

/// Up to 64 elements of the result.
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

/// One row of the result.
template <class F, class Row>
class mapped_row {
public:
    mapped_row(const F& f, const row_facts<F>& facts, Row row)
        : m_function(f), m_facts(facts), m_row(std::move(row)) {}

    /// A block, given the bits of its kept columns, of which only some are read.
    template <class Count>
    XMASK_INLINE auto mapped(std::size_t c, Count count, word_t kept, word_t looked_at) {
        const auto operands = m_row.block(c, count, kept & looked_at);
        return mapped_block<F, std::remove_const_t<decltype(operands)>>(
            m_function, m_facts, operands, c, kept
        );
    }

    XMASK_INLINE auto block(std::size_t c, std::size_t count, word_t bits) {
        return mapped(c, count, m_row.cursor().word(c), bits);
    }

private:
    F m_function;
    row_facts<F> m_facts;
    Row m_row;
};

/// Writes a row of the result.
template <class Columns, class F, class Row>
class map_delegate {
public:
    map_delegate(Columns to, mapped_row<F, Row> row) : m_to(to), m_row(std::move(row)) {}

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, F::outside); }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
        } else {
            m_to.store(c, m_row.mapped(c, count, bits, bits), count);
        }
    }

private:
    Columns m_to;
    mapped_row<F, Row> m_row;
};
} // namespace xmask::inline XMASK_ABI::detail
