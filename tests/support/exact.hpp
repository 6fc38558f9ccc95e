// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

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
/// Numbers at which comparisons of two types go wrong. All of them, and every float, double and 64-bit integer, are
/// exact as long double, in which the oracle compares.

namespace exact
{
    inline std::vector<long double> numbers()
    {
        std::vector<long double> all = {
            0.L, 0.1, 0.1f, 0.5L, 1.L, 1.5L, 2.L, 126.5L, 127.L, 127.5L, 128.L, 128.5L, 129.L, 254.5L, 255.L, 255.5L,
            256.L, 65535.L, 16777215.L, 16777216.L, 16777217.L, 16777217.5L, 1e-300, 1e39, 1e300,
            std::numeric_limits<float>::max(), std::numeric_limits<double>::max(),
            std::numeric_limits<float>::min(), std::numeric_limits<float>::denorm_min(),
            std::numeric_limits<double>::denorm_min(), std::nextafter(double(std::numeric_limits<float>::max()), 1e39),
            std::nextafter(1.f, 2.f), std::nextafter(1., 2.), std::numeric_limits<long double>::infinity(),
            std::numeric_limits<long double>::quiet_NaN(),
        };
        for (const int power : {31, 32, 53, 63, 64})
        {
            const long double bound = std::ldexp(1.L, power);
            for (const long double step : {-1.L, -0.5L, 0.L, 1.L})
            {
                all.push_back(bound + step);
            }
            all.push_back(std::nextafter(static_cast<float>(bound), 0.f));
            all.push_back(std::nextafter(static_cast<double>(bound), 0.));
            all.push_back(std::nextafter(static_cast<double>(bound), 1e300));
        }
        const std::size_t count = all.size();
        for (std::size_t k = 0; k < count; ++k)
        {
            all.push_back(-all[k]);
        }
        return all;
    }

    /// Those of the numbers that T holds.
    template <class T>
    std::vector<T> numbers_of()
    {
        std::vector<T> held;
        for (const long double number : numbers())
        {
            if constexpr (std::is_floating_point_v<T>)
            {
                const bool finite = std::abs(number) <= static_cast<long double>(std::numeric_limits<T>::max());
                if (!std::isfinite(number) || (finite && static_cast<long double>(static_cast<T>(number)) == number))
                {
                    held.push_back(static_cast<T>(number));
                }
            }
            else if (number >= static_cast<long double>(std::numeric_limits<T>::min())
                     && number <= static_cast<long double>(std::numeric_limits<T>::max()) && std::floor(number) == number)
            {
                held.push_back(static_cast<T>(number));
            }
        }
        return held;
    }

    /// Fails unless the mask answers as `expected`, word by word and one by one.
    template <class M>
    void require_words(const M& m, const std::vector<char>& expected)
    {
        const auto cursor = m.row(0);
        bool right = m.size() == expected.size();
        for (std::size_t c = 0; right && c < expected.size(); ++c)
        {
            const auto word = cursor.word(c - c % 64);
            right = (word >> c % 64 & 1) == static_cast<std::uint64_t>(expected[c]) && m(c) == (expected[c] != 0);
        }
        REQUIRE(right);
    }

    /// Compares all numbers of T with all of Threshold, by each of the six orders and between.
    template <class T, class Threshold>
    void require_exact()
    {
        INFO("sizes " << sizeof(T) << " and " << sizeof(Threshold) << ", threshold is real: "
                      << std::is_floating_point_v<Threshold>);
        const auto held = numbers_of<T>();
        // Twice, so that there are whole words.
        xt::xtensor<T, 1> x = xt::zeros<T>({2 * held.size()});
        for (std::size_t k = 0; k < x.size(); ++k)
        {
            x(k) = held[k % held.size()];
        }
        const auto expect = [&](auto order) {
            std::vector<char> expected;
            for (const T value : x)
            {
                expected.push_back(order(static_cast<long double>(value)));
            }
            return expected;
        };
        const auto thresholds = numbers_of<Threshold>();
        for (const Threshold t : thresholds)
        {
            const auto wide = static_cast<long double>(t);
            CAPTURE(wide);
            require_words(xmask::keep_above(x, t), expect([&](long double v) { return v > wide; }));
            require_words(xmask::keep_at_least(x, t), expect([&](long double v) { return v >= wide; }));
            require_words(xmask::keep_below(x, t), expect([&](long double v) { return v < wide; }));
            require_words(xmask::keep_at_most(x, t), expect([&](long double v) { return v <= wide; }));
            require_words(xmask::keep_equal(x, t), expect([&](long double v) { return v == wide; }));
            require_words(xmask::keep_not_equal(x, t), expect([&](long double v) { return v != wide; }));
        }
        // Every third pair is enough, and is different for each type.
        std::size_t pair = 0;
        for (const Threshold lo : thresholds)
        {
            for (const Threshold hi : thresholds)
            {
                if (pair++ % 3 == 0)
                {
                    const auto low = static_cast<long double>(lo);
                    const auto high = static_cast<long double>(hi);
                    CAPTURE(low, high);
                    require_words(
                        xmask::keep_between(x, lo, hi), expect([&](long double v) { return v >= low && v <= high; })
                    );
                }
            }
        }
    }

    /// The same for thresholds of every type.
    template <class T>
    void require_exact_with_all()
    {
        require_exact<T, float>();
        require_exact<T, double>();
        require_exact<T, std::int8_t>();
        require_exact<T, std::uint8_t>();
        require_exact<T, std::int32_t>();
        require_exact<T, std::uint32_t>();
        require_exact<T, std::int64_t>();
        require_exact<T, std::uint64_t>();
    }
}
