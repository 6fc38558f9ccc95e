// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"

namespace {
const std::vector<std::size_t> columns = {1, 2, 63, 64, 65, 130, 1000};

template <class A, class B, class F>
std::vector<char> combined(const A& a, const B& b, F&& f) {
    const auto x = oracle::elements(a);
    const auto y = oracle::elements(b);
    std::vector<char> all(x.size());
    std::transform(x.begin(), x.end(), y.begin(), all.begin(), [&](char p, char q) {
        return char(f(p != 0, q != 0));
    });
    return all;
}

bool both(bool a, bool b) { return a && b; }

bool either(bool a, bool b) { return a || b; }

bool one_of(bool a, bool b) { return a != b; }
} // namespace

TEST_CASE("the example of the combination's comment", "[combine]") {
    const xt::xtensor<int, 2> tokens = {{5, 0, 7, 0}, {0, 2, 3, 4}};
    const xt::xtensor<int, 1> lengths = {3, 2};
    const auto m = xmask::keep_lengths(lengths, 4) && xmask::drop_tokens(tokens, {0});
    oracle::require_mask(m, {1, 0, 1, 0, 0, 1, 0, 0});
    REQUIRE(xmask::count_kept(m) == 3);
}

TEST_CASE("masks of every two kinds combine element by element", "[combine]") {
    for (const std::size_t n : columns) {
        CAPTURE(n);
        const auto others = kinds::stored(n, 20);
        kinds::for_each(n, 1, [&](const auto& a) {
            for (const xmask::bitmask& b : others) {
                oracle::require_words(a && b, combined(a, b, both));
                oracle::require_words(a || b, combined(a, b, either));
                oracle::require_words(b ^ a, combined(a, b, one_of));
            }
            oracle::require_words(!a, combined(a, a, [](bool p, bool) { return !p; }));
        });
    }
}

TEST_CASE("ranges combine as their bits do", "[combine]") {
    // Lengths know their stretches. These are all relations of two ranges.
    for (const std::size_t n : std::initializer_list<std::size_t>{5, 64, 130}) {
        const std::vector<std::size_t> some = {0, 1, n / 2, n - 1, n};
        std::vector<std::size_t> firsts;
        std::vector<std::size_t> lasts;
        for (const std::size_t first : some) {
            for (const std::size_t last : some) {
                firsts.push_back(first);
                lasts.push_back(last);
            }
        }
        const auto a = xmask::keep_lengths(firsts, n);
        const auto b = xmask::keep_last(lasts, n);
        oracle::require_mask(a && b, combined(a, b, both));
        oracle::require_words(a || b, combined(a, b, either));
        oracle::require_words(a ^ b, combined(a, b, one_of));
        oracle::require_words(!(a || b) && a, std::vector<char>(25 * n, 0));
        oracle::require_words((a && b) || !(a || b), combined(a, b, [](bool p, bool q) {
                                  return p == q;
                              }));
    }
}

TEST_CASE("a combination of combinations is a mask like any other", "[combine]") {
    const std::size_t n = 131;
    const auto x = oracle::random<float>({4, n}, 1);
    const auto m = !(xmask::keep_above(x, 0) && xmask::keep_lengths({0, 64, 100, 131}, n)) ^
                   (xmask::drop_indices({0, 64, 130}, {4, n}) || xmask::keep_below(x, -1));
    std::vector<char> expected;
    const std::size_t lengths[] = {0, 64, 100, 131};
    for (std::size_t r = 0; r < 4; ++r) {
        for (std::size_t c = 0; c < n; ++c) {
            const bool left = !(x(r, c) > 0.f && c < lengths[r]);
            const bool right = !(c == 0 || c == 64 || c == 130) || x(r, c) < -1.f;
            expected.push_back(left != right);
        }
    }
    oracle::require_mask(m, expected);
    oracle::require_words(xmask::bitmask(m), expected);
}

TEST_CASE(
    "masks are held by reference where they are lvalues, and moved in where not", "[combine]"
) {
    const auto make = [] {
        return !(xmask::keep_lengths({1, 2}, 3) && xmask::drop_indices({0}, 3));
    };
    oracle::require_words(make(), {1, 1, 1, 1, 0, 1});
    xmask::bitmask a = xmask::keep_all(2);
    const auto m = !a;
    a = xmask::keep_none(2);
    oracle::require_words(m, {1, 1});
}

TEST_CASE("keep_all and keep_none take a number, a list or a shape", "[combine]") {
    const xt::xtensor<float, 2> x = xt::zeros<float>({2, 3});
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> fixed = {};
    oracle::require_mask(xmask::keep_all(x.shape()), std::vector<char>(6, 1));
    oracle::require_mask(xmask::keep_none(x.shape()), std::vector<char>(6, 0));
    oracle::require_words(xmask::keep_all(fixed.shape()), std::vector<char>(6, 1));
    oracle::require_words(xmask::keep_all({2, 3}), std::vector<char>(6, 1));
    oracle::require_words(xmask::keep_none({2, 3}), std::vector<char>(6, 0));
    oracle::require_words(xmask::keep_all(std::vector<int>{2, 3}), std::vector<char>(6, 1));
    oracle::require_words(xmask::keep_all({}), {1});
    for (const std::size_t n : oracle::columns) {
        oracle::require_words(xmask::keep_all(n), std::vector<char>(n, 1));
        oracle::require_words(xmask::keep_none(n), std::vector<char>(n, 0));
    }
    oracle::require_words(xmask::keep_all({2, 0}), {});
    oracle::require_words(xmask::keep_none({0, 2}), {});
}
