// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/groups.hpp>
#include <support/lines.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/pool.hpp>

namespace {
using groups::shape_t;

/// The features of token `at(b)` of each row of tokens, by a loop.
template <class T, class F>
std::vector<T> tokens_at(const xt::xarray<T>& x, F&& at) {
    std::vector<T> all;
    const std::size_t features = x.shape().back();
    const std::size_t tokens = x.shape()[x.dimension() - 2];
    for (std::size_t b = 0; b < x.size() / (tokens * features); ++b) {
        const std::ptrdiff_t token = at(b);
        for (std::size_t k = 0; k < features; ++k) {
            all.push_back(
                token < 0 ? T(0)
                          : x.flat((b * tokens + static_cast<std::size_t>(token)) * features + k)
            );
        }
    }
    return all;
}
} // namespace

TEST_CASE("The first and the last token that is kept", "[pool]") {
    using xmask::when_empty;
    for (const std::size_t tokens : {1u, 5u, 64u, 130u}) {
        for (const std::size_t features : {0u, 1u, 67u}) {
            const shape_t shape = {2, 3, tokens, features};
            const auto x = oracle::random<float>(shape, 1);
            auto kept = oracle::random<bool>({2, 3, tokens}, 2);
            for (std::size_t t = 0; t < tokens; ++t) {
                kept(0, 1, t) = false;
            }
            const auto bits = oracle::elements(kept);
            const auto first = [&](std::size_t b) {
                const auto* row = bits.data() + b * tokens;
                const auto at = std::find(row, row + tokens, 1) - row;
                return at == static_cast<std::ptrdiff_t>(tokens) ? -1 : at;
            };
            const auto last = [&](std::size_t b) {
                std::ptrdiff_t at = static_cast<std::ptrdiff_t>(tokens) - 1;
                while (at >= 0 && bits[b * tokens + static_cast<std::size_t>(at)] == 0) {
                    --at;
                }
                return at;
            };
            const auto m = xmask::keep_where(kept);
            CAPTURE(tokens, features);
            if (features == 0) {
                REQUIRE(xmask::masked_first_token(x, m).size() == 0);
                continue;
            }
            oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
                CAPTURE(layout);
                const auto y = xmask::masked_first_token(operand, m, when_empty::zero);
                REQUIRE(shape_t(y.shape().begin(), y.shape().end()) == shape_t{2, 3, features});
                REQUIRE(oracle::elements(y) == tokens_at(x, first));
                const auto z = xmask::masked_last_token(
                    operand, m, {.empty = when_empty::zero, .keep_axes = true}
                );
                REQUIRE(shape_t(z.shape().begin(), z.shape().end()) == shape_t{2, 3, 1, features});
                REQUIRE(oracle::elements(z) == tokens_at(x, last));
            });
            REQUIRE(std::isnan(xmask::masked_last_token(x, m)(0, 1, 0)));
            REQUIRE_THROWS_AS(
                xmask::masked_first_token(x, m, when_empty::raise), std::domain_error
            );
        }
    }
}

TEST_CASE("Mean and max pooling are reductions over the tokens", "[pool]") {
    const auto x = oracle::random<float>({4, 9, 67}, 1);
    const auto m = xmask::keep_lengths({9, 0, 3, 1}, 9);
    const auto kept = groups::broadcast(xt::xarray<bool>(xmask::unsqueeze(m, 2)), {4, 9, 67});
    const auto wanted = groups::collect(x, kept, {1});
    groups::require_groups(
        xmask::masked_mean_pool(groups::hide(x, kept), m), wanted,
        [](const groups::group& g) {
            double sum = 0;
            for (const double v : g.values) {
                sum += v;
            }
            return sum / static_cast<double>(g.values.size());
        },
        1e-6
    );
    groups::require_groups(
        xmask::masked_max_pool(groups::hide(x, kept), m, xmask::when_empty::zero), wanted,
        [](const groups::group& g) {
            return g.values.empty() ? 0. : *std::max_element(g.values.begin(), g.values.end());
        },
        0.
    );
    // One mask for all rows of tokens.
    const auto one = xmask::masked_mean_pool(x, xmask::bitmask(xmask::keep_indices({0}, 9)));
    REQUIRE(
        oracle::elements(one) ==
        oracle::elements(xt::xarray<float>(xt::view(x, xt::all(), 0, xt::all())))
    );
}

TEST_CASE("Mean pooling of large 64-bit integers does not wrap", "[pool]") {
    const xt::xarray<std::int64_t> x =
        xt::ones<std::int64_t>({2, 6, 3}) * std::int64_t(1700000000000000000);
    const auto pooled = xmask::masked_mean_pool(x, xmask::keep_lengths({6, 5}, 6));
    REQUIRE(oracle::elements(pooled) == std::vector<double>(6, 1.7e18));
}

TEST_CASE("Pooling reads the kept tokens only", "[pool]") {
    const xt::xarray<int> divisor = {{{1, 2}, {0, 0}}, {{4, 5}, {2, 1}}};
    const auto m = xmask::keep_lengths({1, 2}, 2);
    REQUIRE(
        oracle::elements(xmask::masked_last_token(20 / divisor, m)) ==
        std::vector<int>{20, 10, 10, 20}
    );
    REQUIRE(
        oracle::elements(xmask::masked_max_pool(20 / divisor, m)) ==
        std::vector<int>{20, 10, 10, 20}
    );
}

TEST_CASE("Mean pooling agrees with PyTorch", "[pool]") {
    const auto x = oracle::reference<float>("mean_pool", "x");
    const auto lengths = oracle::reference<std::int64_t>("mean_pool", "lengths");
    const auto m = xmask::keep_lengths(lengths, x.shape(1));
    const auto y = oracle::reference<double>("mean_pool", "y");
    REQUIRE(oracle::close(xmask::masked_mean_pool(x, m), y, 1e-5));
    REQUIRE(oracle::close(xmask::masked_mean_pool(xt::xarray<double>(x), m), y, 1e-12));
}

TEST_CASE("Pooling refuses what does not fit", "[pool]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3, 4});
    REQUIRE_THROWS_WITH(
        xmask::masked_mean_pool(x, xmask::bitmask(xmask::keep_all({2, 4}))),
        ContainsSubstring(
            "xmask::masked_mean_pool: a mask of shape (2, 4) does not broadcast into the tokens of shape (2, 3)"
        )
    );
    REQUIRE_THROWS_AS(
        xmask::masked_last_token(x, xmask::bitmask(xmask::keep_all({2, 3, 4}))),
        std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_first_token(
            xt::xarray<float>(xt::ones<float>({3})), xmask::bitmask(xmask::keep_all(3))
        ),
        ContainsSubstring("expected (..., tokens, features)")
    );
}

TEST_CASE("Gradients of pooling are differences", "[pool]") {
    const auto x = oracle::random<double>({2, 2, 5, 3}, 1);
    const auto u = oracle::random<double>({2, 2, 3}, 2);
    auto chosen = oracle::random<bool>({2, 2, 5}, 3);
    for (std::size_t t = 0; t < 5; ++t) {
        chosen(1, 0, t) = false;
    }
    const xmask::bitmask m = xmask::keep_where(chosen);
    const auto hidden =
        groups::hide(x, groups::broadcast(xt::xarray<bool>(xmask::unsqueeze(m, -1)), {2, 2, 5, 3}));
    const auto zero = xmask::when_empty::zero;
    const auto check = [&](const auto& pool, const auto& gradient) {
        REQUIRE(oracle::close(gradient(hidden, m, u), lines::numeric_gradient(x, u, pool), 1e-8));
        auto full = u;
        full.reshape({2, 2, 1, 3});
        REQUIRE(oracle::elements(gradient(x, m, full)) == oracle::elements(gradient(hidden, m, u)));
    };
    check(
        [&](const auto& at) { return xmask::masked_mean_pool(at, m, zero); },
        [](const auto&... a) { return xmask::masked_mean_pool_gradient(a...); }
    );
    check(
        [&](const auto& at) { return xmask::masked_max_pool(at, m, zero); },
        [](const auto&... a) { return xmask::masked_max_pool_gradient(a...); }
    );
    check(
        [&](const auto& at) { return xmask::masked_first_token(at, m, zero); },
        [](const auto&... a) { return xmask::masked_first_token_gradient(a...); }
    );
    check(
        [&](const auto& at) { return xmask::masked_last_token(at, m, zero); },
        [](const auto&... a) { return xmask::masked_last_token_gradient(a...); }
    );
}

TEST_CASE("Pooling and its gradients name themselves when they refuse", "[pool]") {
    using Catch::Matchers::StartsWith;
    const auto x = oracle::random<double>({2, 3, 4}, 1);
    const xt::xarray<double> u = xt::ones<double>({2, 3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    const xmask::bitmask none = xmask::keep_none({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_mean_pool(x, none, xmask::when_empty::raise),
        StartsWith("xmask::masked_mean_pool: nothing is kept")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_max_pool(x, none, xmask::when_empty::raise),
        StartsWith("xmask::masked_max_pool: nothing is kept")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_first_token(x, none, xmask::when_empty::raise),
        StartsWith("xmask::masked_first_token: nothing is kept")
    );
    const std::string wrong =
        ": the upstream gradient has shape (2, 3); expected (2, 4) or (2, 1, 4)";
    REQUIRE_THROWS_WITH(
        xmask::masked_mean_pool_gradient(x, m, u), "xmask::masked_mean_pool_gradient" + wrong
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_max_pool_gradient(x, m, u), "xmask::masked_max_pool_gradient" + wrong
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_last_token_gradient(x, m, u), "xmask::masked_last_token_gradient" + wrong
    );
    REQUIRE_THROWS_AS(
        xmask::masked_first_token_gradient(x, xmask::bitmask(xmask::keep_all(2)), u),
        std::invalid_argument
    );
}

TEST_CASE("Pools of a tensor whose rank is in its type have theirs in their type", "[pool]") {
    const xt::xtensor<float, 3> x = {{{1, 2}, {3, 5}}, {{5, 6}, {7, 8}}};
    const auto m = xmask::keep_lengths({2, 1}, 2);
    const xt::xtensor<float, 2> largest = {{3, 5}, {5, 6}};
    const auto pooled = xmask::masked_max_pool(x, m);
    STATIC_REQUIRE(std::is_same_v<decltype(pooled), const xt::xtensor<float, 2>>);
    REQUIRE(pooled == largest);
    const auto last = xmask::masked_last_token(x, m, xmask::when_empty::zero);
    STATIC_REQUIRE(std::is_same_v<decltype(last), const xt::xtensor<float, 2>>);
    REQUIRE(last == largest);
    const auto kept = xmask::masked_mean_pool(x, m, {.keep_axes = true});
    STATIC_REQUIRE(std::is_same_v<decltype(kept), const xt::xarray<float>>);
    REQUIRE(kept == xt::xtensor<float, 3>{{{2, 3.5f}}, {{5, 6}}});
    const auto slopes = xmask::masked_mean_pool_gradient(x, m, largest);
    STATIC_REQUIRE(std::is_same_v<decltype(slopes), const xt::xtensor<float, 3>>);
    REQUIRE(slopes == xt::xtensor<float, 3>{{{1.5f, 2.5f}, {1.5f, 2.5f}}, {{5, 6}, {0, 0}}});
    const auto of_last = xmask::masked_last_token_gradient(x, m, largest);
    STATIC_REQUIRE(std::is_same_v<decltype(of_last), const xt::xtensor<float, 3>>);
    REQUIRE(of_last == xt::xtensor<float, 3>{{{0, 0}, {3, 5}}, {{5, 6}, {0, 0}}});
}
