// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "class_gradient.hpp"
#include "class_options.hpp"
#include "counted.hpp"
#include "exp_terms.hpp"
#include "line_sums.hpp"
#include "loss.hpp"
#include "positions.hpp"

/// @file
/// Cross entropy with a target of probabilities, one for each class.

namespace xmask::inline XMASK_ABI::detail {
/// The terms of the cross entropy of logits x with a target q: exp(x - largest), q, and q (x -
/// largest). The last is 0 where q is 0, even of a logit of -infinity.
template <class T>
struct soft_terms : exp_terms<T, false> {
    static constexpr std::size_t sums = 3;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*q*/) noexcept {
        return x;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x, const V& q) noexcept {
        if constexpr (I == 0) {
            return exp_nonpositive(x - largest);
        } else if constexpr (I == 1) {
            return q;
        } else {
            return xsimd::select(q == V(0), V(0), V(q * (x - largest)));
        }
    }
};

/// The target of one position at a time, smoothed and times the class weights: w ((1 - e) t + e /
/// (number of classes)), and 0 for classes that the mask drops.
template <class T>
class soft_target {
public:
    soft_target(const cross_entropy_options& options, std::size_t classes)
        : m_values(classes)
        , m_weights(&options.class_weights)
        , m_smoothing(options.label_smoothing) {}

    /// Reads the target of a position. Gives the number of its classes.
    template <class Cursor, class Row>
    std::size_t read(const Cursor& cursor, Row row) {
        const std::size_t n = m_values.size();
        for_each_block(0, n, [&](std::size_t c, auto count) {
            store_block<false>(m_values.data() + c, row.block(c, count, first_bits(count)), count);
        });
        const std::size_t classes = count_row(cursor, 0, n);
        if (classes == n && m_smoothing == 0 && m_weights->size() == 0) {
            return n;
        }
        const double even = m_smoothing / static_cast<double>(classes);
        for_each_block(0, n, [&](std::size_t c, std::size_t count) {
            const word_t bits = cursor.word(c);
            for (std::size_t k = 0; k < count; ++k) {
                const double smooth =
                    (1 - m_smoothing) * static_cast<double>(m_values[c + k]) + even;
                m_values[c + k] = (bits >> k & 1) != 0
                                      ? static_cast<T>(class_weight(*m_weights, c + k) * smooth)
                                      : T(0);
            }
        });
        return classes;
    }

    [[nodiscard]] memory_row<T> row() const noexcept { return {m_values.data(), 1, nullptr}; }

    /// Subtracts a multiple of the target.
    void subtract(T* from, T factor) const noexcept {
        for (std::size_t c = 0; c < m_values.size(); ++c) {
            from[c] -= factor * m_values[c];
        }
    }

private:
    std::vector<T> m_values;
    const xt::xtensor<double, 1>* m_weights;
    double m_smoothing;
};

/// The rows of logits, of the probabilities that they should have, and of the mask over classes.
template <class T, class Logits, class Targets, class Masks>
struct soft_rows {
    static_assert(line_terms<soft_terms<T>, Logits, memory_row<T>>);

    Logits logits;
    Targets targets;
    Masks masks;
    mutable soft_target<T> target; ///< room for the target of one position
};

/// The loss of one position, and its gradient where Slopes. A position without any class costs
/// nothing.
template <class T, bool Slopes, class Rows, class Result>
XMASK_INLINE loss soft_entropy_at(
    const Rows& rows, Result& result, std::size_t position, double weight, std::size_t classes,
    double z_loss
) {
    const auto cursor = rows.masks.row(position);
    auto& target = rows.target;
    if (target.read(cursor, rows.targets.row(position)) == 0) [[unlikely]] {
        result.clear(position);
        return {0, weight, 1};
    }
    masked_row row(cursor, zip_row(rows.logits.row(position), target.row()), classes);
    const auto line = result.sums(soft_terms<T>(), row, position);
    const double over_largest = std::log(line.sums[0]);
    const double log_sum = log_of_sum(line.sums[0], static_cast<double>(line.shift));
    const double value = line.sums[1] * over_largest - line.sums[2] + z_loss * log_sum * log_sum;
    if constexpr (Slopes) {
        const double scale = weight * result.scale();
        const double slope = line.sums[1] + 2 * z_loss * log_sum;
        T* to = result.scale_terms(row, static_cast<T>(scale * slope / line.sums[0]));
        target.subtract(to, static_cast<T>(scale));
        result.end();
    }
    return {weight * value, weight, 1};
}

/// Throws std::invalid_argument for a class to ignore, which no probabilities are.
inline void require_no_ignored_class(const char* function, const cross_entropy_options& options) {
    if (options.ignore) [[unlikely]] {
        throw_invalid(
            function, "ignore is ", *options.ignore,
            ", a class; expected none, as the target is of probabilities"
        );
    }
}

/// Cross entropy with a target of probabilities. Checks everything, then sums the losses, visits the
/// loss of each counted position, and writes the gradient.
template <class P, class Q, class M, class G, class Visit>
loss soft_cross_entropy(
    const char* function, const P& prediction, const Q& target, const M& m,
    const cross_entropy_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    const any_shape positions_shape = require_probability_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_entropy_options(function, options, classes);
    require_no_ignored_class(function, options);
    const auto positions = positions_of(m, positions_shape, no_targets(0), std::nullopt);
    // A target is read whole before its place is written.
    const auto sources = sources_of_counted(m, read_in_place(prediction), read_in_place(target));
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_over_positions(positions, classes, [](auto /*class*/, double own) {
            return own;
        });
    };
    const auto run = [&](auto masks) {
        auto logits = make_operand<T>(prediction, shape);
        auto targets = make_operand<T>(target, shape);
        const soft_rows<T, decltype(logits), decltype(targets), decltype(masks)> all{
            std::move(logits), std::move(targets), std::move(masks),
            soft_target<T>(options, classes)
        };
        return sum_of_classes<T>(
            function, all, positions, classes, shape, sources, weight, gradient,
            [&](const auto& rows, auto& result, std::size_t position, auto /*target*/,
                double of_position) {
                return soft_entropy_at<T, wants_gradient<G>>(
                    rows, result, position, of_position, classes, options.z_loss
                );
            },
            visit
        );
    };
    if (!options.classes.has_value()) {
        return run(all_rows(shape));
    }
    require_broadcast(function, "a mask over classes", options.classes->shape(), shape);
    return run(mask_rows<bitmask>(*options.classes, shape));
}
} // namespace xmask::inline XMASK_ABI::detail
