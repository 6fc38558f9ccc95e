// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>
#include <utility>

#include "../core/applied.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "choice.hpp"
#include "replace.hpp"

/// @file
/// multiply and multiply_inplace multiply by a mask, which keeps or gives 0, or by real weights.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The product of two numbers, or of two registers.
struct product {
    template <class A, class B>
    XMASK_INLINE auto operator()(const A& x, const B& weight) const {
        return x * weight;
    }

    template <class V>
    XMASK_INLINE V simd_apply(const V& x, const V& weight) const {
        return x * weight;
    }
};

/// A product with real weights as an expression.
template <class CTX, class CTW>
class product_op {
public:
    using operand_type = std::decay_t<CTX>;
    using weights_type = std::decay_t<CTW>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class X, class W>
    product_op(X&& x, W&& weights)
        : m_operand(std::forward<X>(x)), m_weights(std::forward<W>(weights)) {
        require_broadcast(name(), "weights", m_weights.shape(), m_operand.shape());
    }

    [[nodiscard]] const char* name() const noexcept { return "multiply"; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_operand; }

    [[nodiscard]] const weights_type& gate() const noexcept { return m_weights; }

    [[nodiscard]] auto sources() const noexcept {
        return bundle(read_in_place(m_operand), read_in_place(m_weights));
    }

    template <class Get>
    value_type combine(Get&& get, value_type_t<weights_type> weight) const {
        return static_cast<value_type>(get()) * static_cast<value_type>(weight);
    }

    template <class S>
    auto rows(const S& shape) const {
        return function_rows(
            product(), make_operand<value_type>(m_operand, shape),
            make_operand<value_type>(m_weights, shape)
        );
    }

    template <class E>
    void write(E& to) const {
        write_copy<value_type>(to, rows(to.shape()));
    }

private:
    CTX m_operand;
    CTW m_weights;
};

template <bool Fits, class... /*X*/>
struct weighted_tensor_expected {
    consteval operator bool() const {
        static_assert(
            Fits, "xmask: real weights multiply a tensor of real numbers; convert the tensor first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless M is a mask, or weights that may multiply X.
template <class X, class M>
using require_factor = require_all<
    require_mask_or_weights<M>,
    weighted_tensor_expected<mask_expression<M> || real_expression<X>, X>>;
} // namespace detail

/// Gives x times a mask, or times real weights.
///
/// By a mask: x where it keeps, +0 where it drops, whatever x holds there (NaN and infinity too).
/// By weights (a soft mask, a gate): the product of each element, computed in the element type of
/// x. Cost: one pass when assigned, nothing allocated.
///
/// @param x  a tensor or lazy expression of any layout and rank; of real numbers where m is weights
/// @param m  a mask, or a tensor or lazy expression of real weights, that broadcasts into x and
///   does not enlarge it
/// @returns  a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where m does not broadcast into x
///
///     xt::xtensor<float, 1> a = {3, -1, 2};
///     xt::xtensor<float, 1> pruned = xmask::multiply(a, xmask::keep_above(a, 2));    // 3, 0, 0
///     xt::xtensor<float, 1> gates = {0.5f, 1, 0};
///     xt::xtensor<float, 1> gated = xmask::multiply(a, gates);    // 1.5, -1, 0
template <class X, class M>
auto multiply(X&& x, M&& m) {
    if constexpr (detail::require_all<detail::require_tensor<X>, detail::require_factor<X, M>>()) {
        if constexpr (mask_expression<M>) {
            return detail::make_fill(
                "multiply", std::forward<X>(x), std::forward<M>(m), value_type_t<X>()
            );
        } else {
            using op = detail::product_op<detail::closure_t<X>, detail::closure_t<M>>;
            return applied<op>(op(std::forward<X>(x), std::forward<M>(m)));
        }
    } else {
        return detail::refused();
    }
}

/// Multiplies x by a mask, or by real weights, in place.
///
/// Cost: by a mask, the time to write 0 to the dropped elements; by weights, one pass.
///
/// @param x  a tensor or view of any layout, not const; of real numbers where m is weights
/// @param m  a mask, or a tensor or lazy expression of real weights, that broadcasts into x; it may
///   look at x
/// @throws std::invalid_argument  where m does not broadcast into x; x is unchanged then
///
///     xmask::multiply_inplace(weights, xmask::keep_above(weights, 0.1f));
///     auto now = weights;
///     // 0 0 0.2 0
///     // 0 0.4 0 0
///     // 0 0 0 0.3
template <class X, class M>
void multiply_inplace(X&& x, const M& m) {
    if constexpr (detail::require_all<
                      detail::require_tensor_target<X>, detail::require_factor<X, M>>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (mask_expression<M>) {
            detail::fill_inplace("multiply_inplace", x, m, element());
        } else {
            detail::require_broadcast("multiply_inplace", "weights", m.shape(), x.shape());
            multiply(x, m).assign_to(x);
        }
    }
}
} // namespace xmask::inline XMASK_ABI
