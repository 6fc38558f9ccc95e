// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <xmask/reduce/binary.hpp>

#include "families.hpp"
#include "losses.hpp"

/// @file
/// Losses of two classes, by their definitions in double.

namespace fuzz {
namespace {
slope bce(double p, double t) {
    const double yes = std::log(p);
    const double no = std::log1p(-p);
    return {-(t * yes + (1 - t) * no), (p - t) / (p * (1 - p)), std::abs(yes) + std::abs(no)};
}

double softplus(double z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }

slope bce_with_logits(double p, double t, double weight) {
    const double yes = 1 / (1 + std::exp(-p));
    return {
        weight * t * softplus(-p) + (1 - t) * softplus(p), (1 - t) * yes - weight * t * (1 - yes),
        1 + std::abs(p)
    };
}

/// The derivative by the difference quotient of the definition: in double, to 1e-6.
slope focal(double p, double t, double alpha, double gamma) {
    const auto value = [&](double z) {
        const double yes = 1 / (1 + std::exp(-z));
        const double missed = t * (1 - yes) + (1 - t) * yes;
        const double entropy = t * softplus(-z) + (1 - t) * softplus(z);
        const double weight = alpha < 0 ? 1 : alpha * t + (1 - alpha) * (1 - t);
        return weight * std::pow(missed, gamma) * entropy;
    };
    const double h = 1e-5;
    return {value(p), (value(p + h) - value(p - h)) / (2 * h), 1 + std::abs(p)};
}

slope hinge(double p, double t, double margin) {
    return {std::max(0., margin - t * p), margin - t * p > 0 ? -t : 0, 0};
}

template <class T>
void check_binary(record& r) {
    switch (r.d.below(4)) {
    case 0:
        return check_loss<T>(r, "masked_bce", xmask::masked_bce, bce, draw_probability, draw_label);
    case 1: {
        const double weight = r.d.of({1., 3.});
        const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
            return xmask::masked_bce_with_logits(p, t, m, {.pos_weight = weight}, to...);
        };
        const auto f = [&](double p, double t) { return bce_with_logits(p, t, weight); };
        return check_loss<T>(r, "masked_bce_with_logits", call, f, draw_real, draw_share);
    }
    case 2: {
        const double margin = r.d.of({1., 0.5});
        const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
            return xmask::masked_hinge(p, t, m, {.margin = margin}, to...);
        };
        const auto f = [&](double p, double t) { return hinge(p, t, margin); };
        return check_loss<T>(r, "masked_hinge", call, f, draw_real, draw_sign);
    }
    default: {
        const double alpha = r.d.of({0.25, -1.});
        const double gamma = r.d.of({2., 0., 1.5});
        const auto call = [&](const auto& p, const auto& t, const auto& m, auto&&... to) {
            return xmask::masked_focal_with_logits(p, t, m, {alpha, gamma}, to...);
        };
        const auto f = [&](double p, double t) { return focal(p, t, alpha, gamma); };
        return check_loss<T>(r, "masked_focal_with_logits", call, f, draw_real, draw_label);
    }
    }
}

} // namespace

void run_binary(record& r) { check_binary<float>(r); }
} // namespace fuzz
