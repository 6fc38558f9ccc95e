// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <catch2/catch_all.hpp>

#include <support/losses.hpp>
#include <support/own_loss.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>

namespace {
using real = double;
using losses::near;
using losses::shape_t;

const auto& masked = own_loss::masked_charbonnier;

losses::naive expected_of(
    const xt::xarray<double>& p, const xt::xarray<double>& t, const std::vector<char>& kept
) {
    const losses::naive_terms terms(
        p, t, [](real x, real y) { return std::hypot(1., x - y) - 1; },
        [](real x, real y) { return (x - y) / std::hypot(1., x - y); }
    );
    return {terms, kept};
}
} // namespace

TEST_CASE(
    "A loss of any layout, of lazy and of mixed operands, and its elements", "[element_loss]"
) {
    const auto p = oracle::random<double>({3, 70}, 1);
    const auto t = oracle::random<double>({3, 70}, 2);
    const auto kept = oracle::random<bool>({3, 70}, 5);
    const xmask::bitmask m = xmask::keep_where(kept);
    const auto expected = expected_of(p, t, oracle::elements(kept));
    const auto sum = static_cast<double>(expected.sum);
    const auto elements = xt::adapt(expected.elements, shape_t{3, 70});
    oracle::for_each_layout(p, [&](const auto& prediction, const char* layout) {
        CAPTURE(layout);
        REQUIRE(near(masked(prediction, t, m).sum, sum, sum, 1e-14));
        REQUIRE(oracle::close(xt::xarray<double>(masked.each(prediction, t, m)), elements, 1e-14));
        REQUIRE(oracle::close(masked.each(prediction, t, m), elements, 1e-14));
    });
    oracle::for_each_layout(t, [&](const auto& target, const char* layout) {
        CAPTURE(layout);
        REQUIRE(near(masked(p, target, m).sum, sum, sum, 1e-14));
    });
    const xt::xarray<float> narrow = t;
    xt::xarray<double> gradient;
    REQUIRE(near(masked(2. * p - p, narrow + 0.f, m, gradient).sum, sum, sum, 1e-14));
    REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape_t{3, 70}), 1e-14));
    REQUIRE(
        oracle::close(xt::xarray<double>(masked.each(2. * p - p, narrow + 0.f, m)), elements, 1e-14)
    );
    xt::xarray<double, xt::layout_type::column_major> turned;
    masked(p, t, m, turned);
    REQUIRE(oracle::close(turned, xt::adapt(expected.gradient, shape_t{3, 70}), 1e-14));
}

TEST_CASE("A loss of every rank and of masks that broadcast", "[element_loss]") {
    const std::vector<std::pair<shape_t, shape_t>> cases = {
        {{}, {}},
        {{9}, {}},
        {{9}, {1}},
        {{3, 65}, {65}},
        {{3, 65}, {3, 1}},
        {{2, 3, 65}, {3, 1}},
        {{2, 3, 65}, {2, 1, 65}},
        {{2, 3, 2, 7}, {2, 1, 1, 7}},
        {{2, 1, 2, 3, 5}, {1, 1, 2, 1, 5}},
        {{0, 3}, {3}},
        {{3, 0}, {3, 1}},
    };
    for (const auto& [shape, mask_shape] : cases) {
        const auto p = oracle::random<double>(shape, 1);
        const auto t = oracle::random<double>(shape, 2);
        const auto kept = oracle::random<bool>(mask_shape, 5);
        const auto expected =
            expected_of(p, t, oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape))));
        const auto sum = static_cast<double>(expected.sum);
        const auto m = xmask::keep_where(kept);
        CAPTURE(shape, mask_shape);
        xt::xarray<double> gradient;
        REQUIRE(near(masked(p, t, m).sum, sum, sum, 1e-14));
        REQUIRE(near(masked(p, t, m, gradient).sum, sum, sum, 1e-14));
        REQUIRE(masked(p, t, m).weight == expected.weight);
        REQUIRE(oracle::close(gradient, xt::adapt(expected.gradient, shape), 1e-14));
        const auto each = masked.each(p, t, m);
        REQUIRE(shape_t(each.shape().begin(), each.shape().end()) == shape);
        REQUIRE(oracle::close(xt::xarray<double>(each), xt::adapt(expected.elements, shape), 1e-14)
        );
    }
}

TEST_CASE("Parts of a batch add up to the whole", "[element_loss]") {
    const xt::xarray<double> p = oracle::random<double>({24, 65}, 1) / 3.;
    const auto t = oracle::random<double>({24, 65}, 2);
    xt::xtensor<int, 1> lengths = xt::zeros<int>({24});
    for (std::size_t r = 0; r < 24; ++r) {
        lengths(r) = static_cast<int>(r * r * 29 % 66);
    }
    const xmask::loss whole = masked(p, t, xmask::bitmask(xmask::keep_lengths(lengths, 65)));
    xmask::loss total;
    for (std::size_t begin = 0; begin < 24; begin += 6) {
        const auto rows = [&](const auto& x) { return xt::view(x, xt::range(begin, begin + 6)); };
        const xt::xtensor<int, 1> some = rows(lengths);
        total += masked(rows(p), rows(t), xmask::bitmask(xmask::keep_lengths(some, 65)));
    }
    REQUIRE(total.weight == whole.weight);
    REQUIRE(near(total.mean(), whole.mean(), whole.mean(), 1e-14));
}
