// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/extreme.hpp>
#include <xmask/reduce/logical.hpp>
#include <xmask/reduce/quantile.hpp>

#include "families.hpp"
#include "reduce.hpp"

/// @file
/// Medians, quantiles, positions of extremes along axes, any and all.

namespace fuzz {
namespace {
/// The kept elements of a group, in order, without NaN.
template <class V>
std::vector<V> sorted(const std::vector<std::size_t>& group, const array<V>& x) {
    std::vector<V> all;
    for (const std::size_t at : group) {
        all.push_back(x[at]);
    }
    std::sort(all.begin(), all.end());
    return all;
}

template <class V>
bool has_nan(const std::vector<std::size_t>& group, const array<V>& x) {
    return std::any_of(group.begin(), group.end(), [&](std::size_t at) { return x[at] != x[at]; });
}

template <class V>
void check_quantiles(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    const double q = r.d.of({0., 1., 0.5, 0.25, r.d.share()});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    array<double> medians(way.all.size(), nan);
    references quantiles(way.all.size());
    for (std::size_t g = 0; g < way.all.size(); ++g) {
        quantiles.value[g] = nan;
        const auto& group = way.all[g];
        if (group.empty() || has_nan(group, x)) {
            continue;
        }
        const std::vector<V> all = sorted(group, x);
        medians[g] = static_cast<double>(all[(all.size() - 1) / 2]);
        const double rank = q * static_cast<double>(all.size() - 1);
        const auto below = static_cast<std::size_t>(rank);
        const auto low = static_cast<double>(all[below]);
        const auto high = static_cast<double>(all[std::min(below + 1, all.size() - 1)]);
        const double part = rank - static_cast<double>(below);
        // Between a number and an infinity is the infinity, between two infinities NaN.
        quantiles.value[g] = part == 0 || low == high               ? low
                             : std::isinf(low) && !std::isinf(high) ? low
                             : std::isinf(high) && !std::isinf(low) ? high
                                                                    : low + (high - low) * part;
        quantiles.size[g] = std::abs(low) + std::abs(high);
    }
    // An integer cannot be NaN: where nothing is kept, 0 is asked for.
    xmask::reduce_options options;
    if (std::is_integral_v<V>) {
        options.empty = xmask::when_empty::zero;
        for (std::size_t g = 0; g < way.all.size(); ++g) {
            medians[g] = way.all[g].empty() ? 0 : medians[g];
            quantiles.value[g] = way.all[g].empty() ? 0 : quantiles.value[g];
        }
    }
    r.close(
        "masked_median",
        results_of(
            way, e, mask, [&](const auto&... a) { return xmask::masked_median(a..., options); }
        ),
        medians, {0}, way.result
    );
    const auto quantile = [&](const auto& tensor, const auto& m, const auto&... axes) {
        return xmask::masked_quantile(tensor, m, q, axes..., options);
    };
    r.close(
        "masked_quantile", results_of(way, e, mask, quantile), quantiles.value, quantiles.size,
        {rounding<V>}, way.result
    );
}

/// The position of the largest, or smallest, element of a group along the reduced axes.
template <class V>
std::size_t place_of(const reduction& way, std::size_t g, const array<V>& x, bool largest) {
    const array<char> all(x.size(), 1);
    const groups whole = way.everything ? kept_together(all) : kept_along(all, way.shape, way.axes);
    std::size_t best = 0;
    bool first = true;
    for (std::size_t k = 0; k < whole[g].size(); ++k) {
        const std::size_t at = whole[g][k];
        if (way.kept[at] == 0) {
            continue;
        }
        const V value = x[at];
        const V so_far = x[whole[g][best]];
        const bool better = largest ? value > so_far : value < so_far;
        if (first || (so_far == so_far && (value != value || better))) {
            best = k;
            first = false;
        }
    }
    return first ? 0 : best;
}

template <class V>
void check_places(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    const bool largest = r.d.coin();
    array<std::size_t> expected(way.all.size());
    if (way.all.size() > 200) {
        return;
    }
    for (std::size_t g = 0; g < way.all.size(); ++g) {
        expected[g] = place_of(way, g, x, largest);
    }
    const auto reduce = [&](const auto&... a) {
        return largest ? xmask::masked_argmax(a..., xmask::when_empty::zero)
                       : xmask::masked_argmin(a..., xmask::when_empty::zero);
    };
    r.same(
        largest ? "masked_argmax" : "masked_argmin", results_of(way, e, mask, reduce), expected,
        way.result
    );
}

template <class V>
void check_truths(
    record& r, const reduction& way, const auto& e, const array<V>& x, const auto& mask
) {
    array<char> any(way.all.size(), 0);
    array<char> all(way.all.size(), 1);
    for (std::size_t g = 0; g < way.all.size(); ++g) {
        for (const std::size_t at : way.all[g]) {
            (x[at] != V() ? any : all)[g] = x[at] != V() ? 1 : 0;
        }
    }
    r.same(
        "masked_any",
        results_of(way, e, mask, [](const auto&... a) { return xmask::masked_any(a...); }), any,
        way.result
    );
    r.same(
        "masked_all",
        results_of(way, e, mask, [](const auto&... a) { return xmask::masked_all(a...); }), all,
        way.result
    );
}

template <class T>
void check_order(record& r) {
    const reduction way = draw_reduction(r);
    const values like = draw_values(r.d);
    with_reduction<T>(
        r, way, like, few_layouts<T>{},
        [&](const auto& e, const auto& x, const auto& mask) {
            if constexpr (!std::is_same_v<T, bool>) {
                if (r.d.coin()) {
                    check_quantiles(r, way, e, x, mask);
                } else {
                    check_places(r, way, e, x, mask);
                }
            }
            check_truths(r, way, e, x, mask);
        }
    );
}
} // namespace

void run_order(record& r) {
    with_type<float, double, std::int8_t, std::uint64_t, std::int32_t, bool>(r, [&]<class T>(T) {
        check_order<T>(r);
    });
}
} // namespace fuzz
