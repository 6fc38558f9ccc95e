// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"

namespace {
/// The answers for each row, by a loop over the elements.
struct row_answer {
    std::vector<xmask::column_range> runs;
    std::size_t count = 0;
    std::ptrdiff_t first = -1;
    std::ptrdiff_t last = -1;
};

std::vector<row_answer> answers(const std::vector<char>& all, std::size_t n) {
    std::vector<row_answer> rows(all.size() / (n == 0 ? 1 : n));
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& row = rows[i / n];
        const std::size_t c = i % n;
        if (all[i] == 0) {
            continue;
        }
        ++row.count;
        row.first = row.first < 0 ? static_cast<std::ptrdiff_t>(c) : row.first;
        row.last = static_cast<std::ptrdiff_t>(c);
        if (!row.runs.empty() && row.runs.back().end == c) {
            ++row.runs.back().end;
        } else {
            row.runs.push_back({c, c + 1});
        }
    }
    return rows;
}

template <class M>
std::vector<row_answer> answers(const M& m) {
    return answers(oracle::elements(m), m.shape().back());
}
} // namespace

TEST_CASE("count_kept counts the elements that are kept", "[ask]") {
    REQUIRE(xmask::count_kept(xmask::keep_lengths({3, 1}, 4)) == 4);
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        const auto b = oracle::random<bool>({3, n}, 8);
        const auto all = oracle::elements(b);
        const auto expected = static_cast<std::size_t>(std::count(all.begin(), all.end(), 1));
        REQUIRE(xmask::count_kept(xmask::keep_where(b)) == expected);
        REQUIRE(xmask::count_kept(xmask::drop_where(b)) == 3 * n - expected);
        REQUIRE(xmask::count_kept(xmask::keep_all({3, n})) == 3 * n);
        REQUIRE(xmask::count_kept(xmask::keep_none({3, n})) == 0);
        // Ranges with any begin and end.
        for (const std::size_t length : {n, n / 2, n / 3, std::size_t(0)}) {
            REQUIRE(xmask::count_kept(xmask::keep_last({length}, n)) == length);
            REQUIRE(xmask::count_kept(xmask::keep_lengths({length}, n)) == length);
        }
        if (n > 2) {
            REQUIRE(xmask::count_kept(xmask::keep_indices({n - 1, std::size_t(1)}, {5, n})) == 10);
        }
    }
    REQUIRE(xmask::count_kept(xmask::keep_all({0, 3})) == 0);
    REQUIRE(xmask::count_kept(xmask::keep_all({})) == 1);
    REQUIRE(xmask::count_kept(xmask::keep_none({})) == 0);
}

TEST_CASE("density is the share that is kept", "[ask]") {
    REQUIRE(xmask::density(xmask::keep_lengths({3, 1}, 4)) == 0.5);
    REQUIRE(xmask::density(xmask::keep_all({2, 3})) == 1);
    REQUIRE(xmask::density(xmask::keep_none({2, 3})) == 0);
    REQUIRE(std::isnan(xmask::density(xmask::keep_all({2, 0}))));
    REQUIRE(std::isnan(xmask::density(xmask::keep_all({0, 2}))));
}

TEST_CASE("rows answer where they keep", "[ask]") {
    for (const std::size_t n : {1u, 5u, 63u, 64u, 65u, 200u}) {
        CAPTURE(n);
        const auto check = [&](const auto& m) {
            const auto expected = answers(m);
            const auto counts = xmask::count_kept(m, -1);
            const auto any = xmask::any_kept(m, -1);
            const auto all = xmask::all_kept(m, {1});
            const auto first = xmask::first_kept(m);
            const auto last = xmask::last_kept(m);
            std::vector<std::size_t> empty;
            bool right = true;
            for (std::size_t r = 0; r < expected.size(); ++r) {
                right =
                    right && counts(r) == expected[r].count && any(r) == (expected[r].count != 0);
                right = right && all(r) == (expected[r].count == n) &&
                        xmask::runs_of(m, r) == expected[r].runs;
                right = right && first(r) == expected[r].first && last(r) == expected[r].last;
                if (expected[r].count == 0) {
                    empty.push_back(r);
                }
            }
            REQUIRE(right);
            REQUIRE(xmask::empty_rows(m) == empty);
            const auto total = xmask::count_kept(m);
            REQUIRE(xmask::any_kept(m) == (total != 0));
            REQUIRE(xmask::all_kept(m) == (total == m.size()));
            const auto bits = oracle::elements(m);
            const auto columns = xmask::count_kept(m, 0);
            for (std::size_t c = 0; c < n; ++c) {
                std::size_t kept = 0;
                for (std::size_t r = 0; r < expected.size(); ++r) {
                    kept += static_cast<std::size_t>(bits[r * n + c]);
                }
                right = right && columns(c) == kept;
            }
            REQUIRE(right);
        };
        kinds::for_each(n, 3, check);
        check(xmask::keep_all({4, n}));
        check(xmask::keep_none({4, n}));
        check(
            xmask::keep_last({n, n / 2, std::size_t(0), n / 3}, n) &&
            xmask::drop_indices({n / 2}, n)
        );
        check(
            xmask::keep_lengths({n, n / 2, std::size_t(0), n / 3}, n) ||
            xmask::keep_indices({n - 1}, n)
        );
    }
}

TEST_CASE("answers along several axes", "[ask]") {
    const auto b = oracle::random<bool>({2, 3, 4}, 5);
    const auto m = xmask::keep_where(b);
    const xt::xarray<std::size_t> counts = xmask::count_kept(m, {0, 2});
    REQUIRE(counts.dimension() == 1);
    for (std::size_t j = 0; j < 3; ++j) {
        const xt::xarray<bool> slice = xt::view(b, xt::all(), j, xt::all());
        const auto all = oracle::elements(slice);
        REQUIRE(counts(j) == static_cast<std::size_t>(std::count(all.begin(), all.end(), 1)));
    }
    REQUIRE(xmask::count_kept(m, {0, 1, 2})() == xmask::count_kept(m));
    REQUIRE(xmask::any_kept(xmask::keep_none({2, 0}), 1).size() == 2);
    REQUIRE_FALSE(xmask::any_kept(xmask::keep_none({2, 0}), 1)(1));
    REQUIRE(xmask::all_kept(xmask::keep_none({2, 0}), 1)(1));
    REQUIRE(xmask::all_kept(xmask::keep_none({2, 0})));
    REQUIRE_THROWS_AS(xmask::count_kept(m, 3), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::runs_of(m, 6), std::out_of_range);
}

namespace {
/// The elements of each line along an axis, in row-major order of the other axes.
std::vector<std::vector<char>> lines_of(
    const std::vector<char>& all, const std::vector<std::size_t>& shape, std::size_t axis
) {
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < shape.size(); ++a) {
        inner *= shape[a];
    }
    std::vector<std::vector<char>> lines(all.size() / std::max<std::size_t>(shape[axis], 1));
    for (std::size_t i = 0; i < all.size(); ++i) {
        lines[i / inner / shape[axis] * inner + i % inner].push_back(all[i]);
    }
    return lines;
}

/// Fails unless a mask gives the kept positions of each line along each axis.
template <class M>
void require_lines(const M& m) {
    const auto all = oracle::elements(m);
    const std::vector<std::size_t> shape(m.shape().begin(), m.shape().end());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const auto from_end =
            static_cast<std::ptrdiff_t>(axis) - static_cast<std::ptrdiff_t>(shape.size());
        const auto first = xmask::first_kept(m, axis);
        const auto last = xmask::last_kept(m, from_end);
        REQUIRE(first.dimension() == shape.size() - 1);
        const auto lines = lines_of(all, shape, axis);
        REQUIRE(first.size() == lines.size());
        bool right = true;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto expected = answers(lines[i], lines[i].size())[0];
            right = right && first.flat(i) == expected.first && last.flat(i) == expected.last;
            right = right && xmask::runs_of(m, i, axis) == expected.runs &&
                    xmask::runs_of(m, i, from_end) == expected.runs;
        }
        CAPTURE(shape.size(), axis);
        REQUIRE(right);
        REQUIRE_THROWS_AS(xmask::runs_of(m, lines.size(), axis), std::out_of_range);
    }
}
} // namespace

TEST_CASE("lines along any axis answer where they keep", "[ask]") {
    for (const auto& shape : std::vector<std::vector<std::size_t>>{
             {7}, {3, 70}, {130, 2}, {2, 3, 65}, {2, 3, 4, 5}, {3, 1, 2}
         }) {
        const auto b = oracle::random<bool>(shape, 9);
        require_lines(xmask::keep_where(b));
        require_lines(xmask::keep_where(b) && xmask::keep_where(oracle::random<bool>(shape, 4)));
        require_lines(xmask::keep_all(shape));
        require_lines(!xmask::keep_all(shape));
    }
    const xt::xtensor<int, 2> lengths = {{3, 0}, {70, 65}};
    require_lines(!xmask::keep_lengths(lengths, 70));
    // Lines without elements keep nothing. Without lines there is no answer.
    const auto empty = xmask::keep_all({3, 0, 2});
    REQUIRE(
        xmask::first_kept(empty, 1) == xt::xarray<std::ptrdiff_t>{{-1, -1}, {-1, -1}, {-1, -1}}
    );
    REQUIRE(xmask::last_kept(empty, 0).size() == 0);
    REQUIRE(xmask::runs_of(empty, 5, 1).empty());
    REQUIRE_THROWS_WITH(xmask::runs_of(empty, 6, 1), "xmask::runs_of: line 6 is outside of [0, 6)");
    REQUIRE_THROWS_AS(xmask::runs_of(empty, 0, 0), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::first_kept(empty, 3), "xmask::first_kept: axis 3 is outside of [-3, 3)"
    );
    REQUIRE_THROWS_WITH(
        xmask::last_kept(empty, -4), "xmask::last_kept: axis -4 is outside of [-3, 3)"
    );
    REQUIRE(xmask::first_kept(xmask::keep_all({}), 0)() == 0);
    REQUIRE(xmask::last_kept(xmask::keep_none({}), -1)() == -1);
    REQUIRE(xmask::runs_of(xmask::keep_all({}), 0, 0).size() == 1);
    const auto wide = !xmask::keep_lengths({5}, std::size_t(1) << 40);
    REQUIRE(xmask::first_kept(wide, -1)(0) == 5);
    REQUIRE(xmask::last_kept(wide, 1)(0) == (std::ptrdiff_t(1) << 40) - 1);
}

TEST_CASE("lengths come back from a mask of prefixes", "[ask]") {
    const xt::xtensor<int, 2> lengths = {{3, 0, 70}, {64, 65, 1}};
    const auto back = xmask::lengths_of(xmask::keep_lengths(lengths, 70));
    REQUIRE(back == xt::cast<std::size_t>(lengths));
    REQUIRE(
        xmask::lengths_of(xmask::keep_where(xt::xarray<bool>(xmask::keep_lengths(lengths, 70)))) ==
        back
    );
    REQUIRE_THROWS_WITH(
        xmask::lengths_of(xmask::keep_last({4, 2}, 4)),
        "xmask::lengths_of: row 1 keeps column 2 behind one that it drops; expected rows that keep their first columns only"
    );
    REQUIRE_THROWS_WITH(
        xmask::lengths_of(xmask::drop_indices({1}, {1, 4})),
        "xmask::lengths_of: row 0 keeps column 2 behind one that it drops; expected rows that keep their first columns only"
    );
}

TEST_CASE("Counts along columns of many rows", "[ask]") {
    // More rows than a counter of eight bits holds, and words that do not begin with a column 64.
    const xt::xtensor<int, 1> lengths = 69 * xt::ones<int>({600});
    const auto counts = xmask::count_kept(xmask::keep_lengths(lengths, 70), 0);
    for (std::size_t c = 0; c < 70; ++c) {
        REQUIRE(counts(c) == (c < 69 ? 600 : 0));
    }
}

TEST_CASE("Answers of a mask whose rank is in its type have theirs in their type", "[ask]") {
    const auto m = xmask::keep_lengths({2, 0}, 3);
    const auto counts = xmask::count_kept(m, -1);
    STATIC_REQUIRE(std::is_same_v<decltype(counts), const xt::xtensor<std::size_t, 1>>);
    REQUIRE(counts == xt::xtensor<std::size_t, 1>{2, 0});
    const auto any = xmask::any_kept(m, std::array{0, 1});
    STATIC_REQUIRE(std::is_same_v<decltype(any), const xt::xtensor<bool, 0>>);
    REQUIRE(any());
    const auto first = xmask::first_kept(m, 0);
    STATIC_REQUIRE(std::is_same_v<decltype(first), const xt::xtensor<std::ptrdiff_t, 1>>);
    REQUIRE(first == xt::xtensor<std::ptrdiff_t, 1>{0, 0, -1});
    const auto lengths = xmask::lengths_of(m);
    STATIC_REQUIRE(std::is_same_v<decltype(lengths), const xt::xtensor<std::size_t, 1>>);
    REQUIRE(lengths == counts);
}
