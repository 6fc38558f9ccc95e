// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "../core/abi.hpp"
#include "../core/attributes.hpp"

/// @file
/// The rows of a rule as a function of their number.

namespace xmask::inline XMASK_ABI::detail {
/// The rows of a rule, made for one operation: f(r) gives the cursor of row r.
template <class F>
class row_function {
public:
    explicit row_function(F f) : m_function(std::move(f)) {}

    XMASK_INLINE auto row(std::size_t r) const { return m_function(r); }

private:
    F m_function;
};
} // namespace xmask::inline XMASK_ABI::detail
