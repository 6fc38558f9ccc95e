// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/sum.hpp>

// Dropped elements are never seen: whatever their values, no bit of any result or gradient changes.

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> poisons() {
    using limits = std::numeric_limits<T>;
    return {
        limits::quiet_NaN(),
        -limits::quiet_NaN(),
        limits::infinity(),
        -limits::infinity(),
        limits::max(),
        T(1e38),
        T(-0.),
        T(-100)
    };
}

template <class T>
xt::xarray<T> poisoned(xt::xarray<T> x, const xt::xarray<bool>& kept, T poison) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept.flat(i) ? x.flat(i) : poison;
    }
    return x;
}

/// Appends the elements of a result.
template <class T, class E>
void append(std::vector<T>& all, const E& result) {
    const auto more = oracle::elements(result);
    all.insert(all.end(), more.begin(), more.end());
}
} // namespace

TEMPLATE_TEST_CASE("What is dropped is never seen by apply and sums", "[unseen]", float, double) {
    for (const std::size_t n : {1u, 3u, 64u, 65u, 200u}) {
        const shape_t shape = {5, n};
        const auto x = oracle::random<TestType>(shape, 1);
        auto lengths = xt::xtensor<std::size_t, 1>{n, 0, n / 2, n - n / 3, 1};
        const xt::xarray<bool> by_length = xmask::keep_lengths(lengths, n);
        const auto check = [&](const auto& m, const xt::xarray<bool>& kept) {
            const auto compute = [&](const xt::xarray<TestType>& operand) {
                std::vector<TestType> all;
                append(all, xt::xarray<TestType>(xmask::masked_fill(operand, m, TestType(7))));
                append(all, xt::xarray<TestType>(xmask::multiply(operand, m)));
                append(
                    all, xt::xarray<TestType>(
                             xmask::masked_fill(operand * operand + TestType(1), m, TestType(7))
                         )
                );
                append(all, xt::xarray<TestType>(TestType(2) * xmask::multiply(operand, m)));
                append(all, xmask::multiply(operand, m));
                auto in_place = operand;
                xmask::multiply_inplace(in_place, m);
                append(all, in_place);
                all.push_back(xmask::masked_sum(operand, m));
                all.push_back(xmask::masked_mean(operand, m));
                all.push_back(xmask::masked_sum(operand * operand, m));
                for (const std::ptrdiff_t axis : {0, 1}) {
                    append(all, xmask::masked_sum(operand, m, axis));
                    append(all, xmask::masked_mean(operand, m, axis));
                }
                return all;
            };
            const auto expected = compute(x);
            for (const TestType poison : poisons<TestType>()) {
                CAPTURE(n, poison);
                REQUIRE(oracle::same_bits(compute(poisoned(x, kept, poison)), expected));
            }
        };
        if constexpr (std::is_same_v<TestType, float>) {
            check(xmask::keep_lengths(lengths, n), by_length);
        } else {
            const auto kept = oracle::random<bool>(shape, 2);
            check(xmask::keep_where(kept), kept);
            check(xmask::keep_where(by_length), by_length);
        }
    }
}
