// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Both namespaces are open, and every name of the masks is used without one: none may be ambiguous.

#include <sstream>

#include <catch2/catch_test_macros.hpp>

#include <xmask/xmask.hpp>

#include "support/oracle.hpp"

#if __has_include(<xtensor/io/xio.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/io/xio.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/misc/xset_operation.hpp>
#include <xtensor/misc/xsort.hpp>
#include <xtensor/views/xindex_view.hpp>
#include <xtensor/views/xmasked_view.hpp>
#else
#include <xtensor/xindex_view.hpp>
#include <xtensor/xio.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmasked_view.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xset_operation.hpp>
#include <xtensor/xsort.hpp>
#endif

using namespace xt;
using namespace xmask;

TEST_CASE("with xtensor's namespace open, too, no name of the masks is ambiguous", "[namespaces]")
{
    const xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const xtensor<int, 2> tokens = {{7, 0, 1}, {0, 7, 2}};
    const xtensor<bool, 2> b = x > 0.f;

    REQUIRE(count_kept(keep_where(b)) == 3);
    REQUIRE(count_kept(drop_where(b)) == 3);
    REQUIRE(count_kept(keep_lengths({1, 2}, 3)) == 3);
    REQUIRE(count_kept(keep_last({1, 2}, 3)) == 3);
    REQUIRE(count_kept(keep_indices({0, 2}, 3)) == 2);
    REQUIRE(count_kept(drop_indices({0, 2}, x.shape())) == 2);
    REQUIRE(count_kept(keep_tokens(tokens, {7})) == 2);
    REQUIRE(count_kept(drop_tokens(tokens, {7})) == 4);
    REQUIRE(count_kept(keep_above(x, 0)) == 3);
    REQUIRE(count_kept(keep_at_least(x, 0)) == 4);
    REQUIRE(count_kept(keep_below(x, 0)) == 2);
    REQUIRE(count_kept(keep_at_most(x, 0)) == 3);
    REQUIRE(count_kept(keep_equal(x, 0)) == 1);
    REQUIRE(count_kept(keep_not_equal(x, 0)) == 5);
    REQUIRE(count_kept(keep_between(x, -1, 2)) == 3);
    REQUIRE(density(keep_all({2, 3})) == 1.);
    REQUIRE(count_kept(keep_none(x.shape())) == 0);
    REQUIRE(unsqueeze(keep_all(3), 0).dimension() == 2);

    REQUIRE(count_kept(keep_ranges({0, 1}, {2, 3}, 3)) == 4);
    REQUIRE(count_kept(keep_packed({0, 1, 3}, 3)) == 3);
    REQUIRE(segment_ids({0, 1, 3}).size() == 3);
    REQUIRE(count_kept(keep_points({{0, 1}}, {2, 3})) == 1);
    REQUIRE(count_kept(drop_points({{0, 1}}, {2, 3})) == 5);
    REQUIRE(count_kept(keep_outside(x, -1, 2)) == 3);
    REQUIRE(count_kept(keep_magnitude_above(x, 2)) == 3);
    REQUIRE(count_kept(keep_close_to(x, 0, 1)) == 2);
    REQUIRE(count_kept(keep_finite(x)) == 6);
    REQUIRE(count_kept(keep_not_nan(x)) == 6);
    REQUIRE(count_kept(keep_top_k(x, 1)) == 2);
    REQUIRE(count_kept(keep_largest<size_by::magnitude>(x, 0.5)) == 3);
    REQUIRE(count_kept(keep_n_of_m(x, 1, 3)) == 2);
    REQUIRE(count_kept(keep_random(x.shape(), 1, 5)) == 6);
    REQUIRE(count_kept(keep_causal(2, 2)) == 3);
    REQUIRE(count_kept(keep_causal_top_left(2, 3)) == 3);
    REQUIRE(count_kept(keep_causal_bottom_right(2, 3)) == 5);
    REQUIRE(count_kept(keep_window(3, 3, 0, 0)) == 3);
    REQUIRE(count_kept(keep_prefix(2, 2, 2)) == 4);
    REQUIRE(count_kept(keep_same_segment({0, 1}, {0, 1})) == 2);
    REQUIRE(count_kept(keep_chunked(4, 4, 2)) == 6);
    REQUIRE(count_kept(keep_dilated(4, 4, 1, 2)) == 6);
    REQUIRE(count_kept(keep_if({2, 2}, [](std::size_t i, std::size_t j) { return i == j; })) == 2);
    REQUIRE(count_kept(shift(keep_all(3), 1)) == 2);
    REQUIRE(id_set({1, 2, 2}).size() == 2);
    REQUIRE(count_kept(keep_tokens(tokens, id_set({0, 1}))) == 3);
    REQUIRE(count_kept(keep_through_first(tokens, 0)) == 3);
    REQUIRE(count_kept(keep_between_markers(tokens, 7, 1)) == 2);
    REQUIRE(any_kept(keep_all(3)));
    REQUIRE_FALSE(all_kept(keep_none(3)));
    REQUIRE(count_kept(keep_where(b), 1).size() == 2);
    REQUIRE(runs_of(keep_all(3), 0).size() == 1);
    REQUIRE(first_kept(keep_last({2}, 3))(0) == 1);
    REQUIRE(last_kept(keep_last({2}, 3))(0) == 2);
    REQUIRE(lengths_of(keep_lengths({2}, 3))(0) == 2);
    REQUIRE(empty_rows(keep_none({2, 3})).size() == 2);
    REQUIRE(*positions_of(keep_last({2}, 3)).begin() == 1);
    REQUIRE(additive<float>(keep_all(3))(0) == 0.f);
    bitmask packed = unpackbits(packbits(keep_where(b)), 3);
    REQUIRE(packed == bitmask(keep_where(b)));
    packed &= keep_none({2, 3});
    packed |= keep_where(b);
    packed ^= keep_where(b);
    REQUIRE(packed != bitmask(keep_where(b)));

    const auto m = !(keep_above(x, 0) && keep_lengths({2, 3}, 3)) ^ (keep_all(3) || keep_none(3));
    const bitmask stored = m;
    oracle::require_words(stored, {0, 0, 0, 1, 0, 1});
    std::ostringstream out;
    out << m << to_string(m);
    REQUIRE(to_svg(m).starts_with("<svg "));
    REQUIRE(out.str() == "···\n█·█\n···\n█·█\n");
    STATIC_REQUIRE(mask_expression<decltype(m)>);
    STATIC_REQUIRE(expression<decltype(x)>);
    STATIC_REQUIRE(word_columns == 64);
}

TEST_CASE("with xtensor's namespace open, too, no operation on masks is ambiguous", "[namespaces]")
{
    const xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const auto m = keep_lengths({1, 2}, 3);
    const xtensor<float, 2> filled = masked_fill(x, m, 9.f);
    REQUIRE(filled == xtensor<float, 2>{{-1.f, 9.f, 9.f}, {3.f, -4.f, 9.f}});
    const xtensor<float, 2> product = multiply(x, m);
    REQUIRE(product == xtensor<float, 2>{{-1.f, 0.f, 0.f}, {3.f, -4.f, 0.f}});
    REQUIRE(masked_sum(x, m) == -2.f);
    REQUIRE(sum(where(m, x, 0.f))() == -2.f);
    REQUIRE(any(m));
    REQUIRE_FALSE(all(m));
}
