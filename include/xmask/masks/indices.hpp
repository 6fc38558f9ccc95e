// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "combine.hpp"

/// @file
/// Masks from lists of positions in a row.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// The bits of one word of a row; a row is a list of those that are not 0, in order.
        struct sparse_word
        {
            std::size_t number;
            word_t bits;
        };

        /// A row that keeps listed columns. Words are mostly asked for in order, so the search starts where the last
        /// one ended.
        class sparse_cursor
        {
        public:

            sparse_cursor(const sparse_word* first, const sparse_word* last) noexcept
                : m_first(first)
                , m_last(last)
                , m_at(first)
            {
            }

            [[nodiscard]] word_t word(std::size_t c) const noexcept
            {
                const std::size_t shift = c % word_columns;
                const word_t low = bits_of(c / word_columns) >> shift;
                return shift == 0 ? low : low | bits_of(c / word_columns + 1) << (word_columns - shift);
            }

            [[nodiscard]] column_range extent() const noexcept
            {
                if (m_first == m_last)
                {
                    return {};
                }
                const sparse_word& first = *m_first;
                const sparse_word& last = *(m_last - 1);
                return {
                    first.number * word_columns + lowest_bit(first.bits),
                    last.number * word_columns + static_cast<std::size_t>(std::bit_width(last.bits)),
                };
            }

        private:

            [[nodiscard]] word_t bits_of(std::size_t number) const noexcept
            {
                if (m_at != m_first && (m_at - 1)->number >= number)
                {
                    m_at = std::lower_bound(m_first, m_at, number, [](const sparse_word& w, std::size_t value) {
                        return w.number < value;
                    });
                }
                while (m_at != m_last && m_at->number < number)
                {
                    ++m_at;
                }
                return m_at != m_last && m_at->number == number ? m_at->bits : 0;
            }

            const sparse_word* m_first;
            const sparse_word* m_last;
            mutable const sparse_word* m_at;
        };

        /// Listed columns, one list for every row or one a row; memory in proportion to the lists.
        template <class S>
        class indices_rule
        {
        public:

            using shape_type = S;

            /// `table` is 1-D, or 2-D with a row for each row of the mask.
            template <class E>
            indices_rule(const char* name, const E& table, S shape)
                : m_shape(std::move(shape))
            {
                const std::size_t lists = table.dimension() == 2 ? rows_of(table.shape()) : 1;
                const std::size_t length = columns_of(table.shape());
                check_table(name, table.shape(), lists);
                m_ends.reserve(lists + 1);
                m_ends.push_back(0);
                std::vector<std::size_t> row(length);
                auto it = table.template begin<xt::layout_type::row_major>();
                for (std::size_t list = 0; list < lists; ++list)
                {
                    for (std::size_t k = 0; k < length; ++k, ++it)
                    {
                        row[k] = checked(name, *it, list, k, table.dimension() == 2);
                    }
                    append(row);
                }
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_shape;
            }

            [[nodiscard]] XMASK_INLINE sparse_cursor row(std::size_t r) const noexcept
            {
                const std::size_t list = m_ends.size() == 2 ? 0 : r;
                return {m_words.data() + m_ends[list], m_words.data() + m_ends[list + 1]};
            }

        private:

            template <class T>
            void check_table(const char* name, const T& table_shape, std::size_t lists) const
            {
                if (table_shape.size() != 1 && table_shape.size() != 2) [[unlikely]]
                {
                    throw_invalid(
                        name, "indices of shape ", tuple_text(table_shape),
                        "; expected one list (1-D), or one list for each row of the mask (2-D)"
                    );
                }
                if (table_shape.size() == 2 && lists != rows_of(m_shape)) [[unlikely]]
                {
                    throw_invalid(
                        name, "indices of shape ", tuple_text(table_shape), " hold ", lists,
                        " lists; a mask of shape ", tuple_text(m_shape), " has ", rows_of(m_shape), " rows"
                    );
                }
            }

            template <class T>
            std::size_t checked(const char* name, T index, std::size_t list, std::size_t k, bool many) const
            {
                const std::size_t n = columns_of(m_shape);
                if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, n)) [[unlikely]]
                {
                    if (many)
                    {
                        throw_out_of_range(
                            name, "index ", +index, " at position ", k, " of row ", list, " is outside of [0, ", n, ")"
                        );
                    }
                    throw_out_of_range(name, "index ", +index, " at position ", k, " is outside of [0, ", n, ")");
                }
                return static_cast<std::size_t>(index);
            }

            void append(std::vector<std::size_t>& row)
            {
                std::sort(row.begin(), row.end());
                for (const std::size_t c : row)
                {
                    const std::size_t number = c / word_columns;
                    if (m_words.size() == m_ends.back() || m_words.back().number != number)
                    {
                        m_words.push_back({number, 0});
                    }
                    m_words.back().bits |= word_t(1) << c % word_columns;
                }
                m_ends.push_back(m_words.size());
            }

            S m_shape;
            std::vector<sparse_word> m_words;
            std::vector<std::size_t> m_ends;
        };

        template <class I>
        consteval bool require_indices()
        {
            constexpr bool integers = holds_integers<I>();
            static_assert(
                integers,
                "xmask: indices are integers: a list or 1-D tensor for every row, or a 2-D tensor with one list a row."
            );
            return integers;
        }

        template <class I, class S>
        auto make_indices(const char* name, I&& indices, const S& shape)
        {
            if constexpr (require_indices<I>())
            {
                decltype(auto) table = hold(std::forward<I>(indices));
                auto owned = to_shape(shape);
                return mask(indices_rule<decltype(owned)>(name, table, std::move(owned)));
            }
        }
    }

    /// Keeps the listed columns of each row.
    ///
    /// indices: integers from 0 on, in any order, duplicates allowed; a list, container or 1-D tensor means the same
    /// columns in every row, a 2-D tensor holds one list for each row. shape: the mask's shape, or a number for 1-D.
    /// Throws std::out_of_range for an index below 0 or past the row, naming its position and value;
    /// std::invalid_argument where the number of lists is not the number of rows.
    /// Memory and time to build are those of the lists; a word costs a step through the sorted list.
    ///
    ///     auto m = xmask::keep_indices({0, 2}, 4);                       // 1 0 1 0
    ///     auto n = xmask::drop_indices(held_out, x.shape());
    template <class I, class S>
    auto keep_indices(I&& indices, const S& shape)
    {
        return detail::make_indices("keep_indices", std::forward<I>(indices), shape);
    }

    template <std::integral T, class S>
    auto keep_indices(std::initializer_list<T> indices, const S& shape)
    {
        return detail::make_indices("keep_indices", detail::hold(indices), shape);
    }

    template <class I>
    auto keep_indices(I&& indices, std::initializer_list<std::size_t> shape)
    {
        return detail::make_indices("keep_indices", std::forward<I>(indices), shape);
    }

    template <std::integral T>
    auto keep_indices(std::initializer_list<T> indices, std::initializer_list<std::size_t> shape)
    {
        return detail::make_indices("keep_indices", detail::hold(indices), shape);
    }

    /// Drops the listed columns of each row and keeps all others. Otherwise as keep_indices.
    template <class I, class S>
    auto drop_indices(I&& indices, const S& shape)
    {
        return !detail::make_indices("drop_indices", std::forward<I>(indices), shape);
    }

    template <std::integral T, class S>
    auto drop_indices(std::initializer_list<T> indices, const S& shape)
    {
        return !detail::make_indices("drop_indices", detail::hold(indices), shape);
    }

    template <class I>
    auto drop_indices(I&& indices, std::initializer_list<std::size_t> shape)
    {
        return !detail::make_indices("drop_indices", std::forward<I>(indices), shape);
    }

    template <std::integral T>
    auto drop_indices(std::initializer_list<T> indices, std::initializer_list<std::size_t> shape)
    {
        return !detail::make_indices("drop_indices", detail::hold(indices), shape);
    }
}
