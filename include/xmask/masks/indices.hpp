// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "combine.hpp"

/// @file
/// Masks from lists of positions in a row.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A row that keeps listed columns.
class paged_cursor {
public:
    static constexpr std::size_t page_words = 16;
    /// Behind a page's words stands the next page's first: a word that begins within the last ends
    /// there.
    static constexpr std::size_t page_size = page_words + 1;

    paged_cursor(const word_t* words, const std::uint32_t* pages, column_range extent) noexcept
        : m_words(words), m_pages(pages), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const std::size_t number = c / word_columns;
        const word_t* at = m_words + m_pages[number / page_words] * page_size + number % page_words;
        const std::size_t shift = c % word_columns;
        if (shift == 0) {
            return *at;
        }
        return at[0] >> shift | at[1] << (word_columns - shift);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    const word_t* m_words;
    const std::uint32_t* m_pages;
    column_range m_extent;
};

/// Rows of listed columns as bits, in pages of 1024 columns. Pages that keep nothing are all the
/// same one, so that long rows of few columns take little memory; and a word is found without a
/// search.
class listed_bits {
public:
    explicit listed_bits(std::size_t n)
        : m_row_pages((n + page_columns - 1) / page_columns), m_words(paged_cursor::page_size, 0) {}

    /// Adds a row that keeps these columns.
    void append(const std::vector<std::size_t>& columns) {
        const std::size_t first_page = m_pages.size();
        m_pages.resize(first_page + m_row_pages, 0);
        column_range& extent = m_extents.emplace_back();
        for (const std::size_t c : columns) {
            const std::size_t page = first_page + c / page_columns;
            const std::size_t number = c % page_columns / word_columns;
            const word_t bit = word_t(1) << c % word_columns;
            words_of(page)[number] |= bit;
            if (number == 0 && page > first_page) {
                words_of(page - 1)[paged_cursor::page_words] |= bit;
            }
            extent = hull(extent, {c, c + 1});
        }
    }

    /// How many rows there are.
    [[nodiscard]] std::size_t size() const noexcept { return m_extents.size(); }

    [[nodiscard]] XMASK_INLINE paged_cursor row(std::size_t r) const noexcept {
        return {m_words.data(), m_pages.data() + r * m_row_pages, m_extents[r]};
    }

private:
    static constexpr std::size_t page_columns = paged_cursor::page_words * word_columns;

    /// A page to write to.
    word_t* words_of(std::size_t page) {
        if (m_pages[page] == 0) {
            m_pages[page] = static_cast<std::uint32_t>(m_words.size() / paged_cursor::page_size);
            m_words.resize(m_words.size() + paged_cursor::page_size, 0);
        }
        return m_words.data() + m_pages[page] * paged_cursor::page_size;
    }

    std::size_t m_row_pages;
    std::vector<word_t> m_words;
    std::vector<std::uint32_t> m_pages;
    std::vector<column_range> m_extents;
};

/// Listed columns, one list for every row or one a row.
template <class S>
class indices_rule {
public:
    using shape_type = S;

    static constexpr const char* name() noexcept { return "keep_indices"; }

    /// `table` is 1-D, or 2-D with a row for each row of the mask.
    template <class E>
    indices_rule(const char* name, const E& table, S shape)
        : m_shape(std::move(shape)), m_lists(columns_of(m_shape)) {
        const std::size_t lists = table.dimension() == 2 ? rows_of(table.shape()) : 1;
        const std::size_t length = columns_of(table.shape());
        check_table(name, table.shape(), lists);
        std::vector<std::size_t> row(length);
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t list = 0; list < lists; ++list) {
            for (std::size_t k = 0; k < length; ++k, ++it) {
                row[k] = checked(name, *it, list, k, table.dimension() == 2);
            }
            m_lists.append(row);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE paged_cursor row(std::size_t r) const noexcept {
        return m_lists.row(m_lists.size() == 1 ? 0 : r);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_lists.size() == 1; }

private:
    template <class T>
    void check_table(const char* name, const T& table_shape, std::size_t lists) const {
        if (table_shape.size() != 1 && table_shape.size() != 2) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape),
                "; expected one list (1-D), or one list for each row of the mask (2-D)"
            );
        }
        if (table_shape.size() == 2 && lists != rows_of(m_shape)) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape), " hold ", lists,
                " lists; a mask of shape ", tuple_text(m_shape), " has ", rows_of(m_shape), " rows"
            );
        }
    }

    template <class T>
    std::size_t checked(const char* name, T index, std::size_t list, std::size_t k, bool many)
        const {
        const std::size_t n = columns_of(m_shape);
        if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, n)) [[unlikely]] {
            if (many) {
                throw_out_of_range(
                    name, "index ", +index, " at position ", k, " of row ", list,
                    " is outside of [0, ", n, ")"
                );
            }
            throw_out_of_range(
                name, "index ", +index, " at position ", k, " is outside of [0, ", n, ")"
            );
        }
        return static_cast<std::size_t>(index);
    }

    S m_shape;
    listed_bits m_lists;
};

/// Elements at listed positions.
template <class S>
class points_rule {
public:
    using shape_type = S;

    static constexpr const char* name() noexcept { return "keep_points"; }

    /// `table` has one position a row: an index for each axis of the mask.
    template <class E>
    points_rule(const char* name, const E& table, S shape)
        : m_shape(std::move(shape)), m_lists(columns_of(m_shape)) {
        if (table.dimension() != 2 || columns_of(table.shape()) != m_shape.size()) [[unlikely]] {
            throw_invalid(
                name, "points of shape ", tuple_text(table.shape()), "; a mask of shape ",
                tuple_text(m_shape), " expects (points, ", m_shape.size(), ")"
            );
        }
        std::vector<point> points;
        points.reserve(rows_of(table.shape()));
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t i = 0; i < rows_of(table.shape()); ++i) {
            points.push_back(checked(name, it, i));
        }
        std::ranges::sort(points);
        m_lists.append({}); // for all rows without points
        std::vector<std::size_t> columns;
        for (auto at = points.begin(); at != points.end();) {
            m_rows.push_back(at->row);
            columns.clear();
            for (; at != points.end() && at->row == m_rows.back(); ++at) {
                columns.push_back(at->column);
            }
            m_lists.append(columns);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] paged_cursor row(std::size_t r) const noexcept {
        const auto at = std::lower_bound(m_rows.begin(), m_rows.end(), r);
        const bool found = at != m_rows.end() && *at == r;
        return m_lists.row(found ? static_cast<std::size_t>(at - m_rows.begin()) + 1 : 0);
    }

private:
    struct point {
        std::size_t row;
        std::size_t column;

        friend auto operator<=>(const point&, const point&) = default;
    };

    template <class It>
    point checked(const char* name, It& it, std::size_t i) const {
        point at{0, 0};
        for (std::size_t axis = 0; axis < m_shape.size(); ++axis, ++it) {
            const auto index = *it;
            const std::size_t extent = m_shape[axis];
            if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]] {
                throw_out_of_range(
                    name, "index ", +index, " along axis ", axis, " of point ", i,
                    " is outside of [0, ", extent, ")"
                );
            }
            if (axis + 1 == m_shape.size()) {
                at.column = static_cast<std::size_t>(index);
            } else {
                at.row = at.row * extent + static_cast<std::size_t>(index);
            }
        }
        return at;
    }

    S m_shape;
    std::vector<std::size_t> m_rows;
    listed_bits m_lists;
};

template <class I>
consteval bool require_indices() {
    constexpr bool integers = holds_integers<I>();
    static_assert(
        integers,
        "xmask: indices are integers: a list or 1-D tensor for every row, or a 2-D tensor with one list a row."
    );
    return integers;
}

template <class I, class S>
auto make_indices(const char* name, I&& indices, const S& shape) {
    if constexpr (require_indices<I>()) {
        decltype(auto) table = hold(std::forward<I>(indices));
        auto owned = to_shape(name, shape);
        return mask(indices_rule<decltype(owned)>(name, table, std::move(owned)));
    }
}

template <class I, class S>
auto make_dropped_indices(I&& indices, const S& shape) {
    return complement(
        "drop_indices", make_indices("drop_indices", std::forward<I>(indices), shape)
    );
}
} // namespace detail

namespace detail {
template <class P, class S>
auto make_points(const char* name, P&& points, const S& shape) {
    constexpr bool integers = expression<P> && holds_integers<P>();
    static_assert(
        integers,
        "xmask: points are a 2-D tensor of integers, one position a row, or a list of lists."
    );
    if constexpr (integers) {
        decltype(auto) table = hold(std::forward<P>(points));
        auto owned = to_shape(name, shape);
        return mask(points_rule<decltype(owned)>(name, table, std::move(owned)));
    }
}

template <class P, class S>
auto make_dropped_points(P&& points, const S& shape) {
    return complement("drop_points", make_points("drop_points", std::forward<P>(points), shape));
}

/// A list of positions as a table; throws where they are not of one rank.
template <class T>
xt::xtensor<T, 2> table_of(
    const char* name, std::initializer_list<std::initializer_list<T>> points, std::size_t rank
) {
    auto table = xt::xtensor<T, 2>::from_shape({points.size(), rank});
    auto to = table.begin();
    for (const auto& point : points) {
        if (point.size() != rank) [[unlikely]] {
            throw_invalid(
                name, "a point of ", point.size(), " indices; a mask of rank ", rank,
                " expects as many"
            );
        }
        to = std::copy(point.begin(), point.end(), to);
    }
    return table;
}
} // namespace detail

/// Keeps the elements at listed positions.
///
/// points: a tensor of integers of shape (points, rank), or a list of lists: one index for each
/// axis, from 0 on, in any order, duplicates allowed. shape: the mask's shape, or a number for 1-D.
/// Throws std::out_of_range for an index outside of its axis, naming point, axis and value;
/// std::invalid_argument where points are not of the mask's rank. Memory is at most 152 bytes for
/// each point, and 4 for each 1024 columns of a row that has one; a row costs a search among those,
/// a word a look into a table.
///
///     auto m = xmask::keep_points({{0, 1}, {1, 3}}, {2, 4});
///     // 0 1 0 0
///     // 0 0 0 1
template <class P, class S>
auto keep_points(P&& points, const S& shape) {
    return detail::make_points("keep_points", std::forward<P>(points), shape);
}

template <class P>
auto keep_points(P&& points, std::initializer_list<std::size_t> shape) {
    return detail::make_points("keep_points", std::forward<P>(points), shape);
}

template <std::integral T, class S>
auto keep_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("keep_points", shape);
    return detail::make_points(
        "keep_points", detail::table_of("keep_points", points, owned.size()), owned
    );
}

template <std::integral T>
auto keep_points(
    std::initializer_list<std::initializer_list<T>> points, std::initializer_list<std::size_t> shape
) {
    return detail::make_points(
        "keep_points", detail::table_of("keep_points", points, shape.size()), shape
    );
}

/// Drops the elements at listed positions and keeps all others. Otherwise as keep_points.
///
///     auto m = xmask::drop_points({{0, 1}, {1, 3}}, {2, 4});
///     // 1 0 1 1
///     // 1 1 1 0
template <class P, class S>
auto drop_points(P&& points, const S& shape) {
    return detail::make_dropped_points(std::forward<P>(points), shape);
}

template <class P>
auto drop_points(P&& points, std::initializer_list<std::size_t> shape) {
    return detail::make_dropped_points(std::forward<P>(points), shape);
}

template <std::integral T, class S>
auto drop_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("drop_points", shape);
    return detail::make_dropped_points(
        detail::table_of("drop_points", points, owned.size()), owned
    );
}

template <std::integral T>
auto drop_points(
    std::initializer_list<std::initializer_list<T>> points, std::initializer_list<std::size_t> shape
) {
    return detail::make_dropped_points(
        detail::table_of("drop_points", points, shape.size()), shape
    );
}

/// Keeps the listed columns of each row.
///
/// indices: integers from 0 on, in any order, duplicates allowed; a list, container or 1-D tensor
/// means the same columns in every row, a 2-D tensor holds one list for each row. shape: the mask's
/// shape, or a number for 1-D. Throws std::out_of_range for an index below 0 or past the row,
/// naming its position and value; std::invalid_argument where the number of lists is not the number
/// of rows. A list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
///
///     auto m = xmask::keep_indices({0, 2}, 4);    // 1 0 1 0
template <class I, class S>
auto keep_indices(I&& indices, const S& shape) {
    return detail::make_indices("keep_indices", std::forward<I>(indices), shape);
}

template <std::integral T, class S>
auto keep_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::make_indices("keep_indices", detail::hold(indices), shape);
}

template <class I>
auto keep_indices(I&& indices, std::initializer_list<std::size_t> shape) {
    return detail::make_indices("keep_indices", std::forward<I>(indices), shape);
}

template <std::integral T>
auto keep_indices(std::initializer_list<T> indices, std::initializer_list<std::size_t> shape) {
    return detail::make_indices("keep_indices", detail::hold(indices), shape);
}

/// Drops the listed columns of each row and keeps all others. Otherwise as keep_indices.
///
///     auto m = xmask::drop_indices({0, 2}, {2, 4});
///     // 0 1 0 1
///     // 0 1 0 1
template <class I, class S>
auto drop_indices(I&& indices, const S& shape) {
    return detail::make_dropped_indices(std::forward<I>(indices), shape);
}

template <std::integral T, class S>
auto drop_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::make_dropped_indices(detail::hold(indices), shape);
}

template <class I>
auto drop_indices(I&& indices, std::initializer_list<std::size_t> shape) {
    return detail::make_dropped_indices(std::forward<I>(indices), shape);
}

template <std::integral T>
auto drop_indices(std::initializer_list<T> indices, std::initializer_list<std::size_t> shape) {
    return detail::make_dropped_indices(detail::hold(indices), shape);
}
} // namespace xmask::inline XMASK_ABI
