// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

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
/// The sum of the losses of the positions [first, last), and the gradient if asked for. Calls
/// visit(position, loss) for each position that counts.
template <class T, class Entropy, class Positions, class G, class Visit>
loss sum_of_entropies(
    const Entropy& entropy, const Positions& positions, std::size_t first, std::size_t last,
    const cross_entropy_options& options, std::size_t classes, G& gradient, Visit&& visit
) {
    class_gradient<T, G> result(gradient, classes);
    const typename Entropy::terms terms;
    const double hard = 1 - options.label_smoothing;
    loss sum;
    positions.for_each(
        first, last,
        [&](std::size_t position, auto at, double weight) {
            const auto target = static_cast<std::size_t>(at);
            // Before the gradient is written, which may be the logits' own memory.
            const double logit = entropy.logit(position, target);
            const auto line = result.sums(terms, entropy.row(position), position);
            const double log_sum = log_of_sum(line.sums[0], static_cast<double>(line.shift));
            const double own = class_weight(options.class_weights, target);
            const double value = hard * own * (log_sum - logit) +
                                 entropy.smoothing(position, log_sum, line) +
                                 options.z_loss * log_sum * log_sum;
            const loss one{weight * value, weight * own, 1};
            visit(position, one);
            sum += one;
            if constexpr (wants_gradient<G>) {
                const double scale = weight * result.scale();
                const double slope =
                    hard * own + entropy.smoothing_slope(position) + 2 * options.z_loss * log_sum;
                T* to = result.scale_terms(
                    entropy.row(position), static_cast<T>(scale * slope / line.sums[0])
                );
                to[target] -= static_cast<T>(scale * hard * own);
                entropy.subtract_smoothing(position, to, scale);
                result.end();
            }
        },
        [&](std::size_t position) { result.clear(position); }
    );
    return sum;
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
        return with_gradient<T>(
            function, gradient, shape, sources_of_classes(prediction, target, m), weight,
            [&](auto& to) {
                return sum_over_positions(
                    entropy, positions, classes,
                    [&](const auto& rows, const auto& some, std::size_t first, std::size_t last) {
                        return sum_of_entropies<T>(
                            rows, some, first, last, options, classes, to, visit
                        );
                    }
                );
            }
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
