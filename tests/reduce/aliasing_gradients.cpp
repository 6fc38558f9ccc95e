// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <support/self_masks.hpp>
#include <xmask/apply/gate.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/weighted.hpp>

namespace {
void require_close(const xmask::loss& a, const xmask::loss& b) {
    REQUIRE(a.sum == Catch::Approx(b.sum));
    REQUIRE(a.weight == Catch::Approx(b.weight));
}
} // namespace

TEST_CASE("A gradient may be written where a loss reads", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        const auto target = oracle::random<float>(shape, 6);
        const auto from = oracle::random<float>(shape, 5);
        self_masks::for_each<float>([&](const char* name, const auto& make) {
            if (std::string(name) == "unknown rule") {
                return; // gradients assume that a rule without sources() does not read the target
            }
            CAPTURE(name, shape);
            xt::xarray<float> expected;
            const auto loss = xmask::masked_mse(from, target, make(from), expected);
            xt::xarray<float> x = from;
            require_close(xmask::masked_mse(x, target, make(x), x), loss);
            REQUIRE(oracle::close(x, expected, 1e-6));
            x = from;
            const auto halved = xmask::masked_mse(x, target, make(x), xmask::scaled(x, 0.5));
            require_close(halved, loss);
            REQUIRE(oracle::close(2.f * x, expected, 1e-6));
        });
    }
}

TEST_CASE("A gradient may be written where weights lie, or a shifted operand", "[aliasing]") {
    for (const std::size_t n : self_masks::columns) {
        CAPTURE(n);
        const auto from = oracle::random<float>({3, n}, 5);
        const auto target = oracle::random<float>({3, n}, 6);
        const xt::xarray<float> weights = xt::abs(oracle::random<float>({3, n}, 7)) + 0.5f;
        xt::xarray<float> expected;
        const auto loss = xmask::masked_mse(from, target, weights, expected);
        xt::xarray<float> w = weights;
        require_close(xmask::masked_mse(from, target, w, w), loss);
        REQUIRE(oracle::close(w, expected, 1e-6));
        // A row of weights, in the array that receives the gradient.
        const xt::xarray<float> row = xt::view(weights, 0, xt::all());
        const auto by_row = xmask::masked_mse(from, target, row, expected);
        w = row;
        require_close(xmask::masked_mse(from, target, w, w), by_row);
        REQUIRE(oracle::close(w, expected, 1e-6));

        const auto wide = oracle::random<float>({3, n + 1}, 8);
        const auto columns = [&](auto& x, std::size_t first) {
            return xt::view(x, xt::all(), xt::range(first, first + n));
        };
        const auto m = xmask::keep_all({3, n});
        xt::xarray<float> by_shifted;
        const auto shifted = xmask::masked_mse(columns(wide, 0), target, m, by_shifted);
        xt::xarray<float> x = wide;
        auto to = columns(x, 1);
        require_close(xmask::masked_mse(columns(x, 0), target, m, to), shifted);
        REQUIRE(oracle::close(to, by_shifted, 1e-6));
    }
}

TEST_CASE("The gradient of a class loss may be written where it reads", "[aliasing]") {
    for (const std::size_t classes : {std::size_t(3), std::size_t(65)}) {
        CAPTURE(classes);
        const auto from = oracle::random<float>({40, classes}, 5);
        xt::xarray<std::int64_t> target = xt::zeros<std::int64_t>({40});
        for (std::size_t i = 0; i < target.size(); ++i) {
            target(i) = static_cast<std::int64_t>(7 * i % classes);
        }
        const auto m = [](const auto& x) {
            return xmask::keep_above(xt::view(x, xt::all(), 1), -0.5f);
        };
        xt::xarray<float> expected;
        const auto loss = xmask::masked_cross_entropy(from, target, m(from), expected);
        xt::xarray<float> x = from;
        require_close(xmask::masked_cross_entropy(x, target, m(x), x), loss);
        REQUIRE(oracle::close(x, expected, 1e-6));
        // Transposed, so that a row of the gradient is a column of the logits.
        const auto square = oracle::random<float>({40, 40}, 6);
        const auto all = xmask::keep_all(40);
        const xt::xarray<std::int64_t> zeros = xt::zeros<std::int64_t>({40});
        xt::xarray<float> by_turned;
        const auto turned =
            xmask::masked_cross_entropy(xt::transpose(square), zeros, all, by_turned);
        x = square;
        require_close(xmask::masked_cross_entropy(xt::transpose(x), zeros, all, x), turned);
        REQUIRE(oracle::close(x, by_turned, 1e-6));
        const auto likelihood = xmask::masked_nll(xt::transpose(square), zeros, all, by_turned);
        x = square;
        require_close(xmask::masked_nll(xt::transpose(x), zeros, all, x), likelihood);
        REQUIRE(oracle::close(x, by_turned, 1e-6));
    }
}

TEST_CASE("The gradients of a gate may be written where it reads", "[aliasing]") {
    for (const std::size_t n : self_masks::columns) {
        CAPTURE(n);
        const auto from = oracle::random<float>({n, n}, 5);
        const auto upstream = oracle::random<float>({n, n}, 6);
        xt::xarray<float> by_x, by_z;
        xmask::sigmoid_gate_gradient(from, xt::transpose(from), upstream, by_x, by_z);
        xt::xarray<float> x = from;
        xt::xarray<float> own_z;
        xmask::sigmoid_gate_gradient(x, xt::transpose(x), upstream, x, own_z);
        REQUIRE(oracle::close(x, by_x, 1e-6));
        REQUIRE(oracle::close(own_z, by_z, 1e-6));
        // A gate of one row, in the array that receives the gradient by x.
        const xt::xarray<float> row = xt::view(from, 0, xt::all());
        xmask::sigmoid_gate_gradient(from, row, upstream, by_x, by_z);
        xt::xarray<float> z = row;
        xmask::sigmoid_gate_gradient(from, z, upstream, z, own_z);
        REQUIRE(oracle::close(z, by_x, 1e-6));
        REQUIRE(oracle::close(own_z, by_z, 1e-6));
    }
}
