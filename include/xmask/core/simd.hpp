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
/// Functions of registers beyond those of xsimd: conversions between the mask of a register and the
/// bits of a word, partial loads and stores, stores past the caches.
///
/// Each function calls the function of its name in core/simd/, for the best instruction set that
/// the compiler may use. The file of a set holds the functions that the set does better than xsimd
/// does portably (core/simd/generic.hpp). Code outside of core/simd/ names no instruction set.

namespace xmask::inline XMASK_ABI::detail {
/// Loads a register from memory of any alignment.
template <class T>
XMASK_INLINE lanes<T> load_lanes(const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

/// Stores a register to memory of any alignment.
template <class T>
XMASK_INLINE void store_lanes(T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

/// Loads `count` elements, fewer than a register holds. The other lanes are 0. Reads nothing past
/// the elements.
template <class T>
XMASK_INLINE lanes<T> load_first_lanes(const T* from, std::size_t count) noexcept {
    return simd::load_first_lanes(simd::native(), from, count);
}

/// Stores the first `count` lanes, and writes nothing past them.
template <class T>
XMASK_INLINE void store_first_lanes(T* to, const lanes<T>& value, std::size_t count) noexcept {
    simd::store_first_lanes<T>(simd::native(), to, value, count);
}

/// Stores a register past the caches, where the processor can. `to` is aligned to
/// register_bytes<T>.
template <class T>
XMASK_INLINE void store_streaming(T* to, const lanes<T>& value) noexcept {
    simd::store_streaming<T>(simd::native(), to, value);
}

/// Makes streamed stores visible before any later store.
XMASK_INLINE void finish_streaming() noexcept { simd::finish_streaming(simd::native()); }

/// The mask of a register from bits [k, k + lane_count<T>) of a word. k is a multiple of
/// lane_count<T>.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(word_t bits, std::size_t k) noexcept {
    return simd::mask_from_bits<T>(simd::native(), bits, k);
}

/// The bits of a mask: bit k is lane k.
template <class M>
XMASK_INLINE word_t bits_from_mask(const M& mask) noexcept {
    return static_cast<word_t>(mask.mask());
}

/// Gives one bit for each of 64 columns, from the masks of the registers that hold them.
template <class T>
XMASK_INLINE word_t word_from_masks(const std::array<lane_mask<T>, 64 / lane_count<T>>& masks
) noexcept {
    return simd::word_from_masks<T>(simd::native(), masks);
}

/// Whether the processor converts lane_count<T> bytes to a mask of T in one or two instructions.
template <class T>
inline constexpr bool has_lanes_of_bytes = [] {
    if constexpr (has_lanes<T>) {
        return simd::has_lanes_of_bytes<T>(simd::native());
    }
    return false;
}();

/// The mask that says which of lane_count<T> bytes are not 0.
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

/// x in lane i where bit k + i of the word is set, otherwise y. k is a multiple of lane_count<T>.
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

/// x in lane i where bit k + i of the word is set, otherwise 0. k is a multiple of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> zero_unless(word_t bits, std::size_t k, const lanes<T>& x) noexcept {
    return simd::zero_unless<T>(simd::native(), bits, k, x);
}

/// Whether compress_lanes<T> exists: the processor can move chosen lanes of T together.
template <class T>
inline constexpr bool has_compress = [] {
    if constexpr (has_lanes<T>) {
        return simd::has_compress<T>(simd::native());
    }
    return false;
}();

/// Moves the lanes whose bits are set to the first lanes, in order. The other lanes are
/// unspecified.
template <class T>
XMASK_INLINE lanes<T> compress_lanes(const lanes<T>& x, word_t bits) noexcept
    requires has_compress<T>
{
    return simd::compress_lanes<T>(simd::native(), x, bits);
}

/// Replaces each of `count` numbers, at most 64, by the word first_bits(number).
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

/// The larger of x and a limit that is not NaN. NaN where x is NaN.
XMASK_INLINE lanes<float> max_or_nan(const lanes<float>& limit, const lanes<float>& x) noexcept {
    return simd::max_or_nan(simd::native(), limit, x);
}

/// The square root, rounded once.
template <class B>
XMASK_INLINE B square_root(const B& x) noexcept {
    return simd::square_root(simd::native(), x);
}

/// The quotient, rounded once.
template <class B>
XMASK_INLINE B quotient(const B& x, const B& y) noexcept {
    return simd::quotient(simd::native(), x, y);
}

/// Converts the two halves of a register of floats to doubles, exactly.
XMASK_INLINE std::array<lanes<double>, 2> widen(const lanes<float>& x) noexcept {
    return simd::widen(simd::native(), x);
}

/// Calls f(i, register i) for the registers of doubles that hold x: x itself, or the two halves of a
/// register of floats.
template <class T, class F>
XMASK_INLINE void for_each_wide(const lanes<T>& x, F&& f) {
    if constexpr (std::is_same_v<T, float>) {
        const auto wide = widen(x);
        f(std::size_t(0), wide[0]);
        f(std::size_t(1), wide[1]);
    } else {
        f(std::size_t(0), x);
    }
}

/// Loads lane_count<double> floats, and converts them to doubles, exactly.
XMASK_INLINE lanes<double> load_widened(const float* from) noexcept {
    return simd::load_widened(simd::native(), from);
}

/// Stores each lane rounded to a float.
XMASK_INLINE void store_narrowed(float* to, const lanes<double>& x) noexcept {
    simd::store_narrowed(simd::native(), to, x);
}

/// Whether the processor moves the lanes of a register of doubles past each other fast.
inline constexpr bool has_scan = simd::has_scan(simd::native());

/// Gives in each lane f of this lane and all lower lanes. f is associative; `identity` changes no
/// operand of f.
template <class F>
XMASK_INLINE lanes<double> scan_lanes(
    const F& f, lanes<double> x, const lanes<double>& identity
) noexcept {
    x = f(simd::shift_up<1>(simd::native(), x, identity), x);
    if constexpr (lane_count<double> > 2) {
        x = f(simd::shift_up<2>(simd::native(), x, identity), x);
    }
    if constexpr (lane_count<double> > 4) {
        x = f(simd::shift_up<4>(simd::native(), x, identity), x);
    }
    return x;
}

/// Gives the last lane in all lanes.
XMASK_INLINE lanes<double> last_lane(const lanes<double>& x) noexcept {
    return simd::last_lane(simd::native(), x);
}

/// Whether the processor moves 32-bit lanes within each four of a register, in one instruction.
inline constexpr bool has_quads = simd::has_quads(simd::native());

/// The number of entries in the table of look_up: lane_count<float> where the processor looks up
/// fast, otherwise 1.
inline constexpr std::size_t table_lanes = simd::table_lanes(simd::native());

/// Looks up an entry for each lane, by the lowest bits of its number, in a table of the size of a
/// register.
XMASK_INLINE lanes<std::int32_t> look_up(
    const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    return simd::look_up(simd::native(), table, at);
}

/// Gives x, and keeps it in a register. Otherwise the compiler may read x again for each
/// instruction that takes an operand from memory.
template <class T>
XMASK_INLINE lanes<T> in_register(const lanes<T>& x) noexcept {
    return simd::in_register<T>(simd::native(), x);
}

/// Loads a register of a large array that is read once, in order. Any alignment.
template <class T>
XMASK_INLINE lanes<T> load_in_passing(const T* from) noexcept {
    return simd::load_in_passing<T>(simd::native(), from);
}

/// The layout of match_slots for ids and tokens of type T. `most` is 0 where there is none.
template <class T>
inline constexpr simd::slot_layout slots_for = [] {
    if constexpr (has_lanes<T>) {
        return simd::slots_of<T>(simd::native());
    }
    return simd::slot_layout();
}();

/// The type of an id in its slot.
template <class T>
using slot_t = std::conditional_t<slots_for<T>.id_bytes == 4, std::int32_t, T>;

/// The slot of a token: the highest bits of the lower 32 bits of its product with an odd factor.
template <class T>
constexpr std::size_t slot_of(T token, std::uint32_t factor) noexcept {
    constexpr int shift = 33 - std::bit_width(slots_for<T>.slots);
    return (static_cast<std::uint32_t>(token) * factor) >> shift;
}

/// Looks up tokens among a few ids. Bit k says whether token k equals the id in its slot. The cost
/// does not depend on the number of ids.
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
