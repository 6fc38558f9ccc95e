// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/simd.hpp"
#include "../masks/ask.hpp"
#include "accumulate.hpp"
#include "element_sum.hpp"
#include "options.hpp"

/// @file
/// The walk that all reductions share: over everything, along rows, or column by column, once over
/// what is kept.
///
/// A fold of elements of T is a small struct:
///
///     using state = ...;                           // what one position of the result holds
///     state start() const;                         // of nothing
///     void add(state&, T) const;                   // one element
///     void merge(state&, const state&) const;      // what another row holds
///     static constexpr bool in_registers = ...;    // whether it offers what follows
///     using registers = ...;                       // the state of lanes that fold a row together
///     registers start_registers() const;
///     void add(registers&, const lanes<T>&) const;
///     void join(registers&, const registers&) const;
///     state total(const registers&) const;
///     lanes<T> neutral() const;                    // lanes that add nothing
///     void add_columns(state*, const lanes<T>&) const;    // each lane to its own state

namespace xmask::inline XMASK_ABI::detail {
/// Folds the blocks of rows into one state. Words that are kept whole go to several registers in
/// turn, so that none waits for the last.
template <class T, class Fold>
class row_fold {
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

/// A plain sum, of terms as masked_terms adds them.
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

/// Folds a row's blocks by the sums that everything else uses.
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

/// Folds a row of terms.
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

/// A state and how many elements it is of.
template <class State>
struct folded {
    State state;
    std::size_t count;
};

/// Folds everything that is kept, in the order of rows, in pieces.
template <class T, class Fold, class S, class Rows>
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
            fold.merge(to.state, part.state);
            to.count += part.count;
        }
    );
}

/// Counts the set bits of many words, column by column. The counts are held bit by bit: a word is
/// added to 64 of them by carries, as by hand, and two steps are enough on average.
class column_counts {
    static constexpr std::size_t digits = 8;
    using counter = std::array<word_t, digits>;

public:
    explicit column_counts(std::size_t columns)
        : m_counters(columns == 0 ? 0 : columns / word_columns + 2), m_counts(columns) {}

    /// Adds bit k to column at + k.
    void add(std::size_t at, word_t bits) {
        const std::size_t shift = at % word_columns;
        add_word(at / word_columns, bits << shift);
        if (shift != 0) {
            add_word(at / word_columns + 1, bits >> (word_columns - shift));
        }
    }

    [[nodiscard]] std::size_t count(std::size_t column) const noexcept {
        std::size_t count = m_counts[column];
        const auto& held = m_counters[column / word_columns];
        for (std::size_t digit = 0; digit < digits; ++digit) {
            count += to_size(held[digit] >> column % word_columns & 1) << digit;
        }
        return count;
    }

private:
    void add_word(std::size_t i, word_t bits) {
        for (std::size_t digit = 0; bits != 0 && digit < digits; ++digit) {
            const word_t carry = m_counters[i][digit] & bits;
            m_counters[i][digit] ^= bits;
            bits = carry;
        }
        for (; bits != 0; bits &= bits - 1) {
            m_counts[i * word_columns + lowest_bit(bits)] += std::size_t(1) << digits;
        }
    }

    std::vector<counter> m_counters;
    std::vector<std::size_t> m_counts;
};

/// The states of all positions of the axes that stay, and how many elements each is of.
template <class State>
class folded_axes {
public:
    /// Where not `counted`, nobody asks for the counts of columns.
    folded_axes(const kept_axes& axes, std::size_t n, const State& start, bool counted)
        : m_columns(n)
        , m_by_column(axes.keeps_last())
        , m_counted(counted)
        // Whole registers may be loaded and stored at the last columns.
        , m_states(axes.size() + word_columns, start)
        , m_counts(m_by_column ? (n == 0 ? 0 : axes.size() / n) : axes.size())
        , m_column_counts(m_by_column && counted ? axes.size() : 0) {}

    [[nodiscard]] State* states(std::size_t at) noexcept { return m_states.data() + at; }

    [[nodiscard]] const State& state(std::size_t i) const noexcept { return m_states[i]; }

    [[nodiscard]] std::size_t count(std::size_t i) const noexcept {
        return m_by_column ? m_counts[i / m_columns] + m_column_counts.count(i) : m_counts[i];
    }

    void add_count(std::size_t at, std::size_t count) noexcept { m_counts[at] += count; }

    /// Whether the columns of a row are to be counted one by one; a row that is kept whole costs
    /// one addition.
    template <class Cursor>
    bool counts_columns(std::size_t at, const Cursor& cursor) {
        const bool whole = m_counted && stretch_at(cursor, 0).kind == stretch_kind::kept &&
                           stretch_at(cursor, 0).end >= m_columns;
        if (whole) {
            ++m_counts[at / m_columns];
            return false;
        }
        return m_counted;
    }

    void add_columns(std::size_t at, word_t bits) { m_column_counts.add(at, bits); }

private:
    std::size_t m_columns;
    bool m_by_column;
    bool m_counted;
    std::vector<State> m_states;
    std::vector<std::size_t> m_counts; // of positions, or of rows kept whole
    column_counts m_column_counts;
};

/// Folds what a row keeps, each column by itself.
template <class T, class Fold, class Row>
void fold_columns(
    const Fold& fold, Row& row, folded_axes<typename Fold::state>& result, std::size_t at
) {
    const bool counted = result.counts_columns(at, row.cursor());
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        if (counted) {
            result.add_columns(at + c, bits);
        }
        const auto block = row.block(c, count, bits);
        auto* to = result.states(at + c);
        if constexpr (Fold::in_registers) {
            const auto neutral = fold.neutral();
            const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    auto x = block.template value_register<full>(k, count - k);
                    if constexpr (select || !full) {
                        x = select_by_bits<T>(bits, k, x, neutral);
                    }
                    fold.add_columns(to + k, x);
                });
            };
            bits == first_bits(count) ? add_all(std::false_type()) : add_all(std::true_type());
        } else {
            if (bits == ~word_t(0)) {
                for (std::size_t k = 0; k < word_columns; ++k) {
                    fold.add(to[k], block.value(k));
                }
                return;
            }
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                fold.add(to[k], block.value(k));
            }
        }
    });
}

/// Rows that do not depend on where they go.
template <class Rows>
struct plain_rows {
    Rows rows;

    XMASK_INLINE auto row(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }

    XMASK_INLINE auto columns(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }
};

/// Folds each row into its position. Threads fold rows by themselves, which are merged in the order
/// of rows as without.
template <class T, class Fold, class Rows>
void fold_rows(
    const Fold& fold, std::size_t row_count, std::size_t n, const kept_axes& axes, const Rows& rows,
    folded_axes<typename Fold::state>& result
) {
    using part = folded<typename Fold::state>;
    const auto fold_one = [&](const Rows& own, std::size_t r) {
        const auto row = own.row(r, axes.offset(r));
        row_fold<T, Fold> one(fold);
        fold_row(one, row.cursor(), row.operands(), 0, row.columns());
        return part{one.total(), one.count()};
    };
    const auto merge = [&](std::size_t r, const part& one) {
        const std::size_t at = axes.offset(r);
        result.add_count(at, one.count);
        fold.merge(*result.states(at), one.state);
    };
    if constexpr (has_threads) {
        const auto all = pieces::of_whole_rows(row_count, n);
        if (all.worth_threads()) {
            std::vector<part> parts(row_count, part{fold.start(), 0});
            for_each_piece(all, rows, [&](const Rows& own, const piece& some) {
                for (std::size_t r = some.first_row; r < some.last_row; ++r) {
                    parts[r] = fold_one(own, r);
                }
            });
            for (std::size_t r = 0; r < row_count; ++r) {
                merge(r, parts[r]);
            }
            return;
        }
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        merge(r, fold_one(rows, r));
    }
}

/// Folds along axes: each row into its position, or, where the last axis stays, column by column.
/// `rows` gives the terms of row r that go to position `at`: as row(r, at), or as columns(r, at).
template <class T, class Fold, class S, class Rows>
folded_axes<typename Fold::state> fold_along(
    const Fold& fold, const S& shape, const kept_axes& axes, const Rows& rows, bool counted = true
) {
    const std::size_t n = columns_of(shape);
    folded_axes<typename Fold::state> result(axes, n, fold.start(), counted);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (!axes.keeps_last()) {
        fold_rows<T>(fold, row_count, n, axes, rows, result);
        return result;
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        const std::size_t at = axes.offset(r);
        auto row = rows.columns(r, at);
        fold_columns<T>(fold, row, result, at);
    }
    return result;
}

/// f of the elements of x under a mask, row by row, as terms of type T.
template <class T, class X, class M, class F = identity>
auto masked_rows(const char* function, const X& x, const M& m, const F& f = {}) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    return masked_operands{
        mask_rows<M>(m, shape), make_terms<T>(f, make_operand<T>(x, shape)), columns_of(shape)
    };
}

/// A function of an element and of a shift, with the shift of one position.
template <class F, class T>
struct shifted {
    T shift;
    F function = {};

    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return function.value(x, V(shift));
    }
};

/// The terms F(x, shift), where each position of the axes that stay has a shift of its own.
template <class T, class F, class Masks, class Rows>
class shifted_rows {
public:
    shifted_rows(
        const F& function, Masks masks, Rows rows, std::size_t n, const std::vector<T>& shifts
    )
        : m_function(function)
        , m_masks(std::move(masks))
        , m_rows(std::move(rows))
        , m_columns(n)
        , m_shifts(shifts.data()) {}

    XMASK_INLINE auto row(std::size_t r, std::size_t at) const {
        using function = shifted<F, T>;
        return masked(
            r, term_row<T, function, row_t<Rows>>(
                   function{m_shifts[at], m_function}, zip_row<row_t<Rows>>(m_rows.row(r))
               )
        );
    }

    XMASK_INLINE auto columns(std::size_t r, std::size_t at) const {
        using shifts = memory_row<T>;
        return masked(
            r, term_row<T, F, row_t<Rows>, shifts>(
                   m_function,
                   zip_row<row_t<Rows>, shifts>(m_rows.row(r), shifts(m_shifts + at, 1, nullptr))
               )
        );
    }

private:
    template <class Row>
    XMASK_INLINE auto masked(std::size_t r, Row row) const {
        return masked_row<row_t<Masks>, Row>(m_masks.row(r), std::move(row), m_columns);
    }

    F m_function;
    Masks m_masks;
    Rows m_rows;
    std::size_t m_columns;
    const T* m_shifts;
};

/// The sums of F(x, shift) along axes; `shifts` has one for each position.
template <class T, class F, class X, class M>
auto sum_shifted(
    const X& x, const M& m, const kept_axes& axes, const std::vector<T>& shifts, const F& f = {}
) {
    const auto& shape = x.shape();
    auto operand = make_operand<T>(x, shape);
    using rows = shifted_rows<T, F, mask_rows<M>, decltype(operand)>;
    return fold_along<T>(
        sum_fold<T>(), shape, axes,
        rows(f, mask_rows<M>(m, shape), std::move(operand), columns_of(shape), shifts), false
    );
}

/// A result with f(i) at each position i of the axes that stay.
template <class R, class F>
xt::xarray<R> make_result(const kept_axes& axes, bool keep_axes, F&& f) {
    auto result = xt::xarray<R>::from_shape(keep_axes ? axes.full_shape() : axes.shape());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        result.data()[i] = f(i);
    }
    return result;
}

/// How many elements of `shape` a mask keeps at each position of the axes that stay.
template <class S, class M>
std::vector<std::size_t> count_rows(const S& shape, const M& m, const kept_axes& axes) {
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    folded_axes<char> counted(axes, n, 0, true);
    const mask_rows<M> rows(m, shape);
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto cursor = rows.row(r);
        const std::size_t at = axes.offset(r);
        if (axes.keeps_last() && !counted.counts_columns(at, cursor)) {
            continue;
        }
        if (!axes.keeps_last()) {
            counted.add_count(at, count_row(cursor, 0, n));
            continue;
        }
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, auto /*count*/, word_t bits) {
            counted.add_columns(at + c, bits);
        });
    }
    std::vector<std::size_t> counts(axes.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counts[i] = counted.count(i);
    }
    return counts;
}

/// Every axis of a tensor.
inline axes_list every_axis(std::size_t rank) {
    std::vector<std::ptrdiff_t> axes(rank);
    std::iota(axes.begin(), axes.end(), std::ptrdiff_t(0));
    return axes_list(axes);
}

/// Folds all rows of terms of T to finish(state), of type R; where nothing is kept, to what the
/// options say.
template <class R, class T, class Fold, class S, class Rows, class F>
R fold_to_number(
    const char* function, const Fold& fold, const S& shape, const Rows& rows,
    const reduce_options& options, F&& finish
) {
    const auto total = fold_all<T>(fold, shape, rows);
    const R result = finish(total.state);
    return total.count != 0 ? result : when_nothing_kept<R>(function, options.empty, result);
}

/// The same along axes.
template <class R, class T, class Fold, class S, class Rows, class F>
xt::xarray<R> fold_to_axes(
    const char* function, const Fold& fold, const S& shape, Rows rows, const kept_axes& axes,
    const reduce_options& options, F&& finish
) {
    const auto all = fold_along<T>(
        fold, shape, axes, plain_rows<Rows>{std::move(rows)}, options.empty.has_value()
    );
    return make_result<R>(axes, options.keep_axes, [&](std::size_t i) {
        const R result = finish(all.state(i));
        return !options.empty || all.count(i) != 0
                   ? result
                   : when_nothing_kept<R>(function, options.empty, result);
    });
}

/// Folds the elements that a mask keeps to one number of type R.
template <class R, class Fold, class X, class M>
R fold_elements(
    const char* function, const Fold& fold, const X& x, const M& m, const reduce_options& options
) {
    using element = element_t<X>;
    return fold_to_number<R, element>(
        function, fold, x.shape(), masked_rows<element>(function, x, m), options,
        [](auto state) { return static_cast<R>(state); }
    );
}

/// The same along axes.
template <class R, class Fold, class X, class M>
xt::xarray<R> fold_elements(
    const char* function, const Fold& fold, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    return fold_to_axes<R, element>(
        function, fold, x.shape(), masked_rows<element>(function, x, m), kept, options,
        [](auto state) { return static_cast<R>(state); }
    );
}
} // namespace xmask::inline XMASK_ABI::detail
