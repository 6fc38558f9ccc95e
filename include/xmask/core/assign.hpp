// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "lazy.hpp"
#include "overlap.hpp"
#include "range_cursor.hpp"
#include "row.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "write.hpp"
#include "writer.hpp"
#include "xtensor.hpp"

/// @file
/// The assignment of larger expressions that hold a mask, or a tensor with a mask applied,
/// somewhere inside: to containers, to views, by = and by += alike. xtensor would step through them
/// element by element.

namespace xmask::inline XMASK_ABI::detail {
/// Whether an expression is one of this library's, or a lazy function with one among its arguments.
template <class E>
struct holds_mask : std::is_base_of<lazy_base, E> {};

template <class F, class... CT>
struct holds_mask<xt::xfunction<F, CT...>>
    : std::bool_constant<(holds_mask<std::decay_t<CT>>::value || ...)> {};

/// One row of an expression, written as it is.
template <class T, class Row>
class copied_row {
public:
    copied_row(Row row, std::size_t n) : m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] range_cursor cursor() const noexcept { return range_cursor({0, m_columns}); }

    [[nodiscard]] T outside() const noexcept { return T(); }

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_row.prepare(c, end);
    }

    XMASK_INLINE auto read(std::size_t c, std::size_t count, word_t bits) {
        return m_row.read(c, count, bits);
    }

    template <bool Streaming, class Count>
    XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits) {
        store_block<Streaming>(to, read(c, count, bits), count);
    }

private:
    Row m_row;
    std::size_t m_columns;
};

template <class T, class Row>
inline constexpr bool reads_freely<copied_row<T, Row>> = reads_freely<Row>;

template <class T, class Rows>
class copied_rows {
public:
    copied_rows(Rows rows, std::size_t row_count, std::size_t n)
        : m_rows(std::move(rows)), m_row_count(row_count), m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return copied_row<T, row_t<Rows>>(m_rows.row(r), m_columns);
    }

    [[nodiscard]] flat_form form() const noexcept { return m_rows.form(); }

    XMASK_INLINE auto flat_row() const {
        return copied_row<T, flat_row_t<Rows>>(m_rows.flat_row(), m_row_count * m_columns);
    }

private:
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// Writes an expression apart from `to`, or in place, broadcast to the shape of `to`.
template <class To, class E>
void copy_rows(To& to, const E& from) {
    using element = std::remove_cv_t<value_type_t<E>>;
    auto rows = make_operand<element>(from, to.shape());
    write_rows<element>(
        copied_rows<element, decltype(rows)>(
            std::move(rows), rows_of(to.shape()), columns_of(to.shape())
        ),
        to
    );
}

/// Assigns an expression by way of a copy, and gives true, where reading these sources of it while
/// `to` is written would be too late. Otherwise does nothing.
template <class T, class E, class Sources, class To>
bool assign_apart(const char* function, const E& from, const Sources& sources, To& to) {
    if constexpr (any_may_overlap<typename target<To>::element, Sources>) {
        if (reads_too_late(to, from.shape(), sources)) [[unlikely]] {
            row_major_copy_t<T, E> copy;
            resize_or_check(function, "a copy of the result", copy, from.shape());
            if constexpr (requires { from.write_to(copy); }) {
                from.write_to(copy);
            } else {
                copy_rows(copy, from);
            }
            resize_or_check(function, "the result", to, copy.shape());
            copy_rows(to, copy);
            return true;
        }
    }
    return false;
}

template <class T, class E, class To>
bool assign_apart(const char* function, const E& from, To& to) {
    if constexpr (has_sources<E>) {
        return assign_apart<T>(function, from, from.sources(), to);
    } else {
        return assign_apart<T>(function, from, std::tuple(read_in_place(from)), to);
    }
}

/// Writes an expression, broadcast to the shape of `to`, row by row.
template <class To, class E>
void assign_rows(To& to, const E& from) {
    if (!assign_apart<std::remove_cv_t<value_type_t<E>>>("assignment", from, to)) {
        copy_rows(to, from);
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// xtensor comes here for every assignment of an expression that is not linear, and none that holds
/// a mask is.
template <class To, class E, xt::layout_type L>
    requires(xmask::detail::holds_mask<E>::value)
class xt::stepper_assigner<To, E, L> {
public:
    stepper_assigner(To& to, const E& from) : m_to(to), m_from(from) {}

    void run() { xmask::detail::assign_rows(m_to, m_from); }

private:
    To& m_to;
    const E& m_from;
};
