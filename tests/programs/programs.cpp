// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Programs of a new user's first hour, with only the words of README.md and docs/. The tests `readme`
// and `documentation` compile their own programs, including a rule and a loss of the user;
// tests/consumers tests how to get xmask.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/xmask.hpp>

#if __has_include(<xtensor/containers/xadapt.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xview.hpp>
#endif

namespace {
/// A mask that leaves the function: a copy does not refer to local tensors.
auto of_words(const std::vector<int>& ids) {
    const xt::xtensor<int, 1> tokens = xt::adapt(ids);
    return xmask::bitmask(xmask::drop_tokens(tokens, {0}));
}
} // namespace

TEST_CASE("A padded batch is pooled", "[programs]") {
    const std::vector<std::vector<int>> sentences = {{7, 4, 9}, {5}};
    const auto [tokens, lengths] = xmask::pad(sentences, 0);
    const auto m = xmask::keep_lengths(lengths, tokens.shape(1));
    REQUIRE(xmask::to_string(m) == "███\n█··\n");
    const xt::xtensor<float, 3> features = {{{1, 2}, {3, 4}, {5, 6}}, {{7, 8}, {90, 90}, {90, 90}}};
    const xt::xarray<float> pooled = xmask::masked_mean_pool(features, m);
    REQUIRE(pooled == xt::xarray<float>{{3, 4}, {7, 8}});
}

TEST_CASE("A step along the gradient of the mean lowers a cross entropy", "[programs]") {
    xt::xtensor<double, 3> logits = {{{1, 0, 0}, {0, 1, 0}}, {{0, 0, 1}, {9, 9, 9}}};
    const xt::xtensor<int, 2> target = {{0, 2}, {2, -100}};
    const auto m = xmask::keep_not_equal(target, -100);
    xt::xtensor<double, 3> gradient;
    const auto before = xmask::masked_cross_entropy(logits, target, m, xmask::of_mean(gradient));
    logits -= 0.1 * gradient;
    const auto after = xmask::masked_cross_entropy(logits, target, m);
    const double square = xt::sum(gradient * gradient)();
    REQUIRE(after.weight == 3);
    // To first order, the mean falls by the step times the square of its gradient.
    REQUIRE(std::abs(before.mean() - after.mean() - 0.1 * square) < 0.02 * square);
    REQUIRE(gradient(1, 1, 0) == 0);
}

TEST_CASE("Masks are made of vectors and raw memory", "[programs]") {
    const std::vector<bool> valid = {true, false, true};
    const std::vector<double> quality = {0.9, 0.95, 0.2};
    const auto m = xmask::keep_where(valid) && xmask::keep_above(quality, 0.5);
    const float memory[] = {4, 5, 6};
    const auto x = xt::adapt(memory, std::vector<std::size_t>{3});
    REQUIRE(xmask::masked_sum(x, m) == 4);
    REQUIRE(xmask::to_string(~m & xmask::keep_all(3)) == "·██\n");
    REQUIRE(xmask::count_kept(of_words({5, 0, 6})) == 2);
}

TEST_CASE("Window attention ignores padding", "[programs]") {
    const xt::xtensor<int, 1> lengths = {4, 2};
    // For each text all queries, and the keys that are not padding.
    const auto m =
        xmask::keep_window(4, 4, 1, 0) && xmask::unsqueeze(xmask::keep_lengths(lengths, 4), 1);
    REQUIRE(xmask::to_string(m) == "█···\n██··\n·██·\n··██\n\n█···\n██··\n·█··\n····\n");
    const xt::xtensor<float, 3> scores = xt::ones<float>({2, 4, 4});
    const xt::xtensor<float, 3> share = xmask::masked_softmax(scores, m);
    REQUIRE(share(0, 1, 0) == 0.5f);
    REQUIRE(share(1, 2, 1) == 1.f);
    REQUIRE(xt::sum(xt::view(share, 1, 3))() == 0.f); // not NaN: a query without keys
}

TEST_CASE("Means by axis ignore NaN, where enough is left", "[programs]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const xt::xtensor<double, 2> x = {{1, nan, 3}, {2, nan, nan}, {3, 6, nan}};
    const auto m = xmask::keep_not_nan(x);
    const xt::xarray<double> means = xmask::masked_mean(x, m, 0);
    const auto enough = xmask::keep_at_least(xmask::count_kept(m, 0), 2);
    const xt::xarray<double> kept = xmask::masked_fill(means, enough, nan);
    REQUIRE((kept(0) == 2 && std::isnan(kept(1)) && std::isnan(kept(2))));
}

TEST_CASE("Two of four weights are left", "[programs]") {
    xt::xtensor<float, 2> weights = {{1, -4, 2, 3, 5, 0, -6, 1}};
    xmask::multiply_inplace(weights, xmask::keep_n_of_m<xmask::size_by::magnitude>(weights, 2, 4));
    REQUIRE(weights == xt::xtensor<float, 2>{{0, -4, 0, 3, 5, 0, -6, 0}});
}

TEST_CASE("A mask is drawn", "[programs]") {
    const std::string picture = xmask::to_svg(xmask::keep_causal(2, 3), {.title = "causal"});
    REQUIRE(picture.starts_with("<svg "));
    REQUIRE(picture.find("causal") != picture.npos);
}
