// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

#include "../core/block.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/simd.hpp"
#include "combine.hpp"

/// @file
/// The only ways in for boolean tensors: the name says what true means.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// One row of booleans, packed 64 bytes to a word.
        template <class Row>
        class boolean_cursor
        {
        public:

            boolean_cursor(Row row, std::size_t n)
                : m_row(std::move(row))
                , m_columns(n)
            {
            }

            [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const
            {
                return c + word_columns <= m_columns ? pack(c, whole_word()) : pack(c, m_columns - c);
            }

            [[nodiscard]] bool kept(std::size_t c) const
            {
                return m_row.read(c, 1, 1).at(0);
            }

            [[nodiscard]] column_range extent() const noexcept
            {
                return {0, m_columns};
            }

        private:

            template <class Count>
            XMASK_INLINE word_t pack(std::size_t c, Count count) const
            {
                const auto block = m_row.read(c, count, first_bits(count));
                word_t bits = 0;
                for_each_register<bool>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    const auto bytes = load_register<full>(block, k, count - k);
                    bits |= bits_from_mask(bytes != lanes<bool>(static_cast<unsigned char>(0))) << k;
                });
                return bits;
            }

            mutable Row m_row;  // a row over anything but memory keeps a buffer
            std::size_t m_columns;
        };

        template <class Rows>
        class boolean_rows
        {
        public:

            boolean_rows(Rows rows, std::size_t n)
                : m_rows(std::move(rows))
                , m_columns(n)
            {
            }

            XMASK_INLINE auto row(std::size_t r) const
            {
                return boolean_cursor<row_t<Rows>>(m_rows.row(r), m_columns);
            }

        private:

            Rows m_rows;
            std::size_t m_columns;
        };

        template <class CTE>
        class boolean_rule
        {
            using operand_type = std::decay_t<CTE>;

        public:

            using shape_type = typename operand_type::inner_shape_type;

            template <class E>
                requires(!std::same_as<std::decay_t<E>, boolean_rule>)
            explicit boolean_rule(E&& e)
                : m_values(std::forward<E>(e))
            {
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_values.shape();
            }

            [[nodiscard]] auto rows() const
            {
                auto operand = make_operand<bool>(m_values, shape());
                return boolean_rows<decltype(operand)>(std::move(operand), columns_of(shape()));
            }

        private:

            CTE m_values;
        };

        template <class E>
        consteval bool require_booleans()
        {
            constexpr bool booleans = [] {
                if constexpr (expression<E> && !mask_expression<E>)
                {
                    return std::same_as<std::remove_cv_t<value_type_t<E>>, bool>;
                }
                else
                {
                    return false;
                }
            }();
            static_assert(
                booleans,
                "xmask: keep_where and drop_where take a tensor or expression of bool; for numbers compare them, as in "
                "xmask::keep_not_equal(x, 0)."
            );
            return booleans;
        }
    }

    /// Keeps where `e` is true. e: a tensor or lazy expression of bool, of any shape, which is the mask's.
    ///
    /// A word costs loading 64 bytes; a lazy expression is computed in its own types, 64 elements at a time, so that
    /// comparisons of any types are right.
    ///
    ///     auto m = xmask::keep_where(x > 0.5 && y < z);
    template <class E>
    auto keep_where(E&& e)
    {
        if constexpr (detail::require_booleans<E>())
        {
            using rule = detail::boolean_rule<detail::closure_t<E>>;
            return mask(rule(std::forward<E>(e)));
        }
    }

    /// Drops where `e` is true: for the masks of APIs in which true means padding.
    ///
    ///     auto m = xmask::drop_where(key_padding_mask);
    template <class E>
    auto drop_where(E&& e)
    {
        if constexpr (detail::require_booleans<E>())
        {
            return !keep_where(std::forward<E>(e));
        }
    }
}
