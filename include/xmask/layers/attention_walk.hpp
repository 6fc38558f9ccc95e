// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../masks/tiles.hpp"
#include "attention_options.hpp"
#include "attention_rows.hpp"
#include "gemm.hpp"
#include "matrix_stack.hpp"

/// @file
/// Attention tile by tile, with a running softmax, and its gradients.
///
/// The forward pass is that of Dao et al., FlashAttention: Fast and Memory-Efficient Exact
/// Attention with IO-Awareness (2022), the backward pass that of Dao, FlashAttention-2 (2023):
/// scores are never stored but computed again. Queries are taken in bands. The tiles of a band that
/// keep anything are its panels, neighbours together, so that a matrix product is worth its call.

namespace xmask::inline XMASK_ABI::detail {
/// What a tile needs, for one thread. All of it is as large as a few panels, whatever the number of
/// tokens.
template <class T>
class attention_scratch {
public:
    /// Fewer queries and keys than a panel has need less.
    attention_scratch(std::size_t q, std::size_t k, std::size_t value_features)
        : queries(std::min(q, band_queries))
        , keys(std::min(k, panel_keys))
        , scores(queries * keys)
        , output(queries * value_features)
        , largest(queries)
        , sum(queries) {}

    std::size_t queries;
    std::size_t keys; // how far rows of scores lie apart
    std::vector<T> scores;
    std::vector<T> output;
    std::vector<T> largest;
    std::vector<double> sum;
    std::vector<T> clean; // used only where something is not finite
};

/// The same, and more, for gradients.
template <class T>
class gradient_scratch {
public:
    gradient_scratch(const attention_scratch<T>& forward, std::size_t features, bool caps)
        : by_scores(forward.scores.size())
        , slopes(caps ? forward.scores.size() : 0)
        , by_query(forward.queries * features)
        , shares(forward.queries) {}

    std::vector<T> by_scores;
    std::vector<T> slopes;
    std::vector<T> by_query;
    std::vector<T> shares;
};

/// Attention of one stack of matrices, band by band.
template <class T, class M>
class attention_walk {
    using block = block_of<const T>;
    using tiles_type = mask_tiles<const M&>;

public:
    /// The tensors' shapes are checked.
    attention_walk(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const matrix_stack<const T>& value,
        const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_value(value)
        , m_tiles(m, scores_shape, tiling::of(scores_shape, band_queries, tile_keys))
        , m_band(m_tiles.band())
        , m_bias(
              options.bias.get() != nullptr ? options.bias.get()->rows(scores_shape, T()) : nullptr
          )
        , m_added(m_bias != nullptr ? panel_keys : 0)
        , m_scale(static_cast<T>(scale_of(options, query.columns())))
        , m_cap(static_cast<T>(options.soft_cap))
        , m_scratch(query.rows(), key.rows(), value.columns()) {
        if (options.sinks.get() != nullptr) {
            const any_shape leading = without_last(scores_shape, 2);
            const auto rows = options.sinks.get()->rows(leading, T());
            m_sinks.resize(rows_of(leading) * columns_of(leading));
            for (std::size_t r = 0; r < rows_of(leading) && !m_sinks.empty(); ++r) {
                rows->read(r, 0, columns_of(leading), m_sinks.data() + r * columns_of(leading));
            }
        }
    }

    /// Writes the weighted values of each query to `to`.
    void forward(const matrix_stack<T>& to) {
        for (std::size_t b = 0; b < m_tiles.rows(); ++b) {
            seek(b);
            weigh();
            const block_of<T> out = to[m_band.matrix()];
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                std::copy_n(
                    output(i), m_value.columns(), out.first + (m_band.row() + i) * out.stride
                );
            }
        }
    }

    /// Adds to the gradients by query, key and value, given that by the output.
    void backward(
        const matrix_stack<const T>& upstream, const matrix_stack<T>& by_query,
        const matrix_stack<T>& by_key, const matrix_stack<T>& by_value
    ) {
        gradient_scratch<T> more(m_scratch, m_query.columns(), m_cap != T(0));
        factor_rows<T> keys;
        factor_rows<T> queries;
        factor_rows<T> outer;
        std::size_t matrix = m_tiles.rows();
        for (std::size_t b = 0; b < m_tiles.rows(); ++b) {
            seek(b);
            if (m_band.matrix() != matrix) {
                matrix = m_band.matrix();
                keys.look(m_key[matrix], m_key.rows(), m_key.columns());
            }
            queries.look(rows_of_band(m_query), m_band.rows(), m_query.columns());
            outer.look(rows_of_band(upstream), m_band.rows(), m_value.columns());
            weigh();
            share(outer, more);
            add_gradients(more, queries, keys, outer, by_key[matrix], by_value[matrix]);
            const block_of<T> out = by_query[matrix];
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                T* row = out.first + (m_band.row() + i) * out.stride;
                const T* from = more.by_query.data() + i * m_query.columns();
                std::transform(from, from + m_query.columns(), row, row, std::plus<>());
            }
        }
    }

private:
    static double scale_of(const attention_options& options, std::size_t features) {
        return options.scale.value_or(
            features == 0 ? 1 : 1 / std::sqrt(static_cast<double>(features))
        );
    }

    void seek(std::size_t band) {
        m_band.seek(band);
        if (m_matrix != m_band.matrix()) {
            m_matrix = m_band.matrix();
            m_values.look(m_value[m_matrix], m_value.rows(), m_value.columns());
        }
    }

    /// A band's own rows.
    [[nodiscard]] block rows_of_band(const matrix_stack<const T>& stack) const {
        const block all = stack[m_band.matrix()];
        return {all.first + m_band.row() * all.stride, all.stride};
    }

    [[nodiscard]] T* output(std::size_t i) {
        return m_scratch.output.data() + i * m_value.columns();
    }

    [[nodiscard]] T* scores(std::size_t i) { return m_scratch.scores.data() + i * m_scratch.keys; }

    /// Calls f(panel) for what the band keeps.
    template <class F>
    void for_each_panel(F&& f) {
        for (std::size_t t = 0; t < m_band.tiles();) {
            if (m_band.kind(t) == tile_kind::empty) {
                ++t;
                continue;
            }
            panel p{t * tile_keys, 0, true};
            for (std::size_t count = 0; count < panel_tiles && t < m_band.tiles(); ++count, ++t) {
                if (m_band.kind(t) == tile_kind::empty) {
                    break;
                }
                p.keys += m_band.columns(t);
                p.whole = p.whole && m_band.kind(t) == tile_kind::full;
            }
            m_bits.read(m_band, p);
            f(p);
        }
    }

    /// The scores of a panel, as the softmax takes them. slopes: of the soft cap, for gradients.
    void compute_scores(const panel& p, std::vector<T>* slopes) {
        const block key = m_key[m_matrix];
        gemm<T>(
            turned::no, turned::yes, m_band.rows(), p.keys, m_query.columns(), m_scale,
            rows_of_band(m_query), {key.first + p.first * key.stride, key.stride}, T(0),
            {m_scratch.scores.data(), m_scratch.keys}
        );
        for (std::size_t i = 0; i < m_band.rows() && m_cap != T(0); ++i) {
            cap(scores(i), p.keys,
                slopes == nullptr ? nullptr : slopes->data() + i * m_scratch.keys);
        }
        for (std::size_t i = 0; i < m_band.rows() && m_bias != nullptr; ++i) {
            const std::size_t r = m_matrix * m_query.rows() + m_band.row() + i;
            m_bias->read(r, p.first, p.keys, m_added.data());
            std::transform(scores(i), scores(i) + p.keys, m_added.data(), scores(i), std::plus<>());
        }
    }

    void cap(T* row, std::size_t columns, T* slopes) const {
        using V = register_t<T>;
        const V limit(m_cap);
        const V one(T(1));
        const std::array<word_t, panel_tiles> all = [] {
            std::array<word_t, panel_tiles> words;
            words.fill(~word_t(0));
            return words;
        }();
        // The rest of a last word is never asked for.
        if (slopes == nullptr) {
            map_kept(columns, all.data(), std::array<T*, 1>{row}, [&](auto& x, auto&&) {
                x[0] = limit * tanh_of(V(x[0] / limit));
            });
            return;
        }
        map_kept(columns, all.data(), std::array<T*, 2>{row, slopes}, [&](auto& x, auto&&) {
            const V t = tanh_of(V(x[0] / limit));
            x[0] = limit * t;
            x[1] = one - t * t;
        });
    }

    template <class V>
    static V tanh_of(const V& x) {
        if constexpr (std::is_arithmetic_v<V>) {
            return std::tanh(x);
        } else {
            return xsimd::tanh(x);
        }
    }

    /// C += alpha A B, or A^T B: A is a panel of weights, 0 where dropped, and B are rows of which
    /// one that is not finite is multiplied only by weights of kept pairs.
    void add_product(
        turned turn, const std::vector<T>& a, T alpha, const panel& p, const factor_rows<T>& b,
        std::size_t first, std::size_t columns, block_of<T> c
    ) {
        const std::size_t outer = turn == turned::yes ? p.keys : m_band.rows();
        const std::size_t inner = turn == turned::yes ? m_band.rows() : p.keys;
        const block weights{a.data(), m_scratch.keys};
        if (p.whole || !b.any_bad(first, inner)) [[likely]] {
            gemm<T>(
                turn, turned::no, outer, columns, inner, alpha, weights, b.block(first), T(1), c
            );
            return;
        }
        m_scratch.clean.resize(std::max(m_scratch.clean.size(), inner * columns));
        for (std::size_t r = 0; r < inner; ++r) {
            T* to = m_scratch.clean.data() + r * columns;
            if (b.bad(first + r)) {
                std::fill_n(to, columns, T(0));
            } else {
                std::copy_n(b.row(first + r), columns, to);
            }
        }
        gemm<T>(
            turn, turned::no, outer, columns, inner, alpha, weights,
            {m_scratch.clean.data(), columns}, T(1), c
        );
        for (std::size_t r = 0; r < inner; ++r) {
            for (std::size_t s = 0; s < outer && b.bad(first + r); ++s) {
                const std::size_t i = turn == turned::yes ? r : s;
                const std::size_t j = turn == turned::yes ? s : r;
                for (std::size_t f = 0; f < columns && m_bits.kept(i, j); ++f) {
                    c.first[s * c.stride + f] +=
                        alpha * a[i * m_scratch.keys + j] * b.row(first + r)[f];
                }
            }
        }
    }

    /// The running softmax: output becomes the band's weighted values, largest and sum what its
    /// weights are made of.
    void weigh() {
        const bool sinks = !m_sinks.empty();
        const T start = sinks ? m_sinks[m_matrix] : -std::numeric_limits<T>::infinity();
        std::fill(m_scratch.output.begin(), m_scratch.output.end(), T(0));
        std::fill(m_scratch.largest.begin(), m_scratch.largest.end(), start);
        std::fill(
            m_scratch.sum.begin(), m_scratch.sum.end(),
            start == -std::numeric_limits<T>::infinity() ? 0 : 1
        );
        for_each_panel([&](const panel& p) {
            compute_scores(p, nullptr);
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                const T before = settled(m_scratch.largest[i]);
                m_scratch.largest[i] =
                    largest_kept(scores(i), p.keys, m_bits.row(i), m_scratch.largest[i]);
                const T after = settled(m_scratch.largest[i]);
                if (before != after && m_scratch.sum[i] != 0) {
                    const T factor = std::exp(before - after);
                    m_scratch.sum[i] *= static_cast<double>(factor);
                    std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
                }
                m_scratch.sum[i] += exponentials(scores(i), p.keys, m_bits.row(i), after);
            }
            add_product(
                turned::no, m_scratch.scores, T(1), p, m_values, p.first, m_value.columns(),
                {m_scratch.output.data(), m_value.columns()}
            );
        });
        for (std::size_t i = 0; i < m_band.rows(); ++i) {
            const T factor = inverse_sum(i);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
    }

    /// Where all that is kept is -infinity, no difference of infinities is taken.
    static T settled(T largest) {
        return largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
    }

    /// 0 where nothing is kept, or nothing but -infinity.
    [[nodiscard]] T inverse_sum(std::size_t i) const {
        return m_scratch.sum[i] == 0 ? T(0) : static_cast<T>(1 / m_scratch.sum[i]);
    }

    /// For each query the product of its output and upstream gradient, which all its scores share.
    void share(const factor_rows<T>& outer, gradient_scratch<T>& more) {
        for (std::size_t i = 0; i < m_band.rows(); ++i) {
            double sum = 0;
            for (std::size_t f = 0; f < m_value.columns(); ++f) {
                sum += static_cast<double>(output(i)[f]) * static_cast<double>(outer.row(i)[f]);
            }
            more.shares[i] = static_cast<T>(sum);
        }
    }

    void add_gradients(
        gradient_scratch<T>& more, const factor_rows<T>& queries, const factor_rows<T>& keys,
        const factor_rows<T>& outer, block_of<T> by_key, block_of<T> by_value
    ) {
        const std::size_t features = m_query.columns();
        std::fill(more.by_query.begin(), more.by_query.end(), T(0));
        for_each_panel([&](const panel& p) {
            compute_scores(p, m_cap != T(0) ? &more.slopes : nullptr);
            gemm<T>(
                turned::no, turned::yes, m_band.rows(), p.keys, m_value.columns(), T(1),
                outer.block(0), m_values.block(p.first), T(0),
                {more.by_scores.data(), m_scratch.keys}
            );
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                differentiate(p, i, more);
            }
            add_product(
                turned::yes, m_scratch.scores, T(1), p, outer, 0, m_value.columns(),
                {by_value.first + p.first * by_value.stride, by_value.stride}
            );
            add_product(
                turned::no, more.by_scores, m_scale, p, keys, p.first, features,
                {more.by_query.data(), features}
            );
            add_product(
                turned::yes, more.by_scores, m_scale, p, queries, 0, features,
                {by_key.first + p.first * by_key.stride, by_key.stride}
            );
        });
    }

    /// Scores become weights, and gradients by weights become those by products of queries and
    /// keys.
    void differentiate(const panel& p, std::size_t i, gradient_scratch<T>& more) {
        using V = register_t<T>;
        const V shift(settled(m_scratch.largest[i]));
        const V factor(inverse_sum(i));
        const V shared(more.shares[i]);
        T* by_score = more.by_scores.data() + i * m_scratch.keys;
        if (m_cap == T(0)) {
            map_kept(
                p.keys, m_bits.row(i), std::array<T*, 2>{scores(i), by_score},
                [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                    const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                    x[1] = kept(V(weight * (x[1] - shared)));
                    x[0] = kept(weight);
                }
            );
            return;
        }
        map_kept(
            p.keys, m_bits.row(i),
            std::array<T*, 3>{scores(i), by_score, more.slopes.data() + i * m_scratch.keys},
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
    tiles_type m_tiles;
    typename tiles_type::band_type m_band;
    std::unique_ptr<added_rows<T>> m_bias;
    std::vector<T> m_added;
    std::vector<T> m_sinks;
    T m_scale;
    T m_cap;
    attention_scratch<T> m_scratch;
    factor_rows<T> m_values;
    panel_bits m_bits;
    std::size_t m_matrix = std::numeric_limits<std::size_t>::max();
};
} // namespace xmask::inline XMASK_ABI::detail
