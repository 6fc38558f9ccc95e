// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/lambda_loss.hpp>
#include <xmask/reduce/mse.hpp>

#if __has_include(<xtensor/core/xvectorize.hpp>)
#include <xtensor/core/xvectorize.hpp>
#else
#include <xtensor/xvectorize.hpp>
#endif

namespace {
using shape_t = std::vector<std::size_t>;
}

TEST_CASE("masked_mse by real weights", "[mse]") {
    for (const std::size_t n : {1u, 63u, 130u}) {
        const auto p = oracle::random<double>({3, n}, 1);
        const auto t = oracle::random<double>({3, n}, 2);
        for (const shape_t& shape : {shape_t{3, n}, shape_t{n}, shape_t{3, 1}, shape_t{}}) {
            const xt::xarray<double> weights = oracle::random<double>(shape, 3) + 2.;
            const auto factors =
                oracle::elements(xt::xarray<double>(xt::broadcast(weights, p.shape())));
            double sum = 0;
            double weight = 0;
            std::vector<double> slopes;
            for (std::size_t i = 0; i < p.size(); ++i) {
                const double d = p.flat(i) - t.flat(i);
                sum += factors[i] * d * d;
                weight += factors[i];
                slopes.push_back(factors[i] * 2. * d);
            }
            xt::xarray<double> gradient;
            for (const auto& l :
                 {xmask::masked_mse(p, t, weights), xmask::masked_mse(p, t, weights, gradient)}) {
                REQUIRE(std::abs(l.sum - sum) <= 1e-13 * std::max(1., sum));
                REQUIRE(std::abs(l.weight - weight) <= 1e-13 * weight);
            }
            REQUIRE(oracle::close(gradient, xt::adapt(slopes, shape_t{3, n}), 1e-14));
        }
    }
}

TEST_CASE("masked_mse by weights agrees with PyTorch", "[mse]") {
    const xt::xarray<double> p = oracle::reference<float>("mse_soft_weights", "prediction");
    const xt::xarray<double> t = oracle::reference<float>("mse_soft_weights", "target");
    const xt::xarray<double> weights = oracle::reference<float>("mse_soft_weights", "weights");
    const double mean = oracle::reference<double>("mse_soft_weights", "mean")();
    const auto l = xmask::masked_mse(p, t, weights);
    REQUIRE(std::abs(l.mean() - mean) <= 1e-12 * mean);
    xt::xarray<double> gradient;
    xmask::masked_mse(p, t, weights, xmask::scaled(gradient, 1. / l.weight));
    REQUIRE(oracle::close(
        gradient, oracle::reference<double>("mse_soft_weights", "grad_of_mean"), 1e-12
    ));
    const xt::xarray<float> narrow = weights;
    REQUIRE(
        std::abs(
            xmask::masked_mse(xt::xarray<float>(p), xt::xarray<float>(t), narrow).mean() - mean
        ) <= 1e-5 * mean
    );
}

TEST_CASE("Accumulated losses agree with PyTorch", "[mse]") {
    const xt::xarray<double> p = oracle::reference<float>("accumulated_mse", "prediction");
    const xt::xarray<double> t = oracle::reference<float>("accumulated_mse", "target");
    const auto lengths = oracle::reference<std::int64_t>("accumulated_mse", "lengths");
    const double mean = oracle::reference<double>("accumulated_mse", "mean")();
    xmask::loss total;
    for (std::size_t batch = 0; batch < p.shape(0); ++batch) {
        const xt::xtensor<std::int64_t, 1> some = xt::view(lengths, batch);
        total += xmask::masked_mse(
            xt::view(p, batch), xt::view(t, batch),
            xmask::bitmask(xmask::keep_lengths(some, p.shape(2)))
        );
    }
    REQUIRE(std::abs(total.mean() - mean) <= 1e-12 * mean);
    REQUIRE(
        std::abs(
            xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_lengths(lengths, p.shape(2))))
                .mean() -
            mean
        ) <= 1e-12 * mean
    );
}

TEST_CASE("masked_loss sums an expression of one's own", "[mse]") {
    const xt::xarray<double> p = oracle::reference<float>("custom_half_square", "prediction");
    const xt::xarray<double> t = oracle::reference<float>("custom_half_square", "target");
    const auto m = xmask::keep_where(oracle::reference<bool>("custom_half_square", "mask"));
    const double sum = oracle::reference<double>("custom_half_square", "sum")();
    const double mean = oracle::reference<double>("custom_half_square", "mean")();
    const auto l = xmask::masked_loss(0.5 * (p - t) * (p - t), m);
    REQUIRE(std::abs(l.sum - sum) <= 1e-12 * sum);
    REQUIRE(std::abs(l.mean() - mean) <= 1e-12 * mean);
    const xt::xarray<float> narrow = p;
    const xt::xarray<float> narrow_target = t;
    const auto in_float = xmask::masked_loss(0.5f * xt::square(narrow - narrow_target), m);
    REQUIRE(std::abs(in_float.sum - sum) <= 1e-5 * sum);

    // As the documentation shows it, and with real weights.
    double absolute = 0;
    double weighted = 0;
    const auto kept = oracle::elements(xt::xarray<bool>(m));
    for (std::size_t i = 0; i < p.size(); ++i) {
        absolute += kept[i] != 0 ? std::abs(p.flat(i) - t.flat(i)) : 0.;
        weighted += p.flat(i) * std::abs(p.flat(i) - t.flat(i));
    }
    REQUIRE(std::abs(xmask::masked_loss(xt::abs(p - t), m).sum - absolute) <= 1e-13);
    const auto by_weights = xmask::masked_loss(xt::abs(p - t), p);
    REQUIRE(std::abs(by_weights.sum - weighted) <= 1e-13);
    REQUIRE(std::abs(by_weights.weight - xt::sum(p)()) <= 1e-13);
    // Only kept elements are computed.
    std::size_t calls = 0;
    auto counted = xt::vectorize([&](double v) {
        ++calls;
        return v;
    });
    REQUIRE(xmask::masked_loss(counted(p), m).weight == l.weight);
    REQUIRE(static_cast<double>(calls) == l.weight);
}

TEST_CASE("masked_loss is made of lambdas, of registers or of numbers", "[mse]") {
    const auto p = oracle::random<float>({3, 130}, 1);
    const auto t = oracle::random<float>({3, 130}, 2);
    const auto m = xmask::keep_where(oracle::random<bool>({3, 130}, 3));
    xt::xarray<float> expected;
    const auto square = xmask::masked_mse(p, t, m, expected);
    const auto check = [&](const auto& value, const auto& derivative) {
        xt::xarray<float> gradient;
        for (const auto& l :
             {xmask::masked_loss(p, t, m, value), xmask::masked_loss(p, t, m, value, derivative),
              xmask::masked_loss(p, t, m, value, derivative, gradient)}) {
            REQUIRE(std::abs(l.sum - square.sum) <= 1e-6 * square.sum);
            REQUIRE(l.weight == square.weight);
        }
        REQUIRE(oracle::close(gradient, expected, 1e-6));
    };
    check(
        [](auto a, auto b) { return (a - b) * (a - b); }, [](auto a, auto b) { return 2 * (a - b); }
    );
    check(
        [](double a, double b) { return std::pow(a - b, 2); },
        [](double a, double b) { return 2 * (a - b); }
    );
    // One of each kind: both are called with numbers.
    check(
        [](auto a, auto b) { return (a - b) * (a - b); },
        [](double a, double b) { return std::copysign(2 * std::abs(a - b), a - b); }
    );
    // Registers meet numbers, conditions and functions of registers.
    check(
        [](const auto& a, const auto& b) {
            using V = std::decay_t<decltype(a)>;
            const auto d = xsimd::select(a > b, a - b, -(a - b));
            return xsimd::max(d, V(0.f)) * d / 2 * 2.0 + 0;
        },
        [](const auto& a, const auto& b) { return xsimd::select(a == b, a - b, 2 * a - b * 2); }
    );
}
