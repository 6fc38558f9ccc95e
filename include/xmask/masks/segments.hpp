// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "computed_rule.hpp"

/// @file
/// Masks of attention within segments: several sequences packed into one.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The keys of a query's segment: one range, or those columns of it whose id is that of the first.
template <class T>
class segment_cursor {
public:
    segment_cursor(column_range range, const T* keys) noexcept : m_range(range), m_keys(keys) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const word_t bits = range_word(m_range, c);
        if (m_keys == nullptr || bits == 0) [[likely]] {
            return bits;
        }
        // Columns past the range may lie past the row.
        return c + word_columns <= m_range.end ? equal(c, whole_word()) : equal(c, m_range.end - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_keys == nullptr ? stretch_of(m_range, c) : stretch_within(m_range, c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t equal(std::size_t c, Count count) const noexcept {
        const T id = m_keys[m_range.begin];
        if constexpr (has_lanes<T>) {
            const auto ids = lanes<T>(id);
            return word_of_registers<T>(
                memory_block<T>(m_keys + c), count,
                [&](const lanes<T>& keys) XMASK_INLINE_LAMBDA { return keys == ids; }
            );
        } else {
            return word_of(count, [&](std::size_t k) { return m_keys[c + k] == id; });
        }
    }

    column_range m_range;
    const T* m_keys; // null where the range is the segment
};

/// The keys of one id.
template <class T>
struct segment {
    T id;
    column_range range; ///< from the first key to past the last
    bool mixed;         ///< other ids lie between them
};

/// The segments of one row of ids, ordered by id.
template <class T>
void find_segments(const T* ids, std::size_t n, std::vector<segment<T>>& segments) {
    segments.clear();
    for (std::size_t c = 0; c < n;) {
        const std::size_t begin = c;
        for (++c; c < n && ids[c] == ids[begin]; ++c) {}
        segments.push_back({ids[begin], {begin, c}, false});
    }
    const auto before = [](const segment<T>& a, const segment<T>& b) {
        return a.id < b.id || (a.id == b.id && a.range.begin < b.range.begin);
    };
    if (!std::is_sorted(segments.begin(), segments.end(), before)) {
        std::sort(segments.begin(), segments.end(), before);
    }
    std::size_t count = 0;
    for (const segment<T>& next : segments) {
        if (count != 0 && segments[count - 1].id == next.id) {
            segments[count - 1].range.end = next.range.end;
            segments[count - 1].mixed = true;
            continue;
        }
        segments[count++] = next;
    }
    segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(count), segments.end());
}

/// The segments of all queries, found on construction, so that a row costs one look. The ids are
/// copied: the ranges must not become those of other ids.
template <class T>
class segment_rows {
    struct found {
        column_range range;
        std::size_t keys; ///< where the row's ids begin in m_keys, or `whole`
    };

    static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

public:
    template <class Q, class K>
    segment_rows(const Q& q_segments, const K& k_segments) {
        const std::size_t q = columns_of(q_segments.shape());
        const std::size_t k = columns_of(k_segments.shape());
        std::vector<T> keys(
            k_segments.template begin<xt::layout_type::row_major>(),
            k_segments.template end<xt::layout_type::row_major>()
        );
        m_found.reserve(q_segments.size());
        std::vector<segment<T>> segments;
        bool mixed = false;
        auto id = q_segments.template begin<xt::layout_type::row_major>();
        for (std::size_t batch = 0; m_found.size() < q_segments.size(); ++batch) {
            find_segments(keys.data() + batch * k, k, segments);
            for (std::size_t i = 0; i < q; ++i, ++id) {
                m_found.push_back(find(segments, *id, batch * k));
                mixed |= m_found.back().keys != whole;
            }
        }
        if (mixed) {
            m_keys = std::move(keys);
        }
    }

    [[nodiscard]] XMASK_INLINE segment_cursor<T> operator()(std::size_t r) const noexcept {
        const found& at = m_found[r];
        return segment_cursor<T>(at.range, at.keys == whole ? nullptr : m_keys.data() + at.keys);
    }

private:
    /// Compares ids of any two types by value.
    template <class I>
    static found find(const std::vector<segment<T>>& segments, I id, std::size_t keys) {
        const auto at =
            std::partition_point(segments.begin(), segments.end(), [&](const segment<T>& s) {
                return std::cmp_less(+s.id, +id);
            });
        if (at == segments.end() || !std::cmp_equal(+at->id, +id)) {
            return {{}, whole};
        }
        return {at->range, at->mixed ? keys : whole};
    }

    std::vector<found> m_found;
    std::vector<T> m_keys;
};

/// Fails to compile, with one sentence, unless Q and K hold integers.
template <class Q, class K>
consteval bool require_segments() {
    constexpr bool integers = holds_integers<Q>() && holds_integers<K>();
    static_assert(
        integers,
        "xmask: segments are integers, one for each query and each key: tensors of them, standard "
        "containers, or lists."
    );
    return integers;
}

template <class Q, class K>
auto make_segments(const Q& q_segments, const K& k_segments) {
    const auto& a = q_segments.shape();
    const auto& b = k_segments.shape();
    if (a.size() == 0 || a.size() != b.size() || !std::equal(a.begin(), a.end() - 1, b.begin()))
        [[unlikely]] {
        throw_invalid(
            "keep_same_segment", "q_segments has shape ", tuple_text(a),
            " and k_segments has shape ", tuple_text(b),
            "; expected (..., q) and (..., k), equal but for the last axis"
        );
    }
    return mask(computed_rule(
        "keep_same_segment", append_axis(a, columns_of(b)),
        segment_rows<std::remove_cv_t<value_type_t<K>>>(q_segments, k_segments)
    ));
}
} // namespace detail

/// Keeps the keys whose segment is the query's: attention within each of several sequences packed
/// into one.
///
/// The ids are looked at and copied here: the mask does not follow a tensor that changes later.
///
///     auto m = xmask::keep_same_segment({0, 0, 1}, {0, 0, 1}) && xmask::keep_causal(3, 3);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
///
/// @param q_segments integer ids of shape (..., q): a tensor, lazy expression or standard
/// container.
/// @param k_segments integer ids of shape (..., k), of any integer type.
/// @returns a mask of shape (..., q, k).
/// @throws std::invalid_argument where the shapes differ in more than the last axis.
///
/// Cost: memory for one range a query. Where the keys of a segment lie side by side, as in sorted
/// ids, a row is that range, and a word costs two shifts; otherwise a word compares the ids between
/// the segment's first and last key.
template <class Q, class K>
auto keep_same_segment(const Q& q_segments, const K& k_segments) {
    if constexpr (detail::require_segments<Q, K>()) {
        const auto& queries = detail::hold(q_segments);
        const auto& keys = detail::hold(k_segments);
        return detail::make_segments(queries, keys);
    } else {
        return detail::refused_mask();
    }
}

/// Keeps the keys whose segment is the query's, for ids in lists.
///
///     auto m = xmask::keep_same_segment({7, 7, 8}, {7, 8});
///     // 1 0
///     // 1 0
///     // 0 1
///
/// @param q_segments a list of q integer ids.
/// @param k_segments a list of k integer ids.
/// @returns a mask of shape (q, k).
///
/// Cost: memory for one range a query. Where the keys of a segment lie side by side a word costs
/// two shifts; otherwise it compares the ids between the segment's first and last key.
template <detail::arithmetic T, detail::arithmetic U>
auto keep_same_segment(std::initializer_list<T> q_segments, std::initializer_list<U> k_segments) {
    return keep_same_segment(detail::hold(q_segments), detail::hold(k_segments));
}
} // namespace xmask::inline XMASK_ABI
