// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Compiled by itself: a test of masks that includes one builder, and no printing.

#include <sstream>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/lengths.hpp>

TEST_CASE("Masks are compared and printed without text.hpp", "[programs]") {
    const auto m = xmask::keep_lengths({1, 2}, 3);
    REQUIRE(m == m);
    REQUIRE(m != !m);
    std::ostringstream out;
    out << m;
    REQUIRE(out.str() == "a mask of shape (2, 3); <xmask/masks/text.hpp> draws it");
}
