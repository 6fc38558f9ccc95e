// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <sstream>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/core/mask.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>

#include "support/oracle.hpp"
#include "support/own_rule.hpp"

#if __has_include(<xtensor/io/xio.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/io/xio.hpp>
#else
#include <xtensor/xio.hpp>
#include <xtensor/xmath.hpp>
#endif

using own_rule::every_third;
using own_rule::expected_thirds;
using own_rule::thirds;

TEST_CASE("a mask stands in xtensor's own functions", "[mask]") {
    const auto m = thirds({2, 3, 66});
    const xt::xarray<bool> b = m;
    const auto x = oracle::random<float>({2, 3, 66}, 1);
    const auto y = oracle::random<float>({66}, 2);

    REQUIRE(xt::sum(m)() == xt::sum(b)());
    REQUIRE(
        xt::xarray<int>(xt::sum(xt::cast<int>(m), {1})) ==
        xt::xarray<int>(xt::sum(xt::cast<int>(b), {1}))
    );
    // Compared element by element: with XTENSOR_USE_XSIMD, xtensor assigns where() of a stored bool
    // array and a broadcast operand wrongly.
    REQUIRE(
        oracle::elements(xt::xarray<float>(xt::where(m, x, y))) ==
        oracle::elements(xt::where(b, x, y))
    );
    using column_array = xt::xarray<float, xt::layout_type::column_major>;
    REQUIRE(
        oracle::elements(column_array(xt::where(m, x, 1.f))) ==
        oracle::elements(xt::where(b, x, 1.f))
    );
    REQUIRE(xt::any(m));
    REQUIRE_FALSE(xt::all(m));
    REQUIRE(xt::xarray<float>(xt::cast<float>(m) * x) == xt::xarray<float>(xt::cast<float>(b) * x));
    REQUIRE(xt::xarray<bool>(xt::equal(m, b)) == xt::xarray<bool>(xt::ones<bool>({2, 3, 66})));
    REQUIRE(
        xt::xarray<bool>(xt::broadcast(m, {4, 2, 3, 66})) ==
        xt::xarray<bool>(xt::broadcast(b, {4, 2, 3, 66}))
    );
    REQUIRE(xt::eval(m) == b);
    REQUIRE(m == b);
    // Combined with a mask of fewer axes, column by column.
    const auto row = thirds({66});
    const xt::xarray<bool> row_values = row;
    REQUIRE(column_array(xt::where(row, x, 1.f)) == column_array(xt::where(row_values, x, 1.f)));
}

TEST_CASE("a mask is viewed as arrays are", "[mask]") {
    const auto m = thirds({4, 3, 66});
    const xt::xarray<bool> b = m;
    using array = xt::xarray<bool>;
    REQUIRE(array(xt::view(m, 1)) == array(xt::view(b, 1)));
    REQUIRE(
        array(xt::view(m, xt::all(), 2, xt::range(3, 60, 2))) ==
        array(xt::view(b, xt::all(), 2, xt::range(3, 60, 2)))
    );
    REQUIRE(
        array(xt::view(m, xt::keep(3, 0), xt::newaxis())) ==
        array(xt::view(b, xt::keep(3, 0), xt::newaxis()))
    );
    REQUIRE(
        array(xt::strided_view(m, {xt::ellipsis(), 5})) ==
        array(xt::strided_view(b, {xt::ellipsis(), 5}))
    );
    REQUIRE(
        array(xt::strided_view(m, {2, xt::all()})) == array(xt::strided_view(b, {2, xt::all()}))
    );
}

TEST_CASE("a mask is assigned to every container", "[mask]") {
    const auto m = thirds({2, 70});
    const auto expected = expected_thirds({2, 70});
    const auto holds = [&](const auto& e) {
        const auto all = oracle::elements(e);
        return std::equal(
            all.begin(), all.end(), expected.begin(), expected.end(),
            [](auto value, char kept) {
                return static_cast<double>(value) == static_cast<double>(kept);
            }
        );
    };
    xt::xarray<bool> array = xt::zeros<bool>({5});
    array = m;
    REQUIRE(holds(array));
    xt::xtensor<bool, 2> tensor;
    xt::noalias(tensor) = m;
    REQUIRE(holds(tensor));
    xt::xtensor_fixed<bool, xt::xshape<2, 70>> fixed;
    fixed = m;
    REQUIRE(holds(fixed));
    xt::xtensor_fixed<float, xt::xshape<2, 70>> fixed_floats = m;
    REQUIRE(holds(fixed_floats));
    xt::xtensor<double, 2, xt::layout_type::column_major> columns = m;
    REQUIRE(holds(columns));
    xt::xtensor<int, 3> wide = xt::zeros<int>({3, 2, 70});
    auto view = xt::view(wide, 1);
    view = m;
    REQUIRE(holds(view));
    REQUIRE(xt::sum(wide)() == static_cast<int>(xmask::count_kept(m)));
    // Broadcast, as any expression that is assigned to a larger view.
    xt::view(wide, xt::all()) = m;
    REQUIRE(xt::sum(wide)() == 3 * static_cast<int>(xmask::count_kept(m)));
    xt::xarray<int> sum = xt::ones<int>({2, 70});
    sum += xt::cast<int>(m);
    sum -= xt::ones<int>({2, 70});
    REQUIRE(holds(sum));
    // A mask may be assigned to the tensor that it is made of.
    xt::xarray<bool> itself = m;
    itself = !xmask::mask(every_third{{2, 70}});
    REQUIRE(xt::xarray<bool>(!itself) == array);
}

TEST_CASE("a container that can't take the mask's shape is refused", "[mask]") {
    using Catch::Matchers::Message;
    const auto m = thirds({2, 3});
    xt::xtensor_fixed<bool, xt::xshape<2, 4>> fixed;
    REQUIRE_THROWS(fixed = m);
    const auto stack = thirds({2, 2, 3});
    xt::xtensor<bool, 2> tensor = xt::zeros<bool>({2, 3});
    REQUIRE_THROWS_MATCHES(
        xt::noalias(tensor) = stack, std::invalid_argument,
        Message("xmask::mask: the result has the fixed shape (2, 3); expected (2, 2, 3)")
    );
}

TEST_CASE("a mask prints through an array as an array", "[mask]") {
    std::ostringstream direct;
    direct << xt::xarray<bool>(thirds({2, 3}));
    REQUIRE(direct.str() == "{{ true, false, false},\n {false, false,  true}}");
}
