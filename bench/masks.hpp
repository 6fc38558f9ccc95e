// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The common part of the benchmarks of ready-made masks: each mask is made in each call, and used
// by masked_fill. In several files, because each mask costs the compiler seconds. Masks from
// lengths, columns, booleans and token ids are in fill.cpp and tokens.cpp.

#pragma once

#include "bench.hpp"

namespace bench {
namespace masks {
inline constexpr float value = -1e9f;

using integers = xt::xtensor<int, 1>;

// The inputs of the masks of one size.
struct given {
    explicit given(const size& s)
        : rows(s.rows)
        , columns(s.columns)
        , x(operand(s))
        , y(operand(s, 2))
        , i({s.rows, 1})
        , j({1, s.columns})
        , lengths(random_lengths(s, 0.5))
        , begin(integers::shape_type{s.rows})
        , end(integers::shape_type{s.rows})
        , cumulative({s.rows + 1}, 0)
        , row_segments(integers::shape_type{s.rows})
        , column_segments(integers::shape_type{s.columns})
        , points({2 * s.rows, 2})
        , listed(s.shape(), false)
        , tokens(s.shape())
        , runs({2 * s.rows + 1}, 0) {
        random_numbers random(7);
        for (std::size_t r = 0; r < rows; ++r) {
            i(r, 0) = static_cast<int>(r);
            begin(r) = static_cast<int>(columns) / 4 - lengths(r) / 4;
            end(r) = begin(r) + lengths(r);
            cumulative(r + 1) = cumulative(r) + lengths(r);
            row_segments(r) = static_cast<int>(r * 10 / rows);
            runs(2 * r + 1) = lengths(r);
            runs(2 * r + 2) = static_cast<int>(columns) - lengths(r);
        }
        for (std::size_t c = 0; c < columns; ++c) {
            j(0, c) = static_cast<int>(c);
            column_segments(c) = static_cast<int>(c * 10 / columns);
        }
        for (std::size_t p = 0; p < points.shape(0); ++p) {
            points(p, 0) = random.next() % rows;
            points(p, 1) = random.next() % columns;
            listed(points(p, 0), points(p, 1)) = true;
        }
        std::generate(tokens.begin(), tokens.end(), [&] {
            return static_cast<int>(random.next() % 300);
        });
    }

    std::array<std::size_t, 2> shape() const { return {rows, columns}; }

    std::size_t rows;
    std::size_t columns;
    const table& x;
    const table& y;
    xt::xtensor<int, 2> i; // the number of each row, and of each column
    xt::xtensor<int, 2> j;
    integers lengths;
    integers begin;
    integers end;
    integers cumulative;
    integers row_segments;
    integers column_segments;
    xt::xtensor<std::size_t, 2> points;
    bool_table listed;
    xt::xtensor<int, 2> tokens;
    integers runs; // those of lengths
};

// One function for each mask, and one for each condition: compiled once, and called through a
// pointer.
using filler = void (*)(const given&, table&);

struct fill {
    filler ours;
    filler theirs; // or none
    bool (*kept)(const given&, std::size_t, std::size_t);
};

inline void fill_by(
    benchmark::State& state, const std::string& name, const size& s, const fill& by
) {
    const given g(s);
    auto& y = output(s);
    table expected(s.shape(), value);
    for (std::size_t r = 0; r < s.rows; ++r) {
        for (std::size_t c = 0; c < s.columns; ++c) {
            expected(r, c) = by.kept(g, r, c) ? g.x(r, c) : value;
        }
    }
    contenders all{.ours = [&] { by.ours(g, y); }, .reference = copy_of(g.x, y)};
    if (by.theirs != nullptr) {
        all.xtensor = [&] { by.theirs(g, y); };
    }
    compare(state, name, std::move(all), is(y, expected));
}

// In DRAM only masks that show a difference there. Similar masks are in fill.cpp.
enum class sizes { l2, both };

inline void add_fill(const char* name, sizes which, const fill& by) {
    for (const size& s : {l2(), dram()}) {
        if (which == sizes::both || s.rows == l2().rows) {
            add("masked_fill/" + std::string(name) + "/" + s.name,
                [=](benchmark::State& state, const std::string& full_name) {
                    fill_by(state, full_name, s, by);
                });
        }
    }
}

// Functions of the inputs, without captures: the mask; whether (r, c) is kept, in the simplest way;
// and the condition of an xtensor user, or nothing().
template <class Mask, class Kept, class Condition>
void row(const char* name, sizes which, Mask, Kept kept, Condition) {
    fill by{nullptr, nullptr, kept};
    by.ours = [](const given& g, table& y) {
        xt::noalias(y) = xmask::masked_fill(g.x, Mask()(g), value);
    };
    if constexpr (!std::same_as<Condition, nothing>) {
        by.theirs = [](const given& g, table& y) {
            xt::noalias(y) = xt::where(Condition()(g), g.x, value);
        };
    }
    add_fill(name, which, by);
}
} // namespace masks

// With XTENSOR_USE_XSIMD, xt::where of a condition of integers is wrong beside floats
// (xtensor#2025).
#ifdef XTENSOR_USE_XSIMD
#define OF_INTEGERS(...) nothing()
#else
#define OF_INTEGERS(...) [](const given& g) { return __VA_ARGS__; }
#endif
// Functions of the inputs.
#define MASK(...) [](const given& g) { return xmask::__VA_ARGS__; }
#define KEPT(...)                                                                                  \
    []([[maybe_unused]] const given& g, [[maybe_unused]] std::size_t r,                            \
       [[maybe_unused]] std::size_t c) { return __VA_ARGS__; }
#define CONDITION(...) [](const given& g) { return __VA_ARGS__; }
} // namespace bench
