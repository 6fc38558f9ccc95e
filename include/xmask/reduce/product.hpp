// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"

/// @file
/// Products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The fold to a product, in double or in 64-bit integers, which wrap around.
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
        for_each_wide<T>(x, [&](std::size_t i, const lanes<double>& wide) XMASK_INLINE_LAMBDA {
            to.products[i] *= wide;
        });
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
        update_columns<T>(to, x, std::multiplies<>());
    }
};
/// x where it is not 0, else 1.
struct factor_or_one {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : x;
    }
};

/// 1 where x is 0, else 0.
struct is_zero {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : A(0);
    }
};

/// The product of all other elements: product / x, or at the only 0 the product of the rest.
struct product_of_others {
    template <class A, class B>
    A operator()(const A& x, const B& product, const B& at_zero) const {
        return static_cast<A>(x == A(0) ? at_zero : product / static_cast<B>(x));
    }
};

struct product_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using element = element_t<X>;
        return fold_elements<sum_result_t<element>>(
            function, product_fold<element>(), x, m, over, chosen
        );
    }

    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const no_options& /*options*/
    ) {
        using element = element_t<X>;
        using wide = sum_t<element>;
        const auto u = upstream_of<element>(function, upstream, axes);
        const reduce_options options;
        const auto factors = lazy_function(factor_or_one(), x);
        const auto zero = lazy_function(is_zero(), x);
        const auto product =
            fold_elements<wide>(function, product_fold<element>(), factors, m, axes, options);
        const auto zeros =
            fold_elements<wide>(function, sum_fold<element>(), zero, m, axes, options);
        // In double: the product may be beyond floats where the product of the others is not.
        const auto of_zeros = [&](wide wanted) {
            return at_positions<wide>(axes, [&](std::size_t i) {
                const auto all = static_cast<wide>(u.data()[i]) * product.data()[i];
                return zeros.data()[i] == wanted ? all : wide(0);
            });
        };
        const auto without_zero = of_zeros(0);
        const auto with_one_zero = of_zeros(1);
        return fill_kept<element>(
            x.shape(), lazy_function(product_of_others(), x, without_zero, with_one_zero), m
        );
    }
};
} // namespace detail

/// The product of what the mask keeps, 1 where nothing is kept.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns x's type, or 64-bit integers for integers and bool, which wrap around. Real elements
///    are multiplied in double.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     float all = xmask::masked_prod(x, xmask::keep_not_equal(x, 0));    // -2.25
///     xt::xarray<float> rows = xmask::masked_prod(x, m, -1);    // -0.5, -3, -0.25
inline constexpr reduction<detail::product_formula> masked_prod("masked_prod");

/// The gradient of the sum of `upstream` times masked_prod(x, m, axes) by x: u times the product of
/// the other elements that are kept, exact where some of them are 0, too; 0 where the mask drops.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_prod.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
/// Cost: three passes over the kept elements.
///
///     xt::xarray<float> dx = xmask::masked_prod_gradient(x, m, upstream, -1);
///     // -1 0.5 0 0
///     // -6 -1.5 2 -24
///     // 0.375 -6 -0.75 0
inline constexpr reduction_gradient<detail::product_formula> masked_prod_gradient(
    "masked_prod_gradient"
);
} // namespace xmask::inline XMASK_ABI
