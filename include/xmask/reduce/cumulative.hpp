// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

#include "../core/axes.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "options.hpp"
#include "product.hpp"

/// @file
/// Running sums and products of what a mask keeps.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// Writes the state after each column of one row: of one state that goes along the row, or of each column's own.
        template <bool Along, class R, class Fold, class Row>
        void accumulate_row(const Fold& fold, Row& row, typename Fold::state* states, R* to, std::size_t n)
        {
            for_each_block(row, n, [&](std::size_t c, auto count) {
                const word_t bits = row.cursor().word(c) & first_bits(count);
                auto* state = Along ? states : states + c;
                if (bits == 0)
                {
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        to[c + k] = static_cast<R>(state[Along ? 0 : k]);
                    }
                    return;
                }
                const auto block = row.read(c, count, bits);
                for (std::size_t k = 0; k < count; ++k)
                {
                    auto& one = state[Along ? 0 : k];
                    if ((bits >> k & 1) != 0)
                    {
                        fold.add(one, block.value(k));
                    }
                    to[c + k] = static_cast<R>(one);
                }
            });
        }

        template <class Fold, class X, class M, class A>
        auto accumulate_along(const char* function, const Fold& fold, const X& x, const M& m, A axis)
        {
            using element = element_t<X>;
            using result_type = sum_result_t<element>;
            const kept_axes axes(function, x.shape(), axis);
            const auto rows = masked_rows<element>(function, x, m);
            auto result = xt::xarray<result_type>::from_shape(x.shape());
            std::vector<typename Fold::state> states(axes.size(), fold.start());
            const std::size_t n = columns_of(x.shape());
            const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
            // In the order of rows, each position meets its elements in the order of the axis.
            for (std::size_t r = 0; r < row_count; ++r)
            {
                auto row = rows.row(r);
                auto* at = states.data() + axes.offset(r);
                result_type* to = result.data() + r * n;
                axes.keeps_last() ? accumulate_row<false>(fold, row, at, to, n) : accumulate_row<true>(fold, row, at, to, n);
            }
            return result;
        }
    }

    /// The running sums of x along one axis, of what the mask keeps: what it drops adds nothing, and the sum so far stands
    /// there, as in a running sum of multiply(x, m).
    ///
    /// x: a tensor or lazy expression of numbers. Returns an array of x's shape and type, of 64-bit integers for integers
    /// and bool; real elements are added in double. Throws std::invalid_argument where the mask does not broadcast into x,
    /// std::out_of_range for an axis that x does not have. One pass.
    ///
    ///     xt::xarray<std::int64_t> position = xmask::masked_cumsum(xt::ones_like(tokens), m, -1) - 1;
    template <class X, class M, std::integral A>
    auto masked_cumsum(const X& x, const M& m, A axis)
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            return detail::accumulate_along("masked_cumsum", detail::sum_fold<detail::element_t<X>>(), x, m, axis);
        }
    }

    /// The running products of x along one axis, of what the mask keeps: what it drops changes nothing, and the product so
    /// far (1 at first) stands there. Otherwise as masked_cumsum.
    ///
    ///     xt::xarray<float> survival = xmask::masked_cumprod(1.f - hazard, m, -1);
    template <class X, class M, std::integral A>
    auto masked_cumprod(const X& x, const M& m, A axis)
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            return detail::accumulate_along("masked_cumprod", detail::product_fold<detail::element_t<X>>(), x, m, axis);
        }
    }
}
