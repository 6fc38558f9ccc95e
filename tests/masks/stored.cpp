// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstddef>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/additive.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/positions.hpp>
#include <xmask/masks/run_lengths.hpp>

#include "support/kinds.hpp"
#include "support/more_kinds.hpp"
#include "support/oracle.hpp"

namespace {
/// Fails unless a stored mask survives a conversion to each other form, and back.
void require_forms(const xmask::bitmask& m) {
    const std::vector<char> all = oracle::elements(m);
    for (const auto order : {xmask::bit_order::big, xmask::bit_order::little}) {
        REQUIRE(xmask::unpackbits(xmask::packbits(m, order), m.shape().back(), order) == m);
    }
    REQUIRE(xmask::bitmask(xmask::keep_run_lengths(xmask::run_lengths_of(m))) == m);
    std::vector<char> listed(all.size());
    for (const std::size_t i : xmask::positions_of(m)) {
        listed[i] = 1;
    }
    REQUIRE(listed == all);
    const xt::xarray<float> bias = xmask::additive<float>(m);
    bool same = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
        same =
            same && (bias.flat(i) == 0.f) == (all[i] != 0) && (bias.flat(i) < 0.f) == (all[i] == 0);
    }
    REQUIRE(same);
}

/// Fails unless each stored form of a lazy mask of two axes keeps the same, element by element.
/// Masks have many types, so that each is asked little.
template <class M>
void require_stored(const M& m) {
    std::vector<char> all;
    for (std::size_t i = 0; i < m.shape()[0]; ++i) {
        for (std::size_t j = 0; j < m.shape()[1]; ++j) {
            all.push_back(m(i, j));
        }
    }
    const xmask::bitmask stored = m;
    oracle::require_words(stored, all);
    const xt::xarray<bool> array = m;
    REQUIRE(std::equal(array.begin(), array.end(), all.begin(), all.end()));
    REQUIRE(xmask::run_lengths_of(m) == xmask::run_lengths_of(stored));
    require_forms(stored);
}
} // namespace

TEST_CASE("Every stored form equals the lazy mask", "[stored]") {
    for (const std::size_t n : {1u, 63u, 64u, 65u, 200u}) {
        CAPTURE(n);
        std::size_t kind = 0;
        const auto check = [&](const auto& m) {
            CAPTURE(kind++);
            require_stored(m);
        };
        kinds::for_each(n, 21, check);
        kinds::for_each_more(n, 22, check);
    }
}
