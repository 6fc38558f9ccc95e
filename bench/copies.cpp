// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The bound of all other times: the two loops that copy, of which the faster is the unit, and memcpy.

#include "bench.hpp"

namespace bench {
namespace {
void loop(benchmark::State& state, const std::string& name, const size& s, stores how) {
    const auto& x = operand(s);
    auto& y = output(s);
    const auto plain = [&] { copy<stores::plain>(x.data(), y.data(), x.size()); };
    const auto streaming = [&] { copy<stores::streaming>(x.data(), y.data(), x.size()); };
    compare(
        state, name,
        {
            .ours = how == stores::plain ? contender(plain) : contender(streaming),
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = x; },
            .libtorch = with_libtorch::copy(x, y),
        },
        is(y, x)
    );
}

void standard(benchmark::State& state, const std::string& name, const size& s) {
    const auto& x = operand(s);
    auto& y = output(s);
    compare(
        state, name,
        {
            .ours = [&] { std::memcpy(y.data(), x.data(), x.size() * sizeof(float)); },
            .reference = copy_of(x, y),
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
            copy<stores::plain>(&x(r, 0), &y(r, 0), middle);
            by_hand_loops::set(&y(r, middle), s.columns - middle, 0.f);
        }
    };
    const auto by_standard = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            std::memcpy(&y(r, 0), &x(r, 0), middle * sizeof(float));
            std::memset(&y(r, middle), 0, (s.columns - middle) * sizeof(float));
        }
    };
    compare(
        state, name, {.ours = work, .reference = copy_of(x, y), .by_hand = by_standard},
        is(y, expected)
    );
}

const family rows(part::copies, [] {
    for (const size& s : all_sizes()) {
        for (const stores how : {stores::plain, stores::streaming}) {
            const char* const title =
                how == stores::plain ? "copy, plain stores/" : "copy, streaming stores/";
            add(std::string(title) + s.name, [=](benchmark::State& state, const std::string& name) {
                loop(state, name, s, how);
            });
        }
        add(std::string("std::memcpy/") + s.name,
            [=](benchmark::State& state, const std::string& name) { standard(state, name, s); });
    }
    for (const size& s : all_sizes()) {
        add(std::string("copy, half set to 0/") + s.name,
            [=](benchmark::State& state, const std::string& name) { half(state, name, s); });
    }
});
} // namespace
} // namespace bench
