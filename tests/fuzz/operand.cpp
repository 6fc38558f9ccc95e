// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "operand.hpp"

#include <numeric>

namespace fuzz {
placement draw_placement(dice& d, const shape_t& shape, bool repeats) {
    placement place;
    place.strides.resize(shape.size());
    std::vector<std::size_t> order(shape.size());
    std::iota(order.rbegin(), order.rend(), std::size_t(0));
    // In half of the cases row-major strides, with gaps after each row.
    if (d.coin()) {
        for (std::size_t axis = order.size(); axis > 1; --axis) {
            std::swap(order[axis - 1], order[d.below(axis)]);
        }
    }
    std::size_t stride = d.once_in(3) ? d.from(2, 3) : 1;
    std::ptrdiff_t lowest = 0;
    for (const std::size_t axis : order) {
        const std::size_t extent = shape[axis];
        const bool repeated = repeats && d.once_in(12);
        const bool backwards = d.once_in(6);
        const auto step = static_cast<std::ptrdiff_t>(repeated || extent == 1 ? 0 : stride);
        place.strides[axis] = backwards ? -step : step;
        if (extent > 0) {
            lowest += backwards ? -step * static_cast<std::ptrdiff_t>(extent - 1) : 0;
        }
        if (step != 0) {
            stride = stride * std::max<std::size_t>(1, extent) + (d.coin() ? d.below(5) : 0);
        }
    }
    // stride is larger than the distance of any two elements.
    const std::size_t before = d.below(18);
    place.offset = before + static_cast<std::size_t>(-lowest);
    place.size = before + stride + d.below(9) + 1;
    return place;
}
} // namespace fuzz
