// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// How the time grows with the density, the rank, and the number of combined masks. All in L2, as a
// multiple of a copy.

#include "bench.hpp"

namespace bench {
namespace {
// ---- Density ------------------------------------------------------------------------------------------------

constexpr const char* density_table =
    "Cost against density: a copy, and the time over it at each share that is kept";

// Runs `work(source, y)` at every density, on operands of one size.
template <class Source, class Work>
void add_densities(const std::string& name, Work work) {
    add(name + "/densities/" + Source::name, [=](benchmark::State& state, const std::string& row) {
        auto& y = output(l2());
        std::vector<Source> sources;
        sources.reserve(std::size(densities));
        std::vector<point> points{{"copy", copy_of(operand(l2()), y)}};
        for (const double density : densities) {
            const Source& from = sources.emplace_back(l2(), density);
            points.push_back({percent(density), [&from, &y, work] { work(from, y); }});
        }
        compare_series(state, density_table, row, std::move(points));
    });
}

void register_densities() {
    const auto fill = [](const auto& from, table& y) {
        xt::noalias(y) = xmask::masked_fill(from.x, from.mask(), -1e9f);
    };
    add_densities<from_lengths>("masked_fill", fill);
    add_densities<from_bitmask>("masked_fill", fill);
    add_densities<from_threshold>("masked_fill", fill);
    add_densities<from_lengths>("masked_fill_inplace", [](const auto& from, table& y) {
        xmask::masked_fill_inplace(y, from.mask(), -1e9f);
    });
    add_densities<from_booleans>("masked_select", [](const auto& from, table& /*y*/) {
        benchmark::DoNotOptimize(xmask::masked_select(from.x, from.mask()).data());
    });
    add_densities<from_lengths>("masked_sum", [](const auto& from, table& /*y*/) {
        benchmark::DoNotOptimize(xmask::masked_sum(from.x, from.mask()));
    });
    add_densities<from_bitmask>("masked_sum", [](const auto& from, table& /*y*/) {
        benchmark::DoNotOptimize(xmask::masked_sum(from.x, from.mask()));
    });
    add_densities<from_lengths>("masked_mse", [](const auto& from, table& /*y*/) {
        benchmark::DoNotOptimize(xmask::masked_mse(from.x, operand(l2(), 2), from.mask()));
    });
    add_densities<from_lengths>("masked_softmax", [](const auto& from, table& y) {
        xt::noalias(y) = xmask::masked_softmax(from.x, from.mask());
    });
}

// ---- Rank ---------------------------------------------------------------------------------------------------

using shape = std::vector<std::size_t>;
using tensor = xt::xarray<float>;

const std::vector<shape>& shapes() {
    static const std::vector<shape> of_rank{
        {32768}, {64, 512}, {8, 8, 512}, {4, 4, 4, 512}, {2, 4, 2, 4, 512}
    };
    return of_rank;
}

// Masks of every rank, with the same elements.
struct of_rank {
    explicit of_rank(const shape& s)
        : x(tensor::from_shape(s))
        , y(xt::zeros<float>(s))
        , lengths(xt::xarray<int>::from_shape(shape(s.begin(), s.end() - 1)))
        , columns(some_columns({"", 1, s.back()}, 0.5))
        , bits(xmask::keep_all(s)) {
        std::copy(operand(l2()).begin(), operand(l2()).end(), x.begin());
        lengths.fill(static_cast<int>(s.back() / 2));
        bits = xmask::keep_at_least(x, 0.5f);
    }

    tensor x;
    tensor y;
    xt::xarray<int> lengths;
    std::vector<std::size_t> columns;
    xmask::bitmask bits;
};

using rank_work = void (*)(of_rank&);

void add_ranks(const char* name, rank_work work) {
    add(std::string("masked_fill/ranks/") + name,
        [=](benchmark::State& state, const std::string& row) {
            std::vector<of_rank> tensors;
            tensors.reserve(shapes().size());
            std::vector<point> points{{"copy", copy_of(operand(l2()), output(l2()))}};
            for (const shape& s : shapes()) {
                of_rank& t = tensors.emplace_back(s);
                points.push_back({"rank " + std::to_string(s.size()), [&t, work] { work(t); }});
            }
            compare_series(
                state, "Cost against rank: a copy, and the time over it of the same elements", row,
                std::move(points)
            );
        });
}

void register_ranks() {
    add_ranks("lengths", [](of_rank& t) {
        xt::noalias(t.y) =
            xmask::masked_fill(t.x, xmask::keep_lengths(t.lengths, t.x.shape().back()), -1e9f);
    });
    add_ranks("bitmask", [](of_rank& t) {
        xt::noalias(t.y) = xmask::masked_fill(t.x, t.bits, -1e9f);
    });
    add_ranks("threshold", [](of_rank& t) {
        xt::noalias(t.y) = xmask::masked_fill(t.x, xmask::keep_at_least(t.x, 0.5f), -1e9f);
    });
    add_ranks("one row for all", [](of_rank& t) {
        xt::noalias(t.y) =
            xmask::masked_fill(t.x, xmask::drop_indices(t.columns, t.x.shape().back()), -1e9f);
    });
}

// ---- Combined masks -----------------------------------------------------------------------------------------

// Six masks, the cheapest first.
struct six_masks {
    from_lengths lengths{l2(), 0.9};
    from_bitmask bits{l2(), 0.9};
    from_indices columns{l2(), 0.9};
    from_booleans booleans{l2(), 0.9};
    from_threshold threshold{l2(), 0.9};

    // The first N of them.
    template <std::size_t N>
    auto combined() const {
        if constexpr (N == 1) {
            return lengths.mask();
        } else if constexpr (N == 2) {
            return combined<1>() && xmask::keep_window(l2().rows, l2().columns, 32, l2().columns);
        } else if constexpr (N == 3) {
            return combined<2>() && bits.mask();
        } else if constexpr (N == 4) {
            return combined<3>() && columns.mask();
        } else if constexpr (N == 5) {
            return combined<4>() && booleans.mask();
        } else {
            return combined<5>() && threshold.mask();
        }
    }
};

template <std::size_t... N>
void combine(benchmark::State& state, const std::string& name, std::index_sequence<N...>) {
    const six_masks masks;
    const auto& x = operand(l2());
    auto& y = output(l2());
    std::vector<point> points{{"copy", copy_of(x, y)}};
    (points.push_back(
         {std::to_string(N + 1),
          [&] { xt::noalias(y) = xmask::masked_fill(x, masks.combined<N + 1>(), -1e9f); }}
     ),
     ...);
    compare_series(
        state, "Cost against combined masks: a copy, and the time over it of 1 to 6 masks, by &&",
        name, std::move(points)
    );
}

const family rows(part::shapes, [] {
    register_densities();
    register_ranks();
    add("masked_fill/1 to 6 masks", [](benchmark::State& state, const std::string& name) {
        combine(state, name, std::make_index_sequence<6>());
    });
});
} // namespace
} // namespace bench
