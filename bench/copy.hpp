// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A copy, the unit of all times: the fastest loop over registers that copies the operand. Plain stores are
// faster in the caches, streaming stores beyond them. memcpy is no unit: from one version of glibc to the
// next its time changes by a factor of two.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <xmask/core/store.hpp>

#include "compare.hpp"

namespace bench {
enum class stores { plain, streaming };

template <stores how, class T>
void copy(const T* from, T* to, std::size_t n) {
    using batch = xsimd::batch<T>;
    constexpr std::size_t lanes = batch::size;
    if (n < lanes) {
        std::copy(from, from + n, to);
        return;
    }
    const auto store = [&](const batch& value, std::size_t i) {
        if constexpr (how == stores::streaming) {
            xmask::detail::store_streaming(to + i, value);
        } else {
            value.store_aligned(to + i);
        }
    };
    // The first and the last register are unaligned and overlap their neighbours.
    batch::load_unaligned(from).store_unaligned(to);
    const std::size_t past = reinterpret_cast<std::uintptr_t>(to) % sizeof(batch) / sizeof(T);
    std::size_t i = lanes - past;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        const batch a = batch::load_unaligned(from + i);
        const batch b = batch::load_unaligned(from + i + lanes);
        const batch c = batch::load_unaligned(from + i + 2 * lanes);
        const batch d = batch::load_unaligned(from + i + 3 * lanes);
        store(a, i);
        store(b, i + lanes);
        store(c, i + 2 * lanes);
        store(d, i + 3 * lanes);
    }
    for (; i + lanes <= n; i += lanes) {
        store(batch::load_unaligned(from + i), i);
    }
    batch::load_unaligned(from + n - lanes).store_unaligned(to + n - lanes);
    if constexpr (how == stores::streaming) {
        xmask::detail::simd::finish_streaming(xmask::detail::simd::native());
    }
}

template <stores how>
void copy(const bool* from, bool* to, std::size_t n) {
    copy<how>(reinterpret_cast<const std::uint8_t*>(from), reinterpret_cast<std::uint8_t*>(to), n);
}

// The faster of two ways to do the same.
inline contender faster(const contender& a, const contender& b) {
    const auto least_time = [](contender trial) {
        trial.prepare();
        double least = trial.measure();
        for (int run = 1; run < 7; ++run) {
            least = std::min(least, trial.measure());
        }
        return least;
    };
    return least_time(a) <= least_time(b) ? a : b;
}
} // namespace bench
