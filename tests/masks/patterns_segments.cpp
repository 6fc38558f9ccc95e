// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::Message;

namespace {
template <class A, class B>
std::vector<char> equal(const A& queries, const B& keys) {
    std::vector<char> all;
    for (const auto id : queries) {
        for (const auto key : keys) {
            all.push_back(std::cmp_equal(+id, +key));
        }
    }
    return all;
}

/// n ids from 0 to 4, in no order.
template <class T>
std::vector<T> mixed_ids(std::size_t n, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<T> ids(n);
    std::generate(ids.begin(), ids.end(), [&] { return static_cast<T>(generator() % 5); });
    return ids;
}

/// Whether the kept columns of a row are one range, and the cursor knows it. The stretches are
/// exact in any case.
template <class M>
void require_exact(const M& m, bool whole) {
    const std::size_t n = oracle::columns_of(m.shape());
    bool exact = true;
    for (std::size_t r = 0; r < oracle::rows_of(m.shape()); ++r) {
        const auto cursor = m.row(r);
        const auto extent = oracle::extent_of(cursor);
        exact = exact && extent.end <= n && (!whole || oracle::solid_of(cursor) == extent);
        exact = exact && (extent.size() == 0 || (oracle::keeps(cursor, extent.begin) &&
                                                 oracle::keeps(cursor, extent.end - 1)));
    }
    REQUIRE(exact);
}
} // namespace

TEST_CASE("the example of the segments' comment", "[patterns]") {
    const auto m = xmask::keep_same_segment({0, 0, 1}, {0, 0, 1}) && xmask::keep_causal(3, 3);
    oracle::require_mask(m, {1, 0, 0, 1, 1, 0, 0, 0, 1});
}

TEMPLATE_TEST_CASE(
    "segments of any type, sorted or not", "[patterns]", std::int8_t, std::uint16_t, std::int32_t,
    std::int64_t, std::uint64_t
) {
    for (const std::size_t k : std::initializer_list<std::size_t>{0, 1, 3, 63, 64, 65, 130, 257}) {
        for (const std::size_t q : std::initializer_list<std::size_t>{1, 7}) {
            CAPTURE(q, k);
            const auto queries = mixed_ids<TestType>(q, 1);
            auto keys = mixed_ids<TestType>(k, 2);
            oracle::require_words(xmask::keep_same_segment(queries, keys), equal(queries, keys));
            require_exact(xmask::keep_same_segment(queries, keys), false);
            std::sort(keys.begin(), keys.end());
            oracle::require_words(xmask::keep_same_segment(queries, keys), equal(queries, keys));
            require_exact(xmask::keep_same_segment(queries, keys), true);
            std::reverse(keys.begin(), keys.end());
            require_exact(xmask::keep_same_segment(queries, keys), true);
        }
    }
}

TEST_CASE("segments side by side need no order", "[patterns]") {
    // Two documents, then padding.
    const std::vector<int> ids = {7, 7, 7, 3, 3, -1, -1};
    const auto m = xmask::keep_same_segment(ids, ids);
    oracle::require_mask(m, equal(ids, ids));
    require_exact(m, true);
    // One of three segments is split; the others are still ranges.
    const std::vector<int> torn = {1, 2, 2, 1, 3};
    const auto n = xmask::keep_same_segment(torn, torn);
    oracle::require_mask(n, equal(torn, torn));
    REQUIRE(oracle::extent_of(n.row(0)) == xmask::column_range{0, 4});
    REQUIRE(oracle::solid_of(n.row(0)).size() == 0);
    REQUIRE(oracle::solid_of(n.row(1)) == xmask::column_range{1, 3});
    REQUIRE(oracle::solid_of(n.row(4)) == xmask::column_range{4, 5});
}

TEST_CASE("ids are compared by value, whatever their types", "[patterns]") {
    const std::vector<std::int32_t> queries = {-1, 0, 255, 7};
    const std::vector<std::uint32_t> keys = {0xffffffffu, 255, 0, 255};
    oracle::require_words(
        xmask::keep_same_segment(queries, keys), {0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0}
    );
    const std::vector<std::int64_t> wide = {256, -1, 255};
    const std::vector<std::uint8_t> narrow = {0, 255};
    oracle::require_words(xmask::keep_same_segment(wide, narrow), {0, 0, 0, 0, 0, 1});
    const std::vector<std::int64_t> ends = {std::numeric_limits<std::int64_t>::min(), -1, 0};
    const std::vector<std::uint64_t> large = {std::uint64_t(1) << 63, ~std::uint64_t(0), 0};
    oracle::require_words(xmask::keep_same_segment(ends, large), {0, 0, 0, 0, 0, 0, 0, 0, 1});
}

TEST_CASE("segments of a batch, in every layout", "[patterns]") {
    // The second row of the batch is sorted, the first is not.
    xt::xarray<int> keys = oracle::random<int>({2, 70});
    std::sort(keys.data() + 70, keys.data() + 140);
    const xt::xarray<int> queries = oracle::random<int>({2, 5}, 2);
    std::vector<char> expected;
    for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t i = 0; i < 5; ++i) {
            for (std::size_t j = 0; j < 70; ++j) {
                expected.push_back(queries(b, i) == keys(b, j));
            }
        }
    }
    oracle::for_each_layout(keys, [&](const auto& table, const char* layout) {
        INFO(layout);
        const auto m = xmask::keep_same_segment(queries, table);
        REQUIRE(m.dimension() == 3);
        oracle::require_words(m, expected);
    });
    oracle::for_each_layout(queries, [&](const auto& table, const char* layout) {
        INFO(layout);
        oracle::require_words(xmask::keep_same_segment(table, xt::xtensor<int, 2>(keys)), expected);
    });
    const xt::xtensor<int, 2> fixed_queries = queries;
    const auto m = xmask::keep_same_segment(fixed_queries, keys);
    REQUIRE(m.shape() == std::array<std::size_t, 3>{2, 5, 70});

    const auto scores = oracle::random<float>({2, 5, 70});
    const xt::xarray<float> filled = xmask::masked_fill(scores, m, -9.f);
    const auto x = oracle::elements(scores);
    const auto y = oracle::elements(filled);
    bool same = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
        same = same && oracle::same_bits(y[i], expected[i] != 0 ? x[i] : -9.f);
    }
    REQUIRE(same);
    REQUIRE(
        xmask::count_kept(m) ==
        static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 1))
    );
}

TEST_CASE("a segment ends with its row, though the next row goes on with its id", "[patterns]") {
    for (const std::size_t n : {1u, 3u, 63u, 64u, 65u, 130u}) {
        for (const bool mixed : {false, true}) {
            CAPTURE(n, mixed);
            xt::xtensor<int, 2> keys = xt::zeros<int>({std::size_t(3), n});
            for (std::size_t c = 0; c < n; ++c) {
                keys(0, c) = mixed && c % 3 == 1 ? 4 : 7;
                keys(1, c) = c == n / 2 ? 5 : 7;
                keys(2, c) = mixed && c % 2 == 1 ? 8 : 7;
            }
            const xt::xtensor<int, 2> queries = {{7, 4}, {7, 5}, {8, 7}};
            std::vector<char> expected;
            for (std::size_t batch = 0; batch < 3; ++batch) {
                for (std::size_t i = 0; i < 2; ++i) {
                    for (std::size_t c = 0; c < n; ++c) {
                        expected.push_back(keys(batch, c) == queries(batch, i));
                    }
                }
            }
            const auto m = xmask::keep_same_segment(queries, keys);
            oracle::require_mask(m, expected);
            require_exact(m, false);
        }
    }
}

TEST_CASE("segments without queries, keys or a batch", "[patterns]") {
    const auto none = xt::xtensor<int, 2>::from_shape({2, 0});
    const auto empty = xt::xtensor<int, 2>::from_shape({0, 3});
    const xt::xtensor<int, 2> some = {{1, 2}, {3, 4}};
    oracle::require_mask(xmask::keep_same_segment(none, some), {});
    oracle::require_mask(xmask::keep_same_segment(some, none), {});
    oracle::require_mask(xmask::keep_same_segment(empty, empty), {});
}

TEST_CASE("a mask of segments does not follow its tensors", "[patterns]") {
    xt::xtensor<int, 1> ids = {0, 0, 1};
    const auto m = xmask::keep_same_segment(ids, ids);
    ids(0) = 1;
    const auto copy = m;
    oracle::require_words(copy, {1, 1, 0, 1, 1, 0, 0, 0, 1});
}

TEST_CASE("segments of shapes that do not fit are refused", "[patterns]") {
    const xt::xtensor<int, 2> a = {{0, 1}};
    const xt::xtensor<int, 2> b = {{0}, {1}};
    REQUIRE_THROWS_MATCHES(
        xmask::keep_same_segment(a, b), std::invalid_argument,
        Message(
            "xmask::keep_same_segment: q_segments has shape (1, 2) and k_segments has shape (2, 1); expected "
            "(..., q) and (..., k), equal but for the last axis"
        )
    );
    REQUIRE_THROWS_AS(xmask::keep_same_segment(a, std::vector<int>{0, 1}), std::invalid_argument);
    REQUIRE_THROWS_AS(
        xmask::keep_same_segment(xt::xarray<int>(1), xt::xarray<int>(1)), std::invalid_argument
    );
}

TEST_CASE("many sorted segments are counted by their ranges", "[patterns]") {
    const std::size_t n = 65536;
    std::vector<std::int32_t> ids(n);
    for (std::size_t i = 0; i < n; ++i) {
        ids[i] = static_cast<std::int32_t>(i / 512);
    }
    REQUIRE(xmask::count_kept(xmask::keep_same_segment(ids, ids)) == n * 512);
}
