// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>

#include <catch2/catch_template_test_macros.hpp>

#include "support/exact.hpp"

TEMPLATE_TEST_CASE(
    "unsigned integers compare exactly with thresholds of any type", "[threshold]", std::uint8_t,
    std::uint32_t, std::uint64_t
) {
    exact::require_exact_with_all<TestType>();
}

TEST_CASE("booleans compare as 0 and 1", "[threshold]") {
    exact::require_exact<bool, double>();
    exact::require_exact<bool, std::int32_t>();
    exact::require_exact<bool, bool>();
}
