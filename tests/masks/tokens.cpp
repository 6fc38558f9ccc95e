// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

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

/// Only the first word of a mask, which compiles quickly.
template <class M>
void require_word(const M& m, const std::vector<char>& expected) {
    REQUIRE(m.size() == expected.size());
    REQUIRE(m.row(0).word(0) == oracle::word_of(expected, 0, expected.size()));
}
} // namespace

TEST_CASE("tokens agree with PyTorch", "[tokens][reference]") {
    for (const auto* const name : {"drop_tokens_few", "drop_tokens_many"}) {
        const auto tokens = oracle::reference<std::int64_t>(name, "tokens");
        const auto ids = oracle::reference<std::int64_t>(name, "ids");
        const auto expected = oracle::elements(oracle::reference<bool>(name, "mask"));
        oracle::require_mask(xmask::drop_tokens(tokens, ids), expected);
        // The tokens in narrower types, where they fit.
        const xt::xarray<std::int32_t> narrow = tokens;
        oracle::require_words(xmask::drop_tokens(narrow, ids), expected);
    }
}

TEST_CASE("the examples of the tokens' comments", "[tokens]") {
    const xt::xtensor<int, 1> tokens = {101, 7, 0, 102, 0};
    oracle::require_mask(xmask::keep_tokens(tokens, {101, 102}), {1, 0, 0, 1, 0});
    oracle::require_mask(xmask::drop_tokens(tokens, {0}), {1, 1, 0, 1, 0});
}

TEST_CASE("ids that the tokens' type can't hold are in no token", "[tokens]") {
    const xt::xtensor<std::int8_t, 1> small = {-1, 0, 1, 127, -128};
    require_word(xmask::keep_tokens(small, {255, 256, 383, -129, 1}), {0, 0, 1, 0, 0});
    require_word(
        xmask::keep_tokens(small, std::vector<std::uint64_t>{~std::uint64_t(0)}), {0, 0, 0, 0, 0}
    );
    const xt::xtensor<std::uint32_t, 1> positive = {4294967295, 0};
    require_word(xmask::keep_tokens(positive, {-1}), {0, 0});
    require_word(xmask::drop_tokens(positive, {-1}), {1, 1});
    const xt::xtensor<std::uint64_t, 1> large = {~std::uint64_t(0), std::uint64_t(1) << 63};
    require_word(
        xmask::keep_tokens(large, {std::int64_t(-1), std::numeric_limits<std::int64_t>::min()}),
        {0, 0}
    );
    // No ids are left of many.
    std::vector<int> beyond;
    for (int id = 1000; id < 1020; ++id) {
        beyond.push_back(id);
    }
    require_word(xmask::keep_tokens(small, beyond), {0, 0, 0, 0, 0});
    beyond.push_back(127);
    require_word(xmask::keep_tokens(small, beyond), {0, 0, 0, 1, 0});
}

TEST_CASE("tokens of rows of any length, in any layout", "[tokens]") {
    const std::vector<int> few = {-3, 0, 5};
    std::vector<int> many;
    for (int id = -8; id < 9; id += 2) {
        many.push_back(id);
    }
    std::vector<int> far = many;
    far.push_back(2000000000);
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto tokens = oracle::random<int>({3, n}, 4);
        oracle::for_each_layout(tokens, [&](const auto& e, const char* layout) {
            INFO(layout);
            oracle::require_words(xmask::keep_tokens(e, few), among(tokens, few));
            oracle::require_words(xmask::keep_tokens(e, many), among(tokens, many));
            oracle::require_words(xmask::keep_tokens(e, far), among(tokens, far));
        });
    }
    extents shape;
    for (std::size_t rank = 0; rank <= 6; ++rank) {
        const auto tokens = oracle::random<int>(shape, 5);
        oracle::require_words(xmask::keep_tokens(tokens, few), among(tokens, few));
        oracle::require_words(xmask::drop_tokens(tokens, many), among(tokens, many, false));
        shape.push_back(rank % 3 == 1 ? 1 : 3);
    }
    oracle::require_words(xmask::keep_tokens(xt::xarray<int>::from_shape({0, 5}), few), {});
}

TEST_CASE("no ids find nothing", "[tokens]") {
    const auto tokens = oracle::random<int>({2, 70}, 4);
    oracle::require_words(
        xmask::keep_tokens(tokens, std::vector<int>()), std::vector<char>(140, 0)
    );
    oracle::require_words(
        xmask::drop_tokens(tokens, std::vector<int>()), std::vector<char>(140, 1)
    );
}

TEST_CASE("ids come in containers, lists and tensors", "[tokens]") {
    const xt::xtensor<std::int64_t, 1> tokens = {1, 2, 3, 4};
    const std::vector<char> expected = {0, 1, 0, 1};
    require_word(xmask::keep_tokens(tokens, {2, 4, 2}), expected);
    require_word(xmask::keep_tokens(tokens, std::array<short, 2>{4, 2}), expected);
    require_word(xmask::keep_tokens(tokens, std::set<unsigned>{4, 2}), expected);
    require_word(xmask::keep_tokens(tokens, xt::xtensor<int, 2>{{4, 2}}), expected);
    require_word(xmask::keep_tokens(tokens, xt::arange<int>(2, 5, 2)), expected);
    const xt::xtensor<char, 1> text = {'a', 'b', 'c'};
    require_word(xmask::keep_tokens(text, {'b', 'z'}), {0, 1, 0});
    require_word(xmask::drop_tokens(text, {97}), {0, 1, 1});
    const xt::xtensor<wchar_t, 1> wide = {L'a', L'b', L'c'};
    require_word(xmask::keep_tokens(wide, {98}), {0, 1, 0});
}

TEST_CASE("ids are copied, tokens are held by reference or moved in", "[tokens]") {
    xt::xtensor<int, 1> tokens = {1, 2};
    std::vector<int> ids = {2};
    const auto m = xmask::keep_tokens(tokens, ids);
    ids[0] = 7;
    tokens(0) = 2;
    oracle::require_words(m, {1, 1});
    const auto make = [] {
        return xmask::drop_tokens(xt::xtensor<int, 1>{1, 2, 3}, std::vector<int>{1});
    };
    oracle::require_words(make(), {0, 1, 1});
    oracle::require_words(xmask::keep_tokens(tokens + 1, {3}), {1, 1});
}

TEST_CASE("an id_set holds each id once", "[tokens]") {
    const xmask::id_set stop({3, 1, 2, 3});
    STATIC_REQUIRE(std::is_same_v<decltype(stop), const xmask::id_set<int>>);
    REQUIRE(stop.size() == 3);
    REQUIRE(stop.contains(3));
    REQUIRE_FALSE(stop.contains(4));
    REQUIRE_FALSE(stop.contains((std::int64_t(1) << 32) + 1));
    REQUIRE(std::vector<int>(stop.begin(), stop.end()) == std::vector<int>{1, 2, 3});
    const xmask::id_set none(std::vector<short>{});
    REQUIRE(none.size() == 0);
    REQUIRE_FALSE(none.contains(0));
    const xmask::id_set far(xt::xtensor<std::int64_t, 1>{-1, 16777217, std::int64_t(1) << 60});
    STATIC_REQUIRE(std::is_same_v<decltype(far), const xmask::id_set<std::int64_t>>);
    REQUIRE_FALSE(far.contains(~std::uint64_t(0)));
    REQUIRE_FALSE(far.contains(16777216));
    REQUIRE(far.contains(std::uint64_t(1) << 60));
    const xmask::id_set<std::int8_t> small(std::vector<int>{300, 44});
    REQUIRE(small.size() == 1);
}

TEST_CASE("an id_set that was moved from is empty; one moved to itself stays", "[tokens]") {
    const auto require_moves = [](const std::vector<std::int64_t>& ids) {
        CAPTURE(ids.size());
        xt::xtensor<std::int64_t, 1> tokens = xt::zeros<std::int64_t>({130});
        tokens(7) = ids.front();
        tokens(129) = ids.back();
        const auto all = oracle::elements(xmask::keep_tokens(tokens, ids));
        xmask::id_set set(ids);
        auto& same = set;
        set = std::move(same);
        REQUIRE(set.size() == ids.size());
        REQUIRE(oracle::elements(xmask::keep_tokens(tokens, set)) == all);
        xmask::id_set to(std::move(set));
        REQUIRE(oracle::elements(xmask::keep_tokens(tokens, to)) == all);
        REQUIRE(set.size() == 0); // NOLINT(bugprone-use-after-move)
        REQUIRE_FALSE(set.contains(ids.front()));
        REQUIRE(
            oracle::elements(xmask::keep_tokens(tokens, set)) == std::vector<char>(all.size(), 0)
        );
        set = std::move(to);
        REQUIRE(oracle::elements(xmask::keep_tokens(tokens, set)) == all);
        REQUIRE_FALSE(to.contains(ids.back())); // NOLINT(bugprone-use-after-move)
    };
    std::vector<std::int64_t> near(1000);
    std::vector<std::int64_t> far(1000);
    for (std::size_t i = 0; i < near.size(); ++i) {
        near[i] = static_cast<std::int64_t>(3 * i + 1);
        far[i] = static_cast<std::int64_t>((std::uint64_t(1) << 40) * i + i + 1);
    }
    require_moves({5});
    require_moves({1, 2, std::int64_t(1) << 60});
    require_moves(near);
    require_moves(far);
}

TEST_CASE("an id_set gives back its ids in ascending order", "[tokens]") {
    const auto require_order = []<class T>(T low, std::size_t count, std::uint64_t spread) {
        std::vector<T> ids;
        std::uint64_t state = 1;
        for (std::size_t k = 0; k < count; ++k) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            ids.push_back(static_cast<T>(static_cast<std::uint64_t>(low) + (state >> 32) % spread));
        }
        const std::set<T> expected(ids.begin(), ids.end());
        const xmask::id_set<T> set(ids);
        REQUIRE(
            std::vector<T>(set.begin(), set.end()) ==
            std::vector<T>(expected.begin(), expected.end())
        );
        REQUIRE(std::ranges::all_of(ids, [&](T id) { return set.contains(id); }));
    };
    for (const std::size_t count : {1u, 31u, 32u, 33u, 1000u}) {
        require_order(std::numeric_limits<std::int8_t>::min(), count, 256);
        require_order(std::uint8_t(0), count, 256);
        require_order(std::numeric_limits<std::int64_t>::min(), count, 3000);
        require_order(std::numeric_limits<std::uint64_t>::max() - 2999, count, 3000);
        require_order(-1500, count, 3000);
        require_order(-7, count, 1);
        require_order(
            std::int64_t(-1) << 40, count, std::uint64_t(1) << 31
        ); // too far apart for bits
    }
}

TEST_CASE("tokens of any type meet an id_set of another", "[tokens]") {
    const xmask::id_set<std::int64_t> ids({-1, 44, 300, 16777217});
    const xt::xtensor<std::int8_t, 1> bytes = {44, -1, 0};
    require_word(xmask::keep_tokens(bytes, ids), {1, 1, 0});
    const xt::xtensor<std::uint64_t, 1> large = {~std::uint64_t(0), 16777216, 16777217, 300};
    require_word(xmask::keep_tokens(large, ids), {0, 0, 1, 1});
    require_word(xmask::drop_tokens(large, ids), {1, 1, 0, 0});
    const xt::xtensor<int, 1> tokens = {300, 301};
    require_word(xmask::keep_tokens(tokens, 300), {1, 0});
    require_word(xmask::keep_tokens(tokens, std::vector<int>(100, 301)), {0, 1});
    require_word(xmask::keep_tokens(tokens, std::vector<int>()), {0, 0});
}

TEST_CASE("an id_set is held by reference or moved in", "[tokens]") {
    const auto tokens = oracle::random<int>({2, 70}, 6);
    std::vector<int> ids;
    for (int id = -7; id < 9; ++id) {
        ids.push_back(id * id);
    }
    auto set = xmask::id_set<int>(ids);
    const auto by_reference = xmask::keep_tokens(tokens, set);
    oracle::require_words(by_reference, among(tokens, ids));
    const auto temporary = xmask::keep_tokens(tokens, xmask::id_set<int>(ids));
    oracle::require_words(temporary, among(tokens, ids));
    const auto copy = set;
    const auto moved = xmask::drop_tokens(tokens, std::move(set));
    oracle::require_words(moved, among(tokens, ids, false));
    oracle::require_words(xmask::keep_tokens(tokens, copy), among(tokens, ids));
}

TEST_CASE("tokens inside and outside of a table of ids", "[tokens]") {
    // A word with all tokens in the range of the table, with some above, and with some below. Ids
    // that need a wider table, or hashes.
    for (const std::int64_t step : {1, 3, 50, 3000, 1 << 20}) {
        std::vector<std::int64_t> ids;
        for (std::int64_t k = 0; k < 1000; ++k) {
            ids.push_back((k - 100) * step);
        }
        const std::set<std::int64_t> lookup(ids.begin(), ids.end());
        // In no order, and each twice.
        std::vector<std::int64_t> listed;
        for (std::size_t k = 0; k < 2000; ++k) {
            listed.push_back(ids[k * 577 % 1000]);
        }
        for (const std::int64_t spread : {0, 60, 100000}) {
            xt::xtensor<std::int64_t, 2> tokens = xt::zeros<std::int64_t>({2, 4097});
            std::vector<char> expected;
            std::int64_t at = 7;
            for (auto& token : tokens) {
                at = (at * 131 + 17) % 100003;
                token = ids[static_cast<std::size_t>(at) % 1000] + (spread == 0 ? 0 : at % spread) -
                        spread / 2;
                expected.push_back(lookup.count(token) != 0);
            }
            CAPTURE(step, spread);
            const auto m = xmask::keep_tokens(tokens, listed);
            REQUIRE(oracle::elements(xt::xtensor<bool, 2>(m)) == expected);
        }
    }
}

TEST_CASE("a table of ids near the ends of the tokens' type", "[tokens]") {
    // Distances from the lowest id wrap around: tokens below it must not match ids above the
    // highest.
    xt::xtensor<std::int8_t, 1> tokens = xt::zeros<std::int8_t>({512});
    for (std::size_t k = 0; k < 512; ++k) {
        tokens(k) = static_cast<std::int8_t>(static_cast<std::uint8_t>(k));
    }
    for (const int low : {-128, -100, -20, 10, 100, 112}) {
        std::vector<int> ids;
        for (int id = low; id < 128; id += id == 126 ? 1 : 1 + (id & 1)) {
            ids.push_back(id);
        }
        CAPTURE(low);
        oracle::require_words(xmask::keep_tokens(tokens, ids), among(tokens, ids));
        const auto shift = std::numeric_limits<std::int64_t>::max() - 127;
        const xt::xtensor<std::int64_t, 1> wide = xt::cast<std::int64_t>(tokens) + shift;
        std::vector<std::int64_t> wide_ids;
        for (const int id : ids) {
            wide_ids.push_back(shift + id);
        }
        oracle::require_words(xmask::keep_tokens(wide, wide_ids), among(wide, wide_ids));
    }
    xt::xtensor<std::int32_t, 1> ends = xt::zeros<std::int32_t>({64});
    std::vector<std::int32_t> last;
    for (std::int32_t k = 0; k < 64; ++k) {
        ends(static_cast<std::size_t>(k)) = k % 2 == 0
                                                ? std::numeric_limits<std::int32_t>::max() - k
                                                : std::numeric_limits<std::int32_t>::min() + k / 2;
        last.push_back(std::numeric_limits<std::int32_t>::max() - k / 3);
    }
    oracle::require_words(xmask::keep_tokens(ends, last), among(ends, last));
}
