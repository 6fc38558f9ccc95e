// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// The softmax family, normalize and standardize, and their gradients.

#include "operations.hpp"

namespace bench
{
    using namespace operations;

    namespace
    {
        // What is kept of x, minus infinity elsewhere, shifted by the largest.
        xt::xtensor<float, 2> shifted(const given& g)
        {
            const xt::xtensor<float, 2> kept = xt::where(g.ready, g.x, -infinity);
            const xt::xtensor<float, 1> top = xt::amax(kept, {1});
            return kept - column(top);
        }

        void softmax(const given& g, answer& a)
        {
            const xt::xtensor<float, 2> exps = xt::exp(shifted(g));
            const xt::xtensor<float, 1> sums = xt::sum(exps, {1});
            a.full = exps / column(sums);
        }

        // Rows that keep nothing would be NaN.
        void without_empty_rows(const given& g, answer& a)
        {
            for (std::size_t r = 0; r < g.x.shape(0); ++r)
            {
                if (g.source.lengths(r) == 0)
                {
                    xt::view(a.full, r, xt::all()) = 0.f;
                }
            }
        }
    }

    void register_normalize()
    {
        for (const size& s : {l2(), long_rows(), dram()})
        {
            add_operation("masked_softmax/lengths/50%", s, OPERATION(xt::noalias(a.full) = xmask::masked_softmax(g.x, g.mask())),
                          OPERATION(softmax(g, a); without_empty_rows(g, a)));
        }
        const size s = l2();
        add_operation("masked_softmax, bitmask/50%", s, OPERATION(xt::noalias(a.full) = xmask::masked_softmax(g.x, g.bits)),
                      OPERATION(softmax(g, a); without_empty_rows(g, a)));
        add_operation("masked_softmax of x / 8 + bias/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_softmax(0.125f * g.x + g.t, g.mask())),
                      OPERATION(const xt::xtensor<float, 2> exps = xt::where(g.ready, xt::exp(0.125f * g.x + g.t), 0.f);
                                const xt::xtensor<float, 1> sums = xt::sum(exps, {1}); a.full = exps / column(sums);
                                without_empty_rows(g, a)));
        add_operation("masked_softmax down the columns/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_softmax(g.x, g.mask(), 0)),
                      OPERATION(const xt::xtensor<float, 2> exps = xt::where(g.ready, xt::exp(g.x), 0.f);
                                const xt::xtensor<float, 1> sums = xt::maximum(xt::sum(exps, {0}), 1e-30f); a.full = exps / sums));
        add_operation("masked_softmin/lengths/50%", s, OPERATION(xt::noalias(a.full) = xmask::masked_softmin(g.x, g.mask())),
                      OPERATION(const xt::xtensor<float, 2> exps = xt::where(g.ready, xt::exp(-g.x), 0.f);
                                const xt::xtensor<float, 1> sums = xt::sum(exps, {1}); a.full = exps / column(sums);
                                without_empty_rows(g, a)));
        add_operation("masked_log_softmax/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_log_softmax(g.x, g.mask())),
                      OPERATION(const xt::xtensor<float, 2> kept = shifted(g);
                                const xt::xtensor<float, 1> sums = xt::sum(xt::exp(kept), {1}); a.full = kept - column(xt::log(sums))));
        // The gradients are given x for softmax's result, which costs the same.
        add_operation("masked_softmax_gradient/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_softmax_gradient(g.x, g.t, g.mask())),
                      OPERATION(const xt::xtensor<float, 1> sums = xt::sum(xt::where(g.ready, g.x * g.t, 0.f), {1});
                                a.full = xt::where(g.ready, g.x * (g.t - column(sums)), 0.f)));
        add_operation("masked_log_softmax_gradient/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_log_softmax_gradient(-g.x, g.t, g.mask())),
                      OPERATION(const xt::xtensor<float, 1> sums = xt::sum(xt::where(g.ready, g.t, 0.f), {1});
                                a.full = xt::where(g.ready, g.t - xt::exp(-g.x) * column(sums), 0.f)));
        add_operation("masked_normalize/lengths/50%", s, OPERATION(xt::noalias(a.full) = xmask::masked_normalize(g.x, g.mask())),
                      OPERATION(const xt::xtensor<float, 2> kept = xt::where(g.ready, g.x, 0.f);
                                const xt::xtensor<float, 1> norms = xt::maximum(xt::sqrt(xt::sum(kept * kept, {1})), 1e-12f);
                                a.full = kept / column(norms)));
        add_operation("masked_normalize_gradient/lengths/50%", s,
                      OPERATION(xt::noalias(a.full) = xmask::masked_normalize_gradient(g.x, g.t, g.mask())),
                      OPERATION(const xt::xtensor<float, 2> kept = xt::where(g.ready, g.x, 0.f);
                                const xt::xtensor<float, 1> norms = xt::maximum(xt::sqrt(xt::sum(kept * kept, {1})), 1e-12f);
                                const xt::xtensor<float, 2> y = kept / column(norms);
                                const xt::xtensor<float, 1> sums = xt::sum(y * g.t, {1});
                                a.full = xt::where(g.ready, (g.t - y * column(sums)) / column(norms), 0.f)));
        add_operation("masked_standardize, rows/lengths/50%", s, OPERATION(a.full = xmask::masked_standardize(g.x, g.mask(), 1)),
                      OPERATION(const xt::xtensor<float, 2> kept = xt::where(g.ready, g.x, 0.f);
                                const xt::xtensor<float, 1> counts = xt::maximum(xt::sum(xt::cast<float>(g.ready), {1}), 1.f);
                                const xt::xtensor<float, 1> means = xt::sum(kept, {1}) / counts;
                                const xt::xtensor<float, 2> off = xt::where(g.ready, g.x - column(means), 0.f);
                                const xt::xtensor<float, 1> roots = xt::sqrt(xt::sum(off * off, {1}) / counts + 1e-5f);
                                a.full = off / column(roots)));
    }
}
