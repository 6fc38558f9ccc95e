// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// Attributes for the compiler. The walk over the words of a row is fast only where its steps are
/// inlined into one loop, so that the state of the row stays in registers. At -O2 compilers call
/// them.

#if defined(__GNUC__)
#define XMASK_COLD [[gnu::cold, gnu::noinline]]
#elif defined(_MSC_VER)
#define XMASK_COLD __declspec(noinline)
#else
#define XMASK_COLD
#endif

// Marks a parameter that the result holds by reference. clang++ warns where the result outlives the
// argument, such as a mask of a local tensor that a function returns.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define XMASK_LIFETIMEBOUND [[clang::lifetimebound]]
#endif
#endif
#if !defined(XMASK_LIFETIMEBOUND)
#define XMASK_LIFETIMEBOUND
#endif

// Without optimization, and under a sanitizer, forced inlining only makes code larger and slower to
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
