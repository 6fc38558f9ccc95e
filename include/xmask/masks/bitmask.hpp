// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <cstddef>
#include <vector>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"

/// @file
/// A mask in memory, one bit an element.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// A row of stored words; the bits past its end are 0.
        class stored_cursor
        {
        public:

            stored_cursor(const word_t* words, std::size_t n) noexcept
                : m_words(words)
                , m_columns(n)
            {
            }

            [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept
            {
                const word_t* at = m_words + c / word_columns;
                const std::size_t shift = c % word_columns;
                if (shift == 0)
                {
                    return *at;
                }
                const bool last = (c / word_columns + 1) * word_columns >= m_columns;
                return *at >> shift | (last ? 0 : at[1] << (word_columns - shift));
            }

            [[nodiscard]] column_range extent() const noexcept
            {
                return {0, m_columns};
            }

        private:

            const word_t* m_words;
            std::size_t m_columns;
        };

        class bitmask_rule
        {
        public:

            using shape_type = any_shape;

            template <mask_expression M>
            explicit bitmask_rule(const M& mask)
                : m_shape(mask.shape().begin(), mask.shape().end())
                , m_row_words((columns_of(m_shape) + word_columns - 1) / word_columns)
                , m_words(rows_of(m_shape) * m_row_words)
            {
                const mask_rows<M> rows(mask, m_shape);
                word_t* to = m_words.data();
                for (std::size_t r = 0; r < rows_of(m_shape); ++r)
                {
                    const auto cursor = rows.row(r);
                    for (std::size_t w = 0; w < m_row_words; ++w)
                    {
                        *to++ = cursor.word(w * word_columns);
                    }
                }
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_shape;
            }

            [[nodiscard]] XMASK_INLINE stored_cursor row(std::size_t r) const noexcept
            {
                return {m_words.data() + r * m_row_words, columns_of(m_shape)};
            }

            [[nodiscard]] flat_form form() const noexcept
            {
                return columns_of(m_shape) % word_columns == 0 ? flat_form::direct : flat_form::packed;
            }

            [[nodiscard]] stored_cursor flat() const noexcept
            {
                return {m_words.data(), word_columns * m_words.size()};
            }

        private:

            any_shape m_shape;
            std::size_t m_row_words;
            std::vector<word_t> m_words;
        };
    }

    /// A mask in memory: one bit an element, every row starts a 64-bit word. Itself a mask; made from any other.
    ///
    /// Worth it for a mask that is costly to answer and used often. Making it asks for each word once.
    ///
    ///     xmask::bitmask kept = xmask::drop_tokens(tokens, stop_words) && xmask::keep_lengths(lengths, n);
    using bitmask = mask<detail::bitmask_rule>;
}
