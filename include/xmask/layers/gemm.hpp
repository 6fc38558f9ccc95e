// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <complex> // xtensor-blas uses it and does not include it
#include <cstddef>

#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/cxxblas.cxx>

#include "../core/abi.hpp"

/// @file
/// The only file that names xtensor-blas: the product of matrices as they lie in memory.

namespace xmask::inline XMASK_ABI::detail {
/// Whether a factor is transposed.
enum class turned : bool { no, yes };

/// A row-major matrix in memory: rows lie `stride` elements apart.
template <class T>
struct matrix_view {
    T* first;
    std::size_t stride;

    [[nodiscard]] T* row(std::size_t r) const noexcept { return first + r * stride; }

    /// Without the first r rows.
    [[nodiscard]] matrix_view from(std::size_t r) const noexcept { return {row(r), stride}; }
};

/// C = alpha A B + beta C. C is (m, n); A and B, transposed where `turned` says so, are (m, k) and
/// (k, n). T is float or double.
template <class T>
void gemm(
    turned turn_a, turned turn_b, std::size_t m, std::size_t n, std::size_t k, T alpha,
    matrix_view<const T> a, matrix_view<const T> b, T beta, matrix_view<T> c
) {
    using index = xt::blas_index_t;
    if (m == 0 || n == 0) {
        return;
    }
    const auto number = [](std::size_t x) {
        return static_cast<index>(std::max<std::size_t>(x, 1));
    };
    const auto transpose = [](turned t) {
        return t == turned::yes ? cxxblas::Trans : cxxblas::NoTrans;
    };
    cxxblas::gemm<index>(
        cxxblas::RowMajor, transpose(turn_a), transpose(turn_b), static_cast<index>(m),
        static_cast<index>(n), static_cast<index>(k), alpha, a.first, number(a.stride), b.first,
        number(b.stride), beta, c.first, number(c.stride)
    );
}
} // namespace xmask::inline XMASK_ABI::detail
