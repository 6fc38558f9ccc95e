// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// xmask beside a copy of the same bytes, and beside other ways to compute the same: with xtensor
// alone, by hand with xsimd, and with libtorch where it is found.
//
//     xmask_bench                                       everything
//     xmask_bench --benchmark_filter='masked_fill.*L2'  as all options of Google Benchmark
//     xmask_bench --benchmark_min_time=0.001            only checks that everything works
//     xmask_bench --report=FILE                         everything, as tables only, a picture of it in FILE, and
//                                                     density.svg, the cost against the density, beside it

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "bench.hpp"
#include "report.hpp"

namespace bench {
namespace {
bool smoke_run = false;

std::string version(int major, int minor, int patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string processor() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
            return line.substr(line.find(": ") + 2);
        }
    }
    return "unknown";
}

std::vector<fact> facts() {
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
        {"processor", processor()},
        {"compiler", compiler},
        {"flags", BENCH_FLAGS},
        {"xsimd's default arch", xsimd::default_arch::name()},
        {"xsimd", version(XSIMD_VERSION_MAJOR, XSIMD_VERSION_MINOR, XSIMD_VERSION_PATCH)},
        {"xtensor", version(XTENSOR_VERSION_MAJOR, XTENSOR_VERSION_MINOR, XTENSOR_VERSION_PATCH)},
        {"XTENSOR_USE_XSIMD", use_xsimd},
        {"libtorch", with_libtorch::description()},
    };
}

// Reports only the progress, and the estimated rest of the time; the tables come at the end.
class progress : public benchmark::BenchmarkReporter {
    using clock = std::chrono::steady_clock;

public:
    explicit progress(std::size_t all) : m_all(all) {}

    bool ReportContext(const Context& /*context*/) override { return true; }

    void ReportRuns(const std::vector<Run>& runs) override {
        ++m_done;
        const double spent = std::chrono::duration<double>(clock::now() - m_start).count();
        const std::size_t left = m_all > m_done ? m_all - m_done : 0;
        const double minutes = spent / static_cast<double>(m_done) * static_cast<double>(left) / 60;
        std::fprintf(
            stderr, "%zu of %zu, about %.0f minutes left: %s\n", m_done, m_all, std::ceil(minutes),
            runs.empty() ? "" : runs[0].benchmark_name().c_str()
        );
    }

private:
    std::size_t m_all;
    std::size_t m_done = 0;
    clock::time_point m_start = clock::now();
};

struct options {
    std::vector<char*> for_benchmark;
    std::string report_path = {};
    bool machine_readable = false;
};

// The rest of an argument that begins with `name`, or null.
const char* value_of(const char* argument, std::string_view name) {
    return std::string_view(argument).starts_with(name) ? argument + name.size() : nullptr;
}

options read(int argc, char** argv) {
    static char least[] = "--benchmark_min_time=0.02"; // the arguments after it override this
    options result{{argv[0], least}};
    for (int i = 1; i < argc; ++i) {
        if (const char* path = value_of(argv[i], "--report=")) {
            result.report_path = path;
            continue;
        }
        if (const char* time = value_of(argv[i], "--benchmark_min_time=")) {
            smoke_run = std::atof(time) < 0.01;
        }
        if (const char* format = value_of(argv[i], "--benchmark_format=")) {
            result.machine_readable = std::string_view(format) != "console";
        }
        result.for_benchmark.push_back(argv[i]);
    }
    return result;
}

bool write_pictures(const std::string& path, const std::vector<fact>& facts) {
    const auto beside = std::filesystem::path(path).replace_filename("density.svg");
    return write_chart(path, facts) && write_density_chart(beside.string(), facts);
}

void run(const options& given, std::size_t all) {
    if (given.report_path.empty()) {
        benchmark::RunSpecifiedBenchmarks();
        return;
    }
    progress reporter(all);
    benchmark::RunSpecifiedBenchmarks(&reporter);
}
} // namespace

bool is_smoke_run() { return smoke_run; }
} // namespace bench

int main(int argc, char** argv) {
    bench::options given = bench::read(argc, argv);
    int count = static_cast<int>(given.for_benchmark.size());
    given.for_benchmark.push_back(nullptr);
    benchmark::Initialize(&count, given.for_benchmark.data());
    if (benchmark::ReportUnrecognizedArguments(count, given.for_benchmark.data())) {
        return 1;
    }
    const auto facts = bench::facts();
    for (const bench::fact& f : facts) {
        benchmark::AddCustomContext(f.name, f.value);
    }
    const std::size_t all = bench::register_families();
    bench::run(given, all);
    bench::print_report(given.machine_readable ? stderr : stdout, facts);
    benchmark::Shutdown();
    if (!given.report_path.empty() && !bench::write_pictures(given.report_path, facts)) {
        std::fprintf(
            stderr, "%s or a picture beside it cannot be written\n", given.report_path.c_str()
        );
        return 1;
    }
}
