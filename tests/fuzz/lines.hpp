// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "reduce.hpp"

/// @file
/// Operations along one axis.

namespace fuzz {
/// The shape of a tensor and a mask, along an axis.
struct lines {
    shape_t shape;
    drawn_mask mask;
    array<char> kept;
    std::ptrdiff_t axis; ///< as the caller gives it: negative numbers, too
    groups all;          ///< the kept elements of each line
    groups whole;        ///< all elements of each line
};

inline lines draw_lines(record& r) {
    const shape_t shape = draw_shape(r.d, 1);
    drawn_mask m = draw_mask_for(r, shape);
    array<char> kept = spread(m, shape);
    const std::size_t axis = r.d.coin() ? shape.size() - 1 : r.d.below(shape.size());
    const auto number = static_cast<std::ptrdiff_t>(axis);
    groups all = kept_along(kept, shape, {number});
    groups whole = kept_along(array<char>(kept.size(), 1), shape, {number});
    const auto given = number - (r.d.coin() ? static_cast<std::ptrdiff_t>(shape.size()) : 0);
    return {shape, std::move(m), std::move(kept), given, std::move(all), std::move(whole)};
}
} // namespace fuzz
