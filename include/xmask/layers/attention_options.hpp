// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "../core/block.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../core/xtensor.hpp"

/// @file
/// Options of attention: scale, soft cap, bias, sinks.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Rows of a tensor of any type, read as T.
template <class T>
class added_rows {
public:
    virtual ~added_rows() = default;

    /// Copies columns [c, c + count) of row r to `to`.
    virtual void read(std::size_t r, std::size_t c, std::size_t count, T* to) const = 0;
};

template <class T, class Rows>
class added_rows_of final : public added_rows<T> {
public:
    explicit added_rows_of(Rows rows) : m_rows(std::move(rows)) {}

    void read(std::size_t r, std::size_t c, std::size_t count, T* to) const override {
        auto row = m_rows.row(r);
        for_each_block(c, c + count, [&](std::size_t at, std::size_t width) {
            store_block<false>(to + (at - c), row.block(at, width, first_bits(width)), width);
        });
    }

private:
    Rows m_rows;
};

/// A tensor of numbers of any type. It is broadcast to the shape for which rows are made.
class added_tensor {
public:
    virtual ~added_tensor() = default;
    [[nodiscard]] virtual any_shape shape() const = 0;
    [[nodiscard]] virtual std::unique_ptr<added_rows<float>> rows(const any_shape& shape, float)
        const = 0;
    [[nodiscard]] virtual std::unique_ptr<added_rows<double>> rows(const any_shape& shape, double)
        const = 0;
};

template <class CTE>
class added_tensor_of final : public added_tensor {
public:
    template <class E>
    explicit added_tensor_of(E&& e) : m_expression(std::forward<E>(e)) {}

    [[nodiscard]] any_shape shape() const override {
        const auto& extents = m_expression.shape();
        return any_shape(extents.begin(), extents.end());
    }

    [[nodiscard]] std::unique_ptr<added_rows<float>> rows(const any_shape& shape, float)
        const override {
        return make<float>(shape);
    }

    [[nodiscard]] std::unique_ptr<added_rows<double>> rows(const any_shape& shape, double)
        const override {
        return make<double>(shape);
    }

private:
    template <class T>
    std::unique_ptr<added_rows<T>> make(const any_shape& shape) const {
        auto rows = make_operand<T>(m_expression, shape);
        return std::make_unique<added_rows_of<T, decltype(rows)>>(std::move(rows));
    }

    CTE m_expression;
};

/// Fails to compile, with one sentence, unless E is a tensor of numbers.
template <class E>
consteval bool require_term() {
    constexpr bool numbers = [] {
        if constexpr (expression<E>) {
            using value = std::remove_cv_t<value_type_t<E>>;
            return !mask_expression<E> && std::is_arithmetic_v<value> &&
                   !std::is_same_v<value, bool>;
        }
        return false;
    }();
    static_assert(
        numbers,
        "xmask: attention adds a tensor (or lazy expression) of numbers to its scores; a mask is its fourth "
        "argument."
    );
    return numbers;
}
} // namespace detail

/// A number, or a tensor or lazy expression of numbers of any type, that attention adds. An lvalue
/// is held by reference.
class attention_term {
public:
    /// Adds nothing.
    attention_term() = default;

    /// @param value the number for all places.
    template <class V>
        requires std::is_arithmetic_v<V>
    attention_term(V value) : attention_term(xt::xarray<double>(static_cast<double>(value))) {}

    /// @param e a tensor or lazy expression of numbers that broadcasts to where it is added.
    template <expression E>
        requires(!std::is_same_v<std::remove_cvref_t<E>, attention_term>)
    attention_term(E&& e) {
        if constexpr (detail::require_term<E>()) {
            m_term =
                std::make_shared<detail::added_tensor_of<detail::closure_t<E>>>(std::forward<E>(e));
        }
    }

    /// @returns the tensor, or null where nothing is added.
    [[nodiscard]] const detail::added_tensor* get() const noexcept { return m_term.get(); }

private:
    std::shared_ptr<const detail::added_tensor> m_term;
};

/// Options of attention.
///
///     auto y = xmask::masked_attention(query, key, value, xmask::keep_causal(n, n), {.scale = 0.125, .soft_cap = 50});
struct attention_options {
    std::optional<double> scale = {}; ///< factor of query key^T; by default 1 / sqrt(features)
    double soft_cap = 0;      ///< scores become soft_cap * tanh(score / soft_cap); 0: no cap
    attention_term bias = {}; ///< added after the cap; broadcasts into (..., queries, keys)

    /// A logit for each head: a number, or a tensor that broadcasts into the leading axes of the
    /// query. It joins the sum by which a query's weights are divided, as a key without a value
    /// would (Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023).
    attention_term sinks = {};
};
} // namespace xmask::inline XMASK_ABI
