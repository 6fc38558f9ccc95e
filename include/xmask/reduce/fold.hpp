// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/simd.hpp"
#include "../core/walk.hpp"
#include "accumulate.hpp"
#include "term_sum.hpp"
#include "terms.hpp"

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

/// The registers of a fold: several states that take turns. They are copied one by one, so that the
/// compiler keeps each in a register; a copy of the array would go through memory.
template <class Fold, std::size_t Count, bool = Fold::in_registers>
struct register_states {
    std::array<typename Fold::registers, Count> at;

    explicit register_states(const Fold& fold)
        : register_states(
              [&](std::size_t /*i*/) { return fold.start_registers(); },
              std::make_index_sequence<Count>()
          ) {}

    register_states(const register_states& other)
        : register_states(
              [&](std::size_t i) { return other.at[i]; }, std::make_index_sequence<Count>()
          ) {}

    register_states& operator=(const register_states& other) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((at[I] = other.at[I]), ...);
        }(std::make_index_sequence<Count>());
        return *this;
    }

    ~register_states() = default;

private:
    template <class F, std::size_t... I>
    XMASK_INLINE register_states(const F& f, std::index_sequence<I...> /*all*/) : at{f(I)...} {}
};

template <class Fold, std::size_t Count>
struct register_states<Fold, Count, false> {
    explicit register_states(const Fold& /*fold*/) {}
};

/// Folds the blocks of rows into one state. The registers of a word that is kept whole go to
/// several states in turn: no addition waits for the one before.
template <class T, element_fold<T> Fold, std::size_t Registers = 4>
class row_fold {
    static_assert(!Fold::in_registers || register_fold<Fold, T>);

public:
    static constexpr bool takes_lanes = Fold::in_registers;

    explicit row_fold(const Fold& fold) : m_fold(fold), m_registers(fold), m_state(fold.start()) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        m_count += count_bits(bits);
        if constexpr (Fold::in_registers) {
            const bool all = bits == first_bits(count);
            const auto neutral = m_fold.neutral();
            const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    auto x = block.template value_register<full>(k, count - k);
                    if constexpr (select || !full) {
                        x = select_by_bits<T>(bits, k, x, neutral);
                    }
                    m_fold.add(m_registers.at[register_of(count, k)], x);
                });
            };
            all ? add_all(std::false_type()) : add_all(std::true_type());
        } else {
            for (; bits != 0; bits &= bits - 1) {
                m_fold.add(m_state, block.value(lowest_bit(bits)));
            }
        }
    }

    /// Adds the chosen lanes of a whole word; `bits` are the same choice.
    template <class Block, class Chosen>
    XMASK_INLINE void add_lanes(const Block& block, word_t bits, const Chosen& chosen) {
        m_count += count_bits(bits);
        const auto neutral = m_fold.neutral();
        for_each_register<T>(whole_word(), [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            const auto x = block.template value_register<full>(k, 0);
            m_fold.add(
                m_registers.at[register_of(whole_word(), k)],
                select_lanes<T>(chosen[k / lane_count<T>], x, neutral)
            );
        });
    }

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

    [[nodiscard]] auto total() const {
        auto state = m_state;
        if constexpr (Fold::in_registers) {
            auto all = m_registers.at[0];
            for (std::size_t i = 1; i < Registers; ++i) {
                m_fold.join(all, m_registers.at[i]);
            }
            m_fold.merge(state, m_fold.total(all));
        }
        return state;
    }

private:
    /// The registers that element k of a block goes to; those of a partial block are few.
    template <class Count>
    static constexpr std::size_t register_of(Count /*count*/, std::size_t k) noexcept {
        return std::is_same_v<Count, whole_word> ? k / lane_count<T> % Registers : 0;
    }

    Fold m_fold;
    register_states<Fold, Registers> m_registers;
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
        update_columns<T>(to, x, std::plus<>());
    }
};

/// Sums the blocks of rows as losses do.
template <class T, class Sum, std::size_t Registers>
class row_fold<T, sum_fold<T, Sum>, Registers> {
public:
    static constexpr bool takes_lanes = sums_in_registers<T>;

    explicit row_fold(const sum_fold<T, Sum>& /*fold*/) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        add_terms<Exact>(m_sum, block, count, bits);
    }

    template <class Block, class Chosen>
    XMASK_INLINE void add_lanes(const Block& block, word_t bits, const Chosen& chosen) {
        m_sum.add_count(count_bits(bits));
        m_sum.template add_registers<true>(
            whole_word(),
            [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                return zero_unless_lanes<T>(
                    chosen[k / lane_count<T>], block.template value_register<full>(k, 0)
                );
            }
        );
    }

    [[nodiscard]] std::size_t count() const noexcept { return m_sum.count(); }

    [[nodiscard]] Sum total() const noexcept { return m_sum.total().sum; }

private:
    term_sum<T, Sum> m_sum;
};

/// Folds the terms of a row.
template <bool Exact, class T, class Fold, class Row>
class fold_delegate {
public:
    /// A copy of the fold, which stays in registers while it grows.
    fold_delegate(const row_fold<T, Fold>& fold, Row row) : m_fold(fold), m_row(std::move(row)) {}

    [[nodiscard]] const row_fold<T, Fold>& fold() const noexcept { return m_fold; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            m_fold.template add<Exact>(m_row.block(c, count, bits), count, bits);
        }
    }

    /// Adds 64 columns by the cursor's own lanes.
    template <lane_cursor<T> C>
        requires(reads_freely<Row> && row_fold<T, Fold>::takes_lanes)
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        const auto chosen = cursor.template lanes<T>(c);
        const word_t bits = word_from_masks<T>(chosen);
        if (bits == 0 || bits == ~word_t(0)) {
            block(c, whole_word(), bits);
        } else {
            m_fold.add_lanes(m_row.block(c, whole_word(), ~word_t(0)), bits, chosen);
        }
    }

private:
    row_fold<T, Fold> m_fold;
    Row m_row;
};

/// Whether sums of a row's terms may only round in the end.
template <class Cursor, class Row>
inline constexpr bool folds_exactly = block_t<Row>::exact || joins_rows<Cursor>;

/// The state of all kept elements, and their number. It reads like the states along axes, with one
/// position.
template <class State>
struct folded {
    State value;
    std::size_t kept;

    [[nodiscard]] const State& state(std::size_t /*i*/) const noexcept { return value; }

    [[nodiscard]] std::size_t count(std::size_t /*i*/) const noexcept { return kept; }
};

/// Folds one row. A row of less than 64 columns is one block.
template <class T, element_fold<T> Fold, class Cursor, class Row>
XMASK_INLINE folded<typename Fold::state> fold_row(
    const Fold& fold, const masked_row<Cursor, Row>& row
) {
    constexpr bool exact = folds_exactly<Cursor, Row>;
    const std::size_t n = row.columns();
    if (n < word_columns) {
        row_fold<T, Fold, 1> one(fold);
        const word_t bits = row.cursor().word(0) & first_bits(n);
        if (bits != 0) {
            Row operands = row.operands();
            one.template add<exact>(operands.block(0, n, bits), n, bits);
        }
        return {one.total(), one.count()};
    }
    fold_delegate<exact, T, Fold, Row> delegate(row_fold<T, Fold>(fold), row.operands());
    walk(row.cursor(), 0, n, delegate);
    return {delegate.fold().total(), delegate.fold().count()};
}

/// Folds everything that is kept, piece by piece, in the order of rows.
template <class T, element_fold<T> Fold, class S, class Masks, class Terms>
folded<typename Fold::state> fold_all(
    const Fold& fold, const S& shape, const masked_operands<Masks, Terms>& rows
) {
    using result = folded<typename Fold::state>;
    using row = row_t<Terms>;
    const row_plan plan(shape, layout_of_terms(rows.rows, rows.masks, true, rows.columns));
    if (plan.empty()) {
        return {fold.start(), 0};
    }
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            row_fold<T, Fold> one(fold);
            plan.for_each_row(
                own.masks, part,
                [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                    XMASK_INLINE_LAMBDA {
                        constexpr bool exact = folds_exactly<std::decay_t<decltype(cursor)>, row>;
                        fold_delegate<exact, T, Fold, row> delegate(one, own.rows.row(r));
                        walk(cursor, begin, end, delegate);
                        one = delegate.fold();
                    }
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
