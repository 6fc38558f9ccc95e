// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Random masks, and random tokens.

#include "masks.hpp"

#if __has_include(<xtensor/generators/xrandom.hpp>)
#include <xtensor/generators/xrandom.hpp>
#else
#include <xtensor/xrandom.hpp>
#endif

namespace bench {
using namespace masks;

namespace {
// The only other way to know a random mask is element by element.
template <class Mask>
void random_row(const char* name, Mask mask) {
    row(name, sizes::l2, mask, KEPT(Mask()(g)(r, c)), nothing());
}

// xtensor draws other numbers, so that answers are only approximately equal.
void fill_randomly(benchmark::State& state, const std::string& name, const size& s) {
    const auto& x = operand(s);
    auto& y = output(s);
    const auto right = [&] {
        const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), value));
        y.fill(0.f);
        return std::abs(dropped / static_cast<double>(x.size()) - 0.1) < 0.01;
    };
    compare(
        state, name,
        {
            .ours =
                [&] {
                    xt::noalias(y) =
                        xmask::masked_fill(x, xmask::keep_random(s.shape(), 0.9, 42), value);
                },
            .reference = copy_of(x, y),
            .xtensor =
                [&] {
                    xt::noalias(y) = xt::where(xt::random::rand<float>(s.shape()) < 0.9f, x, value);
                },
        },
        right
    );
}

void draw_tokens(benchmark::State& state, const std::string& name, const size& s) {
    xt::xtensor<int, 2> tokens(s.shape(), -1);
    xt::xtensor<int, 2> copied(s.shape(), 0);
    const auto right = [&] {
        const bool is_right =
            std::all_of(tokens.begin(), tokens.end(), [](int id) { return id >= 0 && id < 30522; });
        tokens.fill(-1);
        return is_right;
    };
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(tokens) = xmask::random_tokens<int>(s.shape(), 30522, 42); },
            .reference = copy_of(tokens, copied),
            .xtensor = [&] { xt::noalias(tokens) = xt::random::randint<int>(s.shape(), 0, 30522); },
        },
        right
    );
}

const family rows(part::masks, [] {
    for (const size& s : {l2(), dram()}) {
        add("masked_fill/keep_random, 90%/" + std::string(s.name),
            [=](benchmark::State& state, const std::string& name) { fill_randomly(state, name, s); }
        );
    }
    random_row("keep_random_k, 64 a row", MASK(keep_random_k(g.shape(), 64, 42)));
    random_row("keep_random_fraction, half", MASK(keep_random_fraction(g.shape(), 0.5, 42)));
    random_row("keep_spans, half in spans of 10", [](const given& g) {
        return xmask::keep_spans(g.shape(), {.fraction = 0.5, .length = 10}, 42);
    });
    random_row("keep_spans, within lengths", [](const given& g) {
        return xmask::keep_spans(g.lengths, g.columns, {.fraction = 0.5, .length = 10}, 42);
    });
    random_row("keep_patches, half of 16 x 16", MASK(keep_patches(g.shape(), 16, 16, 0.5, 42)));
    random_row("keep_blocks, 4 of 32 x 64", [](const given& g) {
        return xmask::keep_blocks(g.shape(), {.count = 4, .height = 32, .width = 64}, 42);
    });
    random_row("language_model_masks, 15%", [](const given& g) {
        return xmask::language_model_masks(xmask::keep_lengths(g.lengths, g.columns), {}, 42)
            .selected;
    });
    add("random_tokens/L2",
        [](benchmark::State& state, const std::string& name) { draw_tokens(state, name, l2()); });
});
} // namespace
} // namespace bench
