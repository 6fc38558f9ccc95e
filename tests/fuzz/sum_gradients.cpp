// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/product.hpp>
#include <xmask/reduce/sum.hpp>

#include "families.hpp"
#include "slopes.hpp"

/// @file
/// Gradients of sums, means and products.

namespace fuzz {
namespace {
slopes of_product(const numbers& all) {
    slopes s{numbers(all.size()), numbers(all.size())};
    double before = 1;
    for (std::size_t i = 0; i < all.size(); ++i) {
        s.value[i] = before;
        before *= all[i];
    }
    double after = 1;
    for (std::size_t i = all.size(); i-- > 0;) {
        s.value[i] *= after;
        s.size[i] = std::abs(s.value[i]);
        after *= all[i];
    }
    return s;
}

/// Whether no partial product overflows or underflows a double.
bool stays_within(const numbers& all) {
    double logs = 0;
    for (const double one : all) {
        logs += one == 0 ? 0 : std::abs(std::log2(std::abs(one)));
    }
    return logs < 100;
}

template <class T>
void check_gradient_of_sums(
    record& r, const reduction& way, const auto& e, const array<T>& x, const auto& mask
) {
    const auto ones = [](const numbers& all) {
        return slopes{numbers(all.size(), 1.), numbers(all.size(), 1.)};
    };
    const auto parts = [](const numbers& all) {
        const double part = 1 / static_cast<double>(all.size());
        return slopes{numbers(all.size(), part), numbers(all.size(), part)};
    };
    if (r.d.coin()) {
        check_gradient(
            r, "masked_sum_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_sum_gradient(a...); }, ones
        );
    } else {
        check_gradient(
            r, "masked_mean_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_mean_gradient(a...); }, parts
        );
    }
    bool within = true;
    for (const auto& group : way.all) {
        numbers all;
        for (const std::size_t at : group) {
            all.push_back(static_cast<double>(x[at]));
        }
        within = within && stays_within(all);
    }
    if (within) {
        check_gradient(
            r, "masked_prod_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_prod_gradient(a...); }, of_product
        );
    }
}

} // namespace

void run_sum_gradients(record& r) {
    with_gradients(r, [&](const reduction& way, const auto& e, const auto& x, const auto& mask) {
        check_gradient_of_sums(r, way, e, x, mask);
    });
}
} // namespace fuzz
