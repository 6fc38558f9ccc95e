// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/positions.hpp>
#include <xmask/masks/run_lengths.hpp>

#include "axes.hpp"
#include "builders.hpp"
#include "families.hpp"

/// @file
/// Masks alone: every way to ask one.

namespace fuzz {
namespace {
template <class M>
void check_elements(record& r, const M& m, const drawn_mask& d) {
    const std::size_t n = columns_of(d.shape);
    array<char> one_by_one(d.kept.size());
    std::size_t i = 0;
    for_each_index(d.shape, [&](const shape_t& index) {
        one_by_one[i++] = m.element(index.begin(), index.end());
    });
    r.same("single elements", one_by_one, d.kept, d.shape);
    array<char> iterated(d.kept.size());
    i = 0;
    for (const bool one : m) {
        iterated[i++] = one;
    }
    r.same("an iterator", iterated, d.kept, d.shape);
    array<double> expected(d.kept.size());
    std::copy(d.kept.begin(), d.kept.end(), expected.begin());
    const array<double> assigned = with_target<double>(
        r, d.shape, array<double>(d.kept.size(), 7.), in_memory{},
        [&](auto& to) { xt::noalias(to) = m; }
    );
    r.same("target = mask", assigned, expected, d.shape);
    std::vector<std::size_t> positions;
    for (const std::size_t at : xmask::positions_of(m)) {
        positions.push_back(at);
    }
    std::vector<std::size_t> wanted;
    for (std::size_t at = 0; at < d.kept.size(); ++at) {
        if (d.kept[at] != 0) {
            wanted.push_back(at);
        }
    }
    r.same("positions_of", positions, wanted, {wanted.size()});
    r.number("any_kept", xmask::any_kept(m), !wanted.empty());
    r.number("all_kept", xmask::all_kept(m), wanted.size() == d.kept.size());
    if (n != 0 && d.kept.size() != 0) {
        r.number(
            "density", xmask::density(m),
            static_cast<double>(wanted.size()) / static_cast<double>(d.kept.size())
        );
    }
}

template <class M>
void check_rows(record& r, const M& m, const drawn_mask& d) {
    const std::size_t n = columns_of(d.shape);
    const std::size_t rows = rows_of(d.shape);
    if (d.kept.size() == 0) {
        return;
    }
    const shape_t row_shape = d.shape.empty() ? shape_t{} : leading(d.shape);
    array<std::ptrdiff_t> first(rows, -1);
    array<std::ptrdiff_t> last(rows, -1);
    std::vector<std::size_t> empty;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < n; ++c) {
            if (d.kept[row * n + c] != 0) {
                last[row] = static_cast<std::ptrdiff_t>(c);
                first[row] = first[row] < 0 ? last[row] : first[row];
            }
        }
        if (first[row] < 0) {
            empty.push_back(row);
        }
    }
    r.same("first_kept", xmask::first_kept(m).storage(), first, row_shape);
    r.same("last_kept", xmask::last_kept(m).storage(), last, row_shape);
    r.same("empty_rows", xmask::empty_rows(m), empty, {empty.size()});
    const std::size_t row = r.d.below(rows);
    std::vector<std::size_t> ends;
    std::vector<std::size_t> wanted;
    for (const auto& run : xmask::runs_of(m, row)) {
        ends.push_back(run.begin);
        ends.push_back(run.end);
    }
    for (std::size_t c = 0; c <= n; ++c) {
        const bool before = c > 0 && d.kept[row * n + c - 1] != 0;
        const bool here = c < n && d.kept[row * n + c] != 0;
        if (before != here) {
            wanted.push_back(c);
        }
    }
    r.same("runs_of", ends, wanted, {wanted.size()});
}

template <class M>
void check_stored(record& r, const M& m, const drawn_mask& d) {
    xmask::bitmask stored = m;
    check_mask(r, stored, d.kept, d.shape);
    const auto runs = xmask::run_lengths_of(m);
    if (d.kept.size() != 0) {
        r.that("keep_run_lengths", xmask::bitmask(xmask::keep_run_lengths(runs)) == stored);
    }
    const auto order = r.d.of({xmask::bit_order::big, xmask::bit_order::little});
    const auto bytes = xmask::packbits(m, order);
    const std::size_t n = columns_of(d.shape);
    for (std::size_t i = 0; i < std::min<std::size_t>(d.kept.size(), 300); ++i) {
        const unsigned byte = bytes.storage()[i / n * ((n + 7) / 8) + i % n / 8];
        const std::size_t bit = order == xmask::bit_order::big ? 7 - i % n % 8 : i % n % 8;
        if ((byte >> bit & 1) != static_cast<unsigned>(d.kept[i])) {
            r.differ("packbits", "at " + std::to_string(i));
            break;
        }
    }
    if (!d.shape.empty()) {
        r.that("unpackbits", xmask::unpackbits(bytes, n, order) == stored);
    }
}

/// &=, |= and ^= with a mask that broadcasts.
void check_updates(record& r, const drawn_mask& d) {
    const drawn_mask other = draw_mask(r, draw_broadcast(r.d, d.shape), r.d.below(3));
    r.mask = d.text + " updated by " + other.text;
    const array<char> by = spread(other, d.shape);
    const std::size_t which = r.d.below(3);
    xmask::bitmask stored = d.lazy;
    array<char> expected = d.kept;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] = static_cast<char>(
            which == 0   ? expected[i] & by[i]
            : which == 1 ? expected[i] | by[i]
                         : expected[i] ^ by[i]
        );
    }
    if (which == 0) {
        stored &= other.lazy;
    } else if (which == 1) {
        stored |= other.lazy;
    } else {
        stored ^= other.lazy;
    }
    check_mask(r, stored, expected, d.shape);
}
/// A bitmask updated by masks of itself.
void check_own_updates(record& r, const drawn_mask& d) {
    const auto n = static_cast<std::ptrdiff_t>(columns_of(d.shape));
    const std::ptrdiff_t by = r.d.coin() ? r.d.signed_from(-2, 2) : r.d.signed_from(-n, n);
    const bool inverts = r.d.coin();
    const std::size_t which = r.d.below(3);
    xmask::bitmask stored = d.lazy;
    array<char> expected = d.kept;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto at = static_cast<std::ptrdiff_t>(i);
        const std::ptrdiff_t from = at % n - by;
        const bool shifted =
            from >= 0 && from < n && d.kept[static_cast<std::size_t>(at - by)] != 0;
        const bool other = shifted != inverts;
        const bool own = d.kept[i] != 0;
        expected[i] = which == 0 ? own && other : which == 1 ? own || other : own != other;
    }
    r.mask = "a bitmask of " + d.text + " updated by its own shift by " + std::to_string(by);
    const auto update = [&](const auto& m) {
        if (which == 0) {
            stored &= m;
        } else if (which == 1) {
            stored |= m;
        } else {
            stored ^= m;
        }
    };
    if (inverts) {
        update(!xmask::shift(stored, by));
    } else {
        update(xmask::shift(stored, by));
    }
    check_mask(r, stored, expected, d.shape);
}

/// Counts along axes.
void check_counts(record& r, const drawn_mask& d) {
    if (d.shape.empty()) {
        return;
    }
    const std::vector<std::ptrdiff_t> axes = draw_axes(r.d, d.shape.size());
    const shape_t result = reduced_shape(d.shape, axes);
    const auto all = kept_along(d.kept, d.shape, axes);
    array<std::size_t> counts(all.size());
    array<char> any(all.size());
    for (std::size_t g = 0; g < all.size(); ++g) {
        counts[g] = all[g].size();
        any[g] = !all[g].empty();
    }
    r.operands = text_of_axes(axes);
    r.same("count_kept along axes", xmask::count_kept(d.lazy, axes).storage(), counts, result);
    r.same("any_kept along axes", xmask::any_kept(d.lazy, axes).storage(), any, result);
}
} // namespace

void run_masks(record& r) {
    const drawn_mask d = draw_mask(r, draw_shape(r.d), r.d.below(5));
    r.mask = d.text + " of shape " + text_of(d.shape);
    check_mask(r, d.lazy, d.kept, d.shape);
    with_mask(r, d, [&](const auto& m) {
        check_elements(r, m, d);
        check_rows(r, m, d);
    });
    check_stored(r, d.lazy, d);
    check_updates(r, d);
    check_own_updates(r, d);
    check_counts(r, d);
}
} // namespace fuzz
