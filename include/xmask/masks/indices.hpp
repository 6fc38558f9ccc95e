// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/refused_calls.hpp"
#include "../core/shape.hpp"
#include "combine.hpp"
#include "computed_rule.hpp"
#include "listed_bits.hpp"
#include "points.hpp" // was part of this header

/// @file
/// Masks from lists of columns.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Listed columns: one list for all rows, or one for each row.
class index_rows {
public:
    /// @param table 1-D, or 2-D with a row for each row of the mask.
    template <class E, class S>
    index_rows(const char* name, const E& table, const S& shape) : m_lists(columns_of(shape)) {
        const std::size_t lists = table.dimension() == 2 ? rows_of(table.shape()) : 1;
        const std::size_t length = columns_of(table.shape());
        check_table(name, table.shape(), lists, shape);
        std::vector<std::size_t> row(length);
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t list = 0; list < lists; ++list) {
            for (std::size_t k = 0; k < length; ++k, ++it) {
                row[k] = checked(name, *it, list, k, table.dimension() == 2, columns_of(shape));
            }
            m_lists.append(row);
        }
    }

    [[nodiscard]] XMASK_INLINE paged_cursor operator()(std::size_t r) const noexcept {
        return m_lists.row(m_lists.size() == 1 ? 0 : r);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_lists.size() == 1; }

private:
    template <class T, class S>
    static void check_table(
        const char* name, const T& table_shape, std::size_t lists, const S& shape
    ) {
        if (table_shape.size() != 1 && table_shape.size() != 2) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape),
                "; expected one list (1-D), or one list for each row of the mask (2-D)"
            );
        }
        if (table_shape.size() == 2 && lists != rows_of(shape)) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape), " hold ", lists,
                " lists; a mask of shape ", tuple_text(shape), " has ", rows_of(shape), " rows"
            );
        }
    }

    template <class T>
    static std::size_t checked(
        const char* name, T index, std::size_t list, std::size_t k, bool many, std::size_t n
    ) {
        if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, n)) [[unlikely]] {
            const std::string row = many ? " of row " + std::to_string(list) : "";
            throw_out_of_range(
                name, "index ", +index, " at position ", k, row, " is outside of [0, ", n, ")"
            );
        }
        return static_cast<std::size_t>(index);
    }

    listed_bits m_lists;
};

/// Fails to compile, with one sentence, unless I holds integers.
template <class I>
consteval bool require_indices() {
    constexpr bool integers = holds_integers<I>();
    static_assert(
        integers,
        "xmask: indices are integers: a list or 1-D tensor for every row, or a 2-D tensor with one list a row."
    );
    return integers;
}

template <bool Fits, class I, class S>
auto make_indices(const char* name, I&& indices, const S& shape) {
    if constexpr (Fits) {
        decltype(auto) table = hold(std::forward<I>(indices));
        auto owned = to_shape(name, shape);
        index_rows rows(name, table, owned);
        return mask(computed_rule("keep_indices", std::move(owned), std::move(rows)));
    } else {
        return refused_mask();
    }
}

/// Fails to compile, with one sentence: what a call of one argument gives.
template <class Call>
mask<refused_rule> refused_indices() {
    constexpr bool is_call = !std::is_void_v<Call>;
    static_assert(
        is_call,
        "xmask: masks of indices take the indices and the shape of the mask: keep_indices({0, 2}, 4), drop_indices(columns, {2, 4})."
    );
    return refused_mask();
}
} // namespace detail

/// Keeps the listed columns of each row.
///
///     const std::vector<int> columns = {0, 2};
///     auto m = xmask::keep_indices(columns, 4);    // 1 0 1 0
///
/// @param indices integers from 0 on, in any order, with or without duplicates. A container or 1-D
/// tensor holds the columns of all rows, a 2-D tensor one list for each row.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
/// @throws std::invalid_argument where the number of lists is not the number of rows.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <class I, class S = std::initializer_list<std::size_t>>
auto keep_indices(I&& indices, const S& shape) {
    return detail::make_indices<detail::require_indices<I>()>(
        "keep_indices", std::forward<I>(indices), shape
    );
}

/// Keeps the columns of a list in each row.
///
///     auto m = xmask::keep_indices({0, 2}, 4);    // 1 0 1 0
///
/// @param indices a list of integers from 0 on, the columns of all rows, in any order, with or
/// without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <detail::arithmetic T, class S = std::initializer_list<std::size_t>>
auto keep_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::make_indices<detail::require_indices<std::initializer_list<T>>()>(
        "keep_indices", detail::hold(indices), shape
    );
}

/// Drops the listed columns of each row and keeps all others.
///
///     const xt::xtensor<int, 2> columns = {{0, 2}, {3, 3}};
///     auto m = xmask::drop_indices(columns, {2, 4});
///     // 0 1 0 1
///     // 1 1 1 0
///
/// @param indices integers from 0 on, in any order, with or without duplicates. A container or 1-D
/// tensor holds the columns of all rows, a 2-D tensor one list for each row.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
/// @throws std::invalid_argument where the number of lists is not the number of rows.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <class I, class S = std::initializer_list<std::size_t>>
auto drop_indices(I&& indices, const S& shape) {
    return detail::complement(
        "drop_indices", detail::make_indices<detail::require_indices<I>()>(
                            "drop_indices", std::forward<I>(indices), shape
                        )
    );
}

/// Drops the columns of a list in each row and keeps all others.
///
///     auto m = xmask::drop_indices({0, 2}, {2, 4});
///     // 0 1 0 1
///     // 0 1 0 1
///
/// @param indices a list of integers from 0 on, the columns of all rows, in any order, with or
/// without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <detail::arithmetic T, class S = std::initializer_list<std::size_t>>
auto drop_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::complement(
        "drop_indices", detail::make_indices<detail::require_indices<std::initializer_list<T>>()>(
                            "drop_indices", detail::hold(indices), shape
                        )
    );
}

/// @cond
template <class Call = void>
auto keep_indices(const detail::any_argument& /*first*/) {
    return detail::refused_indices<Call>();
}

template <class Call = void>
auto drop_indices(const detail::any_argument& /*first*/) {
    return detail::refused_indices<Call>();
}
/// @endcond
} // namespace xmask::inline XMASK_ABI
