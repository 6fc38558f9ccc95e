// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "abi.hpp"
#include "attributes.hpp"

/// @file
/// The rows of a mask or of an operand as a function of their number.

namespace xmask::inline XMASK_ABI::detail {
/// The rows f(r), made for one operation: cursors of a mask, or rows of an operand.
template <class F>
class row_function {
public:
    explicit row_function(F f) : m_function(std::move(f)) {}

    XMASK_INLINE auto row(std::size_t r) const { return m_function(r); }

    /// No row of the operand continues in the next.
    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    F m_function;
};
} // namespace xmask::inline XMASK_ABI::detail
