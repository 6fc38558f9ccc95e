// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "mask.hpp"

#include <array>

#include <xmask/masks/combine.hpp>
#include <xmask/masks/slices.hpp>

#include "builders.hpp"

namespace fuzz {
namespace {
/// Calls f with a mask as it is, or stored.
template <class F>
drawn_mask with_either(record& r, const drawn_mask& m, F&& f) {
    if (r.d.coin()) {
        return f(lazy_mask(m.lazy), m.text);
    }
    return f(xmask::bitmask(m.lazy), "bitmask(" + m.text + ")");
}

drawn_mask draw_leaf(record& r, const shape_t& shape) {
    const std::array<const builders*, 8> lists = {&length_builders(),  &index_builders(),
                                                  &token_builders(),   &threshold_builders(),
                                                  &pattern_builders(), &threshold_builders(),
                                                  &size_builders(),    &chance_builders()};
    while (true) {
        const bool paired = r.d.once_in(6);
        const builders& list = paired ? paired_builders() : *lists[r.d.below(lists.size())];
        const builder& one = list[r.d.below(list.size())];
        if (one.fits(shape)) {
            return one.make(r, shape);
        }
    }
}

/// One of two shapes that broadcast together to this one.
void draw_parts(dice& d, const shape_t& shape, shape_t& a, shape_t& b) {
    a = b = shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (d.once_in(4)) {
            (d.coin() ? a : b)[axis] = 1;
        }
    }
    shape_t& shorter = d.coin() ? a : b;
    const shape_t& longer = &shorter == &a ? b : a;
    while (!shorter.empty() && d.once_in(4) &&
           longer[shape.size() - shorter.size()] == shape[shape.size() - shorter.size()]) {
        shorter.erase(shorter.begin());
    }
}

/// Combines two masks by operator `which`: 0 is &&, 1 ||, 2 ^.
drawn_mask draw_combined(record& r, const shape_t& shape, std::size_t depth) {
    shape_t first;
    shape_t second;
    draw_parts(r.d, shape, first, second);
    const drawn_mask a = draw_mask(r, first, depth);
    const drawn_mask b = draw_mask(r, second, r.d.below(depth + 1));
    const std::size_t which = r.d.below(3);
    array<char> kept = kept_where(shape, [&](const shape_t& index) {
        const bool x = a.kept[position_in(a.shape, index)] != 0;
        const bool y = b.kept[position_in(b.shape, index)] != 0;
        return which == 0 ? x && y : which == 1 ? x || y : x != y;
    });
    return with_either(r, a, [&](auto x, const std::string& x_text) {
        return with_either(r, b, [&](auto y, const std::string& y_text) {
            const std::string text = "(" + x_text +
                                     (which == 0   ? " && "
                                      : which == 1 ? " || "
                                                   : " ^ ") +
                                     y_text + ")";
            if (which == 0) {
                return made(r, std::move(x) && std::move(y), std::move(kept), text);
            }
            if (which == 1) {
                return made(r, std::move(x) || std::move(y), std::move(kept), text);
            }
            return made(r, std::move(x) ^ std::move(y), std::move(kept), text);
        });
    });
}

drawn_mask draw_complement(record& r, const shape_t& shape, std::size_t depth) {
    const drawn_mask m = draw_mask(r, shape, depth);
    array<char> kept = m.kept;
    for (char& one : kept) {
        one = one == 0;
    }
    return with_either(r, m, [&](auto x, const std::string& text) {
        return made(r, !std::move(x), std::move(kept), "!" + text);
    });
}

drawn_mask draw_shifted(record& r, const shape_t& shape, std::size_t depth) {
    const drawn_mask m = draw_mask(r, shape, depth);
    const auto n = static_cast<std::ptrdiff_t>(columns_of(shape));
    const std::ptrdiff_t by = r.d.coin() ? r.d.signed_from(-3, 3) : r.d.signed_from(-n - 1, n + 1);
    array<char> kept(m.kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto from = static_cast<std::ptrdiff_t>(i) % n - by;
        kept[i] = from >= 0 && from < n
                      ? m.kept[static_cast<std::size_t>(static_cast<std::ptrdiff_t>(i) - by)]
                      : char(0);
    }
    return with_either(r, m, [&](auto x, const std::string& text) {
        return made(
            r, xmask::shift(std::move(x), by), std::move(kept),
            "shift(" + text + ", " + std::to_string(by) + ")"
        );
    });
}

/// Where the shape has an axis of extent 1.
drawn_mask draw_unsqueezed(record& r, const shape_t& shape, std::size_t axis, std::size_t depth) {
    shape_t inner = shape;
    inner.erase(inner.begin() + static_cast<std::ptrdiff_t>(axis));
    const drawn_mask m = draw_mask(r, inner, depth);
    const auto at = static_cast<std::ptrdiff_t>(axis) -
                    (r.d.coin() ? static_cast<std::ptrdiff_t>(shape.size()) : 0);
    return with_either(r, m, [&](auto x, const std::string& text) {
        return made(
            r, xmask::unsqueeze(std::move(x), at), m.kept,
            "unsqueeze(" + text + ", " + std::to_string(at) + ")"
        );
    });
}

drawn_mask draw_range(record& r, const shape_t& shape, std::size_t depth) {
    const std::size_t axis = r.d.below(shape.size());
    const std::size_t begin = r.d.of<std::size_t>({0, 1, 2, 63, 64, 70});
    shape_t whole = shape;
    whole[axis] += begin + r.d.of<std::size_t>({0, 1, 5, 64});
    if (size_of(whole) > 40000) {
        return draw_mask(r, shape, depth);
    }
    const drawn_mask m = draw_mask(r, whole, depth);
    const std::size_t end = begin + shape[axis];
    array<char> kept = kept_where(shape, [&](shape_t index) {
        index[axis] += begin;
        return m.kept[position_in(whole, index)] != 0;
    });
    return with_either(r, m, [&](auto x, const std::string& text) {
        return made(
            r, xmask::mask_slice(std::move(x), axis, begin, end), std::move(kept),
            "mask_slice(" + text + ", " + std::to_string(axis) + ", " + std::to_string(begin) +
                ", " + std::to_string(end) + ")"
        );
    });
}

drawn_mask draw_index(record& r, const shape_t& shape, std::size_t depth) {
    const std::size_t axis = r.d.below(shape.size() + 1);
    shape_t whole = shape;
    const std::size_t extent = r.d.of<std::size_t>({1, 2, 3, 65});
    whole.insert(whole.begin() + static_cast<std::ptrdiff_t>(axis), extent);
    if (size_of(whole) > 40000) {
        return draw_mask(r, shape, depth);
    }
    const drawn_mask m = draw_mask(r, whole, depth);
    const std::size_t at = r.d.below(extent);
    array<char> kept = kept_where(shape, [&](shape_t index) {
        index.insert(index.begin() + static_cast<std::ptrdiff_t>(axis), at);
        return m.kept[position_in(whole, index)] != 0;
    });
    return with_either(r, m, [&](auto x, const std::string& text) {
        return made(
            r, xmask::mask_slice(std::move(x), axis, at), std::move(kept),
            "mask_slice(" + text + ", " + std::to_string(axis) + ", " + std::to_string(at) + ")"
        );
    });
}
} // namespace

drawn_mask draw_mask(record& r, const shape_t& shape, std::size_t depth) {
    if (depth == 0) {
        return draw_leaf(r, shape);
    }
    switch (r.d.below(8)) {
    case 0:
        return draw_complement(r, shape, depth - 1);
    case 1:
        return draw_shifted(r, shape, depth - 1);
    case 2:
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            if (shape[axis] == 1) {
                return draw_unsqueezed(r, shape, axis, depth - 1);
            }
        }
        return draw_combined(r, shape, depth - 1);
    case 3:
        return shape.empty() ? draw_leaf(r, shape) : draw_range(r, shape, depth - 1);
    case 4:
        return draw_index(r, shape, depth - 1);
    default:
        return draw_combined(r, shape, depth - 1);
    }
}

drawn_mask draw_mask_for(record& r, const shape_t& shape) {
    drawn_mask m =
        draw_mask(r, draw_broadcast(r.d, shape), r.d.of<std::size_t>({0, 0, 1, 2, 3, 4}));
    r.mask = m.text + " of shape " + text_of(m.shape);
    return m;
}

array<char> spread(const drawn_mask& m, const shape_t& shape) {
    return kept_where(shape, [&](const shape_t& index) {
        return m.kept[position_in(m.shape, index)] != 0;
    });
}
} // namespace fuzz
