// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Attention beside its two matrix products and one softmax, computed one after another by the same
// BLAS. A program of its own, because it needs a BLAS.
//
//     OPENBLAS_NUM_THREADS=1 xmask_attention_bench            4,096 tokens of 64 features
//     OPENBLAS_NUM_THREADS=1 xmask_attention_bench 300        other numbers of tokens; few only check that all works

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/reduce/softmax.hpp>

#include "median.hpp"

namespace {
std::size_t bytes = 0;
}

// The bytes that a call allocates.
[[gnu::noinline]] void* operator new(std::size_t size) {
    bytes += size;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {
using tensor = xt::xtensor<float, 2>;
using clock = std::chrono::steady_clock;

constexpr std::size_t features = 64;

tensor random(std::size_t n, std::size_t columns, unsigned seed) {
    tensor x = xt::zeros<float>({n, columns});
    unsigned state = seed * 2654435761u + 1;
    for (std::size_t i = 0; i < x.size(); ++i) {
        state = state * 1664525u + 1013904223u;
        x.data()[i] = static_cast<float>(state >> 8) / 8388608.f - 1.f;
    }
    return x;
}

/// Milliseconds of one call. Compared functions take turns, so that noise affects all alike.
template <class F>
double once(F&& f) {
    const auto start = clock::now();
    f();
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

struct tensors {
    explicit tensors(std::size_t n)
        : query(random(n, features, 1))
        , key(random(n, features, 2))
        , value(random(n, features, 3))
        , upstream(random(n, features, 4)) {}

    tensor query;
    tensor key;
    tensor value;
    tensor upstream;
};

/// Attention without tiles: all scores, their softmax, and its product with the values.
void one_after_another(const tensors& x, tensor& scores, tensor& result) {
    using namespace xmask::detail;
    const std::size_t n = x.query.shape(0);
    gemm<float>(
        turned::no, turned::yes, n, n, features, 1 / std::sqrt(static_cast<float>(features)),
        {x.query.data(), features}, {x.key.data(), features}, 0.f, {scores.data(), n}
    );
    xmask::masked_softmax_inplace(scores, xmask::keep_all({n, n}));
    gemm<float>(
        turned::no, turned::no, n, features, n, 1.f, {scores.data(), n}, {x.value.data(), features},
        0.f, {result.data(), features}
    );
}

double largest_difference(const tensor& a, const tensor& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        most = std::max(
            most, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]))
        );
    }
    return most;
}

struct line {
    const char* name;
    std::vector<double> times;
};

template <class M>
void measure(line& l, const tensors& x, const M& m) {
    tensor y;
    l.times.push_back(once([&] { y = xmask::masked_attention(x.query, x.key, x.value, m); }));
}

template <class M>
void measure_gradient(line& l, const tensors& x, const M& m) {
    tensor dq;
    tensor dk;
    tensor dv;
    l.times.push_back(once([&] {
        xmask::masked_attention_gradient(x.query, x.key, x.value, m, x.upstream, dq, dk, dv);
    }));
}

/// Bytes of a causal call, without its result.
std::size_t memory_of(std::size_t n) {
    const tensors x(n);
    const std::size_t before = bytes;
    const tensor y =
        xmask::masked_attention(x.query, x.key, x.value, xmask::keep_window(n, n, 255, 0));
    return bytes - before - y.size() * sizeof(float);
}
} // namespace

int main(int argc, char** argv) {
    const std::size_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4096;
    const std::size_t rounds = n >= 1024 ? 11 : 1;
    const tensors x(n);
    const auto all = xmask::keep_all({n, n});
    const auto causal = xmask::keep_causal(n, n);
    const auto window = xmask::keep_window(n, n, 255, 0);
    const xt::xtensor<std::size_t, 1> lengths = {n / 2};
    const auto padded = xmask::keep_lengths(lengths, n);
    tensor scores = xt::zeros<float>({n, n});
    tensor expected = xt::zeros<float>({n, features});

    one_after_another(x, scores, expected);
    if (largest_difference(xmask::masked_attention(x.query, x.key, x.value, all), expected) >
        1e-5) {
        std::puts("attention: a wrong answer");
        return 1;
    }

    line lines[] = {
        {"products and softmax, one after another", {}},
        {"unmasked", {}},
        {"causal", {}},
        {"window of 256", {}},
        {"half of the keys are padding", {}},
        {"gradients, unmasked", {}},
        {"gradients, causal", {}},
    };
    for (std::size_t round = 0; round < rounds; ++round) {
        lines[0].times.push_back(once([&] { one_after_another(x, scores, expected); }));
        measure(lines[1], x, all);
        measure(lines[2], x, causal);
        measure(lines[3], x, window);
        measure(lines[4], x, padded);
        measure_gradient(lines[5], x, all);
        measure_gradient(lines[6], x, causal);
    }
    std::printf("%zu tokens, %zu features, float\n", n, features);
    std::printf("%-42s %9s  %s  %s\n", "", "ms", "x unmasked", "x one after another");
    for (const line& l : lines) {
        const double time = bench::median(l.times);
        const double of_unmasked = time / bench::median(lines[1].times);
        std::printf(
            "%-42s %9.2f  %10.3f  %.3f\n", l.name, time, of_unmasked,
            time / bench::median(lines[0].times)
        );
    }
    std::puts("bytes beside the result, window of 256:");
    for (std::size_t tokens = n / 4; tokens <= 4 * n && tokens != 0; tokens *= 2) {
        std::printf(
            "%8zu tokens %10zu (scores would take %zu)\n", tokens, memory_of(tokens),
            tokens * tokens * sizeof(float)
        );
    }
}
