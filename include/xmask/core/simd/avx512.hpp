// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../attributes.hpp"
#include "bits.hpp"
#include "lanes.hpp"

/// @file
/// AVX-512: registers of 64 bytes, and masks that are bits.

#if defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// The bits are the mask.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(avx512f, std::uint64_t bits, std::size_t k) noexcept {
    return lane_mask<T>(static_cast<typename lane_mask<T>::register_type>(bits >> k));
}

/// Selections call this for their operands. Otherwise the compiler loads or stores under the
/// selecting mask (vblendmps and vmovups with a memory operand), which halves the throughput of
/// memory on AMD's Zen 5.
template <class T>
XMASK_INLINE lanes<T> in_register(avx512f, lanes<T> x) noexcept {
#if defined(__GNUC__)
    asm("" : "+v"(x.data));
#endif
    return x;
}

template <class T>
XMASK_INLINE lanes<T> select_lanes(
    avx512f, const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return xsimd::select(chosen, in_register<T>(avx512f(), x), in_register<T>(avx512f(), y));
}

template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    avx512f, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return select_lanes<T>(avx512f(), mask_from_bits<T>(avx512f(), bits, k), x, y);
}

template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    avx512f, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    return xsimd::select(chosen, in_register<T>(avx512f(), x), lanes<T>(lane_t<T>(0)));
}

/// This instruction gives 0 for a shift by 64; xsimd leaves it undefined, and goes through memory.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    avx512f, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    return batch(_mm512_sllv_epi64(_mm512_set1_epi64(1), counts)) - batch(1);
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> load_first_lanes(avx512f, const T* from, std::size_t count) noexcept {
    const auto bits = lowest_bits(count);
    if constexpr (std::is_same_v<T, float>) {
        return lanes<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), from));
    } else if constexpr (std::is_same_v<T, double>) {
        return lanes<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(bits), from));
    } else if constexpr (sizeof(T) == 4) {
        return lanes<T>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>(bits), from));
    } else {
        return lanes<T>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>(bits), from));
    }
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE void store_first_lanes(
    avx512f, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    const auto bits = lowest_bits(count);
    if constexpr (std::is_same_v<T, float>) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>(bits), value);
    } else if constexpr (std::is_same_v<T, double>) {
        _mm512_mask_storeu_pd(to, static_cast<__mmask8>(bits), value);
    } else if constexpr (sizeof(T) == 4) {
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(bits), value);
    } else {
        _mm512_mask_storeu_epi64(to, static_cast<__mmask8>(bits), value);
    }
}

template <class T>
consteval bool has_compress(avx512f) noexcept {
    return sizeof(T) >= 4;
}

/// The other lanes stay as they are: zeros in them would depend on what the result's register held.
template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> compress_lanes(avx512f, const lanes<T>& x, std::uint64_t bits) noexcept {
    const auto from = __builtin_bit_cast(__m512i, x.data);
    __m512i moved;
    if constexpr (sizeof(T) == 8) {
        moved = _mm512_mask_compress_epi64(from, static_cast<__mmask8>(bits), from);
    } else {
        moved = _mm512_mask_compress_epi32(from, static_cast<__mmask16>(bits), from);
    }
    return lanes<T>(__builtin_bit_cast(decltype(x.data), moved));
}

template <class T>
XMASK_INLINE void store_streaming(avx512f, T* to, const lanes<T>& value) noexcept {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), __builtin_bit_cast(__m512i, value.data));
}

/// The instruction gives its second operand where either is NaN.
XMASK_INLINE lanes<float> max_or_nan(
    avx512f, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm512_max_ps(limit, x));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(avx512f, const lanes<float>& x) noexcept {
    return {
        lanes<double>(_mm512_cvtps_pd(_mm512_castps512_ps256(x))),
        lanes<double>(
            _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)))
        ),
    };
}

XMASK_INLINE lanes<double> load_widened(avx512f, const float* from) noexcept {
    return lanes<double>(_mm512_cvtps_pd(_mm256_loadu_ps(from)));
}

XMASK_INLINE void store_narrowed(avx512f, float* to, const lanes<double>& x) noexcept {
    _mm256_storeu_ps(to, _mm512_cvtpd_ps(x));
}

consteval bool has_scan(avx512f) noexcept { return true; }

/// Lane k gets lane k - N of x; the first N lanes get `fill`, whose lanes are all alike.
template <std::size_t N>
XMASK_INLINE lanes<double> shift_up(
    avx512f, const lanes<double>& x, const lanes<double>& fill
) noexcept {
    return lanes<double>(_mm512_castsi512_pd(
        _mm512_alignr_epi64(_mm512_castpd_si512(x), _mm512_castpd_si512(fill), 8 - N)
    ));
}

XMASK_INLINE lanes<double> last_lane(avx512f, const lanes<double>& x) noexcept {
    return lanes<double>(_mm512_permutexvar_pd(_mm512_set1_epi64(7), x));
}

consteval bool has_quads(avx512f) noexcept { return true; }

template <std::size_t D>
XMASK_INLINE lanes<std::int32_t> rotate_quads(avx512f, const lanes<std::int32_t>& x) noexcept {
    constexpr int order = (0xe4e4 >> 2 * D) & 0xff;
    return lanes<std::int32_t>(_mm512_shuffle_epi32(x, static_cast<_MM_PERM_ENUM>(order)));
}

XMASK_INLINE lanes<std::int32_t> decrease_where(
    avx512f, const lane_mask<std::int32_t>& chosen, const lanes<std::int32_t>& x
) noexcept {
    return lanes<std::int32_t>(_mm512_mask_sub_epi32(x, chosen, x, _mm512_set1_epi32(1)));
}

XMASK_INLINE lanes<std::uint64_t> product_of_halves(
    avx512f, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    return lanes<std::uint64_t>(_mm512_mul_epu32(x, y));
}

consteval std::size_t table_lanes(avx512f) noexcept { return 16; }

XMASK_INLINE lanes<std::int32_t> look_up(
    avx512f, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    return lanes<std::int32_t>(_mm512_permutexvar_epi32(at, _mm512_loadu_si512(table)));
}

/// Loads a register in two halves. At most one half crosses a cache line, where a whole register may
/// cross one at each load: on AMD's Zen 5 the halves are twice as fast from large memory.
template <class T>
XMASK_INLINE lanes<T> load_in_passing(avx512f, const T* from) noexcept {
    const auto* const halves = reinterpret_cast<const __m256i*>(from);
    auto low = _mm512_castsi256_si512(_mm256_loadu_si256(halves));
#if defined(__GNUC__)
    asm("" : "+v"(low)); // otherwise the compiler joins both loads
#endif
    const auto both = _mm512_inserti64x4(low, _mm256_loadu_si256(halves + 1), 1);
    return lanes<T>(__builtin_bit_cast(decltype(lanes<T>().data), both));
}

template <class T>
    requires(sizeof(T) >= 4)
consteval slot_layout slots_of(avx512f) noexcept {
    return {.slots = 16, .most = 10, .id_bytes = sizeof(T), .registers = 1};
}

template <class T, class Id>
XMASK_INLINE std::uint64_t match_slots(
    avx512f, const Id* ids, std::uint32_t factor, const std::array<lanes<T>, 1>& tokens
) noexcept {
    constexpr int shift = 32 - 4;
    const __m512i x = tokens[0].data;
    if constexpr (sizeof(T) == 8) {
        const auto slot = _mm512_srli_epi64(_mm512_mul_epu32(x, _mm512_set1_epi64(factor)), shift);
        const auto id =
            _mm512_permutex2var_epi64(_mm512_loadu_si512(ids), slot, _mm512_loadu_si512(ids + 8));
        return _mm512_cmpeq_epi64_mask(x, id);
    } else {
        const auto product = _mm512_mullo_epi32(x, _mm512_set1_epi32(static_cast<int>(factor)));
        const auto slot = _mm512_srli_epi32(product, shift);
        return _mm512_cmpeq_epi32_mask(x, _mm512_permutexvar_epi32(slot, _mm512_loadu_si512(ids)));
    }
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
