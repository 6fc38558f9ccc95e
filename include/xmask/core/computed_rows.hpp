// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "bundle.hpp"
#include "simd.hpp"
#include "source_rows.hpp"
#include "word.hpp"

/// @file
/// Rows that are computed from other rows: several at once, a lazy function of them, elements of
/// another type.

namespace xmask::inline XMASK_ABI::detail {
/// A row that is computed from other rows: block by block, make(count, bits, blocks...) of their
/// blocks.
template <class Make, class... Row>
class computed_row {
public:
    explicit computed_row(const Make& make, Row... rows)
        : m_make(make), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto block(std::size_t c, std::size_t count, word_t bits)
        -> decltype(std::declval<Make&>()(count, bits, std::declval<block_t<Row>>()...)) {
        return m_rows.call([&](auto&... row) XMASK_INLINE_LAMBDA {
            return m_make(count, bits, row.block(c, count, bits)...);
        });
    }

private:
    Make m_make;
    bundle<Row...> m_rows;
};

/// The rows of an operand that is computed from other operands.
template <class Make, operand_rows... Rows>
class computed_rows {
public:
    explicit computed_rows(const Make& make, Rows... rows)
        : m_make(make), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return m_rows.call([&](const auto&... rows) XMASK_INLINE_LAMBDA {
            return computed_row<Make, row_t<Rows>...>(m_make, rows.row(r)...);
        });
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return m_rows.call([n](const auto&... rows) { return (rows.flat(n) && ...); });
    }

private:
    Make m_make;
    bundle<Rows...> m_rows;
};

/// Several operands at the same place.
struct zip {
    template <class... Block>
    XMASK_INLINE zip_block<Block...> operator()(
        std::size_t /*count*/, word_t /*bits*/, const Block&... blocks
    ) const {
        return zip_block<Block...>(blocks...);
    }
};

/// A row of each of several operands.
template <class... Row>
auto zip_row(Row... rows) {
    return computed_row<zip, Row...>(zip(), std::move(rows)...);
}

/// All rows of several operands.
template <class... Rows>
auto zip_rows(Rows... rows) {
    return computed_rows<zip, Rows...>(zip(), std::move(rows)...);
}

/// A lazy function of other operands.
template <class F>
struct lazy_call {
    F function;

    template <class... Block>
    XMASK_INLINE function_block<F, Block...> operator()(
        std::size_t /*count*/, word_t /*bits*/, const Block&... blocks
    ) const {
        return function_block<F, Block...>(function, blocks...);
    }
};

/// The rows of a lazy function of other operands.
template <class F, class... Rows>
auto function_rows(const F& f, Rows... rows) {
    return computed_rows<lazy_call<F>, Rows...>(lazy_call<F>{f}, std::move(rows)...);
}

/// Floats in memory as doubles, which registers widen.
struct widening {
    XMASK_INLINE widened_block operator()(
        std::size_t /*count*/, word_t /*bits*/, const memory_block<float>& block
    ) const noexcept {
        return widened_block(block.data());
    }
};

/// Elements converted to T in a buffer.
template <class T>
class conversion {
public:
    template <class Block>
    memory_block<T> operator()(std::size_t count, word_t bits, const Block& block) {
        T* const to = m_buffer.values;
        if (count == word_columns && bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                to[k] = static_cast<T>(block.at(k));
            }
        } else {
            // Dropped elements are not computed: they could trap (integer division), or call a
            // function of the user.
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? static_cast<T>(block.at(k)) : T();
            }
        }
        return memory_block<T>(to);
    }

private:
    block_buffer<T> m_buffer;
};

/// The rows of an operand, converted to T.
template <class T, class Rows>
auto converted_rows(Rows rows) {
    constexpr bool widens = has_lanes<double> && std::same_as<T, double> &&
                            std::same_as<block_t<row_t<Rows>>, memory_block<float>>;
    using make = std::conditional_t<widens, widening, conversion<T>>;
    return computed_rows<make, Rows>(make(), std::move(rows));
}
} // namespace xmask::inline XMASK_ABI::detail
