// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

#include "../apply/choice.hpp"
#include "../core/axes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "upstream.hpp"

/// @file
/// Gradients of reductions: a function of each element and of a few numbers that all elements
/// of one position of the result share.

namespace xmask::inline XMASK_ABI::detail {
template <bool Fits, class... /*X*/>
struct differentiable_tensor_expected {
    consteval operator bool() const {
        static_assert(
            Fits, "xmask: a gradient is by a tensor of real numbers; convert integers first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor of real numbers.
template <class X>
using require_real_element = differentiable_tensor_expected<real_expression<X>, X>;

/// Fails to compile, with one sentence, unless these are the tensor, the mask and the upstream
/// gradient of a gradient.
template <class X, class M, class... U>
using require_differentiable =
    require_all<require_gradient_order<U...>, require_reducible<X, M>, require_real_element<X>>;

/// The arguments of most reductions: a mask without weights, reduce_options, and no options of the
/// gradient.
struct plain_arguments {
    using options = reduce_options;
    using gradient_options = no_options;

    template <class X, class M>
    using fits = require_reducible<X, M>;

    template <class X, class M, class... U>
    using has_gradient = require_differentiable<X, M, U...>;
};

/// e, broadcast to the shape of the result, where the mask keeps, 0 elsewhere. Only kept elements
/// are computed. e may read an element of the result where it is written.
template <class R, class T, class E, class M>
void write_kept(T& result, const E& e, const M& m) {
    const auto& shape = result.shape();
    write_choice<R>(
        result, make_operand<R>(e, shape), scalar_rows<R>(R(0)), mask_rows<M>(m, shape)
    );
}

/// An array of this shape, of e where the mask keeps, 0 elsewhere. A rank in the type of the shape
/// is one in the type of the result.
template <class R, class S, class E, class M>
auto fill_kept(const S& shape, const E& e, const M& m) {
    using array = typename row_major_copy<R, E, S>::type;
    auto result = array::from_shape(shape);
    write_kept<R>(result, e, m);
    return result;
}

/// A lazy function of expressions that outlive it.
template <class F, class... E>
auto lazy_function(const F& f, const E&... e) {
    return xt::xfunction<F, const E&...>(f, e...);
}

/// The upstream gradient, as it broadcasts into the operand. Throws std::invalid_argument unless it
/// has the shape of the result, with or without the reduced axes.
template <class R, class U>
xt::xarray<R> upstream_of(const char* function, const U& upstream, const kept_axes& axes) {
    if constexpr (std::is_arithmetic_v<U>) {
        auto all = xt::xarray<R>::from_shape(axes.full_shape());
        all.fill(static_cast<R>(upstream));
        return all;
    } else {
        if (!equal_shapes(upstream.shape(), axes.shape()) &&
            !equal_shapes(upstream.shape(), axes.full_shape())) [[unlikely]] {
            throw_invalid(
                function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
                "; expected ", tuple_text(axes.shape()), " or ", tuple_text(axes.full_shape())
            );
        }
        xt::xarray<R> all = upstream;
        all.reshape(axes.full_shape());
        return all;
    }
}

/// One number for each position of the axes that stay, as it broadcasts into the operand.
template <class R, class F>
xt::xarray<R> at_positions(const kept_axes& axes, F&& f) {
    return make_result<R>(axes, true, [&](std::size_t i) { return static_cast<R>(f(i)); });
}
} // namespace xmask::inline XMASK_ABI::detail
