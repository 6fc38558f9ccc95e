// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/core/selection.hpp>

namespace detail = xmask::detail;

namespace {
constexpr int patterns = 10;

/// Keys of one pattern: random, sorted, reversed, organ pipe, all equal, few values, and with the
/// extremes of the type among them.
template <class K>
std::vector<K> keys_of(int pattern, std::size_t n, std::mt19937& draw) {
    using limits = std::numeric_limits<K>;
    std::vector<K> keys(n);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t drawn = draw();
        const std::size_t place = pattern == 1   ? i
                                  : pattern == 2 ? n - i
                                  : pattern == 3 ? std::min(i, n - i)
                                  : pattern == 4 ? 7
                                  : pattern == 5 ? drawn % 2
                                  : pattern == 6 ? i % 17
                                                 : drawn % 3000;
        keys[i] = static_cast<K>(static_cast<K>(place % 120) - static_cast<K>(pattern % 2));
        if constexpr (std::is_floating_point_v<K>) {
            keys[i] = static_cast<K>(place) / 7 - static_cast<K>(pattern);
            keys[i] = pattern == 5 && drawn % 4 == 1 ? -K(0) : keys[i];
        }
        if (pattern >= 8 && drawn % 5 == 0) {
            keys[i] = drawn % 2 == 0 ? limits::lowest() : limits::max();
            if (limits::has_infinity) {
                keys[i] = drawn % 2 == 0 ? -limits::infinity() : limits::infinity();
            }
        }
        if (limits::has_quiet_NaN && pattern == 9 && drawn % 3 == 1) {
            keys[i] = limits::quiet_NaN();
        }
    }
    return keys;
}

/// All keys that are numbers, the largest first.
template <class K>
std::vector<K> sorted_of(const std::vector<K>& keys) {
    std::vector<K> sorted;
    std::copy_if(keys.begin(), keys.end(), std::back_inserter(sorted), [](K x) { return x == x; });
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    return sorted;
}

template <class K>
void require_selected(
    detail::key_selector<K>& selector, const std::vector<K>& keys, const std::vector<K>& sorted,
    std::size_t k, bool in_room
) {
    const K* from = keys.data();
    if (in_room) {
        std::copy(keys.begin(), keys.end(), selector.room(keys.size()));
        from = selector.room(keys.size());
    }
    const auto found = selector.kth_largest(from, keys.size(), k);
    if (k > sorted.size()) {
        REQUIRE(found.key != found.key);
        REQUIRE(found.above == sorted.size());
        REQUIRE(found.equal == keys.size() - sorted.size());
        return;
    }
    const K key = sorted[k - 1];
    REQUIRE(found.key == key);
    const auto equal = std::equal_range(sorted.begin(), sorted.end(), key, std::greater<>());
    REQUIRE(found.above == static_cast<std::size_t>(equal.first - sorted.begin()));
    REQUIRE(found.equal == static_cast<std::size_t>(equal.second - equal.first));
}
} // namespace

TEMPLATE_TEST_CASE(
    "The k-th largest is that of a sort", "[selection]", float, double, std::uint8_t, std::int16_t,
    std::uint64_t, long double
) {
    using K = TestType;
    std::mt19937 draw(3);
    detail::key_selector<K> selector;
    for (int pattern = 0; pattern < patterns; ++pattern) {
        for (const std::size_t n : {1u, 7u, 64u, 65u, 200u, 513u, 1500u, 17000u}) {
            const auto keys = keys_of<K>(pattern, n, draw);
            const auto sorted = sorted_of(keys);
            for (const std::size_t k : {std::size_t(1), n / 8 + 1, n / 2 + 1, n}) {
                CAPTURE(pattern, n, k);
                require_selected(selector, keys, sorted, k, k == n);
            }
            require_selected(selector, keys, sorted, 1 + draw() % n, true);
        }
    }
}

TEST_CASE("Keys that mislead every sample are selected, too", "[selection]") {
    // A sample sees only keys of one kind: those at even distances.
    std::vector<float> keys(4096);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i] = i % 64 < 16 ? 1e30f + static_cast<float>(i) * 1e25f : static_cast<float>(i % 977);
    }
    const auto sorted = sorted_of(keys);
    detail::key_selector<float> selector;
    for (const std::size_t k : {1u, 900u, 1024u, 1025u, 2000u, 4096u}) {
        CAPTURE(k);
        require_selected(selector, keys, sorted, k, false);
        require_selected(selector, keys, sorted, k, true);
    }
}
