// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The bound of all other times: a loop that loads and stores, beside memcpy. Where memcpy is
// faster, such as with `rep movsb` in L2, no loop that looks at the copied elements can reach it.

#include "bench.hpp"

namespace bench {
namespace {
void loop(benchmark::State& state, const std::string& name, const size& s) {
    const auto& x = operand(s);
    auto& y = output(s);
    compare(
        state, name,
        {
            .ours = [&] { by_hand_loops::copy(x.data(), y.data(), x.size()); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = x; },
            .libtorch = with_libtorch::copy(x, y),
        },
        is(y, x)
    );
}

// The minimum for masked_fill of half of the elements: read these, write all.
void half(benchmark::State& state, const std::string& name, const size& s) {
    const auto& x = operand(s);
    auto& y = output(s);
    const std::size_t middle = s.columns / 2;
    table expected = x;
    xt::view(expected, xt::all(), xt::range(middle, s.columns)) = 0.f;
    const auto work = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            by_hand_loops::copy(&x(r, 0), &y(r, 0), middle);
            by_hand_loops::set(&y(r, middle), s.columns - middle, 0.f);
        }
    };
    const auto standard = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            std::memcpy(&y(r, 0), &x(r, 0), middle * sizeof(float));
            std::memset(&y(r, middle), 0, (s.columns - middle) * sizeof(float));
        }
    };
    compare(
        state, name, {.ours = work, .reference = copy_of(x, y), .by_hand = standard},
        is(y, expected)
    );
}

const family rows(part::copies, [] {
    for (const size& s : all_sizes()) {
        add(std::string("copy loop/") + s.name,
            [=](benchmark::State& state, const std::string& name) { loop(state, name, s); });
    }
    for (const size& s : all_sizes()) {
        add(std::string("copy loop, half set to 0/") + s.name,
            [=](benchmark::State& state, const std::string& name) { half(state, name, s); });
    }
});
} // namespace
} // namespace bench
