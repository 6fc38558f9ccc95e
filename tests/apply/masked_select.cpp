// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <complex>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_select.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

#if __has_include(<xtensor/core/xvectorize.hpp>)
#include <xtensor/core/xvectorize.hpp>
#else
#include <xtensor/xvectorize.hpp>
#endif

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> kept_of(const std::vector<T>& x, const std::vector<char>& kept) {
    std::vector<T> result;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (kept[i] != 0) {
            result.push_back(x[i]);
        }
    }
    return result;
}

/// Booleans of which `eighths` in eight are true.
xt::xarray<bool> kept_in_eight(const shape_t& shape, unsigned eighths) {
    xt::xarray<bool> kept = xt::xarray<bool>::from_shape(shape);
    std::mt19937 generator(7);
    for (auto& value : kept) {
        value = generator() % 8 < eighths;
    }
    return kept;
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_select of every type, row length and density", "[masked_select]", float, double, bool,
    std::int8_t, std::int16_t, std::int32_t, std::int64_t, long double
) {
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {n > 1000 ? std::size_t(3) : std::size_t(17), n};
        const auto x = oracle::random<TestType>(shape, 3);
        for (const unsigned eighths : {0u, 1u, 4u, 7u, 8u}) {
            const auto kept = kept_in_eight(shape, eighths);
            const auto expected = kept_of(oracle::elements(x), oracle::elements(kept));
            const auto y = xmask::masked_select(x, xmask::keep_where(kept));
            CAPTURE(n, eighths);
            STATIC_REQUIRE(std::is_same_v<decltype(y), const xt::xtensor<TestType, 1>>);
            REQUIRE(oracle::elements(y) == expected);
        }
    }
}

TEST_CASE("masked_select of single elements at every place of a word", "[masked_select]") {
    // Each choice of two columns, so that every lane of every register is chosen once and skipped
    // once.
    for (const std::size_t n : {64u, 70u}) {
        const auto x = oracle::random<float>({n}, 1);
        const auto bytes = oracle::random<std::int8_t>({n}, 2);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = i; k < n; k += 7) {
                xt::xtensor<bool, 1> kept = xt::zeros<bool>({n});
                kept(i) = kept(k) = true;
                const auto m = xmask::keep_where(kept);
                REQUIRE(
                    oracle::elements(xmask::masked_select(x, m)) ==
                    kept_of(oracle::elements(x), oracle::elements(kept))
                );
                REQUIRE(
                    oracle::elements(xmask::masked_select(bytes, m)) ==
                    kept_of(oracle::elements(bytes), oracle::elements(kept))
                );
            }
        }
    }
}

TEST_CASE("masked_select by lengths, thresholds and masks that broadcast", "[masked_select]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({5, n}, 5);
        const xt::xtensor<std::size_t, 1> lengths = {
            n, 0, n / 2, n - n / 3, std::min<std::size_t>(n, 1)
        };
        const auto check = [&](const auto& m) {
            CAPTURE(n);
            const xt::xarray<bool> kept = m;
            REQUIRE(
                oracle::elements(xmask::masked_select(x, m)) ==
                kept_of(
                    oracle::elements(x),
                    oracle::elements(xt::xarray<bool>(xt::broadcast(kept, x.shape())))
                )
            );
        };
        check(xmask::keep_lengths(lengths, n));
        check(xmask::keep_last(lengths, n));
        check(xmask::keep_lengths({1, 0, 1, 1, 0}, 1));
        check(xmask::keep_above(x, 0.5f));
        check(xmask::keep_where(oracle::random<bool>({5, 1}, 6)));
        check(xmask::keep_where(oracle::random<bool>({n}, 6)));
        check(xmask::keep_all({1}));
        check(xmask::keep_none({5, 1}));
    }
    const xt::xarray<float> scalar = 3.f;
    REQUIRE(
        oracle::elements(xmask::masked_select(
            scalar, xmask::bitmask(xmask::keep_all(xt::xarray<float>(1.f).shape()))
        )) == std::vector<float>{3.f}
    );
}

TEST_CASE("masked_select of every rank and layout, in row-major order", "[masked_select]") {
    for (const shape_t& shape :
         {shape_t{70}, shape_t{3, 70}, shape_t{2, 3, 9}, shape_t{2, 3, 2, 65},
          shape_t{2, 1, 3, 2, 5}, shape_t{3, 0, 2}}) {
        const auto x = oracle::random<double>(shape, 1);
        const auto kept = oracle::random<bool>(shape, 2);
        const auto expected = kept_of(oracle::elements(x), oracle::elements(kept));
        oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
            CAPTURE(shape, layout);
            REQUIRE(
                oracle::elements(
                    xmask::masked_select(operand, xmask::bitmask(xmask::keep_where(kept)))
                ) == expected
            );
        });
    }
}

TEST_CASE(
    "masked_select computes only what is kept, and passes it on bit by bit", "[masked_select]"
) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    xt::xarray<float> x = oracle::random<float>({3, 67}, 1);
    const std::vector<float> special = {
        nan, -nan, -0.f, std::numeric_limits<float>::denorm_min(), 1e38f
    };
    for (std::size_t i = 0; i < x.size(); i += 2) {
        x.flat(i) = special[i / 2 % special.size()];
    }
    const auto kept = kept_in_eight({3, 67}, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto expected = kept_of(oracle::elements(x), oracle::elements(kept));
    REQUIRE(oracle::same_bits(oracle::elements(xmask::masked_select(x, m)), expected));
    std::size_t calls = 0;
    auto counted = xt::vectorize([&](float v) {
        ++calls;
        return v;
    });
    REQUIRE(oracle::same_bits(oracle::elements(xmask::masked_select(counted(x), m)), expected));
    REQUIRE(calls == expected.size());
    // Garbage where the mask drops.
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept.flat(i) ? x.flat(i) : nan;
    }
    REQUIRE(oracle::same_bits(oracle::elements(xmask::masked_select(x, m)), expected));
}

TEST_CASE("masked_select of complex numbers", "[masked_select]") {
    using complex = std::complex<double>;
    const xt::xtensor<complex, 1> z = {{1., 2.}, {3., -4.}, {5., 6.}};
    const auto y = xmask::masked_select(
        z, xmask::bitmask(xmask::keep_where(xt::xtensor<bool, 1>{true, false, true}))
    );
    REQUIRE(oracle::elements(y) == std::vector<complex>{{1., 2.}, {5., 6.}});
}

TEST_CASE("masked_select agrees with PyTorch", "[masked_select]") {
    const auto x = oracle::reference<float>("masked_select", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("masked_select", "mask"));
    const auto expected = oracle::elements(oracle::reference<double>("masked_select", "y"));
    REQUIRE(oracle::elements(xt::xarray<double>(xmask::masked_select(x, m))) == expected);
    REQUIRE(oracle::elements(xmask::masked_select(xt::xarray<double>(x), m)) == expected);
}

TEST_CASE("masked_select refuses shapes that do not fit", "[masked_select]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    REQUIRE_THROWS_AS(
        xmask::masked_select(x, xmask::bitmask(xmask::keep_all({4, 2, 3}))), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_select(x, xmask::bitmask(xmask::keep_all(2))),
        ContainsSubstring("xmask::masked_select: a mask of shape (2,)")
    );
}

TEST_CASE("masked_select into memory that is there", "[masked_select]") {
    for (const std::size_t n : {1u, 63u, 64u, 200u}) {
        const auto x = oracle::random<float>({5, n}, 3);
        const auto kept = kept_in_eight({5, n}, 4);
        const auto m = xmask::keep_where(kept);
        const auto expected = kept_of(oracle::elements(x), oracle::elements(kept));
        const std::size_t count = expected.size();
        const auto check = [&](auto&& out) {
            out.fill(7);
            REQUIRE(xmask::masked_select(x, m, out) == count);
            for (std::size_t i = 0; i < out.size(); ++i) {
                CAPTURE(n, i);
                REQUIRE(static_cast<float>(out(i)) == (i < count ? expected[i] : 7.f));
            }
        };
        check(xt::xtensor<float, 1>::from_shape({count}));
        check(xt::xtensor<float, 1>::from_shape({count + 9}));
        check(xt::xarray<double>::from_shape({count + 3}));
        xt::xtensor<float, 2> strided = xt::zeros<float>({count + 2, std::size_t(3)});
        check(xt::view(strided, xt::all(), 1));
        // A row of what is read: nothing is read after it is written.
        xt::xtensor<float, 2> own = x;
        if (count <= n) {
            REQUIRE(xmask::masked_select(own, m, xt::view(own, 1, xt::all())) == count);
            for (std::size_t i = 0; i < count; ++i) {
                REQUIRE(own(1, i) == expected[i]);
            }
        }
    }
    const xt::xtensor<float, 1> x = {1.f, 2.f, 3.f};
    xt::xtensor<float, 1> two = {7.f, 7.f};
    REQUIRE_THROWS_WITH(
        xmask::masked_select(x, xmask::keep_all({3}), two),
        "xmask::masked_select: the mask keeps 3 elements; the output has room for 2"
    );
    REQUIRE(two == xt::xtensor<float, 1>{7.f, 7.f});
    xt::xtensor<float, 2> flat = xt::zeros<float>({1, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_select(x, xmask::keep_all({3}), flat),
        "xmask::masked_select: the output has 2 axes; expected 1"
    );
}
