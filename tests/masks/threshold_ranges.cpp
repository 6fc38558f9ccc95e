// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/threshold.hpp>

namespace
{
    /// Values of T around everything that goes wrong.
    template <class T>
    xt::xarray<T> corners()
    {
        using limits = std::numeric_limits<T>;
        std::vector<T> values = {limits::lowest(), limits::max(), T(0), T(1), T(2), T(3), T(100), T(limits::max() / 2)};
        if constexpr (std::is_signed_v<T>)
        {
            values.insert(values.end(), {T(-1), T(-2), T(-3), T(-100), T(limits::lowest() + 1)});
        }
        if constexpr (std::is_floating_point_v<T>)
        {
            values.insert(values.end(), {limits::infinity(), -limits::infinity(), limits::quiet_NaN(), T(-0.), T(0.5)});
        }
        // Longer than a word.
        for (std::size_t i = 0; values.size() < 150; ++i)
        {
            const T again = values[i];
            values.push_back(again);
        }
        auto x = xt::xarray<T>::from_shape({values.size()});
        std::ranges::copy(values, x.begin());
        return x;
    }

    /// What a loop in long double says, which holds every value here exactly.
    template <class T, class F>
    std::vector<char> expected_of(const xt::xarray<T>& x, F&& f)
    {
        std::vector<char> expected;
        for (const T value : x)
        {
            expected.push_back(f(static_cast<long double>(value)));
        }
        return expected;
    }

    template <class T, class L, class H>
    void check_outside(L lo, H hi)
    {
        const auto x = corners<T>();
        const auto low = static_cast<long double>(lo);
        const auto high = static_cast<long double>(hi);
        CAPTURE(lo, hi);
        oracle::require_words(
            xmask::keep_outside(x, lo, hi), expected_of(x, [&](long double v) { return v < low || v > high; })
        );
    }

    template <class T, class U>
    void check_magnitude(U t)
    {
        const auto x = corners<T>();
        const auto limit = static_cast<long double>(t);
        CAPTURE(t);
        const auto expected = expected_of(x, [&](long double v) { return std::abs(v) > limit; });
        oracle::require_words(xmask::keep_magnitude_above(x, t), expected);
        oracle::require_words(xmask::keep_magnitude_above(x, xt::xtensor<U, 1>{t}), expected);
    }
}

TEMPLATE_TEST_CASE(
    "Outside, magnitude and finite are exact", "[threshold]", std::int8_t, std::uint64_t, std::int64_t, float, double
)
{
    using T = TestType;
    if (sizeof(long double) <= 8 && sizeof(T) == 8)
    {
        SKIP("long double can't tell what is expected");
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    check_outside<T>(1, 2);
    check_outside<T>(-1, 99.5);
    check_outside<T>(-1e300, 1e300);
    check_outside<T>(1e300, infinity);
    check_outside<T>(-infinity, -1e300);
    check_outside<T>(nan, 2);
    check_outside<T>(2, nan);
    check_outside<T>(nan, nan);
    check_outside<T>(3, 1);
    check_outside<T>(std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
    check_outside<T>(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max());
    check_magnitude<T>(2);
    check_magnitude<T>(-1);
    check_magnitude<T>(2u);
    check_magnitude<T>(0.5f);
    check_magnitude<T>(nan);
    check_magnitude<T>(infinity);
    check_magnitude<T>(std::numeric_limits<std::int64_t>::max());
    check_magnitude<T>(std::numeric_limits<std::int64_t>::min());
    check_magnitude<T>(std::numeric_limits<std::uint64_t>::max());
    check_magnitude<T>(std::numeric_limits<T>::max());

    const auto x = corners<T>();
    oracle::require_words(xmask::keep_finite(x), expected_of(x, [](long double v) { return std::isfinite(v); }));
    oracle::require_words(xmask::keep_not_nan(x), expected_of(x, [](long double v) { return !std::isnan(v); }));
    const auto near = [&](long double value, long double tolerance) {
        return expected_of(x, [=](long double v) { return v >= value - tolerance && v <= value + tolerance; });
    };
    oracle::require_words(xmask::keep_close_to(x, 2, 1), near(2, 1));
    oracle::require_words(xmask::keep_close_to(x, 2., 0.5), near(2, 0.5));
    oracle::require_words(xmask::keep_close_to(x, 0, 0), near(0, 0));
    oracle::require_words(xmask::keep_close_to(x, 2, -1), near(2, -1));
    oracle::require_words(xmask::keep_close_to(x, nan, 1), std::vector<char>(x.size()));
    oracle::require_words(
        xmask::keep_close_to(x, std::numeric_limits<std::uint64_t>::max(), 1),
        near(static_cast<long double>(std::numeric_limits<std::uint64_t>::max()), 1)
    );
}

TEST_CASE("Comparisons of lazy operands", "[threshold]")
{
    const auto x = oracle::random<float>({3, 130}, 4);
    oracle::require_mask(xmask::keep_outside(2.f * x, -3, 3), oracle::elements(xt::xarray<bool>(2.f * x < -3.f || 2.f * x > 3.f)));
    oracle::require_mask(xmask::keep_magnitude_above(x - 1.f, 2.5), oracle::elements(xt::xarray<bool>(xt::abs(x - 1.f) > 2.5f)));
    oracle::require_mask(xmask::keep_finite(1.f / (x - x)), std::vector<char>(x.size()));
}

TEST_CASE("Magnitudes are compared as PyTorch compares them", "[threshold]")
{
    const auto x = oracle::reference<float>("keep_magnitude_above", "x");
    oracle::require_words(
        xmask::keep_magnitude_above(x, 0.8f), oracle::elements(oracle::reference<bool>("keep_magnitude_above", "mask"))
    );
}
