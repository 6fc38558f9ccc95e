// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "element_sum.hpp"

/// @file
/// Folds: what a reduction does with the elements that a mask keeps, and the pass over all of them.

namespace xmask::inline XMASK_ABI::detail {
/// A fold turns elements of T into a state: the sum so far, or the largest so far. It is a small
/// struct:
///
///     using state = ...;                           // what one position of the result holds
///     state start() const;                         // the state of no elements
///     void add(state&, T) const;                   // adds one element
///     void merge(state&, const state&) const;      // adds what another row holds
///     static constexpr bool in_registers = ...;    // whether the fold takes registers, too
///
/// A fold that takes registers has two more functions. `neutral()` gives lanes that change no
/// state. `add_columns(states, x)` adds lane k of x to states[k].
template <class F, class T>
concept element_fold =
    std::copy_constructible<F> && std::copyable<typename F::state> &&
    requires(const F& fold, typename F::state& to, const typename F::state& other, T x) {
        { fold.start() } -> std::convertible_to<typename F::state>;
        fold.add(to, x);
        fold.merge(to, other);
        { F::in_registers } -> std::convertible_to<bool>;
    } && (!F::in_registers || requires(const F& fold, typename F::state* to, const lanes<T>& x) {
        { fold.neutral() } -> std::same_as<lanes<T>>;
        fold.add_columns(to, x);
    });

/// A fold whose lanes fold a row together. `registers` holds the state of each lane:
///
///     using registers = ...;
///     registers start_registers() const;
///     void add(registers&, const lanes<T>&) const;
///     void join(registers&, const registers&) const;    // lane by lane
///     state total(const registers&) const;              // of all lanes
template <class F, class T>
concept register_fold = element_fold<F, T> && F::in_registers &&
                        requires(
                            const F& fold, typename F::registers& to,
                            const typename F::registers& other, const lanes<T>& x
                        ) {
                            { fold.start_registers() } -> std::same_as<typename F::registers>;
                            fold.add(to, x);
                            fold.join(to, other);
                            { fold.total(other) } -> std::convertible_to<typename F::state>;
                        };

/// Folds the blocks of rows into one state. The registers of a word that is kept whole go to four
/// states in turn: no addition waits for the one before.
template <class T, element_fold<T> Fold>
class row_fold {
    static_assert(!Fold::in_registers || register_fold<Fold, T>);

    static constexpr std::size_t register_count = 4;

    struct nothing {};

    static auto start_registers(const Fold& fold) {
        if constexpr (Fold::in_registers) {
            const auto one = fold.start_registers();
            return std::array<std::decay_t<decltype(one)>, register_count>{one, one, one, one};
        } else {
            return nothing();
        }
    }

public:
    explicit row_fold(const Fold& fold)
        : m_fold(fold), m_registers(start_registers(fold)), m_state(fold.start()) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        m_count += count_bits(bits);
        if constexpr (Fold::in_registers) {
            constexpr bool whole = std::is_same_v<Count, whole_word>;
            const bool all = bits == first_bits(count);
            const auto neutral = m_fold.neutral();
            const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    auto x = block.template value_register<full>(k, count - k);
                    if constexpr (select || !full) {
                        x = select_by_bits<T>(bits, k, x, neutral);
                    }
                    m_fold.add(m_registers[whole ? k / lane_count<T> % register_count : 0], x);
                });
            };
            all ? add_all(std::false_type()) : add_all(std::true_type());
        } else {
            for (; bits != 0; bits &= bits - 1) {
                m_fold.add(m_state, block.value(lowest_bit(bits)));
            }
        }
    }

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

    [[nodiscard]] auto total() const {
        auto state = m_state;
        if constexpr (Fold::in_registers) {
            auto all = m_registers[0];
            for (std::size_t i = 1; i < register_count; ++i) {
                m_fold.join(all, m_registers[i]);
            }
            m_fold.merge(state, m_fold.total(all));
        }
        return state;
    }

private:
    Fold m_fold;
    decltype(start_registers(std::declval<const Fold&>())) m_registers;
    typename Fold::state m_state;
    std::size_t m_count = 0;
};

/// A plain sum of elements of T.
template <class T, class Sum = sum_t<T>>
struct sum_fold {
    using state = Sum;
    static constexpr bool in_registers = sums_in_registers<T>;

    [[nodiscard]] state start() const noexcept { return 0; }

    void add(state& to, T x) const noexcept { add_to(to, static_cast<sum_t<T>>(x)); }

    void merge(state& to, state other) const noexcept { add_to(to, other); }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(T(0)); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) + wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) + wide[1]);
        } else {
            store_lanes(to, load_lanes(to) + x);
        }
    }
};

/// Sums a row's blocks as losses do.
template <class T, class Sum>
class row_fold<T, sum_fold<T, Sum>> {
public:
    explicit row_fold(const sum_fold<T, Sum>& /*fold*/) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        add_terms<Exact>(m_sum, block, count, bits);
    }

    [[nodiscard]] std::size_t count() const noexcept {
        return static_cast<std::size_t>(m_sum.total().weight);
    }

    [[nodiscard]] Sum total() const noexcept { return m_sum.total().sum; }

private:
    term_sum<T, Sum> m_sum;
};

/// Folds the terms of a row.
template <bool Exact, class T, class Fold, class Row>
class fold_delegate {
public:
    fold_delegate(const row_fold<T, Fold>& fold, Row row) : m_fold(fold), m_row(std::move(row)) {}

    [[nodiscard]] const row_fold<T, Fold>& fold() const noexcept { return m_fold; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            m_fold.template add<Exact>(m_row.block(c, count, bits), count, bits);
        }
    }

private:
    row_fold<T, Fold> m_fold;
    Row m_row;
};

/// Folds what columns [begin, end) of a row keep.
template <class T, class Fold, class Cursor, class Row>
XMASK_INLINE void fold_row(
    row_fold<T, Fold>& fold, const Cursor& cursor, Row row, std::size_t begin, std::size_t end
) {
    constexpr bool exact = block_t<Row>::exact || joins_rows<Cursor>;
    fold_delegate<exact, T, Fold, Row> delegate(fold, std::move(row));
    walk(cursor, begin, end, delegate);
    fold = delegate.fold();
}

/// The state of everything that is kept, and the number of elements in it. Read like the states
/// along axes, of which there is one here.
template <class State>
struct folded {
    State value;
    std::size_t kept;

    [[nodiscard]] const State& state(std::size_t /*i*/) const noexcept { return value; }

    [[nodiscard]] std::size_t count(std::size_t /*i*/) const noexcept { return kept; }
};

/// Folds everything that is kept, piece by piece, in the order of rows.
template <class T, element_fold<T> Fold, class S, class Rows>
folded<typename Fold::state> fold_all(const Fold& fold, const S& shape, const Rows& rows) {
    using result = folded<typename Fold::state>;
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (row_count == 0) {
        return {fold.start(), 0};
    }
    const row_plan plan(shape, rows.rows.layout(rows.masks, rows.rows.flat(n), n));
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            row_fold<T, Fold> one(fold);
            plan.for_each_row(
                own.masks, part,
                [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                    XMASK_INLINE_LAMBDA { fold_row(one, cursor, own.rows.row(r), begin, end); }
            );
            return result{one.total(), one.count()};
        },
        [&](result& to, const result& part) {
            fold.merge(to.value, part.value);
            to.kept += part.kept;
        }
    );
}

/// The elements of x under a mask, row by row, as terms of type T; or f of them.
template <class T, class X, class M, class F = identity>
auto masked_rows(const char* function, const X& x, const M& m, const F& f = {}) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    return masked_operands{
        mask_rows<M>(m, shape), make_terms<T>(f, make_operand<T>(x, shape)), columns_of(shape)
    };
}
} // namespace xmask::inline XMASK_ABI::detail
