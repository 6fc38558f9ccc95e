// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../masks/tiles.hpp"
#include "attention_options.hpp"
#include "attention_rows.hpp"
#include "gemm.hpp"
#include "matrix_stack.hpp"

/// @file
/// The scores of attention, band by band and panel by panel.

namespace xmask::inline XMASK_ABI::detail {
/// The scores of one band of queries. A band's tiles that keep anything are its panels, neighbours
/// together, so that a matrix product is worth its call.
template <class T, class M>
class attention_scores {
    using tiles_type = mask_tiles<const M&>;

public:
    /// The shapes have been checked.
    attention_scores(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_tiles(m, scores_shape, tiling::of(scores_shape, band_queries, tile_keys))
        , m_band(m_tiles.band())
        , m_bias(
              options.bias.get() != nullptr ? options.bias.get()->template rows<T>(scores_shape)
                                            : nullptr
          )
        , m_added(m_bias != nullptr ? panel_keys : 0)
        , m_scale(static_cast<T>(scale_of(options, query.columns())))
        , m_cap(static_cast<T>(options.soft_cap))
        , m_stride(std::min(key.rows(), panel_keys))
        , m_scores(std::min(query.rows(), band_queries) * m_stride) {}

    [[nodiscard]] std::size_t bands() const noexcept { return m_tiles.rows(); }

    void seek(std::size_t band) { m_band.seek(band); }

    /// The matrix of the band, its first query there, and how many it has.
    [[nodiscard]] std::size_t matrix() const noexcept { return m_band.matrix(); }

    [[nodiscard]] std::size_t first_query() const noexcept { return m_band.row(); }

    [[nodiscard]] std::size_t queries() const noexcept { return m_band.rows(); }

    /// The band's own rows of a stack.
    [[nodiscard]] matrix_view<const T> rows_of_band(const matrix_stack<const T>& stack) const {
        return stack[m_band.matrix()].from(m_band.row());
    }

    /// The factor of products of queries and keys.
    [[nodiscard]] T scale() const noexcept { return m_scale; }

    /// Whether there is a soft cap.
    [[nodiscard]] bool caps() const noexcept { return m_cap != T(0); }

    /// Which pairs of the panel are kept.
    [[nodiscard]] const panel_bits& bits() const noexcept { return m_bits; }

    /// The panel's scores, one row a query. Rows lie stride() apart.
    [[nodiscard]] T* row(std::size_t i) { return m_scores.data() + i * m_stride; }

    [[nodiscard]] const std::vector<T>& all() const noexcept { return m_scores; }

    [[nodiscard]] std::size_t stride() const noexcept { return m_stride; }

    /// Calls f(panel) for the panels of the band.
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

    /// Computes the scores of a panel, as the softmax takes them. `slopes` gets the derivative of
    /// the soft cap, for gradients.
    void compute(const panel& p, std::vector<T>* slopes) {
        gemm<T>(
            turned::no, turned::yes, m_band.rows(), p.keys, m_query.columns(), m_scale,
            rows_of_band(m_query), m_key[m_band.matrix()].from(p.first), T(0),
            {m_scores.data(), m_stride}
        );
        for (std::size_t i = 0; i < m_band.rows() && caps(); ++i) {
            cap(row(i), p.keys, slopes == nullptr ? nullptr : slopes->data() + i * m_stride);
        }
        for (std::size_t i = 0; i < m_band.rows() && m_bias != nullptr; ++i) {
            const std::size_t r = m_band.matrix() * m_query.rows() + m_band.row() + i;
            m_bias(r, p.first, p.keys, m_added.data());
            std::transform(row(i), row(i) + p.keys, m_added.data(), row(i), std::plus<>());
        }
    }

private:
    static double scale_of(const attention_options& options, std::size_t features) {
        return options.scale.value_or(
            features == 0 ? 1 : 1 / std::sqrt(static_cast<double>(features))
        );
    }

    void cap(T* scores, std::size_t columns, T* slopes) const {
        using V = register_t<T>;
        const V limit(m_cap);
        const V one(T(1));
        std::array<word_t, panel_tiles> all; // bits past the row are not looked at
        all.fill(~word_t(0));
        if (slopes == nullptr) {
            map_kept(columns, all.data(), std::array<T*, 1>{scores}, [&](auto& x, auto&&) {
                x[0] = limit * tanh_of(V(x[0] / limit));
            });
            return;
        }
        map_kept(columns, all.data(), std::array<T*, 2>{scores, slopes}, [&](auto& x, auto&&) {
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

    const matrix_stack<const T>& m_query;
    const matrix_stack<const T>& m_key;
    tiles_type m_tiles;
    typename tiles_type::band_type m_band;
    panel_bits m_bits;
    row_reader<T> m_bias; // empty where nothing is added
    std::vector<T> m_added;
    T m_scale;
    T m_cap;
    std::size_t m_stride;
    std::vector<T> m_scores;
};
} // namespace xmask::inline XMASK_ABI::detail
