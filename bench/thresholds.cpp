// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks from comparisons.

#include "masks.hpp"

namespace bench {
using namespace masks;

namespace {
const family rows(part::masks, [] {
    row("keep_above", sizes::both, MASK(keep_above(g.x, 0.5f)), KEPT(g.x(r, c) > 0.5f),
        CONDITION(g.x > 0.5f));
    row("keep_above a tensor", sizes::both, MASK(keep_above(g.x, g.y)), KEPT(g.x(r, c) > g.y(r, c)),
        CONDITION(g.x > g.y));
    row("keep_below", sizes::l2, MASK(keep_below(g.x, 0.5f)), KEPT(g.x(r, c) < 0.5f),
        CONDITION(g.x < 0.5f));
    row("keep_at_most", sizes::l2, MASK(keep_at_most(g.x, 0.5f)), KEPT(g.x(r, c) <= 0.5f),
        CONDITION(g.x <= 0.5f));
    row("keep_equal", sizes::l2, MASK(keep_equal(g.x, 0.5f)), KEPT(g.x(r, c) == 0.5f),
        CONDITION(xt::equal(g.x, 0.5f)));
    row("keep_not_equal", sizes::l2, MASK(keep_not_equal(g.x, 0.5f)), KEPT(g.x(r, c) != 0.5f),
        CONDITION(xt::not_equal(g.x, 0.5f)));
    row("keep_between", sizes::l2, MASK(keep_between(g.x, 0.25f, 0.75f)),
        KEPT(g.x(r, c) >= 0.25f && g.x(r, c) <= 0.75f), CONDITION(g.x >= 0.25f && g.x <= 0.75f));
    row("keep_outside", sizes::l2, MASK(keep_outside(g.x, 0.25f, 0.75f)),
        KEPT(g.x(r, c) < 0.25f || g.x(r, c) > 0.75f), CONDITION(g.x < 0.25f || g.x > 0.75f));
    row("keep_magnitude_above", sizes::l2, MASK(keep_magnitude_above(g.x, 0.5f)),
        KEPT(std::abs(g.x(r, c)) > 0.5f), CONDITION(xt::abs(g.x) > 0.5f));
    row("keep_close_to", sizes::l2, MASK(keep_close_to(g.x, 0.5f, 0.25f)),
        KEPT(std::abs(g.x(r, c) - 0.5f) <= 0.25f), CONDITION(xt::abs(g.x - 0.5f) <= 0.25f));
    row("keep_finite", sizes::l2, MASK(keep_finite(g.x)), KEPT(std::isfinite(g.x(r, c))),
        CONDITION(xt::isfinite(g.x)));
    row("keep_not_nan", sizes::l2, MASK(keep_not_nan(g.x)), KEPT(!std::isnan(g.x(r, c))),
        CONDITION(!xt::isnan(g.x)));
});
} // namespace
} // namespace bench
