// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "../attributes.hpp"
#include "bits.hpp"
#include "lanes.hpp"

/// @file
/// The functions of core/simd.hpp for any processor, by xsimd.

namespace xmask::inline XMASK_ABI::detail::simd {
/// Bits of the word from k on as a mask. All lanes get the same piece of the word, which serves
/// several registers, and each lane tests its own bit.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(generic, std::uint64_t bits, std::size_t k) noexcept {
    using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
    constexpr std::size_t n = lane_count<T>;
    constexpr std::size_t piece = 8 * sizeof(bits_t);
    if constexpr (n <= piece) {
        static constexpr auto bit_of_column = [] {
            std::array<bits_t, piece> bit{};
            for (std::size_t column = 0; column < piece; ++column) {
                bit[column] = static_cast<bits_t>(std::uint64_t(1) << column);
            }
            return bit;
        }();
        const auto bit = xsimd::batch<bits_t>::load_unaligned(bit_of_column.data() + k % piece);
        const auto chosen =
            (xsimd::batch<bits_t>(static_cast<bits_t>(bits >> (k - k % piece))) & bit) == bit;
        return xsimd::batch_bool_cast<lane_t<T>>(chosen);
    } else {
        return lane_mask<T>::from_mask(bits >> k & lowest_bits(n));
    }
}

template <class T>
XMASK_INLINE std::uint64_t word_from_masks(
    generic, const std::array<lane_mask<T>, 64 / lane_count<T>>& masks
) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < masks.size(); ++i) {
        bits |= static_cast<std::uint64_t>(masks[i].mask()) << i * lane_count<T>;
    }
    return bits;
}

template <class T>
XMASK_INLINE lanes<T> select_lanes(
    generic, const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return xsimd::select(chosen, x, y);
}

template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    generic, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return xsimd::select(mask_from_bits<T>(native(), bits, k), x, y);
}

template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    generic, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    return xsimd::select(chosen, x, lanes<T>(lane_t<T>(0)));
}

template <class T>
XMASK_INLINE lanes<T> zero_unless(
    generic, std::uint64_t bits, std::size_t k, const lanes<T>& x
) noexcept {
    return zero_unless_lanes<T>(native(), mask_from_bits<T>(native(), bits, k), x);
}

template <class T>
consteval bool has_lanes_of_bytes(generic) noexcept {
    return false;
}

template <class T>
XMASK_INLINE lane_mask<T> mask_from_bytes(generic, const bool* from) noexcept {
    return lane_mask<T>::load_unaligned(from);
}

/// In two steps, because xsimd leaves a shift by 64 undefined.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    generic, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    const auto half = counts >> 1;
    return ((batch(1) << half) << (counts - half)) - batch(1);
}

template <class T>
XMASK_INLINE lanes<T> load_first_lanes(generic, const T* from, std::size_t count) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer{};
    for (std::size_t k = 0; k < count; ++k) {
        buffer[k] = static_cast<lane_t<T>>(from[k]);
    }
    return lanes<T>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE void store_first_lanes(
    generic, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer;
    value.store_unaligned(buffer.data());
    for (std::size_t k = 0; k < count; ++k) {
        to[k] = static_cast<T>(buffer[k]);
    }
}

template <class T>
consteval bool has_compress(generic) noexcept {
    return false;
}

template <class T>
XMASK_INLINE lanes<T> compress_lanes(generic, const lanes<T>& x, std::uint64_t bits) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer;
    x.store_unaligned(buffer.data());
    std::size_t to = 0;
    for (std::size_t k = 0; k < lane_count<T>; ++k) {
        buffer[to] = buffer[k];
        to += bits >> k & 1;
    }
    return lanes<T>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE lanes<T> in_register(generic, lanes<T> x) noexcept {
    return x;
}

template <class T>
XMASK_INLINE void store_streaming(generic, T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

XMASK_INLINE void finish_streaming(generic) noexcept {}

/// By a comparison, because xsimd 14 changed which operand xsimd::max gives for NaN.
XMASK_INLINE lanes<float> max_or_nan(
    generic, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return xsimd::select(x < limit, limit, x);
}

template <class B>
XMASK_INLINE B square_root(generic, const B& x) noexcept {
    return xsimd::sqrt(x);
}

template <class B>
XMASK_INLINE B quotient(generic, const B& x, const B& y) noexcept {
    return x / y;
}

XMASK_INLINE lanes<double> load_widened(generic, const float* from) noexcept {
    std::array<double, lane_count<double>> wide;
    for (std::size_t k = 0; k < lane_count<double>; ++k) {
        wide[k] = static_cast<double>(from[k]);
    }
    return lanes<double>::load_unaligned(wide.data());
}

XMASK_INLINE std::array<lanes<double>, 2> widen(generic, const lanes<float>& x) noexcept {
    std::array<float, lane_count<float>> buffer;
    x.store_unaligned(buffer.data());
    return {
        load_widened(generic(), buffer.data()),
        load_widened(generic(), buffer.data() + lane_count<double>),
    };
}

XMASK_INLINE void store_narrowed(generic, float* to, const lanes<double>& x) noexcept {
    std::array<double, lane_count<double>> wide;
    x.store_unaligned(wide.data());
    for (std::size_t k = 0; k < lane_count<double>; ++k) {
        to[k] = static_cast<float>(wide[k]);
    }
}

consteval bool has_scan(generic) noexcept { return false; }

template <std::size_t N>
XMASK_INLINE lanes<double> shift_up(
    generic, const lanes<double>& x, const lanes<double>& fill
) noexcept {
    std::array<double, lane_count<double> + N> buffer;
    fill.store_unaligned(buffer.data());
    x.store_unaligned(buffer.data() + N);
    return lanes<double>::load_unaligned(buffer.data());
}

XMASK_INLINE lanes<double> last_lane(generic, const lanes<double>& x) noexcept {
    return lanes<double>(x.get(lane_count<double> - 1));
}

/// The products of the lower 32 bits of each lane.
XMASK_INLINE lanes<std::uint64_t> product_of_halves(
    generic, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    constexpr std::size_t n = lane_count<std::uint64_t>;
    std::array<std::uint64_t, n> a;
    std::array<std::uint64_t, n> b;
    x.store_unaligned(a.data());
    y.store_unaligned(b.data());
    for (std::size_t i = 0; i < n; ++i) {
        a[i] = (a[i] & 0xffffffff) * (b[i] & 0xffffffff);
    }
    return lanes<std::uint64_t>::load_unaligned(a.data());
}

/// Whether the processor multiplies lanes of 64 bits in one instruction.
consteval bool has_wide_products(generic) noexcept { return false; }

/// The products, modulo 2^64.
XMASK_INLINE lanes<std::uint64_t> wide_products(
    generic, const lanes<std::uint64_t>& x, const lanes<std::uint64_t>& y
) noexcept {
    return x * y;
}

consteval std::size_t table_lanes(generic) noexcept { return 1; }

consteval bool has_quads(generic) noexcept { return false; }

/// Lane i of each four gets lane (i + D) % 4 of the four.
template <std::size_t D>
XMASK_INLINE lanes<std::int32_t> rotate_quads(generic, const lanes<std::int32_t>& x) noexcept {
    constexpr std::size_t n = lane_count<std::int32_t>;
    std::array<std::int32_t, n> from;
    std::array<std::int32_t, n> to;
    x.store_unaligned(from.data());
    for (std::size_t i = 0; i < n; ++i) {
        to[i] = from[i / 4 * 4 + (i + D) % 4];
    }
    return lanes<std::int32_t>::load_unaligned(to.data());
}

/// x - 1 in the chosen lanes, x in the others.
XMASK_INLINE lanes<std::int32_t> decrease_where(
    generic, const lane_mask<std::int32_t>& chosen, const lanes<std::int32_t>& x
) noexcept {
    return xsimd::select(chosen, x - lanes<std::int32_t>(1), x);
}

/// 1 in the last D lanes of each four, otherwise 0.
template <std::size_t D>
XMASK_INLINE lanes<std::int32_t> last_of_quads(generic) noexcept {
    constexpr std::size_t n = lane_count<std::int32_t>;
    static constexpr auto ones = [] {
        std::array<std::int32_t, n> lane{};
        for (std::size_t i = 0; i < n; ++i) {
            lane[i] = i % 4 + D >= 4 ? 1 : 0;
        }
        return lane;
    }();
    return lanes<std::int32_t>::load_unaligned(ones.data());
}

XMASK_INLINE lanes<std::int32_t> look_up(
    generic, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    constexpr std::size_t n = lane_count<std::int32_t>;
    std::array<std::int32_t, n> buffer;
    at.store_unaligned(buffer.data());
    for (auto& number : buffer) {
        number = table[static_cast<std::uint32_t>(number) % n];
    }
    return lanes<std::int32_t>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE lanes<T> load_in_passing(generic, const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

template <class T>
consteval slot_layout slots_of(generic) noexcept {
    return {};
}

/// Never called: slots_of says that there are no slots.
template <class T>
void match_slots(generic) = delete;
} // namespace xmask::inline XMASK_ABI::detail::simd
