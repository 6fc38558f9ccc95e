// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/linear.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/oracle.hpp"

// Dropped weights and their inputs are never seen: whatever their values, no bit of the output or
// of any gradient changes.

namespace {
template <class T>
struct layer {
    layer(std::size_t rows, std::size_t out, std::size_t in)
        : x(oracle::random<T>({rows, in}, 1))
        , weight(oracle::random<T>({out, in}, 2))
        , bias(oracle::random<T>({out}, 3))
        , upstream(oracle::random<T>({rows, out}, 4)) {}

    /// The output and all gradients.
    std::vector<xt::xarray<T>> compute(const xmask::bitmask& m) const {
        std::vector<xt::xarray<T>> all(4);
        all[0] = xmask::masked_linear(x, weight, bias, m);
        xmask::masked_linear_gradient(x, weight, m, upstream, all[1], all[2], all[3]);
        return all;
    }

    xt::xarray<T> x;
    xt::xarray<T> weight;
    xt::xarray<T> bias;
    xt::xarray<T> upstream;
};

template <class T>
bool same(const xt::xarray<T>& a, const xt::xarray<T>& b) {
    return oracle::same_bits(oracle::elements(a), oracle::elements(b));
}

template <class T>
void require_unseen(std::size_t rows, const xmask::bitmask& m) {
    const std::size_t out = m.shape()[0];
    const std::size_t in = m.shape()[1];
    CAPTURE(rows, out, in);
    const auto kept = oracle::elements(m);
    const auto any = [&](std::size_t first, std::size_t count, std::size_t step) {
        bool found = false;
        for (std::size_t i = 0; i < count; ++i) {
            found = found || kept[first + i * step] != 0;
        }
        return found;
    };
    const layer<T> clean(rows, out, in);
    const auto expected = clean.compute(m);
    for (const T with : oracle::garbage<T>) {
        CAPTURE(with);
        // Dropped weights, and inputs that no output keeps.
        layer<T> spoilt = clean;
        for (std::size_t i = 0; i < kept.size(); ++i) {
            spoilt.weight.flat(i) = kept[i] != 0 ? spoilt.weight.flat(i) : with;
        }
        for (std::size_t i = 0; i < rows * in; ++i) {
            spoilt.x.flat(i) = any(i % in, out, in) ? spoilt.x.flat(i) : with;
        }
        auto all = spoilt.compute(m);
        REQUIRE(same(all[0], expected[0]));
        REQUIRE(same(all[1], expected[1]));
        REQUIRE(same(all[2], expected[2]));
        REQUIRE(same(all[3], expected[3]));
        // The upstream gradient of outputs that keep no input: only the gradient by the bias has
        // it.
        for (std::size_t i = 0; i < rows * out; ++i) {
            spoilt.upstream.flat(i) = any(i % out * in, in, 1) ? spoilt.upstream.flat(i) : with;
        }
        all = spoilt.compute(m);
        REQUIRE(same(all[1], expected[1]));
        REQUIRE(same(all[2], expected[2]));
    }
    bool zero = true;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        zero = zero && (kept[i] != 0 || oracle::same_bits(expected[2].flat(i), T(0)));
    }
    REQUIRE(zero);
}
} // namespace

TEMPLATE_TEST_CASE("what a layer drops changes no bit", "[linear][unseen]", float, double) {
    using T = TestType;
    for (const std::size_t rows : {0u, 1u, 2u, 67u}) {
        require_unseen<T>(rows, xmask::keep_if({33, 130}, [](std::size_t j, std::size_t i) {
                              return j % 5 != 2 && i % 7 > 1 && (i + j) % 3 != 0;
                          }));
        require_unseen<T>(rows, xmask::keep_causal(65, 70, -3));
        require_unseen<T>(rows, xmask::keep_where(oracle::random<bool>({3, 64}, 5)));
        require_unseen<T>(rows, xmask::keep_none({4, 5}));
        require_unseen<T>(rows, xmask::keep_none({1, 1}));
        require_unseen<T>(rows, xmask::keep_all({1, 1}));
        require_unseen<T>(rows, xmask::keep_indices({0}, {2, 3}));
        require_unseen<T>(rows, xmask::keep_none({0, 3}));
        require_unseen<T>(rows, xmask::keep_none({3, 0}));
    }
}

TEMPLATE_TEST_CASE(
    "NaN in an input shows only in outputs that keep it", "[linear][unseen]", float, double
) {
    using T = TestType;
    const std::size_t rows = 5;
    const std::size_t out = 33;
    const std::size_t in = 130;
    const xmask::bitmask m =
        xmask::keep_if({out, in}, [](std::size_t j, std::size_t i) { return (i + j) % 3 != 0; });
    const layer<T> clean(rows, out, in);
    const auto expected = clean.compute(m);
    for (const T with : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        CAPTURE(with);
        layer<T> spoilt = clean;
        spoilt.x(1, 65) = with;
        spoilt.upstream(3, 20) = with;
        const auto all = spoilt.compute(m);
        bool right = true;
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t j = 0; j < out; ++j) {
                const bool sees = r == 1 && m(j, 65);
                const bool finite = std::isfinite(all[0](r, j));
                right = right && finite != sees &&
                        (sees || oracle::same_bits(all[0](r, j), expected[0](r, j)));
            }
            for (std::size_t i = 0; i < in; ++i) {
                const bool sees = r == 3 && m(20, i);
                const bool finite = std::isfinite(all[1](r, i));
                right = right && finite != sees &&
                        (sees || oracle::same_bits(all[1](r, i), expected[1](r, i)));
            }
        }
        for (std::size_t j = 0; j < out; ++j) {
            for (std::size_t i = 0; i < in; ++i) {
                const bool sees = m(j, i) && (i == 65 || j == 20);
                const bool finite = std::isfinite(all[2](j, i));
                right = right && finite != sees &&
                        (sees || oracle::same_bits(all[2](j, i), expected[2](j, i)));
            }
        }
        REQUIRE(right);
    }
}

TEST_CASE("an infinite input goes where loops take it", "[linear][unseen]") {
    const double infinity = std::numeric_limits<double>::infinity();
    const xt::xarray<double> x = {{infinity, 1}, {-infinity, 1}, {2, 1}};
    const xt::xarray<double> weight = {{infinity, 5}, {-1, infinity}, {0, 1}, {infinity, 3}};
    const xt::xarray<double> bias = {1, 2, 3, 4};
    const xt::xarray<bool> kept = {{true, true}, {true, false}, {true, true}, {false, true}};
    const xt::xarray<double> y = xmask::masked_linear(x, weight, bias, xmask::keep_where(kept));
    REQUIRE(y(0, 0) == infinity);
    REQUIRE(y(0, 1) == -infinity);
    REQUIRE(std::isnan(y(0, 2)));
    REQUIRE(y(0, 3) == 7);
    REQUIRE(y(1, 0) == -infinity);
    REQUIRE(y(1, 1) == infinity);
    REQUIRE(y(1, 3) == 7);
    REQUIRE(y(2, 0) == infinity);
    REQUIRE(y(2, 1) == 0);
    REQUIRE(y(2, 2) == 4);
}
