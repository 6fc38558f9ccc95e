// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// Advice to the compiler. The walk over a row's words is fast only when its steps are inlined into
/// one loop, so that the row's state stays in registers; at -O2 compilers would rather call them.

#if defined(__GNUC__)
#define XMASK_COLD [[gnu::cold, gnu::noinline]]
#elif defined(_MSC_VER)
#define XMASK_COLD __declspec(noinline)
#else
#define XMASK_COLD
#endif

// On a parameter that the result holds by reference. clang++ warns where the result outlives the
// argument, as what a function returns outlives its local tensors.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define XMASK_LIFETIMEBOUND [[clang::lifetimebound]]
#endif
#endif
#if !defined(XMASK_LIFETIMEBOUND)
#define XMASK_LIFETIMEBOUND
#endif

// Without optimization, and under a sanitizer, it would only make code larger and slower to
// compile.
#if defined(XMASK_INLINE)
#define XMASK_INLINE_LAMBDA
#elif defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define XMASK_INLINE [[gnu::always_inline]] inline
#define XMASK_INLINE_LAMBDA __attribute__((always_inline))
#elif defined(_MSC_VER) && !defined(_DEBUG)
#define XMASK_INLINE __forceinline
#define XMASK_INLINE_LAMBDA
#else
#define XMASK_INLINE inline
#define XMASK_INLINE_LAMBDA
#endif
