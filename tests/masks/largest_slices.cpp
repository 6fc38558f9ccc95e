// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/largest_slices.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The slice of each element of x along an axis.
template <class T>
std::vector<std::size_t> slices_of(const xt::xarray<T>& x, std::size_t axis) {
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < x.dimension(); ++a) {
        inner *= x.shape()[a];
    }
    std::vector<std::size_t> slices(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        slices[i] = i / inner % x.shape()[axis];
    }
    return slices;
}

/// By the definition of the norm, in long double. Ties in order, NaN last.
template <class T>
std::vector<char> expected_of(const xt::xarray<T>& x, double fraction, std::size_t axis, double p) {
    const auto all = oracle::elements(x);
    const auto slices = slices_of(x, axis);
    std::vector<long double> norms(x.shape()[axis]);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const long double size = std::abs(static_cast<long double>(all[i]));
        long double& norm = norms[slices[i]];
        if (std::isinf(p)) {
            norm = std::isnan(norm) || std::isnan(size) ? std::nanl("") : std::max(norm, size);
        } else {
            norm += std::pow(size, static_cast<long double>(p));
        }
    }
    std::vector<std::size_t> order(norms.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const bool first = norms[a] > norms[b] || (std::isnan(norms[b]) && !std::isnan(norms[a]));
        const bool last = norms[b] > norms[a] || (std::isnan(norms[a]) && !std::isnan(norms[b]));
        return first != last ? first : a < b;
    });
    order.resize(static_cast<std::size_t>(std::llround(fraction * static_cast<double>(norms.size()))
    ));
    std::vector<char> expected;
    for (const std::size_t slice : slices) {
        expected.push_back(std::find(order.begin(), order.end(), slice) != order.end());
    }
    return expected;
}
} // namespace

TEMPLATE_TEST_CASE(
    "Slices of the largest norm, along any axis", "[largest]", float, double, std::int8_t,
    std::uint32_t
) {
    using T = TestType;
    for (const extents& shape :
         std::vector<extents>{{7}, {5, 9}, {3, 130}, {4, 3, 5}, {2, 1, 6, 3}}) {
        auto x = oracle::random<T>(shape, 8);
        // Two equal slices, and a slice of zeros.
        for (std::size_t i = 0; i < x.size(); ++i) {
            const std::size_t n = x.shape().back();
            x.flat(i) = i % n == n - 1 ? x.flat(i - i % n + n / 2) : i % n == 1 ? T(0) : x.flat(i);
        }
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            for (const double p : {1., 2., infinity, 0.5, 3.}) {
                for (const double fraction : {0., 0.3, 0.5, 1.}) {
                    CAPTURE(shape.size(), axis, p, fraction);
                    const auto m = xmask::keep_largest_slices(
                        x, fraction, static_cast<std::ptrdiff_t>(axis), p
                    );
                    oracle::require_words(m, expected_of(x, fraction, axis, p));
                }
            }
        }
    }
}

TEST_CASE("Slices of other layouts and lazy operands", "[largest]") {
    const auto x = oracle::random<float>({4, 6, 70}, 5);
    const auto expected = expected_of(x, 0.5, 1, 2);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        oracle::require_words(xmask::keep_largest_slices(operand, 0.5, 1), expected);
        oracle::require_words(
            xmask::keep_largest_slices(operand, 0.5, -1, 1), expected_of(x, 0.5, 2, 1)
        );
    });
    // The mask does not read the tensor later.
    const auto make = [&] { return xmask::keep_largest_slices(xt::xarray<float>(x), 0.5, 1); };
    oracle::require_mask(make(), expected);
    const xt::xtensor<float, 2> weights = {{1, -1, 1}, {0, 3, 0}, {0, 0, 1}};
    oracle::require_mask(xmask::keep_largest_slices(weights, 0.34, 0), {0, 0, 0, 1, 1, 1, 0, 0, 0});
    // By the sum of magnitudes the first row is as large as the second, and comes first.
    oracle::require_mask(
        xmask::keep_largest_slices(weights, 0.34, 0, 1), {1, 1, 1, 0, 0, 0, 0, 0, 0}
    );
    oracle::require_mask(xmask::keep_largest_slices(weights, 0.34, 1), {0, 1, 0, 0, 1, 0, 0, 1, 0});
    // Equal norms of different elements: 6, 2, 3 and 7, 0, 0.
    const xt::xtensor<int, 2> sevens = {{6, 2, 3}, {7, 0, 0}, {0, -7, 0}, {1, 1, 1}};
    oracle::require_mask(
        xmask::keep_largest_slices(sevens, 0.25, 0), {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    );
}

TEST_CASE("No norm overflows, and NaN and infinity have their places", "[largest]") {
    const double big = 1e300;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto kept = [](const xt::xtensor<double, 2>& x, double fraction, double p) {
        std::vector<char> rows;
        const auto m = xmask::keep_largest_slices(x, fraction, 0, p);
        for (std::size_t r = 0; r < x.shape()[0]; ++r) {
            rows.push_back(m(r, 0));
        }
        return rows;
    };
    for (const double p : {0.5, 1., 2., 3., 100., 5000., infinity}) {
        CAPTURE(p);
        REQUIRE(
            kept({{big, 0}, {2 * big, big}, {2 * big, 0}, {1, 1}}, 0.25, p) ==
            std::vector<char>{0, 1, 0, 0}
        );
        REQUIRE(
            kept({{0, 0}, {1e-3, 0}, {2e-3, 0}, {big, 0}}, 0.5, p) == std::vector<char>{0, 0, 1, 1}
        );
        REQUIRE(
            kept({{nan, big}, {infinity, 0}, {0, 0}, {big, 0}}, 0.5, p) ==
            std::vector<char>{0, 1, 0, 1}
        );
        REQUIRE(
            kept({{nan, 1}, {infinity, nan}, {0, 0}, {1, nan}}, 0.5, p) ==
            std::vector<char>{1, 0, 1, 0}
        );
        REQUIRE(kept({{0, 0}, {0, 0}, {0, 0}, {0, 0}}, 0.5, p) == std::vector<char>{1, 1, 0, 0});
        REQUIRE(
            kept({{1e-310, 0}, {2e-310, 0}, {3e-310, 0}, {0, 0}}, 0.5, p) ==
            std::vector<char>{0, 1, 1, 0}
        );
    }
    // Norms that are larger than the largest number.
    for (const double p : {0.5, 1., 2., 3.}) {
        CAPTURE(p);
        const xt::xtensor<double, 2> x = {
            {1.6e308, 1.7e308}, {1.7e308, 1.7e308}, {1.79e308, 0}, {1, 1}
        };
        REQUIRE(kept(x, 0.25, p) == std::vector<char>{0, 1, 0, 0});
        REQUIRE(kept(x, 0.5, p) == std::vector<char>{1, 1, 0, 0});
        REQUIRE(kept(x, 0.75, p) == std::vector<char>{1, 1, 1, 0});
    }
}

TEST_CASE("A mask of slices is broadcast from one bit a slice", "[largest]") {
    const auto x = oracle::random<float>({6, 300}, 2);
    const auto rows = xmask::keep_largest_slices(x, 0.5, 0);
    bool whole = true;
    for (std::size_t r = 0; r < 6; ++r) {
        const auto cursor = rows.row(r);
        whole = whole && oracle::extent_of(cursor) == oracle::solid_of(cursor) &&
                (oracle::extent_of(cursor).size() == 300) == rows(r, 7);
    }
    REQUIRE(whole);
    REQUIRE(xmask::count_kept(rows) == 900);
    const xt::xtensor<float, 1> one = {0.f, 2.f, 1.f, 0.f};
    REQUIRE(
        oracle::extent_of(xmask::keep_largest_slices(one, 0.5, 0).row(0)) ==
        xmask::column_range{1, 3}
    );
    REQUIRE(
        xmask::count_kept(xmask::keep_largest_slices(xt::xarray<float>::from_shape({0, 3}), 1, 1)
        ) == 0
    );
    REQUIRE(
        xmask::count_kept(xmask::keep_largest_slices(xt::xarray<float>::from_shape({3, 0}), 1, 0)
        ) == 0
    );
}

TEST_CASE("What can't be a norm of slices is refused", "[largest]") {
    const xt::xtensor<float, 2> x = xt::zeros<float>({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::keep_largest_slices(x, -0.1, 0),
        "xmask::keep_largest_slices: fraction is -0.1; expected 0 to 1"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_largest_slices(x, 0.5, 0, 0),
        "xmask::keep_largest_slices: p is 0; expected a number above 0"
    );
    REQUIRE_THROWS_AS(xmask::keep_largest_slices(x, 0.5, 0, std::nan("")), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_largest_slices(x, 0.5, 2), std::out_of_range);
}
