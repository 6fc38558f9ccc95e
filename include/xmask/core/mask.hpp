// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "buffer.hpp"
#include "mask_expression.hpp"
#include "mask_rows.hpp"
#include "operators.hpp"
#include "row.hpp"
#include "target.hpp"
#include "word.hpp"

/// @file
/// Masks with all they can do: the operators, and a mask as an operand of a larger expression.
/// xtensor's operators would be found in place of xmask's if a header had masks without them.

namespace xmask::inline XMASK_ABI::detail {
/// A row of a mask as an operand of a larger expression: elements of bool.
template <class Cursor>
class mask_operand_row {
public:
    explicit mask_operand_row(Cursor cursor) : m_cursor(std::move(cursor)) {}

    memory_block<bool> block(std::size_t c, std::size_t count, word_t /*bits*/) {
        const unpack_delegate<bool, written_columns<bool, false>> unpack({m_buffer.values, c});
        unpack.block(c, count, m_cursor.word(c));
        return memory_block<bool>(m_buffer.values);
    }

private:
    Cursor m_cursor;
    block_buffer<bool> m_buffer;
};

/// The rows of a mask as an operand of a larger expression.
template <class M>
class mask_operand_rows {
public:
    template <class S>
    mask_operand_rows(const M& m, const S& shape) : m_masks(m, shape) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return mask_operand_row<typename mask_rows<M>::cursor>(m_masks.row(r));
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    mask_rows<M> m_masks;
};

template <mask_rule Rule>
struct row_maker<mask<Rule>> {
    template <class S>
    static auto make(const mask<Rule>& m, const S& shape) {
        return mask_operand_rows<mask<Rule>>(m, shape);
    }
};
} // namespace xmask::inline XMASK_ABI::detail
