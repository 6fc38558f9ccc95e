// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../core/assign.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "../masks/ask.hpp"
#include "accumulate.hpp"
#include "loss.hpp"
#include "weighted.hpp"

/// @file
/// The sum of an element-wise function over what a mask keeps, or times real weights; with its
/// derivative in the same pass. A function F has `value(x...)`, and for a gradient
/// `derivative(x...)` by its first argument; both take numbers, and, to be fast, registers of them.

namespace xmask::inline XMASK_ABI::detail {
/// The function of a plain sum.
struct identity {
    template <class V>
    XMASK_INLINE V value(const V& x) const noexcept {
        return x;
    }
};

/// A function times real weights, which come before its arguments.
template <class F>
struct weighted {
    F function;

    template <class W, class... V>
        requires requires(const F& f, const V&... x) { f.value(x...); }
    XMASK_INLINE W value(const W& w, const V&... x) const {
        return w * static_cast<W>(function.value(x...));
    }

    template <class W, class... V>
    XMASK_INLINE W derivative(const W& w, const V&... x) const {
        return w * static_cast<W>(function.derivative(x...));
    }
};

/// Whether F takes and gives registers of T. A function of plain numbers is called for one element
/// at a time.
template <class F, class T, class... Row>
consteval bool takes_registers() {
    if constexpr (sums_in_registers<T>) {
        return requires(const F& f, const lanes<T>& x) {
            { f.value((static_cast<void>(sizeof(Row)), x)...) } -> std::convertible_to<lanes<T>>;
        };
    } else {
        return false;
    }
}

/// Whether the terms of F are elements as they are, so that nothing but their sum may round.
template <class F>
inline constexpr bool adds_exactly = std::is_same_v<F, identity>;

/// A sum of terms of type T, the weight it is of, and the number of terms.
template <class T, class Sum = sum_t<T>>
struct weighted_sum {
    Sum sum = 0;
    double weight = 0;
    double count = 0;

    weighted_sum& operator+=(const weighted_sum& other) noexcept {
        add_to(sum, other.sum);
        weight += other.weight;
        count += other.count;
        return *this;
    }
};

/// Collects terms of type T, by registers where they have them.
template <class T, class Sum = sum_t<T>>
class term_sum {
public:
    template <bool Exact, class Count, class Term>
    XMASK_INLINE void add_registers(Count count, Term&& term) {
        add_block<T, Exact>(m_registers, count, term);
    }

    void add(Sum term) noexcept { add_to(m_scalars, term); }

    void add_count(std::size_t count) noexcept { m_count += count; }

    [[nodiscard]] weighted_sum<T, Sum> total() const noexcept {
        const auto count = static_cast<double>(m_count);
        if constexpr (sums_in_registers<T>) {
            return {m_scalars + m_registers.total(), count, count};
        } else {
            return {m_scalars, count, count};
        }
    }

private:
    struct nothing {};

    std::conditional_t<sums_in_registers<T>, register_sum<T>, nothing> m_registers;
    Sum m_scalars = 0;
    std::size_t m_count = 0;
};

/// A function of the blocks of several operands: its values, and its derivatives.
template <class T, class F, class... Block>
class term_block {
public:
    static constexpr bool in_registers = takes_registers<F, T, Block...>();
    static constexpr bool exact = adds_exactly<F>;

    term_block(const F& function, zip_block<Block...> operands)
        : m_function(&function), m_operands(operands) {}

    T value(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->value(x...));
        });
    }

    T derivative(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->derivative(x...));
        });
    }

    template <bool Full>
    XMASK_INLINE lanes<T> value_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return m_function->value(x...);
        });
    }

    template <bool Full>
    XMASK_INLINE lanes<T> derivative_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return m_function->derivative(x...);
        });
    }

private:
    const F* m_function;
    zip_block<Block...> m_operands;
};

template <class T, class F, class... Row>
class term_row {
public:
    term_row(const F& function, zip_row<Row...> rows)
        : m_function(function), m_rows(std::move(rows)) {}

    XMASK_INLINE term_block<T, F, block_t<Row>...> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return {m_function, m_rows.block(c, count, bits)};
    }

private:
    F m_function;
    zip_row<Row...> m_rows;
};

template <class T, class F, class... Row>
inline constexpr bool reads_freely<term_row<T, F, Row...>> =
    term_block<T, F, block_t<Row>...>::in_registers && (reads_freely<Row> && ...);

template <class T, class F, class... Rows>
class term_rows {
public:
    explicit term_rows(const F& function, Rows... rows)
        : m_function(function), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return term_row<T, F, row_t<Rows>...>(m_function, m_rows.row(r));
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept { return m_rows.flat(n); }

    /// How the terms are walked. Words that lie across rows are added exactly; terms that are not
    /// may only be packed where no row holds a whole word.
    template <class Masks>
    [[nodiscard]] row_layout layout(const Masks& masks, bool flat_rows, std::size_t n) const {
        if constexpr (adds_exactly<F>) {
            return layout_of(masks, flat_rows);
        } else {
            return flat_rows && n < word_columns ? row_layout::packed : row_layout::separate;
        }
    }

private:
    F m_function;
    zip_rows<Rows...> m_rows;
};

template <class T, class F, class... Rows>
auto make_terms(const F& f, Rows... rows) {
    return term_rows<T, F, Rows...>(f, std::move(rows)...);
}

/// Whether words of a row may hold columns of several rows.
template <class Cursor>
inline constexpr bool joins_rows = std::is_same_v<Cursor, words_cursor>;

/// Adds what a block keeps. Where not Exact, words that are kept whole are added up four registers
/// at a time: what a row adds depends on its own columns only, not on how many are padded or on
/// what lies before and behind it.
template <bool Exact, class T, class Sum, class Block, class Count>
XMASK_INLINE void add_terms(term_sum<T, Sum>& sum, const Block& terms, Count count, word_t bits) {
    sum.add_count(count_bits(bits));
    if constexpr (Block::in_registers) {
        // Where all is kept, only a partial register needs selection: it holds 0 past its end,
        // which the function need not map to 0.
        if (bits == first_bits(count)) {
            sum.template add_registers<Exact>(
                count,
                [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    const auto x = terms.template value_register<full>(k, count - k);
                    if constexpr (full) {
                        return x;
                    } else {
                        return zero_unless<T>(bits, k, x);
                    }
                }
            );
            return;
        }
        sum.template add_registers<true>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            return zero_unless<T>(bits, k, terms.template value_register<full>(k, count - k));
        });
    } else if (bits == ~word_t(0)) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            sum.add(static_cast<sum_t<T>>(terms.value(k)));
        }
    } else {
        for (; bits != 0; bits &= bits - 1) {
            sum.add(static_cast<sum_t<T>>(terms.value(lowest_bit(bits))));
        }
    }
}

/// Sums the terms of a row.
template <bool Exact, class T, class Sum, class Row>
class sum_delegate {
public:
    /// The sum is held here while it grows, so that it stays in registers.
    sum_delegate(const term_sum<T, Sum>& sum, Row row) : m_sum(sum), m_row(std::move(row)) {}

    [[nodiscard]] const term_sum<T, Sum>& sum() const noexcept { return m_sum; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            add_terms<Exact>(m_sum, m_row.block(c, count, bits), count, bits);
        }
    }

    /// Adds 64 columns by the cursor's own lanes.
    template <lane_cursor<T> C>
        requires reads_freely<Row>
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        const auto chosen = cursor.template lanes<T>(c);
        const word_t bits = bits_from_lanes<T>(chosen);
        if (bits == 0 || bits == ~word_t(0)) {
            block(c, whole_word(), bits);
            return;
        }
        const auto terms = m_row.block(c, whole_word(), ~word_t(0));
        m_sum.add_count(count_bits(bits));
        m_sum.template add_registers<true>(
            whole_word(),
            [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
                return zero_unless_lanes<T>(
                    chosen[k / lane_count<T>], terms.template value_register<true>(k, 0)
                );
            }
        );
    }

private:
    term_sum<T, Sum> m_sum;
    Row m_row;
};

/// Sums the terms of a row, and writes scale * derivative where something is kept, 0 elsewhere.
template <bool Exact, class T, class Columns, class Row>
class gradient_delegate {
public:
    /// The sum is held here while it grows, so that it stays in registers.
    gradient_delegate(Columns to, term_sum<T>& sum, Row row, T scale)
        : m_to(to), m_total(&sum), m_sum(sum), m_row(std::move(row)), m_scale(scale) {}

    /// After the last column.
    void finish() const noexcept { *m_total = m_sum; }

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(0)); }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        const auto terms = m_row.block(c, count, bits);
        add_terms<Exact>(m_sum, terms, count, bits);
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        if constexpr (decltype(terms)::in_registers) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            const auto factor = lanes<T>(m_scale);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto slope = factor * terms.template derivative_register<full>(k, count - k);
                store_register<full, streams>(to + k, zero_unless<T>(bits, k, slope), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? m_scale * terms.derivative(k) : T(0);
            }
        }
    }

private:
    Columns m_to;
    term_sum<T>* m_total;
    term_sum<T> m_sum;
    Row m_row;
    T m_scale;
};

/// Whether a gradient is asked for.
template <class G>
inline constexpr bool wants_gradient = !std::is_same_v<std::remove_cvref_t<G>, no_gradient>;

/// The sum of the terms that are kept of `shape`. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms>
weighted_sum<T, Sum> sum_terms(
    const S& shape, const masked_operands<Masks, Terms>& rows, const no_gradient& /*none*/
) {
    const std::size_t n = rows.columns;
    const row_plan plan(shape, rows.rows.layout(rows.masks, rows.rows.flat(n), n));
    if (plan.empty()) {
        return {};
    }
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            term_sum<T, Sum> sum;
            plan.for_each_row(
                own.masks, part,
                [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                    XMASK_INLINE_LAMBDA {
                        constexpr bool exact = block_t<row_t<Terms>>::exact ||
                                               joins_rows<std::decay_t<decltype(cursor)>>;
                        sum_delegate<exact, T, Sum, row_t<Terms>> delegate(sum, own.rows.row(r));
                        walk(cursor, begin, end, delegate);
                        sum = delegate.sum();
                    }
            );
            return sum.total();
        },
        [](auto& sum, const auto& part) { sum += part; }
    );
}

/// The same, and their derivatives in `gradient`, which has the shape.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms, class G>
    requires wants_gradient<G>
weighted_sum<T> sum_terms(const S& shape, const masked_operands<Masks, Terms>& rows, G& gradient) {
    using traits = gradient_traits<G>;
    auto& to = traits::target(gradient);
    const row_target<T, std::remove_reference_t<decltype(to)>> result(to);
    const std::size_t n = rows.columns;
    const bool flat = result.flat() && rows.rows.flat(n);
    const row_plan plan(shape, rows.rows.layout(rows.masks, flat, n));
    if (plan.empty()) {
        return {};
    }
    const T scale = static_cast<T>(traits::scale(gradient));
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            term_sum<T> sum;
            result.template write<block_start::fixed>(
                plan, own.masks, part,
                [&](const auto& cursor, std::size_t r, auto columns) {
                    constexpr bool exact =
                        block_t<row_t<Terms>>::exact || joins_rows<std::decay_t<decltype(cursor)>>;
                    return gradient_delegate<exact, T, decltype(columns), row_t<Terms>>(
                        columns, sum, own.rows.row(r), scale
                    );
                }
            );
            return sum.total();
        },
        [](weighted_sum<T>& sum, const weighted_sum<T>& part) { sum += part; }
    );
}

/// Throws std::invalid_argument unless what counts fits into the operand.
template <class M, class S>
void require_counted_shape(const char* function, const M& m, const S& shape) {
    if constexpr (weighted_mask_expression<M>) {
        require_broadcast(function, "a mask", m.mask().shape(), shape);
        require_broadcast(function, "weights", m.weights().shape(), shape);
    } else {
        require_broadcast(function, mask_expression<M> ? "a mask" : "weights", m.shape(), shape);
    }
}

/// The mask in what counts, row by row.
template <class M, class S>
auto counted_rows(const M& m, const S& shape) {
    if constexpr (mask_expression<M>) {
        return mask_rows<M>(m, shape);
    } else if constexpr (weighted_mask_expression<M>) {
        return mask_rows<std::decay_t<decltype(m.mask())>>(m.mask(), shape);
    } else {
        return all_rows(shape);
    }
}

/// The weights in what counts, where there are some.
template <holds_weights M>
const auto& weights_in(const M& m) noexcept {
    if constexpr (weighted_mask_expression<M>) {
        return m.weights();
    } else {
        return m;
    }
}

/// The sum of the weights of what the masks keep.
template <class T, class S, class Masks, class W>
double sum_of_weights(const S& shape, const Masks& masks, const W& weights) {
    const auto result = sum_terms<T>(
        shape,
        masked_operands{
            masks, make_terms<T>(identity(), make_operand<T>(weights, shape)), columns_of(shape)
        },
        no_gradient()
    );
    return static_cast<double>(result.sum);
}

/// The weight of a loss of T over `shape`.
template <class T, class M, class S>
double counted_weight(const M& m, const S& shape) {
    if constexpr (mask_expression<M>) {
        return static_cast<double>(count_rows(shape, mask_rows<M>(m, shape)));
    } else {
        return sum_of_weights<T>(shape, counted_rows(m, shape), weights_in(m));
    }
}

/// The same sum, of f times weights.
template <class T, class F, class S, class Masks, class W, class G, class... X>
weighted_sum<T> sum_by_weights(
    const F& f, const S& shape, const Masks& masks, const W& weights, G&& gradient, const X&... x
) {
    const std::size_t n = columns_of(shape);
    auto result = sum_terms<T>(
        shape,
        masked_operands{
            masks,
            make_terms<T>(
                weighted<F>{f}, make_operand<T>(weights, shape), make_operand<T>(x, shape)...
            ),
            n
        },
        gradient
    );
    result.weight = sum_of_weights<T>(shape, masks, weights);
    return result;
}

/// What a loss reads of what counts. Weights are summed after the gradient was written.
template <class M>
auto sources_of_counted(const M& m) noexcept {
    if constexpr (mask_expression<M>) {
        return std::tuple(read_in_place(m));
    } else if constexpr (weighted_mask_expression<M>) {
        return std::tuple(read_in_place(m.mask()), read_anywhere(m.weights()));
    } else {
        return std::tuple(read_anywhere(m));
    }
}

/// f(gradient), with a gradient that is asked for in its shape; or in a copy of it, where these
/// sources would be read too late. weight(gradient) is that of the loss, for a gradient of the mean; a
/// generic lambda, so that nothing of it is compiled for another gradient.
template <class T, class G, class S, class Sources, class Weight, class F>
auto with_gradient(
    [[maybe_unused]] const char* function, G& gradient, [[maybe_unused]] const S& shape,
    [[maybe_unused]] const Sources& sources, [[maybe_unused]] Weight&& weight, F&& f
) {
    if constexpr (of_the_mean<std::remove_const_t<G>>) {
        const double of_all = weight(gradient);
        const scaled_gradient<typename gradient_traits<G>::container> of_sum{
            gradient.container, of_all == 0 ? 0 : 1 / of_all
        };
        return with_gradient<T>(function, of_sum, shape, sources, weight, f);
    } else {
        if constexpr (wants_gradient<G>) {
            using traits = gradient_traits<G>;
            using container = typename traits::container;
            auto& to = traits::target(gradient);
            if constexpr (any_may_overlap<typename target<container>::element, Sources>) {
                if (reads_too_late(to, shape, sources)) [[unlikely]] {
                    row_major_copy_t<T, container> copy;
                    resize_or_check(function, "a copy of the gradient", copy, shape);
                    const auto result = [&] {
                        if constexpr (std::is_same_v<container, std::remove_cvref_t<G>>) {
                            return f(copy); // most often of the same type
                        } else {
                            const auto apart = scaled(copy, traits::scale(gradient));
                            return f(apart);
                        }
                    }();
                    resize_or_check(function, "the gradient", to, copy.shape());
                    copy_rows(to, copy);
                    return result;
                }
            }
            resize_or_check(function, "the gradient", to, shape);
        }
        return f(gradient);
    }
}

/// Sums f over what `m` keeps of the operands, by weights where m has them, and writes the gradient
/// if asked to. All operands have one shape, into which m broadcasts. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class F, class M, class G, class X, class... Y>
weighted_sum<T, Sum> element_sum(
    const char* function, const F& f, const M& m, G&& gradient, const X& x, const Y&... y
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    const auto sources =
        std::tuple_cat(sources_of_counted(m), std::tuple(read_in_place(x), read_in_place(y)...));
    const auto weight = [&](const auto& /*gradient*/) { return counted_weight<T>(m, shape); };
    return with_gradient<T>(function, gradient, shape, sources, weight, [&](auto& to) {
        if constexpr (mask_expression<M>) {
            return sum_terms<T, Sum>(
                shape,
                masked_operands{
                    mask_rows<M>(m, shape),
                    make_terms<T>(f, make_operand<T>(x, shape), make_operand<T>(y, shape)...),
                    columns_of(shape)
                },
                to
            );
        } else {
            return sum_by_weights<T>(f, shape, counted_rows(m, shape), weights_in(m), to, x, y...);
        }
    });
}
} // namespace xmask::inline XMASK_ABI::detail
