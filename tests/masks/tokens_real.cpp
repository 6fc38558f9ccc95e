// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

namespace {
/// Which tokens are among the ids. All are exact in long double.
template <class E, class I>
std::vector<char> among(const E& tokens, const I& ids, bool kept = true) {
    std::vector<char> expected;
    for (const auto token : oracle::elements(tokens)) {
        const bool found = std::any_of(ids.begin(), ids.end(), [&](auto id) {
            return static_cast<long double>(id) == static_cast<long double>(token);
        });
        expected.push_back(found == kept);
    }
    return expected;
}

template <class T>
std::vector<T> special() {
    using limits = std::numeric_limits<T>;
    return {
        T(0),
        -T(0),
        limits::quiet_NaN(),
        -limits::quiet_NaN(),
        limits::infinity(),
        -limits::infinity(),
        limits::max(),
        limits::lowest(),
        limits::min(),
        limits::denorm_min(),
        -limits::denorm_min(),
        T(1),
        std::nextafter(T(1), T(2)),
        T(16777216),
        T(16777217),
        T(0.1),
        T(0.1f)
    };
}

/// Ids, their neighbours, and special numbers.
template <class T>
xt::xarray<T> tokens_near(const std::vector<T>& ids, std::size_t n) {
    std::mt19937_64 generator(3);
    xt::xarray<T> tokens = xt::zeros<T>({std::size_t(2), n});
    const auto others = special<T>();
    for (auto& token : tokens) {
        const auto roll = generator();
        token = ids.empty() || roll % 4 == 0 ? others[roll / 16 % others.size()]
                                             : ids[roll / 16 % ids.size()];
        if (roll % 4 == 1) {
            token = std::nextafter(token, T(roll % 8 == 1 ? 9 : -9));
        }
    }
    return tokens;
}
} // namespace

TEMPLATE_TEST_CASE("Real tokens among few ids and many", "[tokens]", float, double, long double) {
    using T = TestType;
    std::mt19937_64 generator(1);
    for (const std::size_t count : {0u, 1u, 2u, 5u, 7u, 8u, 9u, 10u, 40u, 1000u}) {
        for (const bool whole : {false, true}) {
            CAPTURE(count, whole);
            std::vector<T> ids(count);
            for (auto& id : ids) {
                id = static_cast<T>(static_cast<int>(generator() % 4000) - 2000);
                id = whole ? id : id / T(64) + (id < T(0) ? T(0.1f) : T(0));
            }
            const auto tokens = tokens_near(ids, 200);
            oracle::require_words(xmask::keep_tokens(tokens, ids), among(tokens, ids));
            oracle::require_words(xmask::drop_tokens(tokens, ids), among(tokens, ids, false));
        }
    }
}

TEMPLATE_TEST_CASE("Special real ids are compared as numbers", "[tokens]", float, double) {
    using T = TestType;
    const auto ids = special<T>();
    const auto tokens = tokens_near(ids, 130);
    oracle::require_mask(xmask::keep_tokens(tokens, ids), among(tokens, ids));
    for (const T id : ids) {
        CAPTURE(id);
        const std::vector<T> one = {id};
        oracle::require_words(xmask::keep_tokens(tokens, id), among(tokens, one));
        oracle::require_words(xmask::keep_tokens(tokens, one), among(tokens, one));
        oracle::for_each_layout(tokens, [&](const auto& operand, const char* layout) {
            CAPTURE(layout);
            oracle::require_words(xmask::drop_tokens(operand, one), among(operand, one, false));
        });
    }
}

TEST_CASE("Ids of other types than the real tokens'", "[tokens]") {
    const xt::xtensor<float, 1> floats = {0.1f, 0.5f, 16777216.f, -3.f, 9.223372036854775808e18f};
    const xt::xtensor<double, 1> doubles = {0.1, 0.1f, 16777217., -3., 1.8446744073709551615e19};
    // 0.1 as a double is not a float.
    oracle::require_words(xmask::keep_tokens(floats, 0.1), {0, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_tokens(floats, 0.1f), {1, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_tokens(doubles, 0.1f), {0, 1, 0, 0, 0});
    oracle::require_words(xmask::keep_tokens(floats, {0.5, 1e300, -1e-300}), {0, 1, 0, 0, 0});
    // 16777217 is not a float, and is not 16777216.
    oracle::require_words(xmask::keep_tokens(floats, 16777217), {0, 0, 0, 0, 0});
    oracle::require_words(xmask::keep_tokens(floats, {16777216, -3}), {0, 0, 1, 1, 0});
    oracle::require_words(xmask::keep_tokens(doubles, std::vector<int>{16777217}), {0, 0, 1, 0, 0});
    oracle::require_words(xmask::keep_tokens(floats, std::uint64_t(1) << 63), {0, 0, 0, 0, 1});
    oracle::require_words(
        xmask::keep_tokens(floats, std::numeric_limits<std::int64_t>::max()), {0, 0, 0, 0, 0}
    );
    oracle::require_words(
        xmask::keep_tokens(doubles, std::numeric_limits<std::uint64_t>::max()), {0, 0, 0, 0, 0}
    );
    const xt::xtensor<double, 1> lowest = {-9.223372036854775808e18};
    oracle::require_words(
        xmask::keep_tokens(lowest, std::numeric_limits<std::int64_t>::min()), {1}
    );
    const xmask::id_set<int> set({-3, 7});
    oracle::require_words(xmask::keep_tokens(floats, set), {0, 0, 0, 1, 0});
    oracle::require_words(xmask::keep_tokens(2 * floats, xt::xtensor<int, 1>{1}), {0, 1, 0, 0, 0});
    const xt::xtensor<float, 1> codes = {-999.f, 0.5f};
    oracle::require_mask(xmask::drop_tokens(codes, -999), {0, 1});
}

TEST_CASE("Markers among real tokens", "[tokens]") {
    const xt::xtensor<double, 1> tokens = {7, 1.5, 5, 6, -0., 8, 1.5, 9};
    oracle::require_mask(xmask::keep_through_first(tokens, 5), {1, 1, 1, 0, 0, 0, 0, 0});
    oracle::require_mask(xmask::keep_through_first(tokens, {0.}), {1, 1, 1, 1, 1, 0, 0, 0});
    oracle::require_mask(xmask::keep_through_first(tokens, std::nan("")), {1, 1, 1, 1, 1, 1, 1, 1});
    oracle::require_mask(xmask::keep_between_markers(tokens, 1.5, 0), {0, 0, 1, 1, 0, 0, 0, 1});
    REQUIRE_THROWS_WITH(
        xmask::keep_between_markers(tokens, {1.5, 2.}, {3., 1.5}),
        "xmask::keep_between_markers: id 1.5 is among the begin markers and among the end markers; an id marks a begin or an end, not both"
    );
}
