// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "row.hpp"
#include "rows.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "store.hpp"
#include "walk.hpp"
#include "xtensor.hpp"

/// @file
/// Results: assignable expressions, which delegates write row by row.

namespace xmask::inline XMASK_ABI::detail {
/// Resizes `to` to a shape. Throws std::invalid_argument where it has another, fixed shape.
template <class E, class S>
void resize_or_check(const char* function, const char* what, E& to, const S& shape) {
    require_countable(function, shape);
    if constexpr (requires { to.resize(shape); }) {
        // xtensor does not check that a rank in the type is not changed.
        const bool rank_fits = !requires { std::tuple_size<typename E::shape_type>::value; } ||
                               to.dimension() == static_cast<std::size_t>(shape.size());
        if (rank_fits && !equal_shapes(to.shape(), shape)) {
            to.resize(shape);
        }
    }
    if (!equal_shapes(to.shape(), shape)) [[unlikely]] {
        throw_invalid(
            function, what, " has the fixed shape ", tuple_text(to.shape()), "; expected ",
            tuple_text(shape)
        );
    }
}

/// Whether the type of a container says that its rows are contiguous.
template <class E>
inline constexpr bool has_contiguous_rows = false;

template <class EC, class SC, class Tag>
inline constexpr bool
    has_contiguous_rows<xt::xarray_container<EC, xt::layout_type::row_major, SC, Tag>> = true;

template <class EC, std::size_t N, class Tag>
inline constexpr bool
    has_contiguous_rows<xt::xtensor_container<EC, N, xt::layout_type::row_major, Tag>> = true;

/// The rows of a target in memory. Contiguous rows of type T are written in place. For other rows,
/// columns are collected in a buffer, then scattered and converted.
template <class T, class E, bool InMemory = has_memory<E>>
class row_writer {
    using element = std::remove_cv_t<value_type_t<E>>;
    static constexpr bool same_type = std::is_same_v<element, T>;

public:
    static constexpr bool always_in_place = same_type && has_contiguous_rows<E>;
    static constexpr bool never_in_place = !same_type;

    explicit row_writer(E& to)
        : m_data(first_element(to))
        , m_offsets(to.shape(), to.shape(), to.strides())
        , m_stride(
              columns_of(to.shape()) == 1
                  ? 1
                  : static_cast<std::ptrdiff_t>(to.strides()[to.dimension() - 1])
          )
        , m_buffer(in_place() ? nullptr : new T[columns_of(to.shape())]) {}

    void seek(std::size_t r) noexcept { m_row = m_data + m_offsets(r); }

    /// Whether block() gives the memory of the target.
    [[nodiscard]] bool in_place() const noexcept { return same_type && m_stride == 1; }

    /// Whether row 0 goes on through all rows.
    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return in_place() && m_offsets.uniform(n);
    }

    /// The address for columns from c on. Columns that are not written in place arrive with
    /// commit().
    T* block(std::size_t c) noexcept {
        if constexpr (same_type) {
            if (m_stride == 1) {
                return m_row + c;
            }
        }
        return m_buffer.get();
    }

    void commit(std::size_t c, std::size_t count) noexcept {
        if (in_place()) {
            return;
        }
        element* to = m_row + static_cast<std::ptrdiff_t>(c) * m_stride;
        for (std::size_t k = 0; k < count; ++k) {
            to[static_cast<std::ptrdiff_t>(k) * m_stride] = static_cast<element>(m_buffer[k]);
        }
    }

    /// Writes one column.
    void write(std::size_t c, const T& value) noexcept {
        m_row[static_cast<std::ptrdiff_t>(c) * m_stride] = static_cast<element>(value);
    }

private:
    element* m_data;
    element* m_row = nullptr;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    std::unique_ptr<T[]> m_buffer;
};

/// The rows of any other target, written through its stepper.
template <class T, class E>
class row_writer<T, E, false> {
public:
    static constexpr bool always_in_place = false;
    static constexpr bool never_in_place = true;

    explicit row_writer(E& to)
        : m_to(std::addressof(to))
        , m_stepper(to.stepper_begin(to.shape()))
        , m_buffer(new T[columns_of(to.shape())]) {}

    void seek(std::size_t r) {
        m_stepper = m_to->stepper_begin(m_to->shape());
        step_to_row(m_stepper, m_to->shape(), r);
        m_column = 0;
    }

    [[nodiscard]] bool in_place() const noexcept { return false; }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return false; }

    T* block(std::size_t /*c*/) noexcept { return m_buffer.get(); }

    void commit(std::size_t c, std::size_t count) {
        for (std::size_t k = 0; k < count; ++k) {
            *at(c + k) = static_cast<value_type_t<E>>(m_buffer[k]);
        }
    }

    void write(std::size_t c, const T& value) { *at(c) = static_cast<value_type_t<E>>(value); }

private:
    /// The stepper at column c of this row.
    auto& at(std::size_t c) {
        step_to_column(m_stepper, m_to->dimension() - 1, m_column, c);
        return m_stepper;
    }

    E* m_to;
    typename E::stepper m_stepper;
    std::size_t m_column = 0;
    std::unique_ptr<T[]> m_buffer;
};

/// The columns of a row that a delegate writes: column c is at first[c - base].
template <class T, bool Streaming>
class written_columns {
public:
    written_columns(T* first, std::size_t base) noexcept : m_first(first), m_base(base) {}

    static constexpr bool streams = Streaming;

    [[nodiscard]] XMASK_INLINE T* at(std::size_t c) const noexcept {
        return m_first + (c - m_base);
    }

    /// Prefetches lines of the result ahead of its whole blocks.
    template <class Count>
    XMASK_INLINE void prefetch(std::size_t c, Count /*count*/) const noexcept {
        if constexpr (std::is_same_v<Count, whole_word> && !Streaming) {
            prefetch_stores(at(c), word_columns * sizeof(T));
        }
    }

    /// Writes all elements of a block.
    template <class Block, class Count>
    XMASK_INLINE void store(std::size_t c, const Block& block, Count count) const {
        prefetch(c, count);
        store_block<Streaming && std::is_same_v<Count, whole_word>>(at(c), block, count);
    }

    /// Writes one value to columns [c, end).
    XMASK_INLINE void fill(std::size_t c, std::size_t end, const T& value) const noexcept {
        fill_columns<Streaming, filled_part::of_more>(at(c), at(end), value);
    }

private:
    T* m_first;
    std::size_t m_base;
};

/// Hands columns [c, end) to a delegate that writes to `row`. Blocks begin at aligned addresses.
template <class T, row_cursor C, walk_delegate D>
XMASK_INLINE void walk_aligned(
    const T* row, const C& cursor, std::size_t c, std::size_t end, D& delegate
) {
    const std::size_t head = std::min(columns_to_register(row + c), end - c);
    if (head != 0) {
        delegate.block(c, head, cursor.word(c) & first_bits(head));
    }
    walk(cursor, c + head, end, delegate);
}

/// Whether blocks begin at aligned addresses. Operations that also sum take `fixed`: their sums
/// must not depend on addresses.
enum class block_start { aligned, fixed };

/// The result of an operation, and how its rows are written.
template <class T, class E>
class row_target {
public:
    explicit row_target(E& to) : m_to(std::addressof(to)) {
        const std::size_t n = columns_of(to.shape());
        const std::size_t row_count = rows_of(to.shape());
        row_writer<T, E> writer(to);
        if (row_count != 0 && n != 0) {
            writer.seek(0);
            m_flat = writer.flat(n);
            m_streams = writer.in_place() && row_count * n * sizeof(T) >= streaming_bytes &&
                        can_stream(writer.block(0));
        }
    }

    /// Whether row 0 goes on through all rows.
    [[nodiscard]] bool flat() const noexcept { return m_flat; }

    /// Writes a piece. make(cursor, r, columns) gives the delegate that writes row r to `columns`.
    template <block_start Start = block_start::aligned, class Masks, class Make>
    void write(const row_plan& plan, const Masks& masks, const piece& part, Make&& make) const {
        using row_writer = detail::row_writer<T, E>;
        row_writer writer(*m_to);
        plan.for_each_row(
            masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end) {
                writer.seek(r);
                // Nothing is compiled for ways that the type of the target excludes.
                if constexpr (!row_writer::always_in_place) {
                    if (!writer.in_place()) {
                        write_buffered(writer, cursor, r, begin, end, make);
                        return;
                    }
                }
                if constexpr (has_lanes<T> && !row_writer::never_in_place) {
                    if (m_streams) {
                        write_row<true, Start>(writer.block(0), cursor, r, begin, end, make);
                        return;
                    }
                }
                if constexpr (!row_writer::never_in_place) {
                    write_row<false, Start>(writer.block(0), cursor, r, begin, end, make);
                }
            }
        );
        if (m_streams) {
            finish_streaming();
        }
    }

private:
    template <bool Streaming, block_start Start, class C, class Make>
    static void write_row(
        T* row, const C& cursor, std::size_t r, std::size_t begin, std::size_t end, Make&& make
    ) {
        auto delegate = make(cursor, r, written_columns<T, Streaming>(row, 0));
        if constexpr (Start == block_start::aligned || Streaming) {
            walk_aligned(row, cursor, begin, end, delegate);
        } else {
            walk(cursor, begin, end, delegate);
        }
        finish(delegate);
    }

    /// Writes a row through the buffer of the writer.
    template <class C, class Make>
    static void write_buffered(
        row_writer<T, E>& writer, const C& cursor, std::size_t r, std::size_t begin,
        std::size_t end, Make&& make
    ) {
        auto delegate = make(cursor, r, written_columns<T, false>(writer.block(begin), begin));
        walk(cursor, begin, end, delegate);
        finish(delegate);
        writer.commit(begin, end - begin);
    }

    /// Lets a delegate hand over its sums after the last column.
    template <class D>
    static void finish(D& delegate) {
        if constexpr (requires { delegate.finish(); }) {
            delegate.finish();
        }
    }

    E* m_to;
    bool m_flat = false;
    bool m_streams = false;
};

/// Writes every row of `to`. make(rows, r, columns) gives the delegate of row r.
template <class T, class E, class Masks, class Rows, class Make>
void write_rows(E& to, const masked_operands<Masks, Rows>& rows, Make&& make) {
    const row_target<T, E> result(to);
    const row_plan plan(
        to.shape(), layout_of(rows.masks, result.flat() && rows.rows.flat(rows.columns))
    );
    if (plan.empty()) {
        return;
    }
    for_each_piece(plan.cut(), rows, [&](const auto& own, const piece& part) {
        const auto make_row = [&](const auto& /*cursor*/, std::size_t r, auto columns) {
            return make(own.rows, r, columns);
        };
        result.write(plan, own.masks, part, make_row);
    });
}

/// The delegate that copies a row of an operand.
template <class Columns, class Row>
class copy_delegate {
public:
    copy_delegate(Columns to, Row row) : m_to(to), m_row(std::move(row)) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t /*bits*/) {
        m_to.store(c, m_row.block(c, count, first_bits(count)), count);
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

private:
    Columns m_to;
    Row m_row;
};

/// Copies an operand of elements of type T to a result.
template <class T, class E, operand_rows Rows>
void write_copy(E& to, const Rows& from) {
    write_rows<T>(
        to, masked_operands{all_rows(to.shape()), from, columns_of(to.shape())},
        [](const auto& rows, std::size_t r, auto columns) {
            return copy_delegate<decltype(columns), row_t<Rows>>(columns, rows.row(r));
        }
    );
}
} // namespace xmask::inline XMASK_ABI::detail
