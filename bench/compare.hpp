// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Pieces of work that are timed in turn, and the results. Knows nothing of tensors.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <benchmark/benchmark.h>

#include "median.hpp"

namespace bench {
// ---- Families ---------------------------------------------------------------------------------------------------

// The parts of the report, in order. The families of a part are in the order of their file names.
enum class part {
    copies,
    apply,
    masks,
    ask,
    reduce,
    shapes,
};

// An object of this type at namespace scope registers a family of rows: its function adds them.
class family {
public:
    family(part in, void (*register_rows)());
};

// ---- Work -------------------------------------------------------------------------------------------------------

// A contender that does not exist.
struct nothing {};

// A piece of work, or none. Many calls are timed at once.
class contender {
public:
    contender() = default;

    template <class F>
    contender(F&& work)
        requires(!std::same_as<std::decay_t<F>, contender>)
    {
        if constexpr (!std::same_as<std::decay_t<F>, nothing>) {
            m_run = [work](std::size_t calls) {
                for (std::size_t i = 0; i < calls; ++i) {
                    work();
                    benchmark::ClobberMemory();
                }
            };
        }
    }

    explicit operator bool() const { return static_cast<bool>(m_run); }

    void call() const { m_run(1); }

    // Determines how many calls are timed at once.
    void prepare();

    // Slow contenders take part in fewer rounds.
    bool takes_part() const;

    // Seconds a call. Work that fits into the cache stays in it.
    double measure();

    std::size_t calls() const { return m_calls; }

private:
    double seconds(std::size_t calls) const;

    std::function<void(std::size_t)> m_run;
    std::size_t m_calls = 1;
    std::size_t m_rounds = 0;
    double m_spent = 0;
};

// ---- Results ----------------------------------------------------------------------------------------------------

// Seconds a call of one contender, one sample a round.
using samples = std::vector<double>;

// The median over the rounds of a / b, or 0 where either took no part.
double ratio(const samples& a, const samples& b);

// A row of the report: ways to compute the same.
enum way : std::size_t { ours, reference, xtensor, by_hand, libtorch, way_count };

struct result {
    std::string name;
    part in;
    std::string reference_name = {};
    std::array<samples, way_count> seconds = {};

    bool has(way which) const { return !seconds[which].empty(); }

    // The time of a as a multiple of that of b, or 0 where either took no part.
    double over(way a, way b) const { return ratio(seconds[a], seconds[b]); }
};

// Points that differ in one property, such as their shape, beside the first point, which is the
// unit.
struct series {
    std::string table; // series of one table have the same labels
    std::string name;
    std::vector<std::string> labels;
    std::vector<samples> seconds;
};

// In the order of addition. Rows that were not asked for have no samples.
const std::vector<result>& results();
const std::vector<series>& all_series();

// The row of this name, or null where it was not measured.
const result* find_result(const std::string& name);

// A short run to check that everything works: one round, and smaller memory in place of DRAM.
bool is_smoke_run();

// ---- Comparing --------------------------------------------------------------------------------------------------

// Ends the program with status 1 where an answer is wrong.
void check(const std::string& name, bool right);

// Compares xmask with a reference, mostly a copy, and with other ways to compute the same.
struct contenders {
    contender ours = {};
    contender reference = {};
    contender xtensor = {};
    contender by_hand = {};
    contender libtorch = {};
    const char* reference_name = "a copy";
};

// Whether the answer is there. Clears it, so that the next contender has to give its own.
using answer_check = std::function<bool()>;

// Checks the answer of each contender but the reference, then times all in turn, so that the noise
// of the machine affects all alike.
void compare(
    benchmark::State& state, const std::string& name, contenders all, const answer_check& is_right
);

struct point {
    std::string label;
    contender work;
};

// Times a series. Its points check their answers themselves.
void compare_series(
    benchmark::State& state, const std::string& table, const std::string& name,
    std::vector<point> points
);

// Adds a row, or a series, which this function measures.
using measurement = std::function<void(benchmark::State&, const std::string& name)>;

void add(const std::string& name, measurement run);

// Calls the functions of all families, in the order of the report. Returns the number of rows and
// series.
std::size_t register_families();
} // namespace bench
