// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

#include "abi.hpp"
#include "attributes.hpp"

/// @file
/// Errors. One place words them, so that each names the function, the value, its place, and what
/// was expected. One place checks options.

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

/// Throws std::out_of_range: a value is outside of its range.
template <class... Parts>
[[noreturn]] XMASK_COLD void throw_out_of_range(const char* function, const Parts&... parts) {
    throw std::out_of_range(message(function, parts...));
}

/// The valid numbers of an option. NaN is never valid.
struct option_range {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool excludes_least = false;
    bool excludes_infinity = false;

    static constexpr option_range any_number() noexcept { return {}; }

    static constexpr option_range at_least(double least) noexcept { return {.least = least}; }

    static constexpr option_range above(double least) noexcept {
        return {.least = least, .excludes_least = true};
    }

    static constexpr option_range between(double least, double most) noexcept {
        return {.least = least, .most = most};
    }

    /// This range without the infinities.
    [[nodiscard]] constexpr option_range finite() const noexcept {
        return {least, most, excludes_least, true};
    }

    [[nodiscard]] constexpr bool contains(double value) const noexcept {
        constexpr double largest = std::numeric_limits<double>::max();
        return (excludes_least ? value > least : value >= least) && value <= most &&
               (!excludes_infinity || (value >= -largest && value <= largest));
    }

    [[nodiscard]] XMASK_COLD std::string text() const {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        const char* number = excludes_infinity ? "a finite number" : "a number";
        std::ostringstream out;
        if (excludes_least) {
            out << number << " above " << least;
            if (most != infinity) {
                out << ", at most " << most;
            }
        } else if (most != infinity) {
            out << least << " to " << most;
        } else if (least != -infinity) {
            out << (excludes_infinity ? "a finite number, " : "") << least << " or more";
        } else {
            out << number;
        }
        return out.str();
    }
};

/// Throws std::invalid_argument unless the value of an option is in range. All operations check
/// their options here. `otherwise` ends the sentence with other values that the caller accepts,
/// such as `, or -1 for none`.
inline void require_option(
    const char* function, const char* option, double value, const option_range& range,
    const char* otherwise = ""
) {
    if (!range.contains(value)) [[unlikely]] {
        throw_invalid(function, option, " is ", value, "; expected ", range.text(), otherwise);
    }
}

/// Throws std::invalid_argument unless all values of a list are in range. The error names the place
/// of the first one that is not.
template <class Values>
void require_each_option(
    const char* function, const char* option, const Values& values, const option_range& range
) {
    std::size_t place = 0;
    for (const auto& value : values) {
        if (!range.contains(static_cast<double>(value))) [[unlikely]] {
            throw_invalid(
                function, option, '[', place, "] is ", value, "; expected ", range.text()
            );
        }
        ++place;
    }
}
} // namespace xmask::inline XMASK_ABI::detail
