// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Counting what is kept, and storing a mask.

#include "bench.hpp"

namespace bench
{
    namespace
    {
        // What is read at most: the operand of a threshold, or the booleans that stand for any other mask.
        template <class Source>
        const auto& read_by(const Source& source)
        {
            if constexpr (std::same_as<Source, from_threshold>)
            {
                return source.x;
            }
            else
            {
                return source.ready;
            }
        }

        template <class Source>
        void count(benchmark::State& state, const std::string& name, const size& s)
        {
            const Source source(s, 0.5);
            const auto& m = source.mask();
            auto copied = read_by(source);
            const auto expected = std::count(source.ready.storage().begin(), source.ready.storage().end(), true);
            check(name, std::cmp_equal(xmask::count_kept(m), expected));
            compare(
                state, name, [&] { benchmark::DoNotOptimize(xmask::count_kept(m)); }, copy_of(read_by(source), copied),
                [&] {
                    const std::size_t kept = xt::sum<std::size_t>(source.condition())();
                    benchmark::DoNotOptimize(kept);
                }
            );
        }

        template <class Source>
        void store(benchmark::State& state, const std::string& name, const size& s)
        {
            const Source source(s, 0.5);
            const auto& m = source.mask();
            auto copied = read_by(source);
            xmask::bitmask bits = m;
            check(name, same(xt::xtensor<bool, 2>(bits), source.ready));
            const auto ours = [&] { bits = m; };
            const auto copy = copy_of(read_by(source), copied);
            if constexpr (std::is_reference_v<decltype(source.condition())>)
            {
                compare(state, name, ours, copy, nothing());    // an xtensor user has stored it already
            }
            else
            {
                xt::xtensor<bool, 2> booleans(s.shape(), false);
                compare(state, name, ours, copy, [&] { xt::noalias(booleans) = source.condition(); });
            }
        }

        template <class Source>
        void add_source(const size& s)
        {
            const std::string tail = std::string(Source::name) + "/50%/" + s.name;
            add("count_kept/" + tail,
                [=](benchmark::State& state, const std::string& name) { count<Source>(state, name, s); });
            if (!std::same_as<Source, from_bitmask>)
            {
                add("bitmask from/" + tail,
                    [=](benchmark::State& state, const std::string& name) { store<Source>(state, name, s); });
            }
        }
    }

    void register_ask()
    {
        for (const size& s : {l2(), dram()})
        {
            add_source<from_lengths>(s);
            add_source<from_bitmask>(s);
            add_source<from_booleans>(s);
            add_source<from_threshold>(s);
            add_source<from_both>(s);
        }
    }
}
