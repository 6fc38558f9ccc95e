// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/softmax.hpp>

#include "support/lines.hpp"
#include "support/oracle.hpp"

using Catch::Matchers::Message;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> softmax(const std::vector<char>& kept, const std::vector<double>& x) {
    double largest = -infinity;
    for (std::size_t i = 0; i < x.size(); ++i) {
        largest = kept[i] ? std::fmax(largest, x[i]) : largest;
    }
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += kept[i] ? std::exp(x[i] - largest) : 0;
    }
    std::vector<double> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] = kept[i] ? std::exp(x[i] - largest) / sum : 0;
    }
    return y;
}

std::vector<double> log_softmax(const std::vector<char>& kept, const std::vector<double>& x) {
    auto y = softmax(kept, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] = kept[i] ? std::log(y[i]) : -infinity;
    }
    return y;
}

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-14;
} // namespace

TEMPLATE_TEST_CASE("softmax agrees with PyTorch", "[softmax][reference]", float, double) {
    const double close = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    const xt::xarray<TestType> x = oracle::reference<float>("masked_softmax", "x");
    const xt::xarray<TestType> up = oracle::reference<double>("masked_softmax", "up");
    const auto kept = oracle::reference<bool>("masked_softmax", "mask");
    const xmask::bitmask m = xmask::keep_where(kept);
    const xt::xarray<TestType> y = xmask::masked_softmax(x, m);
    REQUIRE(oracle::close(y, oracle::reference<double>("masked_softmax", "y"), close));
    const xt::xarray<TestType> gradient = xmask::masked_softmax_gradient(y, m, up);
    REQUIRE(oracle::close(gradient, oracle::reference<double>("masked_softmax", "grad_x"), close));
    // In PyTorch's result, only kept elements have a meaning.
    auto log_y = oracle::reference<double>("masked_softmax", "log_y");
    for (std::size_t i = 0; i < kept.size(); ++i) {
        log_y.flat(i) = kept.flat(i) ? log_y.flat(i) : -infinity;
    }
    REQUIRE(oracle::close(xt::xarray<TestType>(xmask::masked_log_softmax(x, m)), log_y, close));
}

TEMPLATE_TEST_CASE(
    "softmax of rows of any length, all, some and nothing kept", "[softmax]", float, double
) {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        // More rows than are processed at a time.
        const auto x = oracle::random<TestType>({11, n});
        const auto check = [&](const auto& m) {
            const xt::xarray<bool> kept = m;
            const xt::xarray<TestType> y = xmask::masked_softmax(x, m);
            REQUIRE(oracle::close(y, lines::map(1, kept, softmax, x), tolerance<TestType>));
            const xt::xarray<TestType> log_y = xmask::masked_log_softmax(x, m);
            REQUIRE(
                oracle::close(log_y, lines::map(1, kept, log_softmax, x), 10 * tolerance<TestType>)
            );
            // Inside a larger expression, and in place.
            const xt::xarray<TestType> twice = xmask::masked_softmax(x, m) * TestType(2);
            REQUIRE(oracle::close(twice, TestType(2) * y, tolerance<TestType>));
            auto in_place = x;
            xmask::masked_softmax_inplace(in_place, m);
            REQUIRE(oracle::elements(in_place) == oracle::elements(y));
        };
        const std::size_t some = n / 3;
        const std::size_t rest = n - some;
        check(xmask::keep_lengths(
            std::vector<std::size_t>{n, 0, some, rest, n, rest, 0, some, some, n, rest}, n
        ));
        check(xmask::bitmask(xmask::keep_where(oracle::random<bool>({11, n}, 3))));
    }
}

TEST_CASE("softmax along each axis, in each layout, lazy and broadcast", "[softmax]") {
    const auto x = oracle::random<float>({3, 4, 70});
    const auto kept = oracle::random<bool>({3, 4, 70}, 2);
    const xmask::bitmask m = xmask::keep_where(kept);
    for (const std::ptrdiff_t axis : {0, 1, 2, -1}) {
        const auto along = static_cast<std::size_t>(axis < 0 ? 2 : axis);
        const auto expected = lines::map(along, kept, softmax, x);
        oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
            CAPTURE(axis, layout);
            REQUIRE(
                oracle::close(xt::xarray<float>(xmask::masked_softmax(e, m, axis)), expected, 1e-6)
            );
            REQUIRE(oracle::close(
                xt::xarray<float, xt::layout_type::column_major>(xmask::masked_softmax(e, m, axis)),
                expected, 1e-6
            ));
            REQUIRE(oracle::close(xmask::masked_softmax(e, m, axis), expected, 1e-6));
        });
        xt::xarray<float> minimal = xmask::masked_softmin(-x, m, axis);
        REQUIRE(oracle::close(minimal, expected, 1e-6));
        // An operand of a larger expression, broadcast over a new leading axis.
        const xt::xarray<float> ones = xt::ones<float>({2, 3, 4, 70});
        const xt::xarray<float> sum = ones + xmask::masked_softmax(x, m, axis);
        REQUIRE(oracle::close(xt::xarray<float>(xt::view(sum, 1)), expected + 1., 1e-6));
        xt::xarray<float> in_place = x;
        xmask::masked_softmax_inplace(in_place, m, axis);
        REQUIRE(oracle::close(in_place, expected, 1e-6));
    }
}

TEST_CASE("softmax over an axis that a larger expression stretches", "[softmax]") {
    xt::xarray<double> x = xt::xarray<double>::from_shape({2, 1});
    x(0, 0) = 1.;
    x(1, 0) = 2.;
    const xt::xarray<double> zeros = xt::zeros<double>({2, 3});
    const xmask::bitmask m = xmask::keep_lengths({1, 0}, 1);
    const xt::xarray<double> rows = zeros + xmask::masked_softmax(x, m);
    REQUIRE(rows == xt::xarray<double>({{1, 1, 1}, {0, 0, 0}}));
    const xt::xarray<double> columns =
        zeros + xmask::masked_softmax(x, xmask::bitmask(xmask::keep_all({2, 1})), 0);
    const double share = 1 / (1 + std::exp(1.));
    REQUIRE(oracle::close(
        columns, xt::xarray<double>({{share, share, share}, {1 - share, 1 - share, 1 - share}}),
        1e-15
    ));
    const xt::xarray<double> y = xt::zeros<double>({1, 3});
    const xt::xarray<double> tall =
        xt::zeros<double>({2, 3}) +
        xmask::masked_softmax(y, xmask::bitmask(xmask::keep_all({1, 3})), 0);
    REQUIRE(tall == xt::xarray<double>({{1, 1, 1}, {1, 1, 1}}));
}

TEST_CASE("softmax of rank 0 to 5, and of nothing", "[softmax]") {
    const xt::xarray<double> scalar = 3.;
    REQUIRE(
        xt::xarray<
            double>(xmask::
                        masked_softmax(scalar, xmask::bitmask(xmask::keep_all(std::vector<std::size_t>()))))(
        ) == 1.
    );
    REQUIRE(
        xt::xarray<
            double>(xmask::
                        masked_softmax(scalar, xmask::bitmask(xmask::keep_none(std::vector<std::size_t>()))))(
        ) == 0.
    );
    std::vector<std::size_t> shape;
    for (std::size_t rank = 1; rank <= 5; ++rank) {
        shape.push_back(rank == 2 ? 1 : rank + 1);
        const auto x = oracle::random<double>(shape);
        const auto kept = oracle::random<bool>(shape, 5);
        for (std::size_t axis = 0; axis < rank; ++axis) {
            CAPTURE(rank, axis);
            const xt::xarray<double> y = xmask::masked_softmax(
                x, xmask::keep_where(kept), static_cast<std::ptrdiff_t>(axis)
            );
            REQUIRE(oracle::close(y, lines::map(axis, kept, softmax, x), 1e-14));
        }
    }
    for (const auto& empty : {std::vector<std::size_t>{0, 3}, {3, 0}}) {
        const auto x = oracle::random<float>(empty);
        const xt::xarray<float> y =
            xmask::masked_softmax(x, xmask::bitmask(xmask::keep_all(empty)), 0);
        REQUIRE(y.shape() == x.shape());
    }
}

TEST_CASE("softmax at the ends of its numbers", "[softmax]") {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xarray<float> x = {{1e30f, 1e30f, -1e30f}, {-inf, -inf, -inf},
                                 {-inf, 0.f, 0.f},       {nan, 1.f, 2.f},
                                 {inf, 1.f, 2.f},        {-1e9f, -1e9f, -3e38f}};
    const xmask::bitmask all = xmask::keep_all({6, 3});
    const xt::xarray<float> y = xmask::masked_softmax(x, all);
    const xt::xtensor<float, 2> expected = {{.5f, .5f, 0.f}, {0.f, 0.f, 0.f}, {0.f, .5f, .5f},
                                            {nan, nan, nan}, {nan, nan, nan}, {.5f, .5f, 0.f}};
    REQUIRE(oracle::close(xt::view(y, xt::range(0, 4)), xt::view(expected, xt::range(0, 4)), 0));
    REQUIRE(std::isnan(y(4, 0)));
    REQUIRE(oracle::close(xt::view(y, 5), xt::view(expected, 5), 0));
    const xt::xarray<float> log_y = xmask::masked_log_softmax(x, all);
    REQUIRE(log_y(1, 0) == -inf);
    REQUIRE(log_y(5, 2) == -3e38f);
    // A single element gives the same.
    REQUIRE(oracle::close(xmask::masked_softmax(x, all), y, 1e-7));
}

TEST_CASE("A kept NaN leaves what is dropped of its line at 0", "[softmax]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const std::size_t n : {5u, 16u, 40u, 200u}) {
        CAPTURE(n);
        xt::xarray<float> x = oracle::random<float>({3, n});
        x(1, 2) = nan;
        const xmask::bitmask m = xmask::drop_indices({std::size_t(1), n - 1}, x.shape());
        const xt::xarray<float> y = xmask::masked_softmax(x, m);
        const xt::xarray<float> by_element = xmask::masked_softmax(x, m) + 0.f;
        xt::xarray<float> in_place = x;
        xmask::masked_softmax_inplace(in_place, m);
        // A mask that reads the written tensor.
        xt::xarray<float> by_itself = x;
        xmask::masked_softmax_inplace(by_itself, xmask::keep_not_equal(by_itself, x(1, 1)));
        REQUIRE(by_itself(1, 1) == 0);
        REQUIRE(std::isnan(by_itself(1, 0)));
        for (std::size_t c = 0; c < n; ++c) {
            const bool dropped = c == 1 || c == n - 1;
            REQUIRE((dropped ? y(1, c) == 0 : std::isnan(y(1, c))));
        }
        REQUIRE(oracle::close(y, by_element, 1e-6));
        REQUIRE(oracle::same_bits(oracle::elements(in_place), oracle::elements(y)));
    }
}

TEST_CASE("softmax's gradients are those of central differences", "[softmax]") {
    const auto x = oracle::random<double>({3, 2, 9});
    const auto kept = oracle::random<bool>({3, 2, 9}, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    auto up = oracle::random<double>({3, 2, 9}, 6);
    for (const std::ptrdiff_t axis : {0, 1, 2}) {
        CAPTURE(axis);
        const xt::xarray<double> y = xmask::masked_softmax(x, m, axis);
        const xt::xarray<double> gradient = xmask::masked_softmax_gradient(y, m, up, axis);
        REQUIRE(oracle::close(
            gradient,
            lines::numeric_gradient(
                x, up,
                [&](const auto& at) {
                    return xt::xarray<double>(xmask::masked_softmax(at, m, axis));
                }
            ),
            1e-8
        ));
        const xt::xarray<double> least = xmask::masked_softmin(x, m, axis);
        REQUIRE(oracle::close(
            xmask::masked_softmin_gradient(least, m, up, axis),
            lines::numeric_gradient(
                x, up,
                [&](const auto& at) {
                    return xt::xarray<double>(xmask::masked_softmin(at, m, axis));
                }
            ),
            1e-8
        ));
        // The log_softmax of a dropped element is -infinity.
        xt::xarray<double> seen = up;
        for (std::size_t i = 0; i < seen.size(); ++i) {
            seen.flat(i) = kept.flat(i) ? seen.flat(i) : 0;
        }
        const xt::xarray<double> log_y = xmask::masked_log_softmax(x, m, axis);
        const xt::xarray<double> log_gradient =
            xmask::masked_log_softmax_gradient(log_y, m, up, axis);
        REQUIRE(oracle::close(
            log_gradient,
            lines::numeric_gradient(
                x, seen,
                [&](const auto& at) {
                    return xt::xarray<double>(xmask::masked_log_softmax(at, m, axis));
                }
            ),
            1e-8
        ));
    }
}

TEST_CASE("softmax of long double, and of a mask that looks at its operand", "[softmax]") {
    const auto x = oracle::random<double>({3, 66});
    const xt::xarray<long double> wide = x;
    const auto m = xmask::keep_above(x, 0.25);
    const xt::xarray<bool> kept = m;
    for (const std::ptrdiff_t axis : {0, 1}) {
        const xt::xarray<long double> y = xmask::masked_softmax(wide, m, axis);
        REQUIRE(
            oracle::close(y, lines::map(static_cast<std::size_t>(axis), kept, softmax, x), 1e-14)
        );
        xt::xarray<double> in_place = x;
        xmask::masked_softmax_inplace(in_place, xmask::keep_above(in_place, 0.25), axis);
        REQUIRE(oracle::close(in_place, y, 1e-14));
    }
}

TEST_CASE(
    "softmax composes: scaled and biased scores, views, fixed shapes, one element", "[softmax]"
) {
    const xt::xtensor<float, 2> scores = {{1.f, 1.f, 7.f}, {0.f, 3.f, 5.f}};
    const xt::xtensor<float, 2> p = xmask::masked_softmax(scores, xmask::keep_lengths({2, 0}, 3));
    REQUIRE(p == xt::xtensor<float, 2>({{0.5f, 0.5f, 0.f}, {0.f, 0.f, 0.f}}));
    const xt::xtensor<float, 1> bias = {0.f, 2.f, -1.f};
    const xmask::bitmask all = xmask::keep_all({2, 3});
    const xt::xtensor<float, 2> biased = 0.125f * scores + bias;
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> fused =
        xmask::masked_softmax(0.125f * scores + bias, all);
    REQUIRE(
        oracle::elements(fused) == oracle::elements(xt::eval(xmask::masked_softmax(biased, all)))
    );
    const auto lazy = xmask::masked_softmax(biased, all);
    REQUIRE(oracle::close(xt::view(lazy, 1, xt::all()), xt::view(fused, 1, xt::all()), 1e-7));
    REQUIRE(std::abs(lazy(1, 2) - fused(1, 2)) < 1e-7f);
    REQUIRE(std::abs(xt::sum(lazy)() - 2.f) < 1e-6f);
    xt::xtensor<float, 2> to = xt::zeros<float>({4, 6});
    xt::view(to, xt::range(0, 4, 2), xt::range(0, 6, 2)) = lazy;
    REQUIRE(to(2, 4) == fused(1, 2));
}

TEST_CASE("softmax refuses what does not fit", "[softmax]") {
    const xt::xarray<float> x = xt::zeros<float>({2, 3});
    REQUIRE_THROWS_MATCHES(
        xmask::masked_softmax(x, xmask::bitmask(xmask::keep_all(4))), std::invalid_argument,
        Message(
            "xmask::masked_softmax: a mask of shape (4,) does not broadcast into the operand of shape (2, 3); align the "
            "last axes, and give each axis the operand's extent or 1"
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::masked_softmax(x, xmask::bitmask(xmask::keep_all(3)), 2), std::out_of_range,
        Message("xmask::masked_softmax: axis 2 is outside of [-2, 2)")
    );
    const xt::xarray<float> other = xt::zeros<float>({3, 2});
    REQUIRE_THROWS_AS(
        xmask::masked_softmax_gradient(x, xmask::bitmask(xmask::keep_all(3)), other),
        std::invalid_argument
    );
}
