// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__BMI2__) && defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../abi.hpp"

/// @file
/// Functions of single words that use special instructions of the processor.

namespace xmask::inline XMASK_ABI::detail::simd {
/// A word with its lowest `count` bits set. `count` is at most 64.
[[nodiscard]] constexpr std::uint64_t lowest_bits(std::uint64_t count) noexcept {
#if defined(__BMI2__) && defined(__x86_64__)
    if (!std::is_constant_evaluated()) {
        return _bzhi_u64(~std::uint64_t(0), static_cast<unsigned>(count));
    }
#endif
    // Without a branch, because short rows would make it unpredictable. For 64 this is 1 - 1 - 1.
    return (std::uint64_t(1) << count % 64) - 1 - count / 64;
}
} // namespace xmask::inline XMASK_ABI::detail::simd
