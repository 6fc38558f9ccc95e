// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// masked_fill into another tensor, and in place.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        constexpr float value = -1e9f;

        xt::xtensor<float, 2> filled(const xt::xtensor<float, 2>& x, const xt::xtensor<bool, 2>& kept)
        {
            xt::xtensor<float, 2> result(x.shape());
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                result.storage()[i] = kept.storage()[i] ? x.storage()[i] : value;
            }
            return result;
        }

        template <class Source>
        void fill(benchmark::State& state, const std::string& name, const size& s, double density)
        {
            const Source source(s, density);
            const auto& m = source.mask();
            const auto& x = operand(s);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::masked_fill(x, m, value); };
            const auto theirs = [&] { xt::noalias(y) = xt::where(source.condition(), x, value); };
            const auto expected = filled(x, source.ready);
            theirs();
            check(name + " with xtensor", same(y, expected));
            ours();
            check(name, same(y, expected));
            compare(state, name, ours, copy_of(x, y), theirs);
        }

        // What is dropped was filled before, too: each call writes the same.
        void fill_inplace(benchmark::State& state, const std::string& name, const size& s, double density)
        {
            const from_lengths source(s, density);
            auto& y = output(s);
            const auto ours = [&] { xmask::masked_fill_inplace(y, source.mask(), value); };
            const auto write = [&] {
                for (std::size_t r = 0; r < s.rows; ++r)
                {
                    std::fill(&y(r, 0) + source.lengths(r), &y(r, 0) + s.columns, value);
                }
            };
            y = operand(s);
            ours();
            check(name, same(y, filled(operand(s), source.ready)));
            compare(
                state, name, ours, write, [&] { xt::noalias(y) = xt::where(source.ready, y, value); },
                "std::fill of what is dropped"
            );
        }

        template <class Source>
        void add_fill(const size& s)
        {
            for (const double density : {0.1, 0.5, 0.9, 1.0})
            {
                add("masked_fill/" + std::string(Source::name) + "/" + percent(density) + "/" + s.name,
                    [=](benchmark::State& state, const std::string& name) { fill<Source>(state, name, s, density); });
            }
        }
    }

    void register_fill()
    {
        for (const size& s : short_rows())
        {
            add("masked_fill/lengths/50%/" + std::string(s.name),
                [=](benchmark::State& state, const std::string& name) { fill<from_lengths>(state, name, s, 0.5); });
            add("masked_fill/bool array/50%/" + std::string(s.name),
                [=](benchmark::State& state, const std::string& name) { fill<from_booleans>(state, name, s, 0.5); });
            add("masked_fill/threshold/50%/" + std::string(s.name),
                [=](benchmark::State& state, const std::string& name) { fill<from_threshold>(state, name, s, 0.5); });
        }
        for (const size& s : {l2(), dram()})
        {
            add_fill<from_lengths>(s);
            add_fill<from_indices>(s);
            add_fill<from_bitmask>(s);
            add_fill<from_booleans>(s);
            add_fill<from_threshold>(s);
            add_fill<from_both>(s);
            for (const double density : {0.1, 0.5, 0.9})
            {
                add("masked_fill_inplace/lengths/" + percent(density) + "/" + s.name,
                    [=](benchmark::State& state, const std::string& name) { fill_inplace(state, name, s, density); });
            }
        }
    }
}
