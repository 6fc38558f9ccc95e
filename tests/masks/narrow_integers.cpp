// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/masks/run_lengths.hpp>
#include <xmask/masks/spans.hpp>
#include <xmask/reduce/cross_entropy.hpp>

#include "support/oracle.hpp"

/// @file
/// Integers of every type are compared with a number of columns as numbers, not in the type of the
/// integers, where -1 would be a large number.

namespace {
/// Row lengths around the limits of each type.
const std::vector<std::size_t> some_columns = {
    0,
    1,
    127,
    128,
    255,
    256,
    300,
    32767,
    32768,
    65535,
    65536,
    70000,
    (std::size_t(1) << 31) - 1,
    std::size_t(1) << 31,
    (std::size_t(1) << 32) + 7,
    std::size_t(1) << 40,
};

template <class T>
std::set<T> some_numbers() {
    using limits = std::numeric_limits<T>;
    std::set<T> all = {
        limits::min(),
        static_cast<T>(limits::min() + 1),
        static_cast<T>(limits::max() / 2),
        static_cast<T>(limits::max() / 2 + 1),
        limits::max(),
    };
    for (const int small : {0, 1, 2, 5, 100}) {
        all.insert(static_cast<T>(small));
        all.insert(static_cast<T>(-small));
    }
    for (const std::size_t n : some_columns) {
        if (n <= static_cast<std::uint64_t>(limits::max())) {
            all.insert(static_cast<T>(n));
        }
    }
    return all;
}

/// Both numbers are exact in long double.
template <class T>
bool within(T number, std::size_t n) {
    return static_cast<long double>(number) >= 0 &&
           static_cast<long double>(number) <= static_cast<long double>(n);
}

/// Fails unless make() throws std::out_of_range exactly where it must.
template <class F>
void require_refused(bool refused, F&& make) {
    bool thrown = false;
    try {
        make();
    } catch (const std::out_of_range&) {
        thrown = true;
    }
    REQUIRE(thrown == refused);
}

/// The number, or the nearest of 0 and n.
template <class T>
std::size_t nearest(T number, std::size_t n) {
    return static_cast<long double>(number) < 0 ? 0
           : within(number, n)                  ? static_cast<std::size_t>(number)
                                                : n;
}
} // namespace

#define EVERY_INTEGER                                                                              \
    char, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,     \
        std::int64_t, std::uint64_t

TEMPLATE_TEST_CASE("Numbers of columns of any type are within the row", "[narrow]", EVERY_INTEGER) {
    using T = TestType;
    for (const std::size_t n : some_columns) {
        for (const T number : some_numbers<T>()) {
            CAPTURE(n, +number);
            const bool outside = !within(number, n);
            const xt::xtensor<T, 1> numbers = {T(0), number};
            const xt::xtensor<T, 1> zeros = {T(0), T(0)};
            const xt::xtensor<T, 2> apart = {{T(0), T(7)}, {number, T(7)}};
            const auto strided = xt::view(apart, xt::all(), 0);
            const std::size_t count = outside ? 0 : static_cast<std::size_t>(number);
            const std::vector<std::size_t> ends(2, n);
            const auto keeps = [&](std::size_t expected, auto&& make) {
                require_refused(outside, [&] {
                    const auto m = make();
                    REQUIRE(xmask::count_kept(m) == expected);
                });
            };
            keeps(count, [&] { return xmask::keep_lengths(numbers, n); });
            keeps(count, [&] { return xmask::keep_lengths(strided, n); });
            keeps(count, [&] { return xmask::keep_last(numbers, n); });
            keeps(count, [&] { return xmask::keep_last(strided, n); });
            keeps(count, [&] { return xmask::keep_ranges(zeros, numbers, n); });
            keeps(2 * n - count, [&] { return xmask::keep_ranges(numbers, ends, n); });
            keeps(count, [&] { return xmask::keep_prefix(1, n, numbers, -2); });
            keeps(count, [&] { return xmask::keep_prefix(1, n, number, -2); });
            keeps(count, [&] { return xmask::keep_packed(numbers, n); });
            if (n < 1000) {
                keeps(0, [&] { return xmask::keep_spans(numbers, n, {.count = 0}, 1); });
                // The last index is one less than the number of columns.
                require_refused(outside || std::size_t(number) == n, [&] {
                    xmask::keep_indices(std::vector<T>{number}, n);
                });
                require_refused(outside || std::size_t(number) == n, [&] {
                    xmask::keep_points(xt::xtensor<T, 2>{{number}}, n);
                });
                keeps(0, [&] {
                    try {
                        return xmask::keep_run_lengths(std::vector<T>{number}, n);
                    } catch (const std::invalid_argument&) {
                        // In the row, but the counts do not fill it.
                        return xmask::keep_run_lengths(std::vector<std::size_t>{n}, n);
                    }
                });
            }
        }
    }
}

TEMPLATE_TEST_CASE("Numbers of columns that change are clamped", "[narrow]", EVERY_INTEGER) {
    using T = TestType;
    for (const std::size_t n : {1u, 8u, 15u, 16u, 31u, 32u, 33u, 64u, 65u, 127u, 1000u}) {
        xt::xtensor<T, 1> numbers = xt::zeros<T>({40});
        xt::xtensor<T, 1> zeros = xt::zeros<T>({40});
        const std::vector<std::size_t> ends(numbers.size(), n);
        const auto lengths = xmask::keep_lengths(numbers, n);
        const auto last = xmask::keep_last(numbers, n);
        const auto ranges = xmask::keep_ranges(zeros, numbers, n);
        const auto tails = xmask::keep_ranges(numbers, ends, n);
        const auto prefix = xmask::keep_prefix(1, n, numbers, -2);
        const auto some = some_numbers<T>();
        const std::vector<T> cycle(some.begin(), some.end());
        std::vector<char> first_kept;
        std::vector<char> last_kept;
        std::vector<char> tail_kept;
        for (std::size_t r = 0; r < numbers.size(); ++r) {
            numbers(r) = cycle[r % cycle.size()];
            const std::size_t count = nearest(numbers(r), n);
            for (std::size_t c = 0; c < n; ++c) {
                first_kept.push_back(c < count);
                last_kept.push_back(c >= n - count);
                tail_kept.push_back(c >= count);
            }
        }
        CAPTURE(n);
        oracle::require_mask(lengths, first_kept);
        oracle::require_mask(last, last_kept);
        oracle::require_mask(ranges, first_kept);
        oracle::require_mask(tails, tail_kept);
        oracle::require_mask(prefix, first_kept);
    }
}

TEMPLATE_TEST_CASE("Cumulative lengths of any type", "[narrow]", EVERY_INTEGER) {
    using T = TestType;
    // Two rows of so many columns can still be counted.
    const T most = static_cast<T>(std::min<std::uint64_t>(
        std::numeric_limits<T>::max(), std::numeric_limits<std::int64_t>::max() / 2
    ));
    const std::vector<T> falling = {T(0), most, T(1)};
    REQUIRE_THROWS_AS(xmask::keep_packed(falling, ~std::size_t(0) / 8), std::out_of_range);
    const std::vector<T> rising = {T(0), T(1), most};
    const auto m = xmask::keep_packed(rising, most);
    REQUIRE(xmask::count_kept(m) == static_cast<std::size_t>(most));
    if (std::numeric_limits<T>::is_signed) {
        const std::vector<T> negative = {T(0), static_cast<T>(-1)};
        REQUIRE_THROWS_AS(xmask::keep_packed(negative, 300), std::out_of_range);
        REQUIRE_THROWS_AS(xmask::segment_ids(negative), std::out_of_range);
    }
}

TEMPLATE_TEST_CASE("Classes of any type", "[narrow][cross_entropy]", EVERY_INTEGER) {
    using T = TestType;
    for (const std::size_t classes : {1u, 5u, 128u, 256u, 300u, 70000u}) {
        const auto logits = oracle::random<float>({2, classes}, 3);
        for (const T number : some_numbers<T>()) {
            CAPTURE(classes, +number);
            const bool outside = !within(number, classes - 1);
            const xt::xtensor<T, 1> target = {T(0), number};
            xt::xarray<float> gradient;
            require_refused(outside, [&] {
                const auto l =
                    xmask::masked_cross_entropy(logits, target, xmask::keep_all(2), gradient);
                REQUIRE(gradient(1, static_cast<std::size_t>(number)) < 1e-6f);
                REQUIRE(l.weight == 2);
            });
            require_refused(outside, [&] {
                const auto l = xmask::masked_nll(logits, target, xmask::keep_all(2));
                const float expected = -logits(0, 0) - logits(1, static_cast<std::size_t>(number));
                REQUIRE(l.sum == static_cast<double>(expected));
            });
            // A dropped target is not a class.
            const auto first = xmask::keep_indices({0}, 2);
            REQUIRE(xmask::masked_nll(logits, target, first).weight == 1);
        }
    }
}
