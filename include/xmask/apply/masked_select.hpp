// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "../core/compress.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../masks/ask.hpp"

/// @file
/// masked_select gives kept elements, without gaps.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class T, class X, class M>
auto select_kept(const char* function, const X& x, const M& m) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    const mask_rows<M> masks(m, shape);
    auto result = xt::xtensor<T, 1>::from_shape({count_rows(shape, masks)});
    T* const to = result.data();
    compress_rows(to, to + result.size(), shape, masks, make_operand<T>(x, shape));
    return result;
}

template <class X, class M, class Out>
std::size_t select_into(const X& x, const M& m, Out& out) {
    constexpr const char* function = "masked_select";
    using T = std::remove_cv_t<value_type_t<X>>;
    using element = std::remove_cv_t<value_type_t<Out>>;
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    const mask_rows<M> masks(m, shape);
    const std::size_t count = count_rows(shape, masks);
    require_room(function, count, out);
    if constexpr (has_memory<Out> && std::is_same_v<T, element>) {
        const target<Out> to(out);
        const bool apart = overlap_of(x, to) == overlap::none && overlap_of(m, to) == overlap::none;
        if (apart && (count <= 1 || out.strides()[0] == 1)) [[likely]] {
            T* const first = out.data() + out.data_offset();
            compress_rows(first, first + count, shape, masks, make_operand<T>(x, shape));
            return count;
        }
    }
    const auto kept = select_kept<T>(function, x, m);
    std::transform(kept.begin(), kept.end(), out.begin(), [](const T& one) {
        return static_cast<element>(one);
    });
    return count;
}
} // namespace detail

/// Gives the kept elements of x, in row-major order.
///
/// masked_scatter is the inverse; masked_scatter(zeros, m, upstream) is the gradient by x. Cost:
/// two walks of the mask, one for the count and one for the elements. Blocks without a kept element
/// are not read.
///
/// @param x  a tensor or lazy expression of any element type, layout and rank
/// @param m  a mask that broadcasts into x and does not enlarge it
/// @returns  an xtensor of rank 1 with the element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
///
///     xt::xtensor<float, 1> positive = xmask::masked_select(x, xmask::keep_above(x, 0));
///     // 0.5 2 1 4 0.25 0.125 1 3
template <class X, class M>
auto masked_select(const X& x, const M& m) {
    if constexpr (detail::require_all<detail::require_tensor<X>, detail::require_mask<M>>()) {
        return detail::select_kept<std::remove_cv_t<value_type_t<X>>>("masked_select", x, m);
    } else {
        return detail::refused();
    }
}

/// Writes the kept elements of x, in row-major order, to the first elements of `out`. The other
/// elements of `out` stay as they are.
///
/// Cost: two walks of the mask, one for the count and one for the elements; no allocation. The
/// elements pass through a copy where `out` shares memory with x or the mask, is strided, or has
/// another element type.
///
/// @param x    a tensor or lazy expression of any element type, layout and rank
/// @param m    a mask that broadcasts into x and does not enlarge it
/// @param out  a tensor or view of rank 1 with room for the kept elements, which are converted to
/// its element type
/// @returns  the number of elements written
/// @throws std::invalid_argument  where the mask does not broadcast into x, or `out` is too small or
/// not of rank 1; nothing is written then
///
///     xt::xtensor<float, 1> room = xt::zeros<float>({x.size()});
///     std::size_t count = xmask::masked_select(x, xmask::keep_above(x, 0), room);    // 8
template <class X, class M, class Out>
std::size_t masked_select(const X& x, const M& m, Out&& out) {
    if constexpr (detail::require_all<
                      detail::require_tensor<X>, detail::require_mask<M>,
                      detail::require_target<Out>>()) {
        return detail::select_into(x, m, out);
    }
}
} // namespace xmask::inline XMASK_ABI
