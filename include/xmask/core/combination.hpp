// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "attributes.hpp"
#include "cursor.hpp"
#include "error.hpp"
#include "mask_expression.hpp"
#include "mask_rows.hpp"
#include "overlap.hpp"
#include "shape.hpp"
#include "word.hpp"

/// @file
/// Masks from two masks, or from one by turning it around: what && || ! ^ make.

namespace xmask::inline XMASK_ABI::detail {
/// The shape type of two masks that are broadcast together. The rank is known at compile time where
/// both ranks are.
template <class S, class T>
using joint_shape = shape_of_rank<std::max(rank_in<S>, rank_in<T>)>;

/// The shape of two masks that are broadcast together. Throws std::invalid_argument where they do
/// not fit.
template <class S, class T>
auto broadcast_together(const char* name, const S& a, const T& b) {
    const std::size_t rank = std::max<std::size_t>(a.size(), b.size());
    auto shape = xt::uninitialized_shape<joint_shape<S, T>>(rank);
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

/// The index of an element, one number for each axis.
using element_index = std::vector<std::size_t>;

/// The index, in a tensor of shape `from`, of the element that is broadcast to `index`.
template <class S>
element_index broadcast_index(const element_index& index, const S& from) {
    element_index there(from.size());
    for (std::size_t axis = 0; axis < there.size(); ++axis) {
        there[axis] = from[axis] == 1 ? 0 : index[axis + index.size() - there.size()];
    }
    return there;
}

/// Keeps what both masks keep: how their bits combine, and which kind of stretch decides alone.
struct both {
    static constexpr const char* name = "operator&&";
    static constexpr auto deciding = stretch_kind::dropped;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a & b;
    }
};

/// Keeps what either mask keeps.
struct either {
    static constexpr const char* name = "operator||";
    static constexpr auto deciding = stretch_kind::kept;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a | b;
    }
};

/// Keeps what exactly one mask keeps.
struct one_of {
    static constexpr const char* name = "operator^";
    // No stretch decides alone.
    static constexpr auto deciding = stretch_kind::unknown;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a ^ b;
    }
};

/// The stretch of a combination, from the stretches of its two rows at the same column.
template <class How>
XMASK_INLINE constexpr stretch combined(stretch a, stretch b) noexcept {
    if constexpr (How::deciding != stretch_kind::unknown) {
        if (a.kind == How::deciding && b.kind == How::deciding) {
            return {std::max(a.end, b.end), How::deciding};
        }
        if (a.kind == How::deciding || b.kind == How::deciding) {
            return a.kind == How::deciding ? a : b;
        }
    }
    const std::size_t end = std::min(a.end, b.end);
    if (a.kind == stretch_kind::unknown || b.kind == stretch_kind::unknown) {
        return {end, stretch_kind::unknown};
    }
    const word_t kept =
        How::word(word_t(a.kind == stretch_kind::kept), word_t(b.kind == stretch_kind::kept));
    return {end, kept != 0 ? stretch_kind::kept : stretch_kind::dropped};
}

/// One row of a combination.
template <class How, row_cursor A, row_cursor B>
class pair_cursor {
public:
    pair_cursor(A a, B b) : m_a(std::move(a)), m_b(std::move(b)) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return How::word(m_a.word(c), m_b.word(c));
    }

    template <class T>
        requires(lane_cursor<A, T> && lane_cursor<B, T>)
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        const auto a = m_a.template lanes<T>(c);
        const auto b = m_b.template lanes<T>(c);
        return make_lane_word<T>([&](std::size_t i)
                                     XMASK_INLINE_LAMBDA { return How::word(a[i], b[i]); });
    }

    template <class T>
        requires(comparing_cursor<A, T> && comparing_cursor<B, T>)
    [[nodiscard]] XMASK_INLINE bool compares(const T* x, std::size_t c) const {
        return m_a.compares(x, c) && m_b.compares(x, c);
    }

    [[nodiscard]] XMASK_INLINE auto comparison() const
        requires(has_comparison<A> && has_comparison<B>)
    {
        return [a = m_a.comparison(), b = m_b.comparison()](const auto& x)
                   XMASK_INLINE_LAMBDA { return How::word(a(x), b(x)); };
    }

    [[nodiscard]] XMASK_INLINE bool gives_lanes() const noexcept {
        return detail::gives_lanes(m_a) && detail::gives_lanes(m_b);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        return combined<How>(m_a.at(c), m_b.at(c));
    }

private:
    A m_a;
    B m_b;
};

/// The rows of a combination.
template <class How, class RowsA, class RowsB>
class pair_rows {
public:
    pair_rows(RowsA a, RowsB b) : m_a(std::move(a)), m_b(std::move(b)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return pair_cursor<How, typename RowsA::cursor, typename RowsB::cursor>(
            m_a.row(r), m_b.row(r)
        );
    }

    [[nodiscard]] bool flat() const { return m_a.flat() && m_b.flat(); }

    XMASK_INLINE auto whole() const {
        return pair_cursor<How, typename RowsA::cursor, typename RowsB::cursor>(
            m_a.whole(), m_b.whole()
        );
    }

    [[nodiscard]] bool one_row() const { return m_a.one_row() && m_b.one_row(); }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        constexpr std::size_t at_once = 64;
        std::array<W, at_once> other;
        for (std::size_t i = 0; i < count; i += at_once) {
            const std::size_t some = std::min(at_once, count - i);
            m_a.first_words(r + i, some, to + i);
            m_b.first_words(r + i, some, other.data());
            for (std::size_t k = 0; k < some; ++k) {
                to[i + k] = static_cast<W>(How::word(to[i + k], other[k]));
            }
        }
    }

private:
    RowsA m_a;
    RowsB m_b;
};

/// The rule of a combination of two masks that are broadcast together.
template <class How, class CTA, class CTB>
class pair_rule {
    using mask_a = std::decay_t<CTA>;
    using mask_b = std::decay_t<CTB>;

public:
    using shape_type =
        joint_shape<typename mask_a::inner_shape_type, typename mask_b::inner_shape_type>;

    static constexpr const char* name = How::name;
    static constexpr bool any_term_decides = How::deciding != stretch_kind::unknown;

    template <class A, class B>
    pair_rule(A&& a, B&& b)
        : m_a(std::forward<A>(a))
        , m_b(std::forward<B>(b))
        , m_shape(broadcast_together(How::name, m_a.shape(), m_b.shape())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept {
        return bundle(read_in_place(m_a), read_in_place(m_b));
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

/// Fails to compile, with one sentence, where A or B is not a mask.
template <class A, class B>
using require_masks = require_all<require_mask<A>, require_mask<B>>;

/// The mask of a combination, where A and B are masks.
template <class How, bool Fits = true, class A, class B>
auto combine(A&& a, B&& b) {
    if constexpr (Fits) {
        using rule = pair_rule<How, closure_t<A>, closure_t<B>>;
        return mask(rule(std::forward<A>(a), std::forward<B>(b)));
    } else if constexpr (mask_expression<A>) {
        return std::forward<A>(a);
    } else {
        return std::forward<B>(b);
    }
}

/// One row of a negated mask.
template <row_cursor C>
class not_cursor {
public:
    not_cursor(C cursor, std::size_t n) : m_cursor(std::move(cursor)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return ~m_cursor.word(c) & first_bits(m_columns - c);
    }

    template <class T>
        requires lane_cursor<C, T>
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        const auto kept = m_cursor.template lanes<T>(c);
        return make_lane_word<T>([&](std::size_t i) XMASK_INLINE_LAMBDA { return !kept[i]; });
    }

    template <class T>
        requires comparing_cursor<C, T>
    [[nodiscard]] XMASK_INLINE bool compares(const T* x, std::size_t c) const {
        return m_cursor.compares(x, c);
    }

    [[nodiscard]] XMASK_INLINE auto comparison() const
        requires has_comparison<C>
    {
        return [kept = m_cursor.comparison()](const auto& x)
                   XMASK_INLINE_LAMBDA { return !kept(x); };
    }

    [[nodiscard]] XMASK_INLINE bool gives_lanes() const noexcept {
        return detail::gives_lanes(m_cursor);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        const auto [end, kind] = m_cursor.at(c);
        return {
            end, kind == stretch_kind::unknown ? kind
                 : kind == stretch_kind::kept  ? stretch_kind::dropped
                                               : stretch_kind::kept
        };
    }

private:
    C m_cursor;
    std::size_t m_columns;
};

/// The rows of a negated mask.
template <class Rows>
class not_rows {
public:
    not_rows(Rows rows, std::size_t row_count, std::size_t n)
        : m_rows(std::move(rows)), m_row_count(row_count), m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return not_cursor<typename Rows::cursor>(m_rows.row(r), m_columns);
    }

    [[nodiscard]] bool flat() const { return m_rows.flat(); }

    XMASK_INLINE auto whole() const {
        return not_cursor<typename Rows::cursor>(m_rows.whole(), m_row_count * m_columns);
    }

    [[nodiscard]] bool one_row() const { return m_rows.one_row(); }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        m_rows.first_words(r, count, to);
        const auto all = static_cast<W>(first_bits(m_columns));
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = static_cast<W>(~to[i] & all);
        }
    }

private:
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// The rule of a negated mask. With a name it is that of a drop_ builder, which explain() does not
/// look into; without a name it is operator!.
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

    [[nodiscard]] auto sources() const noexcept { return bundle(read_in_place(m_mask)); }

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

/// The negation of a mask. drop_ builders negate a keep_ mask under their own name; explain() hides
/// the negation. Without a name it is operator!.
template <class M>
auto complement(const char* name, M&& m) {
    return mask(not_rule<closure_t<M>>(name, std::forward<M>(m)));
}
} // namespace xmask::inline XMASK_ABI::detail
