// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"

/// @file
/// The rule of masks that are computed from row and column numbers.

namespace xmask::inline XMASK_ABI::detail {
/// Gives the cursor of each row by its number. May have `bool one_row() const`: whether all rows
/// are alike.
template <class F>
concept cursor_function = requires(const F& function, std::size_t r) {
    { function(r) } -> row_cursor;
};

/// A rule that reads no tensor: a name, a shape, and a cursor for each row number. Function objects
/// rather than lambdas make masks that can be assigned.
template <class S, cursor_function F>
class computed_rule {
public:
    using shape_type = S;

    computed_rule(const char* name, S shape, F function)
        : m_name(name), m_shape(std::move(shape)), m_function(std::move(function)) {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const S& shape() const noexcept { return m_shape; }

    [[nodiscard]] static auto sources() noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE auto row(std::size_t r) const { return m_function(r); }

    [[nodiscard]] bool one_row() const noexcept
        requires requires(const F& function) { function.one_row(); }
    {
        return m_function.one_row();
    }

private:
    const char* m_name;
    S m_shape;
    F m_function;
};
} // namespace xmask::inline XMASK_ABI::detail
