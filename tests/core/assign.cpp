// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <complex>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>

#if __has_include(<xtensor/misc/xcomplex.hpp>)
#include <xtensor/misc/xcomplex.hpp>
#include <xtensor/views/xindex_view.hpp>
#else
#include <xtensor/xcomplex.hpp>
#include <xtensor/xindex_view.hpp>
#endif

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
struct batch {
    explicit batch(const shape_t& shape)
        : x(oracle::random<T>(shape, 1))
        , y(oracle::random<T>(shape, 2))
        , kept(oracle::random<bool>(shape, 3))
        , filled(x) {
        for (std::size_t i = 0; i < x.size(); ++i) {
            filled.flat(i) = kept.flat(i) ? x.flat(i) : T(7);
        }
    }

    xt::xarray<T> x;
    xt::xarray<T> y;
    xt::xarray<bool> kept;
    xt::xarray<T> filled;
};

/// The expected elements, by a loop: f of the elements of a and b.
template <class T, class F>
std::vector<T> each(const xt::xarray<T>& a, const xt::xarray<T>& b, F&& f) {
    auto result = oracle::elements(a);
    const auto other = oracle::elements(b);
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = f(result[i], other[i]);
    }
    return result;
}

const std::vector<shape_t> shapes = {{},     {0},        {1},          {65},           {3, 64},
                                     {3, 0}, {2, 3, 70}, {2, 1, 2, 5}, {2, 2, 1, 2, 3}};
} // namespace

TEST_CASE("A masked tensor is assigned to views of any kind", "[assign]") {
    for (const auto& shape : shapes) {
        const batch<float> b(shape);
        const auto m = xmask::keep_where(b.kept);
        const auto expected = oracle::elements(b.filled);
        const auto twice = each(b.filled, b.y, [](float u, float v) { return 2.f * u + v; });
        oracle::for_each_layout(
            xt::xarray<float>(xt::zeros<float>(shape)),
            [&](auto&& layout, const char* name) {
                if constexpr (!xmask::detail::has_memory<decltype(layout)>) {
                    return;
                } else {
                    auto& to = const_cast<std::decay_t<decltype(layout)>&>(layout);
                    CAPTURE(shape, name);
                    xt::noalias(to) = xmask::masked_fill(b.x, m, 7.f);
                    REQUIRE(oracle::elements(to) == expected);
                    xt::noalias(to) = 2.f * xmask::masked_fill(b.x, m, 7.f) + b.y;
                    REQUIRE(oracle::elements(to) == twice);
                    to = xmask::masked_fill(b.x, m, 7.f);
                    REQUIRE(oracle::elements(to) == expected);
                }
            }
        );
    }
}

TEST_CASE("A masked tensor is added to a tensor or a view", "[assign]") {
    for (const auto& shape : shapes) {
        const batch<double> b(shape);
        const auto m = xmask::keep_where(b.kept);
        CAPTURE(shape);
        auto sum = b.y;
        sum += xmask::masked_fill(b.x, m, 7.);
        REQUIRE(oracle::elements(sum) == each(b.y, b.filled, [](double u, double v) {
                    return u + v;
                }));
        sum *= 3. - xmask::masked_fill(b.x, m, 7.);
        REQUIRE(oracle::elements(sum) == each(b.y, b.filled, [](double u, double v) {
                    return (u + v) * (3. - v);
                }));
        auto turned = xt::xarray<double, xt::layout_type::column_major>(b.y);
        auto view = xt::strided_view(turned, {xt::ellipsis()});
        xt::noalias(view) -= xmask::masked_fill(b.x, m, 7.);
        REQUIRE(oracle::elements(turned) == each(b.y, b.filled, [](double u, double v) {
                    return u - v;
                }));
    }
}

TEST_CASE("A narrower masked tensor is broadcast by the assignment", "[assign]") {
    for (const std::size_t n : {1u, 5u, 64u, 130u}) {
        const auto wide = oracle::random<float>({3, n}, 4);
        const batch<float> row({n});
        const batch<float> column({3, 1});
        CAPTURE(n);
        auto y = wide;
        y += xmask::masked_fill(row.x, xmask::keep_where(row.kept), 7.f);
        const xt::xarray<float> rows = wide + row.filled;
        REQUIRE(oracle::elements(y) == oracle::elements(rows));
        y = wide;
        y += xmask::masked_fill(column.x, xmask::keep_where(column.kept), 7.f);
        const xt::xarray<float> columns = wide + column.filled;
        REQUIRE(oracle::elements(y) == oracle::elements(columns));
        const xt::xarray<float> both =
            xmask::masked_fill(row.x, xmask::keep_where(row.kept), 7.f) *
            xmask::masked_fill(column.x, xmask::keep_where(column.kept), 7.f);
        const xt::xarray<float> product = row.filled * column.filled;
        REQUIRE(oracle::elements(both) == oracle::elements(product));
        auto view = xt::strided_view(y, {xt::all(), xt::all()});
        view = xmask::masked_fill(row.x, xmask::keep_where(row.kept), 7.f);
        const xt::xarray<float> repeated = row.filled + xt::zeros<float>({std::size_t(3), n});
        REQUIRE(oracle::elements(y) == oracle::elements(repeated));
    }
}

TEST_CASE("A mask is an operand of a larger expression", "[assign]") {
    for (const auto& shape : shapes) {
        const batch<float> b(shape);
        const auto m = xmask::keep_where(b.kept);
        CAPTURE(shape);
        const auto kept_float = xt::xarray<float>(b.kept);
        const xt::xarray<float> product = b.x * xt::cast<float>(m);
        REQUIRE(oracle::elements(product) == each(b.x, kept_float, [](float u, float v) {
                    return u * v;
                }));
        const xt::xarray<float> chosen = xt::where(m, b.x, 7.f);
        REQUIRE(oracle::elements(chosen) == oracle::elements(b.filled));
        const xt::xarray<bool> same = xt::equal(m, b.kept);
        REQUIRE(xt::all(same));
        xt::xarray<bool> wide = xt::zeros<bool>(shape);
        auto view = xt::strided_view(wide, {xt::ellipsis()});
        view = m;
        REQUIRE(oracle::elements(wide) == oracle::elements(b.kept));
        xt::xarray<int> count = xt::zeros<int>(shape);
        count += xt::cast<int>(m);
        count += xt::cast<int>(m);
        REQUIRE(
            oracle::elements(count) == oracle::elements(xt::xarray<int>(2 * xt::cast<int>(b.kept)))
        );
    }
    const auto x = oracle::random<float>({2, 3, 5}, 1);
    const xt::xtensor<int, 1> lengths = {1, 5, 0};
    const xt::xarray<float> y = x * xt::cast<float>(xmask::keep_lengths(lengths, 5));
    REQUIRE(
        oracle::elements(y) == oracle::elements(xt::xarray<float>(
                                   xmask::multiply(x, xmask::keep_lengths(lengths, 5)) + 0.f
                               ))
    );
}

TEST_CASE("A larger expression has its own element type", "[assign]") {
    const batch<int> b({3, 67});
    const auto m = xmask::keep_where(b.kept);
    const xt::xarray<double> halves = 0.5 * xmask::masked_fill(b.x, m, 7);
    REQUIRE(oracle::elements(halves) == oracle::elements(xt::xarray<double>(0.5 * b.filled)));
    const xt::xarray<bool> above = xmask::masked_fill(b.x, m, 7) > b.y;
    REQUIRE(oracle::elements(above) == oracle::elements(xt::xarray<bool>(b.filled > b.y)));
    const xt::xarray<int> cut = 0.5 * xmask::masked_fill(b.x, m, 7);
    REQUIRE(oracle::elements(cut) == oracle::elements(xt::xarray<int>(0.5 * b.filled)));
    const xt::xarray<std::complex<double>> turned =
        std::complex<double>(0., 1.) * xmask::masked_fill(b.x, m, 7);
    REQUIRE(xt::all(xt::equal(xt::imag(turned), b.filled)));
}

TEST_CASE(
    "Destinations without memory of their own are written through their steppers", "[assign]"
) {
    const batch<double> b({3, 67});
    const auto m = xmask::keep_where(b.kept);
    xt::xarray<std::complex<double>> z = xt::zeros<std::complex<double>>({3, 67});
    xt::real(z) = xmask::masked_fill(b.x, m, 7.);
    xt::imag(z) = 2. * xmask::masked_fill(b.x, m, 7.);
    REQUIRE(xt::all(xt::equal(xt::real(z), b.filled)));
    REQUIRE(xt::all(xt::equal(xt::imag(z), 2. * b.filled)));
    xt::xarray<double> y = xt::zeros<double>({3, 67});
    auto points = xt::index_view(y, {{0, 0}, {1, 5}, {2, 66}});
    points = xmask::masked_fill(
        xt::xtensor<double, 1>{1., 2., 3.},
        xmask::keep_where(xt::xtensor<bool, 1>{true, true, false}), 9.
    );
    REQUIRE(y(0, 0) == 1.);
    REQUIRE(y(1, 5) == 2.);
    REQUIRE(y(2, 66) == 9.);
    REQUIRE(xt::sum(y)() == 12.);
}
