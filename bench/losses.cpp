// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Sums and losses of what is kept, with and without the gradient.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        template <class Source>
        void sum(benchmark::State& state, const std::string& name, const size& s)
        {
            const Source source(s, 0.5);
            const auto& m = source.mask();
            const auto& x = operand(s);
            double expected = 0;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                expected += source.ready.storage()[i] ? static_cast<double>(x.storage()[i]) : 0;
            }
            check(name, close(static_cast<double>(xmask::masked_sum(x, m)), expected));
            compare(
                state, name, [&] { benchmark::DoNotOptimize(xmask::masked_sum(x, m)); }, copy_of(x, output(s)),
                [&] {
                    const float total = xt::sum(xt::where(source.condition(), x, 0.f))();
                    benchmark::DoNotOptimize(total);
                }
            );
        }

        void mse(benchmark::State& state, const std::string& name, const size& s, bool with_gradient)
        {
            const from_lengths source(s, 0.5);
            const auto& p = operand(s);
            const auto& t = operand(s, 2);
            auto& gradient = output(s);
            const auto ours = [&] { return xmask::masked_mse(p, t, source.mask()); };
            const auto ours_with_gradient = [&] { return xmask::masked_mse(p, t, source.mask(), gradient); };
            double expected = 0;
            bool right = true;
            ours_with_gradient();
            for (std::size_t i = 0; i < p.size(); ++i)
            {
                const float difference = source.ready.storage()[i] ? p.storage()[i] - t.storage()[i] : 0.f;
                expected += static_cast<double>(difference) * static_cast<double>(difference);
                right = right && gradient.storage()[i] == 2 * difference;
            }
            check(name, right && close(ours().sum, expected) && close(ours_with_gradient().sum, expected));
            const auto theirs = [&] {
                const float total = xt::sum(xt::where(source.ready, (p - t) * (p - t), 0.f))();
                benchmark::DoNotOptimize(total);
            };
            if (!with_gradient)
            {
                compare(
                    state, name, [&] { benchmark::DoNotOptimize(ours()); }, copy_of(p, output(s)), theirs
                );
                return;
            }
            compare(state, name, [&] { benchmark::DoNotOptimize(ours_with_gradient()); }, copy_of(p, gradient), [&] {
                theirs();
                xt::noalias(gradient) = xt::where(source.ready, 2.f * (p - t), 0.f);
            });
        }

        // What a loss is measured with: predictions p * scale + offset, and targets, of p and t in [0, 1).
        struct loss_operands
        {
            float scale;
            float offset;
            float (*target)(float);
        };

        constexpr loss_operands reals{4.f, -2.f, [](float t) { return 4.f * t - 2.f; }};
        constexpr loss_operands probabilities{0.98f, 0.01f, [](float t) { return t < 0.5f ? 0.f : 1.f; }};
        constexpr loss_operands any_logits{8.f, -4.f, [](float t) { return t < 0.5f ? 0.f : 1.f; }};
        constexpr loss_operands signs{4.f, -2.f, [](float t) { return t < 0.5f ? -1.f : 1.f; }};
        constexpr loss_operands logarithms{4.f, -5.f, [](float t) { return t + 0.01f; }};

        // A loss and its gradient, beside `value` and `slope` as an xtensor user writes them.
        template <class L, class Value, class Slope>
        void element_loss(
            benchmark::State& state, const std::string& name, const L& masked, const loss_operands& from, Value value, Slope slope
        )
        {
            const size s = l2();
            const from_lengths source(s, 0.5);
            const xt::xtensor<float, 2> p = operand(s) * from.scale + from.offset;
            xt::xtensor<float, 2> t = operand(s, 2);
            std::transform(t.begin(), t.end(), t.begin(), from.target);
            xt::xtensor<float, 2> gradient(s.shape(), 0.f);
            xt::xtensor<float, 2> their_gradient(s.shape(), 0.f);
            const auto ours = [&] { return masked(p, t, source.mask(), gradient); };
            const auto theirs = [&] {
                xt::noalias(their_gradient) = xt::where(source.ready, slope(p, t), 0.f);
                return float(xt::sum(xt::where(source.ready, value(p, t), 0.f))());
            };
            // They add up in float.
            const double expected = static_cast<double>(theirs());
            bool right = std::abs(ours().sum - expected) <= 1e-4 * std::abs(expected);
            for (std::size_t i = 0; i < p.size(); ++i)
            {
                const float difference = gradient.storage()[i] - their_gradient.storage()[i];
                right = right && std::abs(difference) <= 1e-5f * (1 + std::abs(gradient.storage()[i]));
            }
            check(name, right);
            compare(
                state, name, [&] { benchmark::DoNotOptimize(ours()); }, copy_of(p, output(s)),
                [&] { benchmark::DoNotOptimize(theirs()); }
            );
        }

        template <class L, class Value, class Slope>
        void add_element_loss(const char* name, const L& masked, const loss_operands& from, Value value, Slope slope)
        {
            add(std::string(name) + " and gradient/lengths/50%/L2", [=](benchmark::State& state, const std::string& row) {
                element_loss(state, row, masked, from, value, slope);
            });
        }

        void add_element_losses()
        {
            add_element_loss(
                "masked_mae", xmask::masked_mae, reals, [](const auto& p, const auto& t) { return xt::abs(p - t); },
                [](const auto& p, const auto& t) { return xt::sign(p - t); }
            );
            add_element_loss(
                "masked_huber", xmask::masked_huber, reals,
                [](const auto& p, const auto& t) {
                    return xt::where(xt::abs(p - t) <= 1.f, 0.5f * (p - t) * (p - t), xt::abs(p - t) - 0.5f);
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
                [](const auto& p, const auto& t) { return -(t * xt::log(p) + (1.f - t) * xt::log(1.f - p)); },
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
            // Of targets 0 and 1.
            const auto missed = [=](const auto& p, const auto& t) { return xt::abs(logistic(p) - t); };
            const auto weight = [](const auto& t) { return 0.75f - 0.5f * t; };
            add_element_loss(
                "masked_focal_with_logits", xmask::masked_focal_with_logits, any_logits,
                [=](const auto& p, const auto& t) { return weight(t) * xt::square(missed(p, t)) * entropy(p, t); },
                [=](const auto& p, const auto& t) {
                    return weight(t)
                           * (xt::square(missed(p, t)) * (logistic(p) - t)
                              + 2.f * missed(p, t) * entropy(p, t) * logistic(p) * (1.f - logistic(p)) * (1.f - 2.f * t));
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

        // The gradient of row 0 at its target.
        double softmax_minus_one(const xt::xtensor<float, 2>& logits, std::int64_t target)
        {
            double exps = 0;
            for (std::size_t k = 0; k < logits.shape(1); ++k)
            {
                exps += std::exp(static_cast<double>(logits(0, k)));
            }
            return std::exp(static_cast<double>(logits(0, target))) / exps - 1;
        }

        // Every other row is kept.
        void cross_entropy(
            benchmark::State& state, const std::string& name, std::size_t rows, std::size_t classes, bool with_gradient
        )
        {
            xt::xtensor<float, 2> logits = random_floats({"", rows, classes}, 7) * 20.f - 10.f;
            xt::xtensor<std::int64_t, 1> target({rows}, 0);
            xt::xtensor<bool, 1> ready({rows}, false);
            random_numbers random(8);
            double expected = 0;
            for (std::size_t r = 0; r < rows; ++r)
            {
                target(r) = static_cast<std::int64_t>(random.next() % classes);
                ready(r) = r % 2 == 0;
                double exps = 0;
                for (std::size_t k = 0; k < classes; ++k)
                {
                    exps += std::exp(static_cast<double>(logits(r, k)));
                }
                expected += ready(r) ? std::log(exps) - static_cast<double>(logits(r, target(r))) : 0;
            }
            const auto m = xmask::keep_where(ready);
            xt::xtensor<float, 2> gradient(logits.shape(), 0.f);
            const auto ours = [&] { return xmask::masked_cross_entropy(logits, target, m); };
            const auto ours_with_gradient = [&] { return xmask::masked_cross_entropy(logits, target, m, gradient); };
            check(name, close(ours().sum, expected) && close(ours_with_gradient().sum, expected));
            check(name, close(static_cast<double>(gradient(0, target(0))), softmax_minus_one(logits, target(0))));

            xt::xtensor<float, 1> top({rows}, 0.f);
            xt::xtensor<float, 1> exps({rows}, 0.f);
            const auto theirs = [&] {
                const auto column = [&](const auto& x) { return xt::view(x, xt::all(), xt::newaxis()); };
                xt::noalias(top) = xt::amax(logits, {1});
                xt::noalias(gradient) = xt::exp(logits - column(top));
                xt::noalias(exps) = xt::sum(gradient, {1});
                float total = 0;
                for (std::size_t r = 0; r < rows; ++r)
                {
                    total += ready(r) ? std::log(exps(r)) + top(r) - logits(r, target(r)) : 0.f;
                }
                benchmark::DoNotOptimize(total);
                if (with_gradient)
                {
                    gradient = xt::where(column(ready), gradient / column(exps), 0.f);
                    for (std::size_t r = 0; r < rows; ++r)
                    {
                        gradient(r, target(r)) -= ready(r) ? 1.f : 0.f;
                    }
                }
            };
            xt::xtensor<float, 2> copied(logits.shape(), 0.f);
            const auto copy = [&] {
                for (std::size_t r = 0; r < rows; r += 2)
                {
                    std::memcpy(&copied(r, 0), &logits(r, 0), classes * sizeof(float));
                }
            };
            compare(
                state, name,
                [&] {
                    with_gradient ? benchmark::DoNotOptimize(ours_with_gradient()) : benchmark::DoNotOptimize(ours());
                },
                copy, theirs, "memcpy of the kept logits"
            );
        }
    }

    void register_losses()
    {
        for (const size& s : {l2(), dram()})
        {
            const std::string tail = std::string("/50%/") + s.name;
            add("masked_sum/lengths" + tail,
                [=](benchmark::State& state, const std::string& name) { sum<from_lengths>(state, name, s); });
            add("masked_sum/bitmask" + tail,
                [=](benchmark::State& state, const std::string& name) { sum<from_bitmask>(state, name, s); });
            add("masked_sum/threshold" + tail,
                [=](benchmark::State& state, const std::string& name) { sum<from_threshold>(state, name, s); });
            for (const bool with_gradient : {false, true})
            {
                add((with_gradient ? "masked_mse and gradient/lengths" : "masked_mse/lengths") + tail,
                    [=](benchmark::State& state, const std::string& name) { mse(state, name, s, with_gradient); });
            }
        }
        add_element_losses();
        for (const bool with_gradient : {false, true})
        {
            for (const auto& [rows, classes] : {std::pair(64, 1000), std::pair(4, 32000)})
            {
                add(std::string("masked_cross_entropy") + (with_gradient ? " and gradient/" : "/")
                        + std::to_string(classes) + " classes/50%/L2",
                    [=, r = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(classes)](
                        benchmark::State& state, const std::string& name
                    ) { cross_entropy(state, name, r, n, with_gradient); });
            }
        }
    }
}
