// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/target.hpp"
#include "../masks/bitmask.hpp"
#include "choice.hpp"

/// @file
/// The choice in place: dropped elements are overwritten, kept elements are not touched.

namespace xmask::inline XMASK_ABI::detail {
/// Overwrites dropped columns of a contiguous row.
template <class T, class Other>
class replace_delegate {
    using columns = written_columns<T, false>;

public:
    static constexpr bool takes_any_range = true;

    replace_delegate(T* row, Other other) : m_to(row, 0), m_other(std::move(other)) {}

    void kept(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    void dropped(std::size_t c, std::size_t end) {
        if constexpr (is_scalar_row<Other>::value) {
            fill_columns(m_to.at(c), m_to.at(end), m_other.block(c, 1, 1).at(0));
        } else {
            for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
                const auto other = m_other.block(at, count, first_bits(count));
                store_block<false>(m_to.at(at), other, count);
            });
        }
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        const word_t chosen = ~bits & first_bits(count);
        if (chosen == 0) {
            return;
        }
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        T* const to = m_to.at(c);
        const auto other = m_other.block(c, count, chosen);
        if constexpr (has_lanes<T>) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(memory_block<T>(to), k, count - k);
                const auto y = load_register<full>(other, k, count - k);
                store_register<full, false>(to + k, select_by_bits<T>(chosen, k, y, x), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (chosen >> k & 1) != 0 ? other.at(k) : to[k];
            }
        }
    }

    /// Writes 64 columns by the cursor's own lanes, unless all are kept. For lanes that are no bits,
    /// and that no comparison gives, words are faster.
    template <lane_cursor<T> C>
        requires(
            reads_freely<Other> &&
            (comparing_cursor<C, T> || sizeof(lane_mask<T>) <= sizeof(word_t))
        )
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        const T* const from = m_to.at(c);
        if constexpr (comparing_cursor<C, T>) {
            if (cursor.compares(from, c)) {
                const auto keeps = cursor.comparison();
                std::array<lanes<T>, word_columns / lane_count<T>> x;
                const auto kept = make_lane_word<T>([&](std::size_t i) XMASK_INLINE_LAMBDA {
                    x[i] = in_register<T>(load_lanes(from + i * lane_count<T>));
                    return keeps(x[i]);
                });
                if (!all_kept_lanes<T>(kept)) {
                    choose(c, kept, [&](std::size_t i) XMASK_INLINE_LAMBDA { return x[i]; });
                }
                return;
            }
        }
        const auto kept = cursor.template lanes<T>(c);
        if (no_kept_lanes<T>(kept)) {
            dropped(c, c + word_columns);
        } else if (!all_kept_lanes<T>(kept)) {
            choose(c, kept, [&](std::size_t i) XMASK_INLINE_LAMBDA {
                return load_lanes(from + i * lane_count<T>);
            });
        }
    }

private:
    /// Writes 64 columns: register i is read(i) where it is kept.
    template <class Kept, class Read>
    XMASK_INLINE void choose(std::size_t c, const Kept& kept, Read&& read) {
        T* const to = m_to.at(c);
        const auto other = m_other.block(c, whole_word(), ~word_t(0));
        for_each_register<T>(whole_word(), [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
            const std::size_t i = k / lane_count<T>;
            store_lanes(to + k, select_lanes<T>(kept[i], read(i), other.load(k)));
        });
    }

    columns m_to;
    Other m_other;
};

/// Overwrites dropped columns of a row that is not contiguous, element by element.
template <class Writer, class Other>
class replace_each_delegate {
public:
    static constexpr bool takes_any_range = true;

    replace_each_delegate(Writer& writer, Other other)
        : m_writer(&writer), m_other(std::move(other)) {}

    void kept(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    void dropped(std::size_t c, std::size_t end) {
        for_each_block(c, end, [&](std::size_t at, std::size_t count) { block(at, count, 0); });
    }

    void block(std::size_t c, std::size_t count, word_t bits) {
        word_t chosen = ~bits & first_bits(count);
        const auto other = m_other.block(c, count, chosen);
        for (; chosen != 0; chosen &= chosen - 1) {
            const std::size_t k = lowest_bit(chosen);
            m_writer->write(c + k, other.at(k));
        }
    }

private:
    Writer* m_writer;
    Other m_other;
};

/// Overwrites dropped elements of x with those of y. The mask and y may read an element of x only
/// where it is written.
template <class E, class M, class Y>
void replace_rows(E& x, const M& m, const Y& y) {
    using T = std::remove_cv_t<value_type_t<E>>;
    const std::size_t n = columns_of(x.shape());
    const masked_operands rows{mask_rows<M>(m, x.shape()), make_operand<T>(y, x.shape()), n};
    const bool flat = row_target<T, E>(x).flat() && rows.rows.flat(n);
    const row_plan plan(x.shape(), layout_of(rows.masks, flat));
    if (plan.empty()) {
        return;
    }
    for_each_piece(plan.cut(), rows, [&](const auto& own, const piece& part) {
        row_writer<T, E> writer(x);
        plan.for_each_row(
            own.masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end) {
                using other = row_t<std::decay_t<decltype(own.rows)>>;
                writer.seek(r);
                if (writer.in_place()) {
                    T* const row = writer.block(0);
                    replace_delegate<T, other> delegate(row, own.rows.row(r));
                    if constexpr (requires { delegate.lane_block(cursor, begin); }) {
                        // A short row gains less by aligned blocks than two partial ones cost.
                        if (end - begin >= 4 * word_columns) {
                            walk_aligned(row, cursor, begin, end, delegate);
                            return;
                        }
                    }
                    walk(cursor, begin, end, delegate);
                } else {
                    replace_each_delegate<row_writer<T, E>, other> delegate(
                        writer, own.rows.row(r)
                    );
                    walk(cursor, begin, end, delegate);
                }
            }
        );
    });
}

/// Overwrites dropped elements of x with those of y. Stores first a mask, or a y, that reads other
/// elements of x than the written one.
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

/// Overwrites dropped elements of x with one value.
template <class E, class M, class T>
void fill_inplace(const char* name, E& x, const M& m, const T& value) {
    replace_inplace(name, x, m, xt::xscalar<T>(value));
}
} // namespace xmask::inline XMASK_ABI::detail
