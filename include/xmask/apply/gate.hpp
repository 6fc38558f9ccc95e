// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/applied.hpp"
#include "../core/assign.hpp"
#include "../core/block.hpp"
#include "../core/distinct.hpp"
#include "../core/error.hpp"
#include "../core/exp.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/xtensor.hpp"

/// @file
/// Soft masks that a model learns: gates of logits, and the gradients of a gated product.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The parts of a gate: open = 1 / (1 + exp(-z)), and shut = 1 - open. Both are computed without
/// overflow or cancellation.
template <class V>
struct gate_parts {
    V open;
    V shut;
};

template <class T>
    requires std::is_floating_point_v<T>
gate_parts<T> gate_of(T z) {
    const T small = std::exp(-std::abs(z));
    const T likely = T(1) / (T(1) + small);
    const T unlikely = small * likely;
    return z > T(0) ? gate_parts<T>{likely, unlikely} : gate_parts<T>{unlikely, likely};
}

template <class V>
    requires(!std::is_arithmetic_v<V>)
XMASK_INLINE gate_parts<V> gate_of(const V& z) {
    const V small = exp_nonpositive(negative_absolute(z));
    const V likely = V(1) / (V(1) + small);
    const V unlikely = small * likely;
    const auto positive = z > V(0);
    return {xsimd::select(positive, likely, unlikely), xsimd::select(positive, unlikely, likely)};
}

/// The open part of a gate, as a functor of xtensor's lazy expressions.
struct gate_function {
    template <class T>
    T operator()(const T& z) const {
        return gate_of(z).open;
    }

    template <class V>
    XMASK_INLINE V simd_apply(const V& z) const
        requires requires { exp_nonpositive(z); }
    {
        return gate_of(z).open;
    }
};

/// A gate as an expression that assigns itself in registers.
template <class CTZ>
class gate_op {
public:
    using operand_type = std::decay_t<CTZ>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class Z>
    gate_op(std::in_place_t, Z&& z) : m_logits(std::forward<Z>(z)) {}

    [[nodiscard]] const char* name() const noexcept { return "sigmoid_gate"; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_logits; }

    /// The logits stand in for the mask: `applied` steps through operand and gate alike.
    [[nodiscard]] const operand_type& gate() const noexcept { return m_logits; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_in_place(m_logits)); }

    template <class Get>
    value_type combine(Get&& /*get*/, const value_type& z) const {
        return gate_function()(z);
    }

    template <class S>
    auto rows(const S& shape) const {
        return function_rows(gate_function(), make_operand<value_type>(m_logits, shape));
    }

    template <class E>
    void write(E& to) const {
        write_copy<value_type>(to, rows(to.shape()));
    }

private:
    CTZ m_logits;
};

template <class... E>
consteval bool require_gate() {
    constexpr bool real = [] {
        if constexpr ((expression<E> && ...)) {
            return (
                (std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>> &&
                 !mask_expression<E>) &&
                ...
            );
        }
        return false;
    }();
    static_assert(
        real,
        "xmask: a gate, and what it multiplies, are tensors (or lazy expressions) of real numbers."
    );
    return real;
}

/// Writes the derivatives of a block: upstream * open by x, upstream * x * open * shut by z.
template <class T, class Blocks, class Count>
void write_slopes(const Blocks& blocks, Count count, T* by_x, T* by_z) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            blocks.template load<full>(
                k, count - k,
                [&](const auto& x, const auto& z, const auto& u) XMASK_INLINE_LAMBDA {
                    const auto gate = gate_of(z);
                    const auto slope = u * gate.open;
                    store_register<full, false>(by_x + k, slope, count - k);
                    store_register<full, false>(by_z + k, slope * x * gate.shut, count - k);
                }
            );
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            blocks.at(k, [&](T x, T z, T u) {
                const auto gate = gate_of(z);
                const T slope = u * gate.open;
                by_z[k] = slope * x * gate.shut;
                by_x[k] = slope;
            });
        }
    }
}

/// Writes the derivatives of all elements. All operands and results have the shape of x.
template <class T, class X, class Z, class U, class ToX, class ToZ>
void write_gate_slopes(const X& x, const Z& z, const U& upstream, ToX& to_x, ToZ& to_z) {
    const auto& shape = x.shape();
    const std::size_t n = columns_of(shape);
    const auto operands = zip_rows(
        make_operand<T>(x, shape), make_operand<T>(z, shape), make_operand<T>(upstream, shape)
    );
    row_writer<T, ToX> by_x(to_x);
    row_writer<T, ToZ> by_z(to_z);
    for (std::size_t r = 0; n != 0 && r < rows_of(shape); ++r) {
        auto row = operands.row(r);
        by_x.seek(r);
        by_z.seek(r);
        for_each_block(0, n, [&](std::size_t c, auto count) {
            const auto blocks = row.block(c, count, first_bits(count));
            write_slopes(blocks, count, by_x.block(c), by_z.block(c));
            by_x.commit(c, count);
            by_z.commit(c, count);
        });
    }
}

/// Gives each element of `to` the sum of the derivatives at the elements it is broadcast to. Sums
/// are in double.
template <class From, class To>
void sum_into(const From& from, To& to) {
    const auto shape = from.shape();
    const std::size_t n = columns_of(shape);
    const std::size_t columns = columns_of(to.shape());
    const row_offsets numbers = row_numbers(shape, to.shape());
    std::vector<double> sums(to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto row = static_cast<std::size_t>(numbers(i / n)) * columns;
        sums[row + (columns == 1 ? 0 : i % n)] += static_cast<double>(from.data()[i]);
    }
    std::transform(
        sums.begin(), sums.end(), to.template begin<xt::layout_type::row_major>(),
        [](double sum) { return static_cast<std::remove_cv_t<value_type_t<To>>>(sum); }
    );
}
} // namespace detail

/// Gives a soft mask of logits, 1 / (1 + exp(-z)).
///
/// No z overflows. Results in float err by at most 3 ulp where they are normal numbers. Cost: one
/// exp an element; multiply(x, sigmoid_gate(z)) is one pass and allocates nothing.
///
/// @param z  logits, a tensor or lazy expression of real numbers
/// @returns  a lazy expression of the shape and element type of z, of numbers from 0 to 1
///
///     xt::xtensor<float, 1> z = {0, 100, -200};
///     xt::xtensor<float, 1> gate = xmask::sigmoid_gate(z);    // 0.5, 1, 0
template <class Z>
auto sigmoid_gate(Z&& z) {
    if constexpr (detail::require_gate<Z>()) {
        using op = detail::gate_op<detail::closure_t<Z>>;
        return applied<op>(op(std::in_place, std::forward<Z>(z)));
    } else {
        return detail::refused();
    }
}

/// Writes the gradients of multiply(x, sigmoid_gate(z)) by x and by z.
///
/// With g = 1 / (1 + exp(-z)), by_x = upstream * g and by_z = upstream * x * g * (1 - g). Where z
/// is broadcast, by_z is the sum over the elements it is broadcast to, summed in double. Cost: one
/// pass. Allocates only where z is broadcast, or a gradient shares memory with other elements of an
/// operand.
///
/// @param x         a tensor or lazy expression of real numbers
/// @param z         logits, a tensor or lazy expression of real numbers that broadcasts into x
/// @param upstream  the gradient of the product, of the shape of x
/// @param by_x      receives the gradient by x, of its shape; it may be `upstream` or x itself
/// @param by_z      receives the gradient by z, of its shape
/// @throws std::invalid_argument  where shapes do not fit, or by_x and by_z share memory; nothing
///   is written then
///
///     xt::xtensor<float, 1> x = {2, 4}, z = {0, 0}, upstream = {1, 1}, by_x, by_z;
///     xmask::sigmoid_gate_gradient(x, z, upstream, by_x, by_z);
///     std::cout << by_x(0) << ' ' << by_z(1);    // 0.5 1
template <class X, class Z, class U, class ToX, class ToZ>
void sigmoid_gate_gradient(const X& x, const Z& z, const U& upstream, ToX&& by_x, ToZ&& by_z) {
    if constexpr (detail::require_gate<X, Z, U>()) {
        using T = std::common_type_t<
            std::remove_cv_t<value_type_t<X>>, std::remove_cv_t<value_type_t<Z>>>;
        constexpr const char* function = "sigmoid_gate_gradient";
        detail::require_broadcast(function, "a gate", z.shape(), x.shape());
        if (!detail::equal_shapes(upstream.shape(), x.shape())) [[unlikely]] {
            detail::throw_invalid(
                function, "the upstream gradient has shape ", detail::tuple_text(upstream.shape()),
                "; expected ", detail::tuple_text(x.shape())
            );
        }
        detail::require_distinct(function, "the gradient by x", by_x, "the gradient by z", by_z);
        const detail::bundle sources(
            detail::read_in_place(x), detail::read_in_place(z), detail::read_in_place(upstream)
        );
        if (detail::reads_too_late(by_x, x.shape(), sources) ||
            detail::reads_too_late(by_z, z.shape(), sources)) [[unlikely]] {
            detail::row_major_copy_t<T, X> own_x;
            detail::row_major_copy_t<T, Z> own_z;
            sigmoid_gate_gradient(x, z, upstream, own_x, own_z);
            detail::resize_or_check(function, "the gradient by x", by_x, own_x.shape());
            detail::resize_or_check(function, "the gradient by z", by_z, own_z.shape());
            detail::assign_rows(by_x, own_x);
            detail::assign_rows(by_z, own_z);
            return;
        }
        detail::resize_or_check(function, "the gradient by x", by_x, x.shape());
        detail::resize_or_check(function, "the gradient by z", by_z, z.shape());
        if (detail::equal_shapes(z.shape(), x.shape())) {
            detail::write_gate_slopes<T>(x, z, upstream, by_x, by_z);
            return;
        }
        auto slopes = xt::xarray<T, xt::layout_type::row_major>::from_shape(
            detail::any_shape(x.shape().begin(), x.shape().end())
        );
        detail::write_gate_slopes<T>(x, z, upstream, by_x, slopes);
        detail::sum_into(slopes, by_z);
    }
}
} // namespace xmask::inline XMASK_ABI
