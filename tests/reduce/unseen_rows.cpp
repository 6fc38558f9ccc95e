// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/normalize.hpp>
#include <xmask/reduce/softmax.hpp>

#include "support/oracle.hpp"

// Operations on whole lines, and losses of classes, never see dropped elements: no bit changes.

namespace {
/// All results for x and g under m, along an axis.
template <class T, class M>
std::vector<T> along(
    const xt::xarray<T>& x, const xt::xarray<T>& g, const M& m, std::ptrdiff_t axis
) {
    std::vector<T> all;
    const auto append = [&](const xt::xarray<T>& result) {
        all.insert(all.end(), result.begin(), result.end());
    };
    append(xmask::masked_softmax(x, m, axis));
    append(xmask::masked_log_softmax(x, m, axis));
    append(xmask::masked_softmin(x, m, axis));
    append(xmask::masked_normalize(x, m, axis, {.p = 3}));
    append(xmask::masked_softmax_gradient(x, m, g, axis));
    append(xmask::masked_log_softmax_gradient(x, m, g, axis));
    append(xmask::masked_softmin_gradient(x, m, g, axis));
    append(xmask::masked_normalize_gradient(x, m, g, axis));
    append(T(2) * xmask::masked_softmax(x + T(1), m, axis));
    auto in_place = x;
    xmask::masked_softmax_inplace(in_place, m, axis);
    append(in_place);
    return all;
}
} // namespace

TEMPLATE_TEST_CASE(
    "softmax, normalize and their gradients never see what is dropped", "[unseen]", float, double
) {
    for (const std::size_t n : {1u, 7u, 31u, 64u, 65u, 300u}) {
        const auto x = oracle::random<TestType>({11, n}, 1);
        const auto g = oracle::random<TestType>({11, n}, 2);
        const auto kept = oracle::random<bool>({11, n}, 3);
        const xmask::bitmask m = xmask::keep_where(kept);
        for (const std::ptrdiff_t axis : {0, 1}) {
            CAPTURE(n, axis);
            const auto expected = along(x, g, m, axis);
            const auto seen = along(
                oracle::hide(x, oracle::elements(m)), oracle::hide(g, oracle::elements(m)), m, axis
            );
            REQUIRE(oracle::same_bits(seen, expected));
        }
    }
}

TEMPLATE_TEST_CASE(
    "losses of classes never see a dropped position, class or target", "[unseen]", float, double
) {
    using tensor = xt::xarray<TestType>;
    constexpr std::size_t classes = 70;
    const tensor logits = oracle::random<TestType>({3, 9, classes}, 1);
    xt::xarray<std::int64_t> target = xt::zeros<std::int64_t>({3, 9});
    for (std::size_t i = 0; i < target.size(); ++i) {
        target.flat(i) = static_cast<std::int64_t>(i * 2 % classes);
    }
    const xmask::bitmask m = xmask::keep_lengths({9, 0, 4}, 9);
    const xt::xarray<bool> counted = m;
    xt::xarray<bool> counted_logits = xt::zeros<bool>(logits.shape());
    xt::xarray<bool> known_logits = counted_logits;
    xt::xarray<bool> known = xt::ones<bool>({classes});
    for (std::size_t c = 1; c < classes; c += 2) {
        known(c) = false; // every target is even
    }
    for (std::size_t i = 0; i < logits.size(); ++i) {
        counted_logits.flat(i) = counted.flat(i / classes);
        known_logits.flat(i) = counted_logits.flat(i) && known(i % classes);
    }
    const std::vector<std::int64_t> no_class = {
        -100, 70, std::numeric_limits<std::int64_t>::min(), 1 << 20
    };
    const auto wrong_target = oracle::hide(target, oracle::elements(counted), no_class);
    const auto compare = [&](const auto& loss, const xt::xarray<bool>& seen_logits,
                             const auto& options) {
        tensor expected;
        tensor gradient;
        const xmask::loss before = loss(logits, target, m, options, expected);
        const auto hidden_logits = oracle::hide(logits, oracle::elements(seen_logits));
        const xmask::loss after = loss(hidden_logits, wrong_target, m, options, gradient);
        REQUIRE(oracle::same_bits(after.sum, before.sum));
        REQUIRE(oracle::same_bits(after.weight, before.weight));
        REQUIRE(oracle::same_bits(oracle::elements(gradient), oracle::elements(expected)));
        const xmask::loss alone = loss(hidden_logits, wrong_target, m, options);
        REQUIRE(oracle::same_bits(alone.weight, before.weight));
        REQUIRE(oracle::same_bits(
            oracle::elements(loss.each(hidden_logits, wrong_target, m, options)),
            oracle::elements(loss.each(logits, target, m, options))
        ));
    };
    const xmask::bitmask known_classes = xmask::keep_where(known);
    compare(xmask::masked_cross_entropy, counted_logits, xmask::cross_entropy_options{});
    compare(
        xmask::masked_cross_entropy, counted_logits,
        xmask::cross_entropy_options{.label_smoothing = 0.1, .z_loss = 0.01}
    );
    compare(
        xmask::masked_cross_entropy, known_logits,
        xmask::cross_entropy_options{.label_smoothing = 0.1, .classes = known_classes}
    );
    compare(xmask::masked_nll, counted_logits, xmask::nll_options{});
}
