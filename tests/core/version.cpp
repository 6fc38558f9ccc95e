#include <catch2/catch_test_macros.hpp>
#include <xmask/version.hpp>

TEST_CASE("the version is three numbers", "[version]")
{
    STATIC_REQUIRE(XMASK_VERSION_MAJOR >= 0);
    STATIC_REQUIRE(XMASK_VERSION_MINOR >= 0);
    STATIC_REQUIRE(XMASK_VERSION_PATCH >= 0);
}
