// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "element_sum.hpp"
#include "loss.hpp"

/// @file
/// Sums and means over what a mask keeps: of everything, or along axes.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// The type of a sum: a real operand's own, 64 bits for integers, which would overflow theirs.
        template <class T>
        using sum_result_t = std::conditional_t<std::is_floating_point_v<T>, T, sum_t<T>>;

        /// The type of a mean: a real operand's own, double for integers.
        template <class T>
        using mean_result_t = std::conditional_t<std::is_floating_point_v<T>, T, double>;

        template <class X, class M>
        consteval bool require_summable()
        {
            constexpr bool numbers = [] {
                if constexpr (expression<X>)
                {
                    return std::is_arithmetic_v<std::remove_cv_t<value_type_t<X>>>;
                }
                else
                {
                    return false;
                }
            }();
            static_assert(numbers, "xmask: sums and means are of a tensor (or lazy expression) of numbers.");
            if constexpr (numbers && require_mask_or_weights<M>())
            {
                constexpr bool weighable = mask_expression<M> || std::is_floating_point_v<value_type_t<X>>;
                static_assert(weighable, "xmask: real weights go with a tensor of real numbers; convert the tensor first.");
                return weighable;
            }
            else
            {
                return false;
            }
        }

        /// The sum and the weight at each position of the axes that stay.
        template <class T>
        struct axis_sums
        {
            std::vector<sum_t<T>> sum;
            std::vector<double> weight;
        };

        template <class T, class Terms>
        void add_columns(Terms& row, sum_t<T>* sum, double* weight)
        {
            for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
                const auto terms = row.read(c, count, bits);
                if (bits == ~word_t(0))
                {
                    for (std::size_t k = 0; k < word_columns; ++k)
                    {
                        sum[c + k] += static_cast<sum_t<T>>(terms.value(k));
                        weight[c + k] += 1;
                    }
                    return;
                }
                for (; bits != 0; bits &= bits - 1)
                {
                    const std::size_t k = lowest_bit(bits);
                    sum[c + k] += static_cast<sum_t<T>>(terms.value(k));
                    weight[c + k] += 1;
                }
            });
        }

        /// Adds what a row keeps to its position, or, where the last axis stays, column by column.
        template <class T, class S, class Rows>
        axis_sums<T> sum_along(const S& shape, const kept_axes& axes, const Rows& rows)
        {
            axis_sums<T> result{std::vector<sum_t<T>>(axes.size()), std::vector<double>(axes.size())};
            const std::size_t n = columns_of(shape);
            const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
            for (std::size_t r = 0; r < row_count; ++r)
            {
                auto row = rows.row(r);
                const std::size_t at = axes.offset(r);
                if (axes.keeps_last())
                {
                    add_columns<T>(row, result.sum.data() + at, result.weight.data() + at);
                    continue;
                }
                term_sum<T> sum;
                for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    row.add(sum, row.read(c, count, bits), count, bits);
                });
                const auto total = sum.total();
                result.sum[at] += total.sum;
                result.weight[at] += total.weight;
            }
            return result;
        }

        template <class T, class X, class M>
        axis_sums<T> sum_along(const char* function, const X& x, const M& m, const kept_axes& axes)
        {
            const auto& shape = x.shape();
            require_broadcast(function, mask_expression<M> ? "a mask" : "weights", m.shape(), shape);
            if constexpr (mask_expression<M>)
            {
                return sum_along<T>(
                    shape, axes, make_terms<T>(identity(), columns_of(shape), mask_rows<M>(m, shape), make_operand<T>(x, shape))
                );
            }
            else
            {
                const whole_rows all(shape);
                auto result = sum_along<T>(
                    shape, axes,
                    make_terms<T>(weighted<identity>(), columns_of(shape), all, make_operand<T>(m, shape), make_operand<T>(x, shape))
                );
                const auto weight = sum_along<T>(shape, axes, make_terms<T>(identity(), columns_of(shape), all, make_operand<T>(m, shape)));
                result.weight.assign(weight.sum.begin(), weight.sum.end());
                return result;
            }
        }

        template <class T, class X, class M, class A>
        auto masked_sum_along(const X& x, const M& m, const A& axes)
        {
            const kept_axes kept("masked_sum", x.shape(), axes);
            const auto sums = sum_along<T>("masked_sum", x, m, kept);
            auto result = xt::xarray<sum_result_t<T>>::from_shape(kept.shape());
            std::ranges::transform(sums.sum, result.data(), [](auto sum) { return static_cast<sum_result_t<T>>(sum); });
            return result;
        }

        template <class T, class X, class M, class A>
        auto masked_mean_along(const X& x, const M& m, const A& axes, when_empty empty)
        {
            const kept_axes kept("masked_mean", x.shape(), axes);
            const auto sums = sum_along<T>("masked_mean", x, m, kept);
            auto result = xt::xarray<mean_result_t<T>>::from_shape(kept.shape());
            for (std::size_t i = 0; i < kept.size(); ++i)
            {
                const double mean = mean_of("masked_mean", static_cast<double>(sums.sum[i]), sums.weight[i], empty);
                result.data()[i] = static_cast<mean_result_t<T>>(mean);
            }
            return result;
        }
    }

    /// The sum of what the mask keeps, 0 where that is nothing; or the sum of x times real weights.
    ///
    /// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and bool. Real
    /// elements are added in double: for floats of any number the error is below 1e-7 of the sum of their magnitudes.
    /// Throws std::invalid_argument where the mask does not broadcast into x. One pass over what is kept.
    ///
    ///     float total = xmask::masked_sum(x, xmask::keep_above(x, 0));
    template <class X, class M>
    auto masked_sum(const X& x, const M& m)
    {
        if constexpr (detail::require_summable<X, M>())
        {
            using element = std::remove_cv_t<value_type_t<X>>;
            const auto total = detail::element_sum<element>("masked_sum", detail::identity(), m, detail::no_gradient(), x);
            return static_cast<detail::sum_result_t<element>>(total.sum);
        }
    }

    /// The sums along `axes` (a number or a list, negative ones counted from the end), one for each position of the
    /// axes that stay. Throws std::out_of_range for an axis that x does not have. Otherwise as above.
    ///
    ///     xt::xarray<float> rows = xmask::masked_sum(x, m, -1);
    template <class X, class M, detail::axes_argument A>
    auto masked_sum(const X& x, const M& m, const A& axes)
    {
        if constexpr (detail::require_summable<X, M>())
        {
            return detail::masked_sum_along<std::remove_cv_t<value_type_t<X>>>(x, m, axes);
        }
    }

    template <class X, class M>
    auto masked_sum(const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes)
    {
        return masked_sum(x, m, std::vector<std::ptrdiff_t>(axes));
    }

    /// The mean of what the mask keeps, or the mean by real weights. Where nothing is kept (or the weights sum to 0):
    /// NaN, 0, or std::domain_error, as `empty` says. Returns x's type, or double for integers. Otherwise as masked_sum.
    ///
    ///     double mean = xmask::masked_mean(x, m, xmask::when_empty::zero);
    template <class X, class M>
    auto masked_mean(const X& x, const M& m, when_empty empty = when_empty::nan)
    {
        if constexpr (detail::require_summable<X, M>())
        {
            using element = std::remove_cv_t<value_type_t<X>>;
            const auto total = detail::element_sum<element>("masked_mean", detail::identity(), m, detail::no_gradient(), x);
            const double mean = detail::mean_of("masked_mean", static_cast<double>(total.sum), total.weight, empty);
            return static_cast<detail::mean_result_t<element>>(mean);
        }
    }

    /// The means along `axes`, one for each position of the axes that stay.
    ///
    ///     xt::xarray<float> pooled = xmask::masked_mean(logits, xmask::unsqueeze(m, -1), 1);    // over tokens
    template <class X, class M, detail::axes_argument A>
    auto masked_mean(const X& x, const M& m, const A& axes, when_empty empty = when_empty::nan)
    {
        if constexpr (detail::require_summable<X, M>())
        {
            return detail::masked_mean_along<std::remove_cv_t<value_type_t<X>>>(x, m, axes, empty);
        }
    }

    template <class X, class M>
    auto masked_mean(const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, when_empty empty = when_empty::nan)
    {
        return masked_mean(x, m, std::vector<std::ptrdiff_t>(axes), empty);
    }
}
