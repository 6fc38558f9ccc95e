// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The common part of the benchmarks of operations: each operation is a function beside one of
// xtensor alone, which must give the same. They are called through pointers, so that the comparison
// is compiled once.

#pragma once

#include "bench.hpp"

namespace bench {
namespace operations {
// The operands. An xtensor user has the mask as booleans.
struct given {
    explicit given(const size& s)
        : x(operand(s))
        , t(operand(s, 2))
        , source(s, 0.5)
        , ready(source.ready)
        , bits(xmask::keep_where(ready)) {}

    auto mask() const { return xmask::keep_lengths(source.lengths, x.shape(1)); }

    const table& x;
    const table& t;
    from_lengths source;
    const bool_table& ready;
    xmask::bitmask bits;
};

// The results: a tensor of the operand's shape, one with an axis less, a number.
struct answer {
    table full;
    xt::xtensor<float, 1> reduced;
    double number = 0;
};

using operation = void (*)(const given&, answer&);

template <class A>
bool alike(const A& a, const A& b) {
    const auto near = [](float x, float y) {
        return x == y || std::abs(x - y) <= 1e-4f * (std::abs(y) + 0.01f);
    };
    return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin(), near);
}

inline bool alike(const answer& a, const answer& b) {
    return alike(a.full, b.full) && alike(a.reduced, b.reduced) && close(a.number, b.number, 1e-4);
}

// The result of xmask must be that of xtensor.
inline void measure(
    benchmark::State& state, const std::string& name, const size& s, operation ours,
    operation theirs
) {
    const given g(s);
    answer expected;
    theirs(g, expected);
    answer a;
    const auto right = [&] {
        const bool is_right = alike(a, expected);
        a = {};
        return is_right;
    };
    contenders all{
        .ours = [&] { ours(g, a); },
        .reference = copy_of(g.x, output(s)),
        .xtensor = [&] { theirs(g, a); }
    };
    compare(state, name, std::move(all), right);
}

inline void add_operation(
    const std::string& name, const size& s, operation ours, operation theirs
) {
    add(name + "/" + s.name, [=](benchmark::State& state, const std::string& full_name) {
        measure(state, full_name, s, ours, theirs);
    });
}

// As many elements as in L2, in longer rows.
inline size long_rows() { return {"8 x 4096", 8, 4096}; }

inline constexpr float infinity = std::numeric_limits<float>::infinity();

// A number for each row, as a column.
template <class E>
auto column(E&& e) {
    return xt::view(std::forward<E>(e), xt::all(), xt::newaxis());
}
} // namespace operations

// A function of the operands, g, that gives an answer, a.
#define OPERATION(...) [](const given& g, answer& a) { __VA_ARGS__; }
} // namespace bench
