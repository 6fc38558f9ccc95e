// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "options.hpp"

/// @file
/// Medians and quantiles of what a mask keeps.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// What is kept, side by side for each position of the axes that stay.
        template <class T>
        class kept_elements
        {
            using value = lane_t<T>;

        public:

            template <class X, class M>
            kept_elements(const char* function, const X& x, const M& m, const kept_axes& axes)
                : m_begins(axes.size() + 1)
            {
                const auto rows = masked_rows<T>(function, x, m);
                const auto counts = count_rows(x.shape(), m, axes);
                std::partial_sum(counts.begin(), counts.end(), m_begins.begin() + 1);
                m_values.resize(m_begins.back());
                std::vector<std::size_t> next(m_begins.begin(), m_begins.end() - 1);
                const std::size_t n = columns_of(x.shape());
                const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
                for (std::size_t r = 0; r < row_count; ++r)
                {
                    auto row = rows.row(r);
                    std::size_t* to = next.data() + axes.offset(r);
                    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
                        const auto block = row.read(c, count, bits);
                        for (; bits != 0; bits &= bits - 1)
                        {
                            const std::size_t k = lowest_bit(bits);
                            m_values[to[axes.keeps_last() ? c + k : 0]++] = static_cast<value>(block.value(k));
                        }
                    });
                }
            }

            /// Those of position i, in any order.
            [[nodiscard]] std::span<value> at(std::size_t i)
            {
                return {m_values.data() + m_begins[i], m_begins[i + 1] - m_begins[i]};
            }

        private:

            std::vector<std::size_t> m_begins;
            std::vector<value> m_values;
        };

        template <class T>
        bool holds_nan(std::span<T> values)
        {
            return std::ranges::any_of(values, [](T x) { return is_nan(x); });
        }

        /// The element of rank k, as if the values were sorted; they are reordered.
        template <class T>
        T of_rank(std::span<T> values, std::size_t k)
        {
            std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(k));
            return values[k];
        }

        template <class R, class T>
        R median_of(const char* function, std::span<T> values, const reduce_options& options)
        {
            if (values.empty())
            {
                return when_nothing_kept<R>(function, options.empty);
            }
            if constexpr (std::is_floating_point_v<R>)
            {
                if (holds_nan(values))
                {
                    return std::numeric_limits<R>::quiet_NaN();
                }
            }
            return static_cast<R>(of_rank(values, (values.size() - 1) / 2));
        }

        template <class R, class T>
        R quantile_of(const char* function, std::span<T> values, double q, const reduce_options& options)
        {
            using wide = wide_t<R>;
            if (values.empty())
            {
                return when_nothing_kept<R>(function, options.empty);
            }
            if (holds_nan(values))
            {
                return std::numeric_limits<R>::quiet_NaN();
            }
            const double rank = q * static_cast<double>(values.size() - 1);
            const auto below = static_cast<std::size_t>(rank);
            const auto share = static_cast<wide>(rank - static_cast<double>(below));
            const auto low = static_cast<wide>(of_rank(values, below));
            if (share == 0)
            {
                return static_cast<R>(low);
            }
            // What stands behind rank k is not smaller.
            const auto high = static_cast<wide>(*std::ranges::min_element(values.subspan(below + 1)));
            return static_cast<R>(low == high ? low : low + share * (high - low));
        }

        inline void require_share(const char* function, double q)
        {
            if (!(q >= 0 && q <= 1)) [[unlikely]]
            {
                throw_out_of_range(function, "q is ", q, "; expected a share in [0, 1]");
            }
        }
    }

    /// The median of what the mask keeps: of an even number of elements the lower of the middle two, as torch.median has
    /// it, so that it is one of them. NaN that is kept is the result.
    ///
    /// x: a tensor or lazy expression of numbers. Returns x's type. Where nothing is kept: NaN (of integers
    /// std::domain_error), 0, or std::domain_error, as the options say. Throws std::invalid_argument where the mask does
    /// not broadcast into x. What is kept is copied; then the time is in proportion to it.
    ///
    ///     float middle = xmask::masked_median(x, m);
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_median(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            const detail::kept_axes none("masked_median", x.shape(), detail::every_axis(x.dimension()));
            detail::kept_elements<element> kept("masked_median", x, m, none);
            return detail::median_of<element>("masked_median", kept.at(0), detail::to_options<reduce_options>(options));
        }
    }

    /// The medians along `axes`, one for each position of the axes that stay.
    ///
    ///     xt::xarray<float> rows = xmask::masked_median(x, m, -1);
    template <class X, class M, detail::axes_argument A, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_median(const X& x, const M& m, const A& axes, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            const auto chosen = detail::to_options<reduce_options>(options);
            const detail::kept_axes stay("masked_median", x.shape(), axes);
            detail::kept_elements<element> kept("masked_median", x, m, stay);
            return detail::make_result<element>(stay, chosen.keep_axes, [&](std::size_t i) {
                return detail::median_of<element>("masked_median", kept.at(i), chosen);
            });
        }
    }

    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_median(const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {})
    {
        return masked_median(x, m, std::vector<std::ptrdiff_t>(axes), options);
    }

    /// The quantile q of what the mask keeps, 0 <= q <= 1: the element of rank q (number kept - 1), or, between two ranks,
    /// on the line between their elements, as torch.quantile and NumPy have it. NaN that is kept is the result.
    ///
    /// Returns x's type, or double for integers. Throws std::out_of_range for another q. Where nothing is kept: NaN, 0, or
    /// std::domain_error, as the options say. Otherwise as masked_median.
    ///
    ///     float ninth = xmask::masked_quantile(x, m, 0.9);
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_quantile(const X& x, const M& m, double q, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            using result = detail::mean_result_t<element>;
            detail::require_share("masked_quantile", q);
            const detail::kept_axes none("masked_quantile", x.shape(), detail::every_axis(x.dimension()));
            detail::kept_elements<element> kept("masked_quantile", x, m, none);
            return detail::quantile_of<result>("masked_quantile", kept.at(0), q, detail::to_options<reduce_options>(options));
        }
    }

    /// The quantiles q along `axes`, one for each position of the axes that stay.
    ///
    ///     xt::xarray<float> rows = xmask::masked_quantile(x, m, 0.5, -1);
    template <class X, class M, detail::axes_argument A, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_quantile(const X& x, const M& m, double q, const A& axes, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            using result = detail::mean_result_t<element>;
            detail::require_share("masked_quantile", q);
            const auto chosen = detail::to_options<reduce_options>(options);
            const detail::kept_axes stay("masked_quantile", x.shape(), axes);
            detail::kept_elements<element> kept("masked_quantile", x, m, stay);
            return detail::make_result<result>(stay, chosen.keep_axes, [&](std::size_t i) {
                return detail::quantile_of<result>("masked_quantile", kept.at(i), q, chosen);
            });
        }
    }

    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_quantile(const X& x, const M& m, double q, std::initializer_list<std::ptrdiff_t> axes, const O& options = {})
    {
        return masked_quantile(x, m, q, std::vector<std::ptrdiff_t>(axes), options);
    }
}
