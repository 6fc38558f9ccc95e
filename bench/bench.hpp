// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// What all benchmarks share: operands, masks, and the comparison with a copy and with the xtensor way.

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <xmask/xmask.hpp>

#if __has_include(<xtensor/misc/xset_operation.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xset_operation.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xmath.hpp>
#include <xtensor/xset_operation.hpp>
#include <xtensor/xview.hpp>
#endif

namespace bench
{
    // One function a family; main calls them in this order.
    void register_fill();
    void register_multiply();
    void register_apply();
    void register_lazy();
    void register_ranges();
    void register_patterns();
    void register_thresholds();
    void register_chosen();
    void register_random();
    void register_markers();
    void register_combined();
    void register_tokens();
    void register_ask();
    void register_losses();
    void register_reductions();
    void register_latency();

    // ---- Results ----------------------------------------------------------------------------------------------------

    struct result
    {
        std::string name;
        std::string reference;                  // what stands in the column of the copy
        std::vector<double> ours;               // seconds a call, one sample a round
        std::vector<double> over_reference;     // ours / reference, of the same round
        std::vector<double> under_xtensor;      // xtensor / ours, of the same round
    };

    result& result_of(const std::string& name);

    // A run to see that everything works: one round, and less memory in DRAM's stead.
    bool is_smoke_run();

    // Ends the program with status 1 where an answer is wrong.
    void check(const std::string& name, bool right);

    inline bool close(double a, double b)
    {
        return std::abs(a - b) <= 1e-5 * std::abs(b);
    }

    template <class A, class B>
    bool same(const A& a, const B& b)
    {
        return std::equal(a.storage().begin(), a.storage().end(), b.storage().begin(), b.storage().end());
    }

    // ---- Operands ---------------------------------------------------------------------------------------------------

    struct size
    {
        const char* name;
        std::size_t rows;
        std::size_t columns;

        std::array<std::size_t, 2> shape() const
        {
            return {rows, columns};
        }

        // The same bytes of a wider type.
        size of_width(std::size_t bytes) const
        {
            return {name, rows, columns * sizeof(float) / bytes};
        }
    };

    inline size l2()
    {
        return {"L2", 64, 512};
    }

    inline size dram()
    {
        return {"DRAM", is_smoke_run() ? 256u : 4096u, 8192};
    }

    /// As many elements as in L2, in short rows.
    inline std::array<size, 3> short_rows()
    {
        return {{{"4096 x 8", 4096, 8}, {"2048 x 16", 2048, 16}, {"512 x 64", 512, 64}}};
    }

    // Any benchmark may be run alone, so what it gets must not depend on those before it.
    class random_numbers
    {
    public:

        explicit random_numbers(std::uint64_t seed)
            : m_state(seed * 0x9E3779B97F4A7C15u + 1)
        {
        }

        std::uint64_t next()
        {
            m_state = m_state * 6364136223846793005u + 1442695040888963407u;
            return m_state >> 40;
        }

        // In [0, 1), a float without rounding.
        double uniform()
        {
            return static_cast<double>(next()) / static_cast<double>(1 << 24);
        }

    private:

        std::uint64_t m_state;
    };

    inline xt::xtensor<float, 2> random_floats(const size& s, std::uint64_t seed)
    {
        xt::xtensor<float, 2> x(s.shape());
        random_numbers random(seed);
        std::generate_n(x.data(), x.size(), [&] { return static_cast<float>(random.uniform()); });
        return x;
    }

    // Operands are made once for each size, and kept.
    inline const xt::xtensor<float, 2>& operand(const size& s, std::uint64_t seed = 1)
    {
        static std::vector<std::pair<std::uint64_t, xt::xtensor<float, 2>>> made;
        const std::uint64_t key = seed + 100 * (s.rows * 100000 + s.columns);
        const auto at = std::find_if(made.begin(), made.end(), [&](const auto& entry) { return entry.first == key; });
        if (at != made.end())
        {
            return at->second;
        }
        made.reserve(32);    // references stay valid
        return made.emplace_back(key, random_floats(s, seed)).second;
    }

    // A result that is already in memory.
    inline xt::xtensor<float, 2>& output(const size& s)
    {
        static xt::xtensor<float, 2> small;
        static xt::xtensor<float, 2> large;
        xt::xtensor<float, 2>& y = s.rows <= 64 ? small : large;
        if (y.shape() != s.shape())
        {
            y = xt::xtensor<float, 2>(s.shape(), 0.f);
        }
        return y;
    }

    // ---- Masks ------------------------------------------------------------------------------------------------------

    // Lengths of this mean, as spread as it allows.
    inline xt::xtensor<int, 1> random_lengths(const size& s, double density)
    {
        const double n = static_cast<double>(s.columns);
        const double spread = std::min(density, 1 - density);
        xt::xtensor<int, 1> lengths({s.rows}, 0);
        random_numbers random(3);
        for (int& length : lengths)
        {
            length = static_cast<int>(std::lround(n * (density + spread * (2 * random.uniform() - 1))));
        }
        return lengths;
    }

    inline xt::xtensor<bool, 2> random_booleans(const size& s, double density)
    {
        xt::xtensor<bool, 2> kept(s.shape());
        random_numbers random(4);
        std::generate_n(kept.data(), kept.size(), [&] { return random.uniform() < density; });
        return kept;
    }

    // What an answer is checked against, and the ready bool array that an xtensor user has.
    template <class F>
    xt::xtensor<bool, 2> booleans_of(const size& s, F&& kept)
    {
        xt::xtensor<bool, 2> result(s.shape());
        for (std::size_t r = 0; r < s.rows; ++r)
        {
            for (std::size_t c = 0; c < s.columns; ++c)
            {
                result(r, c) = kept(r, c);
            }
        }
        return result;
    }

    // Each source has `ready`, the mask as booleans; mask(); and condition(), what an xtensor user writes for it.
    struct from_lengths
    {
        static constexpr const char* name = "lengths";
        xt::xtensor<int, 1> lengths;
        xt::xtensor<bool, 2> ready;

        from_lengths(const size& s, double density)
            : lengths(random_lengths(s, density))
            , ready(booleans_of(s, [&](std::size_t r, std::size_t c) { return std::cmp_less(c, lengths(r)); }))
        {
        }

        auto mask() const
        {
            return xmask::keep_lengths(lengths, ready.shape(1));
        }

        const auto& condition() const
        {
            return ready;
        }
    };

    struct from_indices
    {
        static constexpr const char* name = "indices";
        std::vector<std::size_t> dropped;
        xt::xtensor<bool, 2> ready;

        from_indices(const size& s, double density)
        {
            random_numbers random(5);
            std::vector<bool> is_dropped(s.columns);
            for (std::size_t c = 0; c < s.columns; ++c)
            {
                if (random.uniform() >= density)
                {
                    dropped.push_back(c);
                    is_dropped[c] = true;
                }
            }
            ready = booleans_of(s, [&](std::size_t /*r*/, std::size_t c) { return !is_dropped[c]; });
        }

        auto mask() const
        {
            return xmask::drop_indices(dropped, ready.shape());
        }

        const auto& condition() const
        {
            return ready;
        }
    };

    struct from_booleans
    {
        static constexpr const char* name = "bool array";
        xt::xtensor<bool, 2> ready;

        from_booleans(const size& s, double density)
            : ready(random_booleans(s, density))
        {
        }

        auto mask() const
        {
            return xmask::keep_where(ready);
        }

        const auto& condition() const
        {
            return ready;
        }
    };

    struct from_bitmask
    {
        static constexpr const char* name = "bitmask";
        xt::xtensor<bool, 2> ready;
        xmask::bitmask bits;

        from_bitmask(const size& s, double density)
            : ready(random_booleans(s, density))
            , bits(xmask::keep_where(ready))
        {
        }

        const auto& mask() const
        {
            return bits;
        }

        const auto& condition() const
        {
            return ready;
        }
    };

    // A threshold on the operand itself.
    struct from_threshold
    {
        static constexpr const char* name = "threshold";
        const xt::xtensor<float, 2>& x;
        float threshold;
        xt::xtensor<bool, 2> ready;

        from_threshold(const size& s, double density)
            : x(operand(s))
            , threshold(static_cast<float>(1 - density))
            , ready(booleans_of(s, [&](std::size_t r, std::size_t c) { return x(r, c) >= threshold; }))
        {
        }

        auto mask() const
        {
            return xmask::keep_at_least(x, threshold);
        }

        auto condition() const
        {
            return x >= threshold;
        }
    };

    // Two masks, of which each keeps the square root of the density.
    struct from_both
    {
        static constexpr const char* name = "lengths && bitmask";
        from_lengths a;
        from_bitmask b;
        xt::xtensor<bool, 2> ready;

        from_both(const size& s, double density)
            : a(s, std::sqrt(density))
            , b(s, std::sqrt(density))
            , ready(booleans_of(s, [&](std::size_t r, std::size_t c) { return a.ready(r, c) && b.ready(r, c); }))
        {
        }

        auto mask() const
        {
            return a.mask() && b.mask();
        }

        auto condition() const
        {
            return a.ready && b.ready;
        }
    };

    // ---- The comparison ---------------------------------------------------------------------------------------------

    // Where there is nothing to compare with.
    struct nothing
    {
    };

    // A piece of work, and how many calls of it are timed at once.
    class contender
    {
    public:

        template <class F>
        explicit contender(F&& work)
        {
            if constexpr (!std::same_as<std::decay_t<F>, nothing>)
            {
                m_run = [work](std::size_t calls) {
                    for (std::size_t i = 0; i < calls; ++i)
                    {
                        work();
                        benchmark::ClobberMemory();
                    }
                };
                for (double time = seconds(1); time < most_seconds / 2 && m_calls < 1000000; time = seconds(m_calls))
                {
                    m_calls *= 2;
                }
            }
        }

        std::size_t calls() const
        {
            return m_calls;
        }

        bool takes_part() const
        {
            return m_run && (m_rounds < least_rounds() || m_spent < 0.5);
        }

        // Seconds a call. What fits into the cache is in it.
        double measure()
        {
            if (m_calls > 1)
            {
                m_run(1);
            }
            const double time = seconds(m_calls);
            m_spent += time;
            ++m_rounds;
            return time / static_cast<double>(m_calls);
        }

        static std::size_t least_rounds()
        {
            return is_smoke_run() ? 1 : 5;
        }

    private:

        static constexpr double most_seconds = 100e-6;

        double seconds(std::size_t calls) const
        {
            const auto start = std::chrono::steady_clock::now();
            m_run(calls);
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        }

        std::function<void(std::size_t)> m_run;
        std::size_t m_calls = 1;
        std::size_t m_rounds = 0;
        double m_spent = 0;
    };

    // Times the three in turn, so that whatever else the machine does falls on all of them alike.
    template <class Ours, class Reference, class Theirs>
    void compare(
        benchmark::State& state, const std::string& name, Ours&& work, Reference&& reference_work, Theirs&& their_work,
        const char* reference_name = "memcpy"
    )
    {
        contender ours(work);
        contender reference(reference_work);
        contender theirs(their_work);
        result& to = result_of(name);
        to.reference = reference_name;
        const std::size_t rounds = contender::least_rounds();
        while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(ours.calls() * rounds)))
        {
            double total = 0;
            for (std::size_t round = 0; round < rounds; ++round)
            {
                const double time = ours.measure();
                total += time * static_cast<double>(ours.calls());
                to.ours.push_back(time);
                to.over_reference.push_back(time / reference.measure());
                if (theirs.takes_part())
                {
                    to.under_xtensor.push_back(theirs.measure() / time);
                }
            }
            state.SetIterationTime(total);
        }
    }

    template <class F>
    void add(const std::string& name, F&& run)
    {
        benchmark::RegisterBenchmark(name.c_str(), [name, run](benchmark::State& state) { run(state, name); })
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
    }

    inline std::string percent(double density)
    {
        return std::to_string(std::lround(100 * density)) + "%";
    }

    template <class T, std::size_t N>
    auto copy_of(const xt::xtensor<T, N>& from, xt::xtensor<T, N>& to)
    {
        return [&] { std::memcpy(to.data(), from.data(), from.size() * sizeof(T)); };
    }
}
