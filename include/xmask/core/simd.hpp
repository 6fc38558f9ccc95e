// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "abi.hpp"

#include <xsimd/config/xsimd_config.hpp>

#if XSIMD_VERSION_MAJOR < 13
#error "xmask needs xsimd 13 or later."
#include <xmask_ends_here>
#elif defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#error "xmask needs SIMD registers that xsimd knows, as SSE2, NEON, SVE, RVV or VSX."
#include <xmask_ends_here>
#endif

#include <xsimd/xsimd.hpp>

#include "attributes.hpp"
#include "word.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define XMASK_X86 1
#else
#define XMASK_X86 0
#endif

/// @file
/// The only file that names xsimd: registers of lanes, and the ways between their masks and the
/// bits of a word.

namespace xmask::inline XMASK_ABI::detail {
/// The type whose lanes carry elements of type T: bool travels as a byte.
template <class T>
using lane_t = std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>;

/// Whether the processor has registers of T. Other types (complex, long double) take scalar loops.
template <class T>
inline constexpr bool has_lanes =
    std::is_arithmetic_v<T> && xsimd::has_simd_register<lane_t<T>, xsimd::default_arch>::value;

/// A register of T.
template <class T>
using lanes = xsimd::batch<lane_t<T>>;

/// One bit of decision for each lane of a register of T.
template <class T>
using lane_mask = typename lanes<T>::batch_bool_type;

/// How many T fit into one register.
template <class T>
inline constexpr std::size_t lane_count = lanes<T>::size;

/// Bytes a streaming store must be aligned to.
template <class T>
inline constexpr std::size_t register_bytes = lane_count<T> * sizeof(T);

/// Bits [k, k + lane_count<T>) of a word, one a lane; k is a multiple of lane_count<T>.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(word_t bits, std::size_t k) noexcept {
    using batch = lanes<T>;
    [[maybe_unused]] constexpr std::size_t n = lane_count<T>;
#if defined(__AVX512F__)
    if constexpr (register_bytes<T> == 64) {
        return lane_mask<T>(static_cast<typename lane_mask<T>::register_type>(bits >> k));
    } else
#endif
        if constexpr (n <= 8 * sizeof(lane_t<T>)) {
        // Each lane gets the same piece of the word, one for several registers, and looks at its
        // own bit.
        using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
        constexpr std::size_t piece = 8 * sizeof(bits_t);
        static constexpr auto bit_of_column = [] {
            std::array<bits_t, piece> bit{};
            for (std::size_t column = 0; column < piece; ++column) {
                bit[column] = static_cast<bits_t>(word_t(1) << column);
            }
            return bit;
        }();
        const auto bit = xsimd::batch<bits_t>::load_unaligned(bit_of_column.data() + k % piece);
        const auto chosen =
            (xsimd::batch<bits_t>(static_cast<bits_t>(bits >> (k - k % piece))) & bit) == bit;
        return xsimd::batch_bool_cast<lane_t<T>>(chosen);
    }
#if defined(__AVX2__)
    else if constexpr (sizeof(T) == 1 && register_bytes<T> == 32) {
        // Each lane gets the byte of the word that holds its bit.
        const auto byte_of_lane = _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3,
            3, 3, 3
        );
        const auto bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
        const auto bytes =
            _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits >> k)), byte_of_lane);
        return lane_mask<T>(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit));
    }
#endif
    else {
        return batch::batch_bool_type::from_mask(bits >> k & first_bits(n));
    }
}

/// x in the lanes whose bits are set in the word, from bit k on, y in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    word_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (register_bytes<T> == 32 && sizeof(T) >= 4) {
        // A blend looks at the sign alone, so that each lane need only shift its own bit there.
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
            return lanes<T>(
                __builtin_bit_cast(decltype(x.data), _mm256_blendv_ps(other, kept, signs))
            );
        } else {
            const auto kept = __builtin_bit_cast(__m256d, x.data);
            const auto other = __builtin_bit_cast(__m256d, y.data);
            const auto signs = _mm256_castsi256_pd(_mm256_sllv_epi64(columns.data, shift.data));
            return lanes<T>(
                __builtin_bit_cast(decltype(x.data), _mm256_blendv_pd(other, kept, signs))
            );
        }
    } else
#endif
    {
        return xsimd::select(mask_from_bits<T>(bits, k), x, y);
    }
}

/// x in the lanes whose bits are set in the word, from bit k on, 0 in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> zero_unless(word_t bits, std::size_t k, const lanes<T>& x) noexcept {
    const auto chosen = mask_from_bits<T>(bits, k);
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (register_bytes<T> == 32) {
        // One instruction, where a blend takes three.
        const auto kept = _mm256_and_si256(
            __builtin_bit_cast(__m256i, chosen.data), __builtin_bit_cast(__m256i, x.data)
        );
        return lanes<T>(__builtin_bit_cast(decltype(x.data), kept));
    } else
#endif
    {
        return xsimd::select(chosen, x, lanes<T>(lane_t<T>(0)));
    }
}

/// One bit for each lane, lane 0 lowest.
template <class M>
XMASK_INLINE word_t bits_from_mask(const M& mask) noexcept {
    return static_cast<word_t>(mask.mask());
}

/// Whether the processor makes a mask of registers of T of as many bytes in an instruction or two.
template <class T>
inline constexpr bool has_lanes_of_bytes = [] {
    if constexpr (has_lanes<T>) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
        return register_bytes<T> == 64 && sizeof(T) <= 4;
#elif defined(__AVX2__)
        return register_bytes<T> == 32 && sizeof(T) >= 4;
#endif
    }
    return false;
}();

/// Which of lane_count<T> bytes are not 0.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bytes([[maybe_unused]] const bool* from) noexcept
    requires has_lanes_of_bytes<T>
{
    using bits_t [[maybe_unused]] = typename lane_mask<T>::register_type;
#if defined(__AVX512BW__) && defined(__AVX512VL__)
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
#elif defined(__AVX2__)
    __m256i wide;
    if constexpr (sizeof(T) == 4) {
        wide = _mm256_cvtepu8_epi32(_mm_loadu_si64(from));
        wide = _mm256_cmpgt_epi32(wide, _mm256_setzero_si256());
    } else {
        wide = _mm256_cvtepu8_epi64(_mm_loadu_si32(from));
        wide = _mm256_cmpgt_epi64(wide, _mm256_setzero_si256());
    }
    return lane_mask<T>(__builtin_bit_cast(bits_t, wide));
#else
    return lane_mask<T>();
#endif
}

/// Replaces each of `count` numbers, of at most 64, by a word with that many of its lowest bits
/// set.
inline void replace_by_first_bits(word_t* words, std::size_t count) noexcept {
    std::size_t i = 0;
    if constexpr (has_lanes<word_t>) {
        using batch = lanes<word_t>;
        for (; i + batch::size <= count; i += batch::size) {
            const auto set = batch::load_unaligned(words + i);
            // One by 64 gives 0 in these instructions, which xsimd does not promise; and for 512
            // bits it goes through memory.
#if defined(__AVX512F__)
            const batch shifted = _mm512_sllv_epi64(_mm512_set1_epi64(1), set);
#elif defined(__AVX2__)
            const batch shifted = _mm256_sllv_epi64(_mm256_set1_epi64x(1), set);
#else
            // In two steps, because a shift by 64 is not defined.
            const auto half = set >> 1;
            const auto shifted = (batch(1) << half) << (set - half);
#endif
            (shifted - batch(1)).store_unaligned(words + i);
        }
    }
    for (; i < count; ++i) {
        words[i] = first_bits(words[i]);
    }
}

template <class T>
XMASK_INLINE lanes<T> load_lanes(const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

template <class T>
XMASK_INLINE void store_lanes(T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/// The lowest `count` lanes as AVX2's masked loads and stores take them.
template <class T>
XMASK_INLINE __m256i chosen_lanes(std::size_t count) noexcept {
    using bits_t = xsimd::as_integer_t<T>;
    return xsimd::batch_bool_cast<bits_t>(mask_from_bits<T>(first_bits(count), 0)).data;
}
#endif

/// The first `count` elements (fewer than a register holds), 0 in the other lanes; reads nothing
/// past them.
template <class T>
XMASK_INLINE lanes<T> load_first_lanes(const T* from, std::size_t count) noexcept {
#if defined(__AVX512F__)
    if constexpr (register_bytes<T> == 64 && sizeof(T) >= 4) {
        const auto bits = first_bits(count);
        if constexpr (std::is_same_v<T, float>) {
            return lanes<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), from));
        } else if constexpr (std::is_same_v<T, double>) {
            return lanes<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(bits), from));
        } else if constexpr (sizeof(T) == 4) {
            return lanes<T>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>(bits), from));
        } else {
            return lanes<T>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>(bits), from));
        }
    } else
#elif defined(__AVX2__)
    if constexpr (register_bytes<T> == 32 && sizeof(T) >= 4) {
        const auto chosen = chosen_lanes<T>(count);
        if constexpr (std::is_same_v<T, float>) {
            return lanes<T>(_mm256_maskload_ps(from, chosen));
        } else if constexpr (std::is_same_v<T, double>) {
            return lanes<T>(_mm256_maskload_pd(from, chosen));
        } else if constexpr (sizeof(T) == 4) {
            return lanes<T>(_mm256_maskload_epi32(reinterpret_cast<const int*>(from), chosen));
        } else {
            return lanes<T>(_mm256_maskload_epi64(reinterpret_cast<const long long*>(from), chosen)
            );
        }
    } else
#endif
    {
        std::array<lane_t<T>, lane_count<T>> buffer{};
        for (std::size_t k = 0; k < count; ++k) {
            buffer[k] = static_cast<lane_t<T>>(from[k]);
        }
        return lanes<T>::load_unaligned(buffer.data());
    }
}

/// Writes the first `count` lanes and nothing past them.
template <class T>
XMASK_INLINE void store_first_lanes(T* to, const lanes<T>& value, std::size_t count) noexcept {
#if defined(__AVX512F__)
    if constexpr (register_bytes<T> == 64 && sizeof(T) >= 4) {
        const auto bits = first_bits(count);
        if constexpr (std::is_same_v<T, float>) {
            _mm512_mask_storeu_ps(to, static_cast<__mmask16>(bits), value);
        } else if constexpr (std::is_same_v<T, double>) {
            _mm512_mask_storeu_pd(to, static_cast<__mmask8>(bits), value);
        } else if constexpr (sizeof(T) == 4) {
            _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(bits), value);
        } else {
            _mm512_mask_storeu_epi64(to, static_cast<__mmask8>(bits), value);
        }
    } else
#elif defined(__AVX2__)
    if constexpr (register_bytes<T> == 32 && sizeof(T) >= 4) {
        // By halves: a masked store is slow on some processors, and never forwarded to the next
        // load.
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
    } else
#endif
    {
        std::array<lane_t<T>, lane_count<T>> buffer;
        value.store_unaligned(buffer.data());
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = static_cast<T>(buffer[k]);
        }
    }
}

/// Whether the processor can move the chosen lanes of a register of T together.
template <class T>
inline constexpr bool has_compress = [] {
    if constexpr (has_lanes<T>) {
#if defined(__AVX512VBMI2__)
        return register_bytes<T> == 64;
#elif defined(__AVX512F__)
        return register_bytes<T> == 64 && sizeof(T) >= 4;
#elif defined(__AVX2__)
        return register_bytes<T> == 32 && sizeof(T) >= 4;
#endif
    }
    return false;
}();

#if defined(__AVX2__) && !defined(__AVX512F__)
/// For each choice of 8 lanes, their numbers in order, one a byte.
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
#endif

/// The lanes whose bits (the lowest lane_count<T>) are set, in order, in the first lanes; the
/// others hold anything.
template <class T>
XMASK_INLINE lanes<T> compress_lanes(const lanes<T>& x, [[maybe_unused]] word_t bits) noexcept
    requires has_compress<T>
{
#if defined(__AVX512F__)
    const auto from = __builtin_bit_cast(__m512i, x.data);
    if constexpr (sizeof(T) == 8) {
        return lanes<T>(__builtin_bit_cast(
            decltype(x.data), _mm512_maskz_compress_epi64(static_cast<__mmask8>(bits), from)
        ));
    } else if constexpr (sizeof(T) == 4) {
        return lanes<T>(__builtin_bit_cast(
            decltype(x.data), _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), from)
        ));
    }
#if defined(__AVX512VBMI2__)
    else if constexpr (sizeof(T) == 2) {
        return lanes<T>(__builtin_bit_cast(
            decltype(x.data), _mm512_maskz_compress_epi16(static_cast<__mmask32>(bits), from)
        ));
    } else {
        return lanes<T>(__builtin_bit_cast(
            decltype(x.data), _mm512_maskz_compress_epi8(static_cast<__mmask64>(bits), from)
        ));
    }
#endif
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 8) {
        // Each lane is two of 32 bits.
        bits = (bits | bits << 2) & 0x33;
        bits = (bits | bits << 1) & 0x55;
        bits |= bits << 1;
    }
    const auto numbers =
        _mm_cvtsi64_si128(static_cast<long long>(chosen_lane_numbers[bits & 0xff]));
    const auto moved = _mm256_permutevar8x32_epi32(
        __builtin_bit_cast(__m256i, x.data), _mm256_cvtepu8_epi32(numbers)
    );
    return lanes<T>(__builtin_bit_cast(decltype(x.data), moved));
#else
    return x;
#endif
}

/// Writes past the caches where the processor can; `to` is aligned to register_bytes<T>.
template <class T>
XMASK_INLINE void store_streaming(T* to, const lanes<T>& value) noexcept {
#if XMASK_X86
    // Moving the bits through an integer register type costs nothing: it is the same register.
#if defined(__AVX512F__)
    if constexpr (register_bytes<T> == 64) {
        _mm512_stream_si512(
            reinterpret_cast<__m512i*>(to), __builtin_bit_cast(__m512i, value.data)
        );
    } else
#endif
#if defined(__AVX__)
        if constexpr (register_bytes<T> == 32) {
        _mm256_stream_si256(
            reinterpret_cast<__m256i*>(to), __builtin_bit_cast(__m256i, value.data)
        );
    } else
#endif
    {
        static_assert(register_bytes<T> == 16);
        _mm_stream_si128(reinterpret_cast<__m128i*>(to), __builtin_bit_cast(__m128i, value.data));
    }
#else
    store_lanes(to, value);
#endif
}

/// Makes streamed stores visible before anything that follows.
XMASK_INLINE void finish_streaming() noexcept {
#if XMASK_X86
    _mm_sfence();
#endif
}

/// The larger of x and a limit; NaN where x is NaN. (Which operand xsimd's max gives for NaN
/// changed in xsimd 14.)
XMASK_INLINE lanes<float> max_or_nan(const lanes<float>& limit, const lanes<float>& x) noexcept {
#if defined(__AVX512F__)
    return lanes<float>(_mm512_max_ps(limit, x));
#elif defined(__AVX__)
    return lanes<float>(_mm256_max_ps(limit, x));
#elif XMASK_X86
    return lanes<float>(_mm_max_ps(limit, x));
#else
    return xsimd::select(x < limit, limit, x);
#endif
}

/// The two halves of a register of floats, each float exactly as a double.
XMASK_INLINE std::array<lanes<double>, 2> widen(const lanes<float>& x) noexcept {
#if defined(__AVX512F__)
    return {
        lanes<double>(_mm512_cvtps_pd(_mm512_castps512_ps256(x))),
        lanes<double>(
            _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)))
        ),
    };
#elif defined(__AVX__)
    return {
        lanes<double>(_mm256_cvtps_pd(_mm256_castps256_ps128(x))),
        lanes<double>(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))),
    };
#else
    std::array<float, lane_count<float>> buffer;
    x.store_unaligned(buffer.data());
    std::array<double, lane_count<float>> wide;
    for (std::size_t k = 0; k < lane_count<float>; ++k) {
        wide[k] = static_cast<double>(buffer[k]);
    }
    return {
        lanes<double>::load_unaligned(wide.data()),
        lanes<double>::load_unaligned(wide.data() + lane_count<double>),
    };
#endif
}

/// As many floats as a register holds doubles, each exactly as a double.
XMASK_INLINE lanes<double> load_widened(const float* from) noexcept {
#if defined(__AVX512F__)
    return lanes<double>(_mm512_cvtps_pd(_mm256_loadu_ps(from)));
#elif defined(__AVX__)
    return lanes<double>(_mm256_cvtps_pd(_mm_loadu_ps(from)));
#else
    std::array<double, lane_count<double>> wide;
    for (std::size_t k = 0; k < lane_count<double>; ++k) {
        wide[k] = static_cast<double>(from[k]);
    }
    return lanes<double>::load_unaligned(wide.data());
#endif
}
} // namespace xmask::inline XMASK_ABI::detail
