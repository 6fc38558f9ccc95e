// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "axes.hpp"
#include "mask.hpp"
#include "operand.hpp"

/// @file
/// One random reduction: a tensor, a mask, and the reduced axes.

namespace fuzz {
/// The kept elements for each position of the result, as flat positions in the tensor.
using groups = std::vector<std::vector<std::size_t>>;

/// The reduced axes, and the groups of elements.
struct reduction {
    shape_t shape;
    drawn_mask mask;
    array<char> kept;
    bool everything; ///< to one number
    std::vector<std::ptrdiff_t> axes;
    shape_t result;
    groups all;
};

inline reduction draw_reduction(record& r) {
    const shape_t shape = draw_shape(r.d);
    drawn_mask m = draw_mask_for(r, shape);
    array<char> kept = spread(m, shape);
    const bool everything = shape.empty() || r.d.once_in(3);
    const std::vector<std::ptrdiff_t> axes = draw_axes(r.d, shape.size());
    groups all = everything ? kept_together(kept) : kept_along(kept, shape, axes);
    shape_t result = everything ? shape_t{} : reduced_shape(shape, axes);
    return {shape, std::move(m), std::move(kept), everything, axes, result, std::move(all)};
}

/// The results of reduce(x, mask) or reduce(x, mask, axes), in row-major order.
template <class E, class M, class F>
auto results_of(const reduction& way, const E& e, const M& mask, F&& reduce) {
    using number = decltype(reduce(e, mask));
    if (way.everything) {
        return array<number>(1, reduce(e, mask));
    }
    const auto some = reduce(e, mask, way.axes);
    array<number> list(some.size());
    std::copy(some.storage().begin(), some.storage().end(), list.begin());
    return list;
}

/// Calls f(expression, elements, mask) for one random reduction of a tensor of T.
template <class T, bool stored = false, class Layouts, class F>
void with_reduction(record& r, const reduction& way, values like, Layouts some, F&& f) {
    operand<T> x(r, way.shape, way.kept, like);
    const auto with_masks = [&](auto&& g) {
        if constexpr (stored) {
            with_mask(r, way.mask, g);
        } else {
            with_hidden_mask(r, way.mask, g);
        }
    };
    with_operand(r, x, some, [&](const auto& e, const auto& elements) {
        with_masks([&](const auto& mask) {
            r.operands += way.everything ? " of everything" : " along " + text_of_axes(way.axes);
            f(e, elements, mask);
        });
    });
}

/// References, and the sizes that errors are relative to, one for each position.
struct references {
    explicit references(std::size_t count) : value(count), size(count) {}

    array<double> value;
    array<double> size;
};

/// The documented tolerances of rounded results: 1e-5 for floats, 1e-12 for doubles.
template <class T>
inline constexpr double rounding = std::is_same_v<T, float> ? 1e-5 : 1e-11;
} // namespace fuzz
