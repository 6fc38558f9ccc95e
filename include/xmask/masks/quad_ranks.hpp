// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/simd.hpp"
#include "size_key.hpp"

/// @file
/// Groups of four floats, ranked within their registers: what 2 of 4 asks for.

namespace xmask::inline XMASK_ABI::detail {
/// Whether groups of four elements of T are ranked within registers.
template <class T>
inline constexpr bool ranks_quads = std::is_same_v<T, float> && has_quads;

/// Integers in the order of the sizes of floats, larger than the lowest integer. Both zeros are
/// alike, and all NaN come last and are alike.
template <size_by By>
XMASK_INLINE lanes<std::int32_t> ordered_keys(const lanes<float>& x) noexcept {
    using integers = lanes<std::int32_t>;
    constexpr std::int32_t magnitude = 0x7fffffff;
    if constexpr (By == size_by::magnitude) {
        // The sum moves infinity to the largest integer, and NaN past it, to the negative ones.
        constexpr std::int32_t above_infinity = magnitude - 0x7f800000;
        const auto key =
            (xsimd::bitwise_cast<std::int32_t>(x) & integers(magnitude)) + integers(above_infinity);
        return xsimd::max(key, integers(0));
    } else {
        const auto bits = xsimd::bitwise_cast<std::int32_t>(x + lanes<float>(0.f));
        const auto key = bits ^ ((bits >> 31) & integers(magnitude));
        const integers nan(std::numeric_limits<std::int32_t>::min() + 1);
        return xsimd::select(xsimd::batch_bool_cast<std::int32_t>(x == x), key, nan);
    }
}

/// Counts down where the element D columns on in the group, cyclically, comes before this one: the
/// larger one, and of equal ones the earlier one.
template <std::size_t D>
XMASK_INLINE lanes<std::int32_t> count_behind(
    const lanes<std::int32_t>& left, const lanes<std::int32_t>& keys
) noexcept {
    // An element that stands earlier is not less: it is larger than the next smaller integer.
    return simd::decrease_where(
        simd::native(),
        simd::rotate_quads<D>(simd::native(), keys) > keys - simd::last_of_quads<D>(simd::native()),
        left
    );
}

/// Which floats of a register are among the n first of their groups of four, by size.
template <size_by By>
XMASK_INLINE lane_mask<float> largest_of_quads(const lanes<float>& x, std::size_t n) noexcept {
    using integers = lanes<std::int32_t>;
    const auto keys = ordered_keys<By>(x);
    const auto left = count_behind<3>(
        count_behind<2>(count_behind<1>(integers(static_cast<std::int32_t>(n)), keys), keys), keys
    );
    return xsimd::batch_bool_cast<float>(left > integers(0));
}
} // namespace xmask::inline XMASK_ABI::detail
