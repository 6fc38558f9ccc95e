// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

#include "mask_expression.hpp"
#include "mask_rows.hpp"
#include "operators.hpp"
#include "row.hpp"
#include "row_function.hpp"
#include "source_rows.hpp"
#include "target.hpp"
#include "word.hpp"

/// @file
/// Masks with all they can do: the operators, and a mask as an operand of a larger expression.
/// xtensor's operators would be found in place of xmask's if a header had masks without them.

namespace xmask::inline XMASK_ABI::detail {
/// The rows of a mask as an operand of a larger expression: elements of bool.
template <mask_rule Rule>
struct row_maker<mask<Rule>> {
    template <class S>
    static auto make(const mask<Rule>& m, const S& shape) {
        return row_function([masks = mask_rows<mask<Rule>>(m, shape)](std::size_t r) {
            return make_buffered_row<bool>([cursor = masks.row(r
                                            )](bool* to, std::size_t c, std::size_t count,
                                               word_t /*bits*/) {
                const unpack_delegate<bool, written_columns<bool, false>> unpack({to, c});
                unpack.block(c, count, cursor.word(c));
            });
        });
    }
};
} // namespace xmask::inline XMASK_ABI::detail
