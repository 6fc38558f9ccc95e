// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/indices.hpp>

TEST_CASE("keep_points keeps the positions listed, in any order and more than once", "[points]") {
    oracle::require_mask(
        xmask::keep_points({{1, 3}, {0, 1}, {1, 3}}, {2, 4}), {0, 1, 0, 0, 0, 0, 0, 1}
    );
    oracle::require_mask(xmask::drop_points({{1, 3}, {0, 1}}, {2, 4}), {1, 0, 1, 1, 1, 1, 1, 0});
    oracle::require_mask(xmask::keep_points({{2}}, 4), {0, 0, 1, 0});
    std::mt19937 random(3);
    const std::vector<std::vector<std::size_t>> shapes = {
        {1}, {70}, {3, 64}, {2, 3, 130}, {2, 1, 2, 5}
    };
    for (const auto& shape : shapes) {
        for (const std::size_t count : {0u, 1u, 40u}) {
            CAPTURE(shape, count);
            xt::xtensor<std::int16_t, 2> points = xt::zeros<std::int16_t>({count, shape.size()});
            xt::xarray<bool> kept = xt::zeros<bool>(shape);
            for (std::size_t i = 0; i < count; ++i) {
                std::vector<std::size_t> at;
                for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                    at.push_back(random() % shape[axis]);
                    points(i, axis) = static_cast<std::int16_t>(at.back());
                }
                kept.element(at.begin(), at.end()) = true;
            }
            oracle::require_mask(xmask::keep_points(points, shape), oracle::elements(kept));
            const xt::xtensor<std::int16_t, 2, xt::layout_type::column_major> turned = points;
            oracle::require_words(xmask::keep_points(turned, shape), oracle::elements(kept));
            oracle::require_words(
                xmask::drop_points(1 * points, shape), oracle::elements(xt::xarray<bool>(!kept))
            );
        }
    }
}

TEST_CASE("points outside of the mask are refused", "[points]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_points({{0, 1}, {1, 4}}, {2, 4}),
        "xmask::keep_points: index 4 along axis 1 of point 1 is outside of [0, 4)"
    );
    REQUIRE_THROWS_WITH(
        xmask::drop_points({{-1, 1}}, {2, 4}),
        "xmask::drop_points: index -1 along axis 0 of point 0 is outside of [0, 2)"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_points(xt::xtensor<int, 2>{{1, 2, 3}}, {2, 4}),
        "xmask::keep_points: points of shape (1, 3); a mask of shape (2, 4) expects (points, 2)"
    );
    REQUIRE_THROWS_AS(
        xmask::keep_points(xt::xtensor<int, 1>{1, 2, 3}, {2, 4}), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_points({{0, 1}, {1}}, {2, 4}),
        "xmask::keep_points: a point of 1 indices; a mask of rank 2 expects as many"
    );
}
