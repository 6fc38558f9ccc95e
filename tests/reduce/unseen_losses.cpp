// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/mse.hpp>

// Dropped elements are never seen: whatever their values, no bit of any result or gradient changes.

namespace {
using shape_t = std::vector<std::size_t>;

template <class T>
std::vector<T> poisons() {
    using limits = std::numeric_limits<T>;
    return {
        limits::quiet_NaN(),
        -limits::quiet_NaN(),
        limits::infinity(),
        -limits::infinity(),
        limits::max(),
        T(1e38),
        T(-0.),
        T(-100)
    };
}

template <class T>
xt::xarray<T> poisoned(xt::xarray<T> x, const xt::xarray<bool>& kept, T poison) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept.flat(i) ? x.flat(i) : poison;
    }
    return x;
}

/// Appends the elements of a result.
template <class T, class E>
void append(std::vector<T>& all, const E& result) {
    const auto more = oracle::elements(result);
    all.insert(all.end(), more.begin(), more.end());
}

std::vector<double> both(const xmask::loss& l) { return {l.sum, l.weight}; }
} // namespace

TEMPLATE_TEST_CASE(
    "What is dropped is never seen by losses of elements", "[unseen]", float, double
) {
    for (const std::size_t n : {1u, 3u, 64u, 65u, 200u}) {
        const shape_t shape = {5, n};
        const auto p = oracle::random<TestType>(shape, 1);
        const auto t = oracle::random<TestType>(shape, 2);
        // One container for all gradients, because its address decides the order of additions.
        xt::xarray<TestType> gradient = xt::zeros<TestType>(shape);
        auto lengths = xt::xtensor<std::size_t, 1>{n, 0, n / 2, n - n / 3, 1};
        const xt::xarray<bool> by_length = xmask::keep_lengths(lengths, n);
        for (const auto& kept : {by_length, oracle::random<bool>(shape, 3)}) {
            const auto m = xmask::keep_where(kept);
            const auto compute = [&](const xt::xarray<TestType>& prediction,
                                     const xt::xarray<TestType>& target) {
                gradient.fill(TestType(99));
                std::vector<double> all = both(xmask::masked_mse(prediction, target, m));
                append(all, xt::adapt(both(xmask::masked_mse(prediction, target, m, gradient))));
                append(all, gradient);
                append(all, xt::adapt(both(xmask::masked_loss(xt::exp(prediction) - target, m))));
                return all;
            };
            const auto expected = compute(p, t);
            for (const TestType poison : poisons<TestType>()) {
                CAPTURE(n, poison);
                REQUIRE(oracle::same_bits(compute(poisoned(p, kept, poison), t), expected));
                REQUIRE(oracle::same_bits(compute(p, poisoned(t, kept, poison)), expected));
                REQUIRE(oracle::same_bits(
                    compute(poisoned(p, kept, poison), poisoned(t, kept, poison)), expected
                ));
            }
            // Dropped elements are +0.
            for (std::size_t i = 0; i < kept.size(); ++i) {
                if (!kept.flat(i)) {
                    REQUIRE(oracle::same_bits(gradient.flat(i), TestType(0)));
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("What is dropped is never seen by cross entropy", "[unseen]", float, double) {
    for (const std::size_t classes : {1u, 5u, 64u, 67u}) {
        const shape_t shape = {3, 70};
        const auto logits = oracle::random<TestType>({3, 70, classes}, 1);
        const xt::xarray<int> target = xt::zeros<int>(shape);
        const auto kept = oracle::random<bool>(shape, 3);
        const xmask::bitmask m = xmask::keep_where(kept);
        const xt::xarray<bool> every_class = xt::broadcast(
            xt::view(kept, xt::all(), xt::all(), xt::newaxis()),
            {std::size_t(3), std::size_t(70), classes}
        );
        xt::xarray<TestType> gradient =
            xt::zeros<TestType>({std::size_t(3), std::size_t(70), classes});
        const auto compute = [&](const xt::xarray<TestType>& prediction,
                                 const xt::xarray<int>& classes_at) {
            gradient.fill(TestType(99));
            std::vector<double> all = both(xmask::masked_cross_entropy(prediction, classes_at, m));
            append(
                all,
                xt::adapt(both(xmask::masked_cross_entropy(prediction, classes_at, m, gradient)))
            );
            append(all, gradient);
            return all;
        };
        const auto expected = compute(logits, target);
        for (const TestType poison : poisons<TestType>()) {
            for (const int bad :
                 {-100, -1, 1000000, std::numeric_limits<int>::max(),
                  std::numeric_limits<int>::min()}) {
                CAPTURE(classes, poison, bad);
                REQUIRE(oracle::same_bits(
                    compute(poisoned(logits, every_class, poison), poisoned(target, kept, bad)),
                    expected
                ));
            }
        }
        for (std::size_t i = 0; i < every_class.size(); ++i) {
            if (!every_class.flat(i)) {
                REQUIRE(oracle::same_bits(gradient.flat(i), TestType(0)));
            }
        }
    }
}

TEST_CASE("A batch in which nothing is kept has a loss of 0 and a gradient of 0", "[unseen]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xarray<float> bad = nan * xt::ones<float>({2, 3});
    const xmask::bitmask none = xmask::keep_none({2, 3});
    xt::xarray<float> gradient;
    const auto l = xmask::masked_mse(bad, bad, none, gradient);
    REQUIRE((l.sum == 0. && l.weight == 0.));
    REQUIRE(oracle::same_bits(oracle::elements(gradient), std::vector<float>(6, 0.f)));
    const xt::xarray<int> target = -100 * xt::ones<int>({2});
    const auto entropy =
        xmask::masked_cross_entropy(bad, target, xmask::bitmask(xmask::keep_none({2})), gradient);
    REQUIRE((entropy.sum == 0. && entropy.weight == 0.));
    REQUIRE(oracle::same_bits(oracle::elements(gradient), std::vector<float>(6, 0.f)));
    REQUIRE((l + xmask::loss{3., 2.}).mean() == 1.5);
}
