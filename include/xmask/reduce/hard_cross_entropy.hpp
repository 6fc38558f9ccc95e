// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "class_gradient.hpp"
#include "class_options.hpp"
#include "counted.hpp"
#include "entropy_rows.hpp"
#include "exp_terms.hpp"
#include "loss.hpp"
#include "positions.hpp"

/// @file
/// Cross entropy with a class for each position.

namespace xmask::inline XMASK_ABI::detail {
/// The loss of one position, and its gradient where Slopes.
template <class T, bool Slopes, class Entropy, class Result>
XMASK_INLINE loss entropy_at(
    const Entropy& entropy, Result& result, std::size_t position, std::size_t target, double weight,
    const cross_entropy_options& options
) {
    const typename Entropy::terms terms;
    const double hard = 1 - options.label_smoothing;
    // Before the gradient is written, which may be the logits' own memory.
    const double logit = entropy.logit(position, target);
    const auto line = result.sums(terms, entropy.row(position), position);
    const double log_sum = log_of_sum(line.sums[0], static_cast<double>(line.shift));
    const double own = class_weight(options.class_weights, target);
    const double value = hard * own * (log_sum - logit) +
                         entropy.smoothing(position, log_sum, line) +
                         options.z_loss * log_sum * log_sum;
    if constexpr (Slopes) {
        const double scale = weight * result.scale();
        const double slope =
            hard * own + entropy.smoothing_slope(position) + 2 * options.z_loss * log_sum;
        T* to =
            result.scale_terms(entropy.row(position), static_cast<T>(scale * slope / line.sums[0]));
        to[target] -= static_cast<T>(scale * hard * own);
        entropy.subtract_smoothing(position, to, scale);
        result.end();
    }
    return {weight * value, weight * own, 1};
}

/// Cross entropy with a class for each position. Checks everything, then sums the losses, visits the
/// loss of each counted position, and writes the gradient.
template <class P, class Q, class M, class G, class Visit>
loss cross_entropy(
    const char* function, const P& prediction, const Q& target, const M& m,
    const cross_entropy_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    using logits = decltype(make_operand<T>(prediction, prediction.shape()));
    require_class_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_entropy_options(function, options, classes);
    const auto positions = positions_of(m, target, options.ignore);
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_by_class(positions, classes, options.class_weights);
    };
    const auto run = [&](const auto& entropy) {
        require_targets(
            function, positions, target.shape(), classes,
            [&](std::size_t position, std::size_t at) { return entropy.has_class(position, at); }
        );
        return sum_of_classes<T>(
            function, entropy, positions, classes, shape, sources_of_classes(prediction, target, m),
            weight, gradient,
            [&](const auto& own, auto& result, std::size_t position, auto at, double of_position) {
                return entropy_at<T, wants_gradient<G>>(
                    own, result, position, static_cast<std::size_t>(at), of_position, options
                );
            },
            visit
        );
    };
    if (options.label_smoothing == 0 && !options.classes.has_value()) {
        return run(plain_entropy<T, logits>(make_operand<T>(prediction, shape), classes));
    }
    const class_table<T> table(function, shape, options);
    return run(smoothed_entropy<T, logits>(
        make_operand<T>(prediction, shape), table, shape, options.label_smoothing
    ));
}
} // namespace xmask::inline XMASK_ABI::detail
