// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>

#include "../abi.hpp"

#include <xsimd/config/xsimd_config.hpp>

#if XSIMD_VERSION_MAJOR < 13
#error "xmask needs xsimd 13 or later."
#include <xmask_ends_here>
#elif defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#error "xmask needs SIMD registers that xsimd knows, as SSE2, NEON, SVE, RVV or VSX."
#include <xmask_ends_here>
#endif

#include <xsimd/xsimd.hpp>

/// @file
/// Registers of lanes, and the tags of the instruction sets.

namespace xmask::inline XMASK_ABI::detail {
/// The type of the lanes for elements of type T. bool is a byte.
template <class T>
using lane_t = std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>;

/// Whether the processor has registers of T. Other types (complex, long double) take scalar loops.
template <class T>
inline constexpr bool has_lanes =
    std::is_arithmetic_v<T> && xsimd::has_simd_register<lane_t<T>, xsimd::default_arch>::value;

/// A register of T.
template <class T>
using lanes = xsimd::batch<lane_t<T>>;

/// The mask of a register of T: one decision for each lane.
template <class T>
using lane_mask = typename lanes<T>::batch_bool_type;

/// The number of elements of T in a register.
template <class T>
inline constexpr std::size_t lane_count = lanes<T>::size;

/// The alignment of a streaming store, in bytes.
template <class T>
inline constexpr std::size_t register_bytes = lane_count<T> * sizeof(T);

/// The functions of core/simd.hpp for each instruction set. The first argument is the tag of the
/// set. The tag of a set derives from that of the set it extends. Overload resolution finds the
/// function of the best set that has one, and in the end that of `generic`.
namespace simd {
struct generic {};

struct sse2 : generic {};

struct avx : sse2 {};

struct avx2 : avx {};

struct avx2_fma : avx2 {};

/// Does not derive from avx2, whose functions are for registers of 32 bytes.
struct avx512f : sse2 {};

/// AVX512BW and AVX512VL: processors have both or none.
struct avx512bw : avx512f {};

struct avx512vbmi2 : avx512bw {};

struct neon : generic {};

/// The best set that the compiler may use.
#if defined(__AVX512VBMI2__) && defined(__AVX512BW__) && defined(__AVX512VL__)
using native = avx512vbmi2;
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
using native = avx512bw;
#elif defined(__AVX512F__)
using native = avx512f;
#elif defined(__AVX2__) && defined(__FMA__)
using native = avx2_fma;
#elif defined(__AVX2__)
using native = avx2;
#elif defined(__AVX__)
using native = avx;
#elif defined(__SSE2__)
using native = sse2;
#elif XSIMD_WITH_NEON64 && !XSIMD_WITH_SVE
using native = neon;
#else
using native = generic;
#endif

/// How a register holds the ids for tokens of one type (match_slots).
struct slot_layout {
    std::size_t slots = 2;     ///< slots in the register, a power of two
    std::size_t most = 0;      ///< the most ids that are likely to get a slot each
    std::size_t id_bytes = 8;  ///< bytes of an id in its slot
    std::size_t registers = 1; ///< registers of tokens that one call looks up
};
} // namespace simd
} // namespace xmask::inline XMASK_ABI::detail
