// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/spans.hpp>

using xmask::random_length;
using xmask::span_options;

namespace {
using spans_t = std::vector<xmask::column_range>;

/// The runs of kept columns of one row. With space between spans, these are the spans.
spans_t spans_of(const xmask::bitmask& m, std::size_t r) {
    spans_t spans;
    const auto cursor = m.row(r);
    const std::size_t n = oracle::columns_of(m.shape());
    for (std::size_t c = 0; c < n; ++c) {
        if (!oracle::keeps(cursor, c)) {
            continue;
        }
        if (spans.empty() || spans.back().end != c) {
            spans.push_back({c, c});
        }
        spans.back().end = c + 1;
    }
    return spans;
}

std::string text_of(const xmask::bitmask& m, std::size_t r) {
    std::string text;
    for (std::size_t c = 0; c < oracle::columns_of(m.shape()); ++c) {
        text += m(r, c) ? '1' : '0';
    }
    return text;
}

/// Fails unless each of the `ways` rows is equally frequent.
void require_all_ways(const xmask::bitmask& m, std::size_t ways) {
    std::map<std::string, double> rows;
    for (std::size_t r = 0; r < m.shape()[0]; ++r) {
        ++rows[text_of(m, r)];
    }
    REQUIRE(rows.size() == ways);
    std::vector<double> counts;
    for (const auto& [text, count] : rows) {
        counts.push_back(count);
    }
    chance::require_even(counts);
}
} // namespace

TEST_CASE("Spans of one length, as many as were asked for, apart", "[spans]") {
    for (const std::size_t n : {1u, 10u, 63u, 64u, 65u, 200u, 1500u}) {
        for (const std::size_t length : {1u, 3u, 10u, 64u, 100u}) {
            for (const std::size_t space : {1u, 2u, 70u}) {
                const std::size_t most = length > n ? 0 : (n - length) / (length + space) + 1;
                for (const std::size_t count :
                     {std::size_t(0), std::min<std::size_t>(1, most), most / 2, most}) {
                    CAPTURE(n, length, space, count);
                    const xmask::bitmask m = xmask::keep_spans(
                        {3, n}, {.count = count, .length = length, .min_space = space}, n + length
                    );
                    for (std::size_t r = 0; r < 3; ++r) {
                        const auto spans = spans_of(m, r);
                        bool right = spans.size() == count;
                        for (std::size_t i = 0; right && i < count; ++i) {
                            right = spans[i].size() == length &&
                                    (i == 0 || spans[i].begin >= spans[i - 1].end + space);
                        }
                        REQUIRE(right);
                    }
                }
            }
        }
    }
}

TEST_CASE("Every way to ask for spans gives the same bits", "[spans]") {
    const std::vector<span_options> all = {
        {.fraction = 0.65, .length = 10},
        {.fraction = 0.3, .length = 1, .min_space = 0},
        {.count = 1, .length = 1},
        {.fraction = 0.15, .length = random_length::geometric(0.2, 10)},
        {.fraction = 0.3, .length = random_length::poisson(3), .min_space = 4},
        {.fraction = 0.4, .length = random_length::uniform(1, 90)},
        {.fraction = 0.5, .length = 3, .exact = true},
    };
    for (const std::size_t n : {1u, 63u, 64u, 65u, 130u, 1000u}) {
        for (std::size_t k = 0; k < all.size(); ++k) {
            CAPTURE(n, k);
            if (!all[k].exact && all[k].length.shortest() > n) {
                REQUIRE_THROWS_AS(xmask::keep_spans({3, n}, all[k], 17), std::invalid_argument);
                continue;
            }
            const auto m = xmask::keep_spans({3, n}, all[k], 17);
            oracle::require_words(m, chance::one_by_one(m));
            chance::require_any_order(m);
        }
    }
    const auto m = xmask::keep_spans({2, 2, 130}, {.fraction = 0.4, .length = 5}, 3);
    oracle::require_mask(m, chance::one_by_one(m));
    REQUIRE(xmask::keep_spans({2, 0}, {.fraction = 0.5}, 1).size() == 0);
    REQUIRE(
        xmask::count_kept(
            xmask::keep_spans(std::vector<std::size_t>{}, {.count = 1, .length = 1}, 1)
        ) == 1
    );
}

TEST_CASE("Spans of known seeds", "[spans]") {
    // The drawn masks must be the same on every machine and in every version.
    const xmask::bitmask fixed = xmask::keep_spans({2, 30}, {.fraction = 0.3, .length = 4}, 1);
    REQUIRE(text_of(fixed, 0) == "000000000000000111100000001111");
    REQUIRE(text_of(fixed, 1) == "000000111100000000000000001111");
    const xmask::bitmask drawn =
        xmask::keep_spans({1, 30}, {.fraction = 0.4, .length = random_length::poisson(3)}, 1);
    REQUIRE(text_of(drawn, 0) == "010110000000000010011111000000");
    const xmask::bitmask exact =
        xmask::keep_spans({1, 30}, {.fraction = 0.4, .length = 3, .exact = true}, 1);
    REQUIRE(text_of(exact, 0) == "010110000000000111110001111000");
}

TEST_CASE("All arrangements of spans are equally likely", "[spans]") {
    // 3 spans of 2 in 12 columns, 1 apart: 4 free columns in 4 gaps, (7 over 3) ways.
    require_all_ways(xmask::keep_spans({7000, 12}, {.count = 3, .length = 2}, 1), 35);
    // 2 apart: 2 free columns, (5 over 3) ways.
    require_all_ways(
        xmask::keep_spans({4000, 12}, {.count = 3, .length = 2, .min_space = 2}, 1), 10
    );
    // Single columns that may touch are any 3 of 8.
    require_all_ways(
        xmask::keep_spans({8000, 8}, {.count = 3, .length = 1, .min_space = 0}, 1), 56
    );
    // 5 of 10 columns in 2 parts, (4 over 1) ways, with 4 free columns in 3 gaps, (6 over 2) ways.
    require_all_ways(
        xmask::keep_spans({8000, 10}, {.fraction = 0.5, .count = 2, .exact = true}, 1), 60
    );
}

TEST_CASE("A fraction of each row is right on average, whatever the lengths", "[spans]") {
    for (const auto& length :
         {random_length(10), random_length(7), random_length::uniform(1, 8),
          random_length::geometric(0.2, 10), random_length::poisson(3)}) {
        for (const double fraction : {0.05, 0.15, 0.4}) {
            // In short rows, too, which have one span or none.
            for (const std::size_t n : {30u, 150u}) {
                const auto m =
                    xmask::keep_spans({2000, n}, {.fraction = fraction, .length = length}, 6);
                const auto counts = xmask::count_kept(m, 1);
                double sum = 0;
                double squares = 0;
                for (const auto count : counts) {
                    sum += static_cast<double>(count);
                    squares += static_cast<double>(count * count);
                }
                const double mean = sum / 2000;
                const double sigma = std::sqrt((squares / 2000 - mean * mean) / 2000);
                CAPTURE(length.mean(), fraction, n, mean, sigma);
                // Some rows have no room for all of their long spans.
                REQUIRE(mean <= fraction * static_cast<double>(n) + 5 * sigma);
                REQUIRE(mean >= fraction * static_cast<double>(n) * 0.99 - 5 * sigma);
            }
        }
    }
}

TEST_CASE("Drawn lengths come as they are drawn", "[spans]") {
    const xmask::bitmask m = xmask::keep_spans(
        {2000, 200}, {.count = 5, .length = random_length::weighted({1, 0, 1, 1})}, 2
    );
    std::vector<double> counts(4);
    for (std::size_t r = 0; r < 2000; ++r) {
        const auto spans = spans_of(m, r);
        REQUIRE(spans.size() == 5);
        for (const auto& span : spans) {
            REQUIRE(span.size() <= 4);
            ++counts[span.size() - 1];
        }
    }
    REQUIRE(counts[1] == 0);
    chance::require_even({counts[0], counts[2], counts[3]});
}

TEST_CASE("Exact spans hold exactly the fraction", "[spans]") {
    for (const std::size_t n : {1u, 5u, 64u, 100u, 513u}) {
        for (const double fraction : {0., 0.15, 0.5, 0.8, 1.}) {
            const auto columns =
                static_cast<std::size_t>(std::llround(fraction * static_cast<double>(n)));
            for (const std::size_t length : {1u, 3u, 200u}) {
                CAPTURE(n, fraction, length);
                const xmask::bitmask m = xmask::keep_spans(
                    {10, n}, {.fraction = fraction, .length = length, .exact = true}, n
                );
                const auto wanted = std::max(
                    1., std::round(static_cast<double>(columns) / static_cast<double>(length))
                );
                const std::size_t count =
                    std::min({static_cast<std::size_t>(wanted), columns, n - columns + 1});
                for (std::size_t r = 0; r < 10; ++r) {
                    const auto spans = spans_of(m, r);
                    std::size_t held = 0;
                    for (const auto& span : spans) {
                        held += span.size();
                    }
                    REQUIRE(held == columns);
                    REQUIRE(spans.size() == count);
                }
            }
        }
    }
}

TEST_CASE("Spans of a padded batch lie within its sequences", "[spans]") {
    const xt::xtensor<int, 2> lengths = {{0, 3, 20}, {64, 65, 200}};
    const auto m = xmask::keep_spans(lengths, 200, {.count = 4, .length = 5}, 9);
    oracle::require_mask(m, chance::one_by_one(m));
    chance::require_any_order(m);
    // 4 spans of 5, 1 apart, take 23 columns.
    const std::vector<std::size_t> counts = {0, 0, 3, 4, 4, 4};
    const xmask::bitmask stored = m;
    for (std::size_t r = 0; r < 6; ++r) {
        const auto spans = spans_of(stored, r);
        REQUIRE(spans.size() == counts[r]);
        REQUIRE((spans.empty() || spans.back().end <= static_cast<std::size_t>(lengths.data()[r])));
        REQUIRE(oracle::extent_of(m.row(r)).end <= static_cast<std::size_t>(lengths.data()[r]));
    }
    // A row of a batch depends on its own length, and not on the padding.
    const xmask::bitmask padded =
        xmask::keep_spans({50, 50}, 90, {.fraction = 0.5, .length = 4}, 5);
    const xmask::bitmask bare = xmask::keep_spans({2, 50}, {.fraction = 0.5, .length = 4}, 5);
    for (std::size_t r = 0; r < 2; ++r) {
        REQUIRE(text_of(padded, r) == text_of(bare, r) + std::string(40, '0'));
    }
    // A table that is moved in is kept.
    const auto made = [] {
        return xmask::keep_spans(
            xt::xtensor<int, 1>{40, 10}, 40, {.fraction = 0.5, .length = 2}, 5
        );
    }();
    REQUIRE(xmask::count_kept(made) > 0);
    REQUIRE_THROWS_WITH(
        xmask::keep_spans({3, 41}, 40, {.fraction = 0.5}, 5),
        "xmask::keep_spans: length 41 of row 1 is outside of [0, 40]"
    );
}

TEST_CASE("Rows and seeds of spans are independent", "[spans]") {
    const xmask::bitmask m = xmask::keep_spans({200, 100}, {.fraction = 0.3, .length = 3}, 1);
    const xmask::bitmask other = xmask::keep_spans({200, 100}, {.fraction = 0.3, .length = 3}, 2);
    std::size_t both = 0;
    std::size_t next = 0;
    for (std::size_t r = 0; r < 200; ++r) {
        for (std::size_t c = 0; c < 100; ++c) {
            both += static_cast<std::size_t>(m(r, c) && other(r, c));
            next += static_cast<std::size_t>(m(r, c) && m((r + 1) % 200, c));
        }
    }
    // 9 in 100 of 20,000, with a standard deviation of 41 (and 3 times that for spans).
    for (const std::size_t common : {both, next}) {
        REQUIRE(common > 1500);
        REQUIRE(common < 2100);
    }
}

TEST_CASE("Spans that do not fit are refused where it is known", "[spans]") {
    REQUIRE_THROWS_WITH(
        xmask::keep_spans({2, 20}, {.count = 4, .length = 5}, 1),
        "xmask::keep_spans: 4 spans of 5 columns, with 1 between them, do not fit into rows of 20"
    );
    REQUIRE_NOTHROW(xmask::keep_spans({2, 23}, {.count = 4, .length = 5}, 1));
    REQUIRE_NOTHROW(xmask::keep_spans({2, 20}, {.count = 4, .length = 5, .min_space = 0}, 1));
    REQUIRE_THROWS_WITH(
        xmask::keep_spans({2, 20}, {.count = 4, .length = random_length::uniform(5, 6)}, 1),
        "xmask::keep_spans: 4 spans of 5 or more columns, with 1 between them, do not fit into rows of 20"
    );
    REQUIRE_THROWS_AS(
        xmask::keep_spans({2, 20}, {.fraction = 1, .length = 5}, 1), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::keep_spans(20, {.count = 2, .min_space = ~std::size_t(0)}, 1), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::keep_spans(20, {.count = 1, .length = ~std::size_t(0)}, 1), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(20, {.fraction = 0.5, .count = 11, .exact = true}, 1),
        "xmask::keep_spans: 11 spans that hold 10 columns, with 1 between them, do not fit into rows of 20"
    );
    // None fits, however few are wanted, and whatever lengths are drawn.
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(5, {.fraction = 0.01, .length = 10}, 1),
        "xmask::keep_spans: 1 spans of 10 columns, with 1 between them, do not fit into rows of 5"
    );
    REQUIRE_THROWS_AS(
        xmask::keep_spans(5, {.fraction = 0.5, .length = random_length::uniform(6, 9)}, 1),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::keep_spans({3, 3}, 5, {.fraction = 0.5, .length = 6}, 1), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(
            40, {.fraction = 1, .length = random_length::uniform(2, 3), .min_space = 9}, 1
        ),
        "xmask::keep_spans: 16 spans of 2 or more columns, with 9 between them, do not fit into rows of 40"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(20, {.fraction = 0.5, .count = 0, .exact = true}, 1),
        "xmask::keep_spans: 0 spans that hold 10 columns, with 1 between them, do not fit into rows of 20"
    );
    REQUIRE_FALSE(xmask::any_kept(xmask::keep_spans(5, {.fraction = 0, .length = 10}, 1)));
    REQUIRE(xmask::keep_spans({3, 0}, {.fraction = 0.5, .length = 10}, 1).size() == 0);
    REQUIRE_FALSE(xmask::any_kept(xmask::keep_spans(5, {.count = 0, .length = 10}, 1)));
    REQUIRE_NOTHROW(xmask::keep_spans(0, {.fraction = 0.5, .count = 0, .exact = true}, 1));
    // Counts that are rounded up at random, and long lengths, give fewer spans.
    REQUIRE(
        xmask::count_kept(xmask::keep_spans({20, 15}, {.fraction = 1, .length = 10}, 1)) == 200
    );
    const auto long_ones =
        xmask::keep_spans({50, 20}, {.count = 4, .length = random_length::uniform(4, 20)}, 1);
    REQUIRE(xmask::count_kept(long_ones) <= 50 * 20);
    REQUIRE(xmask::any_kept(long_ones));

    REQUIRE_THROWS_WITH(
        xmask::keep_spans(20, {.fraction = 1.5}, 1),
        "xmask::keep_spans: fraction is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(20, {.length = 2}, 1),
        "xmask::keep_spans: no fraction and no count; give one of them"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_spans(20, {.fraction = 0.5, .count = 3}, 1),
        "xmask::keep_spans: both a fraction and a count; give one of them"
    );
    REQUIRE_THROWS_AS(xmask::keep_spans(20, {.count = 3, .exact = true}, 1), std::invalid_argument);
}
