// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>

#include "attributes.hpp"
#include "computed_rows.hpp"
#include "functor.hpp"
#include "source_rows.hpp"
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
/// Whether reading dropped elements has no effect but the time it takes. True for memory, values,
/// and functions of registers of both. Other rows may call a function of the user, or trap.
template <class Row>
inline constexpr bool reads_freely = false;

template <class T>
inline constexpr bool reads_freely<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_freely<scalar_rows<T>> = true;

template <class Make, class... Row>
inline constexpr bool reads_freely<computed_row<Make, Row...>> =
    block_t<computed_row<Make, Row...>>::in_registers && (reads_freely<Row> && ...);

template <class T, class Row>
inline constexpr bool reads_freely<computed_row<conversion<T>, Row>> = false;

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
            return stepped_rows(e, shape);
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
        return std::apply(
            [&](const auto&... argument) {
                return function_rows(
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
        return converted_rows<T>(make_rows(e, shape));
    }
}
} // namespace xmask::inline XMASK_ABI::detail
