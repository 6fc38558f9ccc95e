// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "attention_options.hpp"
#include "attention_rows.hpp"
#include "attention_scores.hpp"
#include "finite_factor.hpp"
#include "gemm.hpp"
#include "matrix_stack.hpp"

/// @file
/// Attention tile by tile, with a running softmax, and its gradients.
///
/// The forward pass is that of Dao et al., FlashAttention: Fast and Memory-Efficient Exact
/// Attention with IO-Awareness (2022), the backward pass that of Dao, FlashAttention-2 (2023):
/// scores are never stored but computed again.

namespace xmask::inline XMASK_ABI::detail {
/// The running softmax of a band: output, maximum and sum of each query.
template <class T>
class running_softmax {
public:
    running_softmax(std::size_t queries, std::size_t features)
        : m_features(features), m_output(queries * features), m_largest(queries), m_sum(queries) {}

    /// `first` joins each query's sum as a score without a value; -infinity adds nothing.
    void restart(T first) {
        std::fill(m_output.begin(), m_output.end(), T(0));
        std::fill(m_largest.begin(), m_largest.end(), first);
        std::fill(m_sum.begin(), m_sum.end(), first == least() ? 0 : 1);
    }

    /// Query i's scores of a panel become weights, up to the factor of finish().
    void add(std::size_t i, T* scores, std::size_t keys, const word_t* bits) {
        const T before = shift(i);
        m_largest[i] = largest_kept(scores, keys, bits, m_largest[i]);
        const T after = shift(i);
        if (before != after && m_sum[i] != 0) {
            const T factor = std::exp(before - after);
            m_sum[i] *= static_cast<double>(factor);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
        m_sum[i] += exponentials(scores, keys, bits, after);
    }

    /// Divides the first `queries` outputs by their sums.
    void finish(std::size_t queries) {
        for (std::size_t i = 0; i < queries; ++i) {
            const T factor = inverse_sum(i);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
    }

    [[nodiscard]] T* output(std::size_t i) { return m_output.data() + i * m_features; }

    [[nodiscard]] matrix_view<T> outputs() { return {m_output.data(), m_features}; }

    /// The number that is subtracted from scores: the largest score, or 0 where that is -infinity,
    /// because the difference of two infinities is NaN.
    [[nodiscard]] T shift(std::size_t i) const {
        return m_largest[i] == least() ? T(0) : m_largest[i];
    }

    /// 0 where nothing is kept, or nothing but -infinity.
    [[nodiscard]] T inverse_sum(std::size_t i) const {
        return m_sum[i] == 0 ? T(0) : static_cast<T>(1 / m_sum[i]);
    }

private:
    static constexpr T least() noexcept { return -std::numeric_limits<T>::infinity(); }

    std::size_t m_features;
    std::vector<T> m_output;
    std::vector<T> m_largest;
    std::vector<double> m_sum;
};

/// Memory of one band for the gradients.
template <class T>
class gradient_scratch {
public:
    gradient_scratch(std::size_t scores, std::size_t queries, std::size_t features, bool caps)
        : by_scores(scores)
        , slopes(caps ? scores : 0)
        , by_query(queries * features)
        , shares(queries) {}

    std::vector<T> by_scores;
    std::vector<T> slopes;
    std::vector<T> by_query;
    std::vector<T> shares;
};

/// Attention of one stack of matrices, band by band.
template <class T, class M>
class attention_walk {
public:
    /// The shapes have been checked.
    attention_walk(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const matrix_stack<const T>& value,
        const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_value(value)
        , m_scores(m, scores_shape, query, key, options)
        , m_softmax(std::min(query.rows(), band_queries), value.columns()) {
        if (options.sinks.get() != nullptr) {
            const any_shape leading = without_last(scores_shape, 2);
            const auto rows = options.sinks.get()->template rows<T>(leading);
            m_sinks.resize(rows_of(leading) * columns_of(leading));
            for (std::size_t r = 0; r < rows_of(leading) && !m_sinks.empty(); ++r) {
                rows(r, 0, columns_of(leading), m_sinks.data() + r * columns_of(leading));
            }
        }
    }

    /// Writes the weighted values of each query to `to`.
    void forward(const matrix_stack<T>& to) {
        for (std::size_t b = 0; b < m_scores.bands(); ++b) {
            seek(b);
            weigh();
            const matrix_view<T> out = to[m_matrix].from(m_scores.first_query());
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                std::copy_n(m_softmax.output(i), m_value.columns(), out.row(i));
            }
        }
    }

    /// Adds to the gradients by query, key and value, given that by the output.
    void backward(
        const matrix_stack<const T>& upstream, const matrix_stack<T>& by_query,
        const matrix_stack<T>& by_key, const matrix_stack<T>& by_value
    ) {
        const std::size_t features = m_query.columns();
        gradient_scratch<T> more(
            m_scores.all().size(), std::min(m_query.rows(), band_queries), features, m_scores.caps()
        );
        std::size_t matrix = no_matrix;
        for (std::size_t b = 0; b < m_scores.bands(); ++b) {
            seek(b);
            if (matrix != m_matrix) {
                matrix = m_matrix;
                m_keys.look(m_key[matrix], m_key.rows(), features);
            }
            m_queries.look(m_scores.rows_of_band(m_query), m_scores.queries(), features);
            m_outer.look(m_scores.rows_of_band(upstream), m_scores.queries(), m_value.columns());
            weigh();
            share(more);
            add_gradients(more, by_key[matrix], by_value[matrix]);
            const matrix_view<T> out = by_query[matrix].from(m_scores.first_query());
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                const T* from = more.by_query.data() + i * features;
                std::transform(from, from + features, out.row(i), out.row(i), std::plus<>());
            }
        }
    }

private:
    static constexpr std::size_t no_matrix = std::numeric_limits<std::size_t>::max();

    void seek(std::size_t band) {
        m_scores.seek(band);
        if (m_matrix != m_scores.matrix()) {
            m_matrix = m_scores.matrix();
            m_values.look(m_value[m_matrix], m_value.rows(), m_value.columns());
        }
    }

    /// C += alpha A B, or alpha A^T B. A is a panel of weights, 0 where dropped. B has `columns`
    /// columns.
    void add_product(
        turned turn, const std::vector<T>& a, T alpha, const panel& p, finite_factor<T>& b,
        std::size_t first, std::size_t columns, matrix_view<T> c
    ) {
        const bool transposed = turn == turned::yes;
        const std::size_t outer = transposed ? p.keys : m_scores.queries();
        const std::size_t inner = transposed ? m_scores.queries() : p.keys;
        const matrix_view<const T> weights{a.data(), m_scores.stride()};
        const auto product = [&](matrix_view<const T> rows) {
            gemm<T>(turn, turned::no, outer, columns, inner, alpha, weights, rows, T(1), c);
        };
        if (p.whole) {
            product(b.rows_from(first));
            return;
        }
        b.multiply(first, inner, product, [&](std::size_t r) {
            for (std::size_t s = 0; s < outer; ++s) {
                const std::size_t i = transposed ? r - first : s;
                const std::size_t j = transposed ? s : r - first;
                if (m_scores.bits().kept(i, j)) {
                    add_not_finite(c.row(s), alpha * weights.row(i)[j], b.row(r), columns);
                }
            }
        });
    }

    /// The outputs of a band become its weighted values.
    void weigh() {
        m_softmax.restart(
            m_sinks.empty() ? -std::numeric_limits<T>::infinity() : m_sinks[m_matrix]
        );
        m_scores.for_each_panel([&](const panel& p) {
            m_scores.compute(p, nullptr);
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                m_softmax.add(i, m_scores.row(i), p.keys, m_scores.bits().row(i));
            }
            add_product(
                turned::no, m_scores.all(), T(1), p, m_values, p.first, m_value.columns(),
                m_softmax.outputs()
            );
        });
        m_softmax.finish(m_scores.queries());
    }

    /// For each query the product of its output and upstream gradient, which all its scores share.
    void share(gradient_scratch<T>& more) {
        for (std::size_t i = 0; i < m_scores.queries(); ++i) {
            double sum = 0;
            for (std::size_t f = 0; f < m_value.columns(); ++f) {
                sum += static_cast<double>(m_softmax.output(i)[f]) *
                       static_cast<double>(m_outer.row(i)[f]);
            }
            more.shares[i] = static_cast<T>(sum);
        }
    }

    void add_gradients(gradient_scratch<T>& more, matrix_view<T> by_key, matrix_view<T> by_value) {
        const std::size_t features = m_query.columns();
        std::fill(more.by_query.begin(), more.by_query.end(), T(0));
        m_scores.for_each_panel([&](const panel& p) {
            m_scores.compute(p, m_scores.caps() ? &more.slopes : nullptr);
            gemm<T>(
                turned::no, turned::yes, m_scores.queries(), p.keys, m_value.columns(), T(1),
                m_outer.rows_from(0), m_values.rows_from(p.first), T(0),
                {more.by_scores.data(), m_scores.stride()}
            );
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                differentiate(p, i, more);
            }
            add_product(
                turned::yes, m_scores.all(), T(1), p, m_outer, 0, m_value.columns(),
                by_value.from(p.first)
            );
            add_product(
                turned::no, more.by_scores, m_scores.scale(), p, m_keys, p.first, features,
                {more.by_query.data(), features}
            );
            add_product(
                turned::yes, more.by_scores, m_scores.scale(), p, m_queries, 0, features,
                by_key.from(p.first)
            );
        });
    }

    /// Scores become weights, and gradients by weights become those by products of queries and
    /// keys.
    void differentiate(const panel& p, std::size_t i, gradient_scratch<T>& more) {
        using V = register_t<T>;
        const V shift(m_softmax.shift(i));
        const V factor(m_softmax.inverse_sum(i));
        const V shared(more.shares[i]);
        const word_t* const bits = m_scores.bits().row(i);
        T* const by_score = more.by_scores.data() + i * m_scores.stride();
        if (!m_scores.caps()) {
            map_kept(
                p.keys, bits, std::array<T*, 2>{m_scores.row(i), by_score},
                [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                    const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                    x[1] = kept(V(weight * (x[1] - shared)));
                    x[0] = kept(weight);
                }
            );
            return;
        }
        T* const slopes = more.slopes.data() + i * m_scores.stride();
        map_kept(
            p.keys, bits, std::array<T*, 3>{m_scores.row(i), by_score, slopes},
            [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                x[1] = kept(V(weight * (x[1] - shared) * x[2]));
                x[0] = kept(weight);
            }
        );
    }

    const matrix_stack<const T>& m_query;
    const matrix_stack<const T>& m_key;
    const matrix_stack<const T>& m_value;
    attention_scores<T, M> m_scores;
    running_softmax<T> m_softmax;
    std::vector<T> m_sinks;
    finite_factor<T> m_values;
    finite_factor<T> m_keys; // these three for gradients
    finite_factor<T> m_queries;
    finite_factor<T> m_outer;
    std::size_t m_matrix = no_matrix;
};
} // namespace xmask::inline XMASK_ABI::detail
