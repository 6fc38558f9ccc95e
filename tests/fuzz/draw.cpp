// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "draw.hpp"

namespace fuzz {
std::size_t draw_columns(dice& d) {
    switch (d.below(16)) {
    case 0:
        return d.of<std::size_t>({0, 1, 2, 1000, 4097});
    case 1:
    case 2:
    case 3:
        return d.of<std::size_t>({1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33});
    case 4:
    case 5:
        return d.from(1, 200);
    case 6:
    case 7:
        return d.from(1, 40);
    default:
        return d.of<std::size_t>({1, 63, 64, 65, 66, 127, 128, 129, 130, 191, 192, 256, 257, 300});
    }
}

shape_t draw_shape(dice& d, std::size_t least, std::size_t most) {
    // Most code has ranks 1 to 3.
    std::size_t rank = d.once_in(3) ? d.from(0, 5) : d.from(1, 3);
    rank = std::clamp(rank, least, most);
    shape_t shape(rank);
    if (rank == 0) {
        return shape;
    }
    shape.back() = draw_columns(d);
    // Sometimes another axis than the last one is long.
    std::size_t left = std::max<std::size_t>(1, 6000 / std::max<std::size_t>(1, shape.back()));
    for (std::size_t axis = rank - 1; axis-- > 0;) {
        const std::size_t most_here = d.once_in(8) ? left : std::min<std::size_t>(left, 6);
        shape[axis] = d.once_in(60) ? 0 : d.from(1, std::max<std::size_t>(1, most_here));
        left = std::max<std::size_t>(1, left / std::max<std::size_t>(1, shape[axis]));
    }
    return shape;
}

shape_t draw_broadcast(dice& d, const shape_t& shape) {
    shape_t result = shape;
    if (d.coin()) {
        return result;
    }
    if (d.coin()) {
        result.erase(
            result.begin(), result.begin() + static_cast<std::ptrdiff_t>(d.from(0, result.size()))
        );
    }
    for (std::size_t& extent : result) {
        extent = d.once_in(3) ? 1 : extent;
    }
    return result;
}
} // namespace fuzz
