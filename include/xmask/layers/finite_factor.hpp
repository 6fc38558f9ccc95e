// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "../core/block.hpp"
#include "../core/row.hpp"
#include "../core/simd.hpp"
#include "gemm.hpp"

/// @file
/// The rule for NaN and infinities in matrix products with weights that a mask drops.

namespace xmask::inline XMASK_ABI::detail {
/// Rows that are multiplied by masked weights: dropped weights are 0.
///
/// NaN and infinities times 0 are NaN. The matrix product takes 0 in their place. Products with
/// kept weights are put into its result afterwards, so that dropped elements change no bit.
template <class T>
class finite_factor {
public:
    /// Looks at all elements. The rows must stay as they are while products are made.
    void look(matrix_view<const T> rows, std::size_t count, std::size_t columns) {
        m_rows = rows;
        m_columns = columns;
        m_bad.clear();
        if (all_finite(count)) [[likely]] {
            return;
        }
        m_bad.resize(count);
        for (std::size_t r = 0; r < count; ++r) {
            m_bad[r] = std::any_of(row(r), row(r) + columns, [](T x) { return !std::isfinite(x); });
        }
    }

    [[nodiscard]] const T* row(std::size_t r) const noexcept { return m_rows.row(r); }

    /// Row `first` and all later rows, unchanged.
    [[nodiscard]] matrix_view<const T> rows_from(std::size_t first) const noexcept {
        return m_rows.from(first);
    }

    /// Calls product(view) with rows [first, first + count), in which 0 replaces NaN and
    /// infinities, then add(r) for each of these rows that has some.
    template <class F, class G>
    void multiply(std::size_t first, std::size_t count, F&& product, G&& add) {
        if (!any_bad(first, count)) [[likely]] {
            product(rows_from(first));
            return;
        }
        m_clean.resize(count * m_columns);
        for (std::size_t r = 0; r < count; ++r) {
            std::transform(
                row(first + r), row(first + r) + m_columns, m_clean.data() + r * m_columns,
                [](T x) { return std::isfinite(x) ? x : T(0); }
            );
        }
        product(matrix_view<const T>{m_clean.data(), m_columns});
        for (std::size_t r = first; r < first + count; ++r) {
            if (m_bad[r] != 0) {
                add(r);
            }
        }
    }

private:
    [[nodiscard]] bool any_bad(std::size_t first, std::size_t count) const noexcept {
        bool any = false;
        for (std::size_t r = first; !m_bad.empty() && r < first + count; ++r) {
            any |= m_bad[r] != 0;
        }
        return any;
    }

    /// Adds up each element times 0: the sum is NaN where one is not finite.
    [[nodiscard]] bool all_finite(std::size_t count) const {
        T sum(0);
        if constexpr (has_lanes<T>) {
            auto sums = lanes<T>(T(0));
            const auto zero = lanes<T>(T(0));
            for (std::size_t r = 0; r < count; ++r) {
                for_each_register<T>(m_columns, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    sums = xsimd::fma(
                        load_register<full>(memory_block<T>(row(r)), k, m_columns - k), zero, sums
                    );
                });
            }
            sum = xsimd::reduce_add(sums);
        } else {
            for (std::size_t r = 0; r < count; ++r) {
                std::for_each(row(r), row(r) + m_columns, [&](T x) { sum += x * T(0); });
            }
        }
        return sum == T(0);
    }

    matrix_view<const T> m_rows{};
    std::size_t m_columns = 0;
    std::vector<unsigned char> m_bad; // empty where all rows are finite
    std::vector<T> m_clean;
};

/// Adds the products of a weight and those elements of a row that are not finite.
template <class T>
void add_not_finite(T* to, T weight, const T* row, std::size_t columns) {
    for (std::size_t c = 0; c < columns; ++c) {
        if (!std::isfinite(row[c])) {
            to[c] += weight * row[c];
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail
