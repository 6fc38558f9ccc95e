// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// How many times as fast several threads are. A program of its own, because no thread is woken
// unless XTENSOR_USE_OPENMP or XTENSOR_USE_TBB is defined.
//
//     xmask_threads_bench           512 rows of 1,024 floats
//     xmask_threads_bench 4096      other numbers of rows

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <omp.h>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/cross_entropy.hpp>
#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/softmax.hpp>
#include <xmask/reduce/sum.hpp>

#include "median.hpp"

namespace {
using table = xt::xtensor<float, 2>;

constexpr std::size_t columns = 1024;

table random(std::size_t rows, std::uint64_t state) {
    auto x = table::from_shape({rows, columns});
    for (float& value : x) {
        state = state * 6364136223846793005 + 1442695040888963407;
        value = static_cast<float>(static_cast<double>(state >> 40) / (1 << 23)) - 1.f;
    }
    return x;
}

struct tensors {
    explicit tensors(std::size_t rows)
        : x(random(rows, 1))
        , t(random(rows, 2))
        , y(random(rows, 3))
        , lengths(xt::xtensor<std::int64_t, 1>::from_shape({rows}))
        , classes(xt::xtensor<std::int64_t, 1>::from_shape({rows})) {
        for (std::size_t r = 0; r < rows; ++r) {
            lengths(r) = static_cast<std::int64_t>(r * 7919 % (columns + 1));
            classes(r) = static_cast<std::int64_t>(r * 104729 % columns);
        }
    }

    table x;
    table t;
    table y;
    xt::xtensor<std::int64_t, 1> lengths;
    xt::xtensor<std::int64_t, 1> classes;
};

/// Some work on the tensors. It returns the computed number, or 0 where it writes to y.
struct work {
    const char* name;
    std::function<double(tensors&)> run;
};

std::vector<work> all_work() {
    using namespace xmask;
    return {
        {"masked_fill, lengths",
         [](tensors& s) {
             xt::noalias(s.y) = masked_fill(s.x, keep_lengths(s.lengths, columns), -1.f);
             return 0.;
         }},
        {"masked_fill of 2 * x + 1, threshold",
         [](tensors& s) {
             xt::noalias(s.y) = masked_fill(2.f * s.x + 1.f, keep_above(s.x, 0.f), -1.f);
             return 0.;
         }},
        {"masked_softmax, lengths",
         [](tensors& s) {
             xt::noalias(s.y) = masked_softmax(s.x, keep_lengths(s.lengths, columns));
             return 0.;
         }},
        {"masked_sum, threshold",
         [](tensors& s) { return double(masked_sum(s.x, keep_above(s.x, 0.f))); }},
        {"masked_mse and gradient, lengths",
         [](tensors& s) {
             return masked_mse(s.x, s.t, keep_lengths(s.lengths, columns), s.y).sum();
         }},
        {"masked_cross_entropy, half the rows",
         [](tensors& s) {
             const auto half = keep_below(s.classes, static_cast<std::int64_t>(columns / 2));
             return masked_cross_entropy(s.x, s.classes, half).sum();
         }},
    };
}

double microseconds_of(const work& some, tensors& s) {
    const auto start = std::chrono::steady_clock::now();
    some.run(s);
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
        .count();
}

std::vector<int> thread_counts() {
    std::vector<int> counts;
    for (int count = 1; count <= std::max(2, omp_get_num_procs()); count *= 2) {
        counts.push_back(count);
    }
    return counts;
}

/// Whether any number of threads gives the same to the bit.
bool is_same_by_all(const work& some, tensors& s) {
    omp_set_num_threads(1);
    const double number = some.run(s);
    const table expected = s.y;
    return std::ranges::all_of(thread_counts(), [&](int count) {
        omp_set_num_threads(count);
        return some.run(s) == number && std::equal(s.y.begin(), s.y.end(), expected.begin());
    });
}

/// Prints the time of one thread, and how many times as fast others are. They take turns, so that
/// noise affects all alike.
void print_times(const work& some, tensors& s) {
    const auto counts = thread_counts();
    std::vector<std::vector<double>> times(counts.size());
    for (int round = 0; round < 50; ++round) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            omp_set_num_threads(counts[i]);
            some.run(s);
            for (int call = 0; call < 5; ++call) {
                times[i].push_back(microseconds_of(some, s));
            }
        }
    }
    const double one = bench::median(times[0]);
    std::printf("%-40s %9.1f us", some.name, one);
    for (std::size_t i = 1; i < counts.size(); ++i) {
        std::printf(" %9.2f", one / bench::median(times[i]));
    }
    std::printf("\n");
}
} // namespace

int main(int count, char** arguments) {
    const std::size_t rows = count > 1 ? std::stoul(arguments[1]) : 512;
    tensors s(rows);
    std::printf(
        "%zu x %zu floats: the time of one thread, and how many times as fast others are\n\n", rows,
        columns
    );
    std::printf("%-40s %12s", "threads", "1");
    for (const int threads : thread_counts()) {
        if (threads > 1) {
            std::printf(" %9d", threads);
        }
    }
    std::printf("\n");
    for (const work& some : all_work()) {
        if (!is_same_by_all(some, s)) {
            std::printf("%s: results depend on the number of threads\n", some.name);
            return EXIT_FAILURE;
        }
        print_times(some, s);
    }
    return EXIT_SUCCESS;
}
