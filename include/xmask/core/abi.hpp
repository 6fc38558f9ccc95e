// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// The name of the inline namespace that holds all of xmask.
///
/// Inline functions that are compiled with different -m flags, or with and without
/// XTENSOR_USE_XSIMD, are different functions. Under one name the linker would keep one of them for
/// all translation units, and a program could meet an instruction that its processor lacks.
/// Therefore the flags are part of the name of every symbol. Users write only `xmask::`.

// These checks are here because every header includes this file first. After #error compilers would
// continue, and print thousands of lines; the missing header stops them.
#if __cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L)
#error "xmask needs C++20: compile with -std=c++20 or later (MSVC: /std:c++20)."
#include <xmask_ends_here>
#endif

#define XMASK_ABI_JOIN_(a, b, c, d, e) a##b##c##d##e
#define XMASK_ABI_JOIN(a, b, c, d, e) XMASK_ABI_JOIN_(a, b, c, d, e)

#if defined(__AVX512VBMI2__)
#define XMASK_ABI_ARCH avx512vbmi2
#elif defined(__AVX512VBMI__)
#define XMASK_ABI_ARCH avx512vbmi
#elif defined(__AVX512BW__)
#define XMASK_ABI_ARCH avx512bw
#elif defined(__AVX512F__)
#define XMASK_ABI_ARCH avx512f
#elif defined(__AVX2__)
#define XMASK_ABI_ARCH avx2
#elif defined(__AVX__)
#define XMASK_ABI_ARCH avx
#elif defined(__SSE4_2__)
#define XMASK_ABI_ARCH sse4_2
#elif defined(__SSE4_1__)
#define XMASK_ABI_ARCH sse4_1
#elif defined(__SSSE3__)
#define XMASK_ABI_ARCH ssse3
#elif defined(__SSE3__)
#define XMASK_ABI_ARCH sse3
#elif defined(__SSE2__) || defined(_M_X64)
#define XMASK_ABI_ARCH sse2
#elif defined(__ARM_FEATURE_SVE)
#define XMASK_ABI_ARCH sve
#elif defined(__aarch64__) || defined(_M_ARM64)
#define XMASK_ABI_ARCH neon64
#elif defined(__ARM_NEON)
#define XMASK_ABI_ARCH neon
#else
#define XMASK_ABI_ARCH generic
#endif

#if defined(__FMA__)
#define XMASK_ABI_FMA _fma
#else
#define XMASK_ABI_FMA
#endif

#if defined(__BMI2__)
#define XMASK_ABI_BITS _bmi2
#elif defined(__POPCNT__)
#define XMASK_ABI_BITS _popcnt
#else
#define XMASK_ABI_BITS
#endif

#if defined(XTENSOR_USE_XSIMD)
#define XMASK_ABI_XSIMD _xsimd
#else
#define XMASK_ABI_XSIMD
#endif

#if defined(XTENSOR_USE_TBB)
#define XMASK_ABI_THREADS _tbb
#elif defined(XTENSOR_USE_OPENMP)
#define XMASK_ABI_THREADS _openmp
#else
#define XMASK_ABI_THREADS
#endif

#define XMASK_ABI                                                                                  \
    XMASK_ABI_JOIN(                                                                                \
        XMASK_ABI_ARCH, XMASK_ABI_FMA, XMASK_ABI_BITS, XMASK_ABI_XSIMD, XMASK_ABI_THREADS          \
    )
