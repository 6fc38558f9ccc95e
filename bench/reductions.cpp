// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Reductions besides the sum, and pooling of tokens.

#include "bench.hpp"

#if __has_include(<xtensor/core/xmath.hpp>)
#include <xtensor/core/xmath.hpp>
#else
#include <xtensor/xmath.hpp>
#endif

namespace bench
{
    namespace
    {
        // One reduction over everything: ours, and what an xtensor user writes.
        template <class Source, class Ours, class Theirs>
        void over_all(benchmark::State& state, const std::string& name, const size& s, Ours ours, Theirs theirs)
        {
            const Source source(s, 0.5);
            const auto& m = source.mask();
            const auto& x = operand(s);
            check(name, close(static_cast<double>(ours(x, m)), static_cast<double>(theirs(x, source.ready))));
            compare(
                state, name, [&] { benchmark::DoNotOptimize(ours(x, m)); }, copy_of(x, output(s)),
                [&] { benchmark::DoNotOptimize(theirs(x, source.ready)); }
            );
        }

        template <class Source>
        void add_reductions(const size& s)
        {
            const std::string tail = std::string("/") + std::string(Source::name) + "/50%/" + s.name;
            add("masked_max" + tail, [=](benchmark::State& state, const std::string& name) {
                over_all<Source>(
                    state, name, s, [](const auto& x, const auto& m) { return xmask::masked_max(x, m); },
                    [](const auto& x, const auto& ready) {
                        return float(xt::amax(xt::where(ready, x, -std::numeric_limits<float>::infinity()))());
                    }
                );
            });
            add("masked_norm" + tail, [=](benchmark::State& state, const std::string& name) {
                over_all<Source>(
                    state, name, s, [](const auto& x, const auto& m) { return xmask::masked_norm(x, m); },
                    [](const auto& x, const auto& ready) { return std::sqrt(xt::sum<double>(xt::where(ready, x * x, 0.f))()); }
                );
            });
            add("masked_logsumexp" + tail, [=](benchmark::State& state, const std::string& name) {
                over_all<Source>(
                    state, name, s, [](const auto& x, const auto& m) { return xmask::masked_logsumexp(x, m); },
                    [](const auto& x, const auto& ready) { return std::log(xt::sum<double>(xt::where(ready, xt::exp(x), 0.f))()); }
                );
            });
        }

        // Mean over the kept tokens of (batch, tokens, features).
        void mean_pool(benchmark::State& state, const std::string& name)
        {
            constexpr std::size_t batch = 16;
            constexpr std::size_t tokens = 128;
            constexpr std::size_t features = 256;
            const size flat{"", batch * tokens, features};
            xt::xtensor<float, 3> x({batch, tokens, features}, 0.f);
            std::copy(operand(flat).begin(), operand(flat).end(), x.begin());
            xt::xtensor<float, 3> copied = x;
            xt::xtensor<std::size_t, 1> lengths({batch}, 0);
            xt::xtensor<float, 3> weights({batch, tokens, 1}, 0.f);
            for (std::size_t b = 0; b < batch; ++b)
            {
                lengths(b) = tokens * (b + 1) / (batch + 1);
                for (std::size_t t = 0; t < lengths(b); ++t)
                {
                    weights(b, t, 0) = 1.f;
                }
            }
            const auto m = xmask::keep_lengths(lengths, tokens);
            xt::xtensor<float, 2> theirs({batch, features}, 0.f);
            const auto their_work = [&] {
                theirs = xt::sum(x * weights, {1}) / xt::sum(weights, {1});
            };
            their_work();
            const auto ours = xmask::masked_mean_pool(x, m);
            bool right = true;
            for (std::size_t i = 0; i < theirs.size(); ++i)
            {
                right = right && close(static_cast<double>(ours.data()[i]), static_cast<double>(theirs.data()[i]));
            }
            check(name, right);
            compare(
                state, name, [&] { benchmark::DoNotOptimize(xmask::masked_mean_pool(x, m)); }, copy_of(x, copied), their_work
            );
        }
    }

    void register_reductions()
    {
        add_reductions<from_lengths>(l2());
        add_reductions<from_bitmask>(l2());
        add("masked_mean_pool/lengths/16 x 128 x 256",
            [](benchmark::State& state, const std::string& name) { mean_pool(state, name); });
    }
}
