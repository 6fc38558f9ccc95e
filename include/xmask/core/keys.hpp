// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "attributes.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// Keys that are selected by size: their order, passes over them in registers, and the ranks of a
/// few of them.

namespace xmask::inline XMASK_ABI::detail {
/// The k-th largest key. NaN comes after all numbers: it is the k-th largest where there are fewer
/// than k numbers.
template <class K>
struct ranked_key {
    K key;
    std::size_t above; ///< keys that are larger
    std::size_t equal; ///< keys that are equal to it
};

/// The position of a key among all values of its type, and the key at a position.
template <class K>
struct key_order {
    using bits_t = std::conditional_t<
        sizeof(K) == 1, std::uint8_t,
        std::conditional_t<
            sizeof(K) == 2, std::uint16_t,
            std::conditional_t<sizeof(K) == 4, std::uint32_t, std::uint64_t>>>;

    static constexpr bits_t sign = static_cast<bits_t>(bits_t(1) << (8 * sizeof(bits_t) - 1));

    static std::uint64_t position(K key) noexcept {
        const auto bits = __builtin_bit_cast(bits_t, key);
        if constexpr (std::is_floating_point_v<K>) {
            return (bits & sign) != 0 ? bits_t(~bits) : bits_t(bits | sign);
        } else {
            return std::is_signed_v<K> ? bits_t(bits ^ sign) : bits;
        }
    }

    static K at(std::uint64_t position) noexcept {
        const auto bits = static_cast<bits_t>(position);
        if constexpr (std::is_floating_point_v<K>) {
            return __builtin_bit_cast(K, (bits & sign) != 0 ? bits_t(bits ^ sign) : bits_t(~bits));
        } else {
            return __builtin_bit_cast(K, std::is_signed_v<K> ? bits_t(bits ^ sign) : bits);
        }
    }
};

/// The smallest and the largest number of a type.
template <class K>
struct key_limits {
    using limits = std::numeric_limits<K>;
    static constexpr K lowest = limits::has_infinity ? -limits::infinity() : limits::lowest();
    static constexpr K largest = limits::has_infinity ? limits::infinity() : limits::max();
};

/// Writes the chosen lanes to `to`, which has room for a whole register. Returns the address after
/// the last one.
template <class K>
XMASK_INLINE K* append_lanes(K* to, const lanes<K>& x, word_t chosen) noexcept {
    if constexpr (has_compress<K>) {
        store_lanes(to, compress_lanes<K>(x, chosen));
        return to + count_bits(chosen);
    } else {
        std::array<K, lane_count<K>> all;
        store_lanes(all.data(), x);
        for (const K one : all) {
            *to = one;
            to += chosen & 1;
            chosen >>= 1;
        }
        return to;
    }
}

/// Calls f(register, valid) for n keys. The bits of `valid` say which lanes hold keys.
template <class K, class F>
XMASK_INLINE void for_each_lanes(const K* keys, std::size_t n, F&& f) {
    constexpr std::size_t step = lane_count<K>;
    std::size_t i = 0;
    for (; i + step <= n; i += step) {
        f(load_lanes(keys + i), first_bits(step));
    }
    if (i < n) {
        f(load_first_lanes(keys + i, n - i), first_bits(n - i));
    }
}

/// Copies the keys that pass a test of registers. The target may be the source. Returns their
/// number.
template <class K, class Test>
std::size_t copy_keys(const K* keys, std::size_t n, K* to, Test&& test) {
    const K* const first = to;
    for_each_lanes(keys, n, [&](const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
        to = append_lanes(to, x, bits_from_mask(test(x)) & valid);
    });
    return static_cast<std::size_t>(to - first);
}

/// The ranks of at most 64 numbers, by comparing each number with each other one.
template <class K>
class few_keys {
    static constexpr std::size_t step = lane_count<K>;
    using counts_t = xsimd::as_integer_t<K>;
    using counts = xsimd::batch<counts_t>;

public:
    static constexpr std::size_t most = 64;

    /// Room for `most` keys and a register.
    [[nodiscard]] K* data() noexcept { return m_keys.data(); }

    /// Ranks the first n keys.
    void rank(std::size_t n) {
        m_size = n;
        for (std::size_t i = n; i % (2 * step) != 0; ++i) {
            m_keys[i] = K();
        }
        // Two registers at a time share the load of the other key.
        for (std::size_t i = 0; i < n; i += 2 * step) {
            const auto x = load_lanes(m_keys.data() + i);
            const auto y = load_lanes(m_keys.data() + i + step);
            counts above_x(counts_t(0));
            counts above_y(counts_t(0));
            for (std::size_t j = 0; j < n; ++j) {
                const lanes<K> other(m_keys[j]);
                above_x = counted(above_x, other > x);
                above_y = counted(above_y, other > y);
            }
            above_x.store_unaligned(m_above.data() + i);
            above_y.store_unaligned(m_above.data() + i + step);
        }
    }

    /// The k-th largest key: the smallest key with fewer than k larger ones.
    [[nodiscard]] K key(std::size_t k) const {
        const auto limit = counts(static_cast<counts_t>(k));
        lanes<K> least(key_limits<K>::largest);
        for_each([&](std::size_t i, const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            const auto above = counts::load_unaligned(m_above.data() + i);
            const word_t chosen = bits_from_mask(above < limit) & valid;
            least = select_by_bits<K>(chosen, 0, xsimd::min(least, x), least);
        });
        return smallest(least);
    }

    /// How many keys are larger than one of them.
    [[nodiscard]] std::size_t count_above(K key) const {
        std::size_t above = 0;
        for_each([&](std::size_t /*i*/, const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            above += count_bits(bits_from_mask(x > lanes<K>(key)) & valid);
        });
        return above;
    }

    [[nodiscard]] ranked_key<K> kth_largest(std::size_t k) const {
        ranked_key<K> found{key(k), 0, 0};
        const lanes<K> at(found.key);
        for_each([&](std::size_t /*i*/, const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            found.above += count_bits(bits_from_mask(x > at) & valid);
            found.equal += count_bits(bits_from_mask(x == at) & valid);
        });
        return found;
    }

private:
    XMASK_INLINE static K smallest(const lanes<K>& x) noexcept {
        if constexpr (sizeof(K) >= 4) {
            return xsimd::reduce_min(x);
        } else {
            // xsimd 13 reduces only some of the narrow lanes of AVX-512.
            std::array<K, step> all;
            store_lanes(all.data(), x);
            K least = all[0];
            for (const K one : all) {
                least = one < least ? one : least;
            }
            return least;
        }
    }

    template <class F>
    XMASK_INLINE void for_each(F&& f) const {
        for (std::size_t i = 0; i < m_size; i += step) {
            f(i, load_lanes(m_keys.data() + i), first_bits(std::min(m_size - i, step)));
        }
    }

    template <class M>
    XMASK_INLINE static counts counted(const counts& count, const M& larger) noexcept {
        return xsimd::select(
            xsimd::batch_bool_cast<counts_t>(larger), count + counts(counts_t(1)), count
        );
    }

    std::array<K, most + 2 * step> m_keys;
    std::array<counts_t, most + 2 * step> m_above;
    std::size_t m_size = 0;
};
} // namespace xmask::inline XMASK_ABI::detail
