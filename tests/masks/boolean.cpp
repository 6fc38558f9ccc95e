// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/boolean.hpp>

#include "support/oracle.hpp"

#if __has_include(<xtensor/core/xmath.hpp>)
#include <xtensor/core/xmath.hpp>
#else
#include <xtensor/xmath.hpp>
#endif

using extents = std::vector<std::size_t>;

namespace {
std::vector<char> inverted(std::vector<char> kept) {
    std::transform(kept.begin(), kept.end(), kept.begin(), [](char k) { return char(!k); });
    return kept;
}
} // namespace

TEST_CASE("keep_where keeps where true, drop_where where false", "[boolean]") {
    const xt::xtensor<bool, 2> b = {{true, false, true}, {false, false, true}};
    oracle::require_mask(xmask::keep_where(b), {1, 0, 1, 0, 0, 1});
    oracle::require_mask(xmask::drop_where(b), {0, 1, 0, 1, 1, 0});
}

TEST_CASE("booleans of rows of any length, in any layout", "[boolean]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto b = oracle::random<bool>({3, n}, 5);
        const auto expected = oracle::elements(b);
        oracle::for_each_layout(b, [&](const auto& e, const char* layout) {
            INFO(layout);
            // The lazy one is a sum, and therefore of int.
            if constexpr (std::is_same_v<typename std::decay_t<decltype(e)>::value_type, bool>) {
                oracle::require_words(xmask::keep_where(e), expected);
            }
        });
        oracle::require_words(xmask::drop_where(b), inverted(expected));
        oracle::require_words(
            xmask::keep_where(xt::ones<bool>({std::size_t(3), n})), std::vector<char>(3 * n, 1)
        );
        oracle::require_words(
            xmask::keep_where(xt::zeros<bool>({std::size_t(3), n})), std::vector<char>(3 * n, 0)
        );
    }
}

TEST_CASE("booleans of rank 0 to 8", "[boolean]") {
    extents shape;
    for (std::size_t rank = 0; rank <= 8; ++rank) {
        const auto b = oracle::random<bool>(shape, 6);
        oracle::require_words(xmask::keep_where(b), oracle::elements(b));
        shape.push_back(rank % 3 == 1 ? 1 : 3);
    }
    oracle::require_words(xmask::keep_where(xt::xarray<bool>::from_shape({0, 5})), {});
    oracle::require_words(xmask::keep_where(xt::xarray<bool>::from_shape({2, 0, 5})), {});
}

TEST_CASE("lazy conditions are computed in their own types", "[boolean]") {
    const auto x = oracle::random<float>({3, 130}, 1);
    const auto y = oracle::random<double>({130}, 2);
    const auto k = oracle::random<int>({3, 1}, 3);
    const auto condition = x > 0.5 && y < k;
    std::vector<char> expected;
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 130; ++j) {
            expected.push_back(static_cast<double>(x(i, j)) > 0.5 && y(j) < k(i, 0));
        }
    }
    oracle::require_words(xmask::keep_where(condition), expected);
    oracle::require_words(xmask::drop_where(x > 0.5 && y < k), inverted(expected));
    oracle::require_words(xmask::keep_where(!(x > 0.5 && y < k)), inverted(expected));
}

TEST_CASE("booleans in any container are masks", "[boolean]") {
    const std::vector<char> expected = {1, 0, 0, 1, 1, 0};
    const xt::xtensor_fixed<bool, xt::xshape<2, 3>> fixed = {
        {true, false, false}, {true, true, false}
    };
    oracle::require_words(xmask::keep_where(fixed), expected);
    // A std::vector<bool> has no memory of booleans.
    const std::vector<bool> bits = {true, false, false, true, true, false};
    oracle::require_words(xmask::keep_where(xt::adapt(bits, extents{2, 3})), expected);
    const auto memory = std::make_unique<bool[]>(6);
    std::copy(bits.begin(), bits.end(), memory.get());
    oracle::require_words(
        xmask::keep_where(xt::adapt(memory.get(), std::size_t(6), xt::no_ownership(), extents{2, 3})
        ),
        expected
    );
}

TEST_CASE("a boolean tensor is held by reference, a temporary is moved in", "[boolean]") {
    xt::xtensor<bool, 1> b = {true, false};
    const auto m = xmask::keep_where(b);
    const auto n = xmask::drop_where(b);
    b(1) = true;
    oracle::require_words(m, {1, 1});
    oracle::require_words(n, {0, 0});
    const auto make = [] { return xmask::drop_where(oracle::random<bool>({2, 100}, 3)); };
    oracle::require_words(make(), inverted(oracle::elements(oracle::random<bool>({2, 100}, 3))));
}

TEST_CASE("Standard containers of bool are copied", "[boolean]") {
    std::vector<bool> bits = {true, false, true};
    const auto m = xmask::keep_where(bits);
    const auto n = xmask::drop_where(std::vector<bool>{true, false, true});
    bits[0] = false;
    REQUIRE(std::vector<bool>(m.begin(), m.end()) == std::vector<bool>{true, false, true});
    REQUIRE(std::vector<bool>(n.begin(), n.end()) == std::vector<bool>{false, true, false});
    const std::array<bool, 2> two = {false, true};
    const auto o = xmask::keep_where(std::span(two));
    REQUIRE(std::vector<bool>(o.begin(), o.end()) == std::vector<bool>{false, true});
}
