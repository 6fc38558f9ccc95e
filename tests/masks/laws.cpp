// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

#include "support/kinds.hpp"
#include "support/more_kinds.hpp"
#include "support/oracle.hpp"

namespace {
const std::vector<std::size_t> columns = {1, 2, 63, 64, 65, 130, 1000};

/// Whether two masks of one shape give the same words.
template <class A, class B>
bool same(const A& a, const B& b) {
    bool alike = oracle::equal_shapes(a.shape(), b.shape());
    const std::size_t n = oracle::columns_of(a.shape());
    for (std::size_t r = 0; alike && r < oracle::rows_of(a.shape()); ++r) {
        const auto x = a.row(r);
        const auto y = b.row(r);
        for (std::size_t c = 0; c < n; c += 64) {
            alike = alike && x.word(c) == y.word(c);
        }
    }
    return alike;
}
} // namespace

TEST_CASE("masks obey the laws of logic", "[combine]") {
    for (const std::size_t n : columns) {
        CAPTURE(n);
        const auto third = oracle::random<bool>({4, n}, 40);
        const auto c = xmask::keep_where(third);
        const auto x = oracle::random<float>({4, n}, 41);
        const auto b = xmask::keep_at_most(x, 0.5);
        const auto obeys = [&](const auto& a) {
            REQUIRE(same(!!a, a));
            REQUIRE(same(!(a && b), !a || !b));
            REQUIRE(same(!(a || b), !a && !b));
            REQUIRE(same(a && (b || c), (a && b) || (a && c)));
            REQUIRE(same(a ^ b, (a || b) && !(a && b)));
            REQUIRE(same(a ^ a, xmask::keep_none({4, n})));
            REQUIRE(same(a || !a, xmask::keep_all({4, n})));
            REQUIRE(xmask::count_kept(a) + xmask::count_kept(!a) == a.size());
            REQUIRE(
                xmask::count_kept(a || b) + xmask::count_kept(a && b) ==
                xmask::count_kept(a) + xmask::count_kept(b)
            );
            REQUIRE(same(a && xmask::keep_all(n), a));
            REQUIRE(same(a || xmask::keep_none({4, n}), a));
        };
        obeys(xmask::keep_lengths({std::size_t(0), n / 2, n - 1, n}, n));
        for (const xmask::bitmask& a : kinds::stored(n, 30)) {
            obeys(a);
        }
        for (const xmask::bitmask& a : kinds::more_stored(n, 30)) {
            obeys(a);
        }
    }
}
