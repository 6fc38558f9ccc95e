// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "../apply/multiply.hpp"
#include "../core/assign.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/xtensor.hpp"
#include "finite_factor.hpp"
#include "gemm.hpp"
#include "matrix_stack.hpp"

/// @file
/// The weights of a masked linear layer, and products with them.

namespace xmask::inline XMASK_ABI::detail {
/// The weights of a layer with its mask or gate applied. Weights that a mask drops have no
/// influence on products, whatever they meet; a gate drops nothing.
template <class T, class M>
class layer_weights {
public:
    template <class W>
    layer_weights(const W& weight, const M& m)
        : m_mask(m)
        , m_out(static_cast<std::size_t>(weight.shape()[0]))
        , m_in(static_cast<std::size_t>(weight.shape()[1])) {
        m_weights.resize({m_out, m_in});
        assign_rows(m_weights, multiply(weight, m));
    }

    /// y = x weights^T + bias, of rows of `in` and of `out` numbers.
    void forward(const matrix_stack<const T>& x, const T* bias, T* y) const {
        for (std::size_t r = 0; r < x.rows(); ++r) {
            std::copy_n(bias, m_out, y + r * m_out);
        }
        product(x, turned::yes, bias, T(1), {y, m_out}, [](std::size_t out, std::size_t in) {
            return std::pair(in, out);
        });
    }

    /// by_x = upstream weights.
    void backward(const matrix_stack<const T>& upstream, T* by_x) const {
        const std::vector<T> zeros(m_in);
        product(
            upstream, turned::no, zeros.data(), T(0), {by_x, m_in},
            [](std::size_t out, std::size_t in) { return std::pair(out, in); }
        );
    }

private:
    /// to = x weights + beta to, where each row of beta to is `start`. ends(out, in) gives the
    /// column of x that a weight takes, and the column of `to` to which it adds.
    template <class F>
    void product(
        const matrix_stack<const T>& x, turned turn, const T* start, T beta, matrix_view<T> to,
        F&& ends
    ) const {
        const auto multiply_by = [&](matrix_view<const T> rows) {
            gemm<T>(
                turned::no, turn, x.rows(), to.stride, x.columns(), T(1), rows,
                {m_weights.data(), m_in}, beta, to
            );
        };
        if constexpr (mask_expression<M>) {
            finite_factor<T> factor;
            factor.look(x[0], x.rows(), x.columns());
            factor.multiply(0, x.rows(), multiply_by, [&](std::size_t r) {
                compute_again(factor.row(r), start, to.row(r), ends);
            });
        } else {
            multiply_by(x[0]);
        }
    }

    /// Computes again the results of a row to which its NaN and infinities are added. They cannot
    /// be added afterwards: a weight may be infinite, and the product took 0 times that.
    template <class F>
    void compute_again(const T* row, const T* start, T* to, F&& ends) const {
        std::vector<char> again(std::max(m_in, m_out));
        for_each_kept([&](std::size_t out, std::size_t in) {
            const auto [from, at] = ends(out, in);
            if (!std::isfinite(row[from])) {
                again[at] = 1;
                to[at] = start[at];
            }
        });
        for_each_kept([&](std::size_t out, std::size_t in) {
            const auto [from, at] = ends(out, in);
            if (again[at] != 0) {
                to[at] += row[from] * m_weights(out, in);
            }
        });
    }

    /// Calls f(out, in) for each weight that the mask keeps.
    template <class F>
    void for_each_kept(F&& f) const {
        const mask_rows<M> rows(m_mask, m_weights.shape());
        for (std::size_t j = 0; j < m_out; ++j) {
            for_each_kept_block(
                rows.row(j), 0, m_in,
                [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                    for (; bits != 0; bits &= bits - 1) {
                        f(j, c + lowest_bit(bits));
                    }
                }
            );
        }
    }

    xt::xtensor<T, 2, xt::layout_type::row_major> m_weights;
    const M& m_mask;
    std::size_t m_out;
    std::size_t m_in;
};
} // namespace xmask::inline XMASK_ABI::detail
