// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstdint>

#include "../attributes.hpp"
#include "lanes.hpp"

/// @file
/// NEON of 64-bit ARM, in registers of 16 bytes.

#if XSIMD_WITH_NEON64 && !XSIMD_WITH_SVE
#include <arm_neon.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// This instruction gives 0 for a shift by 64; xsimd leaves it undefined.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    neon, const lanes<std::uint64_t>& counts
) noexcept {
    const auto one = vdupq_n_u64(1);
    const auto shifted = vshlq_u64(one, vreinterpretq_s64_u64(counts.data));
    return lanes<std::uint64_t>(vsubq_u64(shifted, one));
}

/// The instruction gives NaN where either operand is NaN; the limit never is.
XMASK_INLINE lanes<float> max_or_nan(
    neon, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(vmaxq_f32(limit, x));
}

/// xsimd refines an estimate for floats. The estimate is NaN for the root of infinity.
XMASK_INLINE lanes<float> square_root(neon, const lanes<float>& x) noexcept {
    return lanes<float>(vsqrtq_f32(x));
}

XMASK_INLINE lanes<float> quotient(neon, const lanes<float>& x, const lanes<float>& y) noexcept {
    return lanes<float>(vdivq_f32(x, y));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(neon, const lanes<float>& x) noexcept {
    return {
        lanes<double>(vcvt_f64_f32(vget_low_f32(x))),
        lanes<double>(vcvt_high_f64_f32(x)),
    };
}

XMASK_INLINE lanes<double> load_widened(neon, const float* from) noexcept {
    return lanes<double>(vcvt_f64_f32(vld1_f32(from)));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
