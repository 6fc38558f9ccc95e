// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
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
/// Copies columns [c, c + count) of row r of a tensor to `to`: f(r, c, count, to).
template <class T>
using row_reader = std::function<void(std::size_t, std::size_t, std::size_t, T*)>;

/// A tensor of numbers of any type, which attention adds.
struct added_tensor {
    std::function<any_shape()> shape;
    std::function<row_reader<float>(const any_shape&)>
        floats; ///< of the tensor broadcast to a shape
    std::function<row_reader<double>(const any_shape&)> doubles;

    /// Reads the tensor, broadcast to a shape, as T.
    template <class T>
    [[nodiscard]] row_reader<T> rows(const any_shape& to) const {
        if constexpr (std::is_same_v<T, float>) {
            return floats(to);
        } else {
            return doubles(to);
        }
    }
};

/// Reads e, broadcast to a shape, as T.
template <class T, class E>
row_reader<T> make_row_reader(const E& e, const any_shape& shape) {
    return
        [rows = make_operand<T>(e, shape)](std::size_t r, std::size_t c, std::size_t count, T* to) {
            auto row = rows.row(r);
            for_each_block(c, c + count, [&](std::size_t at, std::size_t width) {
                store_block<false>(to + (at - c), row.block(at, width, first_bits(width)), width);
            });
        };
}

/// Holds a tensor, an lvalue by reference.
template <class E>
std::shared_ptr<const added_tensor> make_added_tensor(E&& e) {
    const auto held = std::make_shared<const std::tuple<closure_t<E>>>(std::forward<E>(e));
    return std::make_shared<const added_tensor>(added_tensor{
        [held] {
            const auto& shape = std::get<0>(*held).shape();
            return any_shape(shape.begin(), shape.end());
        },
        [held](const any_shape& shape) {
            return make_row_reader<float>(std::get<0>(*held), shape);
        },
        [held](const any_shape& shape) {
            return make_row_reader<double>(std::get<0>(*held), shape);
        }
    });
}

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
            m_term = detail::make_added_tensor(std::forward<E>(e));
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
///     // (3, 4, 5)
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
