// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include "../attributes.hpp"
#include "lanes.hpp"

/// @file
/// SSE2 beyond xsimd: stores past the caches, and a maximum that keeps NaN.

#if defined(__SSE2__)
#include <emmintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// AVX has no function of its own: this one takes its registers of 32 bytes, too.
template <class T>
XMASK_INLINE lanes<T> in_register(sse2, lanes<T> x) noexcept {
#if defined(__GNUC__)
    asm("" : "+x"(x.data));
#endif
    return x;
}

template <class T>
XMASK_INLINE void store_streaming(sse2, T* to, const lanes<T>& value) noexcept {
    static_assert(register_bytes<T> == 16);
    // The cast to an integer register type costs nothing: the register is the same.
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), __builtin_bit_cast(__m128i, value.data));
}

XMASK_INLINE void finish_streaming(sse2) noexcept { _mm_sfence(); }

#if !defined(__AVX__)
XMASK_INLINE lanes<std::uint64_t> product_of_halves(
    sse2, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    return lanes<std::uint64_t>(_mm_mul_epu32(x, y));
}

/// The instruction gives its second operand where either is NaN.
XMASK_INLINE lanes<float> max_or_nan(
    sse2, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm_max_ps(limit, x));
}
#endif
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
