// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/xmask.hpp>

// A reduction, a pooling and their gradients never see dropped elements: no bit changes.

namespace {
template <class E>
void append(std::vector<double>& all, const E& result) {
    for (const auto one : oracle::elements(result)) {
        all.push_back(static_cast<double>(one));
    }
}

/// All results for x under m, over everything and along each axis.
template <class T, class M>
std::vector<double> compute(const xt::xarray<T>& x, const M& m) {
    using xmask::when_empty;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> all;
    const auto both = [&](const auto& reduce, const auto& gradient) {
        all.push_back(static_cast<double>(reduce(x, m)));
        append(all, gradient(x, m, 0.5));
        for (const std::ptrdiff_t axis : {0, 1}) {
            append(all, reduce(x, m, axis));
            const auto u = oracle::random<T>({x.shape(1 - static_cast<std::size_t>(axis))}, 3);
            append(all, gradient(x, m, u, axis));
        }
    };
#define BOTH(name, ...)                                                                            \
    both(                                                                                          \
        [](const auto&... a) { return xmask::name(a... __VA_OPT__(, ) __VA_ARGS__); },             \
        [](const auto&... a) { return xmask::name##_gradient(a... __VA_OPT__(, ) __VA_ARGS__); }   \
    )
    BOTH(masked_sum);
    BOTH(masked_mean);
    BOTH(masked_prod);
    BOTH(masked_max);
    BOTH(masked_min);
    BOTH(masked_var);
    BOTH(masked_std);
    BOTH(masked_norm);
    BOTH(masked_norm, xmask::norm_options{.p = infinity});
    BOTH(masked_logsumexp);
    all.push_back(static_cast<double>(xmask::masked_argmax(x, m, when_empty::zero)));
    all.push_back(static_cast<double>(xmask::masked_median(x, m)));
    all.push_back(static_cast<double>(xmask::masked_quantile(x, m, 0.3)));
    all.push_back(xmask::masked_any(x, m));
    all.push_back(xmask::masked_all(x, m));
    for (const std::ptrdiff_t axis : {0, 1}) {
        append(all, xmask::masked_argmin(x, m, axis, when_empty::zero));
        append(all, xmask::masked_median(x, m, axis));
        append(all, xmask::masked_quantile(x, m, 0.7, axis));
        append(all, xmask::masked_any(x, m, axis));
        append(all, xmask::masked_all(x, m, axis));
        append(all, xmask::masked_cumsum(x, m, axis));
        append(all, xmask::masked_cumprod(x, m, axis));
        append(all, xmask::masked_standardize(x, m, axis));
    }
    return all;
}

template <class T>
xt::xarray<T> poisoned(xt::xarray<T> x, const std::vector<char>& kept, T poison) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept[i] != 0 ? x.flat(i) : poison;
    }
    return x;
}

const std::vector<float> poisons = {
    std::numeric_limits<float>::quiet_NaN(),
    -std::numeric_limits<float>::quiet_NaN(),
    std::numeric_limits<float>::infinity(),
    -std::numeric_limits<float>::infinity(),
    std::numeric_limits<float>::max(),
    -0.f,
    -100.f,
};
} // namespace

TEST_CASE(
    "What is dropped is never seen by reductions and their gradients", "[unseen_reductions]"
) {
    for (const std::size_t n : {1u, 3u, 64u, 65u, 200u}) {
        const auto x = oracle::random<float>({5, n}, 1);
        const xt::xtensor<std::size_t, 1> lengths = {n, 0, n / 2, n - n / 3, 1};
        const xt::xarray<bool> by_length = xmask::keep_lengths(lengths, n);
        for (const auto& chosen : {by_length, oracle::random<bool>({5, n}, 2)}) {
            const xmask::bitmask m = xmask::keep_where(chosen);
            const auto kept = oracle::elements(chosen);
            const auto expected = compute(x, m);
            for (const float poison : poisons) {
                CAPTURE(n, poison);
                REQUIRE(oracle::same_bits(compute(poisoned(x, kept, poison), m), expected));
            }
        }
    }
}

TEST_CASE("What is dropped is never seen by pooling", "[unseen_reductions]") {
    const auto x = oracle::random<float>({4, 9, 67}, 1);
    const xmask::bitmask m = xmask::keep_lengths({9, 0, 3, 1}, 9);
    const auto kept = groups::broadcast(xt::xarray<bool>(xmask::unsqueeze(m, 2)), {4, 9, 67});
    const auto pool = [&](const xt::xarray<float>& operand) {
        std::vector<double> all;
        append(all, xmask::masked_mean_pool(operand, m));
        append(all, xmask::masked_max_pool(operand, m));
        append(all, xmask::masked_first_token(operand, m));
        append(all, xmask::masked_last_token(operand, m));
        return all;
    };
    for (const float poison : poisons) {
        CAPTURE(poison);
        REQUIRE(oracle::same_bits(pool(poisoned(x, kept, poison)), pool(x)));
    }
}

TEST_CASE("Reductions do not depend on the order of rows", "[unseen_reductions]") {
    const auto x = oracle::random<float>({11, 130}, 1);
    const auto kept = oracle::random<bool>({11, 130}, 3);
    const auto order = xt::keep(3, 10, 0, 7, 5, 1, 9, 2, 8, 6, 4);
    const xt::xarray<float> x2 = xt::view(x, order);
    const xt::xarray<bool> kept2 = xt::view(kept, order);
    const xmask::bitmask m = xmask::keep_where(kept);
    const xmask::bitmask m2 = xmask::keep_where(kept2);
    const auto check = [&](const auto& reduce) {
        REQUIRE(std::abs(reduce(x2, m2) - reduce(x, m)) <= 1e-6f * std::abs(reduce(x, m)));
        const auto rows = reduce(x, m, 1);
        const auto rows2 = reduce(x2, m2, 1);
        REQUIRE(oracle::same_bits(
            oracle::elements(rows2), oracle::elements(xt::xarray<float>(xt::view(rows, order)))
        ));
        REQUIRE(oracle::close(reduce(x2, m2, 0), reduce(x, m, 0), 1e-6));
    };
    check([](const auto&... a) { return xmask::masked_max(a...); });
    check([](const auto&... a) { return xmask::masked_var(a...); });
    check([](const auto&... a) { return xmask::masked_norm(a...); });
    check([](const auto&... a) { return xmask::masked_logsumexp(a...); });
    check([](const auto&... a) { return xmask::masked_median(a...); });
}
