// Lazy operands: computed in the same pass, where they are kept.

#include "bench.hpp"

namespace bench {
namespace {
constexpr float value = -1e9f;

// A fused multiplication and addition rounds once.
answer_check is_near(table& y, table expected) {
    return [&y, expected = std::move(expected)] {
        const auto near = [](float a, float b) {
            return close(static_cast<double>(a), static_cast<double>(b));
        };
        const bool right = std::equal(y.begin(), y.end(), expected.begin(), near);
        y.fill(0.f);
        return right;
    };
}

void fill_lazy(benchmark::State& state, const std::string& name, const size& s) {
    const from_lengths source(s, 0.5);
    const auto& x = operand(s);
    auto& y = output(s);
    table expected(s.shape());
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected.storage()[i] = source.ready.storage()[i] ? 2.f * x.storage()[i] + 1.f : value;
    }
    const auto by_hand = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            const float* from = &x(r, 0);
            by_hand_loops::fill_by_length(
                &y(r, 0), s.columns, source.length(r), value,
                [=](std::size_t i) { return 2.f * by_hand_loops::load(from + i) + 1.f; },
                [=](std::size_t i) { return 2.f * from[i] + 1.f; }
            );
        }
    };
    compare(
        state, name,
        {
            .ours =
                [&] { xt::noalias(y) = xmask::masked_fill(2.f * x + 1.f, source.mask(), value); },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = xt::where(source.ready, 2.f * x + 1.f, value); },
            .by_hand = by_hand,
        },
        is_near(y, expected)
    );
}

// A masked tensor inside a larger expression.
void inside(benchmark::State& state, const std::string& name, const size& s) {
    const from_lengths source(s, 0.5);
    const auto& x = operand(s);
    const auto& t = operand(s, 2);
    auto& y = output(s);
    table expected = t;
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected.storage()[i] += source.ready.storage()[i] ? x.storage()[i] : 0.f;
    }
    const auto by_hand = [&] {
        for (std::size_t r = 0; r < s.rows; ++r) {
            by_hand_loops::add_first(&x(r, 0), &t(r, 0), &y(r, 0), s.columns, source.length(r));
        }
    };
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::multiply(x, source.mask()) + t; },
            .reference = copy_of(x, y),
            .xtensor = [&] { xt::noalias(y) = xt::where(source.ready, x, 0.f) + t; },
            .by_hand = by_hand,
        },
        is(y, expected)
    );
}

const family rows(part::apply, [] {
    for (const size& s : {l2(), dram()}) {
        add(std::string("masked_fill of 2 * x + 1/lengths/50%/") + s.name,
            [=](benchmark::State& state, const std::string& name) { fill_lazy(state, name, s); });
        add(std::string("multiply(x, m) + t/lengths/50%/") + s.name,
            [=](benchmark::State& state, const std::string& name) { inside(state, name, s); });
    }
});
} // namespace
} // namespace bench
