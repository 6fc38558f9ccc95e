// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

using extents = std::vector<std::size_t>;

namespace {
/// Fails unless the rows of the mask, broadcast to `shape`, agree with its elements.
template <class M>
void require_rows(const M& m, const extents& shape) {
    CAPTURE(shape);
    const xt::xarray<bool> values = m;
    const auto expected = oracle::elements(xt::broadcast(values, shape));
    oracle::require_words(m && xmask::keep_all(shape), expected);
}
} // namespace

TEST_CASE("masks of any shape give the rows of a larger one", "[mask_rows]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 2, 64, 65, 130}) {
        const extents shape = {2, 3, n};
        for (const extents& from :
             {extents{}, extents{1}, extents{n}, extents{3, n}, extents{3, 1}, extents{1, n},
              extents{1, 1}, extents{2, 1, n}, extents{2, 3, 1}, extents{2, 1, 1},
              extents{2, 3, n}}) {
            require_rows(xmask::keep_where(oracle::random<bool>(from, 4)), shape);
        }
    }
}

TEST_CASE("a length of one column stands for the whole row", "[mask_rows]") {
    require_rows(xmask::keep_lengths({1, 0, 1}, 1), {3, 130});
    require_rows(xmask::keep_lengths({1, 0, 1}, 1), {2, 3, 64});
    require_rows(xmask::keep_lengths({1}, 1), {2, 3});
    require_rows(xmask::keep_last({0}, 1), {2, 3});
}
