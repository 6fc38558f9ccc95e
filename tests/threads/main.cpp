// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Prints a hash of the bits of many results, each large enough for threads. Built without threads
// and with those of OpenMP and of TBB. Its argument is the number of threads for TBB;
// OMP_NUM_THREADS is that for OpenMP.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include <xmask/xmask.hpp>

#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xview.hpp>
#endif

#if defined(XTENSOR_USE_TBB)
#include <tbb/global_control.h>
#endif

namespace {
template <class E>
void print(const char* name, const E& result) {
    std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (const auto value : result) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
        for (std::size_t i = 0; i < sizeof(value); ++i) {
            hash = (hash ^ bytes[i]) * 0x100000001b3;
        }
    }
    std::cout << name << ' ' << std::hex << hash << '\n';
}

void print_loss(const char* name, const xmask::loss& loss) {
    print(name, std::array<double, 2>{loss.sum, loss.weight});
}

template <class T>
xt::xtensor<T, 2> numbers(std::size_t rows, std::size_t columns, std::uint64_t seed) {
    auto x = xt::xtensor<T, 2>::from_shape({rows, columns});
    for (auto& value : x) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        value = static_cast<T>(static_cast<double>(seed >> 40) / (1 << 24) * 8 - 4);
    }
    return x;
}

void run(const std::string& shape, std::size_t rows, std::size_t columns) {
    std::cout << shape << '\n';
    const auto x = numbers<float>(rows, columns, 1);
    const auto t = numbers<float>(rows, columns, 2);
    auto lengths = xt::xtensor<std::int64_t, 1>::from_shape({rows});
    for (std::size_t r = 0; r < rows; ++r) {
        lengths(r) = static_cast<std::int64_t>(r * 7919 % (columns + 1));
    }
    const auto m = xmask::keep_lengths(lengths, columns);
    const auto some = m && xmask::keep_above(x, -1.f);
    xt::xtensor<float, 2> y = xmask::masked_fill(x, m, -1.f);
    print("masked_fill", y);
    xt::noalias(y) = xmask::multiply(2.f * x + 1.f, some);
    print("multiply", y);
    xt::noalias(y) = xmask::masked_replace(x, xmask::bitmask(some), t);
    print("masked_replace", y);
    xt::noalias(y) = xmask::masked_fill(x, m, 0.f) + t;
    print("larger expression", y);
    xt::xtensor<float, 2, xt::layout_type::column_major> turned = xmask::masked_fill(x, some, 2.f);
    print("column-major", turned);
    const auto strided = xt::view(t, xt::all(), xt::range(std::size_t(0), columns, 2));
    xt::xtensor<float, 2> half = xmask::masked_fill(strided, xmask::keep_above(strided, 0.f), 0.f);
    print("strided", half);
    xt::xtensor<bool, 2> bits = some;
    print("mask", bits);
    y = x;
    xmask::masked_fill_inplace(y, some, 3.f);
    print("masked_fill_inplace", y);
    xmask::multiply_inplace(y, m);
    print("multiply_inplace", y);
    print("masked_sum", std::array{xmask::masked_sum(x, some)});
    print("masked_mean", std::array{xmask::masked_mean(t, xmask::keep_above(x, 0.f))});
    print("masked_norm", std::array{xmask::masked_norm(x, m)});
    print("masked_max", std::array{xmask::masked_max(x, some)});
    print("masked_sum of rows", xmask::masked_sum(x, some, {1}));
    print("masked_var of rows", xmask::masked_var(x, m, {1}));
    print("masked_argmax of rows", xmask::masked_argmax(x, m || xmask::keep_above(x, -5.f), {1}));
    print("masked_logsumexp", std::array{xmask::masked_logsumexp(x, some)});
    print("masked_var", std::array{xmask::masked_var(x, m)});
    print_loss("masked_mse", xmask::masked_mse(x, t, some));
    print_loss("masked_huber", xmask::masked_huber(x, t, m, {.delta = 0.5}, y));
    print("its gradient", y);
    print_loss("weights", xmask::masked_mse(x, t, xt::abs(t)));
    auto classes = xt::xtensor<std::int64_t, 1>::from_shape({rows});
    for (std::size_t r = 0; r < rows; ++r) {
        classes(r) = static_cast<std::int64_t>(r * 104729 % columns);
    }
    const auto counted = xmask::keep_below(classes, static_cast<std::int64_t>(columns / 2 + 1));
    print_loss("masked_cross_entropy", xmask::masked_cross_entropy(2.f * x, classes, counted, y));
    print("its gradient", y);
    print_loss(
        "smoothed",
        xmask::masked_cross_entropy(x, classes, counted, {.label_smoothing = 0.1}, turned)
    );
    print("its gradient", turned);
    print("of each", xmask::masked_cross_entropy.each(x, classes, counted));
    print_loss("masked_nll", xmask::masked_nll(x, classes, counted, y));
    print("its gradient", y);
    xt::noalias(y) = xmask::masked_softmax(x, m);
    print("masked_softmax", y);
    xt::noalias(y) = xmask::masked_log_softmax(x, some);
    print("masked_log_softmax", y);
    xt::noalias(y) = xmask::masked_softmax(x, some, 0);
    print("masked_softmax, columns", y);
}

/// The exception of a thread arrives: of many, the first in row order.
std::string thrown() {
    const auto x = numbers<float>(1000, 1000, 1);
    const auto refuse = [](float value) -> float {
        if (value > 3.999f) {
            throw std::runtime_error(std::to_string(value));
        }
        return value;
    };
    xt::xtensor<float, 2> y = xt::zeros<float>({1000, 1000});
    try {
        xt::noalias(y) = xmask::masked_fill(
            xt::make_lambda_xfunction(refuse, x), xmask::keep_all({1000, 1000}), 0.f
        );
    } catch (const std::runtime_error& error) {
        return std::string("throws\n") + error.what();
    }
    return "does not throw";
}
} // namespace

int main([[maybe_unused]] int count, [[maybe_unused]] char** arguments) {
#if defined(XTENSOR_USE_TBB)
    const auto threads = static_cast<std::size_t>(count > 1 ? std::atoi(arguments[1]) : 2);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
#endif
    run("460 x 1000", 460, 1000);
    run("29000 x 16", 29000, 16);
    run("3 x 155000", 3, 155000);
    std::cout << thrown() << '\n';
}
