// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <limits>
#include <string>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/threshold.hpp>

// Masks that decide registers of elements directly, without a word.

namespace {
using shape_t = std::vector<std::size_t>;

/// The expected elements, by a loop: kept ? x : -7.
template <class T, class F>
std::vector<T> expected_of(const xt::xarray<T>& x, F&& keeps) {
    auto result = oracle::elements(x);
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = keeps(i) ? result[i] : static_cast<T>(-7);
    }
    return result;
}

template <class X, class M, class T>
void require_filled(const X& x, const M& m, const std::vector<T>& expected) {
    xt::xarray<T> filled;
    xt::noalias(filled) = xmask::masked_fill(x, m, static_cast<T>(-7));
    REQUIRE(oracle::same_bits(oracle::elements(filled), expected));
}
} // namespace

TEMPLATE_TEST_CASE(
    "Thresholds choose lanes", "[masked_fill][threshold]", float, double, std::int32_t
) {
    using T = TestType;
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto x = oracle::random<T>({3, n}, 1);
        const auto y = oracle::elements(x);
        require_filled(x, !xmask::keep_at_most(x, 1), expected_of(x, [&](std::size_t i) {
                           return !(y[i] <= 1);
                       }));
        require_filled(
            x, (xmask::keep_above(x, -1) && xmask::keep_below(x, 1)) ^ xmask::keep_between(x, 1, 2),
            expected_of(
                x,
                [&](std::size_t i) { return (y[i] > -1 && y[i] < 1) != (y[i] >= 1 && y[i] <= 2); }
            )
        );
        require_filled(
            x, xmask::keep_between(x, -2, 0) || xmask::keep_above(x, 1),
            expected_of(x, [&](std::size_t i) { return (y[i] >= -2 && y[i] <= 0) || y[i] > 1; })
        );
    }
}

TEMPLATE_TEST_CASE(
    "Thresholds choose lanes in place", "[masked_fill][threshold]", float, double, std::int32_t
) {
    using T = TestType;
    const T value = static_cast<T>(-7);
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto x = oracle::random<T>({3, n}, 1);
        const auto y = oracle::elements(x);
        const auto require = [&](auto&& fill, auto&& keeps) {
            xt::xarray<T> z = x;
            fill(z);
            REQUIRE(oracle::same_bits(oracle::elements(z), expected_of(x, keeps)));
        };
        require(
            [&](auto& z) { xmask::masked_fill_inplace(z, !xmask::keep_at_most(z, 1), value); },
            [&](std::size_t i) { return !(y[i] <= 1); }
        );
        require(
            [&](auto& z) {
                xmask::masked_fill_inplace(
                    z, xmask::keep_above(z, -1) && xmask::keep_below(z, 1), value
                );
            },
            [&](std::size_t i) { return y[i] > -1 && y[i] < 1; }
        );
        // A mask of the tensor and of another one.
        const xt::xarray<T> other = oracle::random<T>({3, n}, 2);
        const auto w = oracle::elements(other);
        require(
            [&](auto& z) {
                xmask::masked_fill_inplace(
                    z, xmask::keep_above(z, 0) || xmask::keep_above(other, 1), value
                );
            },
            [&](std::size_t i) { return y[i] > 0 || w[i] > 1; }
        );
        require(
            [&](auto& z) { xmask::masked_fill_inplace(z, xmask::keep_above(other, 1), value); },
            [&](std::size_t i) { return w[i] > 1; }
        );
        // All are kept, and none.
        require(
            [&](auto& z) { xmask::masked_fill_inplace(z, xmask::keep_above(z, -50), value); },
            [](std::size_t) { return true; }
        );
        require(
            [&](auto& z) { xmask::masked_fill_inplace(z, xmask::keep_above(z, 50), value); },
            [](std::size_t) { return false; }
        );
    }
}

TEST_CASE(
    "Thresholds choose lanes of any layout, and of a replacement", "[masked_fill][threshold]"
) {
    for (const std::size_t n : {65u, 1000u}) {
        const auto x = oracle::random<float>({3, n}, 1);
        const auto y = oracle::elements(x);
        const auto expected = expected_of(x, [&](std::size_t i) { return y[i] > 0; });
        const xt::xarray<float> sevens = xt::ones<float>(x.shape()) * -7.f;
        oracle::for_each_layout(x, [&](const auto& operand, const std::string& layout) {
            CAPTURE(n, layout);
            require_filled(operand, xmask::keep_above(operand, 0), expected);
            // Unaligned, with gaps, under a mask of another tensor than the operand.
            xt::xarray<float> wide = xt::zeros<float>(shape_t{3, n + 3});
            auto part = xt::view(wide, xt::all(), xt::range(1, static_cast<std::ptrdiff_t>(n) + 1));
            xt::noalias(part) = xmask::masked_replace(operand, xmask::keep_above(x, 0), sevens);
            REQUIRE(oracle::same_bits(oracle::elements(part), expected));
        });
    }
}

TEMPLATE_TEST_CASE(
    "Booleans choose lanes", "[masked_fill][boolean]", float, double, std::int16_t, std::uint8_t
) {
    using T = TestType;
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto x = oracle::random<T>({3, n}, 1);
        const auto kept = oracle::random<bool>({3, n}, 2);
        const auto also = oracle::random<bool>({3, n}, 3);
        const auto a = oracle::elements(kept);
        const auto b = oracle::elements(also);
        require_filled(x, xmask::keep_where(kept), expected_of(x, [&](std::size_t i) {
                           return a[i] != 0;
                       }));
        require_filled(
            x, xmask::keep_where(kept) && xmask::drop_where(also),
            expected_of(x, [&](std::size_t i) { return a[i] != 0 && b[i] == 0; })
        );
        // One column, and one row, broadcast to all.
        const auto column = oracle::random<bool>({3, 1}, 4);
        require_filled(x, xmask::keep_where(column), expected_of(x, [&](std::size_t i) {
                           return column.flat(i / n);
                       }));
        const auto row = oracle::random<bool>({n}, 5);
        require_filled(x, xmask::keep_where(row), expected_of(x, [&](std::size_t i) {
                           return row.flat(i % n);
                       }));
    }
}

TEMPLATE_TEST_CASE(
    "A threshold that no real number meets, or any", "[masked_fill][threshold]", float, double
) {
    using T = TestType;
    const T nan = std::numeric_limits<T>::quiet_NaN();
    auto x = oracle::random<T>({2, 70}, 1);
    x.flat(3) = nan;
    x.flat(70) = std::numeric_limits<T>::infinity();
    const auto none = expected_of(x, [](std::size_t) { return false; });
    const auto all = expected_of(x, [](std::size_t) { return true; });
    require_filled(x, xmask::keep_above(x, nan), none);
    require_filled(x, xmask::keep_at_most(x, nan), none);
    require_filled(x, xmask::keep_equal(x, nan), none);
    require_filled(x, xmask::keep_not_equal(x, nan), all);
    require_filled(x, xmask::keep_equal(x, 0.1L), none);
    require_filled(x, xmask::keep_not_equal(x, 0.1L), all);
}
