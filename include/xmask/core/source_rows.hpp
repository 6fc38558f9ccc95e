// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "row_function.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "word.hpp"
#include "xtensor.hpp"

/// @file
/// The protocol of rows, and rows that need no other rows: of memory, of one value, and of
/// expressions that are read element by element.

namespace xmask::inline XMASK_ABI::detail {
/// The type of one row of Rows.
template <class Rows>
using row_t = std::decay_t<decltype(std::declval<const Rows&>().row(0))>;

/// The type of one block of Row.
template <class Row>
using block_t = std::decay_t<decltype(std::declval<Row&>().block(0, std::size_t(), word_t()))>;

/// The rows of an operand.
template <class R>
concept operand_rows = requires(const R& rows, row_t<R>& row, std::size_t n) {
    { rows.flat(n) } -> std::same_as<bool>;
    row.block(n, n, word_t());
};

/// Room for the elements of a block that are not contiguous.
template <class T>
struct gathered_elements : block_buffer<T> {
    gathered_elements() noexcept {}

    gathered_elements(const gathered_elements& /*other*/) noexcept : block_buffer<T>() {}

    gathered_elements& operator=(const gathered_elements& /*other*/) noexcept {
        repeated = nullptr;
        return *this;
    }

    /// The one element that fills all of the room, or null.
    const T* repeated = nullptr;
};

/// One row of elements in memory at a constant stride. Contiguous rows are read in place. Other
/// rows are gathered into a buffer that all rows of an operand share. A row of one repeated element
/// fills the buffer once.
template <class T>
class memory_row {
public:
    memory_row(const T* row, std::ptrdiff_t stride, gathered_elements<T>* buffer) noexcept
        : m_row(row), m_stride(stride), m_buffer(buffer) {}

    XMASK_INLINE memory_block<T> block(
        std::size_t c, std::size_t count, word_t /*bits*/
    ) const noexcept {
        if (m_stride == 1) [[likely]] {
            return memory_block<T>(m_row + c);
        }
        if (m_buffer->repeated != m_row) {
            gather(*m_buffer, m_row + static_cast<std::ptrdiff_t>(c) * m_stride, m_stride, count);
        }
        return memory_block<T>(m_buffer->values);
    }

    /// The elements where they are contiguous, otherwise null.
    [[nodiscard]] XMASK_INLINE const T* contiguous() const noexcept {
        return m_stride == 1 ? m_row : nullptr;
    }

private:
    // Not inlined, so that loops over contiguous rows keep no registers for it.
    [[gnu::noinline]] static void gather(
        gathered_elements<T>& to, const T* from, std::ptrdiff_t stride, std::size_t count
    ) noexcept {
        if (stride == 0) {
            std::fill_n(to.values, word_columns, *from);
            to.repeated = from;
            return;
        }
        for (std::size_t k = 0; k < count; ++k) {
            to.values[k] = from[static_cast<std::ptrdiff_t>(k) * stride];
        }
    }

    const T* m_row;
    std::ptrdiff_t m_stride;
    gathered_elements<T>* m_buffer;
};

/// The rows of a tensor or view in memory.
template <class T>
class memory_rows {
public:
    template <class E, class S>
    memory_rows(const E& e, const S& shape)
        : m_data(first_element(e))
        , m_offsets(shape, e.shape(), e.strides())
        , m_stride(last_stride(e, columns_of(shape))) {}

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return m_stride == 1 && m_offsets.uniform(n);
    }

    XMASK_INLINE memory_row<T> row(std::size_t r) const noexcept {
        return {m_data + m_offsets(r), m_stride, &m_buffer};
    }

private:
    template <class E>
    static std::ptrdiff_t last_stride(const E& e, std::size_t n) {
        if (n == 1) {
            return 1;
        }
        return columns_of(e.shape()) == 1
                   ? 0
                   : static_cast<std::ptrdiff_t>(e.strides()[e.dimension() - 1]);
    }

    const T* m_data;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    mutable gathered_elements<T> m_buffer;
};

/// One value for every column of every row.
template <class T>
class scalar_rows {
public:
    explicit scalar_rows(const T& value) noexcept : m_value(value) {}

    XMASK_INLINE scalar_rows row(std::size_t /*r*/) const noexcept { return *this; }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return true; }

    XMASK_INLINE scalar_block<T> block(
        std::size_t /*c*/, std::size_t /*count*/, word_t /*bits*/
    ) const noexcept {
        return scalar_block<T>(m_value);
    }

private:
    T m_value;
};

/// A row whose elements a function writes to a buffer: fill(to, c, count, bits) writes columns
/// [c, c + count). It may leave out those whose bit is not set.
template <class T, class Fill>
class buffered_row {
public:
    explicit buffered_row(Fill fill) : m_fill(std::move(fill)) {}

    memory_block<T> block(std::size_t c, std::size_t count, word_t bits) {
        m_fill(m_buffer.values, c, count, bits);
        return memory_block<T>(m_buffer.values);
    }

private:
    Fill m_fill;
    block_buffer<T> m_buffer;
};

template <class T, class Fill>
auto make_buffered_row(Fill fill) {
    return buffered_row<T, Fill>(std::move(fill));
}

/// Moves a stepper along the last axis from `column` to `to`.
template <class Stepper>
XMASK_INLINE void step_to_column(
    Stepper& stepper, std::size_t last_axis, std::size_t& column, std::size_t to
) {
    if (to > column) {
        stepper.step(last_axis, to - column);
    } else if (to < column) {
        stepper.step_back(last_axis, column - to);
    }
    column = to;
}

/// Moves a stepper over `shape` from its beginning to the start of row r.
template <class Stepper, class S>
void step_to_row(Stepper& stepper, const S& shape, std::size_t r) {
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        const auto extent = static_cast<std::size_t>(shape[axis - 1]);
        if (r % extent != 0) {
            stepper.step(axis - 1, r % extent);
        }
        r /= extent;
    }
}

/// The rows of any expression, read element by element through its stepper. Only elements whose
/// bits are set are read.
template <class E, class S>
auto stepped_rows(const E& e, const S& shape) {
    return row_function([&e, shape](std::size_t r) {
        using value_type = std::remove_cv_t<value_type_t<E>>;
        auto stepper = e.stepper_begin(shape);
        step_to_row(stepper, shape, r);
        return make_buffered_row<value_type>([stepper, axis = shape.size() - 1,
                                              column = std::size_t(0
                                              )](value_type* to, std::size_t c, std::size_t count,
                                                 word_t bits) mutable {
            for (bits &= first_bits(count); bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                step_to_column(stepper, axis, column, c + k);
                to[k] = *stepper;
            }
        });
    });
}
} // namespace xmask::inline XMASK_ABI::detail
