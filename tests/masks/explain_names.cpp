// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstddef>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <xmask/xmask.hpp>

#include "support/oracle.hpp"

/// Each builder by itself: an explanation names its mask as the user wrote it, and has no terms.
#define REQUIRE_NAMED(BUILDER, ...)                                                                \
    do {                                                                                           \
        const auto m = xmask::BUILDER __VA_ARGS__;                                                 \
        REQUIRE(xmask::detail::name_of(m.rule()) == #BUILDER);                                     \
    } while (false)

TEST_CASE("Every builder's mask carries its name", "[explain]") {
    const xt::xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const xt::xtensor<int, 2> tokens = {{7, 0, 1}, {0, 7, 2}};
    const xt::xtensor<bool, 2> b = x > 0.f;
    const xt::xtensor<float, 1> t = {0.f, 1.f, 2.f};
    const xmask::id_set ids = {0, 7};

    REQUIRE_NAMED(keep_where, (b));
    REQUIRE_NAMED(drop_where, (b));
    REQUIRE_NAMED(keep_lengths, ({1, 2}, 3));
    REQUIRE_NAMED(keep_last, ({1, 2}, 3));
    REQUIRE_NAMED(keep_ranges, ({0, 1}, {2, 3}, 3));
    REQUIRE_NAMED(keep_packed, ({0, 1, 3}, 3));
    REQUIRE_NAMED(keep_indices, ({0, 2}, 3));
    REQUIRE_NAMED(drop_indices, ({0, 2}, 3));
    REQUIRE_NAMED(drop_indices, ({0, 2}, {2, 3}));
    REQUIRE_NAMED(drop_indices, (xt::xtensor<int, 1>{0, 2}, {2, 3}));
    REQUIRE_NAMED(drop_indices, (xt::xtensor<int, 1>{0, 2}, x.shape()));
    REQUIRE_NAMED(keep_points, ({{0, 1}}, {2, 3}));
    REQUIRE_NAMED(drop_points, ({{0, 1}}, {2, 3}));
    REQUIRE_NAMED(drop_points, ({{0, 1}}, x.shape()));
    REQUIRE_NAMED(drop_points, (xt::xtensor<int, 2>{{0, 1}}, {2, 3}));
    REQUIRE_NAMED(drop_points, (xt::xtensor<int, 2>{{0, 1}}, x.shape()));
    REQUIRE_NAMED(keep_tokens, (tokens, {7}));
    REQUIRE_NAMED(keep_tokens, (tokens, ids));
    REQUIRE_NAMED(drop_tokens, (tokens, {7}));
    REQUIRE_NAMED(drop_tokens, (tokens, ids));
    REQUIRE_NAMED(keep_through_first, (tokens, 0));
    REQUIRE_NAMED(keep_between_markers, (tokens, 7, 1));
    REQUIRE_NAMED(keep_above, (x, 0));
    REQUIRE_NAMED(keep_above, (x, t));
    REQUIRE_NAMED(keep_at_least, (x, 0));
    REQUIRE_NAMED(keep_below, (x, 0));
    REQUIRE_NAMED(keep_at_most, (x, t));
    REQUIRE_NAMED(keep_equal, (x, 0));
    REQUIRE_NAMED(keep_not_equal, (x, 0));
    REQUIRE_NAMED(keep_between, (x, -1, 2));
    REQUIRE_NAMED(keep_outside, (x, -1, 2));
    REQUIRE_NAMED(keep_magnitude_above, (x, 2));
    REQUIRE_NAMED(keep_magnitude_above, (x, t));
    REQUIRE_NAMED(keep_close_to, (x, 0, 1));
    REQUIRE_NAMED(keep_finite, (x));
    REQUIRE_NAMED(keep_not_nan, (x));
    REQUIRE_NAMED(keep_top_k, (x, 1));
    REQUIRE_NAMED(keep_largest, (x, 0.5));
    REQUIRE_NAMED(keep_n_of_m, (x, 1, 3));
    REQUIRE_NAMED(keep_top_k, (x, 1, 0));
    REQUIRE_NAMED(keep_n_of_m, (x, 1, 2, 0));
    REQUIRE_NAMED(keep_largest_slices, (x, 0.5, 0));
    REQUIRE_NAMED(keep_run_lengths, ({1, 2}, 3));
    REQUIRE_NAMED(mask_slice, (xmask::keep_where(b), 0, 1));
    REQUIRE_NAMED(mask_slice, (xmask::keep_where(b), 0, 0, 1));
    REQUIRE_NAMED(keep_random, (x.shape(), 1, 5));
    REQUIRE_NAMED(keep_causal, (2, 2));
    REQUIRE_NAMED(keep_window, (3, 3, 0, 0));
    REQUIRE_NAMED(keep_prefix, (2, 2, 2));
    REQUIRE_NAMED(keep_prefix, (2, 2, {1, 2}));
    REQUIRE_NAMED(keep_same_segment, ({0, 1}, {0, 1}));
    REQUIRE_NAMED(keep_chunked, (4, 4, 2));
    REQUIRE_NAMED(keep_dilated, (4, 4, 1, 2));
    REQUIRE_NAMED(keep_if, ({2, 2}, [](std::size_t i, std::size_t j) { return i == j; }));
    REQUIRE_NAMED(keep_all, (3));
    REQUIRE_NAMED(keep_none, (3));
    REQUIRE_NAMED(bitmask, (xmask::keep_where(b)));
    REQUIRE_NAMED(unsqueeze, (xmask::keep_where(b), 0));
    REQUIRE_NAMED(shift, (xmask::keep_where(b), 1));
    // A drop_ builder has its own name, although it negates another mask.
    REQUIRE(xmask::explain(xmask::drop_tokens(tokens, {7}), std::array<int, 2>{0, 0}).terms.empty()
    );
}
