// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <xmask/reduce/extreme.hpp>
#include <xmask/reduce/logical.hpp>
#include <xmask/reduce/product.hpp>
#include <xmask/reduce/sum.hpp>

#include "reduce.hpp"

/// @file
/// Sums, means, products, extremes and their positions, for each element type.

namespace fuzz {
/// Sums of integers have 64 bits and wrap around.
template <class T>
using whole_t = std::conditional_t<std::is_unsigned_v<T>, std::uint64_t, std::int64_t>;

template <class V>
void check_sum(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    const groups& all = way.all;
    const auto sums =
        results_of(way, e, mask, [](const auto&... a) { return xmask::masked_sum(a...); });
    if constexpr (std::is_floating_point_v<V>) {
        array<double> expected(all.size());
        array<double> size(all.size());
        for (std::size_t g = 0; g < all.size(); ++g) {
            long double sum = 0;
            for (const std::size_t at : all[g]) {
                sum += static_cast<long double>(x[at]);
                size[g] += std::abs(static_cast<double>(x[at]));
            }
            expected[g] = static_cast<double>(sum);
        }
        // docs/semantics.md promises less than 1e-7 of the sum of magnitudes for floats.
        const bound by{std::is_same_v<V, float> ? 1e-7 : 1e-13};
        r.close("masked_sum", sums, expected, size, by, way.result);
        const auto means =
            results_of(way, e, mask, [](const auto&... a) { return xmask::masked_mean(a...); });
        for (std::size_t g = 0; g < all.size(); ++g) {
            expected[g] /= static_cast<double>(all[g].size());
            size[g] /= static_cast<double>(all[g].size());
        }
        r.close("masked_mean", means, expected, size, by, way.result);
    } else {
        array<whole_t<V>> expected(all.size());
        for (std::size_t g = 0; g < all.size(); ++g) {
            std::uint64_t sum = 0;
            for (const std::size_t at : all[g]) {
                sum += static_cast<std::uint64_t>(x[at]);
            }
            expected[g] = static_cast<whole_t<V>>(sum);
        }
        r.same("masked_sum", sums, expected, way.result);
    }
}

template <class V>
void check_extremes(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    const groups& all = way.all;
    const bool largest = r.d.coin();
    using limits = std::numeric_limits<V>;
    const V lowest = limits::has_infinity ? static_cast<V>(-limits::infinity()) : limits::lowest();
    const V highest = limits::has_infinity ? limits::infinity() : limits::max();
    array<V> expected(all.size(), largest ? lowest : highest);
    array<std::size_t> place(all.size());
    bool some_empty = false;
    for (std::size_t g = 0; g < all.size(); ++g) {
        some_empty = some_empty || all[g].empty();
        bool first = true;
        for (const std::size_t at : all[g]) {
            const V value = x[at];
            const V best = expected[g];
            const bool better =
                first ||
                (best == best && (value != value || (largest ? value > best : value < best)));
            if (better) {
                expected[g] = value;
                place[g] = at;
            }
            first = false;
        }
    }
    const auto same = [&](const char* what, const auto& got) {
        for (std::size_t g = 0; g < all.size(); ++g) {
            // 0 and -0 tie: either may be the largest.
            if (got[g] != expected[g] && !same_value<V>(got[g], expected[g])) {
                r.differ(
                    what, "position " + std::to_string(g) + " is " + text_of(got[g]) +
                              ", expected " + text_of(expected[g])
                );
                return;
            }
        }
        r.count(all.size());
    };
    const auto reduce = [&](const auto&... a) {
        return largest ? xmask::masked_max(a...) : xmask::masked_min(a...);
    };
    same(largest ? "masked_max" : "masked_min", results_of(way, e, mask, reduce));
    if (way.everything && !some_empty) {
        const std::size_t at =
            largest ? xmask::masked_argmax(e, mask) : xmask::masked_argmin(e, mask);
        r.number(largest ? "masked_argmax" : "masked_argmin", at, place[0]);
    }
}

/// Products of integers wrap around. Products of real numbers are compared where no partial product
/// can overflow.
template <class V>
void check_products(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    const auto products =
        results_of(way, e, mask, [](const auto&... a) { return xmask::masked_prod(a...); });
    if constexpr (std::is_floating_point_v<V>) {
        array<double> expected(way.all.size(), 1.);
        double logs = 0;
        for (std::size_t g = 0; g < way.all.size(); ++g) {
            double sum = 0;
            for (const std::size_t at : way.all[g]) {
                const auto factor = static_cast<double>(x[at]);
                expected[g] *= factor;
                sum += factor == 0 || !std::isfinite(factor)
                           ? 0.
                           : std::abs(std::log2(std::abs(factor)));
            }
            logs = std::max(logs, sum);
        }
        if (logs < 900) {
            r.close("masked_prod", products, expected, {rounding<V>, 1e-37}, way.result);
        }
    } else {
        array<whole_t<V>> expected(way.all.size());
        for (std::size_t g = 0; g < way.all.size(); ++g) {
            std::uint64_t product = 1;
            for (const std::size_t at : way.all[g]) {
                product *= static_cast<std::uint64_t>(x[at]);
            }
            expected[g] = static_cast<whole_t<V>>(product);
        }
        r.same("masked_prod", products, expected, way.result);
    }
}

template <class T, class Layouts>
void check_reductions(record& r, Layouts some) {
    const reduction way = draw_reduction(r);
    with_reduction<T, true>(
        r, way, draw_values(r.d), some,
        [&](const auto& e, const auto& x, const auto& mask) {
            switch (r.d.below(3)) {
            case 0:
                return check_sum(r, way, e, x, mask);
            case 1:
                return check_products(r, way, e, x, mask);
            default:
                return check_extremes(r, way, e, x, mask);
            }
        }
    );
}
} // namespace fuzz
