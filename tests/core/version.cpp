// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <string>

#include <catch2/catch_test_macros.hpp>

#include <xmask/version.hpp>

TEST_CASE("CMake's version is the header's", "[version]") {
    const std::string header = std::to_string(XMASK_VERSION_MAJOR) + "." +
                               std::to_string(XMASK_VERSION_MINOR) + "." +
                               std::to_string(XMASK_VERSION_PATCH);
    REQUIRE(header == XMASK_TEST_VERSION);
}
