// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/extreme.hpp>
#include <xmask/reduce/quantile.hpp>

#include "families.hpp"
#include "slopes.hpp"

/// @file
/// Gradients of extremes and medians.

namespace fuzz {
namespace {
double median_of(numbers all) {
    std::sort(all.begin(), all.end());
    return all[(all.size() - 1) / 2];
}

template <class T>
void check_gradient_of_order(
    record& r, const reduction& way, const auto& e, const array<T>& x, const auto& mask
) {
    const auto largest = [](const numbers& all) {
        return shared(all, *std::max_element(all.begin(), all.end()));
    };
    const auto smallest = [](const numbers& all) {
        return shared(all, *std::min_element(all.begin(), all.end()));
    };
    const auto median = [](const numbers& all) { return shared(all, median_of(all)); };
    switch (r.d.below(3)) {
    case 0:
        return check_gradient(
            r, "masked_max_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_max_gradient(a...); }, largest
        );
    case 1:
        return check_gradient(
            r, "masked_min_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_min_gradient(a...); }, smallest
        );
    default:
        return check_gradient(
            r, "masked_median_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_median_gradient(a...); }, median
        );
    }
}

} // namespace

void run_order_gradients(record& r) {
    with_gradients(r, [&](const reduction& way, const auto& e, const auto& x, const auto& mask) {
        check_gradient_of_order(r, way, e, x, mask);
    });
}
} // namespace fuzz
