// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/mse.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// Whether a loss has this sum and weight. Sums may differ by `tolerance` of the sum, which has
/// only positive terms.
bool is(const xmask::loss& l, double sum, double weight, double tolerance) {
    CAPTURE(l.sum, sum, l.weight, weight);
    CHECK(l.weight == weight);
    return std::abs(l.sum - sum) <= tolerance * sum && l.weight == weight;
}

struct squares {
    double sum = 0;
    double weight = 0;
    std::vector<double> gradient;

    template <class T>
    squares(const xt::xarray<T>& p, const xt::xarray<T>& t, const std::vector<char>& kept) {
        const auto x = oracle::elements(p);
        const auto y = oracle::elements(t);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
            sum += kept[i] != 0 ? d * d : 0.;
            weight += kept[i] != 0 ? 1. : 0.;
            gradient.push_back(kept[i] != 0 ? 2. * d : 0.);
        }
    }
};
} // namespace

TEST_CASE("masked_mse of any layout, of lazy and of mixed operands", "[mse]") {
    const auto p = oracle::random<double>({3, 70}, 1);
    const auto t = oracle::random<double>({3, 70}, 2);
    const auto kept = oracle::random<bool>({3, 70}, 5);
    const xmask::bitmask m = xmask::keep_where(kept);
    const squares expected(p, t, oracle::elements(kept));
    oracle::for_each_layout(p, [&](const auto& prediction, const char* layout) {
        CAPTURE(layout);
        REQUIRE(is(xmask::masked_mse(prediction, t, m), expected.sum, expected.weight, 1e-14));
    });
    oracle::for_each_layout(t, [&](const auto& target, const char* layout) {
        CAPTURE(layout);
        REQUIRE(is(xmask::masked_mse(p, target, m), expected.sum, expected.weight, 1e-14));
    });
    const xt::xarray<float> narrow = t;
    REQUIRE(is(xmask::masked_mse(p, narrow, m), expected.sum, expected.weight, 1e-14));
    xt::xarray<double> gradient;
    REQUIRE(
        is(xmask::masked_mse(2. * p - p, narrow + 0.f, m, gradient), expected.sum, expected.weight,
           1e-14)
    );
    REQUIRE(oracle::elements(gradient) == expected.gradient);
}

TEST_CASE("A gradient beyond the caches, at an odd address", "[mse]") {
    const std::size_t rows = 513;
    const std::size_t n = 16411;
    REQUIRE(rows * n * sizeof(float) >= std::size_t(32) << 20);
    xt::xtensor<float, 2> p = xt::zeros<float>({rows, n});
    double sum = 0;
    double weight = 0;
    xt::xtensor<std::size_t, 1> lengths = xt::zeros<std::size_t>({rows});
    for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t length = r == 0 ? n : r * 977 % (n + 1);
        float* row = &p(r, 0);
        for (std::size_t c = 0; c < n; ++c) {
            const auto value = static_cast<float>((r + c) % 64);
            row[c] = value;
            sum += c < length ? static_cast<double>(value * value) : 0.;
        }
        lengths(r) = length;
        weight += static_cast<double>(length);
    }
    const xt::xtensor<float, 2> t = xt::zeros<float>({rows, n});
    std::vector<float> memory(rows * n + 2, -1.f);
    auto gradient = xt::adapt(
        memory.data() + 1, rows * n, xt::no_ownership(), std::array<std::size_t, 2>{rows, n}
    );
    REQUIRE(
        is(xmask::masked_mse(p, t, xmask::keep_lengths(lengths, n), gradient), sum, weight, 1e-12)
    );
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t length = lengths(r);
        const float* row = &p(r, 0);
        const float* slopes = memory.data() + 1 + r * n;
        for (std::size_t c = 0; c < n; ++c) {
            wrong += slopes[c] != (c < length ? 2.f * row[c] : 0.f) ? 1u : 0u;
        }
    }
    REQUIRE(wrong == 0);
    REQUIRE(memory.front() == -1.f);
    REQUIRE(memory.back() == -1.f);
}
