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
#include "loss.hpp"
#include "positions.hpp"

/// @file
/// Negative log-likelihood of log-probabilities.

namespace xmask::inline XMASK_ABI::detail {
/// Negative log-likelihood. Checks everything, then sums the losses, visits the loss of each counted
/// position, and writes the gradient.
template <class P, class Q, class M, class G, class Visit>
loss log_likelihood(
    const char* function, const P& prediction, const Q& target, const M& m,
    const nll_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    require_class_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_class_weights(function, options.class_weights, classes);
    const auto positions = positions_of(m, target, options.ignore);
    require_targets(function, positions, target.shape(), classes, [](std::size_t, std::size_t) {
        return true;
    });
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_by_class(positions, classes, options.class_weights);
    };
    const auto loss_at = [&](const auto& logs, auto& result, std::size_t position, auto at,
                             double of_position) {
        const auto class_at = static_cast<std::size_t>(at);
        const double own = of_position * class_weight(options.class_weights, class_at);
        // Before the gradient is written, which may be the prediction's own memory.
        const loss one{-own * static_cast<double>(read_at(logs, position, class_at)), own, 1};
        if constexpr (wants_gradient<G>) {
            T* to = result.begin(position);
            fill_columns(to, to + classes, T(0));
            to[class_at] = static_cast<T>(-own * result.scale());
            result.end();
        }
        return one;
    };
    return sum_of_classes<T>(
        function, make_operand<T>(prediction, shape), positions, wants_gradient<G> ? classes : 1,
        shape, sources_of_classes(prediction, target, m), weight, gradient, loss_at, visit
    );
}
} // namespace xmask::inline XMASK_ABI::detail
