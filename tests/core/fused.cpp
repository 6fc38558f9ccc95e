// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <catch2/catch_all.hpp>

#include <support/allocations.hpp>
#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

xt::xarray<bool> some(const shape_t& shape, unsigned seed = 5) {
    return oracle::random<bool>(shape, seed);
}

/// The expected elements, by a loop: kept ? f(x) : value.
template <class T, class F>
std::vector<T> expected_of(const xt::xarray<T>& x, const xt::xarray<bool>& kept, F&& f, T value) {
    auto result = oracle::elements(x);
    const auto bits = oracle::elements(kept);
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = bits[i] != 0 ? f(result[i]) : value;
    }
    return result;
}

template <class T>
bool near(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](T x, T y) {
               return x == y || std::abs(x - y) <= T(1e-6) * std::max(T(1), std::abs(y));
           });
}
} // namespace

TEST_CASE("A fused assignment allocates nothing", "[applied]") {
    for (const std::size_t n : {3u, 64u, 130u}) {
        const xt::xtensor<float, 2> x = oracle::random<float>({4, n});
        const xt::xarray<float> dynamic = x;
        const xt::xtensor<int, 1> lengths = {1, 0, 3, 2};
        const auto m = xmask::keep_lengths(lengths, n);
        const xt::xtensor<bool, 2> kept = some({4, n});
        xt::xtensor<float, 2> y = xt::zeros<float>(x.shape());
        xt::xarray<float> z = y;
        const std::size_t before = allocations();
        xt::noalias(y) = xmask::masked_fill(x, m, -1e9f);
        xt::noalias(y) = xmask::masked_fill(2.f * x + 1.f, m, -1e9f);
        xt::noalias(y) = xmask::masked_fill(2.f * x + 1.f, xmask::keep_where(kept), -1e9f);
        xt::noalias(y) = xmask::multiply(x, x);
        xt::noalias(y) = xt::exp(xmask::masked_fill(2.f * x + 1.f, m, -1e9f));
        xt::noalias(z) = xt::exp(xmask::masked_fill(2.f * dynamic + 1.f, m, -1e9f));
        xmask::masked_fill_inplace(y, m, 0.f);
        xmask::multiply_inplace(y, m);
        const std::size_t after = allocations();
        REQUIRE(after == before);
#if !defined(XTENSOR_USE_XSIMD)
        // With XTENSOR_USE_XSIMD, tensors do not allocate by new.
        z = 2 * z;
        REQUIRE(allocations() > after);
#endif
    }
}

TEST_CASE("An applied result inside a function is right in every layout", "[applied]") {
    for (const std::size_t n : {0u, 1u, 3u, 64u, 130u}) {
        const shape_t shape = {3, n};
        const auto x = oracle::random<float>(shape, 2);
        const auto kept = some(shape);
        const auto m = xmask::keep_where(kept);
        const auto expected =
            expected_of(x, kept, [](float v) { return std::exp(2.f * v + 1.f); }, std::exp(-3.f));
        oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
            CAPTURE(n, layout);
            xt::xtensor<float, 2> y = xt::zeros<float>({std::size_t(3), n});
            xt::noalias(y) = xt::exp(xmask::masked_fill(2.f * operand + 1.f, m, -3.f));
            REQUIRE(near(oracle::elements(y), expected));
        });
        xt::xarray<float, xt::layout_type::column_major> columns = xt::zeros<float>(shape);
        xt::noalias(columns) = xt::exp(xmask::masked_fill(2.f * x + 1.f, m, -3.f));
        REQUIRE(near(oracle::elements(columns), expected));
        xt::xarray<float> wide = xt::zeros<float>({std::size_t(3), 2 * n + 1});
        auto view = xt::view(wide, xt::all(), xt::range(1, 2 * n + 1, 2));
        xt::noalias(view) = xt::exp(xmask::masked_fill(2.f * x + 1.f, m, -3.f));
        REQUIRE(near(oracle::elements(view), expected));
        const xt::xarray<double> other = xt::exp(xmask::masked_fill(2.f * x + 1.f, m, -3.f));
        REQUIRE(oracle::close(other, columns, 1e-6));
    }
}

TEST_CASE("Applied results in larger expressions", "[applied]") {
    const shape_t shape = {5, 67};
    const auto x = oracle::random<double>(shape, 1);
    const auto a = oracle::random<double>(shape, 2);
    const auto b = oracle::random<double>(shape, 3);
    const auto kept = some(shape);
    const auto m = xmask::keep_where(kept);
    const xt::xarray<double> filled = xmask::masked_fill(x, m, 7.);
    const xt::xarray<double> product = xmask::multiply(x, a);

    SECTION("sums and products") {
        const xt::xarray<double> y = a + xmask::masked_fill(x, m, 7.) * b;
        REQUIRE(oracle::close(y, xt::xarray<double>(a + filled * b), 1e-15));
        const xt::xarray<double> z = xmask::multiply(x, a) - 2. * xmask::masked_fill(x, m, 7.);
        REQUIRE(oracle::close(z, xt::xarray<double>(product - 2. * filled), 1e-15));
        auto w = a;
        w += xmask::masked_fill(x, m, 7.);
        REQUIRE(oracle::close(w, xt::xarray<double>(a + filled), 1e-15));
    }
    SECTION("where") {
        const xt::xarray<double> y = xt::where(a > 0., xmask::masked_fill(x, m, 7.), b);
        REQUIRE(
            oracle::elements(y) ==
            oracle::elements(xt::xarray<double>(xt::where(a > 0., filled, b)))
        );
    }
    SECTION("reductions") {
        const auto lazy = xmask::masked_fill(x, m, 7.);
        REQUIRE(std::abs(xt::sum(lazy)() - xt::sum(filled)()) < 1e-12);
        REQUIRE(oracle::close(
            xt::xarray<double>(xt::sum(lazy, {0})), xt::xarray<double>(xt::sum(filled, {0})), 1e-13
        ));
        REQUIRE(oracle::close(
            xt::xarray<double>(xt::sum(lazy, {1})), xt::xarray<double>(xt::sum(filled, {1})), 1e-13
        ));
        REQUIRE(xt::amax(lazy)() == 7.);
        REQUIRE(xt::amin(lazy)() == xt::amin(filled)());
    }
    SECTION("broadcast into a larger shape") {
        const auto row = oracle::random<double>({1, 67}, 4);
        const auto row_kept = some({67}, 4);
        const xt::xarray<double> filled_row =
            xmask::masked_fill(row, xmask::keep_where(row_kept), 7.);
        const xt::xarray<double> y = a + xmask::masked_fill(row, xmask::keep_where(row_kept), 7.);
        REQUIRE(oracle::elements(y) == oracle::elements(xt::xarray<double>(a + filled_row)));
        const auto column = oracle::random<double>({5, 1}, 4);
        const auto column_kept = some({5, 1}, 4);
        const xt::xarray<double> filled_column =
            xmask::masked_fill(column, xmask::keep_where(column_kept), 7.);
        const xt::xarray<double> z =
            a * xmask::masked_fill(column, xmask::keep_where(column_kept), 7.);
        REQUIRE(oracle::elements(z) == oracle::elements(xt::xarray<double>(a * filled_column)));
        const xt::xarray<double> deep = xt::ones<double>({2, 5, 67}) * xmask::masked_fill(x, m, 7.);
        REQUIRE(deep.shape(0) == 2);
        REQUIRE(
            oracle::elements(xt::xarray<double>(xt::view(deep, 1))) == oracle::elements(filled)
        );
    }
    SECTION("a mask that is itself broadcast, in an operand of a larger expression") {
        const auto narrow = some({5, 1}, 9);
        const xt::xarray<double> once = xmask::masked_fill(x, xmask::keep_where(narrow), 7.);
        const xt::xarray<double> y = a + xmask::masked_fill(x, xmask::keep_where(narrow), 7.);
        REQUIRE(oracle::elements(y) == oracle::elements(xt::xarray<double>(a + once)));
        const auto last = some({67}, 9);
        const xt::xarray<double> twice = xmask::masked_fill(x, xmask::keep_where(last), 7.);
        const xt::xarray<double> z = a + xmask::masked_fill(x, xmask::keep_where(last), 7.);
        REQUIRE(oracle::elements(z) == oracle::elements(xt::xarray<double>(a + twice)));
    }
}
