// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

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
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
