// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "options.hpp"

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

/// Any is the largest truth, all the smallest; of nothing, these lie below 0 and above 1.
template <extreme Which, class X, class M>
bool fold_truths(const char* function, const X& x, const M& m, const reduce_options& options) {
    using element = element_t<X>;
    return fold_to_number<bool, element>(
        function, extreme_fold<element, Which>(), x.shape(),
        masked_rows<element>(function, x, m, truth()), options, [](auto state) { return state > 0; }
    );
}

template <extreme Which, class X, class M>
xt::xarray<bool> fold_truths(
    const char* function, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    return fold_to_axes<bool, element>(
        function, extreme_fold<element, Which>(), x.shape(),
        masked_rows<element>(function, x, m, truth()), kept, options,
        [](auto state) { return state > 0; }
    );
}
} // namespace detail

/// Whether any element that the mask keeps is true (not 0; NaN is true). False where nothing is
/// kept.
///
/// x: a tensor or lazy expression of numbers or bool. Throws std::invalid_argument where the mask
/// does not broadcast into x. One pass over what is kept.
///
///     bool wrong = xmask::masked_any(xt::not_equal(predicted, target), m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
bool masked_any(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::largest>(
            "masked_any", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
///
///     xt::xarray<bool> rows = xmask::masked_any(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_any(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::largest>(
            "masked_any", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_any(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_any(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// Whether all elements that the mask keeps are true (not 0; NaN is true). True where nothing is
/// kept. Otherwise as masked_any.
///
///     bool exact = xmask::masked_all(xt::equal(predicted, target), m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
bool masked_all(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::smallest>(
            "masked_all", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_all(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::smallest>(
            "masked_all", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_all(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_all(x, m, std::vector<std::ptrdiff_t>(axes), options);
}
} // namespace xmask::inline XMASK_ABI
