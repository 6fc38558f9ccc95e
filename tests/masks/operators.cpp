// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A header with masks also has their operators. Only lengths are included here.

#include <xmask/masks/lengths.hpp>

#include <sstream>
#include <vector>

#include <catch2/catch_all.hpp>

namespace {
template <class M>
std::vector<bool> kept(const M& m) {
    static_assert(xmask::mask_expression<M>);
    return {m.begin(), m.end()};
}

const std::vector<bool> both = {true, false, false, true, true, false};
const std::vector<bool> either = {true, true, true, true, true, true};
const std::vector<bool> one_of = {false, true, true, false, false, true};
const std::vector<bool> dropped = {false, false, true, false, false, false};
} // namespace

TEST_CASE("Operators of masks need no header of their own", "[operators]") {
    const auto first = xmask::keep_lengths({2, 3}, 3);
    auto second = !xmask::keep_lengths({2, 1}, 3) || xmask::keep_lengths({1, 1}, 3);
    const auto third = xmask::keep_lengths({1, 2}, 3) || xmask::keep_last({1, 0}, 3);
    REQUIRE(kept(second) == std::vector<bool>{true, false, true, true, true, true});
    REQUIRE(kept(first && third) == both);
    REQUIRE(kept(first & third) == both);
    REQUIRE(kept(first || third) == either);
    REQUIRE(kept(first | third) == either);
    REQUIRE(kept(first ^ third) == one_of);
    REQUIRE(kept(!first) == dropped);
    REQUIRE(kept(~first) == dropped);
    REQUIRE(kept(~first | (second & ~second)) == dropped);
    REQUIRE(kept(xmask::keep_lengths({2, 3}, 3) & third) == both);
    REQUIRE(
        kept(second ^ xmask::keep_lengths({3, 3}, 3)) ==
        std::vector<bool>{false, true, false, false, false, false}
    );
}

TEST_CASE("Masks are compared by their elements", "[operators]") {
    const auto m = xmask::keep_lengths({2, 3}, 3);
    REQUIRE((m == ~~m));
    REQUIRE((m != ~m));
}

TEST_CASE("A cast makes a mask a number in a larger expression", "[operators]") {
    const auto m = xmask::keep_lengths({2}, 3);
    const xt::xtensor<float, 2> x = {{1.f, 2.f, 3.f}};
    const xt::xtensor<float, 2> y = x + 10.f * xt::cast<float>(m);
    REQUIRE(std::vector<float>(y.begin(), y.end()) == std::vector<float>{11.f, 12.f, 3.f});
}
