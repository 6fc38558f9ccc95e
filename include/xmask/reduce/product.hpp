// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"

/// @file
/// Products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Multiplies in double, or in 64-bit integers, which wrap around.
template <class T>
struct product_fold {
    using state = sum_t<T>;
    static constexpr bool in_registers = sums_in_registers<T>;

    struct registers {
        std::array<lanes<double>, 2> products;
    };

    [[nodiscard]] state start() const noexcept { return 1; }

    void add(state& to, T x) const noexcept { merge(to, static_cast<state>(x)); }

    void merge(state& to, state other) const noexcept {
        if constexpr (std::is_same_v<state, std::int64_t>) {
            to = static_cast<state>(
                static_cast<std::uint64_t>(to) * static_cast<std::uint64_t>(other)
            );
        } else {
            to *= other;
        }
    }

    [[nodiscard]] registers start_registers() const noexcept {
        return {{lanes<double>(1.), lanes<double>(1.)}};
    }

    XMASK_INLINE void add(registers& to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            to.products[0] *= wide[0];
            to.products[1] *= wide[1];
        } else {
            to.products[0] *= x;
        }
    }

    XMASK_INLINE void join(registers& to, const registers& other) const noexcept {
        to.products[0] *= other.products[0];
        to.products[1] *= other.products[1];
    }

    [[nodiscard]] double total(const registers& from) const noexcept {
        std::array<double, lane_count<double>> each;
        store_lanes(each.data(), from.products[0] * from.products[1]);
        double product = 1;
        for (const double one : each) {
            product *= one;
        }
        return product;
    }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(T(1)); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) * wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) * wide[1]);
        } else {
            store_lanes(to, load_lanes(to) * x);
        }
    }
};
} // namespace detail

/// The product of what the mask keeps, 1 where that is nothing.
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and
/// bool, which wrap around; real elements are multiplied in double. Throws std::invalid_argument
/// where the mask does not broadcast into x. One pass over what is kept.
///
///     float all = xmask::masked_prod(x, xmask::keep_not_equal(x, 0));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<detail::sum_result_t<element>>(
            "masked_prod", detail::product_fold<element>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The products along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_prod(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<detail::sum_result_t<element>>(
            "masked_prod", detail::product_fold<element>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_prod(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// x where it is not 0, else 1.
struct factor_or_one {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : x;
    }
};

struct is_zero {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : A(0);
    }
};

/// The product of the others: product / x, or at a single 0 the product of all others.
struct product_of_others {
    template <class A, class B>
    A operator()(const A& x, const B& product, const B& at_zero) const {
        return static_cast<A>(x == A(0) ? at_zero : product / static_cast<B>(x));
    }
};

template <class X, class M, class U>
auto product_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    using element = element_t<X>;
    const char* function = "masked_prod_gradient";
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const reduce_options options;
    const auto factors = lazy_function(factor_or_one(), x);
    const auto zero = lazy_function(is_zero(), x);
    const auto product = fold_elements<sum_t<element>>(
        function, product_fold<element>(), factors, m, names, options
    );
    const auto zeros =
        fold_elements<sum_t<element>>(function, sum_fold<element>(), zero, m, names, options);
    // In double, as the product: it may be beyond floats where the product of the others is not.
    const auto of_zeros = [&](sum_t<element> wanted) {
        return at_positions<sum_t<element>>(axes, [&](std::size_t i) {
            const auto all = static_cast<sum_t<element>>(u.data()[i]) * product.data()[i];
            return zeros.data()[i] == wanted ? all : sum_t<element>(0);
        });
    };
    const auto without_zero = of_zeros(0);
    const auto with_one_zero = of_zeros(1);
    return fill_kept<element>(
        x.shape(), lazy_function(product_of_others(), x, without_zero, with_one_zero), m
    );
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_prod(x, m, axes) by x: u times the product of
/// the others that are kept, right where some of them are 0, too; 0 where the mask drops. An array
/// of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_prod_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_prod_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::product_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_prod(x, m), over everything.
template <class X, class M>
auto masked_prod_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::product_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI
