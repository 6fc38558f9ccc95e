// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks of masks.

#include "masks.hpp"

namespace bench {
using namespace masks;

namespace {
const family rows(part::masks, [] {
    row("keep_all", sizes::l2, MASK(keep_all(g.shape())), KEPT(true), nothing());
    row("keep_none", sizes::l2, MASK(keep_none(g.shape())), KEPT(false), nothing());
    row("drop_where", sizes::l2, MASK(drop_where(g.listed)), KEPT(!g.listed(r, c)),
        CONDITION(!g.listed));
    row(
        "!, of keep_points", sizes::l2,
        [](const given& g) { return !xmask::keep_points(g.points, g.shape()); },
        KEPT(!g.listed(r, c)), nothing()
    );
    row(
        "||, of keep_causal and keep_lengths", sizes::both,
        [](const given& g) {
            return xmask::keep_causal(g.rows, g.columns) ||
                   xmask::keep_lengths(g.lengths, g.columns);
        },
        KEPT(c <= r || std::cmp_less(c, g.lengths(r))),
        OF_INTEGERS(g.j <= g.i || g.j < xt::view(g.lengths, xt::all(), xt::newaxis()))
    );
    row(
        "^, of keep_causal and keep_lengths", sizes::l2,
        [](const given& g) {
            return xmask::keep_causal(g.rows, g.columns) ^
                   xmask::keep_lengths(g.lengths, g.columns);
        },
        KEPT((c <= r) != std::cmp_less(c, g.lengths(r))),
        OF_INTEGERS(xt::not_equal(g.j <= g.i, g.j < xt::view(g.lengths, xt::all(), xt::newaxis())))
    );
    row(
        "shift, of keep_lengths", sizes::l2,
        [](const given& g) { return xmask::shift(xmask::keep_lengths(g.lengths, g.columns), 1); },
        KEPT(c != 0 && std::cmp_less(c - 1, g.lengths(r))),
        OF_INTEGERS(g.j > 0 && g.j <= xt::view(g.lengths, xt::all(), xt::newaxis()))
    );
    row(
        "unsqueeze, of one row for all", sizes::l2,
        [](const given& g) {
            return xmask::unsqueeze(xmask::keep_indices({1, 3, 5}, g.columns), 0);
        },
        KEPT(c == 1 || c == 3 || c == 5), nothing()
    );
    row(
        "mask_slice, of keep_causal", sizes::l2,
        [](const given& g) {
            return xmask::mask_slice(
                xmask::keep_causal(2 * g.rows, g.columns), 0, g.rows, 2 * g.rows
            );
        },
        KEPT(c <= r + g.rows), OF_INTEGERS(g.j <= g.i + static_cast<int>(g.rows))
    );
});
} // namespace
} // namespace bench
