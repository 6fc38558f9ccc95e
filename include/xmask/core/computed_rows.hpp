// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "buffer.hpp"
#include "simd.hpp"
#include "source_rows.hpp"
#include "word.hpp"

/// @file
/// Rows that are computed from other rows: several at once, a lazy function of them, elements of
/// another type.

namespace xmask::inline XMASK_ABI::detail {
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
} // namespace xmask::inline XMASK_ABI::detail
