// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/xtensor.hpp"
#include "computed_rule.hpp"
#include "listed_bits.hpp"

/// @file
/// Masks from lists of positions.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Elements at listed positions.
class point_rows {
public:
    /// @param table one position a row: an index for each axis of the mask.
    template <class E, class S>
    point_rows(const char* name, const E& table, const S& shape) : m_lists(columns_of(shape)) {
        if (table.dimension() != 2 || columns_of(table.shape()) != shape.size()) [[unlikely]] {
            throw_invalid(
                name, "points of shape ", tuple_text(table.shape()), "; a mask of shape ",
                tuple_text(shape), " expects (points, ", shape.size(), ")"
            );
        }
        std::vector<point> points;
        points.reserve(rows_of(table.shape()));
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t i = 0; i < rows_of(table.shape()); ++i) {
            points.push_back(checked(name, it, i, shape));
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

    [[nodiscard]] paged_cursor operator()(std::size_t r) const noexcept {
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

    template <class It, class S>
    static point checked(const char* name, It& it, std::size_t i, const S& shape) {
        point at{0, 0};
        for (std::size_t axis = 0; axis < shape.size(); ++axis, ++it) {
            const auto index = *it;
            const std::size_t extent = shape[axis];
            if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]] {
                throw_out_of_range(
                    name, "index ", +index, " along axis ", axis, " of point ", i,
                    " is outside of [0, ", extent, ")"
                );
            }
            if (axis + 1 == shape.size()) {
                at.column = static_cast<std::size_t>(index);
            } else {
                at.row = at.row * extent + static_cast<std::size_t>(index);
            }
        }
        return at;
    }

    std::vector<std::size_t> m_rows;
    listed_bits m_lists;
};

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
        point_rows rows(name, table, owned);
        return mask(computed_rule("keep_points", std::move(owned), std::move(rows)));
    }
}

/// A list of positions as a table. Throws std::invalid_argument where one has another rank.
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
///     const xt::xtensor<int, 2> points = {{0, 1}, {1, 3}};
///     auto m = xmask::keep_points(points, {2, 4});
///     // 0 1 0 0
///     // 0 0 0 1
///
/// @param points a tensor of integers of shape (points, rank): one index for each axis, from 0 on,
/// in any order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <class P, class S = std::initializer_list<std::size_t>>
auto keep_points(P&& points, const S& shape) {
    return detail::make_points("keep_points", std::forward<P>(points), shape);
}

/// Keeps the elements at the positions of a list.
///
///     auto m = xmask::keep_points({{0, 1}, {1, 3}}, {2, 4});
///     // 0 1 0 0
///     // 0 0 0 1
///
/// @param points a list of positions, each a list of one index for each axis, from 0 on, in any
/// order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto keep_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("keep_points", shape);
    return keep_points(detail::table_of("keep_points", points, owned.size()), owned);
}

/// Drops the elements at listed positions and keeps all others.
///
///     const xt::xtensor<int, 2> points = {{0, 1}, {1, 3}};
///     auto m = xmask::drop_points(points, {2, 4});
///     // 1 0 1 1
///     // 1 1 1 0
///
/// @param points a tensor of integers of shape (points, rank): one index for each axis, from 0 on,
/// in any order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <class P, class S = std::initializer_list<std::size_t>>
auto drop_points(P&& points, const S& shape) {
    return detail::complement(
        "drop_points", detail::make_points("drop_points", std::forward<P>(points), shape)
    );
}

/// Drops the elements at the positions of a list and keeps all others.
///
///     auto m = xmask::drop_points({{0, 1}, {1, 3}}, {2, 4});
///     // 1 0 1 1
///     // 1 1 1 0
///
/// @param points a list of positions, each a list of one index for each axis, from 0 on, in any
/// order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto drop_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("drop_points", shape);
    return drop_points(detail::table_of("drop_points", points, owned.size()), owned);
}
} // namespace xmask::inline XMASK_ABI
