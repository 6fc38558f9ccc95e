// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/abi.hpp"

/// @file
/// Random numbers that are pure functions of a seed and a position: the same on every machine, in
/// any order, from any thread.

namespace xmask::inline XMASK_ABI::detail {
/// The increment of SplitMix64: 2^64 divided by the golden ratio.
inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, 2014; constants by D. Stafford). Each input has its own output, and each bit of the
/// output depends on all bits of the input.
constexpr std::uint64_t scrambled(std::uint64_t x) noexcept {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/// The upper half of the product with n: it maps 64 random bits to [0, n), where each number is
/// equally likely to within n / 2^64.
constexpr std::uint64_t number_below(std::uint64_t n, std::uint64_t number) noexcept {
    // In halves, because not all compilers have 128-bit integers.
    const std::uint64_t low = (number & 0xffffffff) * (n & 0xffffffff) >> 32;
    const std::uint64_t middle = (number >> 32) * (n & 0xffffffff) + low;
    const std::uint64_t other = (number & 0xffffffff) * (n >> 32) + (middle & 0xffffffff);
    return (number >> 32) * (n >> 32) + (middle >> 32) + (other >> 32);
}

/// The 32-bit random numbers of one row, each of which is computed alone: the halves of the numbers
/// of SplitMix64, started at the row's key.
class row_stream {
public:
    constexpr row_stream(std::uint64_t seed, std::size_t row) noexcept
        : m_key(scrambled(scrambled(seed + golden_gamma) + (row + 1) * golden_gamma)) {}

    /// Numbers 2 * pair (the low half) and 2 * pair + 1.
    [[nodiscard]] constexpr std::uint64_t pair(std::size_t pair) const noexcept {
        return scrambled(state(pair));
    }

    /// What a pair scrambles.
    [[nodiscard]] constexpr std::uint64_t state(std::size_t pair) const noexcept {
        return m_key + (pair + 1) * golden_gamma;
    }

    /// A number in [0, n) from the 64 bits of a pair.
    [[nodiscard]] constexpr std::uint64_t below(std::uint64_t n, std::size_t pair) const noexcept {
        return number_below(n, this->pair(pair));
    }

private:
    std::uint64_t m_key;
};

/// The uses of random numbers. Each use has its own streams, so that masks of different kinds are
/// independent even with the same seed.
enum class stream_use : std::uint64_t {
    subset = 1,
    patches,
    blocks,
    span_count,
    span_lengths,
    span_gaps,
    token_fate,
    tokens
};

/// The seed of one use.
constexpr std::uint64_t seed_of(stream_use use, std::uint64_t seed) noexcept {
    return scrambled(scrambled(seed) ^ static_cast<std::uint64_t>(use) * golden_gamma);
}
} // namespace xmask::inline XMASK_ABI::detail
