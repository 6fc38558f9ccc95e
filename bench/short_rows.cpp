// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The same elements in rows of any length: the cost of a row itself.

#include "bench.hpp"

namespace bench {
namespace {
constexpr size shapes[] = {
    {"1 x 32768", 1, 32768}, {"64 x 512", 64, 512},   {"512 x 64", 512, 64},
    {"1024 x 32", 1024, 32}, {"2048 x 16", 2048, 16}, {"4096 x 8", 4096, 8},
};

// About every second token is dropped.
struct from_tokens : source {
    static constexpr const char* name = "tokens";
    xt::xtensor<int, 2> tokens;

    from_tokens(const size& s, double /*density*/) : source{operand(s), {}}, tokens(s.shape()) {
        random_numbers random(9);
        std::generate(tokens.begin(), tokens.end(), [&] {
            return static_cast<int>(random.next() % 6);
        });
        ready = booleans_of(s, [&](std::size_t r, std::size_t c) { return tokens(r, c) > 2; });
    }

    auto mask() const { return xmask::drop_tokens(tokens, {0, 1, 2}); }
};

template <class Source>
contender filling(const Source& from, table& y) {
    return [&] { xt::noalias(y) = xmask::masked_fill(from.x, from.mask(), -1e9f); };
}

template <class Source>
contender multiplying(const Source& from, table& y) {
    return [&] { xt::noalias(y) = xmask::multiply(from.x, from.mask()); };
}

template <class Source>
using work_of = contender (*)(const Source&, table&);

template <class Source>
void rows_of(benchmark::State& state, const std::string& name, work_of<Source> work, float value) {
    std::vector<Source> sources;
    sources.reserve(std::size(shapes));
    std::vector<point> points;
    for (const size& s : shapes) {
        const Source& from = sources.emplace_back(s, 0.5);
        points.push_back({s.name, work(from, output(s))});
        points.back().work.call();
        check(name, same(output(s), from.expected(value)));
    }
    points.push_back({"copy", copy_of(sources[0].x, output(shapes[0]))});
    compare_series(
        state, "Short rows: the time of one long row, and that of others over it", name,
        std::move(points)
    );
}

template <class Source>
void add_source() {
    add(std::string("masked_fill/short rows/") + Source::name,
        [](benchmark::State& state, const std::string& name) {
            rows_of<Source>(state, name, filling<Source>, -1e9f);
        });
    add(std::string("multiply/short rows/") + Source::name,
        [](benchmark::State& state, const std::string& name) {
            rows_of<Source>(state, name, multiplying<Source>, 0.f);
        });
}

const family rows(part::shapes, [] {
    add_source<from_lengths>();
    add_source<from_threshold>();
    add_source<from_booleans>();
    add_source<from_bitmask>();
    add_source<from_tokens>();
});
} // namespace
} // namespace bench
