// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../core/applied.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/write.hpp"
#include "../core/writer.hpp"
#include "../masks/bitmask.hpp"

/// @file
/// The choice between two operands: one where the mask keeps, the other, a tensor or one value,
/// where it drops.

namespace xmask::inline XMASK_ABI::detail {
template <class Rows>
struct is_scalar_row : std::false_type {};

template <class T>
struct is_scalar_row<scalar_row<T>> : std::true_type {};

/// 64 elements of a choice inside a larger expression.
template <class T, class Block, class Other>
class choice_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    choice_block(const Block& operand, const Other& other, word_t bits)
        : m_operand(operand), m_other(other), m_bits(bits) {}

    XMASK_INLINE T at(std::size_t k) const {
        return (m_bits >> k & 1) != 0 ? m_operand.at(k) : m_other.at(k);
    }

    XMASK_INLINE lanes<T> load(std::size_t k) const
        requires in_registers
    {
        return select_by_bits<T>(m_bits, k, m_operand.load(k), m_other.load(k));
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return select_by_bits<T>(
            m_bits, k, m_operand.load_first(k, count), m_other.load_first(k, count)
        );
    }

private:
    Block m_operand;
    Other m_other;
    word_t m_bits;
};

/// The words of a cursor, with nothing said of where they are 0: there is something to be read
/// there, too.
template <class Cursor>
class whole_extent {
public:
    whole_extent(Cursor cursor, std::size_t n) : m_cursor(std::move(cursor)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const { return m_cursor.word(c); }

    [[nodiscard]] XMASK_INLINE column_range extent() const noexcept { return {0, m_columns}; }

    [[nodiscard]] XMASK_INLINE column_range solid() const { return detail::solid(m_cursor); }

    [[nodiscard]] bool has_lanes() const noexcept
        requires requires(const Cursor& cursor) { cursor.has_lanes(); }
    {
        return m_cursor.has_lanes();
    }

    template <class T>
        requires lane_cursor<Cursor, T>
    XMASK_INLINE lane_mask<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

private:
    Cursor m_cursor;
    std::size_t m_columns;
};

/// One row of a choice: a word of ones is copied from the operand, a word of zeros from the other,
/// any other selects lanes. What is not chosen is not looked at. Where the other is one value, what
/// lies outside of the cursor's extent is only filled.
template <class T, class Row, class Other, class Cursor>
class choice_row {
    static constexpr bool fills = is_scalar_row<Other>::value;

public:
    choice_row(Row operand, Other other, Cursor cursor)
        : m_operand(std::move(operand)), m_other(std::move(other)), m_cursor(std::move(cursor)) {}

    [[nodiscard]] const Cursor& cursor() const noexcept { return m_cursor; }

    [[nodiscard]] T outside() const noexcept {
        if constexpr (fills) {
            return m_other.at(0);
        } else {
            return T();
        }
    }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_other.prepare(c, m_operand.prepare(c, end));
    }

    /// Columns [c, c + count) to a larger expression, which looks at those in `bits`.
    XMASK_INLINE choice_block<T, block_t<Row>, block_t<Other>> read(
        std::size_t c, std::size_t count, word_t bits
    ) {
        const word_t kept = m_cursor.word(c);
        return {m_operand.read(c, count, kept & bits), m_other.read(c, count, ~kept & bits), kept};
    }

    /// Whether whole blocks are chosen by the cursor's own lanes. Then both operands are read
    /// everywhere.
    static constexpr bool chooses_lanes =
        lane_cursor<Cursor, T> && reads_freely<Row> && reads_freely<Other>;

    template <bool Streaming>
    XMASK_INLINE void lane_block(T* to, std::size_t c)
        requires chooses_lanes
    {
        const auto kept = m_operand.read(c, word_columns, ~word_t(0));
        const auto other = m_other.read(c, word_columns, ~word_t(0));
        for_each_register<T>(whole_word(), [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
            const auto chosen = m_cursor.template lanes<T>(c + k);
            store_as<Streaming>(to + k, select_lanes<T>(chosen, kept.load(k), other.load(k)));
        });
    }

    static constexpr bool selects_freely = has_lanes<T> && reads_memory<Row> && reads_memory<Other>;

    /// Columns [c, c + count) to `to`.
    template <bool Streaming, class Count>
    XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits) {
        if ((!selects_freely || Streaming) && bits == 0) {
            if constexpr (fills) {
                fill_columns<Streaming>(to, to + count, m_other.at(0));
            } else {
                store_block<Streaming>(to, m_other.read(c, count, first_bits(count)), count);
            }
            return;
        }
        const auto kept = m_operand.read(c, count, bits);
        if constexpr (!has_lanes<T>) {
            const auto other = m_other.read(c, count, ~bits & first_bits(count));
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? kept.at(k) : other.at(k);
            }
        } else if ((!selects_freely || Streaming || __builtin_constant_p(bits)) &&
                   bits == first_bits(count)) {
            store_block<Streaming>(to, kept, count);
        } else {
            const auto other = m_other.read(c, count, ~bits & first_bits(count));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(kept, k, count - k);
                const auto y = load_register<full>(other, k, count - k);
                store_register<full, Streaming>(
                    to + k, select_by_bits<T>(bits, k, x, y), count - k
                );
            });
        }
    }

private:
    Row m_operand;
    Other m_other;
    Cursor m_cursor;
};

template <class T, class Rows, class Others, class MaskRows>
class choice_rows {
    static constexpr bool fills = is_scalar_row<Others>::value;

public:
    choice_rows(Rows operand, Others other, MaskRows masks, std::size_t row_count, std::size_t n)
        : m_operand(std::move(operand))
        , m_other(std::move(other))
        , m_masks(std::move(masks))
        , m_row_count(row_count)
        , m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return make(m_operand.row(r), m_other.row(r), m_masks.row(r), m_columns);
    }

    [[nodiscard]] flat_form form() const noexcept {
        return std::min({m_operand.form(), m_other.form(), m_masks.form()});
    }

    XMASK_INLINE auto flat_row() const {
        return make(
            m_operand.flat_row(), m_other.flat_row(), m_masks.flat(), m_row_count * m_columns
        );
    }

private:
    template <class Row, class Other, class Cursor>
    XMASK_INLINE static auto make(
        Row operand, Other other, Cursor cursor, [[maybe_unused]] std::size_t n
    ) {
        if constexpr (fills) {
            return choice_row<T, Row, Other, Cursor>(
                std::move(operand), std::move(other), std::move(cursor)
            );
        } else {
            using whole = whole_extent<Cursor>;
            return choice_row<T, Row, Other, whole>(
                std::move(operand), std::move(other), whole(std::move(cursor), n)
            );
        }
    }

    Rows m_operand;
    Others m_other;
    MaskRows m_masks;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// A choice as an expression.
template <class CTX, class CTM, class CTY>
class choice_op {
public:
    using operand_type = std::decay_t<CTX>;
    using mask_type = std::decay_t<CTM>;
    using other_type = std::decay_t<CTY>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class X, class M, class Y>
    choice_op(const char* name, X&& x, M&& m, Y&& y)
        : m_operand(std::forward<X>(x))
        , m_mask(std::forward<M>(m))
        , m_other(std::forward<Y>(y))
        , m_name(name) {
        require_broadcast(name, "a mask", m_mask.shape(), m_operand.shape());
        require_broadcast(name, "a replacement", m_other.shape(), m_operand.shape());
    }

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_operand; }

    [[nodiscard]] const mask_type& gate() const noexcept { return m_mask; }

    [[nodiscard]] const other_type& other() const noexcept { return m_other; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_operand), read_in_place(m_mask), read_in_place(m_other));
    }

    template <class Get, class GetOther>
    value_type combine(Get&& get, bool kept, GetOther&& get_other) const {
        return kept ? static_cast<value_type>(get()) : static_cast<value_type>(get_other());
    }

    template <class S>
    auto rows(const S& shape) const {
        auto operand = make_operand<value_type>(m_operand, shape);
        auto other = make_operand<value_type>(m_other, shape);
        using masks = mask_rows<mask_type>;
        return choice_rows<value_type, decltype(operand), decltype(other), masks>(
            std::move(operand), std::move(other), masks(m_mask, shape), rows_of(shape),
            columns_of(shape)
        );
    }

private:
    CTX m_operand;
    CTM m_mask;
    CTY m_other;
    const char* m_name;
};

template <class X, class M, class Y>
auto make_choice(const char* name, X&& x, M&& m, Y&& y) {
    using op = choice_op<closure_t<X>, closure_t<M>, closure_t<Y>>;
    return applied<op>(op(name, std::forward<X>(x), std::forward<M>(m), std::forward<Y>(y)));
}

/// A choice whose other operand is one value, converted to x's element type.
template <class X, class M, class T>
auto make_fill(const char* name, X&& x, M&& m, const T& value) {
    using element = std::remove_cv_t<value_type_t<X>>;
    return make_choice(
        name, std::forward<X>(x), std::forward<M>(m),
        xt::xscalar<element>(static_cast<element>(value))
    );
}

/// Writes columns [c, end) of the other operand to `to`, where column c is.
template <class T, class Other>
void write_other(T* to, Other& other, std::size_t c, std::size_t end) {
    if constexpr (is_scalar_row<Other>::value) {
        fill_columns(to, to + (end - c), other.at(0));
    } else {
        for (std::size_t at = c; at < end; at += word_columns) {
            const std::size_t count = std::min(word_columns, end - at);
            other.prepare(at, at + count);
            store_block<false>(to + (at - c), other.read(at, count, first_bits(count)), count);
        }
    }
}

/// Writes a block of the other operand where a bit is set.
template <class T, class Count, class Block>
XMASK_INLINE void select_dropped(T* to, Count count, word_t dropped, const Block& other) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            const auto x = load_register<full>(memory_block<T>(to), k, count - k);
            const auto y = load_register<full>(other, k, count - k);
            store_register<full, false>(to + k, select_by_bits<T>(dropped, k, y, x), count - k);
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = (dropped >> k & 1) != 0 ? other.at(k) : to[k];
        }
    }
}

/// Overwrites what a row's cursor drops of columns [begin, end); what is kept is neither read nor
/// written where a whole word is kept.
template <class T, class Other, class C>
void replace_dropped(T* row, std::size_t begin, std::size_t end, const C& cursor, Other other) {
    const column_range kept = cursor.extent();
    const column_range solid = detail::solid(cursor);
    const std::size_t stop = std::min(kept.end, end);
    std::size_t c = std::clamp(kept.begin, begin, end);
    write_other(row + begin, other, begin, c);
    while (c < stop) {
        if (c >= solid.begin && c < solid.end) {
            c = std::min(solid.end, end);
            continue;
        }
        const std::size_t count = std::min(word_columns, end - c);
        const word_t dropped = ~cursor.word(c) & first_bits(count);
        if (dropped == first_bits(count)) {
            write_other(row + c, other, c, c + count);
        } else if (dropped != 0) {
            other.prepare(c, c + count);
            const auto block = other.read(c, count, dropped);
            if (count == word_columns) {
                select_dropped(row + c, whole_word(), dropped, block);
            } else {
                select_dropped(row + c, count, dropped, block);
            }
        }
        c += count;
    }
    if (c < end) {
        write_other(row + c, other, c, end);
    }
}

/// The same through a writer, element by element.
template <class Writer, class Other, class C>
void write_dropped(
    Writer& writer, std::size_t begin, std::size_t end, const C& cursor, Other other
) {
    for (std::size_t c = begin; c < end; c += word_columns) {
        const std::size_t count = std::min(word_columns, end - c);
        word_t dropped = ~cursor.word(c) & first_bits(count);
        if (dropped == 0) {
            continue;
        }
        other.prepare(c, c + count);
        const auto block = other.read(c, count, dropped);
        for (; dropped != 0; dropped &= dropped - 1) {
            const std::size_t k = lowest_bit(dropped);
            writer.write(c + k, 1, block.at(k));
        }
    }
}

/// The rows of a mask, and of what replaces that which it drops.
template <class MaskRows, class Others>
class replacing_rows {
public:
    replacing_rows(MaskRows masks, Others others)
        : m_masks(std::move(masks)), m_others(std::move(others)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return std::pair(m_masks.row(r), m_others.row(r));
    }

    XMASK_INLINE auto flat_row() const { return std::pair(m_masks.flat(), m_others.flat_row()); }

    [[nodiscard]] flat_form form() const noexcept {
        return std::min(m_masks.form(), m_others.form());
    }

private:
    MaskRows m_masks;
    Others m_others;
};

/// Gives what the mask drops of x the other operand's elements. Both are read in place, if at all.
template <class E, class M, class Y>
void replace_rows(E& x, const M& m, const Y& y) {
    using T = std::remove_cv_t<value_type_t<E>>;
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    if (row_count == 0) {
        return;
    }
    const replacing_rows rows(mask_rows<M>(m, x.shape()), make_operand<T>(y, x.shape()));
    const bool flat = row_writer<T, E>(x).flat(n) && worth_flat(rows.form(), n);
    with_rows(flat, row_count, n, [&](const pieces& all, auto row_of) {
        for_each_piece(all, rows, [&](const auto& own, const piece& part) {
            row_writer<T, E> writer(x);
            for (std::size_t r = part.first_row; r < part.last_row; ++r) {
                writer.seek(r);
                const auto [cursor, other] = row_of(own, r);
                if (row_of.flat || writer.in_place()) {
                    replace_dropped(writer.block(0), part.begin, part.end, cursor, other);
                } else {
                    write_dropped(writer, part.begin, part.end, cursor, other);
                }
            }
        });
    });
}

/// The same, whatever they read of x.
template <class E, class M, class Y>
void replace_inplace(const char* name, E& x, const M& m, const Y& y) {
    using T = std::remove_cv_t<value_type_t<E>>;
    require_broadcast(name, "a mask", m.shape(), x.shape());
    require_broadcast(name, "a replacement", y.shape(), x.shape());
    if constexpr (may_overlap<Y, T>()) {
        if (overlap_of(y, target<E>(x)) > overlap::in_place) [[unlikely]] {
            const bitmask kept(m);
            row_major_copy_t<T, E> others;
            resize_or_check(name, "a copy of the replacement", others, x.shape());
            replace_rows(others, kept, y);
            replace_rows(x, kept, others);
            return;
        }
    }
    with_mask_apart(m, x, [&](const auto& apart) { replace_rows(x, apart, y); });
}

template <class E, class M, class T>
void fill_inplace(const char* name, E& x, const M& m, const T& value) {
    replace_inplace(name, x, m, xt::xscalar<T>(value));
}
} // namespace xmask::inline XMASK_ABI::detail
