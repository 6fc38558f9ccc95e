// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// The order of masks by size: larger keys come first, NaN comes after every number, and of equal
/// elements the first ones come first.

namespace xmask::inline XMASK_ABI {
/// How the size of an element is defined.
enum class size_by {
    value,    ///< x
    magnitude ///< |x|, as pruning goes by
};

namespace detail {
/// The key by which elements of T are ordered. The magnitudes of signed integers are unsigned, so
/// that the magnitude of the lowest integer fits.
template <class T, size_by By>
using size_key = typename std::conditional_t<
    By == size_by::magnitude && std::signed_integral<T>, std::make_unsigned<T>,
    std::type_identity<T>>::type;

/// Whether a magnitude of T differs from its value.
template <class T, size_by By>
inline constexpr bool key_differs =
    By == size_by::magnitude && !std::unsigned_integral<T> && !std::same_as<T, bool>;

template <size_by By, class T>
XMASK_INLINE size_key<T, By> key_of(T x) noexcept {
    if constexpr (!key_differs<T, By>) {
        return x;
    } else if constexpr (std::signed_integral<T>) {
        using key = size_key<T, By>;
        return static_cast<key>(x < 0 ? key(0) - static_cast<key>(x) : static_cast<key>(x));
    } else {
        return std::abs(x);
    }
}

/// The keys of a register of T.
template <class T, size_by By>
XMASK_INLINE lanes<size_key<T, By>> keys_of(const lanes<T>& x) noexcept {
    if constexpr (!key_differs<T, By>) {
        return x;
    } else if constexpr (std::signed_integral<T>) {
        return xsimd::bitwise_cast<size_key<T, By>>(xsimd::abs(x));
    } else {
        return xsimd::abs(x);
    }
}

/// Whether element a at position i comes before b at position j, largest first.
template <size_by By, class T>
bool precedes(T a, std::size_t i, T b, std::size_t j) noexcept {
    if (a != a || b != b) {
        return a == a || (b != b && i < j);
    }
    const auto x = key_of<By>(a);
    const auto y = key_of<By>(b);
    return x > y || (x == y && i < j);
}

/// Which of 64 elements are numbers.
template <class T>
XMASK_INLINE word_t number_bits(const T* x) noexcept {
    word_t bits = ~word_t(0);
    if constexpr (has_lanes<T> && std::floating_point<T>) {
        bits = word_from_masks<T>(make_lane_word<T>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            const auto a = load_lanes(x + i * lane_count<T>);
            return a == a;
        }));
    } else if constexpr (std::floating_point<T>) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            bits &= ~(word_t(x[k] != x[k]) << k);
        }
    }
    return bits;
}

/// Which of 64 elements are not larger than their counterparts, and both are numbers.
template <size_by By, class T>
XMASK_INLINE word_t not_larger_bits(const T* x, const T* y) noexcept {
    word_t bits = 0;
    if constexpr (has_lanes<T>) {
        using K = size_key<T, By>;
        bits = word_from_masks<K>(make_lane_word<K>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            const auto a = keys_of<T, By>(load_lanes(x + i * lane_count<T>));
            return a <= keys_of<T, By>(load_lanes(y + i * lane_count<T>));
        }));
    } else {
        for (std::size_t k = 0; k < word_columns; ++k) {
            bits |= word_t(key_of<By>(x[k]) <= key_of<By>(y[k])) << k;
        }
    }
    return bits;
}

/// Which of 64 elements are larger than their counterparts; `numbers` says which are numbers, and a
/// number is larger than NaN.
template <size_by By, class T>
XMASK_INLINE word_t larger_bits(const T* x, word_t numbers, const T* y) noexcept {
    return numbers & ~not_larger_bits<By>(x, y);
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
