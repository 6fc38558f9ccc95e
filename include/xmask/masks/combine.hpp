// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "../core/axes.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/range_cursor.hpp"
#include "../core/shape.hpp"

/// @file
/// Masks from masks: && || ! ^, unsqueeze and shift; and the two masks that need nothing, keep_all
/// and keep_none.

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

/// A mask with one more axis of extent 1. Where that is the last axis, each element becomes a row
/// of its own.
template <class CTM>
class unsqueeze_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;
    using cursor_type = typename rows_type::cursor;

    class column_cursor {
    public:
        column_cursor(cursor_type cursor, std::size_t column, bool whole_row)
            : m_cursor(std::move(cursor)), m_column(column), m_whole_row(whole_row) {}

        [[nodiscard]] word_t word(std::size_t c) const {
            return m_whole_row ? m_cursor.word(c) : word_t(detail::kept(m_cursor, m_column));
        }

        [[nodiscard]] bool kept(std::size_t c) const {
            return detail::kept(m_cursor, m_whole_row ? c : m_column);
        }

        [[nodiscard]] column_range extent() const {
            return m_whole_row ? m_cursor.extent() : column_range{0, 1};
        }

        [[nodiscard]] column_range solid() const {
            return m_whole_row ? m_cursor.solid() : column_range();
        }

        [[nodiscard]] column_stretch stretch(std::size_t c) const {
            return m_whole_row ? m_cursor.stretch(c) : stretch_of(extent(), {}, c);
        }

        [[nodiscard]] bool has_lanes() const noexcept
            requires requires(const cursor_type& cursor) { cursor.has_lanes(); }
        {
            return m_whole_row && m_cursor.has_lanes();
        }

        template <class T>
            requires lane_cursor<cursor_type, T>
        XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
            return m_cursor.template lanes<T>(c);
        }

    private:
        cursor_type m_cursor;
        std::size_t m_column;
        bool m_whole_row;
    };

    class column_rows {
    public:
        column_rows(rows_type rows, std::size_t n, bool whole_row)
            : m_rows(std::move(rows)), m_columns(n), m_whole_row(whole_row) {}

        XMASK_INLINE column_cursor row(std::size_t r) const {
            return m_whole_row ? column_cursor(m_rows.row(r), 0, true)
                               : column_cursor(m_rows.row(r / m_columns), r % m_columns, false);
        }

        [[nodiscard]] bool one_row() const noexcept { return m_whole_row && m_rows.one_row(); }

        [[nodiscard]] flat_form form() const noexcept { return m_rows.form(); }

        /// The elements lie end to end as they did.
        XMASK_INLINE auto flat() const { return m_rows.flat(); }

    private:
        rows_type m_rows;
        std::size_t m_columns;
        bool m_whole_row;
    };

public:
    using shape_type = typename one_more_axis<typename mask_type::inner_shape_type>::type;

    static constexpr const char* name = "unsqueeze";

    template <class M>
    unsqueeze_rule(M&& m, std::size_t axis)
        : m_mask(std::forward<M>(m))
        , m_shape(append_axis(m_mask.shape(), 1))
        , m_axis(axis)
        , m_last(axis + 1 == m_shape.size()) {
        std::rotate(
            m_shape.begin() + static_cast<std::ptrdiff_t>(axis), m_shape.end() - 1, m_shape.end()
        );
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        return column_rows(rows_type(m_mask, m_mask.shape()), columns_of(m_mask.shape()), !m_last);
    }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index.erase(index.begin() + static_cast<std::ptrdiff_t>(m_axis));
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    bool m_last;
};

/// A row moved along its columns; what comes in from outside is dropped.
template <row_cursor C>
class shift_cursor {
public:
    shift_cursor(C cursor, std::ptrdiff_t by, std::size_t n)
        : m_cursor(std::move(cursor))
        , m_right(by > 0 ? static_cast<std::size_t>(by) : 0)
        , m_left(by < 0 ? std::size_t(0) - static_cast<std::size_t>(by) : 0)
        , m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        const std::size_t hidden = m_right > c ? m_right - c : 0;
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (hidden >= word_columns || from >= m_columns) {
            return 0;
        }
        return m_cursor.word(from) << hidden & first_bits(m_columns - c);
    }

    [[nodiscard]] bool kept(std::size_t c) const {
        const std::size_t from = c - m_right + m_left;
        return c >= m_right && from < m_columns && detail::kept(m_cursor, from);
    }

    [[nodiscard]] column_range extent() const { return moved(m_cursor.extent()); }

    [[nodiscard]] column_range solid() const { return moved(detail::solid(m_cursor)); }

    [[nodiscard]] column_stretch stretch(std::size_t c) const {
        using kind = column_stretch::kind;
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (c < m_right || from >= m_columns) {
            return {c < m_right ? m_right : no_end, kind::dropped};
        }
        const auto [end, what] = detail::stretch(m_cursor, from);
        return {std::min(end, m_columns) - m_left + m_right, what};
    }

private:
    [[nodiscard]] column_range moved(column_range range) const {
        const auto to = [&](std::size_t c) {
            return std::min(m_left != 0 ? std::max(c, m_left) - m_left : c + m_right, m_columns);
        };
        return range.size() == 0 ? column_range() : column_range{to(range.begin), to(range.end)};
    }

    C m_cursor;
    std::size_t m_right;
    std::size_t m_left;
    std::size_t m_columns;
};

template <class Rows>
class shift_rows {
public:
    shift_rows(Rows rows, std::ptrdiff_t by, std::size_t n)
        : m_rows(std::move(rows)), m_by(by), m_columns(n) {}

    auto row(std::size_t r) const {
        return shift_cursor<typename Rows::cursor>(m_rows.row(r), m_by, m_columns);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_rows.one_row(); }

private:
    Rows m_rows;
    std::ptrdiff_t m_by;
    std::size_t m_columns;
};

template <class CTM>
class shift_rule {
    using mask_type = std::decay_t<CTM>;

public:
    using shape_type = typename mask_type::inner_shape_type;

    static constexpr const char* name = "shift";

    template <class M>
    shift_rule(M&& m, std::ptrdiff_t by)
        : m_mask(std::forward<M>(m)), m_by(std::clamp(by, -columns(), columns())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_mask.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        using rows = mask_rows<mask_type>;
        return shift_rows<rows>(rows(m_mask, shape()), m_by, columns_of(shape()));
    }

    /// What comes in from outside of the row is no term's doing.
    template <class F>
    void for_each_term(element_index index, F&& f) const {
        const std::ptrdiff_t from =
            index.empty() ? 0 : static_cast<std::ptrdiff_t>(index.back()) - m_by;
        if (from < 0 || from >= columns() || (index.empty() && m_by != 0)) {
            return;
        }
        if (!index.empty()) {
            index.back() = static_cast<std::size_t>(from);
        }
        f(m_mask, index);
    }

private:
    [[nodiscard]] std::ptrdiff_t columns() const {
        return static_cast<std::ptrdiff_t>(columns_of(shape()));
    }

    CTM m_mask;
    std::ptrdiff_t m_by;
};

/// Every row alike: all kept, or none.
template <class S>
class constant_rule {
public:
    using shape_type = S;

    constant_rule(S shape, bool kept)
        : m_shape(std::move(shape))
        , m_kept{0, kept ? columns_of(m_shape) : 0}
        , m_name(kept ? "keep_all" : "keep_none") {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor(m_kept);
    }

    [[nodiscard]] flat_form form() const noexcept { return flat_form::direct; }

    [[nodiscard]] range_cursor flat() const noexcept {
        return range_cursor({0, rows_of(m_shape) * m_kept.end});
    }

private:
    S m_shape;
    column_range m_kept;
    const char* m_name;
};

template <class S>
auto make_constant(const S& shape, bool kept) {
    auto owned = to_shape(kept ? "keep_all" : "keep_none", shape);
    return mask(constant_rule<decltype(owned)>(std::move(owned), kept));
}
} // namespace detail

/// Keeps what both masks keep. The masks broadcast together as NumPy does; std::invalid_argument
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

/// Keeps what either mask keeps.
///
///     auto m = xmask::keep_lengths({1, 2}, 4) || xmask::keep_last({1, 0}, 4);
///     // 1 0 0 1
///     // 1 1 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B&& b) {
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

/// Keeps what the mask drops.
///
///     auto m = !xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator!(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

/// The mask with an axis of extent 1 inserted before `axis` (negative: counted from the end of the
/// new shape), so that it broadcasts there. Throws std::out_of_range for an axis that the new shape
/// does not have.
///
///     auto m = xmask::unsqueeze(xmask::keep_lengths({2, 4, 3}, 4), 1);    // (3, 1, 4)
template <class M>
auto unsqueeze(M&& m, std::ptrdiff_t axis) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("unsqueeze", axis, m.dimension() + 1);
        using rule = detail::unsqueeze_rule<detail::closure_t<M>>;
        return mask(rule(std::forward<M>(m), at));
    }
}

/// The mask moved along its last axis, to the right where `by` is positive: column c keeps what
/// column c - by kept. What comes in from outside of the row is dropped. A word costs one of the
/// mask's own.
///
///     auto m = xmask::shift(xmask::keep_lengths({3}, 4), 1);    // 0 1 1 1
///     auto targets = xmask::shift(xmask::keep_tokens(tokens, {5, 6}), -1);    // of next-token prediction
template <class M>
auto shift(M&& m, std::ptrdiff_t by) {
    if constexpr (detail::require_mask<M>()) {
        return mask(detail::shift_rule<detail::closure_t<M>>(std::forward<M>(m), by));
    }
}

/// Keeps everything. shape: a number (one axis), or a shape.
///
///     auto m = xmask::keep_all(x.shape());
template <class S>
auto keep_all(const S& shape) {
    return detail::make_constant(shape, true);
}

inline auto keep_all(std::initializer_list<std::size_t> shape) {
    return detail::make_constant(shape, true);
}

/// Keeps nothing. shape: a number (one axis), or a shape.
///
///     auto m = xmask::keep_none(3);    // 0 0 0
template <class S>
auto keep_none(const S& shape) {
    return detail::make_constant(shape, false);
}

inline auto keep_none(std::initializer_list<std::size_t> shape) {
    return detail::make_constant(shape, false);
}
} // namespace xmask::inline XMASK_ABI
