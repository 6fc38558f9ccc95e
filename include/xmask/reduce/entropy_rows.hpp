// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "../core/cursor.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../masks/bitmask.hpp"
#include "../masks/combine.hpp"
#include "class_options.hpp"
#include "exp_terms.hpp"
#include "line_sums.hpp"

/// @file
/// The rows of logits of a cross entropy, with what options add to them.

namespace xmask::inline XMASK_ABI::detail {
/// The terms of a smoothed cross entropy, of logits x and class weights w: exp(x - largest) and w
/// (x - largest).
template <class T>
struct smoothed_terms : exp_terms<T, false> {
    static constexpr std::size_t sums = 2;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*w*/) noexcept {
        return x;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x, const V& w) noexcept {
        return I == 0 ? exp_nonpositive(x - largest) : w * (x - largest);
    }
};

/// The rows of logits, for options without smoothing and without a mask over classes.
template <class T, class Logits>
class plain_entropy {
public:
    using terms = exp_terms<T, false>;
    static_assert(line_terms<terms, Logits>);

    plain_entropy(Logits logits, std::size_t classes)
        : m_logits(std::move(logits)), m_classes(classes) {}

    [[nodiscard]] double logit(std::size_t position, std::size_t target) const {
        return static_cast<double>(read_at(m_logits, position, target));
    }

    [[nodiscard]] auto row(std::size_t position) const {
        const range_cursor all({0, m_classes});
        return masked_row(all, zip_row(m_logits.row(position)), m_classes);
    }

    [[nodiscard]] static bool has_class(std::size_t /*position*/, std::size_t /*target*/) noexcept {
        return true;
    }

    /// The terms of a kept position beside the entropy of its target: none without smoothing.
    [[nodiscard]] static double smoothing(
        std::size_t /*position*/, double /*log_sum*/, const line_sums<terms>& /*line*/
    ) noexcept {
        return 0;
    }

    [[nodiscard]] static double smoothing_slope(std::size_t /*position*/) noexcept { return 0; }

    static void subtract_smoothing(std::size_t /*position*/, T* /*to*/, double /*scale*/) noexcept {
    }

private:
    Logits m_logits;
    std::size_t m_classes;
};

/// The weights of the classes, and the mask over them.
template <class T>
struct class_table {
    template <class S>
    class_table(const char* function, const S& shape, const cross_entropy_options& options)
        : weights(xt::xtensor<T, 1>::from_shape({columns_of(shape)}))
        , classes(
              options.classes.has_value() ? *options.classes : bitmask(keep_all(columns_of(shape)))
          ) {
        require_broadcast(function, "a mask over classes", classes.shape(), shape);
        if (options.class_weights.size() == 0) {
            weights.fill(T(1));
        } else {
            std::ranges::transform(options.class_weights, weights.begin(), [](double w) {
                return static_cast<T>(w);
            });
        }
    }

    xt::xtensor<T, 1> weights;
    bitmask classes;
};

/// The rows of logits, with smoothing, class weights and a mask over classes. The smoothed part of
/// a position is smoothing / (number of classes) * sum over classes of w (log_sum - x).
template <class T, class Logits>
class smoothed_entropy {
public:
    using terms = smoothed_terms<T>;
    static_assert(line_terms<terms, Logits, memory_rows<T>>);

    template <class S>
    smoothed_entropy(Logits logits, const class_table<T>& table, const S& shape, double smoothing)
        : m_logits(std::move(logits))
        , m_table(&table)
        , m_masks(table.classes, shape)
        , m_rows(table.weights, shape)
        , m_smoothing(smoothing) {}

    [[nodiscard]] double logit(std::size_t position, std::size_t target) const {
        return static_cast<double>(read_at(m_logits, position, target));
    }

    [[nodiscard]] auto row(std::size_t position) const {
        return masked_row(
            m_masks.row(position), zip_row(m_logits.row(position), m_rows.row(position)),
            m_table->weights.size()
        );
    }

    [[nodiscard]] bool has_class(std::size_t position, std::size_t target) const {
        return keeps(m_masks.row(position), target);
    }

    [[nodiscard]] double smoothing(
        std::size_t position, double log_sum, const line_sums<terms>& line
    ) const {
        const auto [count, weight] = classes_of(position);
        const double over_largest = log_sum - static_cast<double>(line.shift);
        return m_smoothing == 0 || count == 0
                   ? 0
                   : m_smoothing / count * (weight * over_largest - line.sums[1]);
    }

    /// The factor of the softmax in the gradient of the smoothed part.
    [[nodiscard]] double smoothing_slope(std::size_t position) const {
        const auto [count, weight] = classes_of(position);
        return m_smoothing == 0 || count == 0 ? 0 : m_smoothing / count * weight;
    }

    /// Subtracts the part of the smoothed gradient that is not a factor of the softmax.
    void subtract_smoothing(std::size_t position, T* to, double scale) const {
        if (m_smoothing == 0) {
            return;
        }
        const auto cursor = m_masks.row(position);
        const T factor = static_cast<T>(scale * m_smoothing / classes_of(position).count);
        const T* weights = m_table->weights.data();
        for_each_kept_block(
            cursor, 0, m_table->weights.size(),
            [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                for (; bits != 0; bits &= bits - 1) {
                    to[c + lowest_bit(bits)] -= factor * weights[c + lowest_bit(bits)];
                }
            }
        );
    }

private:
    struct class_sums {
        double count = 0;
        double weight = 0;
    };

    /// The number of classes of a position, and the sum of their weights. Most masks over classes
    /// have one row, whose sums are taken once.
    [[nodiscard]] class_sums classes_of(std::size_t position) const {
        if (m_smoothing == 0) {
            return {};
        }
        if (m_table->classes.dimension() > 1 || !m_known) {
            m_sums = {};
            const auto cursor = m_masks.row(position);
            const T* weights = m_table->weights.data();
            for_each_kept_block(
                cursor, 0, m_table->weights.size(),
                [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                    for (; bits != 0; bits &= bits - 1) {
                        m_sums.count += 1;
                        m_sums.weight += static_cast<double>(weights[c + lowest_bit(bits)]);
                    }
                }
            );
            m_known = true;
        }
        return m_sums;
    }

    Logits m_logits;
    const class_table<T>* m_table;
    mask_rows<bitmask> m_masks;
    memory_rows<T> m_rows;
    double m_smoothing;
    mutable class_sums m_sums;
    mutable bool m_known = false;
};
} // namespace xmask::inline XMASK_ABI::detail
