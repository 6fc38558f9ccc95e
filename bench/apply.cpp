// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// masked_select, masked_scatter and masked_replace.

#include "bench.hpp"

#if __has_include(<xtensor/views/xindex_view.hpp>)
#include <xtensor/views/xindex_view.hpp>
#else
#include <xtensor/xindex_view.hpp>
#endif

namespace bench
{
    namespace
    {
        std::vector<float> kept_of(const xt::xtensor<float, 2>& x, const xt::xtensor<bool, 2>& kept)
        {
            std::vector<float> result;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                if (kept.storage()[i])
                {
                    result.push_back(x.storage()[i]);
                }
            }
            return result;
        }

        template <class Source>
        void select(benchmark::State& state, const std::string& name, const size& s, double density)
        {
            const Source source(s, density);
            const auto& m = source.mask();
            const auto& x = operand(s);
            const std::vector<float> expected = kept_of(x, source.ready);
            const auto y = xmask::masked_select(x, m);
            check(name, std::equal(y.begin(), y.end(), expected.begin(), expected.end()));
            compare(
                state, name, [&] { benchmark::DoNotOptimize(xmask::masked_select(x, m).data()); }, copy_of(x, output(s)),
                [&] {
                    const xt::xtensor<float, 1> theirs = xt::filter(x, source.condition());
                    benchmark::DoNotOptimize(theirs.data());
                }
            );
        }

        // In place: each call writes the same.
        template <class Source>
        void scatter(benchmark::State& state, const std::string& name, const size& s, double density)
        {
            const Source source(s, density);
            const auto& m = source.mask();
            xt::xtensor<float, 2> y(s.shape(), 0.f);
            const auto elements = xmask::masked_select(operand(s), m);
            const auto ours = [&] { xmask::masked_scatter_inplace(y, m, elements); };
            ours();
            check(name, kept_of(y, source.ready) == kept_of(operand(s), source.ready));
            compare(state, name, ours, copy_of(operand(s), output(s)), [&] { xt::filter(y, source.condition()) = elements; });
        }

        template <class Source>
        void replace(benchmark::State& state, const std::string& name, const size& s, double density)
        {
            const Source source(s, density);
            const auto& m = source.mask();
            const auto& x = operand(s);
            const auto& other = operand(s, 2);
            auto& y = output(s);
            const auto ours = [&] { xt::noalias(y) = xmask::masked_replace(x, m, other); };
            const auto theirs = [&] { xt::noalias(y) = xt::where(source.condition(), x, other); };
            ours();
            bool right = true;
            for (std::size_t i = 0; i < x.size(); ++i)
            {
                right = right && y.storage()[i] == (source.ready.storage()[i] ? x.storage()[i] : other.storage()[i]);
            }
            check(name, right);
            compare(state, name, ours, copy_of(x, y), theirs);
        }

        template <class Source>
        void add_choices(const size& s)
        {
            const std::string tail = std::string("/").append(Source::name) + "/50%/" + s.name;
            add("masked_select" + tail,
                [=](benchmark::State& state, const std::string& name) { select<Source>(state, name, s, 0.5); });
            add("masked_scatter_inplace" + tail,
                [=](benchmark::State& state, const std::string& name) { scatter<Source>(state, name, s, 0.5); });
            add("masked_replace" + tail,
                [=](benchmark::State& state, const std::string& name) { replace<Source>(state, name, s, 0.5); });
        }
    }

    void register_apply()
    {
        for (const size& s : {l2(), dram()})
        {
            add_choices<from_lengths>(s);
            add_choices<from_booleans>(s);
        }
    }
}
