// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks of ranges, of runs, of points and of columns.

#include "masks.hpp"

namespace bench {
using namespace masks;

namespace {
const family rows(part::masks, [] {
    row("keep_last", sizes::l2, MASK(keep_last(g.lengths, g.columns)),
        KEPT(c >= g.columns - static_cast<std::size_t>(g.lengths(r))),
        OF_INTEGERS(
            g.j >= static_cast<int>(g.columns) - xt::view(g.lengths, xt::all(), xt::newaxis())
        ));
    row("keep_ranges", sizes::both, MASK(keep_ranges(g.begin, g.end, g.columns)),
        KEPT(std::cmp_greater_equal(c, g.begin(r)) && std::cmp_less(c, g.end(r))),
        OF_INTEGERS(
            g.j >= xt::view(g.begin, xt::all(), xt::newaxis()) &&
            g.j < xt::view(g.end, xt::all(), xt::newaxis())
        ));
    row("keep_packed", sizes::l2, MASK(keep_packed(g.cumulative, g.columns)),
        KEPT(std::cmp_less(c, g.lengths(r))),
        OF_INTEGERS(g.j < xt::view(g.lengths, xt::all(), xt::newaxis())));
    row("keep_points, 2 a row", sizes::both, MASK(keep_points(g.points, g.shape())),
        KEPT(g.listed(r, c)), nothing());
    row("drop_points, 2 a row", sizes::l2, MASK(drop_points(g.points, g.shape())),
        KEPT(!g.listed(r, c)), nothing());
    row(
        "keep_indices, every 8th", sizes::l2,
        [](const given& g) {
            std::vector<std::size_t> every(g.columns / 8);
            for (std::size_t k = 0; k < every.size(); ++k) {
                every[k] = 8 * k;
            }
            return xmask::keep_indices(every, g.shape());
        },
        KEPT(c % 8 == 0), OF_INTEGERS(xt::equal(g.j % 8, 0))
    );
    row("keep_run_lengths", sizes::l2, MASK(keep_run_lengths(g.runs, g.shape())),
        KEPT(std::cmp_less(c, g.lengths(r))), nothing());
});
} // namespace
} // namespace bench
