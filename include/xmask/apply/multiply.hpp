// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/applied.hpp"
#include "../core/mask.hpp"
#include "../core/range_cursor.hpp"
#include "../core/row.hpp"
#include "choice.hpp"

/// @file
/// multiply and multiply_inplace: by a mask, which keeps or gives 0, or by real weights.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// 64 products inside a larger expression.
template <class T, class Block, class WeightBlock>
class product_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    product_block(const Block& operand, const WeightBlock& weights)
        : m_operand(operand), m_weights(weights) {}

    XMASK_INLINE T at(std::size_t k) const { return m_operand.at(k) * m_weights.at(k); }

    XMASK_INLINE lanes<T> load(std::size_t k) const
        requires in_registers
    {
        return m_operand.load(k) * m_weights.load(k);
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return m_operand.load_first(k, count) * m_weights.load_first(k, count);
    }

private:
    Block m_operand;
    WeightBlock m_weights;
};

/// One row of a product with real weights; nothing is skipped.
template <class T, class Row, class WeightRow>
class product_row {
public:
    product_row(Row operand, WeightRow weights, std::size_t n)
        : m_operand(std::move(operand)), m_weights(std::move(weights)), m_columns(n) {}

    [[nodiscard]] range_cursor cursor() const noexcept { return range_cursor({0, m_columns}); }

    [[nodiscard]] T outside() const noexcept { return T(); }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_weights.prepare(c, m_operand.prepare(c, end));
    }

    XMASK_INLINE product_block<T, block_t<Row>, block_t<WeightRow>> read(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return {m_operand.read(c, count, bits), m_weights.read(c, count, bits)};
    }

    template <bool Streaming, class Count>
    XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits) {
        store_block<Streaming>(to, read(c, count, bits), count);
    }

private:
    Row m_operand;
    WeightRow m_weights;
    std::size_t m_columns;
};

template <class T, class Rows, class WeightRows>
class product_rows {
public:
    product_rows(Rows operand, WeightRows weights, std::size_t row_count, std::size_t n)
        : m_operand(std::move(operand))
        , m_weights(std::move(weights))
        , m_row_count(row_count)
        , m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return product_row<T, row_t<Rows>, row_t<WeightRows>>(
            m_operand.row(r), m_weights.row(r), m_columns
        );
    }

    [[nodiscard]] flat_form form() const noexcept {
        return std::min(m_operand.form(), m_weights.form());
    }

    XMASK_INLINE auto flat_row() const {
        return product_row<T, flat_row_t<Rows>, flat_row_t<WeightRows>>(
            m_operand.flat_row(), m_weights.flat_row(), m_row_count * m_columns
        );
    }

private:
    Rows m_operand;
    WeightRows m_weights;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// A product with real weights as an expression.
template <class CTX, class CTW>
class product_op {
public:
    using operand_type = std::decay_t<CTX>;
    using weights_type = std::decay_t<CTW>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class X, class W>
    product_op(X&& x, W&& weights)
        : m_operand(std::forward<X>(x)), m_weights(std::forward<W>(weights)) {
        require_broadcast(name(), "weights", m_weights.shape(), m_operand.shape());
    }

    [[nodiscard]] const char* name() const noexcept { return "multiply"; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_operand; }

    [[nodiscard]] const weights_type& gate() const noexcept { return m_weights; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_operand), read_in_place(m_weights));
    }

    template <class Get>
    value_type combine(Get&& get, value_type_t<weights_type> weight) const {
        return static_cast<value_type>(get()) * static_cast<value_type>(weight);
    }

    template <class S>
    auto rows(const S& shape) const {
        auto operand = make_operand<value_type>(m_operand, shape);
        auto weights = make_operand<value_type>(m_weights, shape);
        return product_rows<value_type, decltype(operand), decltype(weights)>(
            std::move(operand), std::move(weights), rows_of(shape), columns_of(shape)
        );
    }

private:
    CTX m_operand;
    CTW m_weights;
};
} // namespace detail

/// x times a mask: x where it keeps, +0 where it drops, whatever x holds there (NaN and infinity
/// too). Or x times real weights (a soft mask, a gate): the true product, in x's element type.
/// Lazy, with x's shape.
///
/// The mask, or the weights, broadcast into x and never enlarge it: std::invalid_argument
/// otherwise. One pass, no temporary.
///
///     xt::noalias(y) = xmask::multiply(weights, xmask::keep_above(weights, 0.1f));    // pruned
///     xt::noalias(y) = xmask::multiply(x, gate);                                      // gated
template <class X, class M>
auto multiply(X&& x, M&& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask_or_weights<M>()) {
        if constexpr (mask_expression<M>) {
            return detail::make_fill(
                "multiply", std::forward<X>(x), std::forward<M>(m), value_type_t<X>()
            );
        } else {
            static_assert(
                std::is_floating_point_v<value_type_t<X>>,
                "xmask: real weights multiply a tensor of real numbers; convert the tensor first."
            );
            using op = detail::product_op<detail::closure_t<X>, detail::closure_t<M>>;
            return applied<op>(op(std::forward<X>(x), std::forward<M>(m)));
        }
    }
}

/// x = multiply(x, m) in place. With a mask only what is dropped is written, so it takes the time
/// of that.
///
/// Throws std::invalid_argument where the shapes do not fit, before anything is written.
///
///     xmask::multiply_inplace(weights, xmask::keep_above(weights, 0.1f));
template <class X, class M>
void multiply_inplace(X&& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask_or_weights<M>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (mask_expression<M>) {
            detail::fill_inplace("multiply_inplace", x, m, element());
        } else {
            detail::require_broadcast("multiply_inplace", "weights", m.shape(), x.shape());
            multiply(x, m).assign_to(x);
        }
    }
}
} // namespace xmask::inline XMASK_ABI
