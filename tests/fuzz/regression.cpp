// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/regression.hpp>

#include "families.hpp"
#include "losses.hpp"

/// @file
/// Losses of real targets, by their definitions in double.

namespace fuzz {
namespace {
double sign_of(double x) { return x > 0 ? 1. : x < 0 ? -1. : 0.; }

slope mse(double p, double t) { return {(p - t) * (p - t), 2 * (p - t), 0}; }

slope mae(double p, double t) { return {std::abs(p - t), sign_of(p - t), 0}; }

slope huber(double p, double t, double delta) {
    const double size = std::abs(p - t);
    return {
        size <= delta ? size * size / 2 : delta * (size - delta / 2),
        std::clamp(p - t, -delta, delta), 0
    };
}

slope smooth_l1(double p, double t, double beta) {
    const double size = std::abs(p - t);
    return {
        size < beta ? size * size / (2 * beta) : size - beta / 2,
        size < beta ? (p - t) / beta : sign_of(p - t), 0
    };
}

template <class T>
void check_regression(record& r) {
    switch (r.d.below(4)) {
    case 0:
        return check_loss<T>(r, "masked_mse", xmask::masked_mse, mse, draw_real, draw_real);
    case 1:
        return check_loss<T>(r, "masked_mae", xmask::masked_mae, mae, draw_real, draw_real);
    case 2: {
        const double delta = r.d.of({1., 0.25, 3.});
        const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
            return xmask::masked_huber(p, t, m, {.delta = delta}, to...);
        };
        const auto f = [&](double p, double t) { return huber(p, t, delta); };
        return check_loss<T>(r, "masked_huber", call, f, draw_real, draw_real);
    }
    default: {
        const double beta = r.d.of({1., 0.25, 3.});
        const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
            return xmask::masked_smooth_l1(p, t, m, {.beta = beta}, to...);
        };
        const auto f = [&](double p, double t) { return smooth_l1(p, t, beta); };
        return check_loss<T>(r, "masked_smooth_l1", call, f, draw_real, draw_real);
    }
    }
}

} // namespace

void run_regression(record& r) {
    if (r.d.once_in(3)) {
        check_loss<double>(r, "masked_mse", xmask::masked_mse, mse, draw_real, draw_real);
    } else {
        check_regression<float>(r);
    }
}
} // namespace fuzz
