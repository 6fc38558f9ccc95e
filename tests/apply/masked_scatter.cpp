// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <complex>
#include <cstdint>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_scatter.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> scattered(
    std::vector<T> x, const std::vector<char>& kept, const std::vector<T>& source
) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = kept[i] != 0 ? source.at(next++) : x[i];
    }
    return x;
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_scatter of every type, row length and density", "[masked_scatter]", float, double, bool,
    std::int8_t, std::int64_t, long double
) {
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {n > 1000 ? std::size_t(3) : std::size_t(17), n};
        const auto x = oracle::random<TestType>(shape, 3);
        const auto source = oracle::random<TestType>({x.size() + 5}, 4);
        xt::xarray<bool> all = xt::ones<bool>(shape);
        xt::xarray<bool> none = xt::zeros<bool>(shape);
        for (const auto& kept : {oracle::random<bool>(shape, 5), all, none}) {
            const auto m = xmask::keep_where(kept);
            const auto expected =
                scattered(oracle::elements(x), oracle::elements(kept), oracle::elements(source));
            const xt::xarray<TestType> y = xmask::masked_scatter(x, m, source);
            CAPTURE(n);
            REQUIRE(y.shape() == x.shape());
            REQUIRE(oracle::elements(y) == expected);
            auto z = x;
            xmask::masked_scatter_inplace(z, m, source);
            REQUIRE(oracle::elements(z) == expected);
            // Scattering the selected elements restores x.
            REQUIRE(
                oracle::elements(xmask::masked_scatter(x, m, xmask::masked_select(x, m))) ==
                oracle::elements(x)
            );
        }
    }
}

TEST_CASE("masked_scatter by lengths and masks that broadcast", "[masked_scatter]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({5, n}, 5);
        const auto source = oracle::random<float>({5, n}, 6);
        const xt::xtensor<std::size_t, 1> lengths = {
            n, 0, n / 2, n - n / 3, std::min<std::size_t>(n, 1)
        };
        const auto check = [&](const auto& m) {
            CAPTURE(n);
            const xt::xarray<bool> kept = m;
            const auto every = oracle::elements(xt::xarray<bool>(xt::broadcast(kept, x.shape())));
            REQUIRE(
                oracle::elements(xmask::masked_scatter(x, m, source)) ==
                scattered(oracle::elements(x), every, oracle::elements(source))
            );
        };
        check(xmask::keep_lengths(lengths, n));
        check(xmask::keep_last(lengths, n));
        check(xmask::keep_where(oracle::random<bool>({5, 1}, 6)));
        check(xmask::keep_where(oracle::random<bool>({n}, 6)));
        check(xmask::keep_all({1}));
    }
}

TEST_CASE("masked_scatter of every rank and layout, from any source", "[masked_scatter]") {
    for (const shape_t& shape :
         {shape_t{}, shape_t{70}, shape_t{3, 70}, shape_t{2, 3, 2, 65}, shape_t{2, 1, 3, 2, 5},
          shape_t{3, 0, 2}}) {
        const auto x = oracle::random<double>(shape, 1);
        const auto source = oracle::random<double>(shape, 3);
        const auto kept = oracle::random<bool>(shape, 2);
        const xmask::bitmask m = xmask::keep_where(kept);
        const auto expected =
            scattered(oracle::elements(x), oracle::elements(kept), oracle::elements(source));
        CAPTURE(shape);
        oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
            CAPTURE(layout);
            REQUIRE(oracle::elements(xmask::masked_scatter(operand, m, source)) == expected);
        });
        oracle::for_each_layout(source, [&](const auto& from, const char* layout) {
            CAPTURE(layout);
            REQUIRE(oracle::elements(xmask::masked_scatter(x, m, from)) == expected);
            xt::xarray<double, xt::layout_type::column_major> turned = x;
            xmask::masked_scatter_inplace(turned, m, from);
            REQUIRE(oracle::elements(turned) == expected);
        });
    }
}

TEST_CASE("masked_scatter into views, from other types and ranks", "[masked_scatter]") {
    const auto x = oracle::random<float>({3, 70}, 1);
    const auto kept = oracle::random<bool>({3, 70}, 2);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto source = oracle::random<int>({210}, 3);
    const xt::xarray<float> converted = source;
    const auto expected =
        scattered(oracle::elements(x), oracle::elements(kept), oracle::elements(converted));
    REQUIRE(oracle::elements(xmask::masked_scatter(x, m, source)) == expected);
    const xt::xtensor<int, 3> cube = xt::reshape_view(source, {5, 6, 7});
    const xt::xtensor<float, 2> fixed_rank = x;
    const auto y = xmask::masked_scatter(fixed_rank, m, cube);
    STATIC_REQUIRE(std::is_same_v<decltype(y), const xt::xtensor<float, 2>>);
    REQUIRE(oracle::elements(y) == expected);
    xt::xarray<float> wide = xt::ones<float>({3, 143});
    auto view = xt::strided_view(wide, {xt::all(), xt::range(1, 141, 2)});
    view = x;
    xmask::masked_scatter_inplace(view, m, source);
    REQUIRE(oracle::elements(view) == expected);
    REQUIRE(wide(0, 0) == 1.f);
    REQUIRE(wide(2, 142) == 1.f);
    // bool from numbers, and numbers from bool.
    const xt::xtensor<bool, 1> flags = {false, false, true};
    const xmask::bitmask pairs = xmask::keep_lengths({2}, 3);
    const xt::xtensor<bool, 2> flag_rows = {{false, false, true}};
    REQUIRE(
        oracle::elements(xmask::masked_scatter(flag_rows, pairs, xt::xtensor<int, 1>{7, 0})) ==
        std::vector<char>{1, 0, 1}
    );
    REQUIRE(
        oracle::elements(xmask::masked_scatter(xt::xtensor<int, 2>{{5, 5, 5}}, pairs, !flags)) ==
        std::vector<int>{1, 1, 5}
    );
}

TEST_CASE("masked_scatter of complex numbers", "[masked_scatter]") {
    using complex = std::complex<double>;
    const xt::xtensor<complex, 1> z = {{1., 2.}, {3., -4.}, {5., 6.}};
    const xt::xtensor<complex, 1> source = {{7., 8.}, {9., 0.}};
    const auto y = xmask::masked_scatter(
        z, xmask::bitmask(xmask::keep_where(xt::xtensor<bool, 1>{true, false, true})), source
    );
    REQUIRE(oracle::elements(y) == std::vector<complex>{{7., 8.}, {3., -4.}, {9., 0.}});
}

TEST_CASE("masked_scatter agrees with PyTorch", "[masked_scatter]") {
    const auto x = oracle::reference<float>("masked_scatter", "x");
    const auto source = oracle::reference<float>("masked_scatter", "source");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("masked_scatter", "mask"));
    const auto expected = oracle::elements(oracle::reference<double>("masked_scatter", "y"));
    REQUIRE(oracle::elements(xt::xarray<double>(xmask::masked_scatter(x, m, source))) == expected);
    REQUIRE(oracle::elements(xmask::masked_scatter(xt::xarray<double>(x), m, source)) == expected);
}

TEST_CASE(
    "masked_scatter refuses a source that is too short before anything is written",
    "[masked_scatter]"
) {
    using Catch::Matchers::ContainsSubstring;
    xt::xarray<float> x = xt::ones<float>({2, 3});
    const auto m = xmask::keep_lengths({3, 1}, 3);
    const xt::xarray<float> three = xt::zeros<float>({3});
    const xt::xarray<float> four = xt::zeros<float>({2, 2});
    REQUIRE_THROWS_AS(xmask::masked_scatter(x, m, three), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::masked_scatter_inplace(x, m, three), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::masked_scatter_inplace(x, m, three),
        ContainsSubstring("xmask::masked_scatter_inplace: ") && ContainsSubstring("3 elements") &&
            ContainsSubstring("keeps 4")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_scatter_inplace(x, xmask::bitmask(xmask::keep_all(2)), four),
        std::invalid_argument
    );
    // A mask of one row is broadcast to both.
    REQUIRE_THROWS_AS(
        xmask::masked_scatter_inplace(x, xmask::bitmask(xmask::keep_all(3)), four),
        std::invalid_argument
    );
    REQUIRE(oracle::elements(x) == std::vector<float>(6, 1.f));
    xmask::masked_scatter_inplace(x, m, four);
    REQUIRE(oracle::elements(x) == std::vector<float>{0.f, 0.f, 0.f, 0.f, 1.f, 1.f});
    xmask::masked_scatter_inplace(
        x, xmask::bitmask(xmask::keep_none({2, 3})), xt::xtensor<float, 1>::from_shape({0})
    );
}
