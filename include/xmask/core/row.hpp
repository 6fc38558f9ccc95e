// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "buffer.hpp"
#include "functor.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "word.hpp"
#include "xtensor.hpp"

/// @file
/// Operands: expressions of any layout, broadcast to the shape that is walked, and read row by row.
///
/// An operation makes rows once, of an expression and a shape. `rows.row(r)` gives one row.
/// `rows.flat(n)` says whether row 0 continues through all rows of n columns. `row.block(c, count,
/// bits)` gives columns [c, c + count), at most 64. The caller reads only columns whose bit is set;
/// the next call may overwrite the block. Blocks over contiguous memory point into the memory. Lazy
/// functions of such blocks are computed in registers. Other operands (strided views, generators,
/// mixed types) are collected in a buffer first.

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

/// One row of elements in memory at a constant stride. Contiguous rows are read in place. Other
/// rows are gathered into a buffer that all rows of an operand share.
template <class T>
class memory_row {
public:
    memory_row(const T* row, std::ptrdiff_t stride, T* buffer) noexcept
        : m_row(row), m_stride(stride), m_buffer(buffer) {}

    XMASK_INLINE memory_block<T> block(
        std::size_t c, std::size_t count, word_t /*bits*/
    ) const noexcept {
        if (m_stride == 1) [[likely]] {
            return memory_block<T>(m_row + c);
        }
        gather(m_buffer, m_row + static_cast<std::ptrdiff_t>(c) * m_stride, m_stride, count);
        return memory_block<T>(m_buffer);
    }

    /// The elements where they are contiguous, otherwise null.
    [[nodiscard]] XMASK_INLINE const T* contiguous() const noexcept {
        return m_stride == 1 ? m_row : nullptr;
    }

private:
    // Not inlined, so that loops over contiguous rows keep no registers for it.
    [[gnu::noinline]] static void gather(
        T* to, const T* from, std::ptrdiff_t stride, std::size_t count
    ) noexcept {
        if (stride == 0) {
            std::fill_n(to, count, *from);
            return;
        }
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = from[static_cast<std::ptrdiff_t>(k) * stride];
        }
    }

    const T* m_row;
    std::ptrdiff_t m_stride;
    T* m_buffer;
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
        return {m_data + m_offsets(r), m_stride, m_buffer.values};
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
    mutable block_buffer<T> m_buffer;
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

/// One row of any expression, read element by element through its stepper. Only elements whose bits
/// are set are read.
template <class E>
class stepped_row {
public:
    using value_type = std::remove_cv_t<value_type_t<E>>;

    stepped_row(typename E::const_stepper stepper, std::size_t last_axis)
        : m_stepper(stepper), m_last_axis(last_axis) {}

    memory_block<value_type> block(std::size_t c, std::size_t count, word_t bits) {
        for (bits &= first_bits(count); bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            step_to_column(m_stepper, m_last_axis, m_column, c + k);
            m_buffer.values[k] = *m_stepper;
        }
        return memory_block<value_type>(m_buffer.values);
    }

private:
    typename E::const_stepper m_stepper;
    std::size_t m_last_axis;
    std::size_t m_column = 0;
    block_buffer<value_type> m_buffer;
};

/// The rows of any expression.
template <class E, class S>
class stepped_rows {
public:
    stepped_rows(const E& e, const S& shape) : m_expression(std::addressof(e)), m_shape(shape) {}

    XMASK_INLINE stepped_row<E> row(std::size_t r) const {
        auto stepper = m_expression->stepper_begin(m_shape);
        step_to_row(stepper, m_shape, r);
        return {stepper, m_shape.size() - 1};
    }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return false; }

private:
    const E* m_expression;
    S m_shape;
};

/// The rows of several operands at the same place.
template <class... Row>
class zip_row {
public:
    explicit zip_row(Row... rows) : m_rows(std::move(rows)...) {}

    XMASK_INLINE zip_block<block_t<Row>...> block(std::size_t c, std::size_t count, word_t bits) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return zip_block<block_t<Row>...>(row.block(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    std::tuple<Row...> m_rows;
};

/// The rows of several operands.
template <operand_rows... Rows>
class zip_rows {
public:
    explicit zip_rows(Rows... rows) : m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows)
                XMASK_INLINE_LAMBDA { return zip_row<row_t<Rows>...>(rows.row(r)...); },
            m_rows
        );
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return call_with([n](const auto&... rows) { return (rows.flat(n) && ...); }, m_rows);
    }

private:
    std::tuple<Rows...> m_rows;
};

/// A lazy function of other rows.
template <class F, class... Row>
class function_row {
public:
    explicit function_row(const F& f, Row... rows) : m_function(f), m_rows(std::move(rows)...) {}

    XMASK_INLINE function_block<F, block_t<Row>...> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return function_block<F, block_t<Row>...>(m_function, row.block(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    F m_function;
    std::tuple<Row...> m_rows;
};

/// The rows of a lazy function of other operands.
template <class F, operand_rows... Rows>
class function_rows {
public:
    function_rows(const F& f, Rows... rows) : m_function(f), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return function_row<F, row_t<Rows>...>(m_function, rows.row(r)...);
            },
            m_rows
        );
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return call_with([n](const auto&... rows) { return (rows.flat(n) && ...); }, m_rows);
    }

private:
    F m_function;
    std::tuple<Rows...> m_rows;
};

/// A row whose elements are converted to T. Floats in memory are widened to doubles in registers;
/// other rows pass through a buffer.
template <class Row, class T>
class converted_row {
    static constexpr bool widens = has_lanes<double> && std::same_as<T, double> &&
                                   std::same_as<block_t<Row>, memory_block<float>>;

    struct no_buffer {};

public:
    explicit converted_row(Row row) : m_row(std::move(row)) {}

    XMASK_INLINE auto block(std::size_t c, std::size_t count, word_t bits) {
        if constexpr (widens) {
            return widened_block(m_row.block(c, count, bits).data());
        } else {
            convert(m_row.block(c, count, bits), count, bits);
            return memory_block<T>(m_buffer.values);
        }
    }

private:
    template <class Block>
    void convert(const Block& block, std::size_t count, word_t bits) {
        if (count == word_columns && bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                m_buffer.values[k] = static_cast<T>(block.at(k));
            }
            return;
        }
        // Dropped elements are not computed: they could trap (integer division), or call a function
        // of the user.
        for (std::size_t k = 0; k < count; ++k) {
            m_buffer.values[k] = (bits >> k & 1) != 0 ? static_cast<T>(block.at(k)) : T();
        }
    }

    Row m_row;
    std::conditional_t<widens, no_buffer, block_buffer<T>> m_buffer;
};

/// The rows of an operand, converted to T.
template <operand_rows Rows, class T>
class converted_rows {
public:
    explicit converted_rows(Rows rows) : m_rows(std::move(rows)) {}

    XMASK_INLINE converted_row<row_t<Rows>, T> row(std::size_t r) const {
        return converted_row<row_t<Rows>, T>(m_rows.row(r));
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept { return m_rows.flat(n); }

private:
    Rows m_rows;
};

/// Whether reading dropped elements has no effect but the time it takes. True for memory, values,
/// and functions of registers of both. Other rows may call a function of the user, or trap.
template <class Row>
inline constexpr bool reads_freely = false;

template <class T>
inline constexpr bool reads_freely<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_freely<scalar_rows<T>> = true;

template <class Row, class T>
inline constexpr bool reads_freely<converted_row<Row, T>> =
    std::same_as<block_t<converted_row<Row, T>>, widened_block> && reads_freely<Row>;

template <class F, class... Row>
inline constexpr bool reads_freely<function_row<F, Row...>> =
    block_t<function_row<F, Row...>>::in_registers && (reads_freely<Row> && ...);

/// Whether reading a dropped element costs no more than a load, which is less than the test whether
/// it is kept.
template <class Row>
inline constexpr bool reads_memory = false;

template <class T>
inline constexpr bool reads_memory<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_memory<scalar_rows<T>> = true;

/// The elements of a row where they are contiguous in memory, otherwise null.
template <class Row>
XMASK_INLINE auto contiguous_elements(const Row& row) noexcept {
    if constexpr (requires { row.contiguous(); }) {
        return row.contiguous();
    } else {
        return static_cast<const typename block_t<Row>::value_type*>(nullptr);
    }
}

/// One element of a row.
template <class Row>
XMASK_INLINE auto read_one(Row& row, std::size_t c) {
    return row.block(c, 1, 1).at(0);
}

/// One element of row r.
template <operand_rows Rows>
XMASK_INLINE auto read_at(const Rows& rows, std::size_t r, std::size_t c) {
    auto row = rows.row(r);
    return read_one(row, c);
}

template <class E, class S>
auto make_rows(const E& e, const S& shape);

/// Makes the rows of an expression, according to its kind. mask.hpp and applied.hpp specialize it
/// for masks and masked tensors.
template <class E>
struct row_maker {
    template <class S>
    static auto make(const E& e, const S& shape) {
        if constexpr (has_memory<E>) {
            return memory_rows<std::remove_cv_t<value_type_t<E>>>(e, shape);
        } else {
            return stepped_rows<E, S>(e, shape);
        }
    }
};

template <class CT>
struct row_maker<xt::xscalar<CT>> {
    template <class S>
    static auto make(const xt::xscalar<CT>& e, const S& /*shape*/) {
        return scalar_rows<std::remove_cv_t<value_type_t<xt::xscalar<CT>>>>(e.expression());
    }
};

template <class F, class... CT>
struct row_maker<xt::xfunction<F, CT...>> {
    template <class S>
    static auto make(const xt::xfunction<F, CT...>& e, const S& shape) {
        using functor = std::decay_t<decltype(row_functor<F, CT...>::of(e.functor()))>;
        return call_with(
            [&](const auto&... argument) {
                return function_rows<functor, decltype(make_rows(argument, shape))...>(
                    row_functor<F, CT...>::of(e.functor()), make_rows(argument, shape)...
                );
            },
            e.arguments()
        );
    }
};

template <class E, class S>
auto make_rows(const E& e, const S& shape) {
    return row_maker<E>::make(e, shape);
}

/// The rows of an expression as an operand of an operation on elements of type T.
template <class T, class E, class S>
auto make_operand(const E& e, const S& shape) {
    using rows = decltype(make_rows(e, shape));
    using block = block_t<row_t<rows>>;
    // In scalar loops, too, memory or one value of the right type needs no copy.
    constexpr bool direct = block::in_registers || std::same_as<block, memory_block<T>> ||
                            std::same_as<block, scalar_block<T>>;
    if constexpr (direct && std::same_as<typename block::value_type, T>) {
        return make_rows(e, shape);
    } else {
        return converted_rows<rows, T>(make_rows(e, shape));
    }
}
} // namespace xmask::inline XMASK_ABI::detail
