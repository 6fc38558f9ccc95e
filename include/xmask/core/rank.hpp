// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <utility>

#include "axes.hpp"
#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// The rank of a result, where the types of a tensor and of the axes say it: an xtensor in place of
/// an xarray.

namespace xmask::inline XMASK_ABI::detail {
/// The number of axes in a type: of a shape, or of the axes that a caller names. `any_rank` where
/// only the value has it.
template <class A>
inline constexpr std::size_t rank_of = std::integral<A> ? 1 : rank_in<A>;

template <class I, std::size_t N>
inline constexpr std::size_t rank_of<I[N]> = N;

template <>
inline constexpr std::size_t rank_of<no_axes> = 0;

/// The rank of x without these axes.
template <class X, class A>
consteval std::size_t rank_without() {
    constexpr std::size_t rank = rank_of<typename X::shape_type>;
    constexpr std::size_t axes = rank_of<A>;
    return rank == any_rank || axes > rank ? any_rank : rank - axes;
}

/// Gives a result a rank in its type. A result of several arrays specializes it.
template <class T>
struct ranked_result {
    template <std::size_t Rank>
    static T of(T result) {
        return result;
    }
};

template <class R>
struct ranked_result<xt::xarray<R>> {
    template <std::size_t Rank>
    static auto of(xt::xarray<R> result) {
        if constexpr (Rank == any_rank) {
            return result;
        } else {
            using fixed = xt::xtensor<R, Rank>;
            typename fixed::inner_shape_type shape;
            typename fixed::inner_strides_type strides;
            std::copy_n(result.shape().begin(), Rank, shape.begin());
            xt::compute_strides(shape, fixed::static_layout, strides);
            return fixed(std::move(result.storage()), std::move(shape), std::move(strides));
        }
    }
};

/// The result of a reduction along axes; an array has a rank in its type where that is known.
template <std::size_t Rank, class T>
auto with_rank(T result) {
    return ranked_result<T>::template of<Rank>(std::move(result));
}
} // namespace xmask::inline XMASK_ABI::detail
