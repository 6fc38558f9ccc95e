// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "options.hpp"

/// @file
/// Products of what a mask keeps.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// Multiplies in double, or in 64-bit integers, which wrap around.
        template <class T>
        struct product_fold
        {
            using state = sum_t<T>;
            static constexpr bool in_registers = sums_in_registers<T>;

            struct registers
            {
                std::array<lanes<double>, 2> products;
            };

            [[nodiscard]] state start() const noexcept
            {
                return 1;
            }

            void add(state& to, T x) const noexcept
            {
                merge(to, static_cast<state>(x));
            }

            void merge(state& to, state other) const noexcept
            {
                if constexpr (std::is_same_v<state, std::int64_t>)
                {
                    to = static_cast<state>(static_cast<std::uint64_t>(to) * static_cast<std::uint64_t>(other));
                }
                else
                {
                    to *= other;
                }
            }

            [[nodiscard]] registers start_registers() const noexcept
            {
                return {{lanes<double>(1.), lanes<double>(1.)}};
            }

            XMASK_INLINE void add(registers& to, const lanes<T>& x) const noexcept
            {
                if constexpr (std::is_same_v<T, float>)
                {
                    const auto wide = widen(x);
                    to.products[0] *= wide[0];
                    to.products[1] *= wide[1];
                }
                else
                {
                    to.products[0] *= x;
                }
            }

            [[nodiscard]] double total(const registers& from) const noexcept
            {
                std::array<double, lane_count<double>> each;
                store_lanes(each.data(), from.products[0] * from.products[1]);
                double product = 1;
                for (const double one : each)
                {
                    product *= one;
                }
                return product;
            }

            [[nodiscard]] auto neutral() const noexcept
            {
                return lanes<T>(T(1));
            }

            XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept
            {
                if constexpr (std::is_same_v<T, float>)
                {
                    const auto wide = widen(x);
                    store_lanes(to, load_lanes(to) * wide[0]);
                    store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) * wide[1]);
                }
                else
                {
                    store_lanes(to, load_lanes(to) * x);
                }
            }
        };
    }

    /// The product of what the mask keeps, 1 where that is nothing.
    ///
    /// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and bool, which wrap
    /// around; real elements are multiplied in double. Throws std::invalid_argument where the mask does not broadcast
    /// into x. One pass over what is kept.
    ///
    ///     float all = xmask::masked_prod(x, xmask::keep_not_equal(x, 0));
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_prod(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            return detail::fold_to_number<detail::sum_result_t<element>>(
                "masked_prod", x, m, detail::product_fold<element>(), detail::to_options<reduce_options>(options)
            );
        }
    }

    /// The products along `axes`, one for each position of the axes that stay.
    ///
    ///     xt::xarray<float> rows = xmask::masked_prod(x, m, -1);
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_prod(const X& x, const M& m, const detail::axes_list& axes, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            using element = detail::element_t<X>;
            return detail::fold_to_axes<detail::sum_result_t<element>>(
                "masked_prod", x, m, axes, detail::product_fold<element>(), detail::to_options<reduce_options>(options)
            );
        }
    }
}
