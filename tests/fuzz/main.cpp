// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "families.hpp"

/// @file
/// Compares xmask with simple loops, on random masks and tensors.
///
///     xmask_fuzz [--seconds N | --elements N | --cases N] [--seed S] [--only FAMILY]
///
/// Case k of a family depends only on the seed S + k and the name of the family, so that it can be
/// repeated alone. The exit status is 1 where a result differs.

// The interface of the sanitizers, where the program has them.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {
struct arguments {
    double seconds = 10;
    std::uint64_t elements = 0;
    std::uint64_t cases = 0;
    std::uint64_t seed = 1;
    std::string only;
};

[[noreturn]] void explain_usage() {
    std::cerr << "usage: xmask_fuzz [--seconds N | --elements N | --cases N] [--seed S] "
                 "[--only FAMILY]\nfamilies:";
    for (const fuzz::family& one : fuzz::families()) {
        std::cerr << ' ' << one.name;
    }
    std::cerr << '\n';
    std::exit(2);
}

arguments parse(int argc, char** argv) {
    arguments given;
    for (int i = 1; i < argc; i += 2) {
        const std::string name = argv[i];
        if (i + 1 == argc) {
            explain_usage();
        }
        const std::string value = argv[i + 1];
        if (name == "--seconds") {
            given.seconds = std::stod(value);
        } else if (name == "--elements") {
            given.elements = static_cast<std::uint64_t>(std::stod(value));
        } else if (name == "--cases") {
            given.cases = std::stoull(value);
        } else if (name == "--seed") {
            given.seed = std::stoull(value);
        } else if (name == "--only") {
            given.only = value;
        } else {
            explain_usage();
        }
    }
    return given;
}

/// The running case, for functions that end the program.
const char* running_family = "";
unsigned long long running_seed = 0;

void print_running() {
    std::fprintf(
        stderr,
        "ENDED in the middle of a case\n  repeat:   xmask_fuzz --only %s --seed %llu --cases 1\n",
        running_family, running_seed
    );
}

void end_by_signal(int number) {
    print_running();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void say_what_runs_at_the_end() {
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(print_running);
    } else {
        for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGILL}) {
            std::signal(number, end_by_signal);
        }
    }
}

void run_case(const fuzz::family& family, std::uint64_t seed, fuzz::totals& all) {
    running_family = family.name;
    running_seed = seed;
    fuzz::record r(family.name, seed, all);
    try {
        family.run(r);
    } catch (const std::exception& error) {
        r.differ(std::string("an exception in ") + family.name, error.what());
    }
    ++(r.failed() ? all.failed : all.passed);
}

void print(const fuzz::totals& all, double seconds) {
    for (const auto& [what, count] : all.differences) {
        std::cout << "  " << count << " x " << what << '\n';
    }
    std::cout << all.elements << " elements compared in " << seconds << " s\n"
              << all.passed << " passed, " << all.failed << " failed\n";
}
} // namespace

int main(int argc, char** argv) {
    using clock = std::chrono::steady_clock;
    const arguments given = parse(argc, argv);
    std::vector<fuzz::family> chosen;
    for (const fuzz::family& one : fuzz::families()) {
        if (given.only.empty() || given.only == one.name) {
            chosen.push_back(one);
        }
    }
    if (chosen.empty()) {
        explain_usage();
    }
    say_what_runs_at_the_end();
    fuzz::totals all;
    const auto start = clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(clock::now() - start).count(); };
    for (std::uint64_t k = 0;; ++k) {
        const bool enough = given.cases != 0      ? k >= given.cases
                            : given.elements != 0 ? all.elements >= given.elements
                                                  : passed() >= given.seconds;
        if (enough) {
            break;
        }
        for (const fuzz::family& one : chosen) {
            run_case(one, given.seed + k, all);
        }
    }
    print(all, passed());
    return all.failed == 0 ? 0 : 1;
}
