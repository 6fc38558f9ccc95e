// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/tokens.hpp>

#include "support/oracle.hpp"

namespace {
bool holds(const std::vector<int>& ids, int token) {
    return std::find(ids.begin(), ids.end(), token) != ids.end();
}

template <class E>
std::vector<char> through_first(const E& tokens, const std::vector<int>& ids) {
    const auto n = oracle::columns_of(tokens.shape());
    std::vector<char> expected;
    bool seen = false;
    for (const auto token : oracle::elements(tokens)) {
        if (expected.size() % n == 0) {
            seen = false;
        }
        expected.push_back(!seen);
        seen = seen || holds(ids, static_cast<int>(token));
    }
    return expected;
}

template <class E>
std::vector<char> between(
    const E& tokens, const std::vector<int>& begin, const std::vector<int>& end
) {
    const auto n = oracle::columns_of(tokens.shape());
    std::vector<char> expected;
    bool inside = false;
    for (const auto token : oracle::elements(tokens)) {
        const bool begins = holds(begin, static_cast<int>(token));
        const bool ends = holds(end, static_cast<int>(token));
        inside = inside && expected.size() % n != 0;
        expected.push_back(inside && !begins && !ends);
        inside = begins || (inside && !ends);
    }
    return expected;
}

/// Each element by itself reads its whole row. Long rows are only compared in the order in which
/// operations ask.
template <class M>
void require_row_by_row(const M& m, const std::vector<char>& expected) {
    if (oracle::columns_of(m.shape()) <= 200) {
        oracle::require_words(m, expected);
    }
    const xt::xarray<bool> assigned = m;
    REQUIRE(oracle::elements(assigned) == expected);
}

/// Mostly 0, and a marker from 1 to 4 about every `gap` columns.
template <class T>
xt::xarray<T> marked(std::size_t rows, std::size_t n, unsigned gap) {
    xt::xarray<T> tokens = xt::zeros<T>({rows, n});
    std::mt19937 generator(gap);
    for (auto& token : tokens) {
        const auto bits = generator();
        token = static_cast<T>(bits % gap == 0 ? bits / gap % 4 + 1 : 0);
    }
    return tokens;
}
} // namespace

TEST_CASE("the examples of the markers' comments", "[tokens]") {
    const xt::xtensor<int, 1> first = {5, 6, 2, 0, 2};
    oracle::require_mask(xmask::keep_through_first(first, 2), {1, 1, 1, 0, 0});
    const xt::xtensor<int, 1> spans = {7, 1, 5, 6, 2, 8, 1, 9};
    oracle::require_mask(xmask::keep_between_markers(spans, 1, 2), {0, 0, 1, 1, 0, 0, 0, 1});
}

TEST_CASE("rows end with their first marker", "[tokens]") {
    for (const std::size_t n : oracle::columns) {
        for (const unsigned gap : {2u, 90u, 5000u}) {
            CAPTURE(n, gap);
            const auto tokens = marked<std::int64_t>(3, n, gap);
            oracle::for_each_layout(tokens, [&](const auto& e, const char* layout) {
                INFO(layout);
                require_row_by_row(xmask::keep_through_first(e, {1, 3}), through_first(e, {1, 3}));
            });
        }
    }
    const auto tokens = marked<std::uint8_t>(3, 70, 40);
    oracle::require_words(
        xmask::keep_through_first(tokens, std::vector<int>()), std::vector<char>(210, 1)
    );
    oracle::require_words(xmask::keep_through_first(tokens, 300), std::vector<char>(210, 1));
    const xmask::id_set ends({2, 4});
    oracle::require_mask(xmask::keep_through_first(tokens, ends), through_first(tokens, {2, 4}));
    const xt::xtensor<int, 0> one(2);
    oracle::require_words(xmask::keep_through_first(one, 2), {1});
}

TEST_CASE("spans between markers", "[tokens]") {
    for (const std::size_t n : oracle::columns) {
        for (const unsigned gap : {1u, 2u, 9u, 90u}) {
            CAPTURE(n, gap);
            const auto tokens = marked<int>(3, n, gap);
            oracle::for_each_layout(tokens, [&](const auto& e, const char* layout) {
                INFO(layout);
                require_row_by_row(
                    xmask::keep_between_markers(e, {1, 2}, {3, 4}), between(e, {1, 2}, {3, 4})
                );
            });
        }
    }
    const auto tokens = marked<std::uint16_t>(4, 200, 30);
    oracle::require_mask(xmask::keep_between_markers(tokens, 1, 3), between(tokens, {1}, {3}));
    const xmask::id_set begin({4, 1});
    const std::vector<int> end = {2, 70000};
    oracle::require_words(
        xmask::keep_between_markers(tokens, begin, end), between(tokens, {1, 4}, {2})
    );
    oracle::require_words(
        xmask::keep_between_markers(tokens, std::vector<int>(), end), std::vector<char>(800, 0)
    );
    oracle::require_words(
        xmask::keep_between_markers(tokens, 1, std::vector<int>()), between(tokens, {1}, {})
    );
}

TEST_CASE("an id marks a begin or an end, not both", "[tokens]") {
    const xt::xtensor<int, 1> tokens = {1, 2};
    REQUIRE_THROWS_AS(xmask::keep_between_markers(tokens, {1, 2}, {2, 3}), std::invalid_argument);
    std::string text;
    try {
        xmask::keep_between_markers(tokens, 7, 7);
    } catch (const std::invalid_argument& error) {
        text = error.what();
    }
    REQUIRE(
        text ==
        "xmask::keep_between_markers: id 7 is among the begin markers and among the end markers; an id marks a "
        "begin or an end, not both"
    );
}

TEST_CASE("markers combine with other masks and broadcast", "[tokens]") {
    const auto tokens = marked<int>(3, 130, 40);
    const auto first = through_first(tokens, {2});
    const auto spans = between(tokens, {1}, {3});
    std::vector<char> expected(first.size());
    std::transform(first.begin(), first.end(), spans.begin(), expected.begin(), [](char a, char b) {
        return !a || b;
    });
    const auto m =
        !xmask::keep_through_first(tokens, 2) || xmask::keep_between_markers(tokens, 1, 3);
    oracle::require_mask(m, expected);
}
