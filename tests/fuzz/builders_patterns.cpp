// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/patterns.hpp>

#include "builders.hpp"

/// @file
/// Masks of queries and keys, and of any function of the indices.

namespace fuzz {
namespace {
/// A mask of a matrix, whose element (i, j) is test(i, j).
template <class M, class F>
drawn_mask made_of(record& r, M m, const shape_t& shape, const std::string& text, F&& test) {
    array<char> kept = kept_where(shape, [&](const shape_t& at) {
        return test(static_cast<std::ptrdiff_t>(at[0]), static_cast<std::ptrdiff_t>(at[1]));
    });
    return made(r, std::move(m), std::move(kept), text);
}

std::ptrdiff_t draw_offset(dice& d, const shape_t& shape) {
    const auto q = static_cast<std::ptrdiff_t>(shape[0]);
    const auto k = static_cast<std::ptrdiff_t>(shape[1]);
    return d.of<std::ptrdiff_t>({0, k - q, -3, 2, -q - 1, k + 1, d.signed_from(-k - 1, k + 1)});
}

drawn_mask causal(record& r, const shape_t& shape) {
    const std::ptrdiff_t offset = draw_offset(r.d, shape);
    return made_of(
        r, xmask::keep_causal(shape[0], shape[1], offset), shape,
        "keep_causal(" + std::to_string(offset) + ")",
        [&](auto i, auto j) { return j <= i + offset; }
    );
}

drawn_mask causal_corner(record& r, const shape_t& shape) {
    const auto by = static_cast<std::ptrdiff_t>(shape[1]) - static_cast<std::ptrdiff_t>(shape[0]);
    return made_of(
        r, xmask::keep_causal_bottom_right(shape[0], shape[1]), shape, "keep_causal_bottom_right",
        [&](auto i, auto j) { return j <= i + by; }
    );
}

drawn_mask window(record& r, const shape_t& shape) {
    const std::size_t left = r.d.of<std::size_t>({0, 1, 5, 64, shape[1], std::size_t(-1)});
    const std::size_t right = r.d.of<std::size_t>({0, 1, 5, 64, shape[1], std::size_t(-1)});
    const std::ptrdiff_t offset = draw_offset(r.d, shape);
    return made_of(
        r, xmask::keep_window(shape[0], shape[1], left, right, offset), shape,
        "keep_window(" + std::to_string(left) + ", " + std::to_string(right) + ", " +
            std::to_string(offset) + ")",
        [&](auto i, auto j) {
            const std::ptrdiff_t p = i + offset;
            return (j >= p || static_cast<std::size_t>(p - j) <= left) &&
                   (j <= p || static_cast<std::size_t>(j - p) <= right);
        }
    );
}

drawn_mask prefix(record& r, const shape_t& shape) {
    const std::size_t prefix = r.d.from(0, shape[1]);
    const std::ptrdiff_t offset = draw_offset(r.d, shape);
    return made_of(
        r, xmask::keep_prefix(shape[0], shape[1], prefix, offset), shape,
        "keep_prefix(" + std::to_string(prefix) + ", " + std::to_string(offset) + ")",
        [&](auto i, auto j) { return j <= i + offset || j < static_cast<std::ptrdiff_t>(prefix); }
    );
}

bool is_stack(const shape_t& shape) { return shape.size() > 2; }

drawn_mask prefixes(record& r, const shape_t& shape) {
    const std::size_t rank = shape.size();
    const std::size_t q = shape[rank - 2];
    const std::size_t k = shape[rank - 1];
    const shape_t batch(shape.begin(), shape.end() - 2);
    xt::xarray<std::int16_t> each = draw_integers<std::int16_t>(r.d, batch, 0, k);
    array<char> kept = kept_where(shape, [&](const shape_t& index) {
        const auto length = each.storage()[position_in(batch, {index.begin(), index.end() - 2})];
        return index[rank - 1] <= index[rank - 2] || std::cmp_less(index[rank - 1], length);
    });
    return made(
        r, xmask::keep_prefix(q, k, std::move(each)), std::move(kept), "keep_prefix(a list)"
    );
}

bool has_keys(const shape_t& shape) { return shape.size() >= 2; }

drawn_mask segments(record& r, const shape_t& shape) {
    const std::size_t rank = shape.size();
    const std::size_t q = shape[rank - 2];
    const std::size_t k = shape[rank - 1];
    shape_t queries(shape.begin(), shape.end() - 1);
    shape_t keys = queries;
    keys.back() = k;
    auto of_query = draw_integers<std::int32_t>(r.d, queries, 0, 4);
    auto of_key = draw_integers<std::uint8_t>(r.d, keys, 0, 4);
    if (r.d.coin()) {
        for (std::size_t row = 0; row * k < of_key.size(); ++row) {
            std::sort(
                of_key.storage().begin() + static_cast<std::ptrdiff_t>(row * k),
                of_key.storage().begin() + static_cast<std::ptrdiff_t>(row * k + k)
            );
        }
    }
    std::size_t i = 0;
    array<char> kept(size_of(shape));
    for_each_index(shape, [&](const shape_t& index) {
        const std::size_t matrix = i / std::max<std::size_t>(1, q * k);
        kept[i++] = of_query.storage()[matrix * q + index[rank - 2]] ==
                    of_key.storage()[matrix * k + index[rank - 1]];
    });
    return made(
        r, xmask::keep_same_segment(of_query, of_key), std::move(kept), "keep_same_segment"
    );
}

drawn_mask chunked(record& r, const shape_t& shape) {
    const std::size_t chunk = r.d.of<std::size_t>({1, 2, 5, 64, 1000});
    const std::ptrdiff_t offset = draw_offset(r.d, shape);
    const auto size = static_cast<std::ptrdiff_t>(chunk);
    return made_of(
        r, xmask::keep_chunked(shape[0], shape[1], chunk, offset), shape,
        "keep_chunked(" + std::to_string(chunk) + ", " + std::to_string(offset) + ")",
        [&](auto i, auto j) {
            return i + offset >= 0 && j <= i + offset && (i + offset) / size == j / size;
        }
    );
}

drawn_mask dilated(record& r, const shape_t& shape) {
    const std::size_t left = r.d.of<std::size_t>({0, 1, 3, 100});
    const std::size_t step = r.d.of<std::size_t>({1, 2, 3, 63, 64, 100});
    const std::ptrdiff_t offset = draw_offset(r.d, shape);
    return made_of(
        r, xmask::keep_dilated(shape[0], shape[1], left, step, offset), shape,
        "keep_dilated(" + std::to_string(left) + ", " + std::to_string(step) + ", " +
            std::to_string(offset) + ")",
        [&](auto i, auto j) {
            const std::ptrdiff_t back = i + offset - j;
            return i + offset >= 0 && back >= 0 && back % static_cast<std::ptrdiff_t>(step) == 0 &&
                   back / static_cast<std::ptrdiff_t>(step) <= static_cast<std::ptrdiff_t>(left);
        }
    );
}

drawn_mask function(record& r, const shape_t& shape) {
    const std::size_t by = r.d.from(1, 9);
    const auto test = [by](const auto& index) {
        std::size_t sum = 1;
        for (const std::size_t i : index) {
            sum = sum * 3 + i;
        }
        return sum % (by + 1) != 0;
    };
    const xt::dynamic_shape<std::size_t> extents(shape.begin(), shape.end());
    return made(
        r, xmask::keep_if(extents, test), kept_where(shape, test),
        "keep_if(" + std::to_string(by) + ")"
    );
}
} // namespace

const builders& pattern_builders() {
    static const builders all = {
        {is_matrix, causal},  {is_matrix, causal_corner}, {is_matrix, window},
        {is_matrix, prefix},  {is_stack, prefixes},       {has_keys, segments},
        {is_matrix, chunked}, {is_matrix, dilated},       {any_shape, function},
    };
    return all;
}
} // namespace fuzz
