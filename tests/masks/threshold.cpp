// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/masks/threshold.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

namespace {
template <class E, class F>
std::vector<char> expect(const E& x, F&& order) {
    std::vector<char> expected;
    for (const auto value : oracle::elements(x)) {
        expected.push_back(order(value));
    }
    return expected;
}
} // namespace

TEST_CASE("thresholds agree with PyTorch", "[threshold][reference]") {
    const auto above = oracle::reference<float>("keep_above", "x");
    oracle::require_mask(
        xmask::keep_above(above, 0.5),
        oracle::elements(oracle::reference<bool>("keep_above", "mask"))
    );
    const auto between = oracle::reference<float>("keep_between", "x");
    oracle::require_mask(
        xmask::keep_between(between, -0.25, 0.75),
        oracle::elements(oracle::reference<bool>("keep_between", "mask"))
    );
}

TEST_CASE("the examples of the thresholds' comments", "[threshold]") {
    const xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
    oracle::require_words(xmask::keep_above(x, 0.5), {0, 1, 0});
    oracle::require_words(
        xmask::keep_not_equal(xt::xtensor<float, 1>{0.f, 2.f, -0.f}, 0.f), {0, 1, 0}
    );
    oracle::require_words(
        xmask::keep_between(xt::xtensor<float, 1>{-0.25f, 0.75f, 0.8f}, -0.25, 0.75), {1, 1, 0}
    );
    oracle::require_words(xmask::keep_above(xt::xtensor<int, 1>{16777217}, 16777216.f), {1});
    oracle::require_words(xmask::keep_above(xt::xtensor<int, 1>{-1}, 0u), {0});
    // 0.1f is above 0.1.
    oracle::require_words(xmask::keep_equal(xt::xtensor<float, 1>{0.1f}, 0.1), {0});
    oracle::require_words(xmask::keep_above(xt::xtensor<float, 1>{0.1f}, 0.1), {1});
    oracle::require_words(xmask::keep_equal(xt::xtensor<float, 1>{0.1f}, 0.1f), {1});
}

TEST_CASE("thresholds of rows of any length, in any layout", "[threshold]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({3, n}, 11);
        const auto expected = expect(x, [](float v) { return v > 0.25f; });
        CAPTURE(n);
        oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
            INFO(layout);
            oracle::require_words(xmask::keep_above(e, 0.25), expected);
        });
    }
}

TEST_CASE("thresholds of tensors of rank 0 to 8", "[threshold]") {
    extents shape;
    for (std::size_t rank = 0; rank <= 8; ++rank) {
        const auto x = oracle::random<std::int16_t>(shape, 12);
        oracle::require_words(xmask::keep_at_most(x, 1.5), expect(x, [](int v) { return v <= 1; }));
        shape.push_back(rank % 3 == 1 ? 1 : 3);
    }
    oracle::require_words(xmask::keep_at_most(xt::xarray<int>::from_shape({0, 5}), 1), {});
    oracle::require_words(xmask::keep_at_most(xt::xarray<int>::from_shape({5, 0}), 1), {});
}

TEST_CASE("a NaN is above nothing, below nothing and equal to nothing", "[threshold]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 1> x = {nan, -inf, -0.f, 0.f, inf};
    oracle::require_words(xmask::keep_above(x, 0), {0, 0, 0, 0, 1});
    oracle::require_words(xmask::keep_at_least(x, 0), {0, 0, 1, 1, 1});
    oracle::require_words(xmask::keep_below(x, 0), {0, 1, 0, 0, 0});
    oracle::require_words(xmask::keep_at_most(x, 0), {0, 1, 1, 1, 0});
    oracle::require_words(xmask::keep_equal(x, 0), {0, 0, 1, 1, 0});
    oracle::require_words(xmask::keep_not_equal(x, 0), {1, 1, 0, 0, 1});
    oracle::require_words(xmask::keep_not_equal(x, nan), {1, 1, 1, 1, 1});
    oracle::require_words(xmask::keep_at_most(x, nan), {0, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_between(x, -inf, inf), {0, 1, 1, 1, 1});
    oracle::require_words(xmask::keep_between(x, nan, inf), {0, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_between(x, 1, -1), {0, 0, 0, 0, 0});
}

TEST_CASE("types without registers compare too", "[threshold]") {
    const xt::xtensor<long double, 1> x = {1.L, 2.L, 3.L};
    oracle::require_words(xmask::keep_above(x, 1.5), {0, 1, 1});
    oracle::require_words(xmask::keep_between(x, 2, 2), {0, 1, 0});
    const xt::xtensor<char, 1> text = {'a', 'b', 'c'};
    oracle::require_words(xmask::keep_at_least(text, 'b'), {0, 1, 1});
}

TEST_CASE("a threshold that is a tensor broadcasts", "[threshold]") {
    const auto x = oracle::random<float>({4, 70}, 1);
    const auto compare = [&](const auto& t) {
        const xt::xarray<double> wide = xt::broadcast(xt::cast<double>(t), x.shape());
        std::vector<char> expected;
        for (std::size_t i = 0; i < x.size(); ++i) {
            expected.push_back(static_cast<double>(x.flat(i)) > wide.flat(i));
        }
        oracle::require_words(xmask::keep_above(x, t), expected);
    };
    compare(oracle::random<float>({4, 70}, 2));
    compare(oracle::random<float>({70}, 3));
    compare(oracle::random<double>({4, 1}, 4));
    compare(oracle::random<int>({1}, 5));
    compare(oracle::random<std::uint8_t>({}, 6));
    REQUIRE_THROWS_MATCHES(
        xmask::keep_above(x, oracle::random<float>({4}, 1)), std::invalid_argument,
        Catch::Matchers::Message(
            "xmask::keep_above: a threshold of shape (4,) does not broadcast into the operand of shape (4, 70); align "
            "the last axes, and give each axis the operand's extent or 1"
        )
    );
    // A threshold never enlarges the mask.
    REQUIRE_THROWS_AS(
        xmask::keep_at_most(x, oracle::random<float>({1, 4, 70}, 1)), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::keep_equal(oracle::random<float>({1, 70}, 1), oracle::random<float>({4, 70}, 1)),
        std::invalid_argument
    );
}

TEST_CASE("tensors of two types compare exactly, by every order", "[threshold]") {
    const xt::xtensor<std::int64_t, 1> x = {
        16777217, -1, 0, std::numeric_limits<std::int64_t>::max(), 5
    };
    const xt::xtensor<double, 1> t = {16777216.5, std::nan(""), -0., 9223372036854775808., 5.};
    oracle::require_words(xmask::keep_above(x, t), {1, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_at_least(x, t), {1, 0, 1, 0, 1});
    oracle::require_words(xmask::keep_below(x, t), {0, 0, 0, 1, 0});
    oracle::require_words(xmask::keep_at_most(x, t), {0, 0, 1, 1, 1});
    oracle::require_words(xmask::keep_equal(x, t), {0, 0, 1, 0, 1});
    oracle::require_words(xmask::keep_not_equal(x, t), {1, 1, 0, 1, 0});
    const xt::xtensor<std::uint32_t, 1> u = {0, 4294967295};
    const xt::xtensor<std::int32_t, 1> s = {-1, -1};
    oracle::require_words(xmask::keep_above(u, s), {1, 1});
    oracle::require_words(xmask::keep_equal(u, s), {0, 0});
}

TEST_CASE(
    "a tensor is looked at when the mask is asked, and a temporary lives in the mask", "[threshold]"
) {
    xt::xtensor<float, 1> x = {1.f, 2.f};
    const auto m = xmask::keep_above(x, 1);
    oracle::require_words(m, {0, 1});
    x(0) = 3.f;
    oracle::require_words(m, {1, 1});

    const auto make = [] {
        const auto owned =
            xmask::keep_above(oracle::random<float>({2, 100}, 3), xt::xtensor<float, 1>{0.f});
        return owned;
    };
    oracle::require_words(make(), expect(oracle::random<float>({2, 100}, 3), [](float v) {
                              return v > 0.f;
                          }));
    oracle::require_words(xmask::keep_below(x + 1.f, 4), {0, 1});
}

TEST_CASE("Thresholds compare standard containers, of which they keep a copy", "[threshold]") {
    const auto kept = [](const auto& m) { return std::vector<bool>(m.begin(), m.end()); };
    std::vector<float> x = {-3.f, 0.f, 2.f};
    const auto above = xmask::keep_above(x, 0);
    const auto not_equal = xmask::keep_not_equal(std::span<const float>(x), 0);
    x[0] = 5.f;
    REQUIRE(kept(above) == std::vector<bool>{false, false, true});
    REQUIRE(kept(not_equal) == std::vector<bool>{true, false, true});
    REQUIRE(kept(xmask::keep_between(x, 1, 3)) == std::vector<bool>{false, false, true});
    REQUIRE(kept(xmask::keep_outside(x, 1, 3)) == std::vector<bool>{true, true, false});
    REQUIRE(kept(xmask::keep_close_to(x, 2, 1)) == std::vector<bool>{false, false, true});
    REQUIRE(kept(xmask::keep_magnitude_above(x, 3)) == std::vector<bool>{true, false, false});
    REQUIRE(kept(xmask::keep_finite(x)) == std::vector<bool>{true, true, true});
    REQUIRE(kept(xmask::keep_not_nan(x)) == std::vector<bool>{true, true, true});
    const std::vector<int> limits = {5, -1, 0};
    REQUIRE(kept(xmask::keep_above(x, limits)) == std::vector<bool>{false, true, true});
    REQUIRE(kept(xmask::keep_magnitude_above(x, limits)) == std::vector<bool>{false, true, true});
    const xt::xtensor<float, 2> tensor = {{1.f, 0.f, 0.f}};
    REQUIRE(kept(xmask::keep_at_most(tensor, limits)) == std::vector<bool>{true, false, true});
}
