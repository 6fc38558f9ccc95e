// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "abi.hpp"
#include "attributes.hpp"
#include "simd/avx.hpp"
#include "simd/avx2.hpp"
#include "simd/avx512.hpp"
#include "simd/avx512bw.hpp"
#include "simd/avx512vbmi2.hpp"
#include "simd/generic.hpp"
#include "simd/lanes.hpp"
#include "simd/neon.hpp"
#include "simd/sse2.hpp"
#include "word.hpp"

/// @file
/// What xmask needs of registers, beyond xsimd's own functions: the ways between a register's mask
/// and the bits of a word, partial loads and stores, stores past the caches.
///
/// Each function below calls the one of its name in core/simd/, of the best instruction set that
/// the compiler may use: a set's file holds what the set does better than xsimd does portably
/// (core/simd/generic.hpp). Code outside of core/simd/ names no instruction set.

namespace xmask::inline XMASK_ABI::detail {
/// A register from memory, and to it; of any alignment.
template <class T>
XMASK_INLINE lanes<T> load_lanes(const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

template <class T>
XMASK_INLINE void store_lanes(T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

/// The first `count` elements (fewer than a register holds), 0 in the other lanes; reads nothing
/// past them.
template <class T>
XMASK_INLINE lanes<T> load_first_lanes(const T* from, std::size_t count) noexcept {
    return simd::load_first_lanes(simd::native(), from, count);
}

/// Writes the first `count` lanes and nothing past them.
template <class T>
XMASK_INLINE void store_first_lanes(T* to, const lanes<T>& value, std::size_t count) noexcept {
    simd::store_first_lanes<T>(simd::native(), to, value, count);
}

/// Writes past the caches where the processor can; `to` is aligned to register_bytes<T>.
template <class T>
XMASK_INLINE void store_streaming(T* to, const lanes<T>& value) noexcept {
    simd::store_streaming<T>(simd::native(), to, value);
}

/// Makes streamed stores visible before anything that follows.
XMASK_INLINE void finish_streaming() noexcept { simd::finish_streaming(simd::native()); }

/// Bits [k, k + lane_count<T>) of a word, one a lane; k is a multiple of lane_count<T>.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(word_t bits, std::size_t k) noexcept {
    return simd::mask_from_bits<T>(simd::native(), bits, k);
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
        return simd::has_lanes_of_bytes<T>(simd::native());
    }
    return false;
}();

/// Which of lane_count<T> bytes are not 0.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bytes(const bool* from) noexcept
    requires has_lanes_of_bytes<T>
{
    return simd::mask_from_bytes<T>(simd::native(), from);
}

/// x in the chosen lanes, y in the others.
template <class T>
XMASK_INLINE lanes<T> select_lanes(
    const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return simd::select_lanes<T>(simd::native(), chosen, x, y);
}

/// x in the lanes whose bits are set in the word, from bit k on, y in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    word_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return simd::select_by_bits<T>(simd::native(), bits, k, x, y);
}

/// x in the chosen lanes, 0 in the others.
template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(const lane_mask<T>& chosen, const lanes<T>& x) noexcept {
    return simd::zero_unless_lanes<T>(simd::native(), chosen, x);
}

/// x in the lanes whose bits are set in the word, from bit k on, 0 in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> zero_unless(word_t bits, std::size_t k, const lanes<T>& x) noexcept {
    return simd::zero_unless<T>(simd::native(), bits, k, x);
}

/// Whether the processor can move the chosen lanes of a register of T together.
template <class T>
inline constexpr bool has_compress = [] {
    if constexpr (has_lanes<T>) {
        return simd::has_compress<T>(simd::native());
    }
    return false;
}();

/// The lanes whose bits (the lowest lane_count<T>) are set, in order, in the first lanes; the
/// others hold anything.
template <class T>
XMASK_INLINE lanes<T> compress_lanes(const lanes<T>& x, word_t bits) noexcept
    requires has_compress<T>
{
    return simd::compress_lanes<T>(simd::native(), x, bits);
}

/// Replaces each of `count` numbers, of at most 64, by a word with that many of its lowest bits
/// set.
inline void replace_by_first_bits(word_t* words, std::size_t count) noexcept {
    std::size_t i = 0;
    if constexpr (has_lanes<word_t>) {
        for (; i + lane_count<word_t> <= count; i += lane_count<word_t>) {
            const auto counts = load_lanes<word_t>(words + i);
            store_lanes(words + i, simd::first_bits_of_each(simd::native(), counts));
        }
    }
    for (; i < count; ++i) {
        words[i] = first_bits(words[i]);
    }
}

/// The larger of x and a limit that is a number; NaN where x is NaN.
XMASK_INLINE lanes<float> max_or_nan(const lanes<float>& limit, const lanes<float>& x) noexcept {
    return simd::max_or_nan(simd::native(), limit, x);
}

/// The square root and the quotient, rounded once.
template <class B>
XMASK_INLINE B square_root(const B& x) noexcept {
    return simd::square_root(simd::native(), x);
}

template <class B>
XMASK_INLINE B quotient(const B& x, const B& y) noexcept {
    return simd::quotient(simd::native(), x, y);
}

/// The two halves of a register of floats, each float exactly as a double.
XMASK_INLINE std::array<lanes<double>, 2> widen(const lanes<float>& x) noexcept {
    return simd::widen(simd::native(), x);
}

/// As many floats as a register holds doubles, each exactly as a double.
XMASK_INLINE lanes<double> load_widened(const float* from) noexcept {
    return simd::load_widened(simd::native(), from);
}

/// How many numbers the table of look_up has: as many as a register, where looking up is quick,
/// otherwise 1.
inline constexpr std::size_t table_lanes = simd::table_lanes(simd::native());

/// The elements of a table as large as a register, by the lowest bits of each lane's number.
XMASK_INLINE lanes<std::int32_t> look_up(
    const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    return simd::look_up(simd::native(), table, at);
}

/// A register of a large array that is read in order and only once, of any alignment.
template <class T>
XMASK_INLINE lanes<T> load_in_passing(const T* from) noexcept {
    return simd::load_in_passing<T>(simd::native(), from);
}

/// How match_slots takes ids and tokens of type T; `most` is 0 where there is none.
template <class T>
inline constexpr simd::slot_layout slots_for = [] {
    if constexpr (has_lanes<T>) {
        return simd::slots_of<T>(simd::native());
    }
    return simd::slot_layout();
}();

/// An id in its slot.
template <class T>
using slot_t = std::conditional_t<slots_for<T>.id_bytes == 4, std::int32_t, T>;

/// The slot of a token: the highest bits of the lower half of its product with an odd factor.
template <class T>
constexpr std::size_t slot_of(T token, std::uint32_t factor) noexcept {
    constexpr int shift = 33 - std::bit_width(slots_for<T>.slots);
    return (static_cast<std::uint32_t>(token) * factor) >> shift;
}

/// Looks tokens up among few ids, at the same cost for one id as for all: bit k says whether token
/// k is equal to the id in its slot.
template <class T>
XMASK_INLINE word_t match_slots(
    const slot_t<T>* ids, std::uint32_t factor,
    const std::array<lanes<T>, slots_for<T>.registers>& tokens
) noexcept
    requires(slots_for<T>.most != 0)
{
    return simd::match_slots<T>(simd::native(), ids, factor, tokens);
}
} // namespace xmask::inline XMASK_ABI::detail
