// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"
#include "random_lanes.hpp"
#include "random_stream.hpp"

/// @file
/// Random masks: each element is a pure function of a seed and its position.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A range [begin, end) of the 2^32 numbers of a stream.
struct number_share {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// How many of the 2^32 numbers are a probability. Throws for one outside of [0, 1].
inline std::uint64_t share_of(const char* name, const char* what, double probability) {
    require_option(name, what, probability, option_range::between(0, 1));
    return static_cast<std::uint64_t>(std::nearbyint(probability * 4294967296.));
}

/// A row that keeps the columns whose numbers lie in a range.
class random_cursor {
public:
    random_cursor(row_stream stream, number_share range, std::size_t n) noexcept
        : m_stream(stream)
        , m_begin(static_cast<std::uint32_t>(range.begin))
        , m_count(range.end - range.begin)
        , m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const word_t bits = even_word(c / 2);
        const word_t odd = c % 2 == 0 ? bits
                                      : bits >> 1 | word_t(kept(c + word_columns - 1))
                                                        << (word_columns - 1);
        return odd & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {
            no_end, m_count == 0     ? stretch_kind::dropped
                    : every_number() ? stretch_kind::kept
                                     : stretch_kind::unknown
        };
    }

private:
    [[nodiscard]] bool every_number() const noexcept { return m_count >> 32 != 0; }

    [[nodiscard]] bool kept(std::size_t c) const noexcept {
        return in_range(static_cast<std::uint32_t>(m_stream.pair(c / 2) >> c % 2 * 32));
    }

    [[nodiscard]] bool in_range(std::uint32_t number) const noexcept {
        return number - m_begin < m_count;
    }

    /// The word that begins at column 2 * pair.
    [[nodiscard]] word_t even_word(std::size_t pair) const noexcept {
        if (every_number()) {
            return ~word_t(0);
        }
        using halves = lanes<std::int32_t>;
        constexpr std::size_t n = lane_count<std::uint64_t>;
        constexpr std::uint32_t sign = 0x80000000;
        const halves shift(static_cast<std::int32_t>(sign - m_begin));
        const halves end(static_cast<std::int32_t>(static_cast<std::uint32_t>(m_count) ^ sign));
        const lanes<std::uint64_t> step(n * golden_gamma);
        auto state = lane_multiples<std::uint64_t>(golden_gamma) +
                     lanes<std::uint64_t>(m_stream.state(pair));
        word_t bits = 0;
        for (std::size_t k = 0; k < word_columns; k += 2 * n, state += step) {
            auto pairs = scrambled_lanes(state);
            if constexpr (std::endian::native != std::endian::little) {
                pairs = pairs << 32 | pairs >> 32; // the low half is the first column
            }
            const auto drawn = xsimd::bitwise_cast<std::int32_t>(pairs);
            // A comparison of unsigned numbers, which processors do not have.
            bits |= bits_from_mask(drawn + shift < end) << k;
        }
        return bits;
    }

    row_stream m_stream;
    std::uint32_t m_begin;
    std::uint64_t m_count;
    std::size_t m_columns;
};

/// Rows of n columns that keep each element whose number lies in a range.
struct random_rows {
    std::uint64_t seed;
    number_share range;
    std::size_t n;

    random_cursor operator()(std::size_t r) const noexcept {
        return {row_stream(seed, r), range, n};
    }
};

/// A mask of random elements, whose name is keep_random.
template <class S>
auto make_random(const char* function, const S& shape, number_share range, std::uint64_t seed) {
    auto owned = to_shape(function, shape);
    const random_rows rows{seed, range, columns_of(owned)};
    return mask(computed_rule("keep_random", std::move(owned), rows));
}
} // namespace detail

/// Keeps each element with a probability, independently of all others.
///
/// An element depends on the seed, the number of its row and its column only: not on the extents,
/// other elements, the order of the questions, or the machine. Another mask needs another seed.
///
///     auto dropout = xmask::keep_random(x.shape(), 0.9, 42);
///     // 1 1 1 0
///     // 1 1 1 1
///     // 1 1 0 1
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @param probability that an element is kept, 0 to 1, to the nearest 2^-32.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for a probability outside of [0, 1].
///
/// Cost: nothing is stored; two multiplications for two elements, each time they are asked for:
/// store a mask that is used often in a bitmask.
template <class S = std::initializer_list<std::size_t>>
auto keep_random(const S& shape, double probability, std::uint64_t seed) {
    const std::uint64_t end = detail::share_of("keep_random", "probability", probability);
    return detail::make_random("keep_random", shape, {0, end}, seed);
}
} // namespace xmask::inline XMASK_ABI
