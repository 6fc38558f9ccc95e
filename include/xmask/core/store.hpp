// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "attributes.hpp"
#include "block.hpp"
#include "simd.hpp"

/// @file
/// Stores to contiguous memory: aligned, streaming past the caches, and with cache lines
/// prefetched.

namespace xmask::inline XMASK_ABI::detail {
/// The size in bytes from which a result is written past the caches. This is well beyond the share
/// of a core in them; a plain store would read each line first, and take half as long again.
inline constexpr std::size_t streaming_bytes = std::size_t(32) << 20;

/// The number of columns before the first aligned register; 0 where no register can be aligned.
template <class T>
std::size_t columns_to_register([[maybe_unused]] const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        const auto past = reinterpret_cast<std::uintptr_t>(row) % register_bytes<T>;
        return past % sizeof(T) != 0 ? 0
                                     : (register_bytes<T> - past) % register_bytes<T> / sizeof(T);
    } else {
        return 0;
    }
}

/// Whether stores of T to this address may stream.
template <class T>
bool can_stream(const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        return reinterpret_cast<std::uintptr_t>(row) % sizeof(T) == 0;
    } else {
        return false;
    }
}

/// Stores a register, past the caches where Streaming.
template <bool Streaming, class T>
XMASK_INLINE void store_as(T* to, const lanes<T>& value) noexcept {
    if constexpr (Streaming) {
        store_streaming(to, value);
    } else {
        store_lanes(to, value);
    }
}

/// How far ahead of its stores the lines of a result are prefetched. A store that waits for its
/// line from the second cache delays all later stores.
inline constexpr std::size_t prefetch_bytes = 2048;

/// Prefetches the lines that the stores to [to, to + bytes) plus prefetch_bytes will need. Memory
/// past the result does no harm.
XMASK_INLINE void prefetch_stores(const void* to, std::size_t bytes) noexcept {
    constexpr std::size_t line_bytes = 64;
    const auto first = reinterpret_cast<std::uintptr_t>(to) + prefetch_bytes;
    for (std::size_t at = 0; at < bytes; at += line_bytes) {
        __builtin_prefetch(reinterpret_cast<const void*>(first + at), 1);
    }
}

/// Whether the columns after a filled range are written, too.
enum class filled_part {
    alone,  ///< they are not
    of_more ///< they are
};

/// Stores as many whole registers as fit into [first, last), and prefetches before `asked`. Returns
/// the end of the stored range.
template <bool Streaming, class T>
XMASK_INLINE T* fill_registers(T* first, T* last, const lanes<T>& value, const T* asked) noexcept {
    constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
    for (; last - first >= 4 * n; first += 4 * n) {
        if (first < asked) {
            prefetch_stores(first, 4 * n * sizeof(T));
        }
        store_as<Streaming>(first, value);
        store_as<Streaming>(first + n, value);
        store_as<Streaming>(first + 2 * n, value);
        store_as<Streaming>(first + 3 * n, value);
    }
    for (; last - first >= n; first += n) {
        store_as<Streaming>(first, value);
    }
    return first;
}

/// Fills a range of at least one register. The ends are stored separately, so that the stores
/// between them are aligned.
template <filled_part Part, class T>
XMASK_INLINE void fill_aligned(T* first, T* last, const lanes<T>& value) noexcept {
    constexpr auto ahead = static_cast<std::ptrdiff_t>(prefetch_bytes / sizeof(T));
    // The processor prefetches a few lines itself, unless the end is far away and is written first.
    const bool is_near = last - first < ahead;
    const T* const asked = Part == filled_part::of_more ? last
                           : last - first < 4 * ahead   ? first
                                                        : last - ahead;
    T* const end = last - lane_count<T>;
    store_lanes(first, value);
    if (is_near) {
        store_lanes(end, value);
    }
    fill_registers<false>(first + columns_to_register(first), last, value, asked);
    if (!is_near) {
        store_lanes(end, value);
    }
}

/// Writes `value` to [first, last). With Streaming, all but the ends are stored past the caches.
template <bool Streaming = false, filled_part Part = filled_part::alone, class T>
void fill_columns(T* first, T* last, const T& value) noexcept {
    if constexpr (has_lanes<T>) {
        const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
        const auto count = static_cast<std::size_t>(last - first);
        if (count < lane_count<T>) {
            store_first_lanes(first, wide, count);
            return;
        }
        if constexpr (!Streaming) {
            fill_aligned<Part>(first, last, wide);
            return;
        }
        T* const aligned = first + columns_to_register(first);
        std::fill(first, aligned, value);
        first = fill_registers<true>(aligned, last, wide, aligned);
    }
    std::fill(first, last, value);
}

/// Stores a whole register, or its first `count` lanes where not Full.
template <bool Full, bool Streaming, class T>
XMASK_INLINE void store_register(T* to, const lanes<T>& value, std::size_t count) {
    if constexpr (Full) {
        store_as<Streaming>(to, value);
    } else {
        store_first_lanes(to, value, count);
    }
}

/// Stores all elements of a block.
template <bool Streaming, class T, class Block, class Count>
XMASK_INLINE void store_block(T* to, const Block& block, Count count) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            store_register<full, Streaming>(
                to + k, load_register<full>(block, k, count - k), count - k
            );
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = block.at(k);
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail
