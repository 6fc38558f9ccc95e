// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

#include "abi.hpp"
#include "word.hpp"

/// @file
/// Room for a few elements on the stack.

namespace xmask::inline XMASK_ABI::detail {
/// Uninitialized room for elements. A copy does not copy the elements, so that rows are cheap to
/// move.
template <class T, std::size_t N = word_columns>
struct block_buffer {
    block_buffer() noexcept {}

    block_buffer(const block_buffer&) noexcept {}

    block_buffer& operator=(const block_buffer&) noexcept { return *this; }

    T values[N];
};
} // namespace xmask::inline XMASK_ABI::detail
