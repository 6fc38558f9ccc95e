// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/explain.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/slices.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

namespace {
/// The elements of `all`, of a shape, whose index along an axis is in [begin, end).
std::vector<char> part_of(
    const std::vector<char>& all, const extents& shape, std::size_t axis, std::size_t begin,
    std::size_t end
) {
    std::size_t inner = 1;
    for (std::size_t a = axis + 1; a < shape.size(); ++a) {
        inner *= shape[a];
    }
    std::vector<char> part;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t at = i / inner % shape[axis];
        if (at >= begin && at < end) {
            part.push_back(all[i]);
        }
    }
    return part;
}

/// Fails unless slices of a mask, along every axis, have the expected elements.
template <class M>
void require_slices(const M& m) {
    const extents shape(m.shape().begin(), m.shape().end());
    const auto all = oracle::elements(m);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const std::size_t n = shape[axis];
        for (const std::size_t begin : {std::size_t(0), n / 3, n / 2, n}) {
            for (const std::size_t end : {begin, (begin + n + 1) / 2, n}) {
                CAPTURE(axis, begin, end);
                const auto slice = xmask::mask_slice(m, axis, begin, end);
                extents expected = shape;
                expected[axis] = end - begin;
                REQUIRE(oracle::equal_shapes(slice.shape(), expected));
                oracle::require_words(slice, part_of(all, shape, axis, begin, end));
            }
        }
        if (n != 0) {
            for (const std::size_t index : {std::size_t(0), n / 2, n - 1}) {
                CAPTURE(axis, index);
                const auto slice = xmask::mask_slice(m, axis, index);
                extents expected = shape;
                expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(axis));
                REQUIRE(oracle::equal_shapes(slice.shape(), expected));
                oracle::require_words(slice, part_of(all, shape, axis, index, index + 1));
            }
        }
    }
}
} // namespace

TEST_CASE("Slices along every axis, of masks of any rank", "[slices]") {
    for (const extents& shape : std::vector<extents>{
             {1},
             {130},
             {3, 65},
             {70, 3},
             {2, 3, 67},
             {3, 2, 1},
             {2, 1, 4, 3},
             {2, 3, 2, 2, 5},
             {0, 3},
             {3, 0},
             {2, 0, 3}
         }) {
        CAPTURE(shape.size(), shape.back());
        const auto b = oracle::random<bool>(shape, 7);
        require_slices(xmask::keep_where(b));
    }
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        require_slices(xmask::keep_where(oracle::random<bool>({2, n}, 8)));
    }
}

TEST_CASE("Slices of every kind of mask answer in words and extents", "[slices]") {
    for (const std::size_t n : {1u, 64u, 150u}) {
        CAPTURE(n);
        for (const xmask::bitmask& m : kinds::stored(n, 5)) {
            require_slices(m);
        }
        require_slices(xmask::keep_lengths({std::size_t(0), n / 2, n}, n));
        require_slices(xmask::keep_window(5, n, 2, 1, 1));
        // Broadcast masks, also of one column.
        require_slices(
            xmask::unsqueeze(xmask::keep_lengths({1, 0, 1}, 1), -1) && xmask::keep_causal(3, n)
        );
    }
    oracle::require_mask(
        xmask::mask_slice(xmask::mask_slice(xmask::keep_causal(4, 4), 0, 2, 4), -1, 1, 4),
        {1, 1, 0, 1, 1, 1}
    );
    oracle::require_mask(xmask::mask_slice(xmask::keep_causal(3, 4), 0, 1), {1, 1, 0, 0});
    oracle::require_mask(xmask::mask_slice(xmask::keep_causal(3, 4), -1, 1), {0, 1, 1});
    oracle::require_mask(xmask::mask_slice(xmask::keep_last({2}, 3), 0, 0), {0, 1, 1});
    oracle::require_mask(
        xmask::mask_slice(xmask::mask_slice(xmask::keep_last({2}, 3), 0, 0), 0, 2), {1}
    );
}

TEST_CASE("A slice of a combination is the combination of slices", "[slices]") {
    for (const std::size_t n : {1u, 63u, 130u}) {
        const auto masks = kinds::stored(n, 11);
        for (std::size_t i = 0; i + 1 < masks.size(); ++i) {
            const xmask::bitmask& a = masks[i];
            const xmask::bitmask& b = masks[i + 1];
            const auto distributes = [&](auto&& slice) {
                using stored = xmask::bitmask;
                REQUIRE(stored(slice(a && b)) == stored(slice(a) && slice(b)));
                REQUIRE(stored(slice(a || b)) == stored(slice(a) || slice(b)));
                REQUIRE(stored(slice(a ^ b)) == stored(slice(a) ^ slice(b)));
                REQUIRE(stored(slice(!a)) == stored(!slice(a)));
            };
            distributes([](auto&& m) {
                return xmask::mask_slice(std::forward<decltype(m)>(m), 0, 1, 3);
            });
            distributes([&](auto&& m) {
                return xmask::mask_slice(std::forward<decltype(m)>(m), 1, n / 3, n);
            });
            distributes([](auto&& m) {
                return xmask::mask_slice(std::forward<decltype(m)>(m), 0, 2);
            });
            distributes([&](auto&& m) {
                return xmask::mask_slice(std::forward<decltype(m)>(m), 1, n / 2);
            });
        }
    }
}

TEST_CASE("A slice along the last axis is a shift", "[slices]") {
    const std::size_t n = 200;
    const auto x = oracle::random<float>({4, n}, 3);
    const auto m = xmask::keep_above(x, 0.5);
    const auto shifted = xmask::mask_slice(xmask::shift(m, -70), -1, 0, n - 70);
    REQUIRE(xmask::bitmask(xmask::mask_slice(m, -1, 70, n)) == xmask::bitmask(shifted));
}

TEST_CASE("Slices of a cache of keys and values are causal masks themselves", "[slices]") {
    const std::size_t n = 65536;
    const auto causal = xmask::keep_causal(n, n);
    // The new queries, and the keys that are still in the cache.
    const auto last = xmask::mask_slice(causal, 0, n - 3, n);
    REQUIRE(xmask::bitmask(last) == xmask::bitmask(xmask::keep_causal_bottom_right(3, n)));
    REQUIRE(
        xmask::bitmask(xmask::mask_slice(last, 1, n - 100, n)) ==
        xmask::bitmask(xmask::keep_causal_bottom_right(3, 100))
    );
    REQUIRE(
        oracle::solid_of(xmask::mask_slice(last, 1, 0, n - 3).row(0), n - 3) ==
        xmask::column_range{0, n - 3}
    );
    REQUIRE(
        xmask::count_kept(xmask::mask_slice(causal, 1, 0, n / 2)) ==
        n / 2 * (n / 2 + 1) / 2 + n / 2 * (n / 2)
    );
}

namespace {
/// A causal window that counts the words it is asked for.
struct counted_window {
    using shape_type = std::array<std::size_t, 2>;

    struct cursor {
        xmask::column_range kept;
        std::size_t* words;

        std::uint64_t word(std::size_t c) const {
            ++*words;
            return xmask::range_word(kept, c);
        }

        xmask::stretch at(std::size_t c) const {
            const bool before = c < kept.begin;
            const std::size_t end = before ? kept.begin : c < kept.end ? kept.end : c + 100000;
            return {
                end,
                !before && c < kept.end ? xmask::stretch_kind::kept : xmask::stretch_kind::dropped
            };
        }
    };

    const shape_type& shape() const { return extents; }

    cursor row(std::size_t r) const {
        ++*rows;
        return {{r < 1000 ? 0 : r - 1000, r + 1}, words};
    }

    shape_type extents;
    std::size_t* words;
    std::size_t* rows;
};
} // namespace

TEST_CASE("A row of a large mask costs a row", "[slices]") {
    const std::size_t n = 65536;
    std::size_t words = 0;
    std::size_t rows = 0;
    const xmask::mask window(counted_window{{n, n}, &words, &rows});
    // One row: as many words as its range of 1001 columns takes, and no other row.
    const xt::xtensor<bool, 1> row = xmask::mask_slice(window, 0, n - 1);
    REQUIRE(rows == 1);
    REQUIRE(words <= 18);
    REQUIRE(std::count(row.begin(), row.end(), true) == 1001);
    words = rows = 0;
    REQUIRE(xmask::count_kept(xmask::mask_slice(window, 0, 40000)) == 1001);
    REQUIRE(rows == 1);
    REQUIRE(words <= 17);
    // The same for a combination, and for a range of rows and columns.
    words = rows = 0;
    const auto part =
        xmask::mask_slice(xmask::mask_slice(!window && xmask::keep_all(n), 0, 500, 502), 1, 0, 640);
    REQUIRE(xmask::count_kept(part) == 139 + 138);
    REQUIRE(rows == 2);
    REQUIRE(words <= 20);
    const auto why = xmask::explain(xmask::mask_slice(part, 1, 600, 610), {1, 5});
    REQUIRE(why.terms.at(0).index == extents{1, 605});
    REQUIRE(why.terms[0].terms.at(0).terms.at(0).index == extents{501, 605});
    REQUIRE(why.decided_by() == std::vector<std::string>{"mask", "keep_all"});
    REQUIRE(
        xmask::explain(xmask::mask_slice(window, 1, 7), {3}).terms.at(0).index == extents{3, 7}
    );
}

TEST_CASE("The rank of a slice is known where that of its mask is", "[slices]") {
    const auto m = xmask::keep_causal(3, 4);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::mask_slice(m, 0, 1, 2))::shape_type,
                   std::array<std::size_t, 2>>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::mask_slice(m, 0, 1))::shape_type, std::array<std::size_t, 1>>);
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> fixed = {{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}};
    oracle::require_mask(xmask::mask_slice(xmask::keep_above(fixed, 2), 1, 1, 3), {0, 1, 1, 1});
    oracle::require_mask(xmask::mask_slice(xmask::keep_above(fixed, 2), 0, 0), {0, 0, 1});
    // A slice holds a temporary mask.
    const auto make = [] {
        return xmask::mask_slice(xmask::keep_lengths(std::vector<int>{1, 2}, 3), 0, 1);
    };
    oracle::require_mask(make(), {1, 1, 0});
}

TEST_CASE("What is no slice of a mask is refused", "[slices]") {
    const auto m = xmask::keep_all({2, 5});
    REQUIRE_THROWS_WITH(
        xmask::mask_slice(m, 1, 2, 6),
        "xmask::mask_slice: the range [2, 6) of axis 1 is not within [0, 5)"
    );
    REQUIRE_THROWS_AS(xmask::mask_slice(m, 1, 3, 2), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::mask_slice(m, 1, -1, 2), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::mask_slice(m, 2, 0, 1), "xmask::mask_slice: axis 2 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_WITH(
        xmask::mask_slice(m, -2, 2), "xmask::mask_slice: index 2 of axis 0 is outside of [0, 2)"
    );
    REQUIRE_THROWS_AS(xmask::mask_slice(m, 0, -1), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::mask_slice(m, -3, 0), std::out_of_range);
    REQUIRE_THROWS_AS(xmask::mask_slice(xmask::keep_all({}), 0, 0), std::out_of_range);
}
