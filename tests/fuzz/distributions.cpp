// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <numbers>

#include <xmask/reduce/distribution.hpp>

#include "families.hpp"
#include "losses.hpp"

/// @file
/// Losses between distributions, by their definitions in double.

namespace fuzz {
namespace {
slope kl_div(double p, double t) {
    const double log = t == 0 ? 0 : std::log(t);
    return {t * (log - p), -t, t * (std::abs(log) + std::abs(p))};
}

slope poisson_nll(double p, double t, bool full) {
    const double pi = std::numbers::pi;
    const double stirling = full && t > 1 ? t * std::log(t) - t + std::log(2 * pi * t) / 2 : 0;
    return {std::exp(p) - t * p + stirling, std::exp(p) - t, std::exp(p) + std::abs(t * p) + t};
}

template <class T>
void check_distributions(record& r) {
    if (r.d.coin()) {
        return check_loss<T>(
            r, "masked_kl_div", xmask::masked_kl_div, kl_div, draw_real, draw_share
        );
    }
    const bool full = r.d.coin();
    const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
        return xmask::masked_poisson_nll(p, t, m, {.full = full}, to...);
    };
    const auto f = [&](double p, double t) { return poisson_nll(p, t, full); };
    check_loss<T>(r, "masked_poisson_nll", call, f, draw_real, draw_count);
}
} // namespace

void run_distributions(record& r) { check_distributions<float>(r); }
} // namespace fuzz
