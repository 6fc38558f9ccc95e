// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <complex>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>

#if __has_include(<xtensor/core/xvectorize.hpp>)
#include <xtensor/core/xvectorize.hpp>
#else
#include <xtensor/xvectorize.hpp>
#endif

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> chosen(std::vector<T> x, const std::vector<char>& kept, const std::vector<T>& y) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = kept[i] != 0 ? x[i] : y[i];
    }
    return x;
}

xt::xarray<bool> all_of(const shape_t& shape, bool value) {
    xt::xarray<bool> all = xt::xarray<bool>::from_shape(shape);
    all.fill(value);
    return all;
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_replace of every type, row length and density", "[masked_replace]", float, double, bool,
    std::int8_t, std::int64_t, long double
) {
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {n > 1000 ? std::size_t(3) : std::size_t(17), n};
        const auto x = oracle::random<TestType>(shape, 3);
        const auto y = oracle::random<TestType>(shape, 4);
        for (const auto& kept :
             {oracle::random<bool>(shape, 5), all_of(shape, true), all_of(shape, false)}) {
            const auto expected =
                chosen(oracle::elements(x), oracle::elements(kept), oracle::elements(y));
            const xt::xarray<TestType> z = xmask::masked_replace(x, xmask::keep_where(kept), y);
            CAPTURE(n);
            REQUIRE(z.dimension() == 2);
            REQUIRE(oracle::elements(z) == expected);
            auto in_place = x;
            xmask::masked_replace_inplace(in_place, xmask::keep_where(kept), y);
            REQUIRE(oracle::elements(in_place) == expected);
        }
    }
}

TEST_CASE(
    "masked_replace by lengths reads the other tensor outside of the extent", "[masked_replace]"
) {
    for (const std::size_t n : oracle::columns) {
        const std::size_t rows = 19;
        const auto x = oracle::random<float>({rows, n}, 5);
        const auto y = oracle::random<float>({rows, n}, 6);
        xt::xtensor<std::size_t, 1> lengths = xt::zeros<std::size_t>({rows});
        for (std::size_t r = 0; r < rows; ++r) {
            lengths(r) = std::min(
                n, r == 0       ? 0
                   : r == 1     ? n
                   : r % 2 == 0 ? r * n / rows
                                : 62 + r % 6
            );
        }
        const auto check = [&](const auto& m) {
            const auto expected =
                chosen(oracle::elements(x), oracle::elements(m), oracle::elements(y));
            const xt::xarray<float> z = xmask::masked_replace(x, m, y);
            CAPTURE(n);
            REQUIRE(oracle::elements(z) == expected);
            auto in_place = x;
            xmask::masked_replace_inplace(in_place, m, y);
            REQUIRE(oracle::elements(in_place) == expected);
        };
        check(xmask::keep_lengths(lengths, n));
        check(xmask::keep_last(lengths, n));
    }
}

TEST_CASE(
    "masked_replace of every rank, with every mask and tensor that broadcasts", "[masked_replace]"
) {
    const std::vector<std::pair<shape_t, std::vector<shape_t>>> cases = {
        {{}, {{}}},
        {{70}, {{}, {1}, {70}}},
        {{3, 1}, {{}, {1}, {3, 1}}},
        {{3, 70}, {{}, {70}, {3, 1}, {3, 70}}},
        {{2, 3, 2, 65}, {{}, {65}, {3, 1, 65}, {2, 1, 1, 65}, {2, 3, 2, 65}}},
        {{2, 1, 3, 2, 5}, {{5}, {2, 1, 1, 2, 1}, {1, 1, 3, 1, 5}, {2, 1, 3, 2, 5}}},
        {{0, 5}, {{}, {5}, {0, 5}}},
        {{3, 0, 2}, {{2}, {3, 0, 2}}},
    };
    for (const auto& [shape, others] : cases) {
        const auto x = oracle::random<float>(shape, 2);
        for (const auto& mask_shape : others) {
            for (const auto& other_shape : others) {
                const auto kept = oracle::random<bool>(mask_shape, 3);
                const auto y = oracle::random<float>(other_shape, 4);
                const auto expected = chosen(
                    oracle::elements(x),
                    oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape))),
                    oracle::elements(xt::xarray<float>(xt::broadcast(y, shape)))
                );
                CAPTURE(shape, mask_shape, other_shape);
                const auto lazy = xmask::masked_replace(x, xmask::keep_where(kept), y);
                const xt::xarray<float> z = lazy;
                REQUIRE(shape_t(z.shape().begin(), z.shape().end()) == shape);
                REQUIRE(oracle::elements(z) == expected);
                REQUIRE(oracle::elements(lazy) == expected);
                REQUIRE(std::equal(expected.begin(), expected.end(), lazy.begin()));
                auto in_place = x;
                xmask::masked_replace_inplace(in_place, xmask::keep_where(kept), y);
                REQUIRE(oracle::elements(in_place) == expected);
            }
        }
    }
}

TEST_CASE(
    "masked_replace of any layout, inside of expressions and into views", "[masked_replace]"
) {
    const auto x = oracle::random<float>({3, 70}, 1);
    const auto y = oracle::random<float>({3, 70}, 2);
    const auto kept = oracle::random<bool>({3, 70}, 3);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto expected = chosen(oracle::elements(x), oracle::elements(kept), oracle::elements(y));
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        REQUIRE(
            oracle::elements(xt::xarray<float>(xmask::masked_replace(operand, m, y))) == expected
        );
    });
    oracle::for_each_layout(y, [&](const auto& other, const char* layout) {
        CAPTURE(layout);
        REQUIRE(
            oracle::elements(xt::xarray<float>(xmask::masked_replace(x, m, other))) == expected
        );
        xt::xarray<float, xt::layout_type::column_major> z = x;
        xmask::masked_replace_inplace(z, m, other);
        REQUIRE(oracle::elements(z) == expected);
    });
    const xt::xarray<float> twice = 2.f * xmask::masked_replace(x, m, y) + 1.f;
    REQUIRE(
        oracle::close(twice, xt::xarray<float>(2.f * xt::adapt(expected, shape_t{3, 70}) + 1.f), 0.)
    );
    xt::xarray<float> wide = xt::zeros<float>({3, 141});
    auto view = xt::strided_view(wide, {xt::all(), xt::range(1, 141, 2)});
    view = x;
    xmask::masked_replace_inplace(view, m, y);
    REQUIRE(oracle::elements(view) == expected);
    // The elements of y are converted to the type of x.
    const xt::xarray<int> ints = xt::cast<int>(x);
    const auto mixed = xmask::masked_replace(ints, m, y);
    STATIC_REQUIRE(std::is_same_v<decltype(mixed)::value_type, int>);
    const auto converted = chosen(
        oracle::elements(ints), oracle::elements(kept),
        oracle::elements(xt::xarray<int>(xt::cast<int>(y)))
    );
    REQUIRE(oracle::elements(xt::xarray<int>(mixed)) == converted);
    REQUIRE(oracle::elements(mixed) == converted);
    // y may read x at the written element.
    auto own = x;
    xmask::masked_replace_inplace(own, m, -own);
    REQUIRE(
        oracle::elements(own) ==
        chosen(oracle::elements(x), oracle::elements(kept), oracle::elements(xt::xarray<float>(-x)))
    );
}

TEST_CASE("masked_replace of complex numbers", "[masked_replace]") {
    using complex = std::complex<float>;
    xt::xtensor<complex, 1> x = {{1.f, 2.f}, {3.f, 4.f}, {5.f, 6.f}};
    const xt::xtensor<complex, 1> y = {{-1.f, 2.f}, {-3.f, 4.f}, {-5.f, 6.f}};
    const xmask::bitmask m = xmask::keep_where(xt::xtensor<bool, 1>{true, false, true});
    const std::vector<complex> expected = {{1.f, 2.f}, {-3.f, 4.f}, {5.f, 6.f}};
    REQUIRE(oracle::elements(xt::xtensor<complex, 1>(xmask::masked_replace(x, m, y))) == expected);
    xmask::masked_replace_inplace(x, m, y);
    REQUIRE(oracle::elements(x) == expected);
}

TEST_CASE("What masked_replace does not choose is neither seen nor computed", "[masked_replace]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto kept = oracle::random<bool>({5, 130}, 1);
    const xmask::bitmask m = xmask::keep_where(kept);
    auto x = oracle::random<float>({5, 130}, 2);
    auto y = oracle::random<float>({5, 130}, 3);
    const auto expected = oracle::elements(xt::xarray<float>(xmask::masked_replace(x, m, y)));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        (kept.flat(i) ? y : x).flat(i) = nan;
    }
    REQUIRE(oracle::same_bits(
        oracle::elements(xt::xarray<float>(xmask::masked_replace(x, m, y))), expected
    ));
    REQUIRE(oracle::same_bits(oracle::elements(xmask::masked_replace(x, m, y)), expected));
    xmask::masked_replace_inplace(x, m, y);
    REQUIRE(oracle::same_bits(oracle::elements(x), expected));
    // A division by 0 would trap.
    xt::xarray<int> divisor = kept;
    const xt::xarray<int> one = xt::ones<int>({5, 130});
    const xt::xarray<int> quotient = xmask::masked_replace(one / divisor, m, one / (1 - divisor));
    REQUIRE(oracle::elements(quotient) == std::vector<int>(650, 1));
    REQUIRE(
        oracle::elements(xmask::masked_replace(one / divisor, m, one / (1 - divisor))) ==
        std::vector<int>(650, 1)
    );
    std::size_t calls = 0;
    auto counted = xt::vectorize([&](float v) {
        ++calls;
        return v;
    });
    const xt::xarray<float> z = xmask::masked_replace(counted(x), m, counted(x));
    REQUIRE(calls == 650);
}

TEST_CASE("masked_replace refuses shapes that do not fit, and says which", "[masked_replace]") {
    using Catch::Matchers::ContainsSubstring;
    xt::xarray<float> x = xt::ones<float>({2, 3});
    const xt::xarray<float> y = xt::zeros<float>({2, 4});
    const xmask::bitmask all = xmask::keep_all({2, 3});
    REQUIRE_THROWS_AS(
        xmask::masked_replace(x, xmask::bitmask(xmask::keep_all({2, 4})), x), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_replace(x, all, y),
        ContainsSubstring("xmask::masked_replace: a replacement of shape (2, 4)") &&
            ContainsSubstring("(2, 3)")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_replace(x, all, xt::xarray<float>(xt::ones<float>({5, 2, 3}))),
        std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_replace_inplace(x, xmask::bitmask(xmask::keep_none({2, 3})), y),
        ContainsSubstring("xmask::masked_replace_inplace: ")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_replace_inplace(x, xmask::bitmask(xmask::keep_none({2})), x),
        std::invalid_argument
    );
    REQUIRE(oracle::elements(x) == std::vector<float>(6, 1.f));
}
