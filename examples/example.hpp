// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The common part of the examples: checks that end a program, numbers as text, and the results of
// PyTorch for comparison.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>

#include <xmask/xmask.hpp>

#if __has_include(<xtensor/io/xnpy.hpp>)
#include <xtensor/io/xnpy.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xnpy.hpp>
#include <xtensor/xview.hpp>
#endif

#ifndef EXAMPLE_REFERENCE
#define EXAMPLE_REFERENCE "tests/data"
#endif

namespace example {
/// Ends the program with status 1 unless `holds`.
inline void check(bool holds, const std::string& what) {
    if (!holds) {
        std::cerr << "It does not hold that " << what << ".\n";
        std::exit(1);
    }
}

/// Rows of numbers in aligned columns. Very large numbers are short.
template <class E>
std::string table(const E& e, int digits = 2, const std::string& indent = "    ") {
    std::ostringstream out;
    out << std::fixed << std::setprecision(digits);
    const std::size_t columns = e.dimension() == 0 ? 1 : e.shape()[e.dimension() - 1];
    for (std::size_t i = 0; i < e.size(); ++i) {
        const auto value = static_cast<double>(e.flat(i));
        out << (i % columns == 0 ? indent : "");
        if (std::abs(value) >= 1e6) {
            std::ostringstream large;
            large << value;
            out << std::setw(digits + 5) << large.str();
        } else {
            out << std::setw(digits + 5) << value;
        }
        out << ((i + 1) % columns == 0 ? "\n" : "");
    }
    return out.str();
}

/// An array of a reference case, computed by PyTorch in double.
template <class T>
xt::xarray<T> reference(const std::string& name, const std::string& array) {
    std::string path = EXAMPLE_REFERENCE "/";
    path.append(name).append("/").append(array).append(".npy");
    return xt::load_npy<T>(path);
}

/// A single number of a reference case.
inline double reference_number(const std::string& name, const std::string& array) {
    return reference<double>(name, array).flat(0);
}

/// The largest |a - b|, relative to |b| where that is more than 1; infinite where the shapes
/// differ.
template <class A, class B>
double difference(const A& a, const B& b) {
    if (!std::equal(a.shape().begin(), a.shape().end(), b.shape().begin(), b.shape().end())) {
        return std::numeric_limits<double>::infinity();
    }
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a.flat(i));
        const auto y = static_cast<double>(b.flat(i));
        largest = std::max(largest, std::abs(x - y) / std::max(1., std::abs(y)));
    }
    return largest;
}

inline double difference(double a, double b) { return std::abs(a - b) / std::max(1., std::abs(b)); }

/// Prints the difference of a result from PyTorch's, and ends the program where it is too large.
template <class A, class B>
void compare(const std::string& what, const A& a, const B& b, double tolerance = 1e-5) {
    const double largest = difference(a, b);
    std::cout << "    " << std::left << std::setw(50) << what << std::right << "differs by at most "
              << largest << '\n';
    check(largest <= tolerance, what + " agrees with PyTorch to " + std::to_string(tolerance));
}
} // namespace example
