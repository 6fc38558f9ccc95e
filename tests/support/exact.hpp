// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/threshold.hpp>

#include "support/oracle.hpp"

/// @file
/// Numbers at which comparisons of two types go wrong. All of them, and every float, double and
/// 64-bit integer, are exact in long double, in which the oracle compares.

namespace exact {
#ifdef XMASK_TEST_EMULATED
// An emulator takes 15 times as long, so that it gets a quarter of the thresholds.
constexpr std::size_t thinning = 4;
#else
constexpr std::size_t thinning = 1;
#endif

inline std::vector<long double> numbers() {
    std::vector<long double> all = {
        0.L,
        0.1,
        0.1f,
        0.5L,
        1.L,
        1.5L,
        2.L,
        126.5L,
        127.L,
        127.5L,
        128.L,
        128.5L,
        129.L,
        254.5L,
        255.L,
        255.5L,
        256.L,
        65535.L,
        16777215.L,
        16777216.L,
        16777217.L,
        16777217.5L,
        1e-300,
        1e39,
        1e300,
        std::numeric_limits<float>::max(),
        std::numeric_limits<double>::max(),
        std::numeric_limits<float>::min(),
        std::numeric_limits<float>::denorm_min(),
        std::numeric_limits<double>::denorm_min(),
        std::nextafter(double(std::numeric_limits<float>::max()), 1e39),
        std::nextafter(1.f, 2.f),
        std::nextafter(1., 2.),
        std::numeric_limits<long double>::infinity(),
        std::numeric_limits<long double>::quiet_NaN(),
    };
    for (const int power : {31, 32, 53, 63, 64}) {
        const long double bound = std::ldexp(1.L, power);
        for (const long double step : {-1.L, -0.5L, 0.L, 1.L}) {
            all.push_back(bound + step);
        }
        all.push_back(std::nextafter(static_cast<float>(bound), 0.f));
        all.push_back(std::nextafter(static_cast<double>(bound), 0.));
        all.push_back(std::nextafter(static_cast<double>(bound), 1e300));
    }
    const std::size_t count = all.size();
    for (std::size_t k = 0; k < count; ++k) {
        all.push_back(-all[k]);
    }
    return all;
}

/// The numbers that T holds.
template <class T>
std::vector<T> numbers_of() {
    std::vector<T> held;
    for (const long double number : numbers()) {
        if constexpr (std::is_floating_point_v<T>) {
            const bool finite =
                std::abs(number) <= static_cast<long double>(std::numeric_limits<T>::max());
            if (!std::isfinite(number) ||
                (finite && static_cast<long double>(static_cast<T>(number)) == number)) {
                held.push_back(static_cast<T>(number));
            }
        } else if (number >= static_cast<long double>(std::numeric_limits<T>::min()) &&
                   number <= static_cast<long double>(std::numeric_limits<T>::max()) &&
                   std::floor(number) == number) {
            held.push_back(static_cast<T>(number));
        }
    }
    return held;
}

/// Fails unless the words and the elements of the mask are `expected`.
template <class M>
void require_words(const M& m, const std::vector<char>& expected) {
    const auto cursor = m.row(0);
    bool right = m.size() == expected.size();
    std::uint64_t word = 0;
    for (std::size_t c = 0; right && c < expected.size(); ++c) {
        word = c % 64 == 0 ? cursor.word(c) : word;
        right = (word >> c % 64 & 1) == static_cast<std::uint64_t>(expected[c]) &&
                m(c) == (expected[c] != 0);
    }
    REQUIRE(right);
}

/// All numbers of T, twice, so that there are whole words.
template <class T>
xt::xtensor<T, 1> elements_of() {
    const auto held = numbers_of<T>();
    xt::xtensor<T, 1> x = xt::zeros<T>({2 * held.size()});
    for (std::size_t k = 0; k < x.size(); ++k) {
        x(k) = held[k % held.size()];
    }
    return x;
}

/// The results of a test in long double, one for each element.
template <class T, class F>
std::vector<char> expected_of(const xt::xtensor<T, 1>& x, F&& test) {
    std::vector<char> expected;
    for (const T value : x) {
        expected.push_back(test(static_cast<long double>(value)));
    }
    return expected;
}

/// Whether x - y <= t for finite y and t, without rounding: where the rounded difference is t, the
/// lost part decides.
inline bool within(long double x, long double y, long double t) {
    const long double difference = x - y;
    if (difference != t) {
        return difference <= t;
    }
    const long double of_y = x - difference;
    return (x - (difference + of_y)) + (of_y - y) <= 0;
}

/// Whether value - tolerance <= x <= value + tolerance, without rounding.
inline bool close_to(long double x, long double value, long double tolerance) {
    if (std::isfinite(x) && std::isfinite(value) && std::isfinite(tolerance)) {
        return within(x, value, tolerance) && within(value, x, tolerance);
    }
    return x >= value - tolerance && x <= value + tolerance;
}

/// Calls f with every `step`th pair of numbers. A step that divides no count reaches all numbers.
template <class T, class F>
void for_pairs(const std::vector<T>& numbers, std::size_t step, F&& f) {
    for (std::size_t pair = 0; pair < numbers.size() * numbers.size(); pair += step) {
        f(numbers[pair / numbers.size()], numbers[pair % numbers.size()]);
    }
}

/// Compares all numbers of T with all of Threshold, by each of the six orders, and between.
template <class T, class Threshold>
void require_exact() {
    INFO("sizes " << sizeof(T) << " and " << sizeof(Threshold) << ", threshold is real: " << std::is_floating_point_v<Threshold>);
    const auto x = elements_of<T>();
    const auto expect = [&](auto order) { return expected_of(x, order); };
    const auto thresholds = numbers_of<Threshold>();
    for (std::size_t k = sizeof(T) % thinning; k < thresholds.size(); k += thinning) {
        const Threshold t = thresholds[k];
        const auto wide = static_cast<long double>(t);
        CAPTURE(wide);
        require_words(xmask::keep_above(x, t), expect([&](long double v) { return v > wide; }));
        require_words(xmask::keep_at_least(x, t), expect([&](long double v) { return v >= wide; }));
        require_words(xmask::keep_below(x, t), expect([&](long double v) { return v < wide; }));
        require_words(xmask::keep_at_most(x, t), expect([&](long double v) { return v <= wide; }));
        require_words(xmask::keep_equal(x, t), expect([&](long double v) { return v == wide; }));
        require_words(xmask::keep_not_equal(x, t), expect([&](long double v) {
                          return v != wide;
                      }));
    }
    for_pairs(thresholds, thinning == 1 ? 17 : 67, [&](Threshold lo, Threshold hi) {
        const auto low = static_cast<long double>(lo);
        const auto high = static_cast<long double>(hi);
        CAPTURE(low, high);
        require_words(xmask::keep_between(x, lo, hi), expect([&](long double v) {
                          return v >= low && v <= high;
                      }));
    });
}

/// Compares outside of a range, by magnitude, and close to a number.
template <class T, class Threshold>
void require_exact_ranges() {
    INFO("sizes " << sizeof(T) << " and " << sizeof(Threshold) << ", threshold is real: " << std::is_floating_point_v<Threshold>);
    const auto x = elements_of<T>();
    const auto thresholds = numbers_of<Threshold>();
    for (std::size_t k = sizeof(T) % thinning; k < thresholds.size(); k += thinning) {
        const Threshold t = thresholds[k];
        const auto limit = static_cast<long double>(t);
        CAPTURE(limit);
        require_words(xmask::keep_magnitude_above(x, t), expected_of(x, [&](long double v) {
                          return std::abs(v) > limit;
                      }));
    }
    for_pairs(thresholds, thinning == 1 ? 31 : 127, [&](Threshold a, Threshold b) {
        const auto first = static_cast<long double>(a);
        const auto second = static_cast<long double>(b);
        CAPTURE(first, second);
        require_words(xmask::keep_outside(x, a, b), expected_of(x, [&](long double v) {
                          return v < first || v > second;
                      }));
        require_words(xmask::keep_close_to(x, a, b), expected_of(x, [&](long double v) {
                          return close_to(v, first, second);
                      }));
    });
}

/// Calls f(U()) for thresholds of every type.
template <class F>
void for_each_type(F&& f) {
    f(float());
    f(double());
    f(std::int8_t());
    f(std::uint8_t());
    f(std::int32_t());
    f(std::uint32_t());
    f(std::int64_t());
    f(std::uint64_t());
}

template <class T>
void require_exact_with_all() {
    for_each_type([](auto t) { require_exact<T, decltype(t)>(); });
}

template <class T>
void require_exact_ranges_with_all() {
    for_each_type([](auto t) { require_exact_ranges<T, decltype(t)>(); });
}
} // namespace exact
