// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "shifted.hpp"
#include "sum.hpp"

/// @file
/// Means and sums of squared differences of what a mask keeps, in two passes, so that nothing
/// cancels.

namespace xmask::inline XMASK_ABI {
/// Options of a variance: the sum of squared differences from the mean over (number kept -
/// correction). A correction of 1 gives the unbiased estimate, as in PyTorch; 0 gives the mean of
/// squares, as NumPy and normalization layers take it. Where no more elements than the correction
/// are kept, there is no variance, and `empty` gives the result.
struct var_options {
    double correction = 1;                                      ///< 0 or more
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::ddof_field ddof = {};         ///< says that this is correction
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
struct squared_difference {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& mean) const {
        const V difference = x - mean;
        return difference * difference;
    }
};

/// The number, the mean and the sum of squared differences of the kept elements.
template <class V>
struct moments {
    double count = 0;
    V mean = 0;
    V squares = 0;

    /// Whether there is a variance.
    [[nodiscard]] bool varies(double correction) const noexcept { return count > correction; }

    /// The variance; 0 where it does not exist.
    [[nodiscard]] V variance_or_zero(double correction) const noexcept {
        return varies(correction) ? squares / (count - correction) : V(0);
    }

    template <class R>
    R mean_as(const char* function, std::optional<when_empty> empty) const {
        return count > 0 ? static_cast<R>(mean) : when_nothing_kept<R>(function, empty);
    }

    /// The variance, or its root.
    template <class R>
    R spread_as(const char* function, const var_options& options, bool root) const {
        if (!varies(options.correction)) {
            return when_nothing_kept<R>(function, options.empty);
        }
        const V variance = squares / (count - options.correction);
        return static_cast<R>(root ? std::sqrt(variance) : variance);
    }
};

/// Throws std::invalid_argument for an invalid correction.
inline void require_correction(const char* function, double correction) {
    require_option(function, "correction", correction, option_range::at_least(0).finite());
}

/// The moments at each position of the result.
template <class X, class M, reduced_axes Axes>
auto moments_over(
    const char* function, const X& x, const M& m, const Axes& over, double correction
) {
    require_correction(function, correction);
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto sums = sum_over<element, unwrapped_sum_t<element>>(function, x, m, over, true);
    auto means = one_each<wide>(over);
    for (std::size_t i = 0; i < over.size(); ++i) {
        const auto [sum, weight] = sums[i];
        means[i] = weight > 0 ? static_cast<wide>(sum) / weight : wide(0);
    }
    const auto squares = sum_shifted<wide, squared_difference>(function, x, m, over, means);
    auto all = one_each<moments<wide>>(over);
    for (std::size_t i = 0; i < over.size(); ++i) {
        all[i] = {sums[i].weight, means[i], squares.state(i)};
    }
    return all;
}

/// (x - shift) * scale.
struct standardized {
    template <class A, class B, class C>
    auto operator()(const A& x, const B& shift, const C& scale) const {
        return (static_cast<std::common_type_t<A, B>>(x) - shift) * scale;
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return (x - shift) * scale;
    }
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI
