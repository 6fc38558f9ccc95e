// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>

#include "../attributes.hpp"
#include "lanes.hpp"

/// @file
/// AVX: floats in registers of 32 bytes.

#if defined(__AVX__) && !defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
    requires(register_bytes<T> == 32)
XMASK_INLINE void store_streaming(avx, T* to, const lanes<T>& value) noexcept {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), __builtin_bit_cast(__m256i, value.data));
}

XMASK_INLINE lanes<float> max_or_nan(
    avx, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm256_max_ps(limit, x));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(avx, const lanes<float>& x) noexcept {
    return {
        lanes<double>(_mm256_cvtps_pd(_mm256_castps256_ps128(x))),
        lanes<double>(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))),
    };
}

XMASK_INLINE lanes<double> load_widened(avx, const float* from) noexcept {
    return lanes<double>(_mm256_cvtps_pd(_mm_loadu_ps(from)));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
