// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/attention.hpp"

namespace {
template <class T>
struct results {
    xt::xtensor<T, 3> y;
    xt::xtensor<T, 3> dq;
    xt::xtensor<T, 3> dk;
    xt::xtensor<T, 3> dv;
};

template <class T>
struct tensors {
    tensors(std::size_t q, std::size_t k)
        : query(oracle::random<T>({std::size_t(2), q, std::size_t(6)}, 1))
        , key(oracle::random<T>({std::size_t(2), k, std::size_t(6)}, 2))
        , value(oracle::random<T>({std::size_t(2), k, std::size_t(5)}, 3))
        , upstream(oracle::random<T>({std::size_t(2), q, std::size_t(5)}, 4))
        , bias(oracle::random<T>({std::size_t(2), q, k}, 5)) {}

    results<T> compute(const xmask::bitmask& m, double soft_cap) const {
        results<T> all;
        const xmask::attention_options options = {.soft_cap = soft_cap, .bias = bias};
        all.y = xmask::masked_attention(query, key, value, m, options);
        xmask::masked_attention_gradient(
            query, key, value, m, upstream, all.dq, all.dk, all.dv, options
        );
        return all;
    }

    xt::xtensor<T, 3> query;
    xt::xtensor<T, 3> key;
    xt::xtensor<T, 3> value;
    xt::xtensor<T, 3> upstream;
    xt::xtensor<T, 3> bias;
};

template <class T>
bool same(const xt::xtensor<T, 3>& a, const xt::xtensor<T, 3>& b) {
    return oracle::same_bits(oracle::elements(a), oracle::elements(b));
}

template <class T>
void spoil(xt::xtensor<T, 3>& x, std::size_t b, std::size_t i, T with) {
    for (std::size_t f = 0; f < x.shape(2); ++f) {
        x(b, i, f) = with;
    }
}

/// The queries of a matrix, or its keys, with a kept pair.
std::vector<char> rows_kept(
    const std::vector<char>& kept, std::size_t b, std::size_t q, std::size_t k, bool columns
) {
    std::vector<char> any(columns ? k : q);
    for (std::size_t pair = 0; pair < q * k; ++pair) {
        any[columns ? pair % k : pair / k] |= kept[b * q * k + pair];
    }
    return any;
}

/// Puts garbage into queries that keep nothing, keys that no query keeps, and the bias of dropped
/// pairs.
template <class T>
void require_unseen(std::size_t q, std::size_t k, const xmask::bitmask& m, double soft_cap) {
    const auto kept = oracle::elements(m && xmask::keep_all({std::size_t(2), q, k}));
    tensors<T> x(q, k);
    const results<T> expected = x.compute(m, soft_cap);
    for (const T with : oracle::garbage<T>) {
        for (std::size_t b = 0; b < 2; ++b) {
            const auto queries = rows_kept(kept, b, q, k, false);
            const auto keys = rows_kept(kept, b, q, k, true);
            for (std::size_t i = 0; i < q; ++i) {
                if (queries[i] == 0) {
                    spoil(x.query, b, i, with);
                    spoil(x.upstream, b, i, with);
                }
            }
            for (std::size_t j = 0; j < k; ++j) {
                if (keys[j] == 0) {
                    spoil(x.key, b, j, with);
                    spoil(x.value, b, j, with);
                }
            }
        }
        for (std::size_t pair = 0; pair < kept.size(); ++pair) {
            x.bias.data()[pair] = kept[pair] != 0 ? x.bias.data()[pair] : with;
        }
        const results<T> all = x.compute(m, soft_cap);
        REQUIRE(same(all.y, expected.y));
        REQUIRE(same(all.dq, expected.dq));
        REQUIRE(same(all.dk, expected.dk));
        REQUIRE(same(all.dv, expected.dv));
    }
    // The gradients there are 0.
    for (std::size_t b = 0; b < 2; ++b) {
        const auto queries = rows_kept(kept, b, q, k, false);
        const auto keys = rows_kept(kept, b, q, k, true);
        bool zero = true;
        for (std::size_t i = 0; i < q; ++i) {
            const bool nothing =
                expected.y(b, i, 1) == 0 && oracle::same_bits(expected.dq(b, i, 2), T(0));
            zero = zero && (queries[i] != 0 || nothing);
        }
        for (std::size_t j = 0; j < k; ++j) {
            const bool nothing = oracle::same_bits(expected.dk(b, j, 2), T(0)) &&
                                 oracle::same_bits(expected.dv(b, j, 1), T(0));
            zero = zero && (keys[j] != 0 || nothing);
        }
        REQUIRE(zero);
    }
}
} // namespace

TEMPLATE_TEST_CASE("what attention drops changes no bit", "[attention][unseen]", float, double) {
    using T = TestType;
    require_unseen<T>(70, 150, xmask::keep_causal(70, 150, -10), 0);
    const auto window = xmask::keep_window(70, 150, 5, 60, 20);
    require_unseen<T>(
        70, 150, xmask::unsqueeze(xmask::keep_lengths({40, 130}, 150), 1) && window, 2
    );
    // Kept keys and queries here and there.
    require_unseen<T>(
        70, 150,
        xmask::keep_if(
            {2, 70, 150}, [](std::size_t b, std::size_t i,
                             std::size_t j) { return i % 5 != b && j % 7 > 1 && (i + j) % 3 != 0; }
        ),
        0
    );
    require_unseen<T>(
        3, 5, xmask::keep_if({3, 5}, [](std::size_t i, std::size_t j) { return i != 1 && j != 2; }),
        0
    );
    // One token, and none.
    for (const auto& [q, k] :
         {std::pair(1, 1), std::pair(1, 70), std::pair(65, 1), std::pair(0, 3), std::pair(3, 0)}) {
        const auto queries = static_cast<std::size_t>(q);
        const auto keys = static_cast<std::size_t>(k);
        CAPTURE(queries, keys);
        require_unseen<T>(queries, keys, xmask::keep_none({queries, keys}), 0);
        require_unseen<T>(
            queries, keys,
            xmask::keep_if(
                {2, queries, keys},
                [](auto b, auto i, auto j) { return b == 1 && i % 2 == 0 && j % 3 == 0; }
            ),
            3
        );
    }
}

TEMPLATE_TEST_CASE(
    "NaN in a key or value shows only in queries that keep it", "[attention][unseen]", float, double
) {
    using T = TestType;
    const std::size_t q = 70;
    const std::size_t k = 150;
    const xmask::bitmask m = xmask::keep_causal(q, k);
    tensors<T> x(q, k);
    const results<T> expected = x.compute(m, 0);
    for (const T with : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        for (const bool in_key : {false, true}) {
            tensors<T> spoilt = x;
            (in_key ? spoilt.key : spoilt.value)(1, 65, 2) = with;
            const results<T> all = spoilt.compute(m, 0);
            CAPTURE(in_key, with);
            bool right = true;
            for (std::size_t i = 0; i < q; ++i) {
                for (std::size_t f = 0; f < 5; ++f) {
                    right = right && oracle::same_bits(all.y(0, i, f), expected.y(0, i, f));
                    if (i < 65) {
                        right = right && oracle::same_bits(all.y(1, i, f), expected.y(1, i, f));
                    } else if (in_key) {
                        // For an infinite key, the sign of the score decides.
                        right = right && (!std::isnan(with) || std::isnan(all.y(1, i, f)));
                    } else {
                        right = right && std::isfinite(all.y(1, i, f)) == (f != 2);
                        right = right && (f == 2 ||
                                          std::abs(all.y(1, i, f) - expected.y(1, i, f)) < T(1e-5));
                    }
                }
                for (std::size_t f = 0; f < 6; ++f) {
                    right = right &&
                            (i >= 65 || oracle::same_bits(all.dq(1, i, f), expected.dq(1, i, f)));
                }
            }
            // Keys that only queries before them see, and keys that no query sees.
            for (std::size_t j = 70; j < k; ++j) {
                right = right && all.dk(1, j, 0) == 0 && all.dv(1, j, 0) == 0;
            }
            REQUIRE(right);
        }
        // A query that is not finite: the gradients by keys that it drops do not change.
        tensors<T> spoilt = x;
        spoil(spoilt.query, 1, 20, with);
        spoilt.upstream(1, 30, 1) = with;
        const results<T> all = spoilt.compute(m, 0);
        bool right = true;
        for (std::size_t j = 0; j < k; ++j) {
            for (std::size_t f = 0; f < 5; ++f) {
                right =
                    right && (j <= 30 || oracle::same_bits(all.dk(1, j, f), expected.dk(1, j, f)));
                right =
                    right && (j <= 30 || oracle::same_bits(all.dv(1, j, f), expected.dv(1, j, f)));
            }
            right = right && (j > 20 || !std::isfinite(all.dk(1, j, 3)));
            right = right && (j > 30 || !std::isfinite(all.dv(1, j, 1)));
        }
        REQUIRE(right);
    }
}

TEST_CASE("NaN in one feature of a value changes no bit of the other features", "[attention]") {
    tensors<float> t(6, 40);
    const xmask::bitmask m = xmask::keep_causal(6, 40, 20);
    const auto expected = t.compute(m, 0).y;
    t.value(0, 3, 2) = std::numeric_limits<float>::quiet_NaN();
    const auto y = t.compute(m, 0).y;
    for (std::size_t i = 0; i < 6; ++i) {
        REQUIRE(std::isnan(y(0, i, 2)));
        for (const std::size_t feature : {0u, 1u, 3u, 4u}) {
            REQUIRE(y(0, i, feature) == expected(0, i, feature));
        }
    }
}
