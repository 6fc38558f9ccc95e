// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>

#if __has_include(<xtensor/views/xdynamic_view.hpp>)
#include <xtensor/views/xdynamic_view.hpp>
#else
#include <xtensor/xdynamic_view.hpp>
#endif

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> filled(std::vector<T> x, const std::vector<char>& kept, T value) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = kept[i] != 0 ? x[i] : value;
    }
    return x;
}
} // namespace

TEST_CASE("masked_fill reads any layout", "[masked_fill]") {
    for (const std::size_t n : {0u, 1u, 3u, 64u, 130u}) {
        const shape_t shape = {3, 5, n};
        const auto x = oracle::random<float>(shape, 4);
        const auto kept = oracle::random<bool>(shape, 7);
        const auto expected = filled(oracle::elements(x), oracle::elements(kept), -1e9f);
        oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
            CAPTURE(n, layout);
            const xt::xarray<float> y =
                xmask::masked_fill(operand, xmask::bitmask(xmask::keep_where(kept)), -1e9f);
            REQUIRE(oracle::elements(y) == expected);
        });
        // Backwards in memory.
        const xt::xarray<float> reversed = xt::flip(x, 2);
        const xt::xarray<float> y = xmask::masked_fill(
            xt::flip(reversed, 2), xmask::bitmask(xmask::keep_where(kept)), -1e9f
        );
        REQUIRE(oracle::elements(y) == expected);
    }
    SECTION("a broadcast operand") {
        const auto row = oracle::random<float>({70}, 4);
        const auto kept = oracle::random<bool>({4, 70}, 7);
        const auto wide = xt::broadcast(row, {4, 70});
        const xt::xarray<float> y =
            xmask::masked_fill(wide, xmask::bitmask(xmask::keep_where(kept)), 1.f);
        REQUIRE(
            oracle::elements(y) ==
            filled(oracle::elements(xt::xarray<float>(wide)), oracle::elements(kept), 1.f)
        );
    }
    SECTION("a view of chosen columns, which has no strides") {
        const auto x = oracle::random<float>({4, 9}, 4);
        const auto chosen = xt::view(x, xt::all(), xt::keep(1, 5, 2));
        const auto kept = oracle::random<bool>({4, 3}, 7);
        const xt::xarray<float> y =
            xmask::masked_fill(chosen, xmask::bitmask(xmask::keep_where(kept)), 1.f);
        REQUIRE(
            oracle::elements(y) ==
            filled(oracle::elements(xt::xarray<float>(chosen)), oracle::elements(kept), 1.f)
        );
    }
}

TEST_CASE("masked_fill writes any destination", "[masked_fill]") {
    const shape_t shape = {4, 70};
    const auto x = oracle::random<float>(shape, 6);
    const auto kept = oracle::random<bool>(shape, 7);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto expected = filled(oracle::elements(x), oracle::elements(kept), 5.f);

    SECTION("containers, from nothing and from a wrong shape") {
        xt::xarray<float> array = xt::zeros<float>({2, 3, 4});
        array = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(array) == expected);
        xt::xtensor<float, 2> tensor;
        tensor = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(tensor) == expected);
        xt::xtensor<float, 2> direct;
        xt::noalias(direct) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(direct) == expected);
        const xt::xtensor<float, 2> constructed = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(constructed) == expected);
        REQUIRE(oracle::elements(xt::eval(xmask::masked_fill(x, m, 5.f))) == expected);
    }
    SECTION("a fixed shape") {
        xt::xtensor_fixed<float, xt::xshape<4, 70>> fixed;
        fixed = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(fixed) == expected);
        fixed.fill(0.f);
        xt::noalias(fixed) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(fixed) == expected);
        xt::xarray<float> back;
        back = xmask::masked_fill(fixed, m, 5.f);
        REQUIRE(oracle::elements(back) == expected);
    }
    SECTION("column-major") {
        xt::xarray<float, xt::layout_type::column_major> y;
        y = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(y) == expected);
        y.fill(0.f);
        xt::noalias(y) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(y) == expected);
    }
    SECTION("views, beside which nothing changes") {
        // Columns 3, 5, ... of every second row; then rows with a gap between them.
        xt::xarray<float> wide = xt::zeros<float>({8, 145});
        auto strided = xt::view(wide, xt::range(0, 8, 2), xt::range(3, 143, 2));
        xt::noalias(strided) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(strided) == expected);
        REQUIRE(xt::sum(wide)() == xt::sum(strided)());
        REQUIRE(xt::sum(xt::abs(wide))() == xt::sum(xt::abs(strided))());
        strided = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(strided) == expected);

        xt::xarray<float> padded = xt::zeros<float>({4, 73});
        auto inner = xt::view(padded, xt::all(), xt::range(1, 71));
        xt::noalias(inner) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(inner) == expected);
        REQUIRE(xt::sum(xt::abs(padded))() == xt::sum(xt::abs(inner))());

        xt::xarray<float> many = xt::zeros<float>({8, 70});
        auto chosen = xt::dynamic_view(many, {xt::keep(6, 1, 3, 4), xt::all()});
        xt::noalias(chosen) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(oracle::elements(chosen) == expected);
        REQUIRE(std::equal(expected.begin(), expected.begin() + 70, many.data() + 6 * 70));
        REQUIRE(xt::sum(xt::abs(many))() == xt::sum(xt::abs(xt::xarray<float>(chosen)))());
    }
    SECTION("another element type") {
        const xt::xarray<double> y = xmask::masked_fill(x, m, 5.f);
        REQUIRE(std::equal(expected.begin(), expected.end(), y.begin(), [](float a, double b) {
            return double(a) == b;
        }));
        const auto whole = oracle::random<int>(shape, 2);
        const xt::xtensor<float, 2> z = xmask::masked_fill(whole, m, 3);
        const auto whole_expected = filled(oracle::elements(whole), oracle::elements(kept), 3);
        REQUIRE(std::equal(z.begin(), z.end(), whole_expected.begin(), [](float a, int b) {
            return a == float(b);
        }));
    }
    SECTION("memory of one's own") {
        std::vector<float> memory(4 * 70 + 1, -1.f);
        auto y = xt::adapt(memory.data() + 1, 4 * 70, xt::no_ownership(), shape_t{4, 70});
        xt::noalias(y) = xmask::masked_fill(x, m, 5.f);
        REQUIRE(memory[0] == -1.f);
        REQUIRE(std::equal(expected.begin(), expected.end(), memory.begin() + 1));
    }
}

TEST_CASE("masked_fill_inplace on views changes only what it should", "[masked_fill]") {
    const auto kept = oracle::random<bool>({4, 70}, 7);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto check = [&](auto& whole, auto&& view) {
        const xt::xarray<double> before = whole;
        const xt::xarray<double> chosen = view;
        xmask::masked_fill_inplace(view, m, 99);
        REQUIRE(
            oracle::elements(view) == filled(oracle::elements(chosen), oracle::elements(kept), 99.)
        );
        REQUIRE(oracle::elements(whole) != oracle::elements(before));
        // With its old elements in the view, the whole is as before: nothing beside it changed.
        view = chosen;
        REQUIRE(oracle::elements(whole) == oracle::elements(before));
    };
    auto wide = oracle::random<double>({8, 145}, 2);
    check(wide, xt::view(wide, xt::range(1, 8, 2), xt::range(3, 143, 2)));
    check(wide, xt::view(wide, xt::range(1, 5), xt::range(1, 71)));
    check(wide, xt::dynamic_view(wide, {xt::keep(7, 1, 3, 4), xt::range(2, 72)}));
    auto tall = oracle::random<double>({70, 4}, 2);
    check(tall, xt::transpose(tall));
    xt::xarray<double, xt::layout_type::column_major> columns = oracle::random<double>({4, 70}, 2);
    check(columns, xt::strided_view(columns, {xt::all(), xt::all()}));
    // A temporary view, as users write it.
    auto rows = oracle::random<double>({3, 4}, 2);
    const double first = rows(1, 0);
    xmask::masked_fill_inplace(xt::view(rows, xt::range(1, 2)), xmask::keep_lengths({1}, 4), 50.);
    REQUIRE(oracle::elements(xt::view(rows, 1)) == std::vector<double>{first, 50., 50., 50.});
    REQUIRE(xt::amax(xt::view(rows, 0))() < 50.);
}
