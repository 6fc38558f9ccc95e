// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Counting kept elements, and storing a mask.

#include "bench.hpp"

namespace bench {
namespace {
// The memory that is read at most: the operand of a threshold, or the booleans of any other mask.
template <class Source>
const auto& read_by(const Source& source) {
    if constexpr (std::same_as<Source, from_threshold>) {
        return source.x;
    } else {
        return source.ready;
    }
}

template <class Source>
void count(benchmark::State& state, const std::string& name, const size& s) {
    const Source source(s, 0.5);
    auto copied = read_by(source);
    const auto expected =
        std::count(source.ready.storage().begin(), source.ready.storage().end(), true);
    double counted = 0;
    compare(
        state, name,
        {
            .ours = [&] { counted = static_cast<double>(xmask::count_kept(source.mask())); },
            .reference = copy_of(read_by(source), copied),
            .xtensor =
                [&] { counted = static_cast<double>(xt::sum<std::size_t>(source.condition())()); },
        },
        is_about(counted, static_cast<double>(expected), 0)
    );
}

template <class Source>
void store(benchmark::State& state, const std::string& name, const size& s) {
    const Source source(s, 0.5);
    auto copied = read_by(source);
    xmask::bitmask bits = source.mask();
    bool_table booleans = source.ready;
    const auto right = [&] {
        const bool is_right = same(bool_table(bits), source.ready) || same(booleans, source.ready);
        bits = xmask::keep_none(s.shape());
        booleans.fill(false);
        return is_right;
    };
    contenders all{
        .ours = [&] { bits = source.mask(); }, .reference = copy_of(read_by(source), copied)
    };
    if constexpr (!std::is_reference_v<decltype(source.condition()
                  )>) // otherwise an xtensor user has stored it already
    {
        all.xtensor = [&] { xt::noalias(booleans) = source.condition(); };
    }
    compare(state, name, std::move(all), right);
}

template <class Source>
void add_source(const size& s) {
    const std::string end = tail(Source::name, 0.5, s);
    add("count_kept" + end,
        [=](benchmark::State& state, const std::string& name) { count<Source>(state, name, s); });
    if (!std::same_as<Source, from_bitmask>) {
        add("bitmask from" + end, [=](benchmark::State& state, const std::string& name) {
            store<Source>(state, name, s);
        });
    }
}

const family rows(part::ask, [] {
    for (const size& s : {l2(), dram()}) {
        add_source<from_lengths>(s);
        add_source<from_bitmask>(s);
        add_source<from_booleans>(s);
        add_source<from_threshold>(s);
        add_source<from_both>(s);
    }
});
} // namespace
} // namespace bench
