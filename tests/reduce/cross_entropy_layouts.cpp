// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/reduce/cross_entropy.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// Cross entropy and its gradient by loops in long double.
struct naive {
    double sum = 0;
    double weight = 0;
    std::vector<double> gradient;

    template <class T, class I>
    naive(
        const xt::xarray<T>& logits, const xt::xarray<I>& target, const std::vector<double>& weights
    ) {
        const auto x = oracle::elements(logits);
        const auto t = oracle::elements(target);
        const std::size_t classes = logits.shape().back();
        gradient.assign(x.size(), 0.);
        for (std::size_t r = 0; r < t.size(); ++r) {
            if (weights[r] == 0.) {
                continue;
            }
            const auto first = x.begin() + static_cast<std::ptrdiff_t>(r * classes);
            const long double top =
                *std::max_element(first, first + static_cast<std::ptrdiff_t>(classes));
            long double total = 0;
            for (std::size_t c = 0; c < classes; ++c) {
                total += std::exp(static_cast<long double>(x[r * classes + c]) - top);
            }
            for (std::size_t c = 0; c < classes; ++c) {
                const long double share =
                    std::exp(static_cast<long double>(x[r * classes + c]) - top) / total;
                gradient[r * classes + c] =
                    weights[r] * static_cast<double>(share - (c == std::size_t(t[r]) ? 1 : 0));
            }
            const long double loss = std::log(total) + top -
                                     static_cast<long double>(x[r * classes + std::size_t(t[r])]);
            sum += weights[r] * static_cast<double>(loss);
            weight += weights[r];
        }
    }
};

std::vector<double> weights_of(const xt::xarray<bool>& kept, const shape_t& shape) {
    const auto bits = oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)));
    return std::vector<double>(bits.begin(), bits.end());
}

/// Classes in [0, classes).
xt::xarray<std::int64_t> classes_of(const shape_t& shape, std::size_t classes, unsigned seed = 3) {
    xt::xarray<std::int64_t> target = xt::xarray<std::int64_t>::from_shape(shape);
    std::mt19937 generator(seed);
    for (auto& value : target) {
        value = static_cast<std::int64_t>(generator() % classes);
    }
    return target;
}

bool is(const xmask::loss& l, const naive& expected, double tolerance) {
    CAPTURE(l.sum, expected.sum, l.weight, expected.weight);
    CHECK(std::abs(l.sum - expected.sum) <= tolerance * std::max(1., std::abs(expected.sum)));
    return std::abs(l.sum - expected.sum) <= tolerance * std::max(1., std::abs(expected.sum)) &&
           std::abs(l.weight - expected.weight) <= tolerance * std::max(1., expected.weight);
}
} // namespace

TEST_CASE("Logits of any layout, gradients to any container", "[cross_entropy]") {
    const shape_t shape = {2, 3, 67};
    const auto logits = oracle::random<double>(shape, 1);
    const auto target = classes_of({2, 3}, 67);
    const auto kept = oracle::random<bool>({2, 3}, 5);
    const xmask::bitmask m = xmask::keep_where(kept);
    const naive expected(logits, target, weights_of(kept, {2, 3}));
    const auto slopes = xt::adapt(expected.gradient, shape);
    oracle::for_each_layout(logits, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        REQUIRE(is(xmask::masked_cross_entropy(operand, target, m), expected, 1e-13));
    });
    const xt::xarray<std::int64_t, xt::layout_type::column_major> turned = target;
    REQUIRE(is(xmask::masked_cross_entropy(logits, turned, m), expected, 1e-13));
    REQUIRE(is(xmask::masked_cross_entropy(logits, target + 0, m), expected, 1e-13));
    const auto check = [&](auto&& gradient) {
        REQUIRE(is(xmask::masked_cross_entropy(logits, target, m, gradient), expected, 1e-13));
        REQUIRE(oracle::close(gradient, slopes, 1e-7));
    };
    check(xt::xtensor<double, 3>());
    check(xt::xarray<float, xt::layout_type::column_major>());
    xt::xarray<double> wide = xt::zeros<double>({2, 3, 140});
    check(xt::view(wide, xt::all(), xt::all(), xt::range(5, 139, 2)));
    REQUIRE(std::abs(xt::sum(xt::abs(wide))() - xt::sum(xt::abs(slopes))()) < 1e-12);
    auto in_place = logits;
    REQUIRE(is(xmask::masked_cross_entropy(in_place, target, m, in_place), expected, 1e-13));
    REQUIRE(oracle::close(in_place, slopes, 1e-13));
    // Smoothing needs more sums of a row than the one that is written over the logits.
    const auto require_in_place = [&](auto copy) {
        const xmask::cross_entropy_options smoothed = {.label_smoothing = 0.1, .z_loss = 0.2};
        decltype(copy) beside;
        const auto l = xmask::masked_cross_entropy(copy, target, m, smoothed, beside);
        REQUIRE(xmask::masked_cross_entropy(copy, target, m, smoothed, copy).sum == l.sum);
        REQUIRE(copy == beside);
    };
    require_in_place(xt::xarray<double>(logits));
    require_in_place(xt::xarray<long double>(logits));
    xt::xarray<double> scaled;
    xmask::masked_cross_entropy(logits, target, m, xmask::scaled(scaled, 0.125));
    REQUIRE(oracle::close(scaled, xt::xarray<double>(0.125 * slopes), 1e-13));
    auto narrow = xt::view(wide, xt::all(), xt::all(), xt::range(0, 66));
    const xt::xarray<double> before = wide;
    REQUIRE_THROWS_AS(
        xmask::masked_cross_entropy(logits, target, m, narrow), std::invalid_argument
    );
    REQUIRE(oracle::elements(wide) == oracle::elements(before));
}
