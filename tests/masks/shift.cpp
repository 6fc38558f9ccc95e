// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <support/kinds.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>

TEST_CASE("A mask is shifted along its columns", "[shift]") {
    for (const std::size_t n : {1u, 3u, 63u, 64u, 65u, 200u}) {
        const auto width = static_cast<std::ptrdiff_t>(n);
        for (const std::ptrdiff_t by :
             {std::ptrdiff_t(0), std::ptrdiff_t(1), std::ptrdiff_t(-1), std::ptrdiff_t(70),
              std::ptrdiff_t(-70), width, -width, std::numeric_limits<std::ptrdiff_t>::max(),
              std::numeric_limits<std::ptrdiff_t>::min()}) {
            CAPTURE(n, by);
            const auto check = [&](const auto& m) {
                const auto all = oracle::elements(m);
                std::vector<char> expected(all.size());
                for (std::size_t i = 0; i < all.size(); ++i) {
                    const auto c = static_cast<std::ptrdiff_t>(i % n);
                    if (by > -width && by < width && c - by >= 0 && c - by < width) {
                        expected[i] = all[i - i % n + static_cast<std::size_t>(c - by)];
                    }
                }
                oracle::require_words(xmask::shift(m, by), expected);
            };
            kinds::for_each(n, 4, check);
            check(xmask::keep_all({2, n}));
        }
    }
    oracle::require_mask(xmask::shift(xmask::keep_lengths({3, 1}, 4), 1), {0, 1, 1, 1, 0, 1, 0, 0});
    REQUIRE(xmask::shift(xmask::keep_all({2, 0}), 1).size() == 0);
    REQUIRE(
        xmask::count_kept(xmask::shift(xmask::keep_all({3, 1000000000}), -7)) == 3 * 999999993ull
    );
}
