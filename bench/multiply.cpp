// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// multiply by a mask, and by real weights.

#include "bench.hpp"

namespace bench {
namespace {
template <class Source>
void multiply(benchmark::State& state, const std::string& name, const size& s, double density) {
    const Source source(s, density);
    const auto& x = operand(s);
    auto& y = output(s);
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::multiply(x, source.mask()); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = x * xt::cast<float>(source.condition()); },
            .by_hand = [&] { source.fill_by_hand(0.f, y); },
            .libtorch = source.multiply_with_libtorch(y),
        },
        is(y, source.expected(0.f))
    );
}

void multiply_by_weights(benchmark::State& state, const std::string& name, const size& s) {
    const auto& x = operand(s);
    const auto& weights = operand(s, 2);
    auto& y = output(s);
    table expected(s.shape());
    std::transform(x.begin(), x.end(), weights.begin(), expected.begin(), std::multiplies());
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::multiply(x, weights); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = x * weights; },
        },
        is(y, expected)
    );
}

template <class Source>
void add_multiply(const std::vector<double>& densities) {
    for (const size& s : all_sizes()) {
        for (const double density : densities) {
            add("multiply" + tail(Source::name, density, s),
                [=](benchmark::State& state, const std::string& name) {
                    multiply<Source>(state, name, s, density);
                });
        }
    }
}

const family rows(part::apply, [] {
    add_multiply<from_lengths>({0.5});
    add_multiply<from_indices>({0.5});
    add_multiply<from_bitmask>({0.5});
    add_multiply<from_booleans>({0.5});
    add_multiply<from_threshold>(all_densities());
    add_multiply<from_both>({0.5});
    for (const size& s : {l2(), dram()}) {
        add(std::string("multiply/real weights/") + s.name,
            [=](benchmark::State& state, const std::string& name) {
                multiply_by_weights(state, name, s);
            });
    }
});
} // namespace
} // namespace bench
