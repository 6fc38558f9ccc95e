// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include "../core/assign.hpp"
#include "../core/block.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/xtensor.hpp"
#include "gemm.hpp"

/// @file
/// Tensors as stacks of matrices that a matrix product reads in place, and products that don't see
/// what is dropped.

namespace xmask::inline XMASK_ABI::detail {
/// All axes but the last `count`.
template <class S>
any_shape without_last(const S& shape, std::size_t count) {
    any_shape result(shape.size() - count);
    for (std::size_t axis = 0; axis < result.size(); ++axis) {
        result[axis] = static_cast<std::size_t>(shape[axis]);
    }
    return result;
}

/// The matrices of the last two axes, numbered by the leading axes that are walked, into which
/// those of the tensor broadcast.
template <class T>
class matrix_stack {
public:
    /// Where e's matrices lie in memory as T, row by row, they are read there; otherwise e is
    /// copied.
    template <class E>
    matrix_stack(E& e, const any_shape& leading) {
        if constexpr (has_memory<E> &&
                      std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::remove_cv_t<T>>) {
            if (lies_in_rows(e)) {
                place(e.data() + e.data_offset(), e.shape(), e.strides(), leading);
                return;
            }
        }
        if constexpr (std::is_const_v<T>) {
            m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
            assign_rows(m_copy, e);
            place(m_copy.data(), m_copy.shape(), m_copy.strides(), leading);
        }
    }

    matrix_stack(const matrix_stack&) = delete;
    matrix_stack& operator=(const matrix_stack&) = delete;

    [[nodiscard]] block_of<T> operator[](std::size_t matrix) const noexcept {
        return {m_data + m_offsets(matrix), m_stride};
    }

    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

private:
    template <class E>
    static bool lies_in_rows(const E& e) {
        const std::size_t rank = e.dimension();
        const auto rows = static_cast<std::size_t>(e.shape()[rank - 2]);
        const auto columns = static_cast<std::size_t>(e.shape()[rank - 1]);
        const auto stride = static_cast<std::ptrdiff_t>(e.strides()[rank - 2]);
        const bool side_by_side = columns <= 1 || e.strides()[rank - 1] == 1;
        const bool one_by_one =
            stride >= static_cast<std::ptrdiff_t>(columns) &&
            stride <= static_cast<std::ptrdiff_t>(std::numeric_limits<xt::blas_index_t>::max());
        return side_by_side && (rows <= 1 || one_by_one);
    }

    template <class S, class D>
    void place(T* data, const S& shape, const D& strides, const any_shape& leading) {
        const std::size_t rank = shape.size();
        m_data = data;
        m_rows = static_cast<std::size_t>(shape[rank - 2]);
        m_columns = static_cast<std::size_t>(shape[rank - 1]);
        m_stride = m_rows <= 1 ? m_columns : static_cast<std::size_t>(strides[rank - 2]);
        // The rows that are numbered are matrices here.
        m_offsets =
            row_offsets(append_axis(leading, 1), append_axis(without_last(shape, 2), 1), strides);
    }

    xt::xarray<std::remove_cv_t<T>, xt::layout_type::row_major> m_copy;
    T* m_data = nullptr;
    std::size_t m_rows = 0;
    std::size_t m_columns = 0;
    std::size_t m_stride = 0;
    row_offsets m_offsets;
};

/// Rows of a matrix, and which of them hold NaN or an infinity: those times a weight of 0 are not
/// 0.
template <class T>
class factor_rows {
public:
    void look(block_of<const T> rows, std::size_t count, std::size_t columns) {
        m_rows = rows;
        m_bad.clear();
        if (all_finite(count, columns)) [[likely]] {
            return;
        }
        m_bad.resize(count);
        for (std::size_t r = 0; r < count; ++r) {
            m_bad[r] = std::any_of(row(r), row(r) + columns, [](T x) { return !std::isfinite(x); });
        }
    }

    [[nodiscard]] const T* row(std::size_t r) const noexcept {
        return m_rows.first + r * m_rows.stride;
    }

    [[nodiscard]] block_of<const T> block(std::size_t first) const noexcept {
        return {row(first), m_rows.stride};
    }

    /// Of rows that are not all finite.
    [[nodiscard]] bool bad(std::size_t r) const noexcept { return m_bad[r] != 0; }

    [[nodiscard]] bool any_bad(std::size_t first, std::size_t count) const noexcept {
        bool any = false;
        for (std::size_t r = first; !m_bad.empty() && r < first + count; ++r) {
            any |= bad(r);
        }
        return any;
    }

private:
    /// Sums of what is 0 times each element: NaN where one is not finite.
    [[nodiscard]] bool all_finite(std::size_t count, std::size_t columns) const {
        T sum(0);
        if constexpr (has_lanes<T>) {
            auto sums = lanes<T>(T(0));
            const auto zero = lanes<T>(T(0));
            for (std::size_t r = 0; r < count; ++r) {
                for_each_register<T>(columns, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    sums = xsimd::fma(
                        load_register<full>(memory_block<T>(row(r)), k, columns - k), zero, sums
                    );
                });
            }
            sum = xsimd::reduce_add(sums);
        } else {
            for (std::size_t r = 0; r < count; ++r) {
                std::for_each(row(r), row(r) + columns, [&](T x) { sum += x * T(0); });
            }
        }
        return sum == T(0);
    }

    block_of<const T> m_rows{};
    std::vector<unsigned char> m_bad; // empty where all rows are finite
};
} // namespace xmask::inline XMASK_ABI::detail
