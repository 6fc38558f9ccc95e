// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "lengths.hpp"

/// @file
/// Masks that keep one range of each row, and those of batches packed end to end.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A range for each row.
template <class CTB, class CTE>
class ranges_rule {
    using table = std::decay_t<CTB>;

public:
    using shape_type = shape_like<typename table::inner_shape_type, 1>;

    static constexpr const char* name = "keep_ranges";

    template <class B, class E>
    ranges_rule(B&& begin, E&& end, std::size_t n)
        : m_begin(std::forward<B>(begin))
        , m_end(std::forward<E>(end))
        , m_shape(append_axis(m_begin.shape(), n)) {
        require_same_shape("keep_ranges", "begin", m_begin.shape(), "end", m_end.shape());
        m_begin_offsets = table_offsets(name, m_begin);
        m_end_offsets = table_offsets(name, m_end);
        for (std::size_t r = 0; r < rows_of(m_shape); ++r) {
            const auto first = at(m_begin, m_begin_offsets, r);
            const auto last = at(m_end, m_end_offsets, r);
            if (std::cmp_less(+first, 0) || std::cmp_less(+last, +first) ||
                std::cmp_greater(+last, n)) [[unlikely]] {
                throw_out_of_range(
                    "keep_ranges", "the range [", +first, ", ", +last, ") of row ", r,
                    " is not within [0, ", n, ")"
                );
            }
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept {
        return bundle(read_anywhere(m_begin), read_anywhere(m_end));
    }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t end = clamped(at(m_end, m_end_offsets, r), m_shape[m_shape.size() - 1]);
        return range_cursor({clamped(at(m_begin, m_begin_offsets, r), end), end});
    }

private:
    template <class E>
    static auto at(const E& e, const row_offsets& offsets, std::size_t r) noexcept {
        return e.data()[static_cast<std::ptrdiff_t>(e.data_offset()) + offsets(r)];
    }

    CTB m_begin;
    CTE m_end;
    shape_type m_shape;
    row_offsets m_begin_offsets;
    row_offsets m_end_offsets;
};

/// Fails to compile, with one sentence, unless T holds integers.
template <class T>
consteval bool require_boundaries() {
    constexpr bool integers = holds_integers<T>();
    static_assert(
        integers,
        "xmask: boundaries are integers: a tensor of them, a standard container, or a list."
    );
    return integers;
}

/// The differences of cumulative lengths, which it checks.
template <class C>
xt::xtensor<std::size_t, 1> lengths_between(const char* name, C&& cumulative) {
    const auto& table = cumulative;
    if (table.dimension() != 1 || table.size() == 0) [[unlikely]] {
        throw_invalid(
            name, "cumulative lengths of shape ", tuple_text(table.shape()),
            "; expected one axis with 0 first, then the end of each sequence"
        );
    }
    if (table(0) != 0) [[unlikely]] {
        throw_invalid(name, "cumulative length ", +table(0), " at position 0; expected 0");
    }
    auto lengths = xt::xtensor<std::size_t, 1>::from_shape({table.size() - 1});
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        if (std::cmp_less(+table(i + 1), +table(i))) [[unlikely]] {
            throw_out_of_range(
                name, "cumulative length ", +table(i + 1), " at position ", i + 1,
                " is below the one before it, ", +table(i)
            );
        }
        lengths(i) = static_cast<std::size_t>(table(i + 1)) - static_cast<std::size_t>(table(i));
    }
    return lengths;
}
} // namespace detail

/// Keeps columns [begin, end) of n in each row.
///
///     const std::vector<int> begin = {0, 1}, end = {2, 4};
///     auto m = xmask::keep_ranges(begin, end, 4);
///     // 1 1 0 0
///     // 0 1 1 1
///
/// @param begin integers of any rank: a tensor, lazy expression or standard container. An lvalue
/// tensor or expression is held by reference.
/// @param end integers of the shape of begin, held as begin is.
/// @param n number of columns.
/// @returns a mask of shape begin.shape + (n).
/// @throws std::out_of_range unless 0 <= begin <= end <= n, with the row.
/// @throws std::invalid_argument where the shapes differ.
///
/// Cost: a word costs two shifts.
template <class B, class E>
auto keep_ranges(B&& begin, E&& end, std::size_t n) {
    if constexpr (detail::require_boundaries<B>() && detail::require_boundaries<E>()) {
        using rule = detail::ranges_rule<detail::held_t<B>, detail::held_t<E>>;
        return mask(
            rule(detail::hold(std::forward<B>(begin)), detail::hold(std::forward<E>(end)), n)
        );
    } else {
        return detail::refused_mask();
    }
}

/// Keeps columns [begin, end) of n in each row, for bounds in lists.
///
///     auto m = xmask::keep_ranges({0, 1}, {2, 4}, 4);
///     // 1 1 0 0
///     // 0 1 1 1
///
/// @param begin a list of integers, one for each row.
/// @param end a list of as many integers.
/// @param n number of columns.
/// @returns a mask of shape (begin.size(), n).
/// @throws std::out_of_range unless 0 <= begin <= end <= n, with the row.
/// @throws std::invalid_argument where the lists differ in size.
///
/// Cost: a word costs two shifts; memory for the lists.
template <detail::arithmetic T, detail::arithmetic U>
auto keep_ranges(std::initializer_list<T> begin, std::initializer_list<U> end, std::size_t n) {
    return keep_ranges(detail::hold(begin), detail::hold(end), n);
}

/// The padded batch of sequences that are packed end to end: row i keeps its first cumulative[i +
/// 1] - cumulative[i] of n columns.
///
///     const std::vector<int> cumulative = {0, 2, 3};
///     auto m = xmask::keep_packed(cumulative, 4);
///     // 1 1 0 0
///     // 1 0 0 0
///
/// @param cumulative integers, 0 first, then the end of each sequence (cu_seqlens of
/// variable-length attention): a 1-D tensor, lazy expression or standard container.
/// @param n number of columns.
/// @returns a mask of shape (cumulative.size() - 1, n).
/// @throws std::invalid_argument where the first is not 0.
/// @throws std::out_of_range where they fall, or where a sequence is longer than n.
///
/// Cost: memory for one length a row; a word costs a shift.
template <class C>
auto keep_packed(C&& cumulative, std::size_t n) {
    if constexpr (detail::require_boundaries<C>()) {
        decltype(auto) table = detail::hold(std::forward<C>(cumulative));
        return detail::make_lengths<detail::padding::right, true>(
            "keep_packed", detail::lengths_between("keep_packed", table), n
        );
    } else {
        return detail::refused_mask();
    }
}

/// The padded batch of sequences that are packed end to end, for cumulative lengths in a list.
///
///     auto m = xmask::keep_packed({0, 2, 3, 7}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
///     // 1 1 1 1
///
/// @param cumulative a list of integers, 0 first, then the end of each sequence.
/// @param n number of columns.
/// @returns a mask of shape (cumulative.size() - 1, n).
/// @throws std::invalid_argument where the first is not 0.
/// @throws std::out_of_range where they fall, or where a sequence is longer than n.
///
/// Cost: memory for one length a row; a word costs a shift.
template <detail::arithmetic T>
auto keep_packed(std::initializer_list<T> cumulative, std::size_t n) {
    return keep_packed(detail::hold(cumulative), n);
}

/// The number of its sequence for each token of a packed batch.
///
/// keep_same_segment(ids, ids) is the mask of attention within sequences.
///
///     const std::vector<int> cumulative = {0, 2, 3};
///     auto ids = xmask::segment_ids(cumulative);    // 0 0 1
///
/// @param cumulative integers, 0 first, then the end of each sequence (cu_seqlens of
/// variable-length attention): a 1-D tensor, lazy expression or standard container.
/// @returns an xt::xtensor of std::size_t, of shape (last of cumulative).
/// @throws std::invalid_argument where the first is not 0.
/// @throws std::out_of_range where they fall.
///
/// Cost: one pass over the result.
template <class C>
auto segment_ids(C&& cumulative) {
    if constexpr (detail::require_boundaries<C>()) {
        decltype(auto) table = detail::hold(std::forward<C>(cumulative));
        const auto lengths = detail::lengths_between("segment_ids", table);
        auto ids =
            xt::xtensor<std::size_t, 1>::from_shape({static_cast<std::size_t>(table(lengths.size()))
            });
        std::size_t* to = ids.data();
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            to = std::fill_n(to, lengths(i), i);
        }
        return ids;
    } else {
        return detail::refused();
    }
}

/// The number of its sequence for each token of a packed batch, for cumulative lengths in a list.
///
///     auto ids = xmask::segment_ids({0, 2, 3, 7});    // 0 0 1 2 2 2 2
///
/// @param cumulative a list of integers, 0 first, then the end of each sequence.
/// @returns an xt::xtensor of std::size_t, of shape (last of cumulative).
/// @throws std::invalid_argument where the first is not 0.
/// @throws std::out_of_range where they fall.
///
/// Cost: one pass over the result.
template <detail::arithmetic T>
auto segment_ids(std::initializer_list<T> cumulative) {
    return segment_ids(detail::hold(cumulative));
}
} // namespace xmask::inline XMASK_ABI
