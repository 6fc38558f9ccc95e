// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks by size, medians and quantiles beside Highway's VQSelect, where it is found: the fastest
// selection that is known. VQSelect only moves the numbers of a copy around the chosen one; it gives
// no mask, and takes none. Without Highway a copy is the reference, as elsewhere.

#include "bench.hpp"

#ifdef BENCH_HIGHWAY
#include <hwy/contrib/sort/vqsort-inl.h>
#endif

namespace bench {
namespace {
enum class order { ascending, descending };

// Copies x to y, and selects the number of rank k of the first `count` of each part of y.
struct selection {
    std::size_t parts;
    std::size_t count;
    std::size_t k;
    order by;
};

void select_beside(
    benchmark::State& state, const std::string& name, const selection& s, const contender& ours,
    const answer_check& is_right
) {
    const table& x = operand(l2());
    static table moved(l2().shape(), 0.f);
    contenders all{.ours = ours, .reference = copy_of(x, moved)};
#ifdef BENCH_HIGHWAY
    all.reference_name = "VQSelect";
    all.reference = [&x, s] {
        namespace highway = hwy::HWY_NAMESPACE;
        copy<stores::plain>(x.data(), moved.data(), x.size());
        for (std::size_t part = 0; part < s.parts; ++part) {
            float* const first = moved.data() + part * (x.size() / s.parts);
            if (s.by == order::ascending) {
                highway::VQSelectStatic(first, s.count, s.k, hwy::SortAscending());
            } else {
                highway::VQSelectStatic(first, s.count, s.k, hwy::SortDescending());
            }
        }
    };
#else
    static_cast<void>(s);
#endif
    compare(state, name, std::move(all), is_right);
}

// The number of rank k of a part, by sorting.
float ranked(const float* first, std::size_t count, std::size_t k) {
    std::vector<float> sorted(first, first + count);
    std::sort(sorted.begin(), sorted.end());
    return sorted[k];
}

// No two numbers of the operand's rows are alike: what is kept is at least the smallest of these.
void fill_largest(benchmark::State& state, const std::string& name, const selection& s, auto mask) {
    const table& x = operand(l2());
    auto& y = output(l2());
    table expected = x;
    const std::size_t size = x.size() / s.parts;
    for (std::size_t part = 0; part < s.parts; ++part) {
        float* const first = expected.data() + part * size;
        const float least = ranked(first, size, size - s.k);
        std::replace_if(first, first + size, [=](float value) { return value < least; }, 0.f);
    }
    select_beside(
        state, name, s, [&] { xt::noalias(y) = xmask::masked_fill(x, mask(x), 0.f); },
        is(y, expected)
    );
}

void median(benchmark::State& state, const std::string& name, std::size_t count) {
    const table& x = operand(l2());
    const std::vector<std::size_t> lengths(l2().rows, count);
    const selection s{l2().rows, count, (count - 1) / 2, order::ascending};
    xt::xtensor<float, 1> medians({s.parts}, 0.f);
    xt::xtensor<float, 1> expected({s.parts}, 0.f);
    for (std::size_t r = 0; r < s.parts; ++r) {
        expected(r) = ranked(&x(r, 0), count, s.k);
    }
    select_beside(
        state, name, s,
        [&] { medians = xmask::masked_median(x, xmask::keep_lengths(lengths, l2().columns), 1); },
        is(medians, expected)
    );
}

void quantile(benchmark::State& state, const std::string& name) {
    const table& x = operand(l2());
    const auto k = static_cast<std::size_t>(0.9 * static_cast<double>(x.size() - 1));
    const auto low = static_cast<double>(ranked(x.data(), x.size(), k));
    double result = 0;
    select_beside(
        state, name, {1, x.size(), k, order::ascending},
        [&] {
            result =
                static_cast<double>(xmask::masked_quantile(x, xmask::keep_all(x.shape()), 0.9));
        },
        is_about(result, low, 1e-3)
    );
}

const family rows(part::masks, [] {
    add("keep_top_k, 64 a row, selected/L2", [](benchmark::State& state, const std::string& name) {
        const size& s = l2();
        fill_largest(state, name, {s.rows, s.columns, 64, order::descending}, [](const table& x) {
            return xmask::keep_top_k(x, 64);
        });
    });
    add("keep_largest, half, selected/L2", [](benchmark::State& state, const std::string& name) {
        fill_largest(
            state, name, {1, l2().elements(), l2().elements() / 2, order::descending},
            [](const table& x) { return xmask::keep_largest(x, 0.5); }
        );
    });
    for (const std::size_t count : {l2().columns, l2().columns / 2}) {
        add("masked_median, rows, selected/lengths " + std::to_string(count) + "/L2",
            [=](benchmark::State& state, const std::string& name) { median(state, name, count); });
    }
    add("masked_quantile, selected/L2", quantile);
});
} // namespace
} // namespace bench
