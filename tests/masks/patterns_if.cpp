// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/oracle.hpp"

namespace {
bool is_even(std::size_t i) { return i % 2 == 0; }

/// The expected elements: f of one container of indices.
template <class F>
std::vector<char> kept(const std::vector<std::size_t>& shape, F&& f) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) {
        size *= extent;
    }
    std::vector<char> all;
    std::vector<std::size_t> index(shape.size());
    for (std::size_t n = 0; n < size; ++n) {
        std::size_t rest = n;
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        all.push_back(static_cast<char>(f(index)));
    }
    return all;
}
} // namespace

TEST_CASE("the example of keep_if's comment", "[patterns]") {
    const auto m =
        xmask::keep_if({2, 3}, [](std::size_t i, std::size_t j) { return (i + j) % 2 == 0; });
    oracle::require_mask(m, {1, 0, 1, 0, 1, 0});
}

TEST_CASE("functions of one to four indices, and of none", "[patterns]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 3, 63, 64, 65, 130}) {
        CAPTURE(n);
        oracle::require_words(xmask::keep_if(n, is_even), kept({n}, [](const auto& at) {
                                  return at[0] % 2 == 0;
                              }));
        oracle::require_words(
            xmask::keep_if({3, n}, [](std::size_t i, std::size_t j) { return j % (i + 1) == 0; }),
            kept({3, n}, [](const auto& at) { return at[1] % (at[0] + 1) == 0; })
        );
        oracle::require_words(
            xmask::keep_if(
                std::array<std::size_t, 4>{2, 1, 3, n},
                [](auto a, auto b, auto c, auto d) { return (a + 2 * b + c + d) % 5 < 2; }
            ),
            kept(
                {2, 1, 3, n},
                [](const auto& at) { return (at[0] + 2 * at[1] + at[2] + at[3]) % 5 < 2; }
            )
        );
    }
    oracle::require_words(xmask::keep_if({5}, is_even), {1, 0, 1, 0, 1});
    oracle::require_words(xmask::keep_if(5, &is_even), {1, 0, 1, 0, 1});
    oracle::require_words(xmask::keep_if(std::array<std::size_t, 0>{}, [] { return true; }), {1});
}

TEST_CASE("where the rank is known at run time, the function takes one container", "[patterns]") {
    const auto spread = [](const auto& index) {
        std::size_t sum = 1;
        for (const std::size_t i : index) {
            sum = 3 * sum + i;
        }
        return sum % 4 == 1;
    };
    std::vector<std::size_t> shape;
    for (std::size_t rank = 0; rank <= 7; ++rank) {
        CAPTURE(rank);
        oracle::require_words(xmask::keep_if(shape, spread), kept(shape, spread));
        shape.push_back(rank % 3 == 1 ? 1 : 3);
    }
    const xt::xarray<float> x = xt::zeros<float>({2, 70});
    const auto m = xmask::keep_if(x.shape(), spread);
    oracle::require_mask(m, kept({2, 70}, spread));
    oracle::require_words(xmask::keep_if(std::vector<std::size_t>{2, 0}, spread), {});
}

TEST_CASE("a function is held by value, and may hold something itself", "[patterns]") {
    const auto make = [] {
        const std::vector<std::size_t> first = {2, 0, 1};
        const auto from = [first](std::size_t i, std::size_t j) { return j >= first[i]; };
        return xmask::keep_if({3, 3}, from) &&
               !xmask::keep_if({3, 3}, std::equal_to<std::size_t>());
    };
    oracle::require_words(make(), {0, 0, 1, 1, 0, 1, 0, 1, 0});
}

TEST_CASE("functions of the indices fill and are counted", "[patterns]") {
    const auto x = oracle::random<float>({2, 3, 70});
    const xt::xtensor<float, 3> fixed = x;
    const auto diagonal = [](std::size_t, std::size_t i, std::size_t j) { return i <= j; };
    const auto m = xmask::keep_if(fixed.shape(), diagonal);
    REQUIRE(xmask::count_kept(m) == 2 * (70 + 69 + 68));
    const xt::xarray<float> filled = xmask::masked_fill(x, m, 0.f);
    bool same = true;
    for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t j = 0; j < 70; ++j) {
                same = same && oracle::same_bits(filled(b, i, j), i <= j ? x(b, i, j) : 0.f);
            }
        }
    }
    REQUIRE(same);
}
