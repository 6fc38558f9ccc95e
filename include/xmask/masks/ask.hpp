// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"

/// @file
/// Questions to a mask: how much does it keep?

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// How many columns a row keeps; only its extent is looked at.
        template <row_cursor C>
        std::size_t count_row(const C& cursor, std::size_t n)
        {
            const column_range kept = cursor.extent();
            std::size_t count = 0;
            for (std::size_t c = kept.begin; c < kept.end && c < n; c += word_columns)
            {
                count += count_bits(cursor.word(c));
            }
            return count;
        }
    }

    /// The number of elements that the mask keeps. Looks at each row's extent only, 64 columns at a time.
    ///
    ///     std::size_t tokens = xmask::count_kept(xmask::keep_lengths({3, 1}, 4));    // 4
    template <class M>
    std::size_t count_kept(const M& m)
    {
        std::size_t count = 0;
        if constexpr (detail::require_mask<M>())
        {
            const std::size_t n = detail::columns_of(m.shape());
            const std::size_t row_count = n == 0 ? 0 : detail::rows_of(m.shape());
            const detail::mask_rows<M> rows(m, m.shape());
            if (row_count != 0 && detail::worth_flat(rows.form(), n))
            {
                return detail::count_row(rows.flat(), row_count * n);
            }
            for (std::size_t r = 0; r < row_count; ++r)
            {
                count += detail::count_row(rows.row(r), n);
            }
        }
        return count;
    }

    /// The share of elements that the mask keeps, 0 to 1; NaN for a mask without elements.
    template <class M>
    double density(const M& m)
    {
        double share = std::numeric_limits<double>::quiet_NaN();
        if constexpr (detail::require_mask<M>())
        {
            if (m.size() != 0)
            {
                share = static_cast<double>(count_kept(m)) / static_cast<double>(m.size());
            }
        }
        return share;
    }
}
