// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "../core/error.hpp"
#include "../core/xtensor.hpp"
#include "../masks/bitmask.hpp"

/// @file
/// Options of the losses of a class for each position.

namespace xmask::inline XMASK_ABI {
/// Options of masked_cross_entropy.
struct cross_entropy_options {
    /// How much of a target is spread evenly over the classes, 0 to 1 (Szegedy et al., Rethinking
    /// the Inception architecture, 2016).
    double label_smoothing = 0;

    /// Weight of log(sum(exp(logits)))^2, which keeps logits from drifting (Chowdhery et al., PaLM,
    /// 2022).
    double z_loss = 0;

    /// A target that does not count, as -100 in PyTorch. balanced() weighs rows by its mask alone.
    /// To leave out ignored targets there, too, write balanced(m && keep_not_equal(target, -100)).
    std::optional<std::int64_t> ignore = std::nullopt;

    /// A weight for each class, or none: all weigh 1. A position's weight is that of its target's
    /// class.
    xt::xtensor<double, 1> class_weights = {};

    /// The mask over classes, which broadcasts into the prediction. Others are left out. Stored,
    /// one bit an element.
    std::optional<bitmask> classes = std::nullopt;
};

/// Options of masked_nll.
struct nll_options {
    std::optional<std::int64_t> ignore = std::nullopt; ///< a target that does not count
    xt::xtensor<double, 1> class_weights = {}; ///< a weight for each class, or none: all weigh 1
};

namespace detail {
/// Throws std::invalid_argument for class weights that are not one a class, and finite numbers from
/// 0 on.
inline void require_class_weights(
    const char* function, const xt::xtensor<double, 1>& weights, std::size_t classes
) {
    if (weights.size() != 0 && weights.size() != classes) [[unlikely]] {
        throw_invalid(
            function, weights.size(), " class weights; expected ", classes, ", one a class"
        );
    }
    require_each_option(function, "class_weights", weights, option_range::at_least(0).finite());
}

inline double class_weight(const xt::xtensor<double, 1>& weights, std::size_t target) noexcept {
    return weights.size() == 0 ? 1 : weights.data()[target];
}

/// Throws std::invalid_argument for options of a cross entropy that do not fit.
inline void require_entropy_options(
    const char* function, const cross_entropy_options& options, std::size_t classes
) {
    require_option(
        function, "label_smoothing", options.label_smoothing, option_range::between(0, 1)
    );
    require_option(function, "z_loss", options.z_loss, option_range::at_least(0).finite());
    require_class_weights(function, options.class_weights, classes);
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
