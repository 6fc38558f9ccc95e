// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// What a call costs when there is next to nothing to do.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        constexpr size tiny{"4 x 16", 4, 16};

        // The mask is made in each call.
        template <class Ours, class Theirs>
        void latency(const std::string& operation, Ours ours, Theirs theirs)
        {
            add(operation + "/lengths/4 x 16", [=](benchmark::State& state, const std::string& name) {
                const from_lengths source(tiny, 0.5);
                const auto x = random_floats(tiny, 1);
                const auto t = random_floats(tiny, 2);
                auto y = x;
                double kept = 0;
                double squares = 0;
                xt::xtensor<float, 2> zeroed = x;
                for (std::size_t i = 0; i < x.size(); ++i)
                {
                    const double p = static_cast<double>(x.storage()[i]);
                    const double d = p - static_cast<double>(t.storage()[i]);
                    kept += source.ready.storage()[i] ? p : 0;
                    squares += source.ready.storage()[i] ? d * d : 0;
                    zeroed.storage()[i] = source.ready.storage()[i] ? x.storage()[i] : 0.f;
                }
                ours(source, x, t, y);
                check(name, operation == "masked_fill" || operation == "multiply" ? same(y, zeroed) : true);
                check(name, close(static_cast<double>(xmask::masked_sum(x, source.mask())), kept));
                check(name, close(xmask::masked_mse(x, t, source.mask()).sum, squares));
                compare(
                    state, name, [&] { ours(source, x, t, y); }, copy_of(x, y), [&] { theirs(source, x, t, y); }
                );
            });
        }
    }

    void register_latency()
    {
        latency(
            "masked_fill",
            [](const auto& m, const auto& x, const auto& /*t*/, auto& y) {
                xt::noalias(y) = xmask::masked_fill(x, m.mask(), 0.f);
            },
            [](const auto& m, const auto& x, const auto& /*t*/, auto& y) {
                xt::noalias(y) = xt::where(m.condition(), x, 0.f);
            }
        );
        latency(
            "multiply",
            [](const auto& m, const auto& x, const auto& /*t*/, auto& y) {
                xt::noalias(y) = xmask::multiply(x, m.mask());
            },
            [](const auto& m, const auto& x, const auto& /*t*/, auto& y) {
                xt::noalias(y) = x * xt::cast<float>(m.condition());
            }
        );
        latency(
            "masked_sum",
            [](const auto& m, const auto& x, const auto& /*t*/, auto& /*y*/) {
                benchmark::DoNotOptimize(xmask::masked_sum(x, m.mask()));
            },
            [](const auto& m, const auto& x, const auto& /*t*/, auto& /*y*/) {
                const float total = xt::sum(xt::where(m.condition(), x, 0.f))();
                benchmark::DoNotOptimize(total);
            }
        );
        latency(
            "masked_mse",
            [](const auto& m, const auto& x, const auto& t, auto& /*y*/) {
                benchmark::DoNotOptimize(xmask::masked_mse(x, t, m.mask()));
            },
            [](const auto& m, const auto& x, const auto& t, auto& /*y*/) {
                const float total = xt::sum(xt::where(m.condition(), (x - t) * (x - t), 0.f))();
                benchmark::DoNotOptimize(total);
            }
        );
    }
}
