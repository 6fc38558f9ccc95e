// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks by size and by marker ids.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <vector>

#include "masks.hpp"

namespace bench {
using namespace masks;

namespace {
// Whether fewer than `most` of the others come before x(r, c), by size and then by place. The
// others are given by row and column, in order.
template <class F>
bool among_largest(
    const given& g, std::size_t r, std::size_t c, std::size_t begin, std::size_t end,
    std::size_t most, F&& at
) {
    std::size_t before = 0;
    bool later = false;
    for (std::size_t k = begin; k < end; ++k) {
        const auto [row, column] = at(k);
        later = later || (row == r && column == c);
        const float other = g.x(row, column);
        before += other > g.x(r, c) || (other == g.x(r, c) && !later);
    }
    return before < most;
}

bool largest_of_row(
    const given& g, std::size_t r, std::size_t c, std::size_t begin, std::size_t end,
    std::size_t most
) {
    return among_largest(g, r, c, begin, end, most, [r](std::size_t k) { return std::pair(r, k); });
}

bool largest_of_column(
    const given& g, std::size_t r, std::size_t c, std::size_t begin, std::size_t end,
    std::size_t most
) {
    return among_largest(g, r, c, begin, end, most, [c](std::size_t k) { return std::pair(k, c); });
}

// Whether a row is in the half with the larger norms. No two norms are equal.
bool of_larger_rows(const given& g, std::size_t r) {
    const auto square = [&](std::size_t row) {
        return std::inner_product(&g.x(row, 0), &g.x(row, 0) + g.columns, &g.x(row, 0), 0.);
    };
    const double own = square(r);
    std::size_t larger = 0;
    for (std::size_t row = 0; row < g.rows; ++row) {
        larger += square(row) > own;
    }
    return larger < g.rows / 2;
}

// Whether x(r, c) is of the fewest elements of its row with nine tenths of the row's softmax; no two
// are equal.
bool of_nucleus(const given& g, std::size_t r, std::size_t c) {
    static std::vector<double> kept_from; // the least element that is kept of each row
    if (c == 0) {
        std::vector<float> sorted(&g.x(r, 0), &g.x(r, 0) + g.columns);
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const auto weight = [&](float x) { return std::exp(double(x) - double(sorted[0])); };
        double wanted = 0;
        for (const float x : sorted) {
            wanted += 0.9 * weight(x);
        }
        std::size_t last = 0;
        for (double sum = weight(sorted[0]); sum < wanted; sum += weight(sorted[last])) {
            ++last;
        }
        kept_from.resize(g.rows);
        kept_from[r] = double(sorted[last]);
    }
    return double(g.x(r, c)) >= kept_from[r];
}

const family chosen(part::masks, [] {
    row("keep_top_k, 64 a row", sizes::l2, MASK(keep_top_k(g.x, 64)),
        KEPT(largest_of_row(g, r, c, 0, g.columns, 64)), nothing());
    row("keep_top_k, 16 a column", sizes::l2, MASK(keep_top_k(g.x, 16, 0)),
        KEPT(largest_of_column(g, r, c, 0, g.rows, 16)), nothing());
    row(
        "keep_largest, half", sizes::l2, MASK(keep_largest(g.x, 0.5)),
        [](const given& g, std::size_t r, std::size_t c) {
            // The smallest of the kept elements. It has no tie.
            static std::vector<float> sorted;
            if (sorted.size() != g.x.size()) {
                sorted.assign(g.x.begin(), g.x.end());
                std::sort(sorted.begin(), sorted.end());
            }
            return g.x(r, c) >= sorted[sorted.size() / 2];
        },
        nothing()
    );
    row("keep_top_p, 0.9 of the softmax of rows", sizes::l2,
        MASK(keep_top_p<xmask::scores::logits>(g.x, 0.9)), KEPT(of_nucleus(g, r, c)), nothing());
    row(
        "keep_largest_slices, half of the rows", sizes::l2, MASK(keep_largest_slices(g.x, 0.5, 0)),
        [](const given& g, std::size_t r, std::size_t c) {
            static std::vector<char> kept;
            if (c == 0) {
                kept.resize(g.rows);
                kept[r] = of_larger_rows(g, r);
            }
            return kept[r] != 0;
        },
        nothing()
    );
    row("keep_n_of_m, 2 of 4", sizes::both, MASK(keep_n_of_m(g.x, 2, 4)),
        KEPT(largest_of_row(g, r, c, c / 4 * 4, c / 4 * 4 + 4, 2)), nothing());
    row("keep_n_of_m, 2 of 4 down the columns", sizes::l2, MASK(keep_n_of_m(g.x, 2, 4, 0)),
        KEPT(largest_of_column(g, r, c, r / 4 * 4, r / 4 * 4 + 4, 2)), nothing());
});

const family markers(part::masks, [] {
    row("keep_tokens, 3 ids, int32", sizes::both, MASK(keep_tokens(g.tokens, {1, 2, 3})),
        KEPT(g.tokens(r, c) >= 1 && g.tokens(r, c) <= 3),
        OF_INTEGERS(xt::equal(g.tokens, 1) || xt::equal(g.tokens, 2) || xt::equal(g.tokens, 3)));
    row("keep_through_first, int32", sizes::l2, MASK(keep_through_first(g.tokens, 7)),
        KEPT(std::find(&g.tokens(r, 0), &g.tokens(r, 0) + c, 7) == &g.tokens(r, 0) + c), nothing());
    row(
        "keep_between_markers, int32", sizes::l2, MASK(keep_between_markers(g.tokens, 7, 8)),
        [](const given& g, std::size_t r, std::size_t c) {
            // Back to the last marker before, or to none.
            const int* at = &g.tokens(r, 0) + c;
            if (*at == 7 || *at == 8) {
                return false;
            }
            while (at != &g.tokens(r, 0) && *at != 7 && *at != 8) {
                --at;
            }
            return *at == 7;
        },
        nothing()
    );
});
} // namespace
} // namespace bench
