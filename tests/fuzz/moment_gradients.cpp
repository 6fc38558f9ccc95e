// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/logsumexp.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/norm.hpp>

#include "families.hpp"
#include "slopes.hpp"

/// @file
/// Gradients of variances, norms and log-sum-exps.

namespace fuzz {
namespace {
double mean_of(const numbers& all) {
    long double sum = 0;
    for (const double one : all) {
        sum += static_cast<long double>(one);
    }
    return static_cast<double>(sum / static_cast<long double>(all.size()));
}

/// The gradient of the variance, or of its root.
slopes of_variance(const numbers& all, double correction, bool root) {
    const double mean = mean_of(all);
    const double free = static_cast<double>(all.size()) - correction;
    double squares = 0;
    for (const double one : all) {
        squares += (one - mean) * (one - mean);
    }
    const double deviation = std::sqrt(squares / free);
    const double factor = free <= 0 ? 0
                          : root    ? (deviation > 0 ? 1 / (free * deviation) : 0)
                                    : 2 / free;
    slopes s;
    for (const double one : all) {
        s.value.push_back(factor * (one - mean));
        s.size.push_back(factor * (std::abs(one) + std::abs(mean)));
    }
    return s;
}

slopes of_norm(const numbers& all, double p) {
    slopes s;
    if (p == std::numeric_limits<double>::infinity()) {
        double largest = 0;
        for (const double one : all) {
            largest = std::max(largest, std::abs(one));
        }
        numbers sizes;
        for (const double one : all) {
            sizes.push_back(std::abs(one));
        }
        s = shared(sizes, largest);
        for (std::size_t i = 0; i < all.size(); ++i) {
            s.value[i] *= all[i] > 0 ? 1. : all[i] < 0 ? -1. : 0.;
        }
        return s;
    }
    double sum = 0;
    for (const double one : all) {
        sum += std::pow(std::abs(one), p);
    }
    const double norm = std::pow(sum, 1 / p);
    for (const double one : all) {
        const double slope = one == 0 ? 0 : std::pow(std::abs(one) / norm, p - 1);
        s.value.push_back(one < 0 ? -slope : slope);
        s.size.push_back(slope);
    }
    return s;
}

slopes of_logsumexp(const numbers& all) {
    const double largest = *std::max_element(all.begin(), all.end());
    double sum = 0;
    for (const double one : all) {
        sum += std::exp(one - largest);
    }
    slopes s;
    for (const double one : all) {
        s.value.push_back(std::exp(one - largest) / sum);
    }
    s.size = s.value;
    return s;
}

template <class T>
void check_gradient_of_moments(
    record& r, const reduction& way, const auto& e, const array<T>& x, const auto& mask
) {
    xmask::var_options options;
    options.correction = r.d.of({0., 1., 2.});
    switch (r.d.below(4)) {
    case 0:
        return check_gradient(
            r, "masked_var_gradient", way, e, x, mask,
            [&](const auto&... a) { return xmask::masked_var_gradient(a..., options); },
            [&](const numbers& all) { return of_variance(all, options.correction, false); }
        );
    case 1:
        return check_gradient(
            r, "masked_std_gradient", way, e, x, mask,
            [&](const auto&... a) { return xmask::masked_std_gradient(a..., options); },
            [&](const numbers& all) { return of_variance(all, options.correction, true); }
        );
    case 2: {
        xmask::norm_options norm;
        norm.p = r.d.of({2., 1., 3., std::numeric_limits<double>::infinity()});
        r.operands += " p " + text_of(norm.p);
        return check_gradient(
            r, "masked_norm_gradient", way, e, x, mask,
            [&](const auto&... a) { return xmask::masked_norm_gradient(a..., norm); },
            [&](const numbers& all) { return of_norm(all, norm.p); }
        );
    }
    default:
        return check_gradient(
            r, "masked_logsumexp_gradient", way, e, x, mask,
            [](const auto&... a) { return xmask::masked_logsumexp_gradient(a...); }, of_logsumexp
        );
    }
}

} // namespace

void run_moment_gradients(record& r) {
    with_gradients(r, [&](const reduction& way, const auto& e, const auto& x, const auto& mask) {
        check_gradient_of_moments(r, way, e, x, mask);
    });
}
} // namespace fuzz
