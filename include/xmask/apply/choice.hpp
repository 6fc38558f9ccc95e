// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/applied.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/rows.hpp"
#include "../core/store.hpp"
#include "../core/target.hpp"

/// @file
/// The choice between two operands: the first where the mask keeps, the other, a tensor or one
/// value, where it drops. masked_fill, masked_replace and multiply by a mask are choices.

namespace xmask::inline XMASK_ABI::detail {
template <class Row>
struct is_scalar_row : std::false_type {};

template <class T>
struct is_scalar_row<scalar_rows<T>> : std::true_type {};

/// A block of a choice inside a larger expression.
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

/// A row of a choice inside a larger expression.
template <class Row, class Other, class Cursor>
class choice_row {
    using T = typename block_t<Row>::value_type;

public:
    choice_row(Row operand, Other other, Cursor cursor)
        : m_operand(std::move(operand)), m_other(std::move(other)), m_cursor(std::move(cursor)) {}

    XMASK_INLINE choice_block<T, block_t<Row>, block_t<Other>> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        const word_t kept = m_cursor.word(c);
        return {
            m_operand.block(c, count, kept & bits), m_other.block(c, count, ~kept & bits), kept
        };
    }

private:
    Row m_operand;
    Other m_other;
    Cursor m_cursor;
};

/// The delegate of a choice: it copies kept columns from the operand and dropped ones from the
/// other. An element that is not chosen is not read, unless reading costs less than asking.
template <class T, class Columns, class Row, class Other>
class choice_delegate {
    static constexpr bool selects_freely = has_lanes<T> && reads_memory<Row> && reads_memory<Other>;

public:
    choice_delegate(Columns to, Row operand, Other other)
        : m_to(to), m_operand(std::move(operand)), m_other(std::move(other)) {}

    void dropped(std::size_t c, std::size_t end) {
        if constexpr (is_scalar_row<Other>::value) {
            m_to.fill(c, end, m_other.block(c, 1, 1).at(0));
        } else {
            for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
                m_to.store(at, m_other.block(at, count, first_bits(count)), count);
            });
        }
    }

    void kept(std::size_t c, std::size_t end) {
        for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
            m_to.store(at, m_operand.block(at, count, first_bits(count)), count);
        });
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if constexpr (!selects_freely || Columns::streams) {
            if (bits == 0) {
                dropped(c, c + count);
                return;
            }
            if (bits == first_bits(count)) {
                m_to.store(c, m_operand.block(c, count, bits), count);
                return;
            }
        }
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        const auto kept = m_operand.block(c, count, bits);
        const auto other = m_other.block(c, count, ~bits & first_bits(count));
        if constexpr (has_lanes<T>) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(kept, k, count - k);
                const auto y = load_register<full>(other, k, count - k);
                store_register<full, streams>(to + k, select_by_bits<T>(bits, k, x, y), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? kept.at(k) : other.at(k);
            }
        }
    }

    /// Writes 64 columns by the cursor's own lanes. Both operands are read everywhere.
    template <lane_cursor<T> C>
        requires(reads_freely<Row> && reads_freely<Other>)
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        m_to.prefetch(c, whole_word());
        T* const to = m_to.at(c);
        const auto kept = m_operand.block(c, whole_word(), ~word_t(0));
        const auto other = m_other.block(c, whole_word(), ~word_t(0));
        if constexpr (comparing_cursor<C, T> && std::same_as<block_t<Row>, memory_block<T>>) {
            if (cursor.compares(kept.data(), c)) {
                const auto chooses = cursor.comparison();
                for_each_register<T>(
                    whole_word(),
                    [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
                        const auto x = in_register<T>(kept.load(k));
                        store_as<Columns::streams>(
                            to + k, select_lanes<T>(chooses(x), x, other.load(k))
                        );
                    }
                );
                return;
            }
        }
        const auto chosen = cursor.template lanes<T>(c);
        for_each_register<T>(whole_word(), [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
            store_as<Columns::streams>(
                to + k, select_lanes<T>(chosen[k / lane_count<T>], kept.load(k), other.load(k))
            );
        });
    }

private:
    Columns m_to;
    Row m_operand;
    Other m_other;
};

/// The rows of both operands of a choice.
template <class Rows, class Others>
struct choice_operands {
    Rows operand;
    Others other;

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return operand.flat(n) && other.flat(n);
    }
};

template <class Rows, class Others>
choice_operands(Rows, Others) -> choice_operands<Rows, Others>;

/// Writes rows of the operand where the masks keep, and of the other where they drop.
template <class T, class E, class Rows, class Others, class Masks>
void write_choice(E& to, Rows operand, Others other, Masks masks) {
    write_rows<T>(
        to,
        masked_operands{
            std::move(masks), choice_operands{std::move(operand), std::move(other)},
            columns_of(to.shape())
        },
        [](const auto& rows, std::size_t r, auto columns) {
            return choice_delegate<T, decltype(columns), row_t<Rows>, row_t<Others>>(
                columns, rows.operand.row(r), rows.other.row(r)
            );
        }
    );
}

/// A choice as the operation of an `applied` expression.
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
        return bundle(read_in_place(m_operand), read_in_place(m_mask), read_in_place(m_other));
    }

    template <class Get, class GetOther>
    value_type combine(Get&& get, bool kept, GetOther&& get_other) const {
        return kept ? static_cast<value_type>(get()) : static_cast<value_type>(get_other());
    }

    template <class S>
    auto rows(const S& shape) const {
        return row_function([operand = make_operand<value_type>(m_operand, shape),
                             other = make_operand<value_type>(m_other, shape),
                             masks = mask_rows<mask_type>(m_mask, shape)](std::size_t r)
                                XMASK_INLINE_LAMBDA {
                                    return choice_row(operand.row(r), other.row(r), masks.row(r));
                                });
    }

    template <class E>
    void write(E& to) const {
        const auto& shape = to.shape();
        write_choice<value_type>(
            to, make_operand<value_type>(m_operand, shape),
            make_operand<value_type>(m_other, shape), mask_rows<mask_type>(m_mask, shape)
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

/// A choice whose other operand is one value, converted to the element type of x.
template <class X, class M, class T>
auto make_fill(const char* name, X&& x, M&& m, const T& value) {
    using element = std::remove_cv_t<value_type_t<X>>;
    return make_choice(
        name, std::forward<X>(x), std::forward<M>(m),
        xt::xscalar<element>(static_cast<element>(value))
    );
}
} // namespace xmask::inline XMASK_ABI::detail
