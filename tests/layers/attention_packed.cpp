// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// All headers are included, and both namespaces are open: no name of the layers may be ambiguous.

#include <cstddef>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

#include "support/attention.hpp"

TEST_CASE("a packed batch is attended to as a padded one", "[attention][pack]") {
    const std::size_t n = 90;
    const xt::xtensor<std::size_t, 1> lengths = {90, 1, 0, 37, 64};
    const std::vector<std::size_t> cumulative = {0, 90, 91, 91, 128, 192};
    const xt::xtensor<double, 3> query =
        oracle::random<double>({std::size_t(5), n, std::size_t(8)}, 1);
    const xt::xtensor<double, 3> key =
        oracle::random<double>({std::size_t(5), n, std::size_t(8)}, 2);
    const xt::xtensor<double, 3> value =
        oracle::random<double>({std::size_t(5), n, std::size_t(6)}, 3);
    const xt::xtensor<double, 3> upstream =
        oracle::random<double>({std::size_t(5), n, std::size_t(6)}, 4);
    const auto tokens = xmask::keep_lengths(lengths, n);
    const auto causal = xmask::keep_causal(n, n);
    const auto padded = xmask::unsqueeze(tokens, 1) && xmask::unsqueeze(tokens, 2) && causal;

    const auto ids = xmask::segment_ids(cumulative);
    const auto packed_causal = xmask::keep_causal(192, 192);
    const auto packed = xmask::keep_same_segment(ids, ids) && packed_causal;
    const auto q = xmask::pack(query, tokens);
    const auto k = xmask::pack(key, tokens);
    const auto v = xmask::pack(value, tokens);
    const auto y = xmask::unpack(xmask::masked_attention(q, k, v, packed), tokens);
    REQUIRE(naive::difference(y, xmask::masked_attention(query, key, value, padded)) < 1e-14);

    xt::xtensor<double, 2> dq;
    xt::xtensor<double, 2> dk;
    xt::xtensor<double, 2> dv;
    xmask::masked_attention_gradient(q, k, v, packed, xmask::pack(upstream, tokens), dq, dk, dv);
    xt::xtensor<double, 3> padded_dq;
    xt::xtensor<double, 3> padded_dk;
    xt::xtensor<double, 3> padded_dv;
    xmask::masked_attention_gradient(
        query, key, value, padded, upstream, padded_dq, padded_dk, padded_dv
    );
    REQUIRE(naive::difference(xmask::unpack(dq, tokens), padded_dq) < 1e-13);
    REQUIRE(naive::difference(xmask::unpack(dk, tokens), padded_dk) < 1e-13);
    REQUIRE(naive::difference(xmask::unpack(dv, tokens), padded_dv) < 1e-13);
}

using namespace xt;
using namespace xmask;

TEST_CASE(
    "with xtensor's namespace open, too, no name of the layers is ambiguous", "[namespaces]"
) {
    const xtensor<float, 2> x = {{1.f, 2.f}, {3.f, 4.f}};
    xtensor<float, 2> dq;
    xtensor<float, 2> dk;
    xtensor<float, 2> dv;
    const attention_term none;
    const auto y =
        masked_attention(x, x, x, keep_causal(2, 2), attention_options{.scale = 1., .bias = none});
    masked_attention_gradient(x, x, x, keep_causal(2, 2), y, dq, dk, dv);
    REQUIRE(y(0, 1) == 2.f);
    REQUIRE(dv(1, 0) > 0.f);
}
