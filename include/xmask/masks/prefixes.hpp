// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "windows.hpp"

/// @file
/// Masks of attention in which every query sees a prefix.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Causal, or before the prefix.
struct prefix_pattern {
    std::size_t prefix;
    std::ptrdiff_t offset;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {0, std::min(std::max(moved_by(i + 1, offset), prefix), n)};
    }
};

template <class P>
concept prefix_number = std::integral<P> && !std::same_as<P, bool>;

/// Throws std::out_of_range for a prefix outside of [0, k].
template <class P, class... Where>
void require_prefix_within(P prefix, std::size_t k, const Where&... where) {
    if (std::cmp_less(+prefix, 0) || std::cmp_greater(+prefix, k)) [[unlikely]] {
        throw_out_of_range(
            "keep_prefix", "prefix ", +prefix, where..., " is outside of [0, ", k, "]"
        );
    }
}

/// One prefix for each text of a batch.
template <class CTP>
class prefix_rule {
    using table = std::decay_t<CTP>;

public:
    using shape_type = shape_like<typename table::inner_shape_type, 2>;

    static constexpr const char* name = "keep_prefix";

    template <class P>
    prefix_rule(std::size_t q, std::size_t k, P&& prefix, std::ptrdiff_t offset)
        : m_prefix(std::forward<P>(prefix))
        , m_shape(append_axis(append_axis(m_prefix.shape(), q), k))
        , m_offsets(table_offsets(name, m_prefix))
        , m_queries(q)
        , m_keys(k)
        , m_offset(offset) {
        for (std::size_t batch = 0; batch < m_prefix.size(); ++batch) {
            require_prefix_within(at(batch), k, " at position ", batch);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_prefix)); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t batch = r / m_queries;
        const prefix_pattern pattern{clamped(at(batch), m_keys), m_offset};
        return range_cursor(pattern(r - batch * m_queries, m_keys));
    }

private:
    auto at(std::size_t batch) const noexcept {
        return m_prefix.data(
        )[static_cast<std::ptrdiff_t>(m_prefix.data_offset()) + m_offsets(batch)];
    }

    CTP m_prefix;
    shape_type m_shape;
    row_offsets m_offsets;
    std::size_t m_queries;
    std::size_t m_keys;
    std::ptrdiff_t m_offset;
};

/// Fails to compile, with one sentence, unless P holds integers.
template <class P>
consteval bool require_prefix() {
    constexpr bool integers = holds_integers<P>();
    static_assert(
        integers,
        "xmask: a prefix is an integer, or integers, one for each of a batch: a tensor of them, a "
        "standard container, or a list."
    );
    return integers;
}
} // namespace detail

/// Keeps key j for query i where j <= i + offset or j < prefix: every query sees the whole prefix,
/// and beyond it is causal.
///
///     auto m = xmask::keep_prefix(3, 3, 2);
///     // 1 1 0
///     // 1 1 0
///     // 1 1 1
///
/// @param q number of queries.
/// @param k number of keys, the columns.
/// @param prefix number of keys in the prefix, 0 to k: an integer, or integers of any rank, one for
/// each text of a batch: a tensor, lazy expression or standard container. An lvalue is held by
/// reference.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k), or prefix.shape + (q, k).
/// @throws std::out_of_range for a prefix below 0 or beyond k, with its value and position.
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
template <class P>
auto keep_prefix(std::size_t q, std::size_t k, P&& prefix, std::ptrdiff_t offset = 0) {
    if constexpr (detail::prefix_number<std::decay_t<P>>) {
        detail::require_prefix_within(prefix, k);
        const detail::prefix_pattern pattern{static_cast<std::size_t>(prefix), offset};
        return detail::make_pattern("keep_prefix", q, k, pattern);
    } else if constexpr (detail::require_prefix<P>()) {
        using rule = detail::prefix_rule<detail::held_t<P>>;
        return mask(rule(q, k, detail::hold(std::forward<P>(prefix)), offset));
    } else {
        return detail::refused_mask();
    }
}

/// Keeps key j for query i of text b where j <= i + offset or j < prefix[b].
///
///     auto m = xmask::keep_prefix(1, 3, {1, 2});
///     // 1 0 0
///     // 1 1 0
///
/// @param q number of queries.
/// @param k number of keys, the columns.
/// @param prefix a list of the number of keys in each text's prefix, 0 to k.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (prefix.size(), q, k).
/// @throws std::out_of_range for a prefix below 0 or beyond k, with its value and position.
///
/// Cost: memory for the list; a row is one range, and a word costs a shift.
template <detail::arithmetic T>
auto keep_prefix(
    std::size_t q, std::size_t k, std::initializer_list<T> prefix, std::ptrdiff_t offset = 0
) {
    return keep_prefix(q, k, detail::hold(prefix), offset);
}
} // namespace xmask::inline XMASK_ABI
