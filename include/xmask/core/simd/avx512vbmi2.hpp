// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstdint>

#include "../attributes.hpp"
#include "lanes.hpp"

/// @file
/// AVX512VBMI2: compression of lanes of one and two bytes.

#if defined(__AVX512VBMI2__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
consteval bool has_compress(avx512vbmi2) noexcept {
    return true;
}

template <class T>
    requires(sizeof(T) <= 2)
XMASK_INLINE lanes<T> compress_lanes(avx512vbmi2, const lanes<T>& x, std::uint64_t bits) noexcept {
    if constexpr (sizeof(T) == 2) {
        return lanes<T>(_mm512_mask_compress_epi16(x, static_cast<__mmask32>(bits), x));
    } else {
        return lanes<T>(_mm512_mask_compress_epi8(x, static_cast<__mmask64>(bits), x));
    }
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
