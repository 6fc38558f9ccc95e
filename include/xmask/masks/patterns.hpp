// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/block.hpp"
#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/range_cursor.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"

/// @file
/// Masks of attention, whose rows are queries and whose columns are keys: causal, windows,
/// prefixes, segments, chunks; and the mask of any function of the indices.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Farther than any row or column; an offset that is added to a column never needs to be more.
inline constexpr std::size_t far_away = std::numeric_limits<std::size_t>::max() / 4 + 1;

/// offset + count, at most far_away from 0.
[[nodiscard]] constexpr std::ptrdiff_t add_far(std::ptrdiff_t offset, std::size_t count) noexcept {
    const auto value = static_cast<std::size_t>(offset);
    if (offset < 0 && count < 0 - value) {
        return -static_cast<std::ptrdiff_t>(std::min(0 - value - count, far_away));
    }
    const std::size_t sum =
        offset < 0 ? value + count : std::min(value, far_away) + std::min(count, far_away);
    return static_cast<std::ptrdiff_t>(std::min(sum, far_away));
}

/// offset - count. ~x is -x - 1, which no x overflows.
[[nodiscard]] constexpr std::ptrdiff_t subtract_far(
    std::ptrdiff_t offset, std::size_t count
) noexcept {
    return ~add_far(~offset, count);
}

/// i + offset, or 0 where that lies before the first key.
[[nodiscard]] constexpr std::size_t moved_by(std::size_t i, std::ptrdiff_t offset) noexcept {
    const auto by = static_cast<std::size_t>(offset);
    return offset < 0 ? i - std::min(i, 0 - by) : i + by;
}

/// Keys [i + begin, i + end) of query i.
class window_pattern {
public:
    constexpr window_pattern(std::ptrdiff_t begin, std::ptrdiff_t end) noexcept
        : m_begin(begin), m_end(end) {}

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {std::min(moved_by(i, m_begin), n), std::min(moved_by(i, m_end), n)};
    }

private:
    std::ptrdiff_t m_begin;
    std::ptrdiff_t m_end;
};

/// Causal, or before the prefix.
class prefix_pattern {
public:
    constexpr prefix_pattern(std::size_t prefix, std::ptrdiff_t offset) noexcept
        : m_prefix(prefix), m_offset(offset) {}

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {0, std::min(std::max(moved_by(i + 1, m_offset), m_prefix), n)};
    }

private:
    std::size_t m_prefix;
    std::ptrdiff_t m_offset;
};

/// Causal within chunks.
class chunk_pattern {
public:
    constexpr chunk_pattern(std::size_t chunk, std::ptrdiff_t offset) noexcept
        : m_chunk(chunk), m_offset(offset) {}

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        // Before the first key there are no chunks.
        const std::size_t end = moved_by(i + 1, m_offset);
        return {std::min(end - (end == 0 ? 0 : (end - 1) % m_chunk + 1), n), std::min(end, n)};
    }

private:
    std::size_t m_chunk;
    std::ptrdiff_t m_offset;
};

/// A query's row is one range, which Pattern knows.
template <class Pattern>
class pattern_rule {
public:
    using shape_type = std::array<std::size_t, 2>;

    pattern_rule(const char* name, std::size_t q, std::size_t k, Pattern pattern) noexcept
        : m_shape{q, k}, m_pattern(pattern), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        return range_cursor(m_pattern(r, m_shape[1]));
    }

private:
    shape_type m_shape;
    Pattern m_pattern;
    const char* m_name;
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

/// A prefix for each of a batch.
template <class CTP>
class prefix_rule {
    using table = std::decay_t<CTP>;

public:
    using shape_type = typename one_more_axis<
        typename one_more_axis<typename table::inner_shape_type>::type>::type;

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

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_prefix)); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t batch = r / m_queries;
        const prefix_pattern pattern(clamped(at(batch), m_keys), m_offset);
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

/// A query's keys of the same segment: one range, or those columns of it whose id is that of its
/// first.
template <class T>
class segment_cursor {
public:
    segment_cursor(column_range range, const T* keys) noexcept : m_range(range), m_keys(keys) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const word_t bits = range_word(m_range, c);
        if (m_keys == nullptr || bits == 0) [[likely]] {
            return bits;
        }
        // What lies past the range may be past the row.
        return c + word_columns <= m_range.end ? equal(c, whole_word()) : equal(c, m_range.end - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_keys == nullptr ? stretch_of(m_range, c) : stretch_within(m_range, c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t equal(std::size_t c, Count count) const noexcept {
        const T id = m_keys[m_range.begin];
        word_t bits = 0;
        if constexpr (has_lanes<T>) {
            const memory_block<T> block(m_keys + c);
            const auto ids = lanes<T>(id);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                bits |= bits_from_mask(load_register<full>(block, k, count - k) == ids) << k;
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                bits |= word_t(m_keys[c + k] == id) << k;
            }
        }
        return bits & first_bits(count);
    }

    column_range m_range;
    const T* m_keys;
};

/// Keys of one id: from the first to past the last, and whether other ids lie between them.
template <class T>
struct segment {
    T id;
    column_range range;
    bool mixed;
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

/// Found once for each query, so that a row costs one look. The ids are copied: ranges that were
/// found must not be those of other ids.
template <class S, class T>
class segment_rule {
    /// keys is where the ids of a mixed segment's row begin.
    struct found {
        column_range range;
        std::size_t keys;
    };

    static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

public:
    using shape_type = S;

    static constexpr const char* name = "keep_same_segment";

    template <class Q, class K>
    segment_rule(const Q& q_segments, const K& k_segments)
        : m_shape(append_axis(q_segments.shape(), columns_of(k_segments.shape()))) {
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

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE segment_cursor<T> row(std::size_t r) const noexcept {
        const found& at = m_found[r];
        return segment_cursor<T>(at.range, at.keys == whole ? nullptr : m_keys.data() + at.keys);
    }

private:
    /// Ids are compared by value, whatever their two types.
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

    shape_type m_shape;
    std::vector<found> m_found;
    std::vector<T> m_keys;
};

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
    using shape = typename one_more_axis<typename Q::inner_shape_type>::type;
    return mask(segment_rule<shape, std::remove_cv_t<value_type_t<K>>>(q_segments, k_segments));
}

/// Keys begin, begin + step, ... before end.
class dilated_cursor {
public:
    /// comb: bits 0, step, 2 * step, ... of a word.
    dilated_cursor(column_range range, std::size_t step, word_t comb) noexcept
        : m_range(range), m_step(step), m_comb(comb) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        // How far the next key, kept or not, lies ahead.
        const std::size_t past = c > m_range.begin ? (c - m_range.begin) % m_step : 0;
        const std::size_t ahead = c < m_range.begin ? m_range.begin - c
                                  : past == 0       ? 0
                                                    : m_step - past;
        const word_t bits = ahead < word_columns ? m_comb << ahead : 0;
        return bits & first_bits(std::max(m_range.end, c) - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_step == 1 || m_range.size() == 1 ? stretch_of(m_range, c)
                                                  : stretch_within(m_range, c);
    }

private:
    column_range m_range;
    std::size_t m_step;
    word_t m_comb;
};

class dilated_rule {
public:
    using shape_type = std::array<std::size_t, 2>;

    static constexpr const char* name = "keep_dilated";

    dilated_rule(
        std::size_t q, std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset
    )
        : m_shape{q, k}, m_left(left), m_step(step), m_offset(offset) {
        if (step == 0) [[unlikely]] {
            throw_invalid("keep_dilated", "step 0; expected 1 or more");
        }
        for (std::size_t bit = 0; bit < word_columns; bit += std::min(step, word_columns)) {
            m_comb |= word_t(1) << bit;
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE dilated_cursor row(std::size_t i) const noexcept {
        const std::size_t n = m_shape[1];
        const std::size_t past = moved_by(i + 1, m_offset);
        if (past == 0) {
            return dilated_cursor({0, 0}, m_step, m_comb);
        }
        const std::size_t last = past - 1;
        const std::size_t begin = last - std::min(m_left, last / m_step) * m_step;
        if (begin >= n) {
            return dilated_cursor({n, n}, m_step, m_comb);
        }
        const std::size_t end = last < n ? past : n - (n - 1 - begin) % m_step;
        return dilated_cursor({begin, end}, m_step, m_comb);
    }

private:
    shape_type m_shape;
    std::size_t m_left;
    std::size_t m_step;
    std::ptrdiff_t m_offset;
    word_t m_comb = 0;
};

/// Whether F answers for the indices of a shape of type S.
template <class F, class S>
struct takes_indices : std::is_invocable_r<bool, const F&, const S&> {};

template <class F, std::size_t N>
struct takes_indices<F, std::array<std::size_t, N>> {
    static constexpr bool value = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::is_invocable_r_v<bool, const F&, decltype(I)...>;
    }(std::make_index_sequence<N>());
};

template <class F, class S>
consteval bool require_indices() {
    constexpr bool takes = takes_indices<F, S>::value;
    static_assert(
        takes,
        "xmask: keep_if calls f(i, j, ...) with one std::size_t for each axis of the shape, and f "
        "returns bool; where the number of axes is known at run time only, f takes one container of "
        "indices."
    );
    return takes;
}

/// One row of a function: the indices of its leading axes are known, the last one runs.
template <class F, class S>
class function_cursor {
public:
    function_cursor(const F& f, S index, std::size_t n)
        : m_function(&f), m_index(std::move(index)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return c + word_columns <= m_columns ? ask(c, whole_word()) : ask(c, m_columns - c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t ask(std::size_t c, Count count) const {
        // Answers first, bits then: a compiler may ask for many columns at a time.
        S index = m_index;
        std::array<bool, word_columns> answers;
        for (std::size_t k = 0; k < count; ++k) {
            answers[k] = call(index, c + k);
        }
        const memory_block<bool> block(answers.data());
        word_t bits = 0;
        for_each_register<bool>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            const auto x = load_register<full>(block, k, count - k);
            bits |= bits_from_mask(x != lanes<bool>(0)) << k;
        });
        return bits & first_bits(count);
    }

    XMASK_INLINE bool call(S& index, std::size_t c) const {
        // A shape of rank 0 is one row of one column, and has no index.
        if (index.size() != 0) {
            index[index.size() - 1] = c;
        }
        if constexpr (requires { std::tuple_size<S>::value; }) {
            return static_cast<bool>(std::apply(*m_function, std::as_const(index)));
        } else {
            return static_cast<bool>((*m_function)(std::as_const(index)));
        }
    }

    const F* m_function;
    S m_index;
    std::size_t m_columns;
};

template <class S, class F>
class function_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_if";

    template <class G>
    function_rule(S shape, G&& f) : m_shape(std::move(shape)), m_function(std::forward<G>(f)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    /// A function that captures something may look at anything.
    [[nodiscard]] auto sources() const noexcept
        requires std::is_empty_v<F>
    {
        return std::tuple<>();
    }

    [[nodiscard]] auto row(std::size_t r) const {
        S index = m_shape;
        for (std::size_t axis = index.size(); axis-- > 1;) {
            index[axis - 1] = r % m_shape[axis - 1];
            r /= m_shape[axis - 1];
        }
        return function_cursor<F, S>(m_function, std::move(index), columns_of(m_shape));
    }

private:
    S m_shape;
    F m_function;
};

template <class S, class F>
auto make_function(S shape, F&& f) {
    if constexpr (require_indices<std::decay_t<F>, S>()) {
        return mask(function_rule<S, std::decay_t<F>>(std::move(shape), std::forward<F>(f)));
    }
}
} // namespace detail

/// Keeps key j for query i where j <= i + offset: no query sees what comes after it.
///
/// The mask's shape is (q, k). With offset 0 the first query sees the first key only, as with
/// PyTorch's is_causal; with k - q, the number of earlier keys in a cache, the last query sees all
/// keys, as in FlashAttention. Both have a name: keep_causal_top_left, keep_causal_bottom_right.
/// Nothing is stored; a row is one range, and a word costs a shift.
///
///     auto m = xmask::keep_causal(2, 3, 1);
///     // 1 1 0
///     // 1 1 1
inline auto keep_causal(std::size_t q, std::size_t k, std::ptrdiff_t offset = 0) {
    const auto begin = -static_cast<std::ptrdiff_t>(detail::far_away);
    const detail::window_pattern pattern(begin, detail::add_far(offset, 1));
    return mask(detail::pattern_rule("keep_causal", q, k, pattern));
}

/// keep_causal(q, k, 0): query i sees keys 0 to i.
///
///     auto m = xmask::keep_causal_top_left(2, 4);
///     // 1 0 0 0
///     // 1 1 0 0
inline auto keep_causal_top_left(std::size_t q, std::size_t k) { return keep_causal(q, k, 0); }

/// keep_causal(q, k, k - q): the queries are the last q of k tokens, as with a cache of keys and
/// values. Where there are more queries than keys, the first of them see nothing.
///
///     auto m = xmask::keep_causal_bottom_right(2, 4);
///     // 1 1 1 0
///     // 1 1 1 1
inline auto keep_causal_bottom_right(std::size_t q, std::size_t k) {
    return keep_causal(q, k, static_cast<std::ptrdiff_t>(k) - static_cast<std::ptrdiff_t>(q));
}

/// Keeps keys i + offset - left to i + offset + right, both included, for query i: attention in a
/// sliding window.
///
/// The mask's shape is (q, k). A window of 0 and 0 is one key; a count beyond the keys sets no
/// limit. FlashAttention's window_size of (left, right) is this with an offset of k - q. Nothing is
/// stored; a row is one range, and a word costs two shifts.
///
///     auto m = xmask::keep_window(3, 4, 1, 0);
///     // 1 0 0 0
///     // 1 1 0 0
///     // 0 1 1 0
inline auto keep_window(
    std::size_t q, std::size_t k, std::size_t left, std::size_t right, std::ptrdiff_t offset = 0
) {
    const auto begin = detail::subtract_far(offset, left);
    const auto end = detail::add_far(detail::add_far(offset, right), 1);
    return mask(detail::pattern_rule("keep_window", q, k, detail::window_pattern(begin, end)));
}

/// Keeps key j for query i where j <= i + offset or j < prefix: every query sees the whole prefix,
/// and beyond it is causal.
///
/// prefix: an integer, for a mask of shape (q, k); or integers of any rank, a tensor, lazy
/// expression, standard container or list, for one of shape prefix.shape + [q, k]. A tensor is held
/// by reference if it is an lvalue. offset: how many keys lie before the first query, k - q with a
/// cache of keys and values, as in keep_causal. Throws std::out_of_range, naming the value and its
/// position, for a prefix below 0 or beyond k. A row is one range, and a word costs a shift.
///
///     auto m = xmask::keep_prefix(3, 3, 2);
///     // 1 1 0
///     // 1 1 0
///     // 1 1 1
template <class P>
auto keep_prefix(std::size_t q, std::size_t k, P&& prefix, std::ptrdiff_t offset = 0) {
    if constexpr (detail::prefix_number<std::decay_t<P>>) {
        detail::require_prefix_within(prefix, k);
        const detail::prefix_pattern pattern(static_cast<std::size_t>(prefix), offset);
        return mask(detail::pattern_rule("keep_prefix", q, k, pattern));
    } else if constexpr (detail::require_prefix<P>()) {
        using rule = detail::prefix_rule<detail::held_t<P>>;
        return mask(rule(q, k, detail::hold(std::forward<P>(prefix)), offset));
    }
}

template <std::integral T>
auto keep_prefix(
    std::size_t q, std::size_t k, std::initializer_list<T> prefix, std::ptrdiff_t offset = 0
) {
    return keep_prefix(q, k, detail::hold(prefix), offset);
}

/// Keeps the keys whose segment is the query's: attention within each of several sequences packed
/// into one.
///
/// q_segments, k_segments: integer ids of shapes (..., q) and (..., k), tensors, lazy expressions,
/// standard containers or lists, whose types may differ. The mask's shape is (..., q, k). The ids
/// are looked at and copied here; the mask does not follow a tensor that changes later. Throws
/// std::invalid_argument where the shapes differ in more than the last axis. Memory for one range a
/// query. Where the keys of a segment lie side by side, as in sorted ids, a row is that range, and
/// a word costs two shifts; otherwise it compares the ids between the segment's first and last key.
///
///     auto m = xmask::keep_same_segment({0, 0, 1}, {0, 0, 1}) && xmask::keep_causal(3, 3);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
template <class Q, class K>
auto keep_same_segment(const Q& q_segments, const K& k_segments) {
    if constexpr (detail::require_segments<Q, K>()) {
        const auto& queries = detail::hold(q_segments);
        const auto& keys = detail::hold(k_segments);
        return detail::make_segments(queries, keys);
    }
}

template <std::integral T, std::integral U>
auto keep_same_segment(std::initializer_list<T> q_segments, std::initializer_list<U> k_segments) {
    return keep_same_segment(detail::hold(q_segments), detail::hold(k_segments));
}

/// Keeps key j for query i, which stands at position p = i + offset, where j <= p and both are in
/// the same chunk of `chunk` tokens: causal within chunks.
///
/// The mask's shape is (q, k). offset is that of keep_causal: k - q with a cache of keys and
/// values. A query before the first key sees nothing. Throws std::invalid_argument for a chunk of
/// 0. Nothing is stored; a row is one range, which costs a division, and a word costs two shifts.
///
///     auto m = xmask::keep_chunked(3, 3, 2);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
inline auto keep_chunked(
    std::size_t q, std::size_t k, std::size_t chunk, std::ptrdiff_t offset = 0
) {
    if (chunk == 0) [[unlikely]] {
        detail::throw_invalid("keep_chunked", "chunk 0; expected 1 or more");
    }
    return mask(detail::pattern_rule("keep_chunked", q, k, detail::chunk_pattern(chunk, offset)));
}

/// Keeps keys p, p - step, p - 2 * step, ... down to p - left * step for query i, which stands at
/// position p = i + offset: a dilated window.
///
/// The mask's shape is (q, k). offset is that of keep_causal: k - q with a cache of keys and
/// values. A query before the first key sees nothing. Throws std::invalid_argument for a step of 0.
/// Nothing is stored; a word costs a division and two shifts.
///
///     auto m = xmask::keep_dilated(4, 4, 1, 2);
///     // 1 0 0 0
///     // 0 1 0 0
///     // 1 0 1 0
///     // 0 1 0 1
inline auto keep_dilated(
    std::size_t q, std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset = 0
) {
    return mask(detail::dilated_rule(q, k, left, step, offset));
}

/// Keeps the elements for whose indices f is true.
///
/// shape: a number (one axis), a list, or a shape. f(i, j, ...) takes a std::size_t for each axis
/// and returns bool; for a shape whose number of axes is known at run time only, as that of an
/// xt::xarray, f(index) takes one container of indices. f is copied or moved in. It may be called
/// in any order, any number of times, by several threads at once. Every element costs a call;
/// nothing is stored.
///
///     auto m = xmask::keep_if({2, 3}, [](std::size_t i, std::size_t j) { return (i + j) % 2 == 0; });
///     // 1 0 1
///     // 0 1 0
template <class S, class F>
auto keep_if(const S& shape, F&& f) {
    return detail::make_function(detail::to_shape("keep_if", shape), std::forward<F>(f));
}

template <std::size_t N, class F>
auto keep_if(const std::size_t (&shape)[N], F&& f) {
    return detail::make_function(std::to_array(shape), std::forward<F>(f));
}
} // namespace xmask::inline XMASK_ABI
