// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

#include "abi.hpp"
#include "cursor.hpp"
#include "word.hpp"

/// @file
/// The cursor of masks that keep one range of a row: lengths, windows, constants.

namespace xmask::inline XMASK_ABI::detail {
/// A row that keeps one range of columns.
class range_cursor {
public:
    explicit constexpr range_cursor(column_range kept) noexcept : m_kept(kept) {}

    [[nodiscard]] XMASK_INLINE constexpr word_t word(std::size_t c) const noexcept {
        return range_word(m_kept, c);
    }

    [[nodiscard]] XMASK_INLINE constexpr stretch at(std::size_t c) const noexcept {
        return stretch_of(m_kept, c);
    }

    [[nodiscard]] constexpr column_range range() const noexcept { return m_kept; }

private:
    column_range m_kept;
};
} // namespace xmask::inline XMASK_ABI::detail
