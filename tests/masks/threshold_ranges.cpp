// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>

#include <xmask/masks/threshold.hpp>

#include "support/exact.hpp"
#include "support/oracle.hpp"

TEMPLATE_TEST_CASE(
    "ranges, magnitudes and tolerances of any type are exact", "[threshold]", std::int8_t,
    std::uint8_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, float, double
) {
    exact::require_exact_ranges_with_all<TestType>();
    const auto x = exact::elements_of<TestType>();
    exact::require_words(xmask::keep_finite(x), exact::expected_of(x, [](long double v) {
                             return std::isfinite(v);
                         }));
    exact::require_words(xmask::keep_not_nan(x), exact::expected_of(x, [](long double v) {
                             return !std::isnan(v);
                         }));
}

namespace {
/// Compares magnitudes of T with a tensor of U.
template <class T, class U>
void require_magnitudes() {
    const auto x = exact::elements_of<T>();
    for (const U t : exact::numbers_of<U>()) {
        const auto limit = static_cast<long double>(t);
        CAPTURE(limit);
        exact::require_words(
            xmask::keep_magnitude_above(x, xt::xtensor<U, 1>{t}),
            exact::expected_of(x, [&](long double v) { return std::abs(v) > limit; })
        );
    }
}
} // namespace

TEST_CASE("Magnitudes are compared exactly with tensors of other types", "[threshold]") {
    require_magnitudes<std::int8_t, float>();
    require_magnitudes<std::int64_t, double>();
    require_magnitudes<std::int64_t, std::uint64_t>();
    require_magnitudes<std::uint64_t, std::int64_t>();
    require_magnitudes<std::int32_t, std::int32_t>();
    require_magnitudes<float, std::int64_t>();
    require_magnitudes<double, float>();
}

TEST_CASE("Bounds of a tolerance that no type holds", "[threshold]") {
    const double next = std::nextafter(1., 2.);
    const xt::xtensor<double, 1> x = {2 - next, 1., next};
    // The bounds differ from 1 by less than an element does, by the part that long double rounds
    // away.
    const double less = (next - 1) * (1 - std::ldexp(1., -53));
    oracle::require_words(xmask::keep_close_to(x, 1, less), {0, 1, 0});
    oracle::require_words(xmask::keep_close_to(x, 1, next - 1), {1, 1, 1});
    oracle::require_words(
        xmask::keep_close_to(x, 1, (next - 1) * (1 + std::ldexp(1., -52))), {1, 1, 1}
    );
}

TEST_CASE("Comparisons of lazy operands", "[threshold]") {
    const auto x = oracle::random<float>({3, 130}, 4);
    oracle::require_mask(
        xmask::keep_outside(2.f * x, -3, 3),
        oracle::elements(xt::xarray<bool>(2.f * x < -3.f || 2.f * x > 3.f))
    );
    oracle::require_mask(
        xmask::keep_magnitude_above(x - 1.f, 2.5),
        oracle::elements(xt::xarray<bool>(xt::abs(x - 1.f) > 2.5f))
    );
    oracle::require_mask(xmask::keep_finite(1.f / (x - x)), std::vector<char>(x.size()));
}

TEST_CASE("Magnitudes are compared as PyTorch compares them", "[threshold]") {
    const auto x = oracle::reference<float>("keep_magnitude_above", "x");
    oracle::require_words(
        xmask::keep_magnitude_above(x, 0.8f),
        oracle::elements(oracle::reference<bool>("keep_magnitude_above", "mask"))
    );
}
