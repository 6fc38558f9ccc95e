// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../attributes.hpp"
#include "bits.hpp"
#include "generic.hpp"
#include "lanes.hpp"

/// @file
/// AVX2: registers of 32 bytes, and masks that are registers, too.

#if defined(__AVX2__) && !defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// Gives each lane the byte of the word that holds its bit.
template <class T>
    requires(sizeof(T) == 1)
XMASK_INLINE lane_mask<T> mask_from_bits(avx2, std::uint64_t bits, std::size_t k) noexcept {
    const auto byte_of_lane = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3,
        3
    );
    const auto bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
    const auto bytes =
        _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits >> k)), byte_of_lane);
    return lane_mask<T>(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit));
}

/// A blend reads only the sign bit, so that each lane only shifts its own bit there.
template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> select_by_bits(
    avx2, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
    constexpr std::size_t piece = 8 * sizeof(bits_t);
    static constexpr auto shift_of_column = [] {
        std::array<bits_t, piece> shift{};
        for (std::size_t column = 0; column < piece; ++column) {
            shift[column] = static_cast<bits_t>(piece - 1 - column);
        }
        return shift;
    }();
    const auto shift = xsimd::batch<bits_t>::load_unaligned(shift_of_column.data() + k % piece);
    const auto columns = xsimd::batch<bits_t>(static_cast<bits_t>(bits >> (k - k % piece)));
    if constexpr (sizeof(T) == 4) {
        const auto kept = __builtin_bit_cast(__m256, x.data);
        const auto other = __builtin_bit_cast(__m256, y.data);
        const auto signs = _mm256_castsi256_ps(_mm256_sllv_epi32(columns.data, shift.data));
        return lanes<T>(__builtin_bit_cast(decltype(x.data), _mm256_blendv_ps(other, kept, signs)));
    } else {
        const auto kept = __builtin_bit_cast(__m256d, x.data);
        const auto other = __builtin_bit_cast(__m256d, y.data);
        const auto signs = _mm256_castsi256_pd(_mm256_sllv_epi64(columns.data, shift.data));
        return lanes<T>(__builtin_bit_cast(decltype(x.data), _mm256_blendv_pd(other, kept, signs)));
    }
}

/// One instruction; a blend takes three.
template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    avx2, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    return lanes<T>(__builtin_bit_cast(
        decltype(x.data),
        _mm256_and_si256(
            __builtin_bit_cast(__m256i, chosen.data), __builtin_bit_cast(__m256i, x.data)
        )
    ));
}

template <class T>
consteval bool has_lanes_of_bytes(avx2) noexcept {
    return sizeof(T) >= 4;
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lane_mask<T> mask_from_bytes(avx2, const bool* from) noexcept {
    __m256i wide;
    if constexpr (sizeof(T) == 4) {
        wide = _mm256_cvtepu8_epi32(_mm_loadu_si64(from));
        wide = _mm256_cmpgt_epi32(wide, _mm256_setzero_si256());
    } else {
        wide = _mm256_cvtepu8_epi64(_mm_loadu_si32(from));
        wide = _mm256_cmpgt_epi64(wide, _mm256_setzero_si256());
    }
    return lane_mask<T>(__builtin_bit_cast(typename lane_mask<T>::register_type, wide));
}

/// This instruction gives 0 for a shift by 64; xsimd leaves it undefined.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    avx2, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    return batch(_mm256_sllv_epi64(_mm256_set1_epi64x(1), counts)) - batch(1);
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> load_first_lanes(avx2, const T* from, std::size_t count) noexcept {
    using bits_t = xsimd::as_integer_t<T>;
    const __m256i chosen =
        xsimd::batch_bool_cast<bits_t>(mask_from_bits<T>(avx2(), lowest_bits(count), 0)).data;
    if constexpr (std::is_same_v<T, float>) {
        return lanes<T>(_mm256_maskload_ps(from, chosen));
    } else if constexpr (std::is_same_v<T, double>) {
        return lanes<T>(_mm256_maskload_pd(from, chosen));
    } else if constexpr (sizeof(T) == 4) {
        return lanes<T>(_mm256_maskload_epi32(reinterpret_cast<const int*>(from), chosen));
    } else {
        return lanes<T>(_mm256_maskload_epi64(reinterpret_cast<const long long*>(from), chosen));
    }
}

/// Stores by halves. A masked store is slow on some processors, and is never forwarded to a load.
template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE void store_first_lanes(
    avx2, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    auto* out = reinterpret_cast<unsigned char*>(to);
    const auto bits = __builtin_bit_cast(__m256i, value.data);
    auto half = _mm256_castsi256_si128(bits);
    const std::size_t bytes = count * sizeof(T);
    if (bytes & 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), half);
        half = _mm256_extracti128_si256(bits, 1);
        out += 16;
    }
    if (bytes & 8) {
        _mm_storeu_si64(out, half);
        half = _mm_unpackhi_epi64(half, half);
        out += 8;
    }
    if (bytes & 4) {
        _mm_storeu_si32(out, half);
    }
}

template <class T>
consteval bool has_compress(avx2) noexcept {
    return sizeof(T) >= 4;
}

/// For each choice among 8 lanes, the numbers of the chosen lanes in order, one a byte.
inline constexpr auto chosen_lane_numbers = [] {
    std::array<std::uint64_t, 256> numbers{};
    for (std::uint64_t bits = 0; bits < 256; ++bits) {
        unsigned to = 0;
        for (std::uint64_t lane = 0; lane < 8; ++lane) {
            if ((bits >> lane & 1) != 0) {
                numbers[bits] |= lane << 8 * to++;
            }
        }
    }
    return numbers;
}();

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> compress_lanes(avx2, const lanes<T>& x, std::uint64_t bits) noexcept {
    if constexpr (sizeof(T) == 8) {
        // Each lane of 64 bits is two lanes of 32 bits.
        bits = (bits | bits << 2) & 0x33;
        bits = (bits | bits << 1) & 0x55;
        bits |= bits << 1;
    }
    const auto numbers = _mm_loadu_si64(&chosen_lane_numbers[bits & 0xff]);
    const auto moved = _mm256_permutevar8x32_epi32(
        __builtin_bit_cast(__m256i, x.data), _mm256_cvtepu8_epi32(numbers)
    );
    return lanes<T>(__builtin_bit_cast(decltype(x.data), moved));
}

XMASK_INLINE void store_narrowed(avx2, float* to, const lanes<double>& x) noexcept {
    _mm_storeu_ps(to, _mm256_cvtpd_ps(x));
}

consteval bool has_scan(avx2) noexcept { return true; }

/// Lane k gets lane k - N of x; the first N lanes get `fill`, whose lanes are all alike.
template <std::size_t N>
XMASK_INLINE lanes<double> shift_up(
    avx2, const lanes<double>& x, const lanes<double>& fill
) noexcept {
    if constexpr (N == 1) {
        return lanes<double>(_mm256_blend_pd(_mm256_permute4x64_pd(x, 0x90), fill, 1));
    } else {
        static_assert(N == 2);
        return lanes<double>(_mm256_permute2f128_pd(x, fill, 0x02));
    }
}

XMASK_INLINE lanes<double> last_lane(avx2, const lanes<double>& x) noexcept {
    return lanes<double>(_mm256_permute4x64_pd(x, 0xff));
}

consteval bool has_quads(avx2) noexcept { return true; }

template <std::size_t D>
XMASK_INLINE lanes<std::int32_t> rotate_quads(avx2, const lanes<std::int32_t>& x) noexcept {
    constexpr int order = (0xe4e4 >> 2 * D) & 0xff;
    return lanes<std::int32_t>(_mm256_shuffle_epi32(x, order));
}

/// Chosen lanes of the mask are -1.
XMASK_INLINE lanes<std::int32_t> decrease_where(
    avx2, const lane_mask<std::int32_t>& chosen, const lanes<std::int32_t>& x
) noexcept {
    return lanes<std::int32_t>(_mm256_add_epi32(x, chosen));
}

XMASK_INLINE lanes<std::uint64_t> product_of_halves(
    avx2, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    return lanes<std::uint64_t>(_mm256_mul_epu32(x, y));
}

/// Without FMA, exp by a polynomial is as fast as exp by a table.
consteval std::size_t table_lanes(avx2_fma) noexcept { return 8; }

XMASK_INLINE lanes<std::int32_t> look_up(
    avx2, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    const auto loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table));
    return lanes<std::int32_t>(_mm256_permutevar8x32_epi32(loaded, at));
}

/// Eight slots of 32 bits for tokens of any width, because AVX2 permutes only lanes of 32 bits.
/// Tokens of 64 bits are looked up by their lower halves, 32 tokens at a time.
template <class T>
    requires(sizeof(T) >= 4)
consteval slot_layout slots_of(avx2) noexcept {
    return {.slots = 8, .most = 7, .id_bytes = 4, .registers = sizeof(T) == 4 ? 1 : 8};
}

/// The ids in the slots of eight tokens of 32 bits.
XMASK_INLINE __m256i
ids_in_slots(const std::int32_t* ids, std::uint32_t factor, __m256i tokens) noexcept {
    constexpr int shift = 32 - 3;
    const auto product = _mm256_mullo_epi32(tokens, _mm256_set1_epi32(static_cast<int>(factor)));
    return look_up(avx2(), ids, lanes<std::int32_t>(_mm256_srli_epi32(product, shift)));
}

/// Which of eight tokens of 64 bits are ids, as lanes of 32 bits in the order 0 1 4 5 2 3 6 7.
XMASK_INLINE __m256i
match_eight(const std::int32_t* ids, std::uint32_t factor, __m256i a, __m256i b) noexcept {
    const auto x = _mm256_castsi256_ps(a);
    const auto y = _mm256_castsi256_ps(b);
    const auto low = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88));
    const auto high = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xdd));
    // All ids fit into 32 bits: their upper halves repeat the sign bit.
    return _mm256_and_si256(
        _mm256_cmpeq_epi32(low, ids_in_slots(ids, factor, low)),
        _mm256_cmpeq_epi32(high, _mm256_srai_epi32(low, 31))
    );
}

template <class T>
    requires(sizeof(T) == 4)
XMASK_INLINE std::uint64_t match_slots(
    avx2, const std::int32_t* ids, std::uint32_t factor, const std::array<lanes<T>, 1>& tokens
) noexcept {
    const __m256i x = tokens[0].data;
    const auto found = _mm256_cmpeq_epi32(x, ids_in_slots(ids, factor, x));
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(found)));
}

template <class T>
    requires(sizeof(T) == 8)
XMASK_INLINE std::uint64_t match_slots(
    avx2, const std::int32_t* ids, std::uint32_t factor, const std::array<lanes<T>, 8>& tokens
) noexcept {
    const auto eight = [&](std::size_t i) XMASK_INLINE_LAMBDA {
        return match_eight(ids, factor, tokens[2 * i].data, tokens[2 * i + 1].data);
    };
    const auto found = _mm256_packs_epi16(
        _mm256_packs_epi32(eight(0), eight(1)), _mm256_packs_epi32(eight(2), eight(3))
    );
    // The lower 128 bits hold tokens 0 1 4 5 8 9 ..., the upper 128 bits 2 3 6 7 10 11 ...
    const auto pairs = _mm256_setr_epi8(
        0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12,
        13, 6, 7, 14, 15
    );
    const auto in_order = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(found, 0xd8), pairs);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(in_order));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif
