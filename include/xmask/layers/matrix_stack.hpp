// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/assign.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../core/xtensor.hpp"
#include "gemm.hpp"

/// @file
/// Tensors as matrices that a matrix product reads in place, and results that are computed beside
/// their targets.

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

/// The shape with another last axis.
template <class S>
any_shape with_columns(const S& shape, std::size_t columns) {
    any_shape result(shape.begin(), shape.end());
    result.back() = columns;
    return result;
}

/// The matrices of a tensor. Rows of T that lie one distance apart are read in place, those of any
/// other tensor are copied.
template <class T>
class matrix_stack {
public:
    /// The last two axes are matrices. They are numbered by the leading axes that are walked, into
    /// which those of the tensor broadcast.
    template <class E>
    matrix_stack(E& e, const any_shape& leading) {
        read(e, &leading);
    }

    /// One matrix of all rows.
    template <class E>
    explicit matrix_stack(E& e) {
        read(e, nullptr);
    }

    // The matrices may lie in m_copy.
    matrix_stack(const matrix_stack&) = delete;
    matrix_stack& operator=(const matrix_stack&) = delete;

    [[nodiscard]] matrix_view<T> operator[](std::size_t matrix) const noexcept {
        return {m_data + m_offsets(matrix), m_stride};
    }

    /// Extents of one matrix.
    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

private:
    template <class E>
    void read(E& e, const any_shape* leading) {
        if constexpr (has_memory<E> &&
                      std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::remove_cv_t<T>>) {
            if (place(e.shape(), e.strides(), leading)) {
                m_data = first_element(e);
                return;
            }
        }
        if constexpr (std::is_const_v<T>) {
            m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
            assign_rows(m_copy, e);
            place(m_copy.shape(), m_copy.strides(), leading);
            m_data = m_copy.data();
        }
    }

    /// Finds out how the matrices lie; false where a matrix product cannot read them so.
    template <class S, class D>
    bool place(const S& shape, const D& strides, const any_shape* leading) {
        const std::size_t rank = shape.size();
        std::ptrdiff_t stride = 0;
        bool one_distance = true;
        m_columns = columns_of(shape);
        if (leading != nullptr) {
            m_rows = static_cast<std::size_t>(shape[rank - 2]);
            stride = static_cast<std::ptrdiff_t>(strides[rank - 2]);
            // row_offsets numbers rows; the rows of these shapes are the matrices.
            m_offsets = row_offsets(
                append_axis(*leading, 1), append_axis(without_last(shape, 2), 1), strides
            );
        } else {
            m_rows = rows_of(shape);
            const row_offsets offsets(shape, shape, strides);
            stride = m_rows > 1 ? offsets(1) : 0;
            one_distance = offsets.uniform(static_cast<std::size_t>(stride));
        }
        m_stride = m_rows <= 1 ? m_columns : static_cast<std::size_t>(stride);
        const bool side_by_side = m_columns <= 1 || strides[rank - 1] == 1;
        const bool apart =
            one_distance && std::cmp_greater_equal(stride, m_columns) &&
            std::cmp_less_equal(stride, std::numeric_limits<xt::blas_index_t>::max());
        return side_by_side && (m_rows <= 1 || apart);
    }

    xt::xarray<std::remove_cv_t<T>, xt::layout_type::row_major> m_copy;
    T* m_data = nullptr;
    std::size_t m_rows = 0;
    std::size_t m_columns = 0;
    std::size_t m_stride = 0;
    row_offsets m_offsets;
};

/// A result that was computed beside its target, because the target may lie in an operand's memory.
template <class To, class From>
struct finished {
    const char* name;
    To& to;
    From& from;

    void resize(const char* function) const { resize_or_check(function, name, to, from.shape()); }

    /// Copies nothing where the types are the same.
    void hand_over() const {
        if constexpr (std::is_same_v<To, From>) {
            to = std::move(from);
        } else {
            assign_rows(to, from);
        }
    }
};

template <class To, class From>
finished(const char*, To&, From&) -> finished<To, From>; // for clang++ 16

/// Hands all results over. Throws std::invalid_argument before anything is written where a target
/// has another shape and cannot be resized.
template <class... R>
void hand_over(const char* function, const R&... results) {
    (results.resize(function), ...);
    (results.hand_over(), ...);
}
} // namespace xmask::inline XMASK_ABI::detail
