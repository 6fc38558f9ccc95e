// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Both namespaces are open, and the program uses every name of the masks without a namespace: no
// name may be ambiguous.

#include <sstream>
#include <string>
#include <vector>

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

TEST_CASE("with xtensor's namespace open, too, no name of the masks is ambiguous", "[namespaces]") {
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
    REQUIRE(count_kept(keep_top_k(x, 1, 0)) == 3);
    REQUIRE(count_kept(keep_n_of_m(x, 1, 2, 0)) == 3);
    REQUIRE(count_kept(keep_largest_slices(x, 0.5, 0)) == 3);
    REQUIRE(run_lengths_of(keep_lengths({2}, 3)) == run_lengths{{1, 3}, {0, 2, 1}});
    REQUIRE(count_kept(keep_run_lengths({1, 2}, 3)) == 2);
    REQUIRE(count_kept(mask_slice(keep_causal(3, 3), 0, 1)) == 2);
    REQUIRE(count_kept(mask_slice(keep_causal(3, 3), 0, 1, 3)) == 5);
    REQUIRE(explain(keep_all(3), {1}).decided_by() == std::vector<std::string>{"keep_all"});
    REQUIRE(count_kept(keep_random(x.shape(), 1, 5)) == 6);
    REQUIRE(count_kept(keep_random_k(x.shape(), 2, 5)) == 4);
    REQUIRE(count_kept(keep_random_fraction({2, 3}, 0.5, 5)) == 3);
    REQUIRE(
        count_kept(
            keep_spans({2, 9}, span_options{.count = 2, .length = random_length::uniform(3, 3)}, 5)
        ) == 12
    );
    REQUIRE(
        count_kept(
            keep_spans({6, 9}, 9, {.fraction = 1, .length = random_length(3), .min_space = 0}, 5)
        ) == 15
    );
    REQUIRE(count_kept(keep_patches({2, 4, 6}, 2, 3, 0.5, 5)) == 24);
    REQUIRE(
        count_kept(
            keep_blocks({2, 4, 6}, block_options{.area = random_real(0.25), .aspect = 1.5}, 5)
        ) == 12
    );
    const language_model_options every{.probability = 1, .mask_token = 1, .random_token = 0};
    const auto chosen = language_model_masks(keep_all({2, 3}), every, 5);
    REQUIRE(count_kept(chosen.masked) == 6);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(chosen), const language_model_selection<decltype(chosen.masked)>>);
    REQUIRE(random_tokens({2, 3}, 1, 5)(1, 2) == 0);
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
    out << m << to_string(m) << explain(keep_all(3), {1});
    REQUIRE(to_svg(m).starts_with("<svg "));
    for (const auto part : tiles(m, 1, 3)) {
        REQUIRE((part.kind() == tile_kind::empty) == (to_string(part) == "···\n"));
    }
    REQUIRE(out.str() == "···\n█·█\n···\n█·█\nkeep_all keeps (1,)\n");
    STATIC_REQUIRE(mask_expression<decltype(m)>);
    STATIC_REQUIRE(expression<decltype(x)>);
    STATIC_REQUIRE(word_columns == 64);
}

TEST_CASE(
    "with xtensor's namespace open, too, no loss is ambiguous, and none that selects",
    "[namespaces]"
) {
    const xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const xtensor<float, 2> t = {{0.f, 1.f, 1.f}, {1.f, 1.f, 0.f}};
    const auto m = keep_lengths({1, 2}, 3);
    REQUIRE(masked_mse(x, t, m).sum == 30.);
    REQUIRE(masked_mae(x, t, m, mae_loss()).sum == 8.);
    REQUIRE(masked_huber(x, t, m, huber_loss{.delta = 1}).sum == 0.5 + 1.5 + 4.5);
    REQUIRE(masked_smooth_l1(x, t, m, smooth_l1_loss{.beta = 1}).sum == 0.5 + 1.5 + 4.5);
    REQUIRE(masked_bce(t, t, m, bce_loss()).sum == 0.);
    REQUIRE(masked_bce_with_logits(x, t, m, bce_with_logits_loss{.pos_weight = 2}).sum > 0.);
    REQUIRE(masked_bce_with_logits(x, t, m, {.pos_weight = number_or_tensor(2)}).sum > 0.);
    REQUIRE(masked_focal_with_logits(x, t, m, focal_with_logits_loss{.gamma = 1}).sum > 0.);
    REQUIRE(masked_hinge(x, t, m, hinge_loss{.margin = 2}).sum == 2. + 0. + 6.);
    REQUIRE(masked_hinge_embedding(x, t, m, hinge_embedding_loss{.margin = 2}).count > 0.);
    REQUIRE(masked_soft_margin(x, t, m, soft_margin_loss()).sum > 0.);
    REQUIRE(masked_kl_div(x, t, m, kl_div_loss{.log_target = false}).sum == 1.);
    REQUIRE(masked_poisson_nll(x, t, m, poisson_nll_loss{.full = false}).sum > 0.);
    REQUIRE(masked_loss(mse_loss(), x, t, m).sum == 30.);
    REQUIRE(masked_loss(x - t, m).sum == -4.);
    REQUIRE(masked_mse(x, t, weighted(m, t)).weight == 2.);
    REQUIRE(masked_mse(x, t, balanced(m)).mean() == (1. + 14.5) / 2.);
    STATIC_REQUIRE(weighted_mask_expression<decltype(balanced(m))>);
    STATIC_REQUIRE(element_function<mse_loss, float>);
    REQUIRE(element_loss<mse_loss>("squared error").each(x, t, m)(1, 0) == 4.f);
    REQUIRE(constant<float>(0.5) == 0.5f);

    const xtensor<float, 1> some = masked_select(x, m);
    REQUIRE(some == xtensor<float, 1>{-1.f, 3.f, -4.f});
    REQUIRE(masked_scatter(x, m, some) == x);
    xtensor<float, 2> y = masked_replace(x, m, t);
    REQUIRE(y == xtensor<float, 2>{{-1.f, 1.f, 1.f}, {3.f, -4.f, 0.f}});
    masked_replace_inplace(y, m, x);
    masked_scatter_inplace(y, m, some);
    REQUIRE(y == x);
}

TEST_CASE(
    "with xtensor's namespace open, too, no operation on masks is ambiguous", "[namespaces]"
) {
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

TEST_CASE("with xtensor's namespace open, too, no reduction is ambiguous", "[namespaces]") {
    const xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const auto m = keep_lengths({1, 2}, 3);
    REQUIRE(masked_mean(x, m, when_empty::zero) == masked_sum(x, m) / 3);
    REQUIRE(masked_prod(x, m) == 12.f);
    REQUIRE(masked_max(x, m) == 3.f);
    REQUIRE(masked_min(x, m, reduce_options{.keep_axes = true}) == -4.f);
    REQUIRE(masked_argmax(x, m) == 3);
    REQUIRE(masked_argmin(x, m) == 4);
    REQUIRE(masked_var(x, m, var_options{.correction = 0}) > 0.f);
    REQUIRE(masked_std(x, m) > 0.f);
    const mean_and_var<float> moments = masked_mean_var(x, m);
    REQUIRE(moments.var == masked_var(x, m));
    REQUIRE(masked_standardize(x, m, 1, standardize_options{.eps = 1}).size() == 6);
    REQUIRE(masked_norm(x, m, norm_options{.p = 1}) == 8.f);
    REQUIRE(masked_logsumexp(x, m) > 3.f);
    REQUIRE(masked_median(x, m) == -1.f);
    REQUIRE(masked_quantile(x, m, 1) == 3.f);
    REQUIRE(masked_cumsum(x, m, 1)(1, 2) == -1.f);
    REQUIRE(masked_cumprod(x, m, 1)(1, 2) == -12.f);
    REQUIRE(masked_any(x, m));
    REQUIRE(masked_all(x, m));
    const auto tokens = keep_lengths(xtensor<int, 0>(1), 2);
    REQUIRE(masked_mean_pool(x, tokens)(2) == 2.f);
    REQUIRE(masked_max_pool(x, tokens)(2) == 2.f);
    REQUIRE(masked_first_token(x, tokens)(2) == 2.f);
    REQUIRE(unpack(pack(x, tokens), tokens)(0, 2) == 2.f);
    REQUIRE(masked_last_token(x, tokens)(2) == 2.f);
    REQUIRE(masked_sum_gradient(x, m)(0, 0) == 1.f);
    REQUIRE(masked_mean_gradient(x, m, 3)(0, 0) == 1.f);
    REQUIRE(masked_prod_gradient(x, m)(0, 0) == -12.f);
    REQUIRE(masked_max_gradient(x, m)(1, 0) == 1.f);
    REQUIRE(masked_min_gradient(x, m)(1, 1) == 1.f);
    REQUIRE(masked_var_gradient(x, m)(0, 1) == 0.f);
    REQUIRE(masked_std_gradient(x, m)(0, 1) == 0.f);
    REQUIRE(masked_norm_gradient(x, m, 1, norm_options{.p = 1})(0, 0) == -1.f);
    REQUIRE(masked_logsumexp_gradient(x, m)(0, 1) == 0.f);
    REQUIRE(masked_median_gradient(x, m)(0, 0) == 1.f);
    REQUIRE(masked_quantile_gradient(x, m, 1, 1)(1, 0) == 1.f);
    REQUIRE(masked_cumsum_gradient(x, m, x, 1)(0, 0) == 1.f);
    REQUIRE(masked_cumprod_gradient(x, m, x, 1)(0, 0) == 1.f);
    const xtensor<float, 1> pooled = {1.f, 2.f, 3.f};
    REQUIRE(masked_mean_pool_gradient(x, tokens, pooled)(0, 2) == 3.f);
    REQUIRE(masked_max_pool_gradient(x, tokens, pooled)(0, 2) == 3.f);
    REQUIRE(masked_first_token_gradient(x, tokens, pooled)(0, 2) == 3.f);
    REQUIRE(masked_last_token_gradient(x, tokens, pooled)(1, 2) == 0.f);
    xtensor<float, 2> y = x;
    masked_standardize_inplace(y, m, 1);
    REQUIRE(y(0, 2) == 0.f);
}

TEST_CASE(
    "with xtensor's namespace open, too, nothing that normalizes is ambiguous, and no loss of classes",
    "[namespaces]"
) {
    const xtensor<float, 2> x = {{-1.f, 0.f, 2.f}, {3.f, -4.f, 5.f}};
    const xtensor<int, 1> target = {0, 1};
    const auto m = keep_lengths({1, 2}, 3);
    xtensor<float, 2> y = masked_softmax(x, m);
    REQUIRE(y(0, 0) == 1.f);
    y = masked_softmin(x, m);
    REQUIRE(y(0, 0) == 1.f);
    y = masked_log_softmax(x, m);
    REQUIRE(y(0, 0) == 0.f);
    y = masked_normalize(x, m, -1, normalize_options{.p = 1});
    REQUIRE(y(0, 0) == -1.f);
    y = x;
    masked_softmax_inplace(y, m);
    REQUIRE(y(0, 0) == 1.f);
    masked_softmin_inplace(y, m);
    masked_log_softmax_inplace(y, m);
    masked_normalize_inplace(y, m);
    REQUIRE(y(0, 0) == 0.f);
    y = masked_softmin_gradient(x, m, x);
    REQUIRE(y(0, 2) == 0.f);
    REQUIRE(
        masked_cross_entropy(x, target, keep_all(2), cross_entropy_options{.z_loss = 0}).weight ==
        2.
    );
    REQUIRE(masked_nll(x, target, keep_all(2), nll_options{}).sum == 5.);
    REQUIRE(masked_nll.each(x, target, keep_all(2))(1) == 4.f);

    const xtensor<float, 2> gate = sigmoid_gate(x);
    REQUIRE(gate(0, 1) == 0.5f);
    xtensor<float, 2> by_x, by_z;
    sigmoid_gate_gradient(x, x, x, by_x, by_z);
    REQUIRE(by_x(0, 1) == 0.f);
    const xtensor<float, 3> tokens = xt::ones<float>({2, 3, 4});
    REQUIRE(unpack(pack(tokens, m), m).shape() == tokens.shape());
}
