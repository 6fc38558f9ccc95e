// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Sizes, and the tensors of all benchmarks.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <xmask/xmask.hpp>

#if __has_include(<xtensor/misc/xset_operation.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xset_operation.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xmath.hpp>
#include <xtensor/xset_operation.hpp>
#include <xtensor/xview.hpp>
#endif

#include "compare.hpp"
#include "copy.hpp"

namespace bench {
// ---- Sizes ------------------------------------------------------------------------------------------------------

struct size {
    const char* name;
    std::size_t rows;
    std::size_t columns;

    std::array<std::size_t, 2> shape() const { return {rows, columns}; }

    std::size_t elements() const { return rows * columns; }

    // The same bytes of a wider type.
    size of_width(std::size_t bytes) const { return {name, rows, columns * sizeof(float) / bytes}; }
};

inline size tiny() { return {"4 x 16", 4, 16}; }

inline size l2() { return {"L2", 64, 512}; }

inline size l3() { return {"L3", 512, 4096}; }

inline size dram() { return {"DRAM", is_smoke_run() ? 256u : 4096u, 8192}; }

// The sizes of most benchmarks. A short run uses the size of L3 in place of DRAM.
inline std::vector<size> all_sizes() {
    return is_smoke_run() ? std::vector{tiny(), l2(), dram()}
                          : std::vector{tiny(), l2(), l3(), dram()};
}

inline std::vector<double> all_densities() { return {0.1, 0.5, 0.9, 1.0}; }

// The shares that are kept where the cost against the density is measured.
inline constexpr double densities[] = {0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};

inline std::string percent(double density) {
    return std::to_string(std::lround(100 * density)) + "%";
}

// The last parts of the name of a row.
inline std::string tail(const std::string& what, double density, const size& s) {
    return "/" + what + "/" + percent(density) + "/" + s.name;
}

// ---- Numbers ----------------------------------------------------------------------------------------------------

using table = xt::xtensor<float, 2>;
using bool_table = xt::xtensor<bool, 2>;

// Any benchmark may run alone: its inputs must not depend on earlier ones.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : m_state(seed * 0x9E3779B97F4A7C15u + 1) {}

    std::uint64_t next() {
        m_state = m_state * 6364136223846793005u + 1442695040888963407u;
        return m_state >> 40;
    }

    // In [0, 1), a float without rounding.
    double uniform() { return static_cast<double>(next()) / static_cast<double>(1 << 24); }

private:
    std::uint64_t m_state;
};

inline table random_floats(const size& s, std::uint64_t seed) {
    table x(s.shape());
    random_numbers random(seed);
    std::generate_n(x.data(), x.size(), [&] { return static_cast<float>(random.uniform()); });
    return x;
}

// Cached, because each size is used often.
inline table& kept_table(const size& s, std::uint64_t seed, const std::function<table()>& make) {
    static std::map<std::tuple<std::size_t, std::size_t, std::uint64_t>, table> made;
    const std::tuple key(s.rows, s.columns, seed);
    auto at = made.find(key);
    if (at == made.end()) {
        at = made.emplace(key, make()).first;
    }
    return at->second;
}

// In [0, 1).
inline const table& operand(const size& s, std::uint64_t seed = 1) {
    return kept_table(s, seed, [&] { return random_floats(s, seed); });
}

// A result that is already in memory.
inline table& output(const size& s) {
    return kept_table(s, 0, [&] { return table(s.shape(), 0.f); });
}

template <class T, std::size_t N>
contender copy_of(const xt::xtensor<T, N>& from, xt::xtensor<T, N>& to) {
    return faster(
        [&] { copy<stores::plain>(from.data(), to.data(), from.size()); },
        [&] { copy<stores::streaming>(from.data(), to.data(), from.size()); }
    );
}

// ---- Answers ----------------------------------------------------------------------------------------------------

inline bool close(double a, double b, double tolerance = 1e-5) {
    return a == b || std::abs(a - b) <= tolerance * std::abs(b);
}

template <class A, class B>
bool same(const A& a, const B& b) {
    return std::equal(
        a.storage().begin(), a.storage().end(), b.storage().begin(), b.storage().end()
    );
}

// Whether y is as expected. Clears y.
template <class Y>
answer_check is(Y& y, Y expected) {
    return [&y, expected = std::move(expected)] {
        const bool right = same(y, expected);
        y.fill(typename Y::value_type());
        return right;
    };
}

// Whether a number is close to the expected one. Sums in float get a matching tolerance.
inline answer_check is_about(double& number, double expected, double tolerance = 1e-4) {
    return [&number, expected, tolerance] {
        const bool right = close(number, expected, tolerance);
        number = std::numeric_limits<double>::quiet_NaN();
        return right;
    };
}
} // namespace bench
