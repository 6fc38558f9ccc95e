// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <catch2/catch_template_test_macros.hpp>

#include "support/exact.hpp"

TEMPLATE_TEST_CASE(
    "real numbers compare exactly with thresholds of any type", "[threshold]", float, double
) {
    exact::require_exact_with_all<TestType>();
}
