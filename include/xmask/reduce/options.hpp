// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <optional>
#include <type_traits>

#include "../core/mask.hpp"
#include "accumulate.hpp"
#include "when_empty.hpp"

/// @file
/// The common part of all reductions: their options, the types of their results, and the checks of
/// their arguments.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A field that other libraries call otherwise. Braces with an unknown name only fail to fit a
/// function; these fields fail with a sentence.
struct keepdims_field {
    constexpr keepdims_field() = default;

    template <class T>
    constexpr keepdims_field(const T& /*value*/) {
        constexpr bool is_known = sizeof(T) == 0;
        static_assert(
            is_known,
            "xmask: what NumPy calls keepdims, and PyTorch keepdim, is called keep_axes: {.keep_axes = true}."
        );
    }
};

struct ddof_field {
    constexpr ddof_field() = default;

    template <class T>
    constexpr ddof_field(const T& /*value*/) {
        constexpr bool is_known = sizeof(T) == 0;
        static_assert(
            is_known,
            "xmask: what NumPy calls ddof is called correction, as in PyTorch, and is 1 unless told: {.correction = 0}."
        );
    }
};
} // namespace detail

/// Options of a reduction. Where `empty` is not set and nothing is kept, the result is the neutral
/// element (sum, norm 0; product 1; max -infinity, min +infinity, of integers their lowest and
/// highest; logsumexp -infinity; any false, all true), or NaN where no neutral element exists. An
/// integer has no NaN: it throws std::domain_error instead. Reductions with more options
/// (var_options, norm_options) name their own first, then these two: `{.p = 1, .keep_axes = true}`.
///
///     xt::xarray<float> best = xmask::masked_max(x, m, 1, {.empty = xmask::when_empty::zero, .keep_axes = true});
///     // 0.5
///     // 4
///     // 1
///     xt::xarray<float> mean = xmask::masked_mean(x, m, 1, xmask::when_empty::zero);    // shorter
struct reduce_options {
    std::optional<when_empty> empty = std::nullopt; ///< what the result is where nothing is kept
    bool keep_axes = false; ///< reduced axes stay, with extent 1; a number has none
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
/// Options in full, or only what happens where nothing is kept.
template <class O, class Options>
concept options_argument =
    std::same_as<O, Options> ||
    (std::same_as<O, when_empty> && requires(Options& all) { all.empty = when_empty::nan; });

template <class Options, class O>
Options to_options(const O& options) {
    if constexpr (std::same_as<O, Options>) {
        return options;
    } else {
        Options all;
        all.empty = options;
        return all;
    }
}

/// The options that all reductions have.
template <class Options>
reduce_options shared_options(const Options& options) {
    return {.empty = options.empty, .keep_axes = options.keep_axes};
}

/// The type of a sum or product: the type of a real operand, 64 bits for integers, so that these do
/// not overflow.
template <class T>
using sum_result_t = std::conditional_t<std::is_floating_point_v<T>, T, sum_t<T>>;

/// The type of a mean and of other real results: that of a real operand, double for integers.
template <class T>
using mean_result_t = std::conditional_t<std::is_floating_point_v<T>, T, double>;

/// The type in which real results are computed.
template <class T>
using wide_t =
    std::conditional_t<(std::is_floating_point_v<T> && sizeof(T) > sizeof(double)), T, double>;

template <bool Fits, class... /*X*/>
struct reduced_tensor_expected {
    consteval operator bool() const {
        static_assert(Fits, "xmask: a reduction is of a tensor (or lazy expression) of numbers.");
        return Fits;
    }
};

template <bool Fits, class... /*X, M*/>
struct reduced_tensor_expected_first {
    consteval operator bool() const {
        static_assert(
            Fits, "xmask: the tensor comes first, the mask second; here the mask comes first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless X is a tensor of numbers and M a mask.
template <class X, class M>
using require_reducible = require_all<
    reduced_tensor_expected<number_expression<X>, X>,
    reduced_tensor_expected_first<in_order<X, M>, X, M>, require_mask<M>>;

template <class E>
using element_t = std::remove_cv_t<value_type_t<E>>;
} // namespace detail
} // namespace xmask::inline XMASK_ABI
