// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/masks/run_lengths.hpp>
#include <xmask/masks/slices.hpp>
#include <xmask/masks/threshold.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"

/// @file
/// A mask made of masks knows the stretches that its parts know without a word. Its rows of 2^40
/// columns are counted at once; word by word this would take minutes.

namespace {
constexpr std::size_t n = std::size_t(1) << 40;

/// Fails unless all questions agree with the runs of kept columns of one row.
template <class M>
void require_runs(const M& m, const std::vector<xmask::column_range>& runs) {
    std::size_t count = 0;
    for (const auto& run : runs) {
        count += run.size();
    }
    REQUIRE(xmask::count_kept(m) == count);
    REQUIRE(xmask::any_kept(m) == !runs.empty());
    REQUIRE(xmask::all_kept(m) == (count == m.size()));
    REQUIRE(xmask::runs_of(m, 0) == runs);
    const auto first = runs.empty() ? -1 : static_cast<std::ptrdiff_t>(runs.front().begin);
    const auto last = runs.empty() ? -1 : static_cast<std::ptrdiff_t>(runs.back().end) - 1;
    REQUIRE(xmask::first_kept(m).flat(0) == first);
    REQUIRE(xmask::last_kept(m).flat(0) == last);
    REQUIRE(xmask::count_kept(m, -1).flat(0) == count);
}

/// The elements that the answers give, row by row.
template <class M>
std::vector<char> told(const M& m) {
    const std::size_t columns = oracle::columns_of(m.shape());
    std::vector<char> all(m.size());
    for (std::size_t r = 0; r < oracle::rows_of(m.shape()); ++r) {
        for (const auto& [begin, end] : xmask::runs_of(m, r)) {
            for (std::size_t c = begin; c < end; ++c) {
                all[r * columns + c] = 1;
            }
        }
    }
    return all;
}

/// Fails unless the mask answers every question as its elements do.
template <class M>
void require_consistent(const M& m) {
    const auto expected = oracle::elements(m);
    oracle::require_words(m, expected);
    REQUIRE(told(m) == expected);
    const auto kept = static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 1));
    REQUIRE(xmask::count_kept(m) == kept);
    // In registers, over a larger operand, too.
    const auto x = oracle::random<float>(m.shape(), 5);
    xt::xarray<float> y = xmask::masked_fill(x, m, 9.f);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        REQUIRE(y.flat(i) == (expected[i] != 0 ? x.flat(i) : 9.f));
    }
}

/// Calls f with masks made of m, of shape (4, columns), by each operation.
template <class M, class F>
void for_each_derived(const M& m, std::size_t columns, F&& f) {
    const auto shift = static_cast<std::ptrdiff_t>(columns / 3);
    const auto edge = xmask::keep_ranges(
        std::vector<std::size_t>{0, columns / 4, columns / 2, columns},
        std::vector<std::size_t>{columns / 2, columns / 2, columns, columns}, columns
    );
    f(!m);
    f(m && edge);
    f(m || edge);
    f(m ^ edge);
    f(xmask::shift(m, shift));
    f(xmask::shift(m, -shift));
    f(xmask::mask_slice(m, 1, columns / 5, columns - columns / 7));
    f(xmask::mask_slice(m, 0, 1, 3));
    f(xmask::mask_slice(m, 0, 2));
    f(xmask::mask_slice(m, 1, 0));
    f(xmask::unsqueeze(m, 0));
    f(xmask::unsqueeze(m, 1));
    f(xmask::unsqueeze(m, 2));
    f(m && xmask::mask_slice(m, 1, 0, 1)); // one column, broadcast to all
}
} // namespace

TEST_CASE("What combines masks of 2^40 columns keeps what they know", "[structure]") {
    const auto head = xmask::keep_lengths({5}, n);
    const auto tail = xmask::keep_last({7}, n);
    const auto middle = xmask::keep_ranges({100}, {n - 100}, n);
    const auto none = xmask::keep_lengths({0}, n);
    require_runs(!head, {{5, n}});
    require_runs(!tail, {{0, n - 7}});
    require_runs(!middle, {{0, 100}, {n - 100, n}});
    require_runs(!none, {{0, n}});
    require_runs(!!head, {{0, 5}});
    require_runs(!!none, {});
    require_runs(!xmask::keep_all({1, n}), {});
    require_runs(head || tail, {{0, 5}, {n - 7, n}});
    require_runs(head && tail, {});
    require_runs(head ^ middle, {{0, 5}, {100, n - 100}});
    require_runs(!head ^ middle, {{5, 100}, {n - 100, n}});
    require_runs(!(head || middle) && !tail, {{5, 100}, {n - 100, n - 7}});
    require_runs(xmask::shift(!head, 3), {{8, n}});
    require_runs(xmask::shift(!tail, -3), {{0, n - 10}});
    require_runs(!xmask::shift(middle, 50), {{0, 150}, {n - 50, n}});
    require_runs(xmask::unsqueeze(!middle, 0), {{0, 100}, {n - 100, n}});
    require_runs(xmask::unsqueeze(head || tail, 1), {{0, 5}, {n - 7, n}});
    require_runs(!xmask::unsqueeze(head || tail, 1), {{5, n - 7}});
}

TEST_CASE("Slices and broadcasts of 2^40 columns keep what their mask knows", "[structure]") {
    const auto middle = xmask::keep_ranges({100}, {n - 100}, n);
    require_runs(xmask::mask_slice(!middle, 1, 50, n - 20), {{0, 50}, {n - 150, n - 70}});
    require_runs(!xmask::mask_slice(middle, 1, 50, n - 20), {{0, 50}, {n - 150, n - 70}});
    require_runs(xmask::mask_slice(!middle, 0, 0, 1), {{0, 100}, {n - 100, n}});
    require_runs(xmask::mask_slice(!middle, 0, 0), {{0, 100}, {n - 100, n}});
    require_runs(!xmask::mask_slice(!middle, 0, 0), {{100, n - 100}});
    // One column, broadcast to all, beside one row, broadcast to many.
    const auto rows = xmask::unsqueeze(xmask::keep_indices({1}, 3), 1);
    REQUIRE(xmask::count_kept(rows && !middle) == 200);
    REQUIRE(xmask::count_kept(rows || middle) == n + 2 * (n - 200));
    REQUIRE(xmask::count_kept(!rows ^ middle) == 2 * 200 + n - 200);
    const auto last = xmask::last_kept(rows || middle);
    REQUIRE(last(0) == static_cast<std::ptrdiff_t>(n) - 101);
    REQUIRE(last(1) == static_cast<std::ptrdiff_t>(n) - 1);
}

TEST_CASE("Flat rows and run lengths of 2^40 columns know their runs", "[structure]") {
    REQUIRE(xmask::count_kept(!xmask::keep_none({3, n})) == 3 * n);
    REQUIRE(xmask::count_kept(!xmask::keep_all({3, n}) || xmask::keep_all({3, n})) == 3 * n);
    const auto runs =
        xmask::keep_run_lengths(std::vector<std::size_t>{5, n, 10, 20, n - 35}, {2, n});
    REQUIRE(xmask::count_kept(runs) == n + 20);
    REQUIRE(xmask::count_kept(!runs) == n - 20);
    REQUIRE(xmask::count_kept(xmask::unsqueeze(runs, 1)) == n + 20);
    REQUIRE(xmask::runs_of(runs, 1) == std::vector<xmask::column_range>{{0, 5}, {15, 35}});
    REQUIRE(
        xmask::run_lengths_of(!runs).counts == std::vector<std::size_t>{0, 5, n, 10, 20, n - 35}
    );
}

TEST_CASE("Masks made of masks answer every question as their elements do", "[structure]") {
    for (const std::size_t columns : {1u, 8u, 64u, 70u, 200u}) {
        CAPTURE(columns);
        kinds::for_each(columns, 3, [&](const auto& m) {
            require_consistent(m);
            for_each_derived(m, columns, [](const auto& derived) { require_consistent(derived); });
        });
        const auto runs = xmask::keep_run_lengths(
            std::vector<std::size_t>{
                columns / 2, columns / 3 + columns, 0, columns / 4, columns / 5, columns / 6,
                4 * columns - columns / 2 - columns / 3 - columns - columns / 4 - columns / 5 -
                    columns / 6
            },
            {4, columns}
        );
        require_consistent(runs);
        for_each_derived(runs, columns, [&](const auto& derived) {
            require_consistent(derived);
            require_consistent(!xmask::unsqueeze(derived, 0));
        });
    }
}

TEST_CASE("Elements become rows of one column, of rows too long to be packed", "[structure]") {
    // At most 4096 columns are packed. Longer rows, with each element as a row.
    for (const std::size_t columns : {std::size_t(63), std::size_t(200), std::size_t(4097)}) {
        const std::vector<std::size_t> shape = {2, columns};
        const auto m = xmask::shift(xmask::keep_indices({1, 60}, shape), 1);
        std::vector<char> expected(2 * columns);
        for (const std::size_t kept : {std::size_t(2), std::size_t(61)}) {
            expected[kept] = expected[columns + kept] = 1;
        }
        oracle::require_mask(xmask::unsqueeze(m, -1), expected);
        const xt::xarray<float> x = xt::ones<float>({std::size_t(2), columns, std::size_t(1)});
        const xt::xarray<float> y = xmask::masked_fill(x, xmask::unsqueeze(m, -1), 0);
        REQUIRE(std::equal(expected.begin(), expected.end(), y.begin(), [](char kept, float value) {
            return float(kept) == value;
        }));
        REQUIRE(xmask::count_kept(xmask::unsqueeze(m, -1)) == 4);
    }
}

TEST_CASE("One column that stands for all gives no registers of its neighbours", "[structure]") {
    for (const std::size_t columns : {64u, 200u}) {
        const auto x = oracle::random<float>({6, columns}, 2);
        const auto y = oracle::random<float>({6, columns}, 3);
        const auto above = xmask::keep_above(x, 0);
        const auto first = xmask::mask_slice(xmask::keep_above(y, 0), 1, 0, 1);
        std::vector<char> one_of(x.size());
        std::vector<char> either(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
            const bool of_row = y.flat(i / columns * columns) > 0;
            one_of[i] = (x.flat(i) > 0) != of_row;
            either[i] = x.flat(i) > 0 || !of_row;
        }
        const auto check = [&](const auto& m, const std::vector<char>& expected) {
            oracle::require_mask(m, expected);
            require_consistent(m);
        };
        check(above ^ first, one_of);
        check(first ^ above, one_of);
        check(above || !first, either);
    }
}
