// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Lazy operands: computed in the same pass, where they are kept.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        void fill_lazy(benchmark::State& state, const std::string& name, const size& s)
        {
            const from_lengths source(s, 0.5);
            const auto& x = operand(s);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::masked_fill(2.f * x + 1.f, source.mask(), -1e9f); };
            ours();
            bool right = true;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                // A fused multiplication and addition rounds once.
                const float expected = source.ready.storage()[i] ? 2.f * x.storage()[i] + 1.f : -1e9f;
                right = right && close(static_cast<double>(y.storage()[i]), static_cast<double>(expected));
            }
            check(name, right);
            compare(state, name, ours, copy_of(x, y), [&] {
                xt::noalias(y) = xt::where(source.ready, 2.f * x + 1.f, -1e9f);
            });
        }

        // A masked tensor inside of a larger expression.
        void inside(benchmark::State& state, const std::string& name, const size& s)
        {
            const from_lengths source(s, 0.5);
            const auto& x = operand(s);
            const auto& t = operand(s, 2);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::multiply(x, source.mask()) + t; };
            ours();
            bool right = true;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                right = right && y.storage()[i] == (source.ready.storage()[i] ? x.storage()[i] : 0.f) + t.storage()[i];
            }
            check(name, right);
            compare(state, name, ours, copy_of(x, y), [&] { xt::noalias(y) = xt::where(source.ready, x, 0.f) + t; });
        }
    }

    void register_lazy()
    {
        for (const size& s : {l2(), dram()})
        {
            add(std::string("masked_fill of 2 * x + 1/lengths/50%/") + s.name,
                [=](benchmark::State& state, const std::string& name) { fill_lazy(state, name, s); });
            add(std::string("multiply(x, m) + t/lengths/50%/") + s.name,
                [=](benchmark::State& state, const std::string& name) { inside(state, name, s); });
        }
    }
}
