// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "reduce.hpp"

/// @file
/// Comparisons for gradients of reductions.

namespace fuzz {
/// The kept elements of one group, in double.
using numbers = std::vector<double>;

/// For one group: the derivative by each element, and the size that its rounding is relative to.
struct slopes {
    numbers value;
    numbers size;
};

/// u, shared evenly by the elements that equal x.
inline slopes shared(const numbers& all, double x) {
    const auto ties = static_cast<double>(std::count(all.begin(), all.end(), x));
    slopes s;
    for (const double one : all) {
        s.value.push_back(one == x ? 1 / ties : 0);
    }
    s.size = s.value;
    return s;
}

/// Compares gradient(x, mask, upstream [, axes]) with the result of `of` for each group.
template <class T, class E, class M, class Gradient, class Of>
void check_gradient(
    record& r, const char* name, const reduction& way, const E& e, const array<T>& x, const M& mask,
    Gradient&& gradient, Of&& of
) {
    references expected(x.size());
    xt::xarray<double> upstream = xt::xarray<double>::from_shape(way.result);
    for (std::size_t g = 0; g < way.all.size(); ++g) {
        const double u = static_cast<double>(r.d.below(9)) / 4 - 1;
        upstream.storage()[g] = u;
        numbers all;
        for (const std::size_t at : way.all[g]) {
            all.push_back(static_cast<double>(x[at]));
        }
        if (all.empty()) {
            continue;
        }
        const slopes s = of(all);
        for (std::size_t i = 0; i < all.size(); ++i) {
            expected.value[way.all[g][i]] = u * s.value[i];
            expected.size[way.all[g][i]] = std::abs(u) * s.size[i];
        }
    }
    const bound by{4 * rounding<T>, std::is_same_v<T, float> ? 1e-37 : 1e-290};
    if (way.everything) {
        const auto got = gradient(e, mask, upstream.storage()[0]);
        r.close(name, got.storage(), expected.value, expected.size, by, way.shape);
    } else {
        const auto got = gradient(e, mask, upstream, way.axes);
        r.close(name, got.storage(), expected.value, expected.size, by, way.shape);
    }
}

/// Calls f(way, expression, elements, mask) for a random tensor.
template <class F>
void with_gradients(record& r, F&& f) {
    const reduction way = draw_reduction(r);
    const values like = r.d.of({values::plain, values::ties});
    const auto call = [&](const auto& e, const auto& x, const auto& mask) { f(way, e, x, mask); };
    if (r.d.coin()) {
        with_reduction<double>(r, way, like, layouts<layout::strided>{}, call);
    } else {
        with_reduction<float>(r, way, like, layouts<layout::rows>{}, call);
    }
}
} // namespace fuzz
