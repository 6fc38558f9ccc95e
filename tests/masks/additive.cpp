// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <limits>

#include <catch2/catch_test_macros.hpp>

#include <support/kinds.hpp>
#include <xmask/masks/additive.hpp>

TEST_CASE("An additive mask is 0 where it keeps and minus infinity where it drops", "[additive]") {
    for (const std::size_t n : {1u, 3u, 64u, 130u}) {
        CAPTURE(n);
        kinds::for_each(n, 5, [&](const auto& m) {
            const auto kept = oracle::elements(m);
            std::vector<float> expected;
            for (const char k : kept) {
                expected.push_back(k != 0 ? 0.f : -std::numeric_limits<float>::infinity());
            }
            const auto lazy = xmask::additive<float>(m);
            REQUIRE(oracle::elements(lazy) == expected);
            const xt::xarray<float> assigned = lazy;
            REQUIRE(oracle::same_bits(oracle::elements(assigned), expected));
            const auto scores = oracle::random<float>({4, n}, 6);
            const xt::xarray<float> biased = scores + xmask::additive<float>(m);
            bool right = true;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                right = right && biased.flat(i) == scores.flat(i) + expected[i];
            }
            REQUIRE(right);
        });
    }
    const xt::xtensor<double, 2> owned = xmask::additive<double>(xmask::keep_lengths({1}, 2));
    REQUIRE(owned == xt::xtensor<double, 2>{{0., -std::numeric_limits<double>::infinity()}});
}
