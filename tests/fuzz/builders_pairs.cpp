// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/slices.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

#include "builders.hpp"

/// @file
/// Masks as users combine them: lazy in all parts, with no type hidden between them.

namespace fuzz {
namespace {
struct parts {
    xt::xarray<std::int32_t> lengths;
    xt::xarray<std::int64_t> tokens;
    xt::xarray<float> scores;
};

parts draw_parts(record& r, const shape_t& shape) {
    parts all{
        draw_integers<std::int32_t>(r.d, leading(shape), 0, shape.back()),
        draw_integers<std::int64_t>(r.d, shape, 0, 5), xt::xarray<float>::from_shape(shape)
    };
    for (float& score : all.scores.storage()) {
        score = draw_value<float>(r.d, values::specials);
    }
    return all;
}

/// The elements for which test(row, column, position) is true.
template <class F>
array<char> kept_by(const shape_t& shape, F&& test) {
    array<char> kept(size_of(shape));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = test(i / shape.back(), i % shape.back(), i) ? 1 : 0;
    }
    return kept;
}

drawn_mask lengths_and_tokens(record& r, const shape_t& shape) {
    parts p = draw_parts(r, shape);
    array<char> kept = kept_by(shape, [&](std::size_t row, std::size_t c, std::size_t i) {
        const std::int64_t token = p.tokens.storage()[i];
        return std::cmp_less(c, p.lengths.storage()[row]) && token != 0 && token != 3;
    });
    auto m = xmask::keep_lengths(std::move(p.lengths), shape.back()) &&
             xmask::drop_tokens(std::move(p.tokens), {0, 3});
    return made(r, std::move(m), std::move(kept), "(keep_lengths && drop_tokens)");
}

drawn_mask lengths_or_scores(record& r, const shape_t& shape) {
    parts p = draw_parts(r, shape);
    array<char> kept = kept_by(shape, [&](std::size_t row, std::size_t c, std::size_t i) {
        return std::cmp_greater_equal(c, p.lengths.storage()[row]) || p.scores.storage()[i] > 1.f;
    });
    auto m = !xmask::keep_lengths(std::move(p.lengths), shape.back()) ||
             xmask::keep_above(std::move(p.scores), 1);
    return made(r, std::move(m), std::move(kept), "(!keep_lengths || keep_above)");
}

drawn_mask scores_without_tokens(record& r, const shape_t& shape) {
    parts p = draw_parts(r, shape);
    array<char> kept = kept_by(shape, [&](std::size_t, std::size_t, std::size_t i) {
        return (p.scores.storage()[i] <= 0.f) != (p.tokens.storage()[i] == 2);
    });
    auto m =
        xmask::keep_at_most(std::move(p.scores), 0.f) ^ xmask::keep_tokens(std::move(p.tokens), 2);
    return made(r, std::move(m), std::move(kept), "(keep_at_most ^ keep_tokens)");
}

drawn_mask shifted_lengths(record& r, const shape_t& shape) {
    parts p = draw_parts(r, shape);
    const std::ptrdiff_t by = r.d.signed_from(-70, 70);
    array<char> kept = kept_by(shape, [&](std::size_t row, std::size_t c, std::size_t) {
        const auto from = static_cast<std::ptrdiff_t>(c) - by;
        return from >= 0 && from < p.lengths.storage()[row];
    });
    auto m = xmask::shift(xmask::keep_lengths(std::move(p.lengths), shape.back()), by);
    return made(
        r, std::move(m), std::move(kept), "shift(keep_lengths, " + std::to_string(by) + ")"
    );
}

bool is_batch(const shape_t& shape) { return shape.size() == 3 && size_of(shape) > 0; }

/// The mask of attention over a padded batch, or a slice of it.
drawn_mask attention(record& r, const shape_t& shape) {
    const std::size_t k = shape[2] + 3;
    xt::xarray<std::int32_t> lengths = draw_integers<std::int32_t>(r.d, {shape[0]}, 0, k);
    array<char> kept = kept_where(shape, [&](const shape_t& index) {
        return index[2] + 3 <= index[1] + 2 &&
               std::cmp_less(index[2] + 3, lengths.storage()[index[0]]);
    });
    auto m = xmask::keep_causal(shape[1], k, 2) &&
             xmask::unsqueeze(xmask::keep_lengths(std::move(lengths), k), 1);
    return made(
        r, xmask::mask_slice(std::move(m), 2, 3, k), std::move(kept),
        "mask_slice(keep_causal && unsqueeze(keep_lengths))"
    );
}
} // namespace

const builders& paired_builders() {
    static const builders all = {
        {has_rows, lengths_and_tokens},
        {has_rows, lengths_or_scores},
        {has_rows, scores_without_tokens},
        {has_rows, shifted_lengths},
        {is_batch, attention},
        {any_shape, [](record& r, const shape_t& shape) { return draw_mask(r, shape, 1); }},
    };
    return all;
}
} // namespace fuzz
