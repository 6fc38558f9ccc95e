// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "../masks/ask.hpp"
#include "accumulate.hpp"
#include "counted.hpp"
#include "fold.hpp"
#include "loss.hpp"
#include "term_sum.hpp"
#include "terms.hpp"

/// @file
/// The sum of a function of the kept elements, or times real weights, with the derivative in one
/// pass.

namespace xmask::inline XMASK_ABI::detail {
/// Sums the terms of a row, and writes scale * derivative for kept elements, 0 for the others.
template <bool Exact, class T, class Columns, class Row>
class gradient_delegate {
public:
    /// A copy of the sum, which stays in registers while it grows.
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
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        if constexpr (decltype(terms)::in_registers) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            const auto factor = lanes<T>(m_scale);
            value_block values;
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto slope = terms.template slope_register<full>(k, count - k);
                values.registers[k / lane_count<T>] = slope[0];
                store_register<full, streams>(
                    to + k, zero_unless<T>(bits, k, factor * slope[1]), count - k
                );
            });
            add_terms<Exact>(m_sum, values, count, bits);
        } else {
            add_terms<Exact>(m_sum, terms, count, bits);
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? m_scale * terms.derivative(k) : T(0);
            }
        }
    }

private:
    /// The values of a block, already computed.
    struct value_block {
        static constexpr bool in_registers = true;

        template <bool Full>
        XMASK_INLINE const lanes<T>& value_register(std::size_t k, std::size_t /*count*/) const {
            return registers[k / lane_count<T>];
        }

        std::array<lanes<T>, word_columns / lane_count<T>> registers;
    };

    Columns m_to;
    term_sum<T>* m_total;
    term_sum<T> m_sum;
    Row m_row;
    T m_scale;
};

/// The sum of the kept terms. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms>
weighted_sum<T, Sum> sum_terms(
    const S& shape, const masked_operands<Masks, Terms>& rows, const no_gradient& /*none*/
) {
    const auto all = fold_all<T>(sum_fold<T, Sum>(), shape, rows);
    const auto count = static_cast<double>(all.kept);
    return {all.value, count, count};
}

/// The sum of the kept terms, and their derivatives in `gradient`, which has the shape.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms, class G>
    requires wants_gradient<G>
weighted_sum<T> sum_terms(const S& shape, const masked_operands<Masks, Terms>& rows, G& gradient) {
    using traits = gradient_traits<G>;
    auto& to = traits::target(gradient);
    const row_target<T, std::remove_reference_t<decltype(to)>> result(to);
    const row_plan plan(shape, layout_of_terms(rows.rows, rows.masks, result.flat(), rows.columns));
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
                        folds_exactly<std::decay_t<decltype(cursor)>, row_t<Terms>>;
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

/// The sum of f times weights, and the sum of weights.
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

/// Sums f over what `m` keeps of the operands, by weights where m has them, and writes the gradient
/// if asked to. All operands have one shape, into which m broadcasts. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class F, class M, class G, class X, class... Y>
weighted_sum<T, Sum> element_sum(
    const char* function, const F& f, const M& m, G&& gradient, const X& x, const Y&... y
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    const auto sources = sources_of_counted(m, read_in_place(x), read_in_place(y)...);
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
