// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

#include "../apply/gate.hpp"
#include "../apply/multiply.hpp"
#include "../core/assign.hpp"
#include "../core/distinct.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../core/xtensor.hpp"
#include "gemm.hpp"
#include "linear_weights.hpp"
#include "matrix_stack.hpp"

/// @file
/// A linear layer whose weights are masked, or gated, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
struct is_sigmoid_gate : std::false_type {};

template <class CT>
struct is_sigmoid_gate<applied<gate_op<CT>>> : std::true_type {};

/// Whether all are tensors of one type that a BLAS has.
template <class X, class... E>
inline constexpr bool of_one_blas_type = [] {
    if constexpr (expression<X> && (expression<E> && ...)) {
        using T = std::remove_cv_t<value_type_t<X>>;
        return (std::is_same_v<T, float> || std::is_same_v<T, double>) &&
               (std::is_same_v<std::remove_cv_t<value_type_t<E>>, T> && ...);
    }
    return false;
}();

template <bool Fits, class... /*E*/>
struct linear_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a linear layer takes x, weight and bias, then the mask; the first three are tensors (or lazy expressions), all of float or all of double."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless all are tensors of one type that a BLAS has, and M
/// is a mask or a gate.
template <class M, class... E>
using require_linear =
    require_all<linear_tensors_expected<of_one_blas_type<E...>, E...>, require_mask_or_weights<M>>;

template <class X, class W, class M>
void require_linear_shapes(const char* function, const X& x, const W& weight, const M& m) {
    if (weight.dimension() != 2) [[unlikely]] {
        throw_invalid(
            function, "the weight has shape ", tuple_text(weight.shape()), "; expected (out, in)"
        );
    }
    if (x.dimension() == 0 || x.shape()[x.dimension() - 1] != weight.shape()[1]) [[unlikely]] {
        throw_invalid(
            function, "x has shape ", tuple_text(x.shape()), "; expected (..., ", weight.shape()[1],
            ") for a weight of shape ", tuple_text(weight.shape())
        );
    }
    require_broadcast(
        function, mask_expression<M> ? "a mask" : "a gate", m.shape(), weight.shape()
    );
}

/// The gradients of a layer, beside their targets: a target may lie in an operand's memory.
template <class T, class X, class W>
struct linear_slopes {
    row_major_copy_t<T, X> by_x;
    row_major_copy_t<T, W> product; ///< upstream^T x: by the weights after the mask
    xt::xtensor<T, 1> by_bias;
};

/// The sum of each column of a matrix.
template <class T>
xt::xtensor<T, 1> column_sums(const matrix_stack<const T>& matrix) {
    std::vector<double> sums(matrix.columns());
    for (std::size_t r = 0; r < matrix.rows(); ++r) {
        std::transform(sums.begin(), sums.end(), matrix[0].row(r), sums.begin(), std::plus<>());
    }
    auto result = xt::xtensor<T, 1>::from_shape({sums.size()});
    std::transform(sums.begin(), sums.end(), result.data(), [](double sum) {
        return static_cast<T>(sum);
    });
    return result;
}

template <class T, class X, class W, class M, class U>
linear_slopes<T, X, W> slopes_of_linear(
    const char* function, const X& x, const W& weight, const M& m, const U& upstream
) {
    linear_slopes<T, X, W> own;
    resize_or_check(function, "the gradient by x", own.by_x, x.shape());
    resize_or_check(function, "the gradient by the weight", own.product, weight.shape());
    const matrix_stack<const T> inputs(x);
    const matrix_stack<const T> slopes(upstream);
    gemm<T>(
        turned::yes, turned::no, slopes.columns(), inputs.columns(), slopes.rows(), T(1), slopes[0],
        inputs[0], T(0), {own.product.data(), inputs.columns()}
    );
    own.by_bias = column_sums(slopes);
    layer_weights<T, M>(weight, m).backward(slopes, own.by_x.data());
    return own;
}

/// Throws std::invalid_argument where shapes do not fit, or gradients share memory.
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void require_linear_gradient(
    const char* function, const X& x, const W& weight, const M& m, const U& upstream,
    const ToX& by_x, const ToW& by_weight, const ToB& by_bias
) {
    require_linear_shapes(function, x, weight, m);
    const any_shape expected = with_columns(x.shape(), static_cast<std::size_t>(weight.shape()[0]));
    if (!equal_shapes(upstream.shape(), expected)) [[unlikely]] {
        throw_invalid(
            function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
            "; expected ", tuple_text(expected)
        );
    }
    require_distinct(
        function, "the gradient by x", by_x, "the gradient by the weight", by_weight,
        "the gradient by the bias", by_bias
    );
}

/// The same for a gate, which has the weight's shape.
template <class W, class G, class ToX, class ToW, class ToB, class ToG>
void require_gate_gradient(
    const char* function, const W& weight, const G& gate, const ToX& by_x, const ToW& by_weight,
    const ToB& by_bias, const ToG& by_gate
) {
    if (!equal_shapes(gate.shape(), weight.shape())) [[unlikely]] {
        throw_invalid(
            function, "the gate has shape ", tuple_text(gate.shape()),
            "; expected that of the weight, ", tuple_text(weight.shape())
        );
    }
    const char* const name = "the gradient by the gate";
    require_distinct(function, "the gradient by x", by_x, name, by_gate);
    require_distinct(function, "the gradient by the weight", by_weight, name, by_gate);
    require_distinct(function, "the gradient by the bias", by_bias, name, by_gate);
}
} // namespace detail

/// A linear layer with masked weights: y = x (weight masked)^T + bias.
///
/// NaN and infinities in dropped weights, and those of x that only dropped weights would meet,
/// change no bit of the result.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}, {5, 6}};
///     xt::xtensor<float, 1> bias = {0, 10};
///     auto y = xmask::masked_linear(x, weight, bias, xmask::keep_above(weight, 3.5f));
///     // 8 27
///
/// @param x a tensor or lazy expression of float or double, of shape (..., in).
/// @param weight of the same type, of shape (out, in), as in PyTorch.
/// @param bias of the same type, of shape (out).
/// @param m a mask, or a gate of real numbers such as sigmoid_gate(z), that broadcasts into the
/// weight.
/// @returns a new row-major xt::xarray of shape (..., out).
/// @throws std::invalid_argument where shapes do not fit.
///
/// Cost: one matrix product by BLAS, and one pass over the weights into a copy.
template <class X, class W, class B, class M>
auto masked_linear(const X& x, const W& weight, const B& bias, const M& m) {
    if constexpr (detail::require_linear<M, X, W, B>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        detail::require_linear_shapes("masked_linear", x, weight, m);
        const auto out = static_cast<std::size_t>(weight.shape()[0]);
        if (bias.dimension() != 1 || bias.shape()[0] != weight.shape()[0]) [[unlikely]] {
            detail::throw_invalid(
                "masked_linear", "the bias has shape ", detail::tuple_text(bias.shape()),
                "; expected (", out, ",) for a weight of shape ", detail::tuple_text(weight.shape())
            );
        }
        auto y = xt::xarray<T, xt::layout_type::row_major>::from_shape(
            detail::with_columns(x.shape(), out)
        );
        const detail::matrix_stack<const T> biases(bias);
        detail::layer_weights<T, M>(weight, m).forward(
            detail::matrix_stack<const T>(x), biases[0].row(0), y.data()
        );
        return y;
    } else {
        return detail::refused();
    }
}

/// The gradients of masked_linear by x, weight and bias.
///
/// The gradient by the weight is exactly 0 where the mask drops. A gradient may be written to an
/// operand's memory.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}}, upstream = {{1}}, by_x, by_weight;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::keep_above(weight, 3.5f), upstream, by_x, by_weight, by_bias);
///     std::cout << by_weight(0, 0) << ' ' << by_weight(0, 1);    // 0 2
///
/// @param x as for masked_linear, of shape (..., in).
/// @param weight as for masked_linear, of shape (out, in).
/// @param m the mask or gate, as for masked_linear.
/// @param upstream the gradient by the layer's result, of its shape (..., out) and x's type.
/// @param by_x the gradient by x: a container, which is resized, or a view of x's shape.
/// @param by_weight the gradient by the weight, of its shape.
/// @param by_bias the gradient by the bias, of shape (out).
/// @throws std::invalid_argument where shapes do not fit, or two gradients share memory, before
/// anything is written.
///
/// Cost: two matrix products by BLAS. Gradients are computed in memory of their own; a container of
/// the operand's rank and type, row-major, takes over that memory.
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void masked_linear_gradient(
    const X& x, const W& weight, const M& m, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        constexpr const char* function = "masked_linear_gradient";
        detail::require_linear_gradient(function, x, weight, m, upstream, by_x, by_weight, by_bias);
        auto own = detail::slopes_of_linear<T>(function, x, weight, m, upstream);
        detail::assign_rows(own.product, multiply(own.product, m));
        detail::hand_over(
            function, detail::finished{"the gradient by x", by_x, own.by_x},
            detail::finished{"the gradient by the weight", by_weight, own.product},
            detail::finished{"the gradient by the bias", by_bias, own.by_bias}
        );
    }
}

/// The gradients of masked_linear with a gate, by x, weight, bias and gate.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{4, 8}}, z = {{0, 0}}, upstream = {{1}}, by_x, by_weight, by_z;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::sigmoid_gate(z), upstream, by_x, by_weight, by_bias, by_z);
///     std::cout << by_z(0, 0) << ' ' << by_z(0, 1);    // 1 4
///
/// @param x as for masked_linear, of shape (..., in).
/// @param weight as for masked_linear, of shape (out, in).
/// @param gate sigmoid_gate(z), or a tensor of real weights; of the weight's shape.
/// @param upstream the gradient by the layer's result, of its shape (..., out) and x's type.
/// @param by_x the gradient by x: a container, which is resized, or a view of x's shape.
/// @param by_weight the gradient by the weight, of its shape.
/// @param by_bias the gradient by the bias, of shape (out).
/// @param by_gate the gradient by z of a sigmoid gate, or by the real weights, of the weight's
///   shape.
/// @throws std::invalid_argument where shapes do not fit, or two gradients share memory, before
/// anything is written.
///
/// Cost: two matrix products by BLAS, and a pass over the weights. Memory is that of the overload
/// without by_gate.
template <class X, class W, class M, class U, class ToX, class ToW, class ToB, class ToG>
void masked_linear_gradient(
    const X& x, const W& weight, const M& gate, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias, ToG&& by_gate
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        static_assert(
            !mask_expression<M>, "xmask: a mask has no gradient; only a gate of real numbers has."
        );
        using T = std::remove_cv_t<value_type_t<X>>;
        constexpr const char* function = "masked_linear_gradient";
        detail::require_gate_gradient(function, weight, gate, by_x, by_weight, by_bias, by_gate);
        detail::require_linear_gradient(
            function, x, weight, gate, upstream, by_x, by_weight, by_bias
        );
        auto own = detail::slopes_of_linear<T>(function, x, weight, gate, upstream);
        detail::row_major_copy_t<T, W> own_gate;
        if constexpr (detail::is_sigmoid_gate<M>::value) {
            sigmoid_gate_gradient(weight, gate.op().operand(), own.product, own.product, own_gate);
        } else {
            own_gate = multiply(own.product, weight);
            detail::assign_rows(own.product, multiply(own.product, gate));
        }
        detail::hand_over(
            function, detail::finished{"the gradient by x", by_x, own.by_x},
            detail::finished{"the gradient by the weight", by_weight, own.product},
            detail::finished{"the gradient by the bias", by_bias, own.by_bias},
            detail::finished{"the gradient by the gate", by_gate, own_gate}
        );
    }
}
} // namespace xmask::inline XMASK_ABI
