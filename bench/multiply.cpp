// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// multiply by a mask, and by real weights.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        template <class Source>
        void multiply(benchmark::State& state, const std::string& name, const size& s)
        {
            const Source source(s, 0.5);
            const auto& m = source.mask();
            const auto& x = operand(s);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::multiply(x, m); };
            const auto theirs = [&] { xt::noalias(y) = x * xt::cast<float>(source.condition()); };
            xt::xtensor<float, 2> expected(s.shape());
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                expected.storage()[i] = source.ready.storage()[i] ? x.storage()[i] : 0.f;
            }
            theirs();
            check(name + " with xtensor", same(y, expected));
            ours();
            check(name, same(y, expected));
            compare(state, name, ours, copy_of(x, y), theirs);
        }

        void multiply_by_weights(benchmark::State& state, const std::string& name, const size& s)
        {
            const auto& x = operand(s);
            const auto& weights = operand(s, 2);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::multiply(x, weights); };
            ours();
            bool right = true;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                right = right && y.storage()[i] == x.storage()[i] * weights.storage()[i];
            }
            check(name, right);
            compare(state, name, ours, copy_of(x, y), [&] { xt::noalias(y) = x * weights; });
        }

        template <class Source>
        void add_multiply(const size& s)
        {
            add("multiply/" + std::string(Source::name) + "/50%/" + s.name,
                [=](benchmark::State& state, const std::string& name) { multiply<Source>(state, name, s); });
        }
    }

    void register_multiply()
    {
        for (const size& s : {l2(), dram()})
        {
            add_multiply<from_lengths>(s);
            add_multiply<from_indices>(s);
            add_multiply<from_bitmask>(s);
            add_multiply<from_booleans>(s);
            add_multiply<from_threshold>(s);
            add_multiply<from_both>(s);
            add(std::string("multiply/real weights/") + s.name,
                [=](benchmark::State& state, const std::string& name) { multiply_by_weights(state, name, s); });
        }
    }
}
