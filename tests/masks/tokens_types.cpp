// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>

#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

namespace {
/// Which tokens are among the ids, compared as numbers.
template <class E, class I>
std::vector<char> among(const E& tokens, const I& ids, bool kept = true) {
    std::vector<char> expected;
    for (const auto token : oracle::elements(tokens)) {
        const bool found = std::any_of(ids.begin(), ids.end(), [&](auto id) {
            return std::cmp_equal(+id, +token);
        });
        expected.push_back(found == kept);
    }
    return expected;
}

/// Tokens near the ids: each id, its neighbours, and the limits of the type.
template <class T>
xt::xarray<T> tokens_near(const std::vector<T>& ids, std::size_t n) {
    std::mt19937_64 generator(3);
    xt::xarray<T> tokens = xt::zeros<T>({std::size_t(2), n});
    for (auto& token : tokens) {
        const auto roll = generator();
        const auto near = ids.empty() ? std::uint64_t(0)
                                      : static_cast<std::uint64_t>(ids[roll / 16 % ids.size()]);
        switch (roll % 16) {
        case 0:
            token = std::numeric_limits<T>::min();
            break;
        case 1:
            token = std::numeric_limits<T>::max();
            break;
        case 2:
            token = static_cast<T>(generator());
            break;
        default:
            token = static_cast<T>(near + roll % 3 - 1);
            break;
        }
    }
    return tokens;
}
} // namespace

TEMPLATE_TEST_CASE(
    "tokens of any type, few ids and many, near and far", "[tokens]", std::int8_t, std::uint8_t,
    std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t
) {
    using T = TestType;
    std::mt19937_64 generator(1);
    // Up to 10 ids are compared in registers. More ids go to a table of bytes, or to a table of
    // hashes where they are far apart.
    for (const std::size_t count :
         std::initializer_list<std::size_t>{0, 1, 2, 5, 7, 8, 9, 10, 100, 1000}) {
        for (const bool far : {false, true}) {
            CAPTURE(sizeof(T), count, far);
            std::vector<T> ids;
            for (std::size_t k = 0; k < count; ++k) {
                ids.push_back(static_cast<T>(far ? generator() : generator() % 50 - 20));
            }
            if (far && count > 2) {
                // As far apart as possible.
                ids[0] = std::numeric_limits<T>::min();
                ids[1] = std::numeric_limits<T>::max();
            }
            for (const std::size_t n : std::initializer_list<std::size_t>{1, 64, 131}) {
                const auto tokens = tokens_near(ids, n);
                oracle::require_words(xmask::keep_tokens(tokens, ids), among(tokens, ids));
            }
            const auto tokens = tokens_near(ids, 70);
            oracle::require_words(xmask::drop_tokens(tokens, ids), among(tokens, ids, false));
        }
    }
}
