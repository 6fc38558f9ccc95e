// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/core/error.hpp>

namespace detail = xmask::detail;

TEST_CASE("a shape prints as Python prints a tuple", "[error]") {
    REQUIRE(detail::tuple_text(std::vector<std::size_t>{}) == "()");
    REQUIRE(detail::tuple_text(std::array<std::size_t, 1>{7}) == "(7,)");
    REQUIRE(detail::tuple_text(std::vector<int>{2, -3, 4}) == "(2, -3, 4)");
    // Bytes are printed as numbers, not as characters.
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

TEST_CASE("an option outside of its range throws, and so does NaN in any", "[error]") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double nan = std::nan("");
    struct entry {
        detail::option_range range;
        std::vector<double> fit;
        std::vector<double> refused;
        const char* text;
    };
    const std::vector<entry> entries = {
        {detail::option_range::any_number(), {-infinity, -1, 0, infinity}, {nan}, "a number"},
        {detail::option_range::any_number().finite(),
         {-1e308, 0, 1e308},
         {-infinity, infinity, nan},
         "a finite number"},
        {detail::option_range::at_least(0),
         {0, 1e-300, infinity},
         {-1e-300, -infinity, nan},
         "0 or more"},
        {detail::option_range::at_least(1).finite(),
         {1, 2},
         {0.5, infinity, nan},
         "a finite number, 1 or more"},
        {detail::option_range::above(0), {1e-300, infinity}, {0, -1, nan}, "a number above 0"},
        {detail::option_range::above(0).finite(),
         {1e-300, 5},
         {0, infinity, nan},
         "a finite number above 0"},
        {detail::option_range::between(0, 1),
         {0, 0.5, 1},
         {-0.5, 1.5, infinity, -infinity, nan},
         "0 to 1"},
        {{.least = 0, .most = 2, .excludes_least = true},
         {0.5, 2},
         {0, 2.5, nan},
         "a number above 0, at most 2"}
    };
    for (const auto& [range, fit, refused, text] : entries) {
        CAPTURE(text);
        REQUIRE(range.text() == text);
        for (const double value : fit) {
            REQUIRE_NOTHROW(detail::require_option("f", "eps", value, range));
        }
        for (const double value : refused) {
            CAPTURE(value);
            REQUIRE_THROWS_AS(
                detail::require_option("f", "eps", value, range), std::invalid_argument
            );
        }
    }
    REQUIRE_THROWS_MATCHES(
        detail::require_option(
            "f", "alpha", 1.5, detail::option_range::between(0, 1), ", or -1 for none"
        ),
        std::invalid_argument,
        Catch::Matchers::Message("xmask::f: alpha is 1.5; expected 0 to 1, or -1 for none")
    );
    REQUIRE_THROWS_MATCHES(
        detail::require_each_option(
            "f", "weights", std::vector<float>{1, 0, -3, -4}, detail::option_range::at_least(0)
        ),
        std::invalid_argument,
        Catch::Matchers::Message("xmask::f: weights[2] is -3; expected 0 or more")
    );
}
