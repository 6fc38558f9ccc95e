// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "compare.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace bench {
namespace {
constexpr double enough_seconds = 100e-6; // the least time of a measurement
constexpr double most_seconds = 0.5;      // the most time of all rounds of one contender

struct registered {
    part in;
    void (*register_rows)();
};

std::vector<registered>& families() {
    static std::vector<registered> all;
    return all;
}

part current = part::copies; // the family whose rows are being added

std::vector<result>& kept_results() {
    static std::vector<result> all;
    return all;
}

std::vector<series>& kept_series() {
    static std::vector<series> all;
    return all;
}

template <class All>
auto find_name(All& all, const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const auto& entry) {
        return entry.name == name;
    });
}

std::size_t least_rounds() { return is_smoke_run() ? 1 : 5; }

// Runs contenders in turn, until Google Benchmark has enough rounds of the first `counted`.
void take_turns(
    benchmark::State& state, std::span<contender> all, std::size_t counted, samples* to
) {
    std::size_t calls = 0;
    for (std::size_t k = 0; k < all.size(); ++k) {
        all[k].prepare();
        calls += k < counted ? all[k].calls() : 0;
        to[k].clear(); // of an earlier, shorter run
    }
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(calls * least_rounds()))) {
        double total = 0;
        for (std::size_t round = 0; round < least_rounds(); ++round) {
            for (std::size_t k = 0; k < all.size(); ++k) {
                if (k < counted || all[k].takes_part()) {
                    const double time = all[k].measure();
                    to[k].push_back(time);
                    total += k < counted ? time * static_cast<double>(all[k].calls()) : 0;
                }
            }
        }
        state.SetIterationTime(total);
    }
}
} // namespace

family::family(part in, void (*register_rows)()) { families().push_back({in, register_rows}); }

std::size_t register_families() {
    std::stable_sort(families().begin(), families().end(), [](const auto& a, const auto& b) {
        return a.in < b.in;
    });
    for (const registered& f : families()) {
        current = f.in;
        f.register_rows();
    }
    return kept_results().size();
}

void add(const std::string& name, measurement run) {
    kept_results().push_back({.name = name, .in = current});
    benchmark::RegisterBenchmark(
        name.c_str(), [name, run](benchmark::State& state) { run(state, name); }
    )
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
}

void contender::prepare() {
    if (m_run) {
        for (double time = seconds(1); time < enough_seconds / 2 && m_calls < 1000000;
             time = seconds(m_calls)) {
            m_calls *= 2;
        }
    }
}

bool contender::takes_part() const {
    return m_run && (m_rounds < (is_smoke_run() ? 1 : 3) || m_spent < most_seconds);
}

double contender::measure() {
    if (m_calls > 1) {
        m_run(1);
    }
    const double time = seconds(m_calls);
    m_spent += time;
    ++m_rounds;
    return time / static_cast<double>(m_calls);
}

double contender::seconds(std::size_t calls) const {
    const auto start = std::chrono::steady_clock::now();
    m_run(calls);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double ratio(const samples& a, const samples& b) {
    samples ratios(std::min(a.size(), b.size()));
    for (std::size_t i = 0; i < ratios.size(); ++i) {
        ratios[i] = a[i] / b[i];
    }
    return median(std::move(ratios));
}

const std::vector<result>& results() { return kept_results(); }

const std::vector<series>& all_series() { return kept_series(); }

const result* find_result(const std::string& name) {
    const auto at = find_name(results(), name);
    return at == results().end() || !at->has(ours) ? nullptr : &*at;
}

void check(const std::string& name, bool right) {
    if (!right) {
        std::fprintf(stderr, "%s: WRONG ANSWER\n", name.c_str());
        std::exit(1);
    }
}

void compare(
    benchmark::State& state, const std::string& name, contenders all, const answer_check& is_right
) {
    std::array<contender, way_count> in_turn{
        std::move(all.ours), std::move(all.reference), std::move(all.xtensor),
        std::move(all.by_hand), std::move(all.libtorch)
    };
    constexpr std::array<const char*, way_count> suffixes{
        "", "", " with xtensor", " by hand", " with libtorch"
    };
    is_right(); // the result of an earlier row
    for (std::size_t k = 0; k < in_turn.size(); ++k) {
        if (k != reference && in_turn[k]) {
            in_turn[k].call();
            check(name + suffixes[k], is_right());
        }
    }
    result& to = *find_name(kept_results(), name);
    to.reference_name = all.reference_name;
    take_turns(state, in_turn, 1, to.seconds.data());
}

void compare_series(
    benchmark::State& state, const std::string& table, const std::string& name,
    std::vector<point> points
) {
    auto at = find_name(kept_series(), name);
    if (at == kept_series().end()) {
        at = kept_series().emplace(at);
    }
    series& to = *at;
    to = {table, name, {}, std::vector<samples>(points.size())};
    std::vector<contender> in_turn;
    for (point& p : points) {
        to.labels.push_back(std::move(p.label));
        in_turn.push_back(std::move(p.work));
    }
    take_turns(state, in_turn, in_turn.size(), to.seconds.data());
}
} // namespace bench
