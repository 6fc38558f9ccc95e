// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/normalize.hpp>
#include <xmask/reduce/softmax.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::MessageMatches;
using Catch::Matchers::StartsWith;

// Operations in place give the same as those into another tensor, to the bit.

namespace {
/// Calls check(name, in_place(x, m), out_of_place(x, m)) for each operation along an axis.
template <class T, class F>
void for_each_operation(std::ptrdiff_t axis, F&& check) {
    check(
        "softmax", [=](auto&& x, const auto& m) { xmask::masked_softmax_inplace(x, m, axis); },
        [=](const auto& x, const auto& m) {
            return xt::xarray<T>(xmask::masked_softmax(x, m, axis));
        }
    );
    check(
        "softmin", [=](auto&& x, const auto& m) { xmask::masked_softmin_inplace(x, m, axis); },
        [=](const auto& x, const auto& m) {
            return xt::xarray<T>(xmask::masked_softmin(x, m, axis));
        }
    );
    check(
        "log_softmax",
        [=](auto&& x, const auto& m) { xmask::masked_log_softmax_inplace(x, m, axis); },
        [=](const auto& x, const auto& m) {
            return xt::xarray<T>(xmask::masked_log_softmax(x, m, axis));
        }
    );
    check(
        "normalize",
        [=](auto&& x, const auto& m) { xmask::masked_normalize_inplace(x, m, axis, {.p = 3}); },
        [=](const auto& x, const auto& m) {
            return xt::xarray<T>(xmask::masked_normalize(x, m, axis, {.p = 3}));
        }
    );
    check(
        "standardize",
        [=](auto&& x, const auto& m) {
            xmask::masked_standardize_inplace(x, m, axis, {.eps = 0.1});
        },
        [=](const auto& x, const auto& m) {
            return xmask::masked_standardize(x, m, axis, {.eps = 0.1});
        }
    );
}
} // namespace

TEST_CASE("rows of every length are normalized in place", "[in_place]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({5, n}, 1);
        auto kept = oracle::random<bool>({5, n}, 2);
        for (std::size_t c = 0; c < n; ++c) {
            kept(1, c) = false;
            kept(2, c) = true;
        }
        const xmask::bitmask m = xmask::keep_where(kept);
        for (const std::ptrdiff_t axis : {-1, 0}) {
            for_each_operation<float>(
                axis,
                [&](const char* name, const auto& in_place, const auto& out_of_place) {
                    CAPTURE(n, axis, name);
                    auto y = x;
                    in_place(y, m);
                    REQUIRE(
                        oracle::same_bits(oracle::elements(y), oracle::elements(out_of_place(x, m)))
                    );
                }
            );
        }
    }
}

TEST_CASE("strided views are normalized in place, and nothing beside them", "[in_place]") {
    const auto x = oracle::random<double>({3, 4, 67}, 1);
    const xmask::bitmask m = xmask::keep_where(oracle::random<bool>({3, 4, 67}, 2));
    for (const std::ptrdiff_t axis : {1, 2}) {
        for_each_operation<double>(
            axis,
            [&](const char* name, const auto& in_place, const auto& out_of_place) {
                CAPTURE(axis, name);
                const auto expected = out_of_place(x, m);
                xt::xarray<double> wide = xt::zeros<double>({3, 4, 140});
                auto strided = xt::strided_view(wide, {xt::ellipsis(), xt::range(3, 137, 2)});
                strided = x;
                in_place(strided, m);
                REQUIRE(oracle::close(strided, expected, 1e-14));
                strided.fill(0.);
                REQUIRE(xt::all(xt::equal(wide, 0.)));
            }
        );
    }
}

TEST_CASE("a mask may look at what is normalized in place", "[in_place]") {
    const auto x = oracle::random<double>({3, 131}, 1);
    for (const std::ptrdiff_t axis : {0, 1}) {
        for_each_operation<double>(
            axis,
            [&](const char* name, const auto& in_place, const auto& out_of_place) {
                CAPTURE(axis, name);
                auto y = x;
                in_place(y, xmask::keep_above(y, 0.25));
                REQUIRE(oracle::close(
                    y, out_of_place(x, xmask::bitmask(xmask::keep_above(x, 0.25))), 1e-14
                ));
            }
        );
    }
}

TEST_CASE(
    "what is normalized in place is untouched where something does not fit, and the error says what",
    "[in_place]"
) {
    xt::xarray<double> x = xt::ones<double>({2, 3});
    const xmask::bitmask m = xmask::keep_all(2);
    const auto refuses = [&](const std::string& name, const auto& call) {
        REQUIRE_THROWS_MATCHES(
            call(), std::invalid_argument,
            MessageMatches(StartsWith("xmask::" + name + ": a mask of shape (2,)"))
        );
        REQUIRE(oracle::elements(x) == std::vector<double>(6, 1.));
    };
    refuses("masked_softmax_inplace", [&] { xmask::masked_softmax_inplace(x, m); });
    refuses("masked_softmin_inplace", [&] { xmask::masked_softmin_inplace(x, m); });
    refuses("masked_log_softmax_inplace", [&] { xmask::masked_log_softmax_inplace(x, m); });
    refuses("masked_normalize_inplace", [&] { xmask::masked_normalize_inplace(x, m); });
    refuses("masked_standardize_inplace", [&] { xmask::masked_standardize_inplace(x, m, {0, 1}); });
    REQUIRE_THROWS_MATCHES(
        xmask::masked_normalize_inplace(x, m, -1, {.p = 0.5}), std::invalid_argument,
        MessageMatches(StartsWith("xmask::masked_normalize_inplace: p is 0.5"))
    );
}
