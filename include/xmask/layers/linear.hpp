// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../apply/gate.hpp"
#include "../apply/multiply.hpp"
#include "../core/assign.hpp"
#include "../core/distinct.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../core/xtensor.hpp"
#include "gemm.hpp"

/// @file
/// A linear layer whose weights are masked, or gated, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class T>
using row_major_array = xt::xarray<T, xt::layout_type::row_major>;

/// Whether e's elements lie in memory in row-major order, without gaps.
template <class E>
bool is_contiguous(const E& e) {
    std::ptrdiff_t stride = 1;
    for (std::size_t axis = e.dimension(); axis-- > 0;) {
        const auto extent = static_cast<std::ptrdiff_t>(e.shape()[axis]);
        if (extent != 1 && static_cast<std::ptrdiff_t>(e.strides()[axis]) != stride) {
            return false;
        }
        stride *= extent;
    }
    return true;
}

/// A tensor's rows as those of one matrix: in its own memory where they lie there side by side,
/// else a copy.
template <class T>
class row_matrix {
public:
    template <class E>
    explicit row_matrix(const E& e) : m_rows(rows_of(e.shape())), m_columns(columns_of(e.shape())) {
        if constexpr (has_memory<E> && std::is_same_v<std::remove_cv_t<value_type_t<E>>, T>) {
            if (is_contiguous(e)) {
                m_data = e.data() + e.data_offset();
                return;
            }
        }
        m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
        assign_rows(m_copy, e);
        m_data = m_copy.data();
    }

    row_matrix(const row_matrix&) = delete;
    row_matrix& operator=(const row_matrix&) = delete;

    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] const T* row(std::size_t r) const noexcept { return m_data + r * m_columns; }

    [[nodiscard]] block_of<const T> block() const noexcept { return {m_data, m_columns}; }

private:
    row_major_array<T> m_copy;
    const T* m_data = nullptr;
    std::size_t m_rows;
    std::size_t m_columns;
};

/// A factor of products with weights that are 0 where a mask drops them: times NaN or an infinity
/// those are not 0, so the products take 0 for these, and what they go into is computed again.
template <class T>
class finite_factor {
public:
    /// dropping: whether there is a mask; a gate sees everything.
    finite_factor(const row_matrix<T>& x, std::size_t columns, bool dropping) : m_block(x.block()) {
        for (std::size_t r = 0; dropping && r < x.rows(); ++r) {
            if (!all_finite(x.row(r), columns)) [[unlikely]] {
                m_spoilt.push_back(r);
            }
        }
        if (!m_spoilt.empty()) {
            m_copy.assign(x.row(0), x.row(x.rows()));
            std::replace_if(
                m_copy.begin(), m_copy.end(), [](T value) { return !std::isfinite(value); }, T(0)
            );
            m_block.first = m_copy.data();
        }
    }

    finite_factor(const finite_factor&) = delete;
    finite_factor& operator=(const finite_factor&) = delete;

    [[nodiscard]] block_of<const T> block() const noexcept { return m_block; }

    /// The rows that hold NaN or an infinity.
    [[nodiscard]] const std::vector<std::size_t>& spoilt() const noexcept { return m_spoilt; }

private:
    static bool all_finite(const T* row, std::size_t columns) {
        // No early end: so the compiler looks at many at a time.
        T sum(0);
        for (std::size_t c = 0; c < columns; ++c) {
            sum += row[c] * T(0);
        }
        return sum == T(0);
    }

    block_of<const T> m_block;
    std::vector<T> m_copy;
    std::vector<std::size_t> m_spoilt;
};

/// The weights of a layer with its mask or gate applied, and products with them that see nothing of
/// what a mask drops.
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
    void forward(const row_matrix<T>& x, const T* bias, T* y) const {
        for (std::size_t r = 0; r < x.rows(); ++r) {
            std::copy_n(bias, m_out, y + r * m_out);
        }
        const finite_factor<T> factor(x, m_in, mask_expression<M>);
        gemm<T>(
            turned::no, turned::yes, x.rows(), m_out, m_in, T(1), factor.block(), block(), T(1),
            {y, m_out}
        );
        for (const std::size_t r : factor.spoilt()) {
            add_again(x.row(r), bias, y + r * m_out, [](std::size_t out, std::size_t in) {
                return std::pair(in, out);
            });
        }
    }

    /// by_x = upstream weights.
    void backward(const row_matrix<T>& upstream, T* by_x) const {
        const finite_factor<T> factor(upstream, m_out, mask_expression<M>);
        gemm<T>(
            turned::no, turned::no, upstream.rows(), m_in, m_out, T(1), factor.block(), block(),
            T(0), {by_x, m_in}
        );
        const std::vector<T> zeros(m_in);
        for (const std::size_t r : factor.spoilt()) {
            add_again(
                upstream.row(r), zeros.data(), by_x + r * m_in,
                [](std::size_t out, std::size_t in) { return std::pair(out, in); }
            );
        }
    }

private:
    [[nodiscard]] block_of<const T> block() const noexcept { return {m_weights.data(), m_in}; }

    /// Computes again what a row's NaN and infinities go into, start plus the row times kept
    /// weights alone; all else stays as it is, to the bit. ends(out, in) gives which number of the
    /// row a weight takes to which result.
    template <class F>
    void add_again(const T* row, const T* start, T* to, F&& ends) const {
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

    template <class F>
    void for_each_kept(F&& f) const {
        if constexpr (mask_expression<M>) {
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
    }

    row_major_array<T> m_weights;
    const M& m_mask;
    std::size_t m_out;
    std::size_t m_in;
};

template <class E>
struct is_sigmoid_gate : std::false_type {};

template <class CT>
struct is_sigmoid_gate<applied<gate_op<CT>>> : std::true_type {};

/// Fails to compile, with one sentence, unless all are tensors of one type that a BLAS has, and M
/// is a mask or a gate.
template <class M, class X, class... E>
consteval bool require_linear() {
    constexpr bool real = [] {
        if constexpr (expression<X> && (expression<E> && ...)) {
            using T = std::remove_cv_t<value_type_t<X>>;
            return (std::is_same_v<T, float> || std::is_same_v<T, double>) &&
                   (std::is_same_v<std::remove_cv_t<value_type_t<E>>, T> && ...);
        }
        return false;
    }();
    static_assert(
        real,
        "xmask: a linear layer takes x, weight and bias, then the mask; the first three are tensors (or lazy "
        "expressions), all of float or all of double."
    );
    if constexpr (real) {
        return require_mask_or_weights<M>();
    }
    return false;
}

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

/// x's shape with another last axis.
template <class S>
any_shape with_columns(const S& shape, std::size_t columns) {
    any_shape result(shape.begin(), shape.end());
    result[result.size() - 1] = columns;
    return result;
}

/// Calls f(place) to write the row-major elements of `to`: there, or in an array that is then
/// copied.
template <class T, class To, class F>
void write_row_major(To& to, F&& f) {
    if constexpr (has_memory<To> && std::is_same_v<std::remove_cv_t<value_type_t<To>>, T>) {
        if (is_contiguous(to)) {
            f(to.data() + to.data_offset());
            return;
        }
    }
    auto result = row_major_array<T>::from_shape(any_shape(to.shape().begin(), to.shape().end()));
    f(result.data());
    assign_rows(to, result);
}

/// Whether one of several gradients lies in the memory of an operand, all of which are read until
/// the last gradient is written.
template <class... To, class... E>
bool overwrites_any(const std::tuple<To&...>& gradients, const E&... e) {
    const auto sources = std::tuple(read_anywhere(e)...);
    return call_with(
        [&](const auto&... to) { return (reads_too_late(to, to.shape(), sources) || ...); },
        gradients
    );
}

/// Gives a gradient what was computed beside it.
template <class To, class From>
void give(To& to, const From& from) {
    resize_or_check("masked_linear_gradient", "a gradient", to, from.shape());
    assign_rows(to, from);
}

/// The gradients by x and by the bias; f(product) is given upstream^T x, the gradient by the
/// weights as multiplied.
template <class T, class X, class W, class M, class U, class ToX, class ToW, class ToB, class F>
void slopes_of_linear(
    const X& x, const W& weight, const M& m, const U& upstream, ToX& by_x, ToW& by_weight,
    ToB& by_bias, F&& f
) {
    constexpr const char* function = "masked_linear_gradient";
    require_linear_shapes(function, x, weight, m);
    const auto out = static_cast<std::size_t>(weight.shape()[0]);
    const auto in = static_cast<std::size_t>(weight.shape()[1]);
    if (!equal_shapes(upstream.shape(), with_columns(x.shape(), out))) [[unlikely]] {
        throw_invalid(
            function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
            "; expected ", tuple_text(with_columns(x.shape(), out))
        );
    }
    require_distinct(
        function, "the gradient by x", by_x, "the gradient by the weight", by_weight,
        "the gradient by the bias", by_bias
    );
    resize_or_check(function, "the gradient by x", by_x, x.shape());
    resize_or_check(function, "the gradient by the weight", by_weight, weight.shape());
    resize_or_check(function, "the gradient by the bias", by_bias, any_shape{out});
    const row_matrix<T> inputs(x);
    const row_matrix<T> slopes(upstream);
    auto product = row_major_array<T>::from_shape({out, in});
    gemm<T>(
        turned::yes, turned::no, out, in, slopes.rows(), T(1), slopes.block(), inputs.block(), T(0),
        {product.data(), in}
    );
    f(product);
    write_row_major<T>(by_bias, [&](T* to) {
        std::vector<double> sums(out);
        for (std::size_t r = 0; r < slopes.rows(); ++r) {
            std::transform(
                sums.begin(), sums.end(), slopes.row(r), sums.begin(), std::plus<double>()
            );
        }
        std::transform(sums.begin(), sums.end(), to, [](double sum) {
            return static_cast<T>(sum);
        });
    });
    const layer_weights<T, M> weights(weight, m);
    write_row_major<T>(by_x, [&](T* to) { weights.backward(slopes, to); });
}
} // namespace detail

/// A linear layer with masked weights: y = x (weight masked)^T + bias.
///
/// x: (..., in); weight: (out, in), as in PyTorch; bias: (out); all of float or all of double,
/// tensors or lazy expressions. m: a mask, or a gate of real numbers such as sigmoid_gate(z), that
/// broadcasts into the weight. Gives a new xt::xarray of shape (..., out). What a mask drops is not
/// seen: NaN there, or the NaN or infinity of x that it would meet, changes nothing. Throws
/// std::invalid_argument where shapes do not fit. One matrix product by BLAS, and a pass over the
/// weights into a copy of them.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}, {5, 6}};
///     xt::xtensor<float, 1> bias = {0, 10};
///     auto y = xmask::masked_linear(x, weight, bias, xmask::keep_above(weight, 3.5f));
///     // 8 27
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
        auto y = detail::row_major_array<T>::from_shape(detail::with_columns(x.shape(), out));
        const detail::row_matrix<T> biases(bias);
        detail::layer_weights<T, M>(weight, m).forward(
            detail::row_matrix<T>(x), biases.row(0), y.data()
        );
        return y;
    }
}

/// The gradients of masked_linear by x, weight and bias, for the gradient of what it feeds, which
/// has the shape of masked_linear's result.
///
/// Each is given the shape of what it is the gradient of. By the weight it is exactly 0 where a
/// mask drops. Throws std::invalid_argument where shapes do not fit, or two gradients share memory,
/// before anything is written.
/// Two matrix products by BLAS.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}}, upstream = {{1}}, by_x, by_weight;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::keep_above(weight, 3.5f), upstream, by_x, by_weight, by_bias);
///     std::cout << by_weight(0, 0) << ' ' << by_weight(0, 1);    // 0 2
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void masked_linear_gradient(
    const X& x, const W& weight, const M& m, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        if (detail::overwrites_any(std::tie(by_x, by_weight, by_bias), x, weight, m, upstream)) {
            detail::row_major_array<T> own_x, own_weight, own_bias;
            masked_linear_gradient(x, weight, m, upstream, own_x, own_weight, own_bias);
            detail::give(by_x, own_x);
            detail::give(by_weight, own_weight);
            detail::give(by_bias, own_bias);
            return;
        }
        detail::slopes_of_linear<T>(
            x, weight, m, upstream, by_x, by_weight, by_bias,
            [&](const auto& product) { detail::assign_rows(by_weight, multiply(product, m)); }
        );
    }
}

/// The same for a gate, with the gradient by it: of sigmoid_gate(z) by z, of other weights by
/// these. The gate has the weight's shape.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{4, 8}}, z = {{0, 0}}, upstream = {{1}}, by_x, by_weight, by_z;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::sigmoid_gate(z), upstream, by_x, by_weight, by_bias, by_z);
///     std::cout << by_z(0, 0) << ' ' << by_z(0, 1);    // 1 4
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
        if (!detail::equal_shapes(gate.shape(), weight.shape())) [[unlikely]] {
            detail::throw_invalid(
                function, "the gate has shape ", detail::tuple_text(gate.shape()),
                "; expected that of the weight, ", detail::tuple_text(weight.shape())
            );
        }
        const char* by_gate_name = "the gradient by the gate";
        detail::require_distinct(function, "the gradient by x", by_x, by_gate_name, by_gate);
        detail::require_distinct(
            function, "the gradient by the weight", by_weight, by_gate_name, by_gate
        );
        detail::require_distinct(
            function, "the gradient by the bias", by_bias, by_gate_name, by_gate
        );
        if (detail::overwrites_any(
                std::tie(by_x, by_weight, by_bias, by_gate), x, weight, gate, upstream
            )) {
            detail::row_major_array<T> own_x, own_weight, own_bias, own_gate;
            masked_linear_gradient(
                x, weight, gate, upstream, own_x, own_weight, own_bias, own_gate
            );
            detail::give(by_x, own_x);
            detail::give(by_weight, own_weight);
            detail::give(by_bias, own_bias);
            detail::give(by_gate, own_gate);
            return;
        }
        detail::resize_or_check(function, by_gate_name, by_gate, weight.shape());
        detail::slopes_of_linear<T>(
            x, weight, gate, upstream, by_x, by_weight, by_bias,
            [&](const auto& product) {
                if constexpr (detail::is_sigmoid_gate<M>::value) {
                    sigmoid_gate_gradient(weight, gate.op().operand(), product, by_weight, by_gate);
                } else {
                    detail::assign_rows(by_weight, multiply(product, gate));
                    detail::assign_rows(by_gate, multiply(product, weight));
                }
            }
        );
    }
}
} // namespace xmask::inline XMASK_ABI
