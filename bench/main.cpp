// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// xmask beside a copy of the same bytes, and beside what is written with xtensor alone.
//
//     xmask_bench                                       everything, in about two minutes
//     xmask_bench --benchmark_filter='masked_fill.*L2'  as all options of Google Benchmark
//     xmask_bench --benchmark_min_time=0.001            only checks that everything works

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string_view>

#include "bench.hpp"

namespace bench
{
    namespace
    {
        bool smoke_run = false;

        std::deque<result>& results()
        {
            static std::deque<result> all;
            return all;
        }

        double median(std::vector<double> values)
        {
            const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
            std::nth_element(values.begin(), middle, values.end());
            return *middle;
        }

        std::string time_text(double seconds)
        {
            char text[32];
            const char* unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : "ms";
            const double scale = seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : 1e3;
            std::snprintf(text, sizeof text, "%.3g %s", seconds * scale, unit);
            return text;
        }

        std::string version(int major, int minor, int patch)
        {
            return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
        }

        struct fact
        {
            const char* name;
            std::string value;
        };

        std::vector<fact> facts()
        {
#ifdef __clang__
            const std::string compiler = __VERSION__;
#else
            const std::string compiler = "g++ " __VERSION__;
#endif
#ifdef XTENSOR_USE_XSIMD
            const char* use_xsimd = "defined";
#else
            const char* use_xsimd = "not defined";
#endif
            return {
                {"compiler", compiler},
                {"flags", BENCH_FLAGS},
                {"xsimd's default arch", xsimd::default_arch::name()},
                {"xsimd", version(XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH)},
                {"xtensor", version(XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH)},
                {"XTENSOR_USE_XSIMD", use_xsimd},
            };
        }

        void print_table(std::FILE* out)
        {
            if (results().empty())
            {
                return;
            }
            if (smoke_run)
            {
                std::fprintf(out, "\nA smoke run: one round, a smaller DRAM. Its times mean little.\n");
            }
            std::fprintf(out, "\n");
            for (const fact& f : facts())
            {
                std::fprintf(out, "%s: %s\n", f.name, f.value.c_str());
            }
            std::fprintf(out, "\nMedians. xmask / copy: below 1 is faster than std::memcpy of the same bytes.\n");
            std::fprintf(out, "xtensor / xmask: how many times as long the same takes with xtensor alone.\n\n");
            std::fprintf(out, "%-60s %10s %13s %16s\n", "", "time", "xmask / copy", "xtensor / xmask");
            for (const result& r : results())
            {
                char theirs[32] = "";
                if (!r.under_xtensor.empty())
                {
                    std::snprintf(theirs, sizeof theirs, "%.2f", median(r.under_xtensor));
                }
                std::fprintf(
                    out, "%-60s %10s %13.2f %16s%s%s\n", r.name.c_str(), time_text(median(r.ours)).c_str(),
                    median(r.over_reference), theirs, r.reference == "memcpy" ? "" : "  copy is ",
                    r.reference == "memcpy" ? "" : r.reference.c_str()
                );
            }
        }
    }

    result& result_of(const std::string& name)
    {
        auto& all = results();
        const auto at = std::find_if(all.begin(), all.end(), [&](const result& r) { return r.name == name; });
        if (at != all.end())
        {
            return *at;
        }
        all.emplace_back().name = name;
        return all.back();
    }

    bool is_smoke_run()
    {
        return smoke_run;
    }

    void check(const std::string& name, bool right)
    {
        if (!right)
        {
            std::fprintf(stderr, "%s: WRONG ANSWER\n", name.c_str());
            std::exit(1);
        }
    }
}

int main(int argc, char** argv)
{
    // A default, which the arguments after it override.
    char least[] = "--benchmark_min_time=0.02";
    std::vector<char*> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, least);
    bool machine_readable = false;
    for (const std::string_view argument : arguments)
    {
        constexpr std::string_view time = "--benchmark_min_time=";
        constexpr std::string_view format = "--benchmark_format=";
        if (argument.starts_with(time))
        {
            bench::smoke_run = std::atof(argument.substr(time.size()).data()) < 0.01;
        }
        if (argument.starts_with(format))
        {
            machine_readable = argument.substr(format.size()) != "console";
        }
    }
    int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data()))
    {
        return 1;
    }

    for (const bench::fact& f : bench::facts())
    {
        benchmark::AddCustomContext(f.name, f.value);
    }
    bench::register_fill();
    bench::register_multiply();
    bench::register_apply();
    bench::register_lazy();
    bench::register_ranges();
    bench::register_patterns();
    bench::register_thresholds();
    bench::register_chosen();
    bench::register_random();
    bench::register_markers();
    bench::register_combined();
    bench::register_tokens();
    bench::register_ask();
    bench::register_losses();
    bench::register_reductions();
    bench::register_latency();
    benchmark::RunSpecifiedBenchmarks();
    bench::print_table(machine_readable ? stderr : stdout);
    benchmark::Shutdown();
}
