// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// masked_select, masked_scatter and masked_replace.

#include "bench.hpp"

#if __has_include(<xtensor/views/xindex_view.hpp>)
#include <xtensor/views/xindex_view.hpp>
#else
#include <xtensor/xindex_view.hpp>
#endif

namespace bench {
namespace {
using list = xt::xtensor<float, 1>;

list kept_of(const table& x, const bool_table& kept) {
    std::vector<float> result;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (kept.storage()[i]) {
            result.push_back(x.storage()[i]);
        }
    }
    list as_tensor = list::from_shape({result.size()});
    std::copy(result.begin(), result.end(), as_tensor.begin());
    return as_tensor;
}

// xmask and xtensor make the list. libtorch gets a list of its size, and a loop by hand also gets
// room for a register after it.
template <class Source>
void select(benchmark::State& state, const std::string& name, const size& s, double density) {
    const Source source(s, density);
    const auto& x = operand(s);
    const list expected = kept_of(x, source.ready);
    list made = expected;
    list ready = expected;
    list longer = xt::zeros<float>({expected.size() + by_hand_loops::lanes});
    const bool* kept = source.ready.data();
    const auto right = [&] {
        bool is_right = false;
        for (list* y : {&made, &ready, &longer}) {
            is_right = is_right || (y->size() >= expected.size() &&
                                    std::equal(expected.begin(), expected.end(), y->begin()));
            y->fill(0.f);
        }
        return is_right;
    };
    compare(
        state, name,
        {
            .ours = [&] { made = xmask::masked_select(x, source.mask()); },
            .reference = copy_of(x, output(s)),
            .xtensor = [&] { made = xt::filter(x, source.condition()); },
            .by_hand = [&] { by_hand_loops::select(x.data(), kept, x.size(), longer.data()); },
            .libtorch = with_libtorch::masked_select(x, source.ready, ready),
        },
        right
    );
}

// In place: each call writes the same values.
template <class Source>
void scatter(benchmark::State& state, const std::string& name, const size& s, double density) {
    const Source source(s, density);
    table y(s.shape(), 0.f);
    const list elements = kept_of(operand(s), source.ready);
    compare(
        state, name,
        {
            .ours = [&] { xmask::masked_scatter_inplace(y, source.mask(), elements); },
            .reference = copy_of(operand(s), output(s)),
            .xtensor = [&] { xt::filter(y, source.condition()) = elements; },
        },
        is(y, source.expected(0.f))
    );
}

template <class Source>
void replace(benchmark::State& state, const std::string& name, const size& s, double density) {
    const Source source(s, density);
    const auto& x = operand(s);
    const auto& other = operand(s, 2);
    auto& y = output(s);
    table expected(s.shape());
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected.storage()[i] = source.ready.storage()[i] ? x.storage()[i] : other.storage()[i];
    }
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::masked_replace(x, source.mask(), other); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = xt::where(source.condition(), x, other); },
        },
        is(y, expected)
    );
}

template <class Source>
void add_selections() {
    for (const size& s : all_sizes()) {
        for (const double density : all_densities()) {
            add("masked_select" + tail(Source::name, density, s),
                [=](benchmark::State& state, const std::string& name) {
                    select<Source>(state, name, s, density);
                });
        }
    }
}

template <class Source>
void add_replacements(const size& s) {
    add("masked_scatter_inplace" + tail(Source::name, 0.5, s),
        [=](benchmark::State& state, const std::string& name) {
            scatter<Source>(state, name, s, 0.5);
        });
    add("masked_replace" + tail(Source::name, 0.5, s),
        [=](benchmark::State& state, const std::string& name) {
            replace<Source>(state, name, s, 0.5);
        });
}

const family rows(part::apply, [] {
    add_selections<from_lengths>();
    add_selections<from_booleans>();
    for (const size& s : {l2(), dram()}) {
        add_replacements<from_lengths>(s);
        add_replacements<from_booleans>(s);
    }
});
} // namespace
} // namespace bench
