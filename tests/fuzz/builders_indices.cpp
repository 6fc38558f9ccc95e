// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>

#include "builders.hpp"

/// @file
/// Masks of listed columns and points, and constant masks.

namespace fuzz {
namespace {
template <bool drops>
drawn_mask indices(record& r, const shape_t& shape) {
    const std::size_t n = shape.back();
    const std::size_t rows = rows_of(shape);
    const std::size_t each = r.d.of<std::size_t>({0, 1, 2, 5, n / 8, n});
    const bool shared = r.d.coin();
    const shape_t list = shared ? shape_t{each} : shape_t{rows, each};
    xt::xarray<std::int32_t> columns = draw_integers<std::int32_t>(r.d, list, 0, n - 1);
    array<char> kept(size_of(shape), drops ? 1 : 0);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t k = 0; k < each; ++k) {
            const auto c = columns.storage()[shared ? k : row * each + k];
            kept[row * n + static_cast<std::size_t>(c)] = drops ? 0 : 1;
        }
    }
    const std::string text = std::string(drops ? "drop_indices(" : "keep_indices(") +
                             std::to_string(each) + (shared ? " for all rows)" : " a row)");
    if constexpr (drops) {
        return made(r, xmask::drop_indices(std::move(columns), shape), std::move(kept), text);
    } else {
        return made(r, xmask::keep_indices(std::move(columns), shape), std::move(kept), text);
    }
}

template <bool drops>
drawn_mask points(record& r, const shape_t& shape) {
    const std::size_t count = r.d.of<std::size_t>({0, 1, 3, 50, size_of(shape) / 4});
    auto table = xt::xarray<std::int64_t>::from_shape({count, shape.size()});
    array<char> kept(size_of(shape), drops ? 1 : 0);
    for (std::size_t p = 0; p < count; ++p) {
        shape_t index(shape.size());
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            index[axis] = r.d.below(shape[axis]);
            table(p, axis) = static_cast<std::int64_t>(index[axis]);
        }
        kept[position_in(shape, index)] = drops ? 0 : 1;
    }
    const std::string text =
        std::string(drops ? "drop_points(" : "keep_points(") + std::to_string(count) + ")";
    if constexpr (drops) {
        return made(r, xmask::drop_points(std::move(table), shape), std::move(kept), text);
    } else {
        return made(r, xmask::keep_points(std::move(table), shape), std::move(kept), text);
    }
}

drawn_mask constant(record& r, const shape_t& shape) {
    const bool keeps = r.d.coin();
    array<char> kept(size_of(shape), keeps ? 1 : 0);
    if (keeps) {
        return made(r, xmask::keep_all(shape), std::move(kept), "keep_all");
    }
    return made(r, xmask::keep_none(shape), std::move(kept), "keep_none");
}
} // namespace

const builders& index_builders() {
    static const builders all = {
        {has_elements, indices<false>}, {has_elements, indices<true>},
        {has_elements, points<false>},  {has_elements, points<true>},
        {any_shape, constant},
    };
    return all;
}
} // namespace fuzz
