// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "cursor.hpp"
#include "mask.hpp"
#include "mask_rows.hpp"
#include "overlap.hpp"
#include "range_cursor.hpp"
#include "shape.hpp"

/// @file
/// The operators of masks: && || ! ^, and & | ~. mask.hpp includes them, so that no header gives a
/// mask without: xtensor's own would be taken in their place.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The shape type of two masks broadcast together; the rank stays known where both are.
template <class S, class T>
struct broadcast_shape_type {
    using type = any_shape;
};

template <class T, std::size_t M, class U, std::size_t N>
struct broadcast_shape_type<std::array<T, M>, std::array<U, N>> {
    using type = std::array<std::size_t, std::max(M, N)>;
};

template <class S, class T>
auto broadcast_together(const char* name, const S& a, const T& b) {
    const std::size_t rank = std::max<std::size_t>(a.size(), b.size());
    auto shape = xt::uninitialized_shape<typename broadcast_shape_type<S, T>::type>(rank);
    for (std::size_t axis = 0; axis < rank; ++axis) {
        const auto m =
            axis + a.size() < rank ? 1 : static_cast<std::size_t>(a[axis + a.size() - rank]);
        const auto n =
            axis + b.size() < rank ? 1 : static_cast<std::size_t>(b[axis + b.size() - rank]);
        shape[axis] = m == 1 ? n : m;
    }
    if (!broadcasts_to(a, shape) || !broadcasts_to(b, shape)) [[unlikely]] {
        throw_invalid(
            name, "masks of shapes ", tuple_text(a), " and ", tuple_text(b),
            " do not broadcast together; align the last axes, and give each axis one extent or 1"
        );
    }
    return shape;
}

/// Where an element stands, one number for each axis.
using element_index = std::vector<std::size_t>;

/// The index of the element of shape `from` that is broadcast to an index.
template <class S>
element_index broadcast_index(const element_index& index, const S& from) {
    element_index there(from.size());
    for (std::size_t axis = 0; axis < there.size(); ++axis) {
        there[axis] = from[axis] == 1 ? 0 : index[axis + index.size() - there.size()];
    }
    return there;
}

/// What a combination of two rows keeps, as bits (of a word, or of a register) and as a range.
struct both {
    static constexpr const char* name = "operator&&";
    static constexpr bool any_term_decides = true;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a & b;
    }

    static constexpr bool kept(bool a, bool b) noexcept { return a && b; }

    static constexpr column_range extent(column_range a, column_range b) noexcept {
        return intersection(a, b);
    }

    static constexpr column_range solid(column_range a, column_range b) noexcept {
        return intersection(a, b);
    }

    /// What of one decides alone.
    static constexpr auto deciding = column_stretch::kind::dropped;
};

struct either {
    static constexpr const char* name = "operator||";
    static constexpr bool any_term_decides = true;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a | b;
    }

    static constexpr bool kept(bool a, bool b) noexcept { return a || b; }

    static constexpr column_range extent(column_range a, column_range b) noexcept {
        return hull(a, b);
    }

    static constexpr column_range solid(column_range a, column_range b) noexcept {
        return a.size() < b.size() ? b : a;
    }

    static constexpr auto deciding = column_stretch::kind::kept;
};

struct one_of {
    static constexpr const char* name = "operator^";
    static constexpr bool any_term_decides = false;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a ^ b;
    }

    static constexpr bool kept(bool a, bool b) noexcept { return a != b; }

    static constexpr column_range extent(column_range a, column_range b) noexcept {
        return hull(a, b);
    }

    static constexpr column_range solid(column_range /*a*/, column_range /*b*/) noexcept {
        return {};
    }

    // Neither decides without the other.
    static constexpr auto deciding = column_stretch::kind::unknown;
};

/// What is known of two rows' combination where something is known of both.
template <class How>
constexpr column_stretch combined(column_stretch a, column_stretch b) noexcept {
    using kind = column_stretch::kind;
    const std::size_t end = std::min(a.end, b.end);
    if constexpr (How::deciding != kind::unknown) {
        if (a.what == How::deciding || b.what == How::deciding) {
            const bool both = a.what == b.what;
            return {
                both                      ? std::max(a.end, b.end)
                : a.what == How::deciding ? a.end
                                          : b.end,
                How::deciding
            };
        }
    }
    if (a.what == kind::unknown || b.what == kind::unknown) {
        return {end, kind::unknown};
    }
    return {
        end, How::kept(a.what == kind::kept, b.what == kind::kept) ? kind::kept : kind::dropped
    };
}

template <class How, row_cursor A, row_cursor B>
class pair_cursor {
public:
    pair_cursor(A a, B b) : m_a(std::move(a)), m_b(std::move(b)) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return How::word(m_a.word(c), m_b.word(c));
    }

    [[nodiscard]] bool kept(std::size_t c) const {
        return How::kept(detail::kept(m_a, c), detail::kept(m_b, c));
    }

    [[nodiscard]] column_range extent() const { return How::extent(m_a.extent(), m_b.extent()); }

    [[nodiscard]] column_range solid() const {
        return How::solid(detail::solid(m_a), detail::solid(m_b));
    }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const A& a, const B& b) { a.has_lanes(), b.has_lanes(); }
    {
        return m_a.has_lanes() && m_b.has_lanes();
    }

    template <class T>
        requires(lane_cursor<A, T> && lane_cursor<B, T>)
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return How::word(m_a.template lanes<T>(c), m_b.template lanes<T>(c));
    }

    [[nodiscard]] column_stretch stretch(std::size_t c) const {
        return combined<How>(detail::stretch(m_a, c), detail::stretch(m_b, c));
    }

private:
    A m_a;
    B m_b;
};

template <class How, class RowsA, class RowsB>
class pair_rows {
public:
    pair_rows(RowsA a, RowsB b) : m_a(std::move(a)), m_b(std::move(b)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return pair_cursor<How, typename RowsA::cursor, typename RowsB::cursor>(
            m_a.row(r), m_b.row(r)
        );
    }

    [[nodiscard]] bool one_row() const noexcept { return m_a.one_row() && m_b.one_row(); }

    [[nodiscard]] flat_form form() const noexcept { return std::min(m_a.form(), m_b.form()); }

    XMASK_INLINE auto flat() const {
        return pair_cursor<How, decltype(m_a.flat()), decltype(m_b.flat())>(m_a.flat(), m_b.flat());
    }

private:
    RowsA m_a;
    RowsB m_b;
};

template <class How, class CTA, class CTB>
class pair_rule {
    using mask_a = std::decay_t<CTA>;
    using mask_b = std::decay_t<CTB>;

public:
    using shape_type = typename broadcast_shape_type<
        typename mask_a::inner_shape_type, typename mask_b::inner_shape_type>::type;

    static constexpr const char* name = How::name;
    static constexpr bool any_term_decides = How::any_term_decides;

    template <class A, class B>
    pair_rule(A&& a, B&& b)
        : m_a(std::forward<A>(a))
        , m_b(std::forward<B>(b))
        , m_shape(broadcast_together(How::name, m_a.shape(), m_b.shape())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_a), read_in_place(m_b));
    }

    [[nodiscard]] auto rows() const {
        using rows_a = mask_rows<mask_a>;
        using rows_b = mask_rows<mask_b>;
        return pair_rows<How, rows_a, rows_b>(rows_a(m_a, m_shape), rows_b(m_b, m_shape));
    }

    template <class F>
    void for_each_term(const element_index& index, F&& f) const {
        f(m_a, broadcast_index(index, m_a.shape()));
        f(m_b, broadcast_index(index, m_b.shape()));
    }

private:
    CTA m_a;
    CTB m_b;
    shape_type m_shape;
};

template <class How, class A, class B>
auto combine(A&& a, B&& b) {
    if constexpr (require_mask<A>() && require_mask<B>()) {
        using rule = pair_rule<How, closure_t<A>, closure_t<B>>;
        return mask(rule(std::forward<A>(a), std::forward<B>(b)));
    } else if constexpr (mask_expression<A>) {
        return std::forward<A>(a);
    } else {
        return std::forward<B>(b);
    }
}

template <row_cursor C>
class not_cursor {
public:
    not_cursor(C cursor, std::size_t n) : m_cursor(std::move(cursor)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return ~m_cursor.word(c) & first_bits(m_columns - c);
    }

    [[nodiscard]] bool kept(std::size_t c) const { return !detail::kept(m_cursor, c); }

    /// What is left of the row by a range at one of its ends in which all are dropped.
    [[nodiscard]] column_range extent() const {
        const column_range dropped = detail::solid(m_cursor);
        if (dropped.size() != 0 && dropped.begin == 0) {
            return {std::min(dropped.end, m_columns), m_columns};
        }
        return {0, dropped.size() != 0 && dropped.end >= m_columns ? dropped.begin : m_columns};
    }

    /// The longer of the two ranges around all that may be dropped.
    [[nodiscard]] column_range solid() const {
        const column_range dropped = m_cursor.extent();
        if (dropped.size() == 0) {
            return {0, m_columns};
        }
        const std::size_t end = std::min(dropped.end, m_columns);
        return dropped.begin > m_columns - end ? column_range{0, dropped.begin}
                                               : column_range{end, m_columns};
    }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const C& cursor) { cursor.has_lanes(); }
    {
        return m_cursor.has_lanes();
    }

    template <class T>
        requires lane_cursor<C, T>
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return !m_cursor.template lanes<T>(c);
    }

    [[nodiscard]] column_stretch stretch(std::size_t c) const {
        using kind = column_stretch::kind;
        const auto [end, what] = detail::stretch(m_cursor, c);
        return {
            end, what == kind::unknown ? what
                 : what == kind::kept  ? kind::dropped
                                       : kind::kept
        };
    }

private:
    C m_cursor;
    std::size_t m_columns;
};

template <class Rows>
class not_rows {
public:
    not_rows(Rows rows, std::size_t row_count, std::size_t n)
        : m_rows(std::move(rows)), m_row_count(row_count), m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return not_cursor<typename Rows::cursor>(m_rows.row(r), m_columns);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_rows.one_row(); }

    [[nodiscard]] flat_form form() const noexcept { return m_rows.form(); }

    XMASK_INLINE auto flat() const {
        return not_cursor<decltype(m_rows.flat())>(m_rows.flat(), m_row_count * m_columns);
    }

private:
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
};

template <class CTM>
class not_rule {
    using mask_type = std::decay_t<CTM>;

public:
    using shape_type = typename mask_type::inner_shape_type;

    template <class M>
    not_rule(const char* name, M&& m) : m_mask(std::forward<M>(m)), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept {
        return m_name == nullptr ? "operator!" : m_name;
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_mask.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_in_place(m_mask)); }

    [[nodiscard]] auto rows() const {
        using rows = mask_rows<mask_type>;
        return not_rows<rows>(rows(m_mask, shape()), rows_of(shape()), columns_of(shape()));
    }

    template <class F>
    void for_each_term(const element_index& index, F&& f) const {
        if (m_name == nullptr) {
            f(m_mask, index);
        }
    }

private:
    CTM m_mask;
    const char* m_name;
};

/// What a mask drops, under a name of its own; of a drop_ builder, that it is one that keeps turned
/// around is nobody's concern. Without a name it is operator!.
template <class M>
auto complement(const char* name, M&& m) {
    return mask(not_rule<closure_t<M>>(name, std::forward<M>(m)));
}
} // namespace detail

/// Keeps what both masks keep; & is the same. The masks broadcast together as NumPy does; std::invalid_argument
/// otherwise. A mask with a name is held by reference, as xtensor's expressions hold theirs: what a
/// function returns must not refer to its local masks (std::move them in).
///
///     auto m = xmask::keep_lengths({2, 3}, 4) && xmask::drop_indices({1}, 4);
///     // 1 0 0 0
///     // 1 0 1 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what either mask keeps; | is the same.
///
///     auto m = xmask::keep_lengths({1, 2}, 4) || xmask::keep_last({1, 0}, 4);
///     // 1 0 0 1
///     // 1 1 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator|(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what exactly one of the masks keeps.
///
///     auto m = xmask::keep_lengths({1, 2}, 4) ^ xmask::keep_indices({1}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator^(A&& a, B&& b) {
    return detail::combine<detail::one_of>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what the mask drops; ~ is the same.
///
///     auto m = !xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator!(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

template <class M>
    requires mask_expression<M>
auto operator~(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

/// Draws the mask, as to_string does; <xmask/masks/text.hpp> has it.
///
///     std::cout << xmask::keep_causal(2, 3);
///     // █··
///     // ██·
template <class Stream, class M>
    requires(mask_expression<M> && requires(Stream& out) { out.rdbuf()->pubsync(); })
Stream& operator<<(Stream& out, const M& m) {
    if constexpr (requires { to_string(m); }) {
        out << to_string(m);
    } else {
        constexpr bool has_text = !mask_expression<M>;
        static_assert(has_text, "xmask: to print a mask, include <xmask/masks/text.hpp>.");
    }
    return out;
}

// What does not say what it means fails to compile, with one sentence.

template <class A, class B>
    requires mask_expression<A>
A&& operator&=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept &= n. A lazy mask "
        "becomes a new one: auto both = m && n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator|=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept |= n. A lazy mask "
        "becomes a new one: auto both = m || n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator^=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept ^= n. A lazy mask "
        "becomes a new one: auto both = m ^ n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator+(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not added: m || n keeps what either keeps. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) || std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator-(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not subtracted: m && !n keeps what only the first keeps. As numbers, a mask is "
        "xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not multiplied: m && n keeps what both keep. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(expression<A> && expression<B> && mask_expression<A> != mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool times_mask = mask_expression<A> || mask_expression<B>;
    static_assert(
        !times_mask,
        "xmask: write xmask::multiply(x, m) for a tensor times a mask: what is dropped becomes 0, where NaN * 0 would "
        "be NaN. As numbers, the mask is xt::cast<float>(m)."
    );
    return xt::detail::make_xfunction<xt::detail::multiplies>(
        std::forward<A>(a), std::forward<B>(b)
    );
}

template <class M, class T>
    requires(mask_expression<M> && !expression<T>)
bool operator==(const M& /*m*/, const T& /*value*/) {
    constexpr bool is_mask = expression<T>;
    static_assert(
        is_mask,
        "xmask: a mask is not compared with a number. !m is its opposite, and xmask::all_kept(m) and "
        "xmask::any_kept(m) ask about the whole."
    );
    return is_mask;
}
} // namespace xmask::inline XMASK_ABI
