// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../attributes.hpp"
#include "lanes.hpp"

/// @file
/// AVX512BW and AVX512VL: comparisons of bytes that give bits.

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
consteval bool has_lanes_of_bytes(avx512bw) noexcept {
    return sizeof(T) <= 4;
}

template <class T>
    requires(sizeof(T) <= 4)
XMASK_INLINE lane_mask<T> mask_from_bytes(avx512bw, const bool* from) noexcept {
    using bits_t = typename lane_mask<T>::register_type;
    if constexpr (sizeof(T) == 1) {
        const auto bytes = _mm512_loadu_si512(from);
        return lane_mask<T>(static_cast<bits_t>(_mm512_test_epi8_mask(bytes, bytes)));
    } else if constexpr (sizeof(T) == 2) {
        const auto bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return lane_mask<T>(static_cast<bits_t>(_mm256_test_epi8_mask(bytes, bytes)));
    } else {
        const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        return lane_mask<T>(static_cast<bits_t>(_mm_test_epi8_mask(bytes, bytes)));
    }
}

#if defined(__AVX512DQ__)
consteval bool has_wide_products(avx512bw) noexcept { return true; }

XMASK_INLINE lanes<std::uint64_t> wide_products(
    avx512bw, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    return lanes<std::uint64_t>(_mm512_mullo_epi64(x, y));
}
#endif

/// Joins the masks as masks: one move to a general register instead of one for each.
template <class T>
XMASK_INLINE std::uint64_t word_from_masks(
    avx512bw, const std::array<lane_mask<T>, 64 / lane_count<T>>& masks
) noexcept {
    const auto joined = [&]<std::size_t N>(
                            const auto& self, std::integral_constant<std::size_t, N>, std::size_t i
                        ) XMASK_INLINE_LAMBDA {
        if constexpr (N == lane_count<T>) {
            return static_cast<__mmask64>(masks[i].data);
        } else {
            constexpr std::integral_constant<std::size_t, N / 2> half;
            const auto low = self(self, half, i);
            const auto high = self(self, half, i + N / 2 / lane_count<T>);
            if constexpr (N == 16) {
                return static_cast<__mmask64>(
                    _mm512_kunpackb(static_cast<__mmask16>(high), static_cast<__mmask16>(low))
                );
            } else if constexpr (N == 32) {
                return static_cast<__mmask64>(
                    _mm512_kunpackw(static_cast<__mmask32>(high), static_cast<__mmask32>(low))
                );
            } else {
                return _mm512_kunpackd(high, low);
            }
        }
    };
    return joined(joined, std::integral_constant<std::size_t, 64>(), 0);
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
