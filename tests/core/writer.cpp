// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/points.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::ContainsSubstring;

using extents = std::vector<std::size_t>;

namespace {
/// The right half of each row, as booleans.
auto halves(std::size_t rows, std::size_t n) {
    const xt::xtensor<std::size_t, 1> lengths = n / 2 * xt::ones<std::size_t>({rows});
    return xmask::keep_last(xt::xtensor<std::size_t, 1>(lengths), n);
}

/// Whether each row of `e` is 0 in its left half and 1 in its right half.
template <class E>
bool has_halves(const E& e) {
    const std::size_t n = oracle::columns_of(e.shape());
    const auto all = oracle::elements(e);
    bool right = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        right = right && (all[i] != 0) == (i % n >= n - n / 2);
    }
    return right;
}
} // namespace

TEST_CASE("a result takes the shape that it is given", "[writer]") {
    xt::xarray<float> array;
    xt::noalias(array) = halves(2, 3);
    REQUIRE(oracle::equal_shapes(array.shape(), extents{2, 3}));
    xt::xtensor<float, 2> tensor;
    xt::noalias(tensor) = halves(4, 5);
    REQUIRE(oracle::equal_shapes(tensor.shape(), extents{4, 5}));
    // No new memory where the shape is right already.
    const float* memory = tensor.data();
    xt::noalias(tensor) = halves(4, 5);
    REQUIRE(tensor.data() == memory);
}

TEST_CASE("a result that can't take the shape is refused", "[writer]") {
    xt::xarray<float> array = xt::zeros<float>({4, 5});
    auto view = xt::view(array, xt::range(0, 2), xt::all());
    REQUIRE_NOTHROW(xt::noalias(view) = halves(2, 5));
    REQUIRE_THROWS(xt::noalias(view) = halves(2, 4));
    // The rank is part of the type.
    xt::xtensor<float, 2> tensor = xt::zeros<float>({4, 5});
    REQUIRE_THROWS_AS(xt::noalias(tensor) = xmask::keep_all({4, 5, 6}), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xt::noalias(tensor) = xmask::keep_all({20}),
        ContainsSubstring("the result has the fixed shape (4, 5); expected (20,)")
    );
    REQUIRE(oracle::equal_shapes(tensor.shape(), extents{4, 5}));
}

TEST_CASE("results are written into any destination", "[writer]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 2, 63, 64, 65, 130, 1000}) {
        CAPTURE(n);
        const auto m = halves(3, n);
        const xt::xarray<float> row_major = m;
        const xt::xtensor<float, 2, xt::layout_type::column_major> column_major = m;
        const xt::xtensor<bool, 2> booleans = m;
        const xt::xarray<std::int8_t> bytes = m;
        const xt::xarray<std::uint64_t> wide = m;
        const xt::xarray<long double> wider = m;
        REQUIRE(has_halves(row_major));
        REQUIRE(has_halves(column_major));
        REQUIRE(has_halves(booleans));
        REQUIRE(has_halves(bytes));
        REQUIRE(has_halves(wide));
        REQUIRE(has_halves(wider));
    }
}

TEST_CASE("a view's neighbours are left alone", "[writer]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 17, 64, 130}) {
        CAPTURE(n);
        const auto m = halves(3, n);
        const auto untouched = [](const auto& x, const auto& view) {
            // The view is 0 and 1; all other elements are still 7.
            std::size_t sevens = 0;
            for (const float value : x) {
                sevens += value == 7.f ? 1 : 0;
            }
            return sevens == x.size() - view.size();
        };
        const auto last = static_cast<int>(n);
        xt::xtensor<float, 2> x = 7.f * xt::ones<float>({std::size_t(5), 2 * n + 3});
        auto offset = xt::view(x, xt::range(1, 4), xt::range(1, last + 1));
        xt::noalias(offset) = m;
        REQUIRE(has_halves(offset));
        REQUIRE(untouched(x, offset));

        xt::xtensor<float, 2> y = 7.f * xt::ones<float>({std::size_t(5), 2 * n + 3});
        auto strided = xt::strided_view(y, {xt::range(1, 4), xt::range(2, 2 * last + 2, 2)});
        strided = m;
        REQUIRE(has_halves(strided));
        REQUIRE(untouched(y, strided));

        xt::xtensor<float, 2, xt::layout_type::column_major> z =
            7.f * xt::ones<float>({std::size_t(5), n + 1});
        auto columns = xt::view(z, xt::range(2, 5), xt::range(1, last + 1));
        columns = m;
        REQUIRE(has_halves(columns));
        REQUIRE(untouched(z, columns));

        // A target without strides is written element by element.
        xt::xtensor<float, 2> w = 7.f * xt::ones<float>({std::size_t(5), n + 1});
        auto picked = xt::view(w, xt::keep(4, 0, 2), xt::range(0, last));
        picked = m;
        REQUIRE(has_halves(picked));
        REQUIRE(untouched(w, picked));
    }
}

TEST_CASE("single columns are set in any layout", "[writer]") {
    const auto check = [](auto& to) {
        xmask::masked_fill_inplace(to, xmask::drop_points({{1, 0}, {1, 2}, {1, 69}}, {2, 70}), 4);
        std::vector<int> expected(140, 9);
        expected[70] = expected[72] = expected[70 + 69] = 4;
        std::vector<int> found;
        for (const auto value : oracle::elements(to)) {
            found.push_back(static_cast<int>(value));
        }
        REQUIRE(found == expected);
    };
    xt::xarray<int> x = 9 * xt::ones<int>({2, 70});
    check(x);
    xt::xarray<float, xt::layout_type::column_major> y = 9.f * xt::ones<float>({2, 70});
    check(y);
    xt::xarray<int> z = 9 * xt::ones<int>({3, 70});
    auto picked = xt::view(z, xt::keep(2, 0), xt::all());
    check(picked);
}

TEST_CASE("a result too large for the caches is written past them, and is the same", "[writer]") {
    // Odd rows, so that rows begin at all places of a cache line.
    const std::size_t n = 4097;
    const std::size_t rows = (std::size_t(32) << 20) / n + 2;
    const auto m = halves(rows, n);
    // Compared as bytes: loops over so many elements take seconds without optimization.
    const auto check = [&](const auto& e) {
        using element = std::remove_const_t<std::remove_pointer_t<decltype(e.data())>>;
        const auto expected = std::make_unique<element[]>(n);
        std::fill(expected.get() + n - n / 2, expected.get() + n, element(1));
        bool right = true;
        for (std::size_t r = 0; r < e.shape(0); ++r) {
            right =
                right && std::memcmp(e.data() + r * n, expected.get(), n * sizeof(element)) == 0;
        }
        return right;
    };
    const xt::xtensor<std::uint8_t, 2> bytes = m;
    REQUIRE(check(bytes));
    // Memory that is not aligned to its elements cannot be streamed.
    std::vector<unsigned char> memory(rows * n * sizeof(bool) + 1);
    auto off = xt::adapt(
        reinterpret_cast<bool*>(memory.data() + 1), rows * n, xt::no_ownership(), extents{rows, n}
    );
    xt::noalias(off) = m;
    REQUIRE(check(off));
    const xt::xtensor<float, 2> floats = xt::view(m, xt::range(0, 1), xt::all());
    REQUIRE(has_halves(floats));
    const auto quarter = halves(rows / 4 + 1, n);
    const xt::xtensor<float, 2> streamed = quarter;
    REQUIRE(check(streamed));
}
