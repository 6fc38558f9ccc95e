// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "abi.hpp"
#include "attributes.hpp"

/// @file
/// Errors: one place that words them, so that each names the function, the value, where it stands,
/// what was expected.

namespace xmask::inline XMASK_ABI::detail {
/// (2, 3) for a shape or any other list of numbers, as Python prints a tuple: (2,) for one number.
template <class S>
XMASK_COLD std::string tuple_text(const S& numbers) {
    std::ostringstream out;
    out << '(';
    const char* comma = "";
    for (const auto& number : numbers) {
        out << comma << +number;
        comma = ", ";
    }
    out << (numbers.size() == 1 ? ",)" : ")");
    return out.str();
}

template <class... Parts>
XMASK_COLD std::string message(const char* function, const Parts&... parts) {
    std::ostringstream out;
    out << "xmask::" << function << ": ";
    (out << ... << parts);
    return out.str();
}

/// Throws std::invalid_argument: the arguments do not fit together.
template <class... Parts>
[[noreturn]] XMASK_COLD void throw_invalid(const char* function, const Parts&... parts) {
    throw std::invalid_argument(message(function, parts...));
}

/// Throws std::out_of_range: a value lies outside of what was promised.
template <class... Parts>
[[noreturn]] XMASK_COLD void throw_out_of_range(const char* function, const Parts&... parts) {
    throw std::out_of_range(message(function, parts...));
}
} // namespace xmask::inline XMASK_ABI::detail
