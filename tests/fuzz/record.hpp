// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

#include "draw.hpp"

/// @file
/// Comparisons with their tolerances, and the messages for differences.

namespace fuzz {
/// The totals of all cases so far.
struct totals {
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t elements = 0;
    std::map<std::string, std::uint64_t> differences; ///< the count for each operation
};

/// Whether two values are the same number: any NaN equals any other, 0 does not equal -0.
template <class T>
bool same_value(const T& a, const T& b) noexcept {
    if constexpr (std::is_floating_point_v<T>) {
        return (a != a && b != b) || (a == b && std::signbit(a) == std::signbit(b));
    } else {
        return a == b;
    }
}

template <class T>
std::string text_of(const T& value) {
    std::ostringstream text;
    text.precision(17);
    text << +value;
    return text.str();
}

/// The allowed distance of a result from a reference in double: relative to a size, which is that
/// of the reference, or larger where summands cancel.
struct bound {
    double relative;
    double absolute = 0;
};

/// One case of a family: its random numbers, its operands as text, and its differences.
class record {
public:
    record(std::string_view family, std::uint64_t seed, totals& all)
        : d(dice(seed ^ number_of(family)).bits()), m_family(family), m_seed(seed), m_all(all) {}

    dice d;
    std::string mask;     ///< the expression of the mask
    std::string operands; ///< types, layouts and shapes of the operands

    [[nodiscard]] bool failed() const noexcept { return m_failed; }

    [[nodiscard]] std::uint64_t seed() const noexcept { return m_seed; }

    /// Counts compared elements.
    void count(std::size_t elements) noexcept { m_all.elements += elements; }

    void that(std::string_view what, bool holds, const std::string& text = "") {
        count(1);
        if (!holds) {
            differ(what, text.empty() ? "does not hold" : text);
        }
    }

    template <class T>
    void number(std::string_view what, const T& got, const T& expected) {
        count(1);
        if (!same_value(got, expected)) {
            differ(what, "got " + text_of(got) + ", expected " + text_of(expected));
        }
    }

    /// Compares elements that must be equal, in row-major order of a shape.
    template <class G, class E>
    void same(std::string_view what, const G& got, const E& expected, const shape_t& shape) {
        using T = std::remove_cvref_t<decltype(expected[0])>;
        count(expected.size());
        if (got.size() != expected.size()) {
            differ(
                what, "got " + std::to_string(got.size()) + " elements, expected " +
                          std::to_string(expected.size())
            );
            return;
        }
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (!same_value(static_cast<T>(got[i]), expected[i])) {
                differ_at(what, i, shape, text_of(got[i]), text_of(expected[i]));
                return;
            }
        }
    }

    /// Compares numbers that must be close: |got - expected| <= relative * size + absolute. An
    /// infinity or NaN must be equal, and also an infinity from an overflow of the type.
    template <class G>
    void close(
        std::string_view what, const G& got, const array<double>& expected,
        const array<double>& size, bound by, const shape_t& shape
    ) {
        count(expected.size());
        if (got.size() != expected.size()) {
            differ(
                what, "got " + std::to_string(got.size()) + " elements, expected " +
                          std::to_string(expected.size())
            );
            return;
        }
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (!near(got[i], expected[i], by.relative * size[i] + by.absolute)) {
                differ_at(what, i, shape, text_of(got[i]), text_of(expected[i]));
                return;
            }
        }
    }

    template <class G>
    void close(
        std::string_view what, const G& got, const array<double>& expected, bound by,
        const shape_t& shape
    ) {
        array<double> size(expected.size());
        for (std::size_t i = 0; i < size.size(); ++i) {
            size[i] = std::abs(expected[i]);
        }
        close(what, got, expected, size, by, shape);
    }

    template <class T>
    void near_number(std::string_view what, const T& got, double expected, double error) {
        count(1);
        if (!near(got, expected, error)) {
            differ(what, "got " + text_of(got) + ", expected " + text_of(expected));
        }
    }

    void differ(std::string_view what, const std::string& text);

private:
    /// FNV-1a: families draw different numbers from one seed.
    static std::uint64_t number_of(std::string_view text) noexcept {
        std::uint64_t hash = 0xcbf29ce484222325;
        for (const char letter : text) {
            hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
        }
        return hash;
    }

    template <class T>
    static bool near(const T& got, double expected, double error) {
        const auto g = static_cast<double>(got);
        if (std::isnan(expected) || std::isnan(g)) {
            return std::isnan(expected) && std::isnan(g);
        }
        if (std::isinf(expected) || std::isinf(g)) {
            return g == expected || static_cast<T>(expected) == got;
        }
        return std::abs(g - expected) <= error;
    }

    void differ_at(
        std::string_view what, std::size_t i, const shape_t& shape, const std::string& got,
        const std::string& expected
    );

    std::string m_family;
    std::uint64_t m_seed;
    totals& m_all;
    bool m_failed = false;
};

/// A family of operations: the comparisons of one case.
struct family {
    const char* name;
    void (*run)(record& r);
};
} // namespace fuzz
