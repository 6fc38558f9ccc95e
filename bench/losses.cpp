// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Sums of kept elements, and losses of single elements, with and without the gradient.

#include "bench.hpp"

namespace bench {
namespace {
// The tolerance for sums that xtensor, libtorch and loops by hand add in float.
constexpr double float_tolerance = 1e-3;

template <class Source>
void sum(benchmark::State& state, const std::string& name, const size& s) {
    const Source source(s, 0.5);
    const auto& x = operand(s);
    double expected = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected += source.ready.storage()[i] ? static_cast<double>(x.storage()[i]) : 0;
    }
    double total = 0;
    compare(
        state, name,
        {
            .ours = [&] { total = static_cast<double>(xmask::masked_sum(x, source.mask())); },
            .reference = copy_of(x, output(s)),
            .xtensor =
                [&] {
                    total = static_cast<double>(xt::sum(xt::where(source.condition(), x, 0.f))());
                },
        },
        is_about(total, expected, float_tolerance)
    );
}

double squared_error_by_hand(const from_lengths& source, const table& p, const table& t) {
    float total = 0;
    for (std::size_t r = 0; r < p.shape(0); ++r) {
        total += by_hand_loops::squared_error(&p(r, 0), &t(r, 0), source.length(r));
    }
    return static_cast<double>(total);
}

table floats_of(const bool_table& kept) { return xt::cast<float>(kept); }

void mse(benchmark::State& state, const std::string& name, const size& s, double density) {
    const from_lengths source(s, density);
    const auto& p = operand(s);
    const auto& t = operand(s, 2);
    const table kept = floats_of(source.ready);
    double expected = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const float difference = source.ready.storage()[i] ? p.storage()[i] - t.storage()[i] : 0.f;
        expected += static_cast<double>(difference) * static_cast<double>(difference);
    }
    double total = 0;
    compare(
        state, name,
        {
            .ours = [&] { total = xmask::masked_mse(p, t, source.mask()).sum(); },
            .reference = copy_of(p, output(s)),
            .xtensor =
                [&] {
                    total = static_cast<double>(
                        xt::sum(xt::where(source.ready, (p - t) * (p - t), 0.f))()
                    );
                },
            .by_hand = [&] { total = squared_error_by_hand(source, p, t); },
            .libtorch = with_libtorch::masked_mse(p, t, kept, total),
        },
        is_about(total, expected, float_tolerance)
    );
}

// The operands of a loss: predictions p * scale + offset, and targets, from p and t in [0, 1).
struct loss_operands {
    float scale;
    float offset;
    float (*target)(float);
};

constexpr loss_operands unchanged{1.f, 0.f, [](float t) { return t; }};
constexpr loss_operands reals{4.f, -2.f, [](float t) { return 4.f * t - 2.f; }};
constexpr loss_operands probabilities{0.98f, 0.01f, [](float t) { return t < 0.5f ? 0.f : 1.f; }};
constexpr loss_operands any_logits{8.f, -4.f, [](float t) { return t < 0.5f ? 0.f : 1.f; }};
constexpr loss_operands signs{4.f, -2.f, [](float t) { return t < 0.5f ? -1.f : 1.f; }};
constexpr loss_operands logarithms{4.f, -5.f, [](float t) { return t + 0.01f; }};

// A loss and its gradient, beside `value` and `slope` as an xtensor user writes them.
template <class L, class Value, class Slope>
void element_loss(
    benchmark::State& state, const std::string& name, const size& s, const L& masked,
    const loss_operands& from, Value value, Slope slope
) {
    const from_lengths source(s, 0.5);
    const table p = operand(s) * from.scale + from.offset;
    table t = operand(s, 2);
    std::transform(t.begin(), t.end(), t.begin(), from.target);
    table gradient(s.shape(), 0.f);
    double total = 0;
    const auto theirs = [&] {
        xt::noalias(gradient) = xt::where(source.ready, slope(p, t), 0.f);
        total = static_cast<double>(xt::sum(xt::where(source.ready, value(p, t), 0.f))());
    };
    theirs();
    const auto right = [&, expected = gradient, expected_total = total] {
        const auto near = [](float a, float b) {
            return std::abs(a - b) <= 1e-5f * (1 + std::abs(b));
        };
        const bool is_right = close(total, expected_total, 1e-4) &&
                              std::equal(gradient.begin(), gradient.end(), expected.begin(), near);
        gradient.fill(0.f);
        total = 0;
        return is_right;
    };
    compare(
        state, name,
        {
            .ours = [&] { total = masked(p, t, source.mask(), gradient).sum(); },
            .reference = copy_of(p, output(s)),
            .xtensor = theirs,
        },
        right
    );
}

template <class L, class Value, class Slope>
void add_element_loss(
    const char* name, const L& masked, const loss_operands& from, Value value, Slope slope,
    const std::vector<size>& in = {l2()}
) {
    for (const size& s : in) {
        add(std::string(name) + " and gradient" + tail("lengths", 0.5, s),
            [=](benchmark::State& state, const std::string& row) {
                element_loss(state, row, s, masked, from, value, slope);
            });
    }
}

void add_element_losses() {
    add_element_loss(
        "masked_mse", xmask::masked_mse, unchanged,
        [](const auto& p, const auto& t) { return (p - t) * (p - t); },
        [](const auto& p, const auto& t) { return 2.f * (p - t); }, {l2(), dram()}
    );
    add_element_loss(
        "masked_mae", xmask::masked_mae, reals,
        [](const auto& p, const auto& t) { return xt::abs(p - t); },
        [](const auto& p, const auto& t) { return xt::sign(p - t); }
    );
    add_element_loss(
        "masked_huber", xmask::masked_huber, reals,
        [](const auto& p, const auto& t) {
            return xt::where(
                xt::abs(p - t) <= 1.f, 0.5f * (p - t) * (p - t), xt::abs(p - t) - 0.5f
            );
        },
        [](const auto& p, const auto& t) { return xt::clip(p - t, -1.f, 1.f); }
    );
    add_element_loss(
        "masked_smooth_l1", xmask::masked_smooth_l1, reals,
        [](const auto& p, const auto& t) {
            return xt::where(xt::abs(p - t) < 1.f, 0.5f * (p - t) * (p - t), xt::abs(p - t) - 0.5f);
        },
        [](const auto& p, const auto& t) { return xt::clip(p - t, -1.f, 1.f); }
    );
    add_element_loss(
        "masked_bce", xmask::masked_bce, probabilities,
        [](const auto& p, const auto& t) {
            return -(t * xt::log(p) + (1.f - t) * xt::log(1.f - p));
        },
        [](const auto& p, const auto& t) { return (p - t) / ((1.f - p) * p); }
    );
    const auto logistic = [](const auto& p) { return 1.f / (1.f + xt::exp(-p)); };
    const auto entropy = [](const auto& p, const auto& t) {
        return xt::maximum(p, 0.f) - p * t + xt::log1p(xt::exp(-xt::abs(p)));
    };
    add_element_loss(
        "masked_bce_with_logits", xmask::masked_bce_with_logits, any_logits, entropy,
        [=](const auto& p, const auto& t) { return logistic(p) - t; }
    );
    // For targets of 0 and 1.
    const auto missed = [=](const auto& p, const auto& t) { return xt::abs(logistic(p) - t); };
    const auto weight = [](const auto& t) { return 0.75f - 0.5f * t; };
    add_element_loss(
        "masked_focal_with_logits", xmask::masked_focal_with_logits, any_logits,
        [=](const auto& p, const auto& t) {
            return weight(t) * xt::square(missed(p, t)) * entropy(p, t);
        },
        [=](const auto& p, const auto& t) {
            return weight(t) * (xt::square(missed(p, t)) * (logistic(p) - t) +
                                2.f * missed(p, t) * entropy(p, t) * logistic(p) *
                                    (1.f - logistic(p)) * (1.f - 2.f * t));
        }
    );
    add_element_loss(
        "masked_hinge", xmask::masked_hinge, signs,
        [](const auto& p, const auto& t) { return xt::maximum(1.f - t * p, 0.f); },
        [](const auto& p, const auto& t) { return xt::where(t * p < 1.f, -t, 0.f); }
    );
    add_element_loss(
        "masked_kl_div", xmask::masked_kl_div, logarithms,
        [](const auto& p, const auto& t) { return t * (xt::log(t) - p); },
        [](const auto& /*p*/, const auto& t) { return -t; }
    );
    add_element_loss(
        "masked_poisson_nll", xmask::masked_poisson_nll, reals,
        [](const auto& p, const auto& t) { return xt::exp(p) - t * p; },
        [](const auto& p, const auto& t) { return xt::exp(p) - t; }
    );
}

const family rows(part::reduce, [] {
    for (const size& s : {tiny(), l2(), dram()}) {
        add("masked_sum" + tail("lengths", 0.5, s),
            [=](benchmark::State& state, const std::string& name) {
                sum<from_lengths>(state, name, s);
            });
        add("masked_sum" + tail("bitmask", 0.5, s),
            [=](benchmark::State& state, const std::string& name) {
                sum<from_bitmask>(state, name, s);
            });
        add("masked_sum" + tail("threshold", 0.5, s),
            [=](benchmark::State& state, const std::string& name) {
                sum<from_threshold>(state, name, s);
            });
    }
    for (const size& s : all_sizes()) {
        for (const double density : all_densities()) {
            add("masked_mse" + tail("lengths", density, s),
                [=](benchmark::State& state, const std::string& name) {
                    mse(state, name, s, density);
                });
        }
    }
    add_element_losses();
});
} // namespace
} // namespace bench
