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
#include "../core/range_cursor.hpp"
#include "../core/row.hpp"
#include "../core/write.hpp"
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
        sum += other.sum;
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

    void add(Sum term) noexcept { m_scalars += term; }

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

/// One row under a mask. Where not Exact, words that are kept whole are added up four registers at
/// a time: what a row adds depends on its own columns only, not on how many are padded or on what
/// lies before and behind it.
template <class T, bool Exact, class F, class Cursor, class... Row>
class masked_terms {
    static constexpr bool in_registers = takes_registers<F, T, Row...>();

public:
    masked_terms(const F& function, Cursor cursor, Row... rows)
        : m_function(function), m_cursor(std::move(cursor)), m_rows(std::move(rows)...) {}

    [[nodiscard]] const Cursor& cursor() const noexcept { return m_cursor; }

    /// The operands of a block, and the function of them.
    class block {
    public:
        block(const F& function, block_t<Row>... operands)
            : m_function(&function), m_operands(operands...) {}

        T value(std::size_t k) const {
            return call_with(
                [&](const auto&... x) { return static_cast<T>(m_function->value(x.at(k)...)); },
                m_operands
            );
        }

        T derivative(std::size_t k) const {
            return call_with(
                [&](const auto&... x) {
                    return static_cast<T>(m_function->derivative(x.at(k)...));
                },
                m_operands
            );
        }

        template <bool Full>
        XMASK_INLINE lanes<T> value_register(std::size_t k, std::size_t count) const {
            return call_with(
                [&](const auto&... x) XMASK_INLINE_LAMBDA {
                    return m_function->value(load_register<Full>(x, k, count)...);
                },
                m_operands
            );
        }

        template <bool Full>
        XMASK_INLINE lanes<T> derivative_register(std::size_t k, std::size_t count) const {
            return call_with(
                [&](const auto&... x) XMASK_INLINE_LAMBDA {
                    return m_function->derivative(load_register<Full>(x, k, count)...);
                },
                m_operands
            );
        }

    private:
        const F* m_function;
        std::tuple<block_t<Row>...> m_operands;
    };

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return prepare_all(m_rows, c, end);
    }

    XMASK_INLINE block read(std::size_t c, std::size_t count, word_t bits) {
        return call_with(
            [&](auto&... row)
                XMASK_INLINE_LAMBDA { return block(m_function, row.read(c, count, bits)...); },
            m_rows
        );
    }

    /// Adds what a block keeps.
    template <class Sum, class Count>
    XMASK_INLINE void add(term_sum<T, Sum>& sum, const block& terms, Count count, word_t bits)
        const {
        sum.add_count(count_bits(bits));
        if constexpr (in_registers) {
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
            sum.template add_registers<true>(
                count,
                [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    return zero_unless<T>(
                        bits, k, terms.template value_register<full>(k, count - k)
                    );
                }
            );
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

    /// Writes scale * derivative where something is kept, 0 elsewhere.
    template <bool Streaming, class Count>
    XMASK_INLINE void write_derivative(T* to, const block& terms, Count count, word_t bits, T scale)
        const {
        if constexpr (in_registers) {
            const auto factor = lanes<T>(scale);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto slope = factor * terms.template derivative_register<full>(k, count - k);
                store_register<full, Streaming>(to + k, zero_unless<T>(bits, k, slope), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? scale * terms.derivative(k) : T(0);
            }
        }
    }

private:
    F m_function;
    Cursor m_cursor;
    std::tuple<Row...> m_rows;
};

/// Rows that keep everything, where weights decide instead of a mask.
class whole_rows {
public:
    template <class S>
    explicit whole_rows(const S& shape) noexcept
        : m_row_count(rows_of(shape)), m_columns(columns_of(shape)) {}

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor({0, m_columns});
    }

    [[nodiscard]] static flat_form form() noexcept { return flat_form::direct; }

    [[nodiscard]] XMASK_INLINE range_cursor flat() const noexcept {
        return range_cursor({0, m_row_count * m_columns});
    }

private:
    std::size_t m_row_count;
    std::size_t m_columns;
};

template <class T, class F, class Masks, class... Rows>
class term_rows {
public:
    term_rows(const F& function, std::size_t n, Masks masks, Rows... rows)
        : m_function(function)
        , m_columns(n)
        , m_masks(std::move(masks))
        , m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return masked_terms<T, adds_exactly<F>, F, row_t<Masks>, row_t<Rows>...>(
                    m_function, m_masks.row(r), rows.row(r)...
                );
            },
            m_rows
        );
    }

    /// Words that lie across rows are added exactly; they may only stand for rows that hold no
    /// whole word.
    [[nodiscard]] flat_form form() const noexcept {
        const bool alike = adds_exactly<F> || m_columns < word_columns;
        return alike ? std::min(m_masks.form(), form_of_all(m_rows)) : flat_form::none;
    }

    XMASK_INLINE auto flat_row() const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return masked_terms<T, true, F, decltype(m_masks.flat()), flat_row_t<Rows>...>(
                    m_function, m_masks.flat(), rows.flat_row()...
                );
            },
            m_rows
        );
    }

private:
    F m_function;
    std::size_t m_columns;
    Masks m_masks;
    std::tuple<Rows...> m_rows;
};

/// A row of a gradient: where it is written, its terms are summed.
template <class T, class Terms>
class gradient_row {
public:
    // Sums by blocks that begin where the memory happens to be aligned would differ from one run to
    // the next.
    static constexpr bool aligns_stores = false;

    gradient_row(Terms terms, term_sum<T>& sum, T scale)
        : m_terms(std::move(terms)), m_sum(&sum), m_scale(scale) {}

    [[nodiscard]] const auto& cursor() const noexcept { return m_terms.cursor(); }

    [[nodiscard]] T outside() const noexcept { return T(0); }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_terms.prepare(c, end);
    }

    template <bool Streaming, class Count>
    XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            fill_columns<Streaming>(to, to + count, T(0));
            return;
        }
        const auto terms = m_terms.read(c, count, bits);
        m_terms.add(*m_sum, terms, count, bits);
        m_terms.template write_derivative<Streaming>(to, terms, count, bits, m_scale);
    }

private:
    Terms m_terms;
    term_sum<T>* m_sum;
    T m_scale;
};

template <class T, class Rows>
class gradient_rows {
public:
    gradient_rows(const Rows& rows, term_sum<T>& sum, double scale)
        : m_rows(&rows), m_sum(&sum), m_scale(static_cast<T>(scale)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return gradient_row<T, row_t<Rows>>(m_rows->row(r), *m_sum, m_scale);
    }

    [[nodiscard]] flat_form form() const noexcept { return m_rows->form(); }

    XMASK_INLINE auto flat_row() const {
        return gradient_row<T, flat_row_t<Rows>>(m_rows->flat_row(), *m_sum, m_scale);
    }

private:
    const Rows* m_rows;
    term_sum<T>* m_sum;
    T m_scale;
};

/// The sum of what rows of `shape` keep, and its gradient, in pieces.
template <class T, class Sum = sum_t<T>, class S, class G, class Rows>
weighted_sum<T, Sum> sum_terms(const S& shape, G&& gradient, const Rows& rows) {
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (row_count == 0) {
        return {};
    }
    using part_sum = weighted_sum<T, Sum>;
    const auto add = [](part_sum& sum, const part_sum& part) { sum += part; };
    if constexpr (std::is_same_v<std::decay_t<G>, no_gradient>) {
        return with_rows(
            worth_flat(rows.form(), n), row_count, n,
            [&](const pieces& all, auto row_of) {
                return sum_of_pieces(
                    all, rows,
                    [&](const auto& own, const piece& part) {
                        term_sum<T, Sum> sum;
                        for (std::size_t r = part.first_row; r < part.last_row; ++r) {
                            auto row = row_of(own, r);
                            for_each_kept_block(
                                row, part.begin, part.end,
                                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                                    row.add(sum, row.read(c, count, bits), count, bits);
                                }
                            );
                        }
                        return sum.total();
                    },
                    add
                );
            }
        );
    } else {
        using traits = gradient_traits<std::remove_reference_t<G>>;
        auto& to = traits::target(gradient);
        const row_destination<T, std::remove_reference_t<decltype(to)>> target(to);
        return target.with_rows(rows, [&](const pieces& all, auto row_of) {
            return sum_of_pieces(
                all, rows,
                [&](const auto& own, const piece& part) {
                    term_sum<T> sum;
                    target.write(
                        gradient_rows<T, Rows>(own, sum, traits::scale(gradient)), row_of, part
                    );
                    return sum.total();
                },
                add
            );
        });
    }
}

template <class T, class F, class Masks, class... Rows>
auto make_terms(const F& f, std::size_t n, Masks masks, Rows... rows) {
    return term_rows<T, F, Masks, Rows...>(f, n, std::move(masks), std::move(rows)...);
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
        return whole_rows(shape);
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

/// The same sum, of f times weights.
template <class T, class F, class S, class Masks, class W, class G, class... X>
weighted_sum<T> sum_by_weights(
    const F& f, const S& shape, const Masks& masks, const W& weights, G&& gradient, const X&... x
) {
    const std::size_t n = columns_of(shape);
    auto result = sum_terms<T>(
        shape, gradient,
        make_terms<T>(
            weighted<F>{f}, n, masks, make_operand<T>(weights, shape), make_operand<T>(x, shape)...
        )
    );
    const auto weight = sum_terms<T>(
        shape, no_gradient(), make_terms<T>(identity(), n, masks, make_operand<T>(weights, shape))
    );
    result.weight = static_cast<double>(weight.sum);
    return result;
}

/// Whether a gradient is asked for.
template <class G>
inline constexpr bool wants_gradient = !std::is_same_v<std::remove_cvref_t<G>, no_gradient>;

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
/// sources would be read too late.
template <class T, class G, class S, class Sources, class F>
auto with_gradient(
    [[maybe_unused]] const char* function, G& gradient, [[maybe_unused]] const S& shape,
    [[maybe_unused]] const Sources& sources, F&& f
) {
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
    return with_gradient<T>(function, gradient, shape, sources, [&](auto& to) {
        if constexpr (mask_expression<M>) {
            return sum_terms<T, Sum>(
                shape, to,
                make_terms<T>(
                    f, columns_of(shape), mask_rows<M>(m, shape), make_operand<T>(x, shape),
                    make_operand<T>(y, shape)...
                )
            );
        } else {
            return sum_by_weights<T>(f, shape, counted_rows(m, shape), weights_in(m), to, x, y...);
        }
    });
}
} // namespace xmask::inline XMASK_ABI::detail
