// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"

/// @file
/// Random masks: each element is a pure function of a seed and its position.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// The increment of SplitMix64: 2^64 divided by the golden ratio.
        inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15;

        /// The output function of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators,
        /// 2014; constants by D. Stafford): every input gives its own output, and all bits depend on all.
        constexpr std::uint64_t scrambled(std::uint64_t x) noexcept
        {
            x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
            x = (x ^ x >> 27) * 0x94d049bb133111eb;
            return x ^ x >> 31;
        }

        /// A stream of 32-bit numbers for each row of a seed, of which any can be had at any time: the numbers of
        /// SplitMix64, in halves, that starts at the row's key.
        class row_stream
        {
        public:

            constexpr row_stream(std::uint64_t seed, std::size_t row) noexcept
                : m_key(scrambled(scrambled(seed + golden_gamma) + (row + 1) * golden_gamma))
            {
            }

            /// Numbers 2 * pair (the low half) and 2 * pair + 1.
            [[nodiscard]] constexpr std::uint64_t pair(std::size_t pair) const noexcept
            {
                return scrambled(m_key + (pair + 1) * golden_gamma);
            }

        private:

            std::uint64_t m_key;
        };

        /// Keeps each column of a row whose number lies below a limit out of 2^32.
        class random_cursor
        {
        public:

            random_cursor(row_stream stream, std::uint64_t limit, std::size_t n) noexcept
                : m_stream(stream)
                , m_limit(limit)
                , m_columns(n)
            {
            }

            [[nodiscard]] word_t word(std::size_t c) const noexcept
            {
                const word_t bits = even_word(c / 2);
                const word_t odd = c % 2 == 0 ? bits : bits >> 1 | word_t(kept(c + word_columns - 1)) << (word_columns - 1);
                return odd & first_bits(m_columns - c);
            }

            [[nodiscard]] bool kept(std::size_t c) const noexcept
            {
                return (m_stream.pair(c / 2) >> c % 2 * 32 & 0xffffffff) < m_limit;
            }

            [[nodiscard]] column_range extent() const noexcept
            {
                return {0, m_limit == 0 ? 0 : m_columns};
            }

        private:

            /// The word from column 2 * pair on.
            [[nodiscard]] word_t even_word(std::size_t pair) const noexcept
            {
                word_t bits = 0;
                for (std::size_t k = 0; k < word_columns / 2; ++k)
                {
                    const std::uint64_t numbers = m_stream.pair(pair + k);
                    bits |= word_t((numbers & 0xffffffff) < m_limit) << 2 * k | word_t(numbers >> 32 < m_limit) << (2 * k + 1);
                }
                return bits;
            }

            row_stream m_stream;
            std::uint64_t m_limit;
            std::size_t m_columns;
        };

        template <class S>
        class random_rule
        {
        public:

            using shape_type = S;

            static constexpr const char* name = "keep_random";

            random_rule(S shape, double probability, std::uint64_t seed)
                : m_shape(std::move(shape))
                , m_seed(seed)
            {
                if (!(probability >= 0 && probability <= 1)) [[unlikely]]
                {
                    throw_invalid("keep_random", "probability ", probability, " is outside of [0, 1]");
                }
                m_limit = static_cast<std::uint64_t>(std::nearbyint(probability * 4294967296.));
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_shape;
            }

            [[nodiscard]] random_cursor row(std::size_t r) const noexcept
            {
                return {row_stream(m_seed, r), m_limit, columns_of(m_shape)};
            }

        private:

            S m_shape;
            std::uint64_t m_seed;
            std::uint64_t m_limit = 0;
        };
    }

    /// Keeps each element with a probability, independently of all others.
    ///
    /// shape: the mask's shape, or a number for 1-D. probability: of being kept, 0 to 1, to the nearest 2^-32. An element
    /// depends on the seed, the number of its row and its column only: not on the extents, on other elements, on the
    /// order in which they are asked for, or on the machine. Another mask needs another seed.
    /// Throws std::invalid_argument for a probability outside of [0, 1]. Costs two multiplications for two elements,
    /// each time it is asked: a mask that is used often is worth a bitmask.
    ///
    ///     auto dropout = xmask::keep_random(x.shape(), 0.9, 42);
    template <class S>
    auto keep_random(const S& shape, double probability, std::uint64_t seed)
    {
        auto owned = detail::to_shape(shape);
        return mask(detail::random_rule<decltype(owned)>(std::move(owned), probability, seed));
    }

    inline auto keep_random(std::initializer_list<std::size_t> shape, double probability, std::uint64_t seed)
    {
        auto owned = detail::to_shape(shape);
        return mask(detail::random_rule<decltype(owned)>(std::move(owned), probability, seed));
    }
}
