// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "simd.hpp"
#include "xtensor.hpp"

/// @file
/// Replacements for functors of xtensor's lazy functions. xtensor calls simd_apply only where
/// XTENSOR_USE_XSIMD is defined. Without this macro some functors do not compile for registers, or
/// make one decision for a whole register.

namespace xmask::inline XMASK_ABI::detail {
/// A functor that is called for each element.
template <class F>
class by_element {
public:
    explicit by_element(const F& f) : m_function(f) {}

    template <class... T>
    XMASK_INLINE auto operator()(const T&... x) const {
        return m_function(x...);
    }

private:
    F m_function;
};

/// xtensor's functor with a selection by xsimd. xtensor's own selection needs XTENSOR_USE_XSIMD.
struct largest_of_two : xt::math::maximum<void> {
    template <class B>
    XMASK_INLINE B simd_apply(const B& a, const B& b) const {
        return xsimd::select(a > b, a, b);
    }
};

struct smallest_of_two : xt::math::minimum<void> {
    template <class B>
    XMASK_INLINE B simd_apply(const B& a, const B& b) const {
        return xsimd::select(a < b, a, b);
    }
};

struct clipped : xt::math::clamp_fun {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& low, const B& high) const {
        return xsimd::select(x < low, low, xsimd::select(high < x, high, x));
    }
};

/// xtensor's functors with correct rounding. On NEON, xsimd refines an estimate.
struct exact_root : xt::math::sqrt_fun {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x) const {
        return square_root(x);
    }
};

struct exact_quotient : xt::detail::divides {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& y) const {
        return quotient(x, y);
    }
};

/// A lambda with one argument that is xtensor's own, of xt::square or xt::cube, in an expression
/// with closure CT.
template <class F, class CT>
concept power_lambda =
    []<class... E>(std::type_identity<E>...) {
        return (
            (std::same_as<xt::xfunction<F, CT>, decltype(xt::square(std::declval<E>()))> ||
             std::same_as<xt::xfunction<F, CT>, decltype(xt::cube(std::declval<E>()))>) ||
            ...
        );
    }(std::type_identity<CT>(),
      std::type_identity<std::remove_const_t<std::remove_reference_t<CT>>&>());

template <class F, class... G>
concept any_of = (std::same_as<F, G> || ...);

/// A function whose result in registers is far from that of the standard library for some
/// arguments: for NaN, infinite or large ones, or where the result is tiny.
template <class F>
concept rough_in_registers = any_of<
    F, xt::math::fmax_fun, xt::math::fmin_fun, xt::math::fmod_fun, xt::math::remainder_fun,
    xt::math::fdim_fun, xt::math::hypot_fun, xt::math::acosh_fun, xt::math::erfc_fun,
    xt::math::tgamma_fun, xt::math::lgamma_fun>;

/// Gives the functor that rows call for xt::xfunction<F, CT...>.
template <class F, class... CT>
struct row_functor {
    static decltype(auto) of(const F& f) {
        if constexpr (rough_in_registers<F>) {
            return by_element<F>(f);
        } else {
            return (f);
        }
    }
};

template <class T, class... CT>
struct row_functor<xt::math::maximum<T>, CT...> {
    static largest_of_two of(const xt::math::maximum<T>& /*f*/) { return {}; }
};

template <class T, class... CT>
struct row_functor<xt::math::minimum<T>, CT...> {
    static smallest_of_two of(const xt::math::minimum<T>& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::math::clamp_fun, CT...> {
    static clipped of(const xt::math::clamp_fun& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::math::sqrt_fun, CT...> {
    static exact_root of(const xt::math::sqrt_fun& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::detail::divides, CT...> {
    static exact_quotient of(const xt::detail::divides& /*f*/) { return {}; }
};

/// A lambda is called for each element. To ask a lambda without a return type whether it takes
/// registers may not compile. A lambda with `v < 0 ? a : b` would take registers for AVX-512, whose
/// masks convert to bool, and make one decision for all lanes.
template <class F, class... CT>
struct row_functor<xt::detail::lambda_adapt<F>, CT...> {
    using lambda = xt::detail::lambda_adapt<F>;

    static auto of(const lambda& f) {
        if constexpr (sizeof...(CT) == 1 && (power_lambda<lambda, CT> && ...)) {
            return f;
        } else {
            return by_element<lambda>(f);
        }
    }
};

template <std::size_t N, class... CT>
struct row_functor<xt::detail::lambda_adapt<xt::detail::pow_impl<N>>, CT...> {
    static decltype(auto) of(const xt::detail::lambda_adapt<xt::detail::pow_impl<N>>& f) {
        return f;
    }
};
} // namespace xmask::inline XMASK_ABI::detail
