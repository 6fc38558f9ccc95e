// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cmath>
#include <set>
#include <stdexcept>
#include <type_traits>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/reduce/sum.hpp>

namespace {
using shape_t = std::vector<std::size_t>;
using axes_t = std::vector<std::ptrdiff_t>;

/// Sums and weights along axes, by a loop over all elements.
struct naive {
    shape_t shape;
    std::vector<double> sum;
    std::vector<double> weight;

    naive(const xt::xarray<double>& x, const std::vector<double>& weights, const axes_t& axes) {
        const std::size_t rank = x.dimension();
        std::set<std::size_t> reduced;
        for (const auto axis : axes) {
            reduced.insert(
                static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::ptrdiff_t>(rank) : axis)
            );
        }
        std::size_t size = 1;
        for (std::size_t axis = 0; axis < rank; ++axis) {
            if (!reduced.contains(axis)) {
                shape.push_back(x.shape(axis));
                size *= x.shape(axis);
            }
        }
        sum.assign(size, 0.);
        weight.assign(size, 0.);
        for (std::size_t i = 0; i < x.size(); ++i) {
            std::size_t rest = i;
            std::size_t at = 0;
            std::size_t stride = 1;
            for (std::size_t axis = rank; axis-- > 0;) {
                if (!reduced.contains(axis)) {
                    at += rest % x.shape(axis) * stride;
                    stride *= x.shape(axis);
                }
                rest /= x.shape(axis);
            }
            // Dropped elements may be NaN.
            sum[at] += weights[i] == 0. ? 0. : weights[i] * x.flat(i);
            weight[at] += weights[i];
        }
    }
};

std::vector<double> weights_of(const xt::xarray<bool>& kept, const shape_t& shape) {
    const auto bits = oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)));
    return std::vector<double>(bits.begin(), bits.end());
}

template <class E>
bool is(
    const E& result, const shape_t& shape, const std::vector<double>& values, double tolerance
) {
    return shape_t(result.shape().begin(), result.shape().end()) == shape &&
           oracle::close(result, xt::adapt(values, shape), tolerance);
}
} // namespace

TEST_CASE("Sums and means along every choice of axes", "[axes]") {
    const std::vector<std::pair<shape_t, shape_t>> cases = {
        {{}, {}},
        {{70}, {70}},
        {{70}, {1}},
        {{3, 70}, {3, 70}},
        {{3, 70}, {3, 1}},
        {{70, 3}, {3}},
        {{5, 1}, {5, 1}},
        {{2, 3, 65}, {2, 3, 65}},
        {{2, 3, 65}, {3, 1}},
        {{2, 3, 2, 67}, {2, 3, 2, 67}},
        {{2, 3, 2, 5}, {2, 1, 1, 5}},
        {{1, 3, 1, 64}, {3, 1, 1}},
        {{0, 3}, {3}},
        {{3, 0}, {3, 1}},
        {{2, 0, 3}, {}},
    };
    for (const auto& [shape, mask_shape] : cases) {
        auto x = oracle::random<double>(shape, 1);
        const auto kept = oracle::random<bool>(mask_shape, 5);
        const auto m = xmask::keep_where(kept);
        const auto weights = weights_of(kept, shape);
        for (std::size_t i = 0; i < x.size(); ++i) {
            x.flat(i) = weights[i] != 0. ? x.flat(i) : std::numeric_limits<double>::quiet_NaN();
        }
        for (unsigned chosen = 0; chosen < 1u << shape.size(); ++chosen) {
            axes_t axes;
            axes_t negative;
            for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                if ((chosen >> axis & 1) != 0) {
                    axes.push_back(static_cast<std::ptrdiff_t>(axis));
                    negative.insert(
                        negative.begin(), static_cast<std::ptrdiff_t>(axis) -
                                              static_cast<std::ptrdiff_t>(shape.size())
                    );
                }
            }
            const naive expected(x, weights, axes);
            std::vector<double> means;
            std::vector<double> zeros;
            for (std::size_t i = 0; i < expected.sum.size(); ++i) {
                means.push_back(expected.sum[i] / expected.weight[i]);
                zeros.push_back(expected.weight[i] == 0. ? 0. : means[i]);
            }
            CAPTURE(shape, mask_shape, axes);
            REQUIRE(is(xmask::masked_sum(x, m, axes), expected.shape, expected.sum, 0.));
            REQUIRE(is(xmask::masked_sum(x, m, negative), expected.shape, expected.sum, 0.));
            REQUIRE(is(xmask::masked_mean(x, m, axes), expected.shape, means, 1e-15));
            REQUIRE(
                is(xmask::masked_mean(x, m, axes, xmask::when_empty::zero), expected.shape, zeros,
                   1e-15)
            );
        }
    }
}

TEST_CASE("Axes are a number, a list, or any container", "[axes]") {
    const auto x = oracle::random<double>({3, 4, 5}, 1);
    const auto kept = oracle::random<bool>({3, 4, 5}, 5);
    const xmask::bitmask m = xmask::keep_where(kept);
    const naive two(x, weights_of(kept, {3, 4, 5}), {0, 2});
    REQUIRE(is(xmask::masked_sum(x, m, {0, 2}), {4}, two.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, {-1, 0}), {4}, two.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, std::array<int, 2>{2, 0}), {4}, two.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, std::vector<std::size_t>{0, 2}), {4}, two.sum, 0.));
    const naive one(x, weights_of(kept, {3, 4, 5}), {1});
    REQUIRE(is(xmask::masked_sum(x, m, 1), {3, 5}, one.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, -2), {3, 5}, one.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, std::size_t(1)), {3, 5}, one.sum, 0.));
    REQUIRE(is(xmask::masked_sum(x, m, {1}), {3, 5}, one.sum, 0.));
    REQUIRE(is(
        xmask::masked_mean(x, m, {1}, xmask::when_empty::zero), {3, 5},
        [&] {
            auto means = one.sum;
            for (std::size_t i = 0; i < means.size(); ++i) {
                means[i] = one.weight[i] == 0. ? 0. : means[i] / one.weight[i];
            }
            return means;
        }(),
        1e-15
    ));
}

TEST_CASE("A rank in the type of a tensor is one in the type of the result", "[axes]") {
    const xt::xtensor<float, 2> x = {{1, 2, 3}, {4, 5, 6}};
    const auto m = xmask::keep_lengths({2, 3}, 3);
    const auto rows = xmask::masked_sum(x, m, -1);
    STATIC_REQUIRE(std::is_same_v<decltype(rows), const xt::xtensor<float, 1>>);
    REQUIRE(rows == xt::xtensor<float, 1>{3, 15});
    const auto columns = xmask::masked_mean(2.f * x, m, 0, xmask::when_empty::zero);
    STATIC_REQUIRE(std::is_same_v<decltype(columns), const xt::xtensor<float, 1>>);
    REQUIRE(columns == xt::xtensor<float, 1>{5, 7, 12});
    const auto all = xmask::masked_sum(x, m, std::array{0, 1});
    STATIC_REQUIRE(std::is_same_v<decltype(all), const xt::xtensor<float, 0>>);
    REQUIRE(all() == 18);
    const auto braced = xmask::masked_sum(x, m, {0});
    STATIC_REQUIRE(std::is_same_v<decltype(braced), const xt::xtensor<float, 1>>);
    REQUIRE(braced == xt::xtensor<float, 1>{5, 7, 6});
    const auto both = xmask::masked_mean(x, m, {1, 0}, xmask::when_empty::zero);
    STATIC_REQUIRE(std::is_same_v<decltype(both), const xt::xtensor<float, 0>>);
    REQUIRE(both() == 3.6f);
    const auto none = xmask::masked_sum(x, m, {});
    STATIC_REQUIRE(std::is_same_v<decltype(none), const xt::xtensor<float, 2>>);
    REQUIRE(none == xt::xtensor<float, 2>{{1, 2, 0}, {4, 5, 6}});
    const float of_all = xmask::masked_sum(x, m, {.keep_axes = false});
    REQUIRE(of_all == 18);
    const std::ptrdiff_t last[] = {-1};
    const auto by_array = xmask::masked_sum(x, m, last);
    STATIC_REQUIRE(std::is_same_v<decltype(by_array), const xt::xtensor<float, 1>>);
    REQUIRE(by_array == rows);
    // The rank of options and containers is a value.
    const auto kept = xmask::masked_sum(x, m, {1}, {.keep_axes = true});
    STATIC_REQUIRE(std::is_same_v<decltype(kept), const xt::xarray<float>>);
    REQUIRE(kept == xt::xtensor<float, 2>{{3}, {15}});
    REQUIRE(xmask::masked_sum(x, m, {}, {.keep_axes = true}) == none);
    const auto listed = xmask::masked_sum(x, m, std::vector<int>{1});
    STATIC_REQUIRE(std::is_same_v<decltype(listed), const xt::xarray<float>>);
    REQUIRE_THROWS_AS(xmask::masked_sum(x, m, 2), std::out_of_range);
}

TEST_CASE("Axes that do not exist or come twice", "[axes]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    REQUIRE_THROWS_AS(xmask::masked_sum(x, m, 2), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(x, m, 2), "xmask::masked_sum: axis 2 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_mean(x, m, -3), "xmask::masked_mean: axis -3 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_AS(xmask::masked_sum(x, m, {0, 5}), std::out_of_range);
    REQUIRE_THROWS_AS(
        xmask::masked_sum(x, m, std::numeric_limits<std::size_t>::max()), std::out_of_range
    );
    REQUIRE_THROWS_AS(xmask::masked_sum(x, m, {1, 1}), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(x, m, {1, -1}),
        ContainsSubstring("xmask::masked_sum: axis 1 is named twice")
    );
    const xt::xarray<float> scalar = 1.f;
    const xmask::bitmask one = xmask::keep_all(std::vector<std::size_t>());
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(scalar, one, 1), "xmask::masked_sum: axis 1 is outside of [-1, 1)"
    );
    REQUIRE_THROWS_AS(xmask::masked_sum(scalar, one, -2), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::masked_sum(scalar, one, {0, -1}), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_all({2})), 0),
        ContainsSubstring("a mask of shape (2,)")
    );
}

TEST_CASE("The mean along axes where nothing is kept", "[axes]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = {{1.f, 2.f}, {3.f, 4.f}};
    const xmask::bitmask m = xmask::keep_lengths({2, 0}, 2);
    const auto nan = xmask::masked_mean(x, m, 1);
    REQUIRE(nan(0) == 1.5f);
    REQUIRE(std::isnan(nan(1)));
    REQUIRE(
        oracle::elements(xmask::masked_mean(x, m, 1, xmask::when_empty::zero)) ==
        std::vector<float>{1.5f, 0.f}
    );
    REQUIRE_THROWS_AS(xmask::masked_mean(x, m, 1, xmask::when_empty::raise), std::domain_error);
    REQUIRE_THROWS_WITH(
        xmask::masked_mean(x, m, 1, xmask::when_empty::raise), ContainsSubstring("nothing is kept")
    );
    REQUIRE(
        oracle::elements(xmask::masked_mean(x, m, 0, xmask::when_empty::raise)) ==
        std::vector<float>{1.f, 2.f}
    );
    REQUIRE(oracle::elements(xmask::masked_sum(x, m, 1)) == std::vector<float>{3.f, 0.f});
}

TEST_CASE("Options of sums and means", "[axes]") {
    using xmask::when_empty;
    const xt::xarray<float> x = {{1.f, 2.f}, {3.f, 4.f}};
    const xmask::bitmask m = xmask::keep_lengths({2, 0}, 2);
    const auto mean = xmask::masked_mean(x, m, 1, {.empty = when_empty::zero, .keep_axes = true});
    REQUIRE(shape_t(mean.shape().begin(), mean.shape().end()) == shape_t{2, 1});
    REQUIRE(oracle::elements(mean) == std::vector<float>{1.5f, 0.f});
    const auto sum = xmask::masked_sum(x, m, {0, 1}, {.keep_axes = true});
    REQUIRE(shape_t(sum.shape().begin(), sum.shape().end()) == shape_t{1, 1});
    // The result of keep_axes broadcasts back.
    const xt::xarray<float> centred =
        x - xmask::masked_mean(x, m, -1, {.empty = when_empty::zero, .keep_axes = true});
    REQUIRE(oracle::elements(centred) == std::vector<float>{-0.5f, 0.5f, 3.f, 4.f});
    // A sum of nothing is 0, unless the options say otherwise.
    REQUIRE(std::isnan(xmask::masked_sum(x, m, 1, when_empty::nan)(1)));
    REQUIRE_THROWS_AS(xmask::masked_sum(x, m, 1, {.empty = when_empty::raise}), std::domain_error);
    REQUIRE_THROWS_AS(
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_none({2, 2})), when_empty::raise),
        std::domain_error
    );
    REQUIRE_THROWS_AS(
        xmask::masked_mean(
            x, xmask::bitmask(xmask::keep_none({2, 2})), {.empty = when_empty::raise}
        ),
        std::domain_error
    );
    REQUIRE(
        xmask::masked_mean(
            x, xmask::bitmask(xmask::keep_none({2, 2})), {.empty = when_empty::zero}
        ) == 0.f
    );
}

TEST_CASE("Means along leading axes count each column by itself", "[axes]") {
    // More rows than one byte counts, under words that begin at any column.
    const std::size_t rows = 700;
    for (const std::size_t n : {5u, 64u, 100u}) {
        const auto x = oracle::random<double>({2, rows, n}, 1);
        const auto kept = oracle::random<bool>({2, rows, n}, 5);
        const naive expected(x, weights_of(kept, {2, rows, n}), {1});
        auto means = expected.sum;
        for (std::size_t i = 0; i < means.size(); ++i) {
            means[i] /= expected.weight[i];
        }
        REQUIRE(
            is(xmask::masked_mean(x, xmask::bitmask(xmask::keep_where(kept)), 1), expected.shape,
               means, 1e-13)
        );
        const auto windows = xmask::keep_window(rows, n, 300, 600);
        const xt::xarray<bool> inside = windows;
        const naive through(x, weights_of(inside, {2, rows, n}), {1});
        for (std::size_t i = 0; i < means.size(); ++i) {
            means[i] = through.sum[i] / through.weight[i];
        }
        REQUIRE(is(xmask::masked_mean(x, windows, 1), through.shape, means, 1e-13));
    }
}

TEST_CASE("Sums along axes by real weights", "[axes]") {
    const auto x = oracle::random<double>({3, 4, 67}, 1);
    for (const shape_t& shape : {shape_t{3, 4, 67}, shape_t{67}, shape_t{4, 1}}) {
        const xt::xarray<double> weights = oracle::random<double>(shape, 2) + 2.5;
        const auto factors =
            oracle::elements(xt::xarray<double>(xt::broadcast(weights, x.shape())));
        for (const axes_t& axes : {axes_t{0}, axes_t{1}, axes_t{2}, axes_t{0, 2}, axes_t{}}) {
            const naive expected(x, factors, axes);
            auto means = expected.sum;
            for (std::size_t i = 0; i < means.size(); ++i) {
                means[i] /= expected.weight[i];
            }
            CAPTURE(shape, axes);
            REQUIRE(is(xmask::masked_sum(x, weights, axes), expected.shape, expected.sum, 1e-13));
            REQUIRE(is(xmask::masked_mean(x, weights, axes), expected.shape, means, 1e-13));
        }
    }
}

TEST_CASE("Types of sums along axes", "[axes]") {
    const xt::xtensor<std::int8_t, 2> x = xt::ones<std::int8_t>({300, 3}) * std::int8_t(100);
    const xmask::bitmask m = xmask::keep_all({300, 3});
    const auto sum = xmask::masked_sum(x, m, 0);
    STATIC_REQUIRE(std::is_same_v<decltype(sum)::value_type, std::int64_t>);
    REQUIRE(oracle::elements(sum) == std::vector<std::int64_t>(3, 30000));
    const auto mean = xmask::masked_mean(x, m, 0);
    STATIC_REQUIRE(std::is_same_v<decltype(mean)::value_type, double>);
    REQUIRE(oracle::elements(mean) == std::vector<double>(3, 100.));
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_sum(xt::xarray<bool>(), m, 0))::value_type,
                   std::uint64_t>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_mean(xt::xarray<float>(), m, 0))::value_type, float>);
}

TEST_CASE("Sums along axes of any layout", "[axes]") {
    const auto x = oracle::random<double>({3, 4, 67}, 1);
    const auto kept = oracle::random<bool>({3, 4, 67}, 5);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        for (const axes_t& axes : {axes_t{0}, axes_t{1}, axes_t{2}, axes_t{0, 2}}) {
            const naive expected(x, weights_of(kept, {3, 4, 67}), axes);
            REQUIRE(
                is(xmask::masked_sum(operand, xmask::bitmask(xmask::keep_where(kept)), axes),
                   expected.shape, expected.sum, 0.)
            );
        }
    });
}

TEST_CASE("Sums along axes agree with PyTorch", "[axes]") {
    for (const auto& [name, axis] :
         {std::pair("reduce_rows", 1), std::pair("reduce_axis_0", 0), std::pair("reduce_axis_1", 1)
         }) {
        const auto x = oracle::reference<float>(name, "x");
        const xt::xarray<double> wide = x;
        const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>(name, "mask"));
        const auto sum = oracle::reference<double>(name, "sum");
        const auto mean = oracle::reference<double>(name, "mean");
        CAPTURE(name);
        REQUIRE(oracle::close(xmask::masked_sum(x, m, axis), sum, 1e-5));
        REQUIRE(oracle::close(xmask::masked_mean(x, m, axis), mean, 1e-5));
        REQUIRE(oracle::close(xmask::masked_sum(wide, m, axis), sum, 1e-12));
        REQUIRE(oracle::close(xmask::masked_mean(wide, m, axis), mean, 1e-12));
    }
}

TEST_CASE("Mean pooling, as its documentation shows it, agrees with PyTorch", "[axes]") {
    const auto x = oracle::reference<float>("mean_pool", "x");
    const auto lengths = oracle::reference<std::int64_t>("mean_pool", "lengths");
    const auto y = oracle::reference<double>("mean_pool", "y");
    const auto m = xmask::keep_lengths(lengths, x.shape(1));
    xt::xarray<float> pooled = xmask::masked_mean(x, xmask::unsqueeze(m, -1), 1);
    REQUIRE(oracle::close(pooled, y, 1e-5));
    REQUIRE(oracle::close(
        xmask::masked_mean(xt::xarray<double>(x), xmask::unsqueeze(m, -1), 1), y, 1e-12
    ));
}
