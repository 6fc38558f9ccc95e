// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "draw.hpp"

/// @file
/// The reduced axes of a reduction, and the groups of elements that it reduces.

namespace fuzz {
/// Random axes, at least one; some are negative.
inline std::vector<std::ptrdiff_t> draw_axes(dice& d, std::size_t rank) {
    std::vector<std::ptrdiff_t> axes;
    for (std::size_t axis = 0; axis < rank; ++axis) {
        const auto number = static_cast<std::ptrdiff_t>(axis);
        if (d.coin() || (axis + 1 == rank && axes.empty())) {
            axes.push_back(d.coin() ? number : number - static_cast<std::ptrdiff_t>(rank));
        }
    }
    return axes;
}

inline std::string text_of_axes(const std::vector<std::ptrdiff_t>& axes) {
    std::string text = "axes";
    for (const std::ptrdiff_t axis : axes) {
        text += ' ' + std::to_string(axis);
    }
    return text;
}

/// Which axes are reduced.
inline std::vector<bool> gone(const std::vector<std::ptrdiff_t>& axes, std::size_t rank) {
    std::vector<bool> goes(rank, false);
    for (const std::ptrdiff_t axis : axes) {
        goes[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::ptrdiff_t>(rank) : axis)] =
            true;
    }
    return goes;
}

/// The shape of the result.
inline shape_t reduced_shape(const shape_t& shape, const std::vector<std::ptrdiff_t>& axes) {
    const std::vector<bool> goes = gone(axes, shape.size());
    shape_t result;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (!goes[axis]) {
            result.push_back(shape[axis]);
        }
    }
    return result;
}

/// The position in the result of each element, in row-major order.
inline std::vector<std::size_t> groups_of(
    const shape_t& shape, const std::vector<std::ptrdiff_t>& axes
) {
    const std::vector<bool> goes = gone(axes, shape.size());
    std::vector<std::size_t> group;
    group.reserve(size_of(shape));
    for_each_index(shape, [&](const shape_t& index) {
        std::size_t at = 0;
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            at = goes[axis] ? at : at * shape[axis] + index[axis];
        }
        group.push_back(at);
    });
    return group;
}

inline std::vector<std::vector<std::size_t>> kept_together(const array<char>& kept) {
    std::vector<std::vector<std::size_t>> all(1);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] != 0) {
            all[0].push_back(i);
        }
    }
    return all;
}

inline std::vector<std::vector<std::size_t>> kept_along(
    const array<char>& kept, const shape_t& shape, const std::vector<std::ptrdiff_t>& axes
) {
    std::vector<std::vector<std::size_t>> all(size_of(reduced_shape(shape, axes)));
    const std::vector<std::size_t> group = groups_of(shape, axes);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] != 0) {
            all[group[i]].push_back(i);
        }
    }
    return all;
}
} // namespace fuzz
