// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// Masks from token ids, into a bool array and applied to the tokens.

#include "bench.hpp"

// From 0.26 on xt::isin does not compile where xtensor uses xsimd: it asks whether two registers are equal.
#if !defined(XTENSOR_USE_XSIMD) || (XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 26)
#define ISIN_COMPILES
#endif

namespace bench
{
    namespace
    {
        constexpr std::size_t vocabulary = 50000;

        struct case_of_tokens
        {
            xt::xtensor<std::int64_t, 2> tokens;
            std::vector<std::int64_t> ids;
            xt::xtensor<bool, 2> kept;

            // One token in a hundred is among the ids, however many these are.
            case_of_tokens(const size& s, std::size_t id_count)
                : tokens(s.shape())
                , kept(s.shape())
            {
                random_numbers random(6);
                std::vector<bool> is_id(vocabulary);
                while (ids.size() < id_count)
                {
                    const auto id = random.next() % vocabulary;
                    if (!is_id[id])
                    {
                        is_id[id] = true;
                        ids.push_back(static_cast<std::int64_t>(id));
                    }
                }
                for (std::size_t i = 0; i < tokens.size(); ++i)
                {
                    const auto token = random.next() % 100 == 0 ? ids[random.next() % ids.size()]
                                                                : static_cast<std::int64_t>(random.next() % vocabulary);
                    tokens.storage()[i] = token;
                    kept.storage()[i] = !is_id[static_cast<std::size_t>(token)];
                }
            }
        };

        void to_booleans(benchmark::State& state, const std::string& name, const size& s, std::size_t id_count)
        {
            const case_of_tokens data(s, id_count);
            xt::xtensor<std::int64_t, 2> copy(s.shape(), 0);
            xt::xtensor<bool, 2> result(s.shape(), false);
            const auto ours = [&] { xt::noalias(result) = xmask::drop_tokens(data.tokens, data.ids); };
#ifdef ISIN_COMPILES
            const auto theirs = [&] { xt::noalias(result) = !xt::isin(data.tokens, data.ids); };
#else
            const nothing theirs;
#endif
            ours();
            check(name, same(result, data.kept));
            // A thousand ids in DRAM would take xtensor too long.
            data.tokens.size() * id_count < 200'000'000
                ? compare(state, name, ours, copy_of(data.tokens, copy), theirs)
                : compare(state, name, ours, copy_of(data.tokens, copy), nothing());
        }

        void to_tokens(benchmark::State& state, const std::string& name, const size& s, std::size_t id_count)
        {
            const case_of_tokens data(s, id_count);
            xt::xtensor<std::int64_t, 2> result(s.shape(), 0);
            const std::int64_t unknown = -1;
            const auto m = xmask::drop_tokens(data.tokens, data.ids);
            const auto ours = [&] { xt::noalias(result) = xmask::masked_fill(data.tokens, m, unknown); };
#ifdef ISIN_COMPILES
            const auto theirs = [&] {
                xt::noalias(result) = xt::where(xt::isin(data.tokens, data.ids), unknown, data.tokens);
            };
#else
            const nothing theirs;
#endif
            ours();
            bool right = true;
            for (std::size_t i = 0; i < result.size(); ++i)
            {
                right = right && result.storage()[i] == (data.kept.storage()[i] ? data.tokens.storage()[i] : unknown);
            }
            check(name, right);
            data.tokens.size() * id_count < 200'000'000
                ? compare(state, name, ours, copy_of(data.tokens, result), theirs)
                : compare(state, name, ours, copy_of(data.tokens, result), nothing());
        }
    }

    void register_tokens()
    {
        for (const size& s : {l2().of_width(sizeof(std::int64_t)), dram().of_width(sizeof(std::int64_t))})
        {
            for (const std::size_t ids : {5u, 1000u})
            {
                const std::string tail = std::to_string(ids) + " ids, int64/" + s.name;
                add("drop_tokens to a bool array/" + tail,
                    [=](benchmark::State& state, const std::string& name) { to_booleans(state, name, s, ids); });
                add("masked_fill/drop_tokens, " + tail,
                    [=](benchmark::State& state, const std::string& name) { to_tokens(state, name, s, ids); });
            }
        }
    }
}
