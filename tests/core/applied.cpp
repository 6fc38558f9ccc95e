// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <sstream>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/multiply.hpp>
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

TEST_CASE("An applied result is the operand of another", "[applied]") {
    for (const std::size_t n : {1u, 3u, 64u, 130u}) {
        const shape_t shape = {4, n};
        const auto x = oracle::random<float>(shape, 1);
        const auto gate = oracle::random<float>(shape, 2);
        const auto kept = some(shape, 3);
        const auto m = xmask::keep_where(kept);
        const xt::xarray<float> inner = xmask::multiply(x, gate);
        const xt::xarray<float> expected = xmask::masked_fill(inner, m, 3.f);
        CAPTURE(n);
        const xt::xarray<float> y = xmask::masked_fill(xmask::multiply(x, gate), m, 3.f);
        REQUIRE(oracle::elements(y) == oracle::elements(expected));
        const xt::xarray<float> z = 1.f + xmask::masked_fill(xmask::multiply(x, gate), m, 3.f);
        REQUIRE(oracle::elements(z) == oracle::elements(xt::xarray<float>(1.f + expected)));
        const xt::xarray<float> outer = xmask::multiply(xmask::masked_fill(x, m, 3.f), !m);
        REQUIRE(oracle::elements(outer) == expected_of(x, kept, [](float) { return 0.f; }, 3.f));

        // Operands with fewer axes are broadcast: a column, and a row.
        const auto column = oracle::random<float>({4, 1}, 5);
        const auto row = oracle::random<float>({n}, 6);
        const auto column_kept = some({4, 1}, 7);
        const auto row_kept = some({n}, 8);
        const xt::xarray<float> filled_column =
            xmask::masked_fill(column, xmask::keep_where(column_kept), 9.f);
        const xt::xarray<float> filled_row =
            xmask::masked_fill(row, xmask::keep_where(row_kept), 8.f);
        const xt::xarray<float> sum = filled_column + x * filled_row;
        const xt::xarray<float> met = xmask::masked_fill(
            xmask::masked_fill(column, xmask::keep_where(column_kept), 9.f) +
                x * xmask::masked_fill(row, xmask::keep_where(row_kept), 8.f),
            m, 3.f
        );
        REQUIRE(near(
            oracle::elements(met),
            oracle::elements(xt::xarray<float>(xmask::masked_fill(sum, m, 3.f)))
        ));
    }
}

TEST_CASE("Operands that mix types are computed in their common type", "[applied]") {
    const shape_t shape = {3, 70};
    const auto f = oracle::random<float>(shape, 1);
    const xt::xarray<double> d = oracle::random<double>(shape, 2) + 1e-12;
    const auto i = oracle::random<int>(shape, 3);
    const auto kept = some(shape);
    const auto m = xmask::keep_where(kept);
    const xt::xarray<double> y = xmask::masked_fill(f * d, m, -1.);
    const xt::xarray<double> expected = xt::where(kept, xt::xarray<double>(f * d), -1.);
    REQUIRE(oracle::elements(y) == oracle::elements(expected));
    const xt::xarray<double> exps = xt::exp(xmask::masked_fill(f * d, m, -1.));
    REQUIRE(oracle::close(exps, xt::xarray<double>(xt::exp(expected)), 1e-14));
    const xt::xarray<float> z = xmask::masked_fill(i + f, m, -1.f);
    REQUIRE(
        oracle::elements(z) ==
        oracle::elements(xt::xarray<float>(xt::where(kept, xt::xarray<float>(i + f), -1.f)))
    );
    const xt::xarray<float> w = 2.f * xmask::masked_fill(i + f, m, -1.f);
    REQUIRE(oracle::elements(w) == oracle::elements(xt::xarray<float>(2.f * z)));
    const xt::xarray<bool> positive = xmask::masked_fill(f > 0.f, m, true);
    REQUIRE(oracle::elements(positive) == oracle::elements(xt::xarray<bool>(f > 0.f || !kept)));
    const xt::xarray<double> chosen = xmask::masked_fill(xt::where(f > 0.f, d, 2. * d), m, 0.);
    REQUIRE(
        oracle::elements(chosen) ==
        oracle::elements(xt::xarray<double>(xt::where(kept, xt::where(f > 0.f, d, 2. * d), 0.)))
    );
}

TEST_CASE("A function of one's own is not called for what is dropped", "[applied]") {
    for (const std::size_t n : {1u, 65u, 200u}) {
        const shape_t shape = {3, n};
        xt::xarray<float> x = xt::ones<float>(shape);
        auto kept = some(shape);
        kept.flat(0) = true;
        for (std::size_t i = 64; i < std::min<std::size_t>(n, 128); ++i) {
            kept(0, i) = true;
            kept(1, i) = false;
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            x.flat(i) = kept.flat(i) ? x.flat(i) : -100.f;
        }
        const auto bits = oracle::elements(kept);
        const auto count = static_cast<std::size_t>(std::ranges::count(bits, char(1)));
        const auto m = xmask::keep_where(kept);
        std::size_t calls = 0;
        bool seen = false;
        const auto counted = [&](float v) {
            ++calls;
            seen = seen || v < 0.f;
            return 3.f * v;
        };
        const auto expected = expected_of(x, kept, [](float v) { return 3.f * v; }, 0.f);
        CAPTURE(n);
        const xt::xarray<float> y =
            xmask::masked_fill(xt::make_lambda_xfunction(counted, x), m, 0.f);
        REQUIRE(oracle::elements(y) == expected);
        REQUIRE(calls == count);
        auto vectorized = xt::vectorize(counted);
        const xt::xarray<float> z = xmask::multiply(1.f * vectorized(x), m);
        REQUIRE(oracle::elements(z) == expected);
        REQUIRE(calls == 2 * count);
        // Inside a larger expression, by iteration, and by single elements.
        const xt::xarray<float> w = 1.f + xmask::masked_fill(vectorized(x), m, -1.f);
        REQUIRE(calls == 3 * count);
        const auto lazy = xmask::masked_fill(vectorized(x), m, 0.f);
        REQUIRE(std::vector<float>(lazy.begin(), lazy.end()) == expected);
        REQUIRE(calls == 4 * count);
        REQUIRE(oracle::elements(lazy) == expected);
        REQUIRE(calls == 5 * count);
        REQUIRE_FALSE(seen);
    }
}

TEST_CASE("What the outer mask drops is not computed by the inner result", "[applied]") {
    const xt::xtensor<float, 2> x = xt::ones<float>({2, 70});
    std::size_t calls = 0;
    auto counted = xt::vectorize([&](float v) {
        ++calls;
        return v;
    });
    const auto inner = xmask::keep_lengths({70, 40}, 70);
    const auto outer = xmask::keep_lengths({30, 60}, 70);
    const xt::xtensor<float, 2> y =
        xmask::masked_fill(xmask::multiply(counted(x), inner), outer, 5.f);
    REQUIRE(calls == 30 + 40);
    REQUIRE(xt::sum(y)() == 30 + 40 + 5 * (40 + 10));
}

TEST_CASE("An integer division by zero under the mask does not trap", "[applied]") {
    for (const std::size_t n : {3u, 64u, 150u}) {
        const shape_t shape = {4, n};
        const auto divisor = oracle::random<int>(shape, 4);
        const xt::xarray<int> numerator = 100 + oracle::random<int>(shape, 5);
        const auto m = xmask::keep_not_equal(divisor, 0);
        auto expected = oracle::elements(numerator);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            expected[i] = divisor.flat(i) != 0 ? expected[i] / divisor.flat(i) : -1;
        }
        const xt::xarray<int> y = xmask::masked_fill(numerator / divisor, m, -1);
        REQUIRE(oracle::elements(y) == expected);
        const xt::xarray<int> z = 1 * xmask::masked_fill(numerator / divisor, m, -1);
        REQUIRE(oracle::elements(z) == expected);
        const xt::xarray<int, xt::layout_type::column_major> w =
            1 * xmask::masked_fill(numerator / divisor, m, -1);
        REQUIRE(oracle::elements(w) == expected);
        const xt::xarray<int> v = xmask::masked_fill(numerator % divisor, m, -1);
        REQUIRE(v.size() == expected.size());
    }
}

TEST_CASE("Every way to look at an applied result agrees", "[applied]") {
    const std::vector<shape_t> shapes = {{}, {7}, {3, 65}, {2, 3, 5}, {2, 1, 3, 4}};
    for (const auto& shape : shapes) {
        const auto x = oracle::random<float>(shape, 1);
        const auto kept = some(shape, 11);
        const auto expected = expected_of(x, kept, [](float v) { return v + 1.f; }, 9.f);
        const auto check = [&](const auto& e) {
            REQUIRE(shape_t(e.shape().begin(), e.shape().end()) == shape);
            REQUIRE(e.dimension() == shape.size());
            REQUIRE(e.size() == expected.size());
            REQUIRE(oracle::elements(e) == expected);
            REQUIRE(std::vector<float>(e.begin(), e.end()) == expected);
            REQUIRE(std::vector<float>(e.linear_begin(), e.linear_end()) == expected);
            auto backwards = std::vector<float>(e.rbegin(), e.rend());
            std::ranges::reverse(backwards);
            REQUIRE(backwards == expected);
            const xt::xarray<float> assigned = e;
            REQUIRE(oracle::elements(assigned) == expected);
            const xt::xarray<float, xt::layout_type::column_major> columns = e;
            using column_iterator = decltype(e.template begin<xt::layout_type::column_major>());
            column_iterator it = e.template begin<xt::layout_type::column_major>();
            REQUIRE(std::equal(columns.storage().begin(), columns.storage().end(), it));
            for (std::size_t i = 0; i < expected.size(); ++i) {
                REQUIRE(e.flat(i) == expected[i]);
            }
        };
        check(xmask::masked_fill(x + 1.f, xmask::keep_where(kept), 9.f));
        const xt::xarray<float, xt::layout_type::column_major> turned = x;
        check(xmask::masked_fill(turned + 1.f, xmask::keep_where(kept), 9.f));
        const xt::xarray<float> moved = x + 1.f;
        check(xmask::masked_fill(moved, xmask::keep_where(kept), 9.f));
    }
}

TEST_CASE("Indices and views of an applied result", "[applied]") {
    const auto x = oracle::random<float>({3, 4, 5}, 1);
    const auto kept = some({4, 1}, 2);
    const auto lazy = xmask::masked_fill(x, xmask::keep_where(kept), 9.f);
    const xt::xarray<float> y = lazy;
    REQUIRE(lazy(1, 2, 3) == y(1, 2, 3));
    REQUIRE(lazy.unchecked(2, 0, 4) == y(2, 0, 4));
    REQUIRE(lazy.at(2, 3, 4) == y(2, 3, 4));
    REQUIRE(lazy(3, 4) == y(3, 4));
    REQUIRE(lazy[{1, 1, 1}] == y(1, 1, 1));
    REQUIRE_THROWS(lazy.at(3, 0, 0));
    REQUIRE(
        oracle::elements(xt::xarray<float>(xt::view(lazy, 1))) ==
        oracle::elements(xt::xarray<float>(xt::view(y, 1)))
    );
    const auto part = xt::view(lazy, xt::range(0, 3, 2), xt::all(), xt::range(1, 4));
    const auto same = xt::view(y, xt::range(0, 3, 2), xt::all(), xt::range(1, 4));
    REQUIRE(oracle::elements(xt::xarray<float>(part)) == oracle::elements(xt::xarray<float>(same)));
    // A view of a mask is not a mask, but is an operand.
    const xt::xarray<float> z = xmask::masked_fill(part, xmask::keep_none({2, 4, 3}), 1.f);
    REQUIRE(xt::all(xt::equal(z, 1.f)));
    const xt::xarray<float> w = xmask::masked_fill(part, xmask::keep_all({2, 4, 3}), 1.f);
    REQUIRE(oracle::elements(w) == oracle::elements(xt::xarray<float>(same)));
    std::ostringstream out;
    out << xmask::masked_fill(xt::xtensor<int, 2>{{1, 2, 3}}, xmask::keep_lengths({2}, 3), 0);
    REQUIRE(out.str().find("1, 2, 0") != std::string::npos);
}

TEST_CASE("An applied result refers to lvalues and owns rvalues", "[applied]") {
    xt::xtensor<float, 2> x = {{1.f, 2.f, 3.f}};
    xt::xtensor<int, 1> lengths = {2};
    const auto lazy = xmask::masked_fill(x, xmask::keep_lengths(lengths, 3), 0.f);
    x(0, 0) = 10.f;
    REQUIRE(oracle::elements(lazy) == std::vector<float>{10.f, 2.f, 0.f});
    const auto make = [] {
        return xmask::multiply(
            xt::xtensor<float, 2>{{1.f, 2.f, 3.f}} + 1.f,
            xmask::keep_where(xt::xtensor<bool, 2>{{true, false, true}})
        );
    };
    const auto owned = make();
    REQUIRE(oracle::elements(owned) == std::vector<float>{2.f, 0.f, 4.f});
    const auto copy = owned;
    const xt::xtensor<float, 2> y = copy;
    REQUIRE(oracle::elements(y) == std::vector<float>{2.f, 0.f, 4.f});
    const auto nested = [&] { return 2.f * xmask::multiply(make(), xmask::keep_all({3})); }();
    REQUIRE(oracle::elements(nested) == std::vector<float>{4.f, 0.f, 8.f});
}
