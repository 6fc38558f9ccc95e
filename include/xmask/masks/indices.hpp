// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
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

            [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept
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

            [[nodiscard]] XMASK_INLINE word_t bits_of(std::size_t number) const noexcept
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

            static constexpr const char* name() noexcept
            {
                return "keep_indices";
            }

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

        /// Elements at listed positions; memory in proportion to the list.
        template <class S>
        class points_rule
        {
        public:

            using shape_type = S;

            static constexpr const char* name() noexcept
            {
                return "keep_points";
            }

            /// `table` has one position a row: an index for each axis of the mask.
            template <class E>
            points_rule(const char* name, const E& table, S shape)
                : m_shape(std::move(shape))
            {
                if (table.dimension() != 2 || columns_of(table.shape()) != m_shape.size()) [[unlikely]]
                {
                    throw_invalid(
                        name, "points of shape ", tuple_text(table.shape()), "; a mask of shape ", tuple_text(m_shape),
                        " expects (points, ", m_shape.size(), ")"
                    );
                }
                std::vector<point> points;
                points.reserve(rows_of(table.shape()));
                auto it = table.template begin<xt::layout_type::row_major>();
                for (std::size_t i = 0; i < rows_of(table.shape()); ++i)
                {
                    points.push_back(checked(name, it, i));
                }
                std::sort(points.begin(), points.end());
                for (const auto& [row, column] : points)
                {
                    append(row, column);
                }
                m_ends.push_back(m_words.size());
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_shape;
            }

            [[nodiscard]] sparse_cursor row(std::size_t r) const noexcept
            {
                const auto at = std::lower_bound(m_rows.begin(), m_rows.end(), r);
                if (at == m_rows.end() || *at != r)
                {
                    return {nullptr, nullptr};
                }
                const std::size_t* ends = m_ends.data() + (at - m_rows.begin());
                return {m_words.data() + ends[0], m_words.data() + ends[1]};
            }

        private:

            struct point
            {
                std::size_t row;
                std::size_t column;

                friend auto operator<=>(const point&, const point&) = default;
            };

            template <class It>
            point checked(const char* name, It& it, std::size_t i) const
            {
                point at{0, 0};
                for (std::size_t axis = 0; axis < m_shape.size(); ++axis, ++it)
                {
                    const auto index = *it;
                    const std::size_t extent = m_shape[axis];
                    if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]]
                    {
                        throw_out_of_range(
                            name, "index ", +index, " along axis ", axis, " of point ", i, " is outside of [0, ", extent, ")"
                        );
                    }
                    if (axis + 1 == m_shape.size())
                    {
                        at.column = static_cast<std::size_t>(index);
                    }
                    else
                    {
                        at.row = at.row * extent + static_cast<std::size_t>(index);
                    }
                }
                return at;
            }

            void append(std::size_t row, std::size_t column)
            {
                const std::size_t number = column / word_columns;
                const bool new_row = m_rows.empty() || m_rows.back() != row;
                if (new_row)
                {
                    m_rows.push_back(row);
                    m_ends.push_back(m_words.size());
                }
                if (new_row || m_words.back().number != number)
                {
                    m_words.push_back({number, 0});
                }
                m_words.back().bits |= word_t(1) << column % word_columns;
            }

            S m_shape;
            std::vector<sparse_word> m_words;
            std::vector<std::size_t> m_rows;
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

        template <class I, class S>
        auto make_dropped_indices(I&& indices, const S& shape)
        {
            return complement("drop_indices", make_indices("drop_indices", std::forward<I>(indices), shape));
        }
    }

    namespace detail
    {
        template <class P, class S>
        auto make_points(const char* name, P&& points, const S& shape)
        {
            constexpr bool integers = expression<P> && holds_integers<P>();
            static_assert(integers, "xmask: points are a 2-D tensor of integers, one position a row, or a list of lists.");
            if constexpr (integers)
            {
                decltype(auto) table = hold(std::forward<P>(points));
                auto owned = to_shape(shape);
                return mask(points_rule<decltype(owned)>(name, table, std::move(owned)));
            }
        }

        template <class P, class S>
        auto make_dropped_points(P&& points, const S& shape)
        {
            return complement("drop_points", make_points("drop_points", std::forward<P>(points), shape));
        }

        /// A list of positions as a table; throws where they are not of one rank.
        template <class T>
        xt::xtensor<T, 2> table_of(const char* name, std::initializer_list<std::initializer_list<T>> points, std::size_t rank)
        {
            auto table = xt::xtensor<T, 2>::from_shape({points.size(), rank});
            auto to = table.begin();
            for (const auto& point : points)
            {
                if (point.size() != rank) [[unlikely]]
                {
                    throw_invalid(name, "a point of ", point.size(), " indices; a mask of rank ", rank, " expects as many");
                }
                to = std::copy(point.begin(), point.end(), to);
            }
            return table;
        }
    }

    /// Keeps the elements at listed positions.
    ///
    /// points: a tensor of integers of shape (points, rank), or a list of lists: one index for each axis, from 0 on, in
    /// any order, duplicates allowed. shape: the mask's shape, or a number for 1-D.
    /// Throws std::out_of_range for an index outside of its axis, naming point, axis and value; std::invalid_argument
    /// where points are not of the mask's rank. Memory is that of the points; a row costs a search among them.
    ///
    ///     auto m = xmask::keep_points({{0, 1}, {1, 3}}, {2, 4});
    ///     // 0 1 0 0
    ///     // 0 0 0 1
    template <class P, class S>
    auto keep_points(P&& points, const S& shape)
    {
        return detail::make_points("keep_points", std::forward<P>(points), shape);
    }

    template <class P>
    auto keep_points(P&& points, std::initializer_list<std::size_t> shape)
    {
        return detail::make_points("keep_points", std::forward<P>(points), shape);
    }

    template <std::integral T, class S>
    auto keep_points(std::initializer_list<std::initializer_list<T>> points, const S& shape)
    {
        const auto owned = detail::to_shape(shape);
        return detail::make_points("keep_points", detail::table_of("keep_points", points, owned.size()), owned);
    }

    template <std::integral T>
    auto keep_points(std::initializer_list<std::initializer_list<T>> points, std::initializer_list<std::size_t> shape)
    {
        return detail::make_points("keep_points", detail::table_of("keep_points", points, shape.size()), shape);
    }

    /// Drops the elements at listed positions and keeps all others. Otherwise as keep_points.
    ///
    ///     auto m = xmask::drop_points({{0, 1}, {1, 3}}, {2, 4});
    ///     // 1 0 1 1
    ///     // 1 1 1 0
    template <class P, class S>
    auto drop_points(P&& points, const S& shape)
    {
        return detail::make_dropped_points(std::forward<P>(points), shape);
    }

    template <class P>
    auto drop_points(P&& points, std::initializer_list<std::size_t> shape)
    {
        return detail::make_dropped_points(std::forward<P>(points), shape);
    }

    template <std::integral T, class S>
    auto drop_points(std::initializer_list<std::initializer_list<T>> points, const S& shape)
    {
        const auto owned = detail::to_shape(shape);
        return detail::make_dropped_points(detail::table_of("drop_points", points, owned.size()), owned);
    }

    template <std::integral T>
    auto drop_points(std::initializer_list<std::initializer_list<T>> points, std::initializer_list<std::size_t> shape)
    {
        return detail::make_dropped_points(detail::table_of("drop_points", points, shape.size()), shape);
    }

    /// Keeps the listed columns of each row.
    ///
    /// indices: integers from 0 on, in any order, duplicates allowed; a list, container or 1-D tensor means the same
    /// columns in every row, a 2-D tensor holds one list for each row. shape: the mask's shape, or a number for 1-D.
    /// Throws std::out_of_range for an index below 0 or past the row, naming its position and value;
    /// std::invalid_argument where the number of lists is not the number of rows.
    /// Memory and time to build are those of the lists; a word costs a step through the sorted list.
    ///
    ///     auto m = xmask::keep_indices({0, 2}, 4);    // 1 0 1 0
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
    ///
    ///     auto m = xmask::drop_indices({0, 2}, {2, 4});
    ///     // 0 1 0 1
    ///     // 0 1 0 1
    template <class I, class S>
    auto drop_indices(I&& indices, const S& shape)
    {
        return detail::make_dropped_indices(std::forward<I>(indices), shape);
    }

    template <std::integral T, class S>
    auto drop_indices(std::initializer_list<T> indices, const S& shape)
    {
        return detail::make_dropped_indices(detail::hold(indices), shape);
    }

    template <class I>
    auto drop_indices(I&& indices, std::initializer_list<std::size_t> shape)
    {
        return detail::make_dropped_indices(std::forward<I>(indices), shape);
    }

    template <std::integral T>
    auto drop_indices(std::initializer_list<T> indices, std::initializer_list<std::size_t> shape)
    {
        return detail::make_dropped_indices(detail::hold(indices), shape);
    }
}
