// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>

#include "row.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "xtensor.hpp"

/// @file
/// Results, written row by row into any assignable expression.

namespace xmask::inline XMASK_ABI::detail {
/// Gives the container `to` the shape, or throws std::invalid_argument where it can't take it.
template <class E, class S>
void resize_or_check(const char* function, const char* what, E& to, const S& shape) {
    require_countable(function, shape);
    if constexpr (requires { to.resize(shape); }) {
        // A rank that is part of the type can't change, and xtensor does not check it.
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

/// Rows of a destination in memory. Where they are contiguous and of type T, blocks are written in
/// place; otherwise 64 elements are collected, then scattered and converted.
template <class T, class E, bool InMemory = has_memory<E>>
class row_writer {
    using element = std::remove_cv_t<value_type_t<E>>;
    static constexpr bool same_type = std::is_same_v<element, T>;

public:
    explicit row_writer(E& to)
        : m_data(to.data() + to.data_offset())
        , m_offsets(to.shape(), to.shape(), to.strides())
        , m_stride(
              columns_of(to.shape()) == 1
                  ? 1
                  : static_cast<std::ptrdiff_t>(to.strides()[to.dimension() - 1])
          ) {}

    void seek(std::size_t r) noexcept { m_row = m_data + m_offsets(r); }

    /// Whether blocks are the destination's own memory.
    [[nodiscard]] bool in_place() const noexcept { return same_type && m_stride == 1; }

    /// Whether one row of blocks goes on in the next, too.
    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return in_place() && m_offsets.uniform(n);
    }

    /// Where columns [c, c + 64) are to be written; they arrive with commit().
    T* block(std::size_t c) noexcept {
        if constexpr (same_type) {
            if (m_stride == 1) {
                return m_row + c;
            }
        }
        return m_buffer.values;
    }

    void commit(std::size_t c, std::size_t count) noexcept {
        if (in_place()) {
            return;
        }
        element* to = m_row + static_cast<std::ptrdiff_t>(c) * m_stride;
        for (std::size_t k = 0; k < count; ++k) {
            to[static_cast<std::ptrdiff_t>(k) * m_stride] =
                static_cast<element>(m_buffer.values[k]);
        }
    }

    /// Writes `value` to column c + k for each set bit k.
    void write(std::size_t c, word_t bits, const T& value) noexcept {
        for (; bits != 0; bits &= bits - 1) {
            m_row[static_cast<std::ptrdiff_t>(c + lowest_bit(bits)) * m_stride] =
                static_cast<element>(value);
        }
    }

private:
    element* m_data;
    element* m_row = nullptr;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    block_buffer<T> m_buffer;
};

/// Rows of any other destination, by its stepper.
template <class T, class E>
class row_writer<T, E, false> {
public:
    explicit row_writer(E& to)
        : m_to(std::addressof(to)), m_stepper(to.stepper_begin(to.shape())) {}

    void seek(std::size_t r) {
        m_stepper = m_to->stepper_begin(m_to->shape());
        step_to_row(m_stepper, m_to->shape(), r);
        m_column = 0;
    }

    [[nodiscard]] bool in_place() const noexcept { return false; }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return false; }

    T* block(std::size_t /*c*/) noexcept { return m_buffer.values; }

    void commit(std::size_t c, std::size_t count) {
        for (std::size_t k = 0; k < count; ++k) {
            *at(c + k) = static_cast<value_type_t<E>>(m_buffer.values[k]);
        }
    }

    void write(std::size_t c, word_t bits, const T& value) {
        for (; bits != 0; bits &= bits - 1) {
            *at(c + lowest_bit(bits)) = static_cast<value_type_t<E>>(value);
        }
    }

private:
    /// The stepper at column c of this row.
    auto& at(std::size_t c) {
        step_to_column(m_stepper, m_to->dimension() - 1, m_column, c);
        return m_stepper;
    }

    E* m_to;
    typename E::stepper m_stepper;
    std::size_t m_column = 0;
    block_buffer<T> m_buffer;
};
} // namespace xmask::inline XMASK_ABI::detail
