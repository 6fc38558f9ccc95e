// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <support/own_loss.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/binary.hpp>
#include <xmask/reduce/distribution.hpp>
#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/regression.hpp>

// Dropped elements are never seen: whatever their values, no bit of any element-wise loss or
// gradient changes.

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
xt::xarray<T> poisoned(xt::xarray<T> x, const xt::xarray<bool>& kept, T poison) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept.flat(i) ? x.flat(i) : poison;
    }
    return x;
}

template <class E>
void append(std::vector<double>& all, const E& result) {
    const auto more = oracle::elements(result);
    all.insert(all.end(), more.begin(), more.end());
}

/// Fails unless the loss, its gradient and its elements have the same bits whatever is dropped, and
/// dropped elements are +0.
template <class T, class L>
void require_unseen(const L& masked) {
    using limits = std::numeric_limits<T>;
    for (const std::size_t n : {3u, 64u, 200u}) {
        const shape_t shape = {5, n};
        // Valid for every loss: probabilities.
        const xt::xarray<T> p = (oracle::random<T>(shape, 1) + T(2.01)) / T(4.1);
        const xt::xarray<T> t = (oracle::random<T>(shape, 2) + T(2)) / T(4);
        // One container for all gradients, because its address decides the order of additions.
        xt::xarray<T> gradient = xt::zeros<T>(shape);
        const auto lengths = xt::xtensor<std::size_t, 1>{n, 0, n / 2, n - n / 3, 1};
        const xt::xarray<bool> by_length = xmask::keep_lengths(lengths, n);
        for (const auto& kept : {by_length, oracle::random<bool>(shape, 3)}) {
            const xmask::bitmask m = xmask::keep_where(kept);
            const auto compute = [&](const xt::xarray<T>& prediction, const xt::xarray<T>& target) {
                gradient.fill(T(99));
                std::vector<double> all;
                for (const auto& l :
                     {masked(prediction, target, m), masked(prediction, target, m, gradient)}) {
                    all.insert(all.end(), {l.sum, l.weight});
                }
                append(all, gradient);
                append(all, xt::xarray<T>(masked.each(prediction, target, m)));
                return all;
            };
            const auto expected = compute(p, t);
            for (const T poison :
                 {limits::quiet_NaN(), limits::infinity(), -limits::infinity(), limits::max(),
                  T(-0.), T(-100)}) {
                CAPTURE(n, poison);
                REQUIRE(oracle::same_bits(compute(poisoned(p, kept, poison), t), expected));
                REQUIRE(oracle::same_bits(compute(p, poisoned(t, kept, poison)), expected));
                REQUIRE(oracle::same_bits(
                    compute(poisoned(p, kept, poison), poisoned(t, kept, poison)), expected
                ));
            }
            const xt::xarray<T> each = masked.each(p, t, m);
            for (std::size_t i = 0; i < kept.size(); ++i) {
                REQUIRE((kept.flat(i) || oracle::same_bits(gradient.flat(i), T(0))));
                REQUIRE((kept.flat(i) || oracle::same_bits(each.flat(i), T(0))));
            }
        }
    }
}
} // namespace

TEST_CASE("What is dropped is never seen by losses of floats", "[unseen]") {
    require_unseen<float>(xmask::masked_huber);
    require_unseen<float>(xmask::masked_bce);
    require_unseen<float>(xmask::masked_bce_with_logits);
    require_unseen<float>(xmask::masked_focal_with_logits);
    require_unseen<float>(xmask::masked_kl_div);
    require_unseen<float>(xmask::masked_poisson_nll);
}

TEST_CASE("What is dropped is never seen by losses of doubles", "[unseen]") {
    require_unseen<double>(xmask::masked_mae);
    require_unseen<double>(xmask::masked_smooth_l1);
    require_unseen<double>(xmask::masked_hinge);
    require_unseen<double>(xmask::masked_hinge_embedding);
    require_unseen<double>(xmask::masked_soft_margin);
    require_unseen<double>(own_loss::masked_charbonnier);
    require_unseen<double>(xmask::element_loss<own_loss::pinball_loss>("masked_pinball"));
}

TEST_CASE("What is dropped is never seen by weighted losses, nor its weights", "[unseen]") {
    using limits = std::numeric_limits<float>;
    const shape_t shape = {5, 70};
    const auto p = oracle::random<float>(shape, 1);
    const auto t = oracle::random<float>(shape, 2);
    const xt::xarray<float> weights = oracle::random<float>(shape, 3) + 2.f;
    const auto kept = oracle::random<bool>(shape, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    xt::xarray<float> gradient = xt::zeros<float>(shape);
    const auto compute = [&](const xt::xarray<float>& prediction, const xt::xarray<float>& w) {
        gradient.fill(99.f);
        std::vector<double> all;
        const auto counted = xmask::weighted(m, w);
        for (const auto& l :
             {xmask::masked_mse(prediction, t, counted),
              xmask::masked_mse(prediction, t, counted, gradient)}) {
            all.insert(all.end(), {l.sum, l.weight});
        }
        append(all, gradient);
        append(all, xt::xarray<float>(xmask::masked_mse.each(prediction, t, counted)));
        all.push_back(xmask::masked_mse(prediction, t, xmask::balanced(m), gradient).sum);
        append(all, gradient);
        return all;
    };
    const auto expected = compute(p, weights);
    for (const float poison :
         {limits::quiet_NaN(), limits::infinity(), -limits::infinity(), limits::max(), -0.f, 0.f}) {
        CAPTURE(poison);
        REQUIRE(oracle::same_bits(
            compute(poisoned(p, kept, poison), poisoned(weights, kept, poison)), expected
        ));
    }
}
