// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks of queries and keys.

#include "masks.hpp"

namespace bench {
using namespace masks;

namespace {
const family rows(part::masks, [] {
    row("keep_causal", sizes::both, MASK(keep_causal(g.rows, g.columns)), KEPT(c <= r),
        OF_INTEGERS(g.j <= g.i));
    row("keep_causal_bottom_right", sizes::l2, MASK(keep_causal_bottom_right(g.rows, g.columns)),
        KEPT(c + g.rows <= r + g.columns),
        OF_INTEGERS(g.j <= g.i + static_cast<int>(g.columns - g.rows)));
    row("keep_window, 128 before", sizes::both, MASK(keep_window(g.rows, g.columns, 128, 0)),
        KEPT(c <= r && c + 128 >= r), OF_INTEGERS(g.j <= g.i && g.j >= g.i - 128));
    row("keep_prefix, of 128", sizes::l2, MASK(keep_prefix(g.rows, g.columns, 128)),
        KEPT(c <= r || c < 128), OF_INTEGERS(g.j <= g.i || g.j < 128));
    row("keep_same_segment, 10 segments", sizes::both,
        MASK(keep_same_segment(g.row_segments, g.column_segments)),
        KEPT(g.row_segments(r) == g.column_segments(c)),
        OF_INTEGERS(xt::equal(xt::view(g.row_segments, xt::all(), xt::newaxis()), g.column_segments)
        ));
    row("keep_chunked, of 256", sizes::l2, MASK(keep_chunked(g.rows, g.columns, 256)),
        KEPT(c <= r && c / 256 == r / 256),
        OF_INTEGERS(g.j <= g.i && xt::equal(g.j / 256, g.i / 256)));
    row("keep_dilated, 64 every 4th", sizes::l2, MASK(keep_dilated(g.rows, g.columns, 64, 4)),
        KEPT(c <= r && (r - c) % 4 == 0 && r - c <= 256),
        OF_INTEGERS(g.j <= g.i && xt::equal((g.i - g.j) % 4, 0) && g.i - g.j <= 256));
    row("keep_if, a checkerboard", sizes::l2,
        MASK(keep_if(g.shape(), [](std::size_t r, std::size_t c) { return (r + c) % 2 == 0; })),
        KEPT((r + c) % 2 == 0), OF_INTEGERS(xt::equal((g.i + g.j) % 2, 0)));
});
} // namespace
} // namespace bench
