// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/sampling.hpp>

using xmask::scores;

namespace {
constexpr int patterns = 9;

/// Multiples of 2^-20, whose sums are exact in any order: random, sorted, reversed, organ pipe, all
/// equal, few values, one that dominates, and with NaN, infinities, zeros and negative numbers.
template <class T>
std::vector<T> probabilities(int pattern, std::size_t n, std::mt19937& draw) {
    std::vector<T> p(n);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t drawn = draw();
        const std::size_t size = pattern == 1   ? i
                                 : pattern == 2 ? n - i
                                 : pattern == 3 ? std::min(i, n - i)
                                 : pattern == 4 ? 40
                                 : pattern == 5 ? drawn % 3
                                 : pattern == 6 ? (i == n / 3 ? 400000 : drawn % 4)
                                                : drawn % 4000;
        p[i] = static_cast<T>(std::ldexp(static_cast<double>(size), -20));
        if (pattern >= 7 && drawn % 5 == 0) {
            const T special[] = {
                std::numeric_limits<T>::quiet_NaN(), -T(0), T(0), T(-3),
                pattern == 8 ? std::numeric_limits<T>::infinity() : T(0)
            };
            p[i] = special[drawn / 5 % 5];
        }
    }
    return p;
}

/// What is kept, from a sort: weights above 0, the heaviest first, until they reach `wanted`.
std::vector<char> heaviest(const std::vector<double>& weights, double wanted, double mass) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] > 0) {
            order.push_back(i);
        }
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
    });
    std::vector<char> kept(weights.size());
    double sum = 0;
    for (const std::size_t i : order) {
        kept[i] = 1;
        sum += weights[i];
        if (mass == 0 || (mass < 1 && sum >= wanted)) {
            break;
        }
    }
    return kept;
}
} // namespace

TEMPLATE_TEST_CASE("Top-p keeps what a sort keeps", "[sampling]", float, double, long double) {
    using T = TestType;
    std::mt19937 draw(5);
    for (int pattern = 0; pattern < patterns; ++pattern) {
        for (const std::size_t n : {1u, 5u, 64u, 65u, 300u, 3000u}) {
            const auto p = probabilities<T>(pattern, n, draw);
            const std::vector<double> weights(p.begin(), p.end());
            const auto row = xt::xtensor<T, 1>(xt::adapt(p, {n}));
            double all = 0;
            for (const double weight : weights) {
                all += weight > 0 && std::isfinite(weight) ? weight : 0;
            }
            for (const double share : {0., 0.01, 0.3, 0.5, 0.95}) {
                // Reached exactly, too.
                const double mass =
                    std::min(0.999, std::ldexp(std::floor(std::ldexp(all * share, 20)), -20));
                CAPTURE(pattern, n, mass);
                oracle::require_words(xmask::keep_top_p(row, mass), heaviest(weights, mass, mass));
            }
            CAPTURE(pattern, n);
            oracle::require_words(xmask::keep_top_p(row, 1), heaviest(weights, 1, 1));
        }
    }
}

TEST_CASE("Top-p of logits keeps what their softmax does", "[sampling]") {
    std::mt19937 draw(6);
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float spread : {0.01f, 1.f, 30.f}) {
        for (const std::size_t n : {7u, 100u, 2500u}) {
            std::normal_distribution<float> normal(3, spread);
            xt::xtensor<float, 2> x = xt::zeros<float>({std::size_t(3), n});
            for (float& one : x) {
                one = draw() % 9 == 0 ? -infinity : normal(draw);
                one = draw() % 20 == 0 ? std::numeric_limits<float>::quiet_NaN() : one;
            }
            for (const double mass : {0., 0.2, 0.9, 1.}) {
                std::vector<char> expected;
                for (std::size_t r = 0; r < 3; ++r) {
                    double largest = -std::numeric_limits<double>::infinity();
                    for (std::size_t c = 0; c < n; ++c) {
                        largest = x(r, c) > largest ? static_cast<double>(x(r, c)) : largest;
                    }
                    std::vector<double> weights(n);
                    double all = 0;
                    for (std::size_t c = 0; c < n; ++c) {
                        const double weight = std::exp(static_cast<double>(x(r, c)) - largest);
                        weights[c] = weight > 0 ? weight : 0;
                        all += weights[c];
                    }
                    const auto kept = heaviest(weights, mass * all, mass);
                    expected.insert(expected.end(), kept.begin(), kept.end());
                }
                CAPTURE(spread, n, mass);
                oracle::require_words(xmask::keep_top_p<scores::logits>(x, mass), expected);
                oracle::require_words(xmask::keep_top_p<scores::logits>(x * 1.f, mass), expected);
            }
        }
    }
    // An infinite logit has all of the probability; without any there is nothing to keep.
    const xt::xtensor<float, 2> x = {
        {1.f, infinity, 5.f, infinity}, {-infinity, -infinity, -infinity, -infinity}
    };
    oracle::require_words(xmask::keep_top_p<scores::logits>(x, 0.7), {0, 1, 0, 1, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_top_p<scores::logits>(x, 0.5), {0, 1, 0, 0, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_min_p<scores::logits>(x, 0.5), {0, 1, 0, 1, 0, 0, 0, 0});
}

TEST_CASE("Min-p keeps a share of the largest", "[sampling]") {
    std::mt19937 draw(7);
    for (int pattern = 0; pattern < patterns; ++pattern) {
        for (const std::size_t n : {1u, 64u, 300u}) {
            const auto p = probabilities<float>(pattern, n, draw);
            const auto row = xt::xtensor<float, 1>(xt::adapt(p, {n}));
            double largest = 0;
            for (const float one : p) {
                largest = one > largest ? static_cast<double>(one) : largest;
            }
            for (const double share : {0., 0.1, 1. / 3, 1.}) {
                CAPTURE(pattern, n, share);
                std::vector<char> expected;
                for (const float one : p) {
                    const double limit = share == 0 ? 0 : share * largest;
                    expected.push_back(largest > 0 && static_cast<double>(one) >= limit);
                }
                oracle::require_words(xmask::keep_min_p(row, share), expected);
            }
        }
    }
    const xt::xtensor<double, 1> logits = {0., std::log(0.5), std::log(0.25), -1e9};
    oracle::require_words(xmask::keep_min_p<scores::logits>(logits, 0.5), {1, 1, 0, 0});
    oracle::require_words(xmask::keep_min_p<scores::logits>(logits, 0.), {1, 1, 1, 1});
}

TEST_CASE("Rows of other layouts, and empty ones, are sampled, too", "[sampling]") {
    const auto x = oracle::random<float>({3, 130}, 5);
    const xt::xarray<bool> top = xmask::keep_top_p<scores::logits>(x, 0.6);
    const xt::xarray<bool> most = xmask::keep_min_p<scores::logits>(x, 0.6);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        oracle::require_words(
            xmask::keep_top_p<scores::logits>(operand, 0.6), oracle::elements(top)
        );
        oracle::require_words(
            xmask::keep_min_p<scores::logits>(operand, 0.6), oracle::elements(most)
        );
    });
    const auto empty = xt::xtensor<float, 2>::from_shape({3, 0});
    REQUIRE(xmask::count_kept(xmask::keep_top_p(empty, 0.5)) == 0);
    REQUIRE(xmask::count_kept(xmask::keep_min_p(empty, 0.5)) == 0);
    REQUIRE_THROWS_WITH(
        xmask::keep_top_p(x, 1.5), "xmask::keep_top_p: mass is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_AS(xmask::keep_min_p(x, std::nan("")), std::invalid_argument);
}
