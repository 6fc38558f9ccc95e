// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <support/kinds.hpp>
#include <xmask/core/mask_rows.hpp>
#include <xmask/core/rows.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>

namespace detail = xmask::detail;
using detail::row_layout;

namespace {
/// Whether the cursor of all rows as one row agrees with the elements of the mask, in words and
/// stretches, in order and from any column.
template <class M, class S>
bool is_flat_row_of(const M& m, const S& shape, const std::vector<char>& expected) {
    const detail::mask_rows<M> rows(m, shape);
    const detail::row_plan plan(shape, rows.flat() ? row_layout::flat : row_layout::packed);
    bool right = true;
    std::size_t next = 0;
    std::mt19937 random(1);
    plan.for_each_row(
        rows, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end) {
            right = right && begin == next && end > begin;
            next = end;
            const auto check = [&](std::size_t c) {
                const std::size_t count = std::min<std::size_t>(64, end - c);
                right = right && (cursor.word(c) & xmask::first_bits(count)) ==
                                     oracle::word_of(expected, c, end);
            };
            for (const std::size_t first : {std::size_t(0), std::size_t(5)}) {
                for (std::size_t c = begin + first; c < end; c += 64) {
                    check(c);
                }
            }
            for (int i = 0; i < 50; ++i) {
                check(begin + random() % (end - begin));
            }
            for (std::size_t c = begin; c < end;) {
                const xmask::stretch ahead = detail::stretch_at(cursor, c);
                right = right && ahead.end > c;
                const bool kept = ahead.kind == xmask::stretch_kind::kept;
                for (const std::size_t last = std::min(ahead.end, end); right && c < last; ++c) {
                    right =
                        ahead.kind == xmask::stretch_kind::unknown || kept == (expected[c] != 0);
                }
                if (!right) {
                    break;
                }
            }
        }
    );
    return right && next == expected.size();
}

/// The layout in which a mask of a shape is walked with flat operands.
template <class M, class S>
row_layout layout_in(const M& m, const S& shape) {
    return detail::layout_of(detail::mask_rows<M>(m, shape), true);
}
} // namespace

TEST_CASE("the flat row of a mask holds the words of all rows", "[flat]") {
    for (const std::size_t n : {1u, 2u, 3u, 8u, 16u, 17u, 63u, 64u, 65u, 127u, 128u, 200u}) {
        CAPTURE(n);
        kinds::for_each(n, 7, [&](const auto& m) {
            REQUIRE(is_flat_row_of(m, m.shape(), oracle::elements(m)));
            REQUIRE(is_flat_row_of(!m, m.shape(), oracle::elements(!m)));
            // Broadcast over a leading axis.
            const std::vector<std::size_t> deep = {3, 4, n};
            auto thrice = oracle::elements(m);
            const auto once = thrice;
            thrice.insert(thrice.end(), once.begin(), once.end());
            thrice.insert(thrice.end(), once.begin(), once.end());
            REQUIRE(is_flat_row_of(m, deep, thrice));
        });
        const auto kept = oracle::random<bool>({4, 1}, 3);
        const auto column = xmask::keep_where(kept);
        std::vector<char> wide;
        for (std::size_t i = 0; i < 4 * n; ++i) {
            wide.push_back(kept(i / n, 0));
        }
        REQUIRE(is_flat_row_of(column, std::vector<std::size_t>{4, n}, wide));
    }
}

TEST_CASE("a flat row goes on where more rows follow than are put together at a time", "[flat]") {
    for (const std::size_t n : {1u, 5u, 8u, 16u, 24u, 32u, 63u, 64u, 65u, 100u}) {
        CAPTURE(n);
        const std::size_t rows = 3 * 4096 / n + 5;
        std::mt19937 random(7);
        std::vector<int> lengths(rows);
        std::generate(lengths.begin(), lengths.end(), [&] {
            return static_cast<int>(random() % (n + 1));
        });
        const std::vector<std::size_t> shape = {rows, n};
        const auto expect = [&](auto kept) {
            std::vector<char> expected(rows * n);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                expected[i] = kept(i % n, static_cast<std::size_t>(lengths[i / n]));
            }
            return expected;
        };
        const auto first = xmask::keep_lengths(lengths, n);
        const auto last = xmask::keep_last(lengths, n);
        const auto is_first = [](std::size_t c, std::size_t length) { return c < length; };
        const auto is_last = [&](std::size_t c, std::size_t length) { return c >= n - length; };
        REQUIRE(is_flat_row_of(first, shape, expect(is_first)));
        REQUIRE(is_flat_row_of(last, shape, expect(is_last)));
        REQUIRE(is_flat_row_of(xmask::bitmask(first), shape, expect(is_first)));
        REQUIRE(
            is_flat_row_of(first && !last, shape, expect([&](std::size_t c, std::size_t length) {
                               return is_first(c, length) && !is_last(c, length);
                           }))
        );
    }
}

TEST_CASE("short rows of one list each are not taken for one row", "[flat]") {
    for (const std::size_t n : {3u, 8u, 16u, 17u, 40u, 64u, 65u, 100u}) {
        CAPTURE(n);
        auto lists = xt::xtensor<std::size_t, 2>::from_shape({300, 2});
        auto points = xt::xtensor<std::size_t, 2>::from_shape({300, 2});
        std::vector<char> listed(300 * n);
        std::vector<char> pointed(300 * n);
        for (std::size_t r = 0; r < 300; ++r) {
            lists(r, 0) = r % n;
            lists(r, 1) = r * r % n;
            listed[r * n + r % n] = 1;
            listed[r * n + r * r % n] = 1;
            points(r, 0) = r / 2;
            points(r, 1) = r * 7 % n;
            pointed[r / 2 * n + r * 7 % n] = 1;
        }
        const auto m = xmask::keep_indices(lists, {std::size_t(300), n});
        const auto p = xmask::keep_points(points, {std::size_t(300), n});
        REQUIRE(is_flat_row_of(m, m.shape(), listed));
        REQUIRE(is_flat_row_of(p, p.shape(), pointed));
        oracle::require_mask(m, listed);
        oracle::require_mask(p, pointed);
        REQUIRE(
            xmask::count_kept(m) ==
            static_cast<std::size_t>(std::count(listed.begin(), listed.end(), 1))
        );
    }
}

TEST_CASE("rows that are all the same are packed once", "[flat]") {
    for (const std::size_t n : {1u, 3u, 8u, 32u, 63u, 64u, 65u, 200u, 512u, 1000u, 2048u}) {
        CAPTURE(n);
        const std::vector<std::size_t> shape = {3 * 4096 / n + 5, n};
        std::mt19937 random(3);
        std::vector<std::size_t> indices = {0, n - 1};
        std::vector<char> row(n);
        for (std::size_t k = 0; k < n / 2; ++k) {
            indices.push_back(random() % n);
        }
        for (const std::size_t c : indices) {
            row[c] = 1;
        }
        const auto expect = [&](auto&& kept) {
            std::vector<char> expected(shape[0] * n);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                expected[i] = kept(i / n, i % n);
            }
            return expected;
        };
        const auto listed = expect([&](std::size_t, std::size_t c) { return row[c] != 0; });
        const auto kept = xmask::keep_indices(indices, shape);
        REQUIRE(is_flat_row_of(kept, shape, listed));
        REQUIRE(is_flat_row_of(xmask::keep_indices(indices, n), shape, listed));
        REQUIRE(is_flat_row_of(!xmask::drop_indices(indices, shape), shape, listed));
        REQUIRE(is_flat_row_of(!xmask::drop_indices(indices, n), shape, listed));
        REQUIRE(is_flat_row_of(
            kept && xmask::drop_indices({n / 2}, n), shape,
            expect([&](std::size_t, std::size_t c) { return row[c] != 0 && c != n / 2; })
        ));
        REQUIRE(is_flat_row_of(
            kept && xmask::keep_lengths(std::vector{n / 2}, n), shape,
            expect([&](std::size_t, std::size_t c) { return row[c] != 0 && c < n / 2; })
        ));
        REQUIRE(layout_in(kept, shape) == row_layout::packed);
    }
    // Rows too long to be packed, and lists that drop much.
    const auto layout = [](const auto& m) { return layout_in(m, m.shape()); };
    REQUIRE(layout(xmask::keep_indices({0, 2048}, {4, 2049})) == row_layout::separate);
    REQUIRE(layout(xmask::keep_indices({3, 4}, {4, 200})) == row_layout::separate);
    REQUIRE(layout(xmask::drop_indices({3, 4}, {4, 200})) == row_layout::packed);
    REQUIRE(layout(xmask::drop_indices(std::vector<int>(), {4, 200})) == row_layout::packed);
    // One list for each row.
    REQUIRE(
        layout(xmask::keep_indices(xt::xtensor<int, 2>{{0, 199}, {0, 5}}, {2, 200})) ==
        row_layout::separate
    );
}

TEST_CASE("what is laid end to end already answers directly", "[flat]") {
    const auto x = oracle::random<float>({4, 6}, 1);
    const xt::xarray<float, xt::layout_type::column_major> turned = x;
    const auto lengths = xmask::keep_lengths({1, 2, 3, 4}, 6);
    const auto layout = [](const auto& m, std::vector<std::size_t> shape) {
        return layout_in(m, shape);
    };
    REQUIRE(layout(xmask::keep_above(x, 0.f), {4, 6}) == row_layout::flat);
    REQUIRE(layout(!xmask::keep_above(x, 0.f), {4, 6}) == row_layout::flat);
    REQUIRE(
        layout(xmask::keep_above(2.f * x, 0.f) || xmask::keep_none({4, 6}), {4, 6}) ==
        row_layout::flat
    );
    REQUIRE(layout(xmask::keep_above(x, 0.f), {2, 4, 6}) == row_layout::packed);
    REQUIRE(layout(xmask::keep_above(turned, 0.f), {4, 6}) == row_layout::packed);
    REQUIRE(layout(lengths, {4, 6}) == row_layout::packed);
    REQUIRE(layout(lengths && xmask::keep_above(x, 0.f), {4, 6}) == row_layout::packed);
    REQUIRE(layout(xmask::bitmask(lengths), {4, 6}) == row_layout::packed);
    REQUIRE(layout(xmask::bitmask(xmask::keep_all({4, 128})), {4, 128}) == row_layout::flat);
    REQUIRE(layout(xmask::keep_lengths({1, 2}, 512), {2, 512}) == row_layout::separate);
    REQUIRE(
        detail::layout_of(
            detail::mask_rows<std::decay_t<decltype(lengths)>>(lengths, lengths.shape()), false
        ) == row_layout::separate
    );
}

TEST_CASE("operands know whether their rows lie end to end", "[flat]") {
    const auto x = oracle::random<float>({2, 3, 5}, 1);
    const auto flat = [](const auto& e) {
        return detail::make_operand<float>(e, e.shape()).flat(detail::columns_of(e.shape()));
    };
    REQUIRE(flat(x));
    REQUIRE(flat(2.f * x + 1.f));
    REQUIRE(flat(xt::strided_view(x, {1, xt::ellipsis()})));
    REQUIRE_FALSE(flat(xt::strided_view(x, {xt::ellipsis(), xt::range(0, 4)})));
    REQUIRE_FALSE(flat(xt::strided_view(x, {xt::all(), 1, xt::all()})));
    REQUIRE(flat(xt::strided_view(x, {0, 1, xt::ellipsis()})));
    REQUIRE_FALSE(flat(xt::xarray<float, xt::layout_type::column_major>(x)));
    REQUIRE_FALSE(flat(x + xt::strided_view(x, {1, xt::ellipsis()})));
}
