// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/simd.hpp"
#include "extreme_fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"

/// @file
/// Whether any, or all, of what a mask keeps is true.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// 1 where x is not 0; NaN is not.
struct truth {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        if constexpr (std::is_arithmetic_v<V>) {
            return static_cast<V>(x != V(0));
        } else {
            using lane = typename V::value_type;
            return xsimd::select(x != V(lane(0)), V(lane(1)), V(lane(0)));
        }
    }
};

/// Any is the largest truth, all is the smallest. The extremes of nothing lie below 0 and above 1.
template <extreme Which>
struct truth_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        return fold_function<bool>(
            function, extreme_fold<element_t<X>, Which>(), x, m, over, chosen, truth(),
            [](auto state) { return state > 0; }
        );
    }
};
} // namespace detail

/// Whether any element that the mask keeps is true: not 0, and NaN is true. False where nothing is
/// kept.
///
/// @param x a tensor or lazy expression of numbers or bool.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns bool.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     bool wrong = xmask::masked_any(xt::not_equal(predicted, target), m);    // true
///     xt::xarray<bool> rows = xmask::masked_any(x, m, -1);    // true, true, true
inline constexpr reduction<detail::truth_formula<detail::extreme::largest>> masked_any("masked_any"
);

/// Whether all elements that the mask keeps are true: not 0, and NaN is true. True where nothing is
/// kept.
///
/// @param x a tensor or lazy expression of numbers or bool.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns bool.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     bool exact = xmask::masked_all(xt::equal(predicted, target), m);    // false
///     xt::xarray<bool> rows = xmask::masked_all(x, m, {-1});    // true, true, true
inline constexpr reduction<detail::truth_formula<detail::extreme::smallest>> masked_all("masked_all"
);
} // namespace xmask::inline XMASK_ABI
