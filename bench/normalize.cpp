// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The softmax family, normalize and standardize, and their gradients.

#include "operations.hpp"

namespace bench {
using namespace operations;

namespace {
// The kept elements of x, minus infinity elsewhere, shifted by the largest.
table shifted(const table& x, const bool_table& ready) {
    const table kept = xt::where(ready, x, -infinity);
    const xt::xtensor<float, 1> top = xt::amax(kept, {1});
    return kept - column(top);
}

void softmax_with_xtensor(const table& x, const bool_table& ready, table& y) {
    const table exps = xt::exp(shifted(x, ready));
    const xt::xtensor<float, 1> sums = xt::sum(exps, {1});
    xt::noalias(y) = exps / column(sums);
}

void softmax_by_hand(const from_lengths& source, table& y) {
    for (std::size_t r = 0; r < y.shape(0); ++r) {
        by_hand_loops::softmax(&source.x(r, 0), &y(r, 0), y.shape(1), source.length(r));
    }
}

void softmax(benchmark::State& state, const std::string& name, const size& s, double density) {
    const from_lengths source(s, density);
    const auto& x = operand(s);
    auto& y = output(s);
    table expected(s.shape());
    softmax_with_xtensor(x, source.ready, expected);
    const auto right = [&] {
        const bool is_right = alike(y, expected);
        y.fill(0.f);
        return is_right;
    };
    compare(
        state, name,
        {
            .ours = [&] { xt::noalias(y) = xmask::masked_softmax(x, source.mask()); },
            .reference = copy_of(x, y),
            .xtensor = [&] { softmax_with_xtensor(x, source.ready, y); },
            .by_hand = [&] { softmax_by_hand(source, y); },
            .libtorch = with_libtorch::masked_softmax(x, source.ready, y),
        },
        right
    );
}

void add_softmax(const size& s, const std::vector<double>& densities) {
    for (const double density : densities) {
        add("masked_softmax" + tail("lengths", density, s),
            [=](benchmark::State& state, const std::string& name) {
                softmax(state, name, s, density);
            });
    }
}

const family rows(part::reduce, [] {
    for (const size& s : all_sizes()) {
        add_softmax(s, all_densities());
    }
    add_softmax(long_rows(), {0.5});
    const size s = l2();
    add_operation(
        "masked_softmax, bitmask/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_softmax(g.x, g.bits)),
        OPERATION(softmax_with_xtensor(g.x, g.ready, a.full))
    );
    add_operation(
        "masked_softmax of x / 8 + bias/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_softmax(0.125f * g.x + g.t, g.mask())),
        OPERATION(const table exps = xt::where(g.ready, xt::exp(0.125f * g.x + g.t), 0.f);
                  const xt::xtensor<float, 1> sums = xt::sum(exps, {1});
                  a.full = exps / column(sums))
    );
    add_operation(
        "masked_softmax down the columns/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_softmax(g.x, g.mask(), 0)),
        OPERATION(const table exps = xt::where(g.ready, xt::exp(g.x), 0.f);
                  const xt::xtensor<float, 1> sums = xt::maximum(xt::sum(exps, {0}), 1e-30f);
                  a.full = exps / sums)
    );
    add_operation(
        "masked_softmin/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_softmin(g.x, g.mask())),
        OPERATION(const table exps = xt::where(g.ready, xt::exp(-g.x), 0.f);
                  const xt::xtensor<float, 1> sums = xt::sum(exps, {1});
                  a.full = exps / column(sums))
    );
    add_operation(
        "masked_log_softmax/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_log_softmax(g.x, g.mask())),
        OPERATION(const table kept = shifted(g.x, g.ready);
                  const xt::xtensor<float, 1> sums = xt::sum(xt::exp(kept), {1});
                  a.full = kept - column(xt::log(sums)))
    );
    // The gradients get x in place of the result of softmax, at the same cost.
    add_operation(
        "masked_softmax_gradient/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_softmax_gradient(g.x, g.mask(), g.t)),
        OPERATION(const xt::xtensor<float, 1> sums =
                      xt::sum(xt::where(g.ready, g.x * g.t, 0.f), {1});
                  a.full = xt::where(g.ready, g.x * (g.t - column(sums)), 0.f))
    );
    add_operation(
        "masked_log_softmax_gradient/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_log_softmax_gradient(-g.x, g.mask(), g.t)),
        OPERATION(const xt::xtensor<float, 1> sums = xt::sum(xt::where(g.ready, g.t, 0.f), {1});
                  a.full = xt::where(g.ready, g.t - xt::exp(-g.x) * column(sums), 0.f))
    );
    add_operation(
        "masked_normalize/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_normalize(g.x, g.mask())),
        OPERATION(const table kept = xt::where(g.ready, g.x, 0.f);
                  const xt::xtensor<float, 1> norms =
                      xt::maximum(xt::sqrt(xt::sum(kept * kept, {1})), 1e-12f);
                  a.full = kept / column(norms))
    );
    add_operation(
        "masked_normalize_gradient/lengths/50%", s,
        OPERATION(xt::noalias(a.full) = xmask::masked_normalize_gradient(g.x, g.mask(), g.t)),
        OPERATION(const table kept = xt::where(g.ready, g.x, 0.f);
                  const xt::xtensor<float, 1> norms =
                      xt::maximum(xt::sqrt(xt::sum(kept * kept, {1})), 1e-12f);
                  const table y = kept / column(norms);
                  const xt::xtensor<float, 1> sums = xt::sum(y * g.t, {1});
                  a.full = xt::where(g.ready, (g.t - y * column(sums)) / column(norms), 0.f))
    );
    add_operation(
        "masked_standardize, rows/lengths/50%", s,
        OPERATION(a.full = xmask::masked_standardize(g.x, g.mask(), 1)),
        OPERATION(const table kept = xt::where(g.ready, g.x, 0.f);
                  const xt::xtensor<float, 1> counts =
                      xt::maximum(xt::sum(xt::cast<float>(g.ready), {1}), 1.f);
                  const xt::xtensor<float, 1> means = xt::sum(kept, {1}) / counts;
                  const table off = xt::where(g.ready, g.x - column(means), 0.f);
                  const xt::xtensor<float, 1> roots =
                      xt::sqrt(xt::sum(off * off, {1}) / counts + 1e-5f);
                  a.full = off / column(roots))
    );
});
} // namespace
} // namespace bench
