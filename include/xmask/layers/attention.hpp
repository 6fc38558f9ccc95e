// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

#include "../core/distinct.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "attention_options.hpp"
#include "attention_walk.hpp"
#include "matrix_stack.hpp"

/// @file
/// Attention under a mask, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
consteval bool holds_blas_numbers() {
    if constexpr (expression<E>) {
        using value = std::remove_cv_t<value_type_t<E>>;
        return std::is_same_v<value, float> || std::is_same_v<value, double>;
    }
    return false;
}

template <bool Fits, class... /*E*/>
struct attention_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: attention takes query, key, value, then the mask; the first three are tensors (or lazy expressions) of float or double."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless all E are tensors of float or double, and M is a
/// mask.
template <class M, class... E>
using require_attention = require_all<
    attention_tensors_expected<(holds_blas_numbers<E>() && ...), E...>, require_mask<M>>;

template <class... E>
using attention_real = std::common_type_t<std::remove_cv_t<value_type_t<E>>...>;

template <class S>
void require_matrices(const char* function, const char* what, const S& shape) {
    if (shape.size() < 2) [[unlikely]] {
        throw_invalid(
            function, what, " has shape ", tuple_text(shape), "; expected (..., tokens, features)"
        );
    }
}

/// Throws std::invalid_argument unless the options fit the scores.
inline void require_options(
    const char* function, const attention_options& options, const any_shape& scores
) {
    if (options.bias.get() != nullptr) {
        require_broadcast(function, "a bias", options.bias.get()->shape(), scores);
    }
    if (options.sinks.get() != nullptr) {
        require_broadcast(
            function, "a tensor of sinks", options.sinks.get()->shape(), without_last(scores, 2)
        );
    }
    if (options.scale) {
        require_option(function, "scale", *options.scale, option_range::any_number().finite());
    }
    require_option(function, "soft_cap", options.soft_cap, option_range::at_least(0).finite());
}

/// Throws std::invalid_argument unless the leading axes of a tensor broadcast into those of the
/// query.
inline void require_leading(
    const char* function, const char* what, const any_shape& shape, const any_shape& leading
) {
    if (!broadcasts_to(shape, leading)) [[unlikely]] {
        throw_invalid(
            function, what, " has the leading axes ", tuple_text(shape),
            ", which do not broadcast into ", tuple_text(leading), ", those of the query"
        );
    }
}

/// Throws std::invalid_argument unless the shapes fit; gives that of the scores.
template <class Q, class K, class V, class M>
any_shape scores_shape(
    const char* function, const Q& query, const K& key, const V& value, const M& m,
    const attention_options& options
) {
    require_matrices(function, "the query", query);
    require_matrices(function, "the key", key);
    require_matrices(function, "the value", value);
    const auto from_end = [](const auto& shape, std::size_t axis) {
        return static_cast<std::size_t>(shape[shape.size() - axis]);
    };
    if (from_end(query, 1) != from_end(key, 1)) [[unlikely]] {
        throw_invalid(
            function, "the query has shape ", tuple_text(query), " and the key ", tuple_text(key),
            "; expected as many features of both, the last axis"
        );
    }
    if (from_end(key, 2) != from_end(value, 2)) [[unlikely]] {
        throw_invalid(
            function, "the key has shape ", tuple_text(key), " and the value ", tuple_text(value),
            "; expected as many tokens of both, the last axis but one"
        );
    }
    const any_shape leading = without_last(query, 2);
    require_leading(function, "the key", without_last(key, 2), leading);
    require_leading(function, "the value", without_last(value, 2), leading);
    const any_shape shape = append_axis(append_axis(leading, from_end(query, 2)), from_end(key, 2));
    require_broadcast(function, "a mask", m, shape);
    require_options(function, options, shape);
    return shape;
}

/// A container of zeros of a shape.
template <class To, class S>
To zeros_of(const char* function, const S& shape) {
    To result;
    resize_or_check(function, "the result", result, shape);
    result.fill(0);
    return result;
}
} // namespace detail

/// Scaled dot-product attention: softmax(scale * query key^T) value over the pairs that the mask
/// keeps.
///
/// A query that keeps no key gives 0. NaN and infinities in a key or value show only in queries
/// that keep it, and change no bit of any other. The leading axes of key and value broadcast into
/// those of the query: (b, heads, group, q, d) and (b, heads, 1, k, d) are grouped queries. The
/// method is FlashAttention's (Dao et al., 2022).
///
///     auto causal = xmask::keep_causal(n, n);
///     // 1 0 0 0
///     // 1 1 0 0
///     // 1 1 1 0
///     // 1 1 1 1
///     xt::xtensor<float, 3> y = xmask::masked_attention(query, key, value, causal && xmask::unsqueeze(m, 1));
///     // (3, 4, 5)
///
/// @param query a tensor or lazy expression of float or double, of shape (..., q, features).
/// @param key a tensor or lazy expression of the type of the query, of shape (..., k, features).
/// @param value a tensor or lazy expression of the type of the query, of shape (..., k, value
///   features).
/// @param m a mask that broadcasts into (..., q, k): true means that the query sees the key.
/// @param options scale, soft cap, bias and sinks.
/// @returns a new row-major container of shape (..., q, value features).
/// @throws std::invalid_argument where shapes do not fit, or an option is out of its range.
///
/// Cost: tiles of 64 x 64 pairs take two matrix products each, none where nothing is kept, and no
/// look at the mask where everything is (see tiles()). Memory is that of a few tiles, and a bit for
/// each pair in 64 rows of a mask without structure. Tensors whose rows lie one distance apart are
/// read in place. The products are too small for a BLAS to share among threads: one thread is best
/// (OPENBLAS_NUM_THREADS=1).
template <class Q, class K, class V, class M>
auto masked_attention(
    const Q& query, const K& key, const V& value, const M& m, const attention_options& options = {}
) {
    if constexpr (detail::require_attention<M, Q, K, V>()) {
        using T = detail::attention_real<Q, K, V>;
        constexpr const char* name = "masked_attention";
        const auto shape = detail::scores_shape(
            name, query.shape(), key.shape(), value.shape(), m.shape(), options
        );
        auto result = detail::zeros_of<detail::row_major_copy_t<T, Q>>(
            name, detail::with_columns(query.shape(), detail::columns_of(value.shape()))
        );
        const auto leading = detail::without_last(shape, 2);
        const detail::matrix_stack<const T> queries(query, leading);
        const detail::matrix_stack<const T> keys(key, leading);
        const detail::matrix_stack<const T> values(value, leading);
        const detail::matrix_stack<T> to(result, leading);
        detail::attention_walk<T, M>(m, shape, queries, keys, values, options).forward(to);
        return result;
    } else {
        return detail::refused();
    }
}

/// The gradients of masked_attention by query, key and value.
///
/// A key or value that no query keeps has the gradient 0, and so has a query that keeps no key,
/// whatever they hold. A gradient may be written to an operand's memory. The method is
/// FlashAttention-2's (Dao, 2023).
///
///     xt::xtensor<float, 3> dq, dk, dv;
///     xmask::masked_attention_gradient(query, key, value, xmask::keep_causal(n, n), hidden, dq, dk, dv);
///     xt::sum(dv)();    // 60
///
/// @param query as for masked_attention, of shape (..., q, features).
/// @param key as for masked_attention, of shape (..., k, features).
/// @param value as for masked_attention, of shape (..., k, value features).
/// @param m the mask, as for masked_attention.
/// @param upstream the gradient by the result, of its shape (..., q, value features).
/// @param by_query the gradient by the query: a container, which is resized, or a view of the
/// query's shape.
/// @param by_key the gradient by the key, of its shape.
/// @param by_value the gradient by the value, of its shape.
/// @param options those of masked_attention.
/// @throws std::invalid_argument where shapes do not fit, an option is out of its range, or two
/// gradients share memory, before anything is written.
///
/// Cost: the scores are computed again, twice: seven matrix products a tile. Memory is that of the
/// gradients and a few tiles. A container of the operand's rank and type, row-major, takes over the
/// memory in which its gradient was computed.
template <class Q, class K, class V, class M, class G, class DQ, class DK, class DV>
void masked_attention_gradient(
    const Q& query, const K& key, const V& value, const M& m, const G& upstream, DQ&& by_query,
    DK&& by_key, DV&& by_value, const attention_options& options = {}
) {
    if constexpr (detail::require_attention<M, Q, K, V, G>()) {
        using T = detail::attention_real<Q, K, V>;
        constexpr const char* name = "masked_attention_gradient";
        const auto shape = detail::scores_shape(
            name, query.shape(), key.shape(), value.shape(), m.shape(), options
        );
        detail::require_same_shape(
            name, "the upstream gradient", upstream.shape(), "attention",
            detail::with_columns(query.shape(), detail::columns_of(value.shape()))
        );
        detail::require_distinct(
            name, "the gradient by query", by_query, "the gradient by key", by_key,
            "the gradient by value", by_value
        );
        auto own_query = detail::zeros_of<detail::row_major_copy_t<T, Q>>(name, query.shape());
        auto own_key = detail::zeros_of<detail::row_major_copy_t<T, K>>(name, key.shape());
        auto own_value = detail::zeros_of<detail::row_major_copy_t<T, V>>(name, value.shape());
        {
            const auto leading = detail::without_last(shape, 2);
            const detail::matrix_stack<const T> queries(query, leading);
            const detail::matrix_stack<const T> keys(key, leading);
            const detail::matrix_stack<const T> values(value, leading);
            const detail::matrix_stack<const T> outer(upstream, leading);
            const detail::matrix_stack<T> to_query(own_query, leading);
            const detail::matrix_stack<T> to_key(own_key, leading);
            const detail::matrix_stack<T> to_value(own_value, leading);
            detail::attention_walk<T, M>(m, shape, queries, keys, values, options)
                .backward(outer, to_query, to_key, to_value);
        }
        detail::hand_over(
            name, detail::finished{"the gradient by query", by_query, own_query},
            detail::finished{"the gradient by key", by_key, own_key},
            detail::finished{"the gradient by value", by_value, own_value}
        );
    }
}
} // namespace xmask::inline XMASK_ABI
