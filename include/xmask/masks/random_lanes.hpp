// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "../core/attributes.hpp"
#include "../core/simd.hpp"
#include "random_stream.hpp"

/// @file
/// The functions of random numbers in registers. Each lane gets the number that random_stream.hpp
/// gives.

namespace xmask::inline XMASK_ABI::detail {
/// 0, 1, 2, ... times a step, which wraps around.
template <class T>
XMASK_INLINE lanes<T> lane_multiples(T step) noexcept {
    std::array<T, lane_count<T>> multiples{};
    for (std::size_t i = 1; i < multiples.size(); ++i) {
        multiples[i] = static_cast<T>(multiples[i - 1] + step);
    }
    return lanes<T>::load_unaligned(multiples.data());
}

/// The products, modulo 2^64.
XMASK_INLINE lanes<std::uint64_t> wide_products(
    const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    if constexpr (simd::has_wide_products(simd::native())) {
        return simd::wide_products(simd::native(), x, y);
    } else {
        const auto product = [](const auto& a, const auto& b) XMASK_INLINE_LAMBDA {
            return simd::product_of_halves(simd::native(), a, b);
        };
        return product(x, y) + ((product(x >> 32, y) + product(x, y >> 32)) << 32);
    }
}

/// scrambled() of each lane.
XMASK_INLINE lanes<std::uint64_t> scrambled_lanes(lanes<std::uint64_t> x) noexcept {
    using batch = lanes<std::uint64_t>;
    x = wide_products(x ^ (x >> 30), batch(0xbf58476d1ce4e5b9));
    x = wide_products(x ^ (x >> 27), batch(0x94d049bb133111eb));
    return x ^ (x >> 31);
}

/// The upper halves of the products with numbers below 2^32.
XMASK_INLINE lanes<std::uint64_t> upper_wide_products(
    const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    const auto low = simd::product_of_halves(simd::native(), x, y) >> 32;
    return (simd::product_of_halves(simd::native(), x >> 32, y) + low) >> 32;
}

/// The upper halves of the products with a number.
XMASK_INLINE lanes<std::uint32_t> upper_products(
    const lanes<std::uint32_t>& x, std::uint32_t y
) noexcept {
    using batch = lanes<std::uint64_t>;
    const auto pairs = xsimd::bitwise_cast<std::uint64_t>(x);
    const auto even = simd::product_of_halves(simd::native(), pairs, batch(y)) >> 32;
    const auto odd = simd::product_of_halves(simd::native(), pairs >> 32, batch(y));
    return xsimd::bitwise_cast<std::uint32_t>(even | (odd & batch(0xffffffff00000000)));
}
} // namespace xmask::inline XMASK_ABI::detail
