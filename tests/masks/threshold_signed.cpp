// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>

#include <catch2/catch_template_test_macros.hpp>

#include "support/exact.hpp"

TEMPLATE_TEST_CASE(
    "signed integers compare exactly with thresholds of any type", "[threshold]", std::int8_t,
    std::int32_t, std::int64_t
) {
    exact::require_exact_with_all<TestType>();
}
