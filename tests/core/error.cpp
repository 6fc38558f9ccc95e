// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstdint>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/core/error.hpp>

namespace detail = xmask::detail;

TEST_CASE("a shape prints as Python prints a tuple", "[error]") {
    REQUIRE(detail::tuple_text(std::vector<std::size_t>{}) == "()");
    REQUIRE(detail::tuple_text(std::array<std::size_t, 1>{7}) == "(7,)");
    REQUIRE(detail::tuple_text(std::vector<int>{2, -3, 4}) == "(2, -3, 4)");
    // Bytes are numbers here, not characters.
    REQUIRE(detail::tuple_text(std::vector<std::int8_t>{65, 66}) == "(65, 66)");
}

TEST_CASE("errors name the function that throws them", "[error]") {
    REQUIRE_THROWS_MATCHES(
        detail::throw_invalid("f", "a of ", 3), std::invalid_argument,
        Catch::Matchers::Message("xmask::f: a of 3")
    );
    REQUIRE_THROWS_MATCHES(
        detail::throw_out_of_range("g", 1.5, '!'), std::out_of_range,
        Catch::Matchers::Message("xmask::g: 1.5!")
    );
}
