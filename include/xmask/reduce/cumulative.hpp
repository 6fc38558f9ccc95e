// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

#include "../apply/masked_fill.hpp"
#include "../apply/multiply.hpp"
#include "../core/axes.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "product.hpp"

/// @file
/// Running sums and products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Writes the state after each column of one row: of one state that goes along the row, or of each
/// column's own.
template <bool Along, class R, class Fold, class Row>
void accumulate_row(
    const Fold& fold, Row& row, typename Fold::state* states, R* to, std::size_t n
) {
    for_each_block(0, n, [&](std::size_t c, auto count) {
        const word_t bits = row.cursor().word(c) & first_bits(count);
        auto* state = Along ? states : states + c;
        if (bits == 0) {
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = static_cast<R>(state[Along ? 0 : k]);
            }
            return;
        }
        const auto block = row.block(c, count, bits);
        for (std::size_t k = 0; k < count; ++k) {
            auto& one = state[Along ? 0 : k];
            if ((bits >> k & 1) != 0) {
                fold.add(one, block.value(k));
            }
            to[c + k] = static_cast<R>(one);
        }
    });
}

template <class Fold, class X, class M, class A>
auto accumulate_along(const char* function, const Fold& fold, const X& x, const M& m, A axis) {
    using element = element_t<X>;
    using result_type = sum_result_t<element>;
    const kept_axes axes(function, x.shape(), axis);
    const auto rows = masked_rows<element>(function, x, m);
    auto result = xt::xarray<result_type>::from_shape(x.shape());
    std::vector<typename Fold::state> states(axes.size(), fold.start());
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    // In the order of rows, each position meets its elements in the order of the axis.
    for (std::size_t r = 0; r < row_count; ++r) {
        auto row = rows.row(r);
        auto* at = states.data() + axes.offset(r);
        result_type* to = result.data() + r * n;
        axes.keeps_last() ? accumulate_row<false>(fold, row, at, to, n)
                          : accumulate_row<true>(fold, row, at, to, n);
    }
    return result;
}

/// How the lines along an axis lie in row-major memory: `inner` of them side by side.
struct line_layout {
    std::size_t outer = 1;
    std::size_t extent;
    std::size_t inner = 1;

    template <class S>
    line_layout(const S& shape, std::size_t axis) : extent(static_cast<std::size_t>(shape[axis])) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            (i < axis ? outer : inner) *= i == axis ? 1 : static_cast<std::size_t>(shape[i]);
        }
    }
};

/// Calls f(state, at, k) for each element, position k of its line, at flat position `at`; every
/// line backwards, with a state of its own, 0 at first.
template <class State, class F>
void for_each_backwards(const line_layout& lines, F&& f) {
    std::vector<State> states(lines.inner);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        std::ranges::fill(states, State(0));
        for (std::size_t k = lines.extent; k-- > 0;) {
            for (std::size_t i = 0; i < lines.inner; ++i) {
                f(states[i], (o * lines.extent + k) * lines.inner + i, k);
            }
        }
    }
}

template <class X, class M, class U>
void require_cumulative(const char* function, const X& x, const M& m, const U& upstream) {
    require_broadcast(function, "a mask", m.shape(), x.shape());
    require_same_shape(
        function, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
    );
}
} // namespace detail

/// The running sums of x along one axis, of what the mask keeps: what it drops adds nothing, and
/// the sum so far stands there, as in a running sum of multiply(x, m).
///
/// x: a tensor or lazy expression of numbers. Returns an array of x's shape and type, of 64-bit
/// integers for integers and bool; real elements are added in double. Throws std::invalid_argument
/// where the mask does not broadcast into x, std::out_of_range for an axis that x does not have.
/// One pass.
///
///     xt::xarray<std::int64_t> position = xmask::masked_cumsum(xt::ones_like(tokens), m, -1) - 1;
template <class X, class M, std::integral A>
auto masked_cumsum(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumsum", detail::sum_fold<detail::element_t<X>>(), x, m, axis
        );
    }
}

/// The running products of x along one axis, of what the mask keeps: what it drops changes nothing,
/// and the product so far (1 at first) stands there. Otherwise as masked_cumsum.
///
///     xt::xarray<float> survival = xmask::masked_cumprod(1.f - hazard, m, -1);
template <class X, class M, std::integral A>
auto masked_cumprod(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumprod", detail::product_fold<detail::element_t<X>>(), x, m, axis
        );
    }
}

/// The gradient of the sum of `upstream` times masked_cumsum(x, m, axis) by x: the sum of upstream
/// from each element on where the mask keeps, 0 where it drops. An array of x's shape and type;
/// only x's shape is looked at.
///
/// upstream: of x's shape. It counts everywhere: where the mask drops, the sum so far stands in the
/// result. Throws as masked_cumsum, and std::invalid_argument where upstream has another shape.
///
///     xt::xarray<float> dx = xmask::masked_cumsum_gradient(x, m, dy, -1);
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumsum_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        constexpr const char* function = "masked_cumsum_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        using wide = detail::sum_t<element>;
        const xt::xarray<wide> u = upstream;
        auto result = xt::xarray<element>::from_shape(x.shape());
        detail::for_each_backwards<wide>(
            detail::line_layout(x.shape(), along),
            [&](wide& sum, std::size_t at, std::size_t /*k*/) {
                sum += u.data()[at];
                result.data()[at] = static_cast<element>(sum);
            }
        );
        multiply_inplace(result, m);
        return result;
    }
}

/// The same of masked_cumprod: each element gets the sum, from it on, of upstream times the product
/// of the others so far; right where some of them are 0, too. Holds three arrays of doubles of x's
/// shape.
///
///     xt::xarray<float> dx = xmask::masked_cumprod_gradient(x, m, dy, -1);
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumprod_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        using wide = detail::sum_t<element>;
        constexpr const char* function = "masked_cumprod_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        // What is dropped is a factor of 1.
        const xt::xarray<wide> factors = masked_fill(x, m, element(1));
        const xt::xarray<wide> u = upstream;
        const auto products =
            detail::accumulate_along(function, detail::product_fold<wide>(), factors, m, axis);
        auto result = xt::xarray<element>::from_shape(x.shape());
        const detail::line_layout lines(x.shape(), along);
        // What stands behind an element: its upstream, and what follows times the factors between.
        detail::for_each_backwards<wide>(lines, [&](wide& behind, std::size_t at, std::size_t k) {
            behind += u.data()[at];
            const wide before = k == 0 ? wide(1) : products.data()[at - lines.inner];
            result.data()[at] = static_cast<element>(before * behind);
            behind *= factors.data()[at];
        });
        multiply_inplace(result, m);
        return result;
    }
}
} // namespace xmask::inline XMASK_ABI
