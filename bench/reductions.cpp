// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Reductions of everything and along axes, and pooling of tokens. Sums of everything are with the
// losses.

#include "operations.hpp"

#if __has_include(<xtensor/misc/xsort.hpp>)
#include <xtensor/misc/xsort.hpp>
#include <xtensor/views/xindex_view.hpp>
#else
#include <xtensor/xindex_view.hpp>
#include <xtensor/xsort.hpp>
#endif

namespace bench {
using namespace operations;

namespace {
double variance(const given& g) {
    const double count = xt::sum<double>(g.ready)();
    const double mean = xt::sum<double>(xt::where(g.ready, g.x, 0.f))() / count;
    const auto off = static_cast<float>(mean);
    return xt::sum<double>(xt::where(g.ready, (g.x - off) * (g.x - off), 0.f))() / (count - 1);
}

void register_over_all(const size& s) {
    add_operation(
        "masked_mean/lengths/50%", s, OPERATION(a.number = xmask::masked_mean(g.x, g.mask())),
        OPERATION(
            a.number = xt::sum<double>(xt::where(g.ready, g.x, 0.f))() / xt::sum<double>(g.ready)()
        )
    );
    add_operation(
        "masked_prod/lengths/50%", s, OPERATION(a.number = xmask::masked_prod(g.x, g.mask())),
        OPERATION(a.number = xt::prod(xt::where(g.ready, g.x, 1.f))())
    );
    add_operation(
        "masked_max/lengths/50%", s, OPERATION(a.number = xmask::masked_max(g.x, g.mask())),
        OPERATION(a.number = xt::amax(xt::where(g.ready, g.x, -infinity))())
    );
    add_operation(
        "masked_max/bitmask/50%", s, OPERATION(a.number = xmask::masked_max(g.x, g.bits)),
        OPERATION(a.number = xt::amax(xt::where(g.ready, g.x, -infinity))())
    );
    add_operation(
        "masked_argmin/lengths/50%", s,
        OPERATION(a.number = static_cast<double>(xmask::masked_argmin(g.x, g.mask()))),
        OPERATION(const table kept = xt::where(g.ready, g.x, infinity);
                  a.number = static_cast<double>(xt::argmin(kept)()))
    );
    add_operation(
        "masked_std/lengths/50%", s, OPERATION(a.number = xmask::masked_std(g.x, g.mask())),
        OPERATION(a.number = std::sqrt(variance(g)))
    );
    add_operation(
        "masked_norm/bitmask/50%", s, OPERATION(a.number = xmask::masked_norm(g.x, g.bits)),
        OPERATION(a.number = std::sqrt(xt::sum<double>(xt::where(g.ready, g.x * g.x, 0.f))()))
    );
    add_operation(
        "masked_logsumexp/bitmask/50%", s,
        OPERATION(a.number = xmask::masked_logsumexp(g.x, g.bits)),
        OPERATION(a.number = std::log(xt::sum<double>(xt::where(g.ready, xt::exp(g.x), 0.f))()))
    );
    add_operation(
        "masked_quantile/lengths/50%", s,
        OPERATION(a.number = xmask::masked_quantile(g.x, g.mask(), 0.9)),
        OPERATION(const xt::xarray<float> kept = xt::filter(g.x, g.ready);
                  a.number = xt::quantile(kept, xt::xtensor<double, 1>{0.9})(0))
    );
    add_operation(
        "masked_all/lengths/50%", s,
        OPERATION(a.number = xmask::masked_all(g.t - g.x + 2.f, g.mask())),
        OPERATION(a.number = xt::all(!g.ready || xt::not_equal(g.t - g.x + 2.f, 0.f)))
    );
}

void register_along_axes(const size& s) {
    add_operation(
        "masked_sum, rows/lengths/50%", s,
        OPERATION(a.reduced = xmask::masked_sum(g.x, g.mask(), 1)),
        OPERATION(a.reduced = xt::sum(xt::where(g.ready, g.x, 0.f), {1}))
    );
    add_operation(
        "masked_sum, columns/lengths/50%", s,
        OPERATION(a.reduced = xmask::masked_sum(g.x, g.mask(), 0)),
        OPERATION(a.reduced = xt::sum(xt::where(g.ready, g.x, 0.f), {0}))
    );
    add_operation(
        "masked_max, rows/lengths/50%", s,
        OPERATION(a.reduced = xmask::masked_max(g.x, g.mask(), 1)),
        OPERATION(a.reduced = xt::amax(xt::where(g.ready, g.x, -infinity), {1}))
    );
    add_operation(
        "masked_argmax, rows/lengths/50%", s,
        OPERATION(a.reduced = xmask::masked_argmax(g.x, g.mask(), 1, xmask::when_empty::zero)),
        OPERATION(const xt::xarray<float> kept = xt::where(g.ready, g.x, -infinity);
                  a.reduced = xt::argmax(kept, 1))
    );
    add_operation(
        "masked_var, rows/lengths/50%", s,
        OPERATION(
            a.reduced = xmask::masked_var(
                g.x, g.mask(), 1, {.correction = 0, .empty = xmask::when_empty::zero}
            )
        ),
        OPERATION(const xt::xtensor<float, 1> counts =
                      xt::maximum(xt::sum(xt::cast<float>(g.ready), {1}), 1.f);
                  const xt::xtensor<float, 1> means =
                      xt::sum(xt::where(g.ready, g.x, 0.f), {1}) / counts;
                  const table off = xt::where(g.ready, g.x - column(means), 0.f);
                  a.reduced = xt::sum(off * off, {1}) / counts)
    );
    add_operation(
        "masked_median, rows/lengths/50%", s,
        OPERATION(a.reduced = xmask::masked_median(g.x, g.mask(), 1, xmask::when_empty::zero)),
        OPERATION(a.reduced = xt::zeros<float>({g.x.shape(0)}); for (std::size_t r = 0;
                                                                     r < g.x.shape(0); ++r) {
            xt::xtensor<float, 1> kept = xt::filter(xt::row(g.x, int(r)), xt::row(g.ready, int(r)));
            std::sort(kept.begin(), kept.end());
            a.reduced(r) = kept.size() == 0 ? 0.f : kept((kept.size() - 1) / 2);
        })
    );
    add_operation(
        "masked_cumsum, rows/lengths/50%", s,
        OPERATION(a.full = xmask::masked_cumsum(g.x, g.mask(), 1)),
        OPERATION(a.full = xt::cumsum(xt::where(g.ready, g.x, 0.f), 1))
    );
    add_operation(
        "masked_cumprod, rows/lengths/50%", s,
        OPERATION(a.full = xmask::masked_cumprod(g.x + 0.5f, g.mask(), 1)),
        OPERATION(a.full = xt::cumprod(xt::where(g.ready, g.x + 0.5f, 1.f), 1))
    );
}

void register_gradients(const size& s) {
    add_operation(
        "masked_mean_gradient/lengths/50%", s,
        OPERATION(a.full = xmask::masked_mean_gradient(g.x, g.mask())),
        OPERATION(const auto share = static_cast<float>(1 / xt::sum<double>(g.ready)());
                  a.full = xt::where(g.ready, share, 0.f))
    );
    add_operation(
        "masked_logsumexp_gradient/lengths/50%", s,
        OPERATION(a.full = xmask::masked_logsumexp_gradient(g.x, g.mask())),
        OPERATION(const table exps = xt::where(g.ready, xt::exp(g.x), 0.f);
                  a.full = exps / static_cast<float>(xt::sum<double>(exps)()))
    );
    add_operation(
        "masked_max_gradient/lengths/50%", s,
        OPERATION(a.full = xmask::masked_max_gradient(g.x, g.mask())),
        OPERATION(const table kept = xt::where(g.ready, g.x, -infinity);
                  a.full = xt::zeros<float>(g.x.shape()); a.full.flat(xt::argmax(kept)()) = 1.f)
    );
}

// The pooled tensor: (batch, tokens, features), by lengths.
struct pooled {
    static constexpr std::size_t batch = 16;
    static constexpr std::size_t tokens = 128;
    static constexpr std::size_t features = 256;

    pooled()
        : x({batch, tokens, features}, 0.f), lengths({batch}, 0), weights({batch, tokens, 1}, 0.f) {
        const size flat{"", batch * tokens, features};
        std::copy(operand(flat).begin(), operand(flat).end(), x.begin());
        for (std::size_t b = 0; b < batch; ++b) {
            lengths(b) = tokens * (b + 1) / (batch + 1);
            std::fill_n(&weights(b, 0, 0), lengths(b), 1.f);
        }
    }

    auto mask() const { return xmask::keep_lengths(lengths, tokens); }

    xt::xtensor<float, 3> x;
    xt::xtensor<std::size_t, 1> lengths;
    xt::xtensor<float, 3> weights;
};

using pooling = void (*)(const pooled&, table&);

void add_pooling(const char* what, pooling ours, pooling theirs) {
    add(std::string(what) + "/lengths/16 x 128 x 256",
        [=](benchmark::State& state, const std::string& name) {
            const pooled p;
            xt::xtensor<float, 3> copied = p.x;
            table expected;
            theirs(p, expected);
            table y;
            const auto right = [&] {
                const bool is_right = alike(y, expected);
                y = {};
                return is_right;
            };
            contenders all{
                .ours = [&] { ours(p, y); },
                .reference = copy_of(p.x, copied),
                .xtensor = [&] { theirs(p, y); }
            };
            compare(state, name, std::move(all), right);
        });
}

void register_pooling() {
    add_pooling(
        "masked_mean_pool",
        [](const pooled& p, auto& y) { y = xmask::masked_mean_pool(p.x, p.mask()); },
        [](const pooled& p, auto& y) {
            y = xt::sum(p.x * p.weights, {1}) / xt::sum(p.weights, {1});
        }
    );
    add_pooling(
        "masked_max_pool",
        [](const pooled& p, auto& y) { y = xmask::masked_max_pool(p.x, p.mask()); },
        [](const pooled& p, auto& y) { y = xt::amax(p.x + (p.weights - 1.f) * 1e9f, {1}); }
    );
    add_pooling(
        "masked_last_token",
        [](const pooled& p, auto& y) { y = xmask::masked_last_token(p.x, p.mask()); },
        [](const pooled& p, auto& y) {
            y.resize({pooled::batch, pooled::features});
            for (std::size_t b = 0; b < pooled::batch; ++b) {
                xt::view(y, b, xt::all()) = xt::view(p.x, b, p.lengths(b) - 1, xt::all());
            }
        }
    );
}

const family rows(part::reduce, [] {
    register_over_all(l2());
    register_along_axes(l2());
    register_gradients(l2());
    register_pooling();
});
} // namespace
} // namespace bench
