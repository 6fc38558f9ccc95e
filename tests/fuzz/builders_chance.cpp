// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>

#include <xmask/masks/blocks.hpp>
#include <xmask/masks/language_model.hpp>
#include <xmask/masks/patches.hpp>
#include <xmask/masks/random.hpp>
#include <xmask/masks/random_subset.hpp>
#include <xmask/masks/spans.hpp>

#include "builders.hpp"

/// @file
/// Random masks. Their kept elements are not known beforehand. They are asked element by element,
/// each time of a new cursor, and must then be the same in every other way. The number of kept
/// elements is known.

namespace fuzz {
namespace {
/// The elements of a mask, one by one, not in the order of columns.
template <class M>
array<char> asked(const M& m, const shape_t& shape) {
    array<char> kept(size_of(shape));
    const std::size_t n = columns_of(shape);
    for (std::size_t row = 0; row < (n == 0 ? 0 : kept.size() / n); ++row) {
        const auto cursor = m.row(row);
        for (std::size_t c = n; c-- > 0;) {
            kept[row * n + c] = static_cast<char>(cursor.word(c) & 1);
        }
    }
    return kept;
}

template <class M>
drawn_mask by_chance(record& r, M m, const shape_t& shape, const std::string& text) {
    array<char> kept = asked(m, shape);
    return made(r, std::move(m), std::move(kept), text);
}

void check_rows_keep(record& r, const drawn_mask& m, std::size_t k) {
    const std::size_t n = columns_of(m.shape);
    for (std::size_t i = 0; i + n <= m.kept.size() && n > 0; i += n) {
        std::size_t count = 0;
        for (std::size_t c = 0; c < n; ++c) {
            count += static_cast<std::size_t>(m.kept[i + c]);
        }
        r.mask = m.text;
        r.number("how many of a row chance keeps", count, k);
    }
}

drawn_mask random(record& r, const shape_t& shape) {
    const double p = r.d.of({0., 1., 0.5, 0.01, 0.99, r.d.share()});
    drawn_mask m = by_chance(
        r, xmask::keep_random(shape, p, r.d.bits()), shape, "keep_random(" + text_of(p) + ")"
    );
    if (p == 0 || p == 1) {
        check_rows_keep(r, m, p == 0 ? 0 : columns_of(shape));
    }
    return m;
}

drawn_mask random_k(record& r, const shape_t& shape) {
    const std::size_t n = columns_of(shape);
    const std::size_t k = r.d.of<std::size_t>({0, n, n / 2, r.d.from(0, n)});
    drawn_mask m = by_chance(
        r, xmask::keep_random_k(shape, k, r.d.bits()), shape,
        "keep_random_k(" + std::to_string(k) + ")"
    );
    check_rows_keep(r, m, k);
    return m;
}

drawn_mask random_fraction(record& r, const shape_t& shape) {
    const double fraction = r.d.share();
    drawn_mask m = by_chance(
        r, xmask::keep_random_fraction(shape, fraction, r.d.bits()), shape,
        "keep_random_fraction(" + text_of(fraction) + ")"
    );
    std::size_t count = 0;
    for (const char one : m.kept) {
        count += static_cast<std::size_t>(one);
    }
    r.mask = m.text;
    r.number(
        "how many of all chance keeps", count,
        static_cast<std::size_t>(std::llround(fraction * static_cast<double>(m.kept.size())))
    );
    return m;
}

bool is_long(const shape_t& shape) { return !shape.empty() && shape.back() >= 12; }

drawn_mask spans(record& r, const shape_t& shape) {
    const std::size_t length = r.d.from(1, 4);
    const std::size_t count = r.d.from(0, 2);
    xmask::span_options options;
    options.count = count;
    options.length = length;
    drawn_mask m = by_chance(
        r, xmask::keep_spans(shape, options, r.d.bits()), shape,
        "keep_spans(" + std::to_string(count) + " of " + std::to_string(length) + ")"
    );
    check_rows_keep(r, m, count * length);
    return m;
}

drawn_mask drawn_spans(record& r, const shape_t& shape) {
    const std::size_t n = shape.back();
    auto lengths = draw_integers<std::int32_t>(r.d, leading(shape), 0, n);
    xmask::span_options options;
    options.fraction = r.d.of({0.1, 0.3, 0.5});
    options.length = xmask::random_length::geometric(0.3, 6);
    options.exact = r.d.coin();
    return by_chance(
        r, xmask::keep_spans(std::move(lengths), n, options, r.d.bits()), shape,
        "keep_spans(lengths)"
    );
}

bool is_picture(const shape_t& shape) { return shape.size() >= 2 && size_of(shape) > 0; }

drawn_mask patches(record& r, const shape_t& shape) {
    const auto divisor = [&](std::size_t extent) {
        std::size_t by = r.d.from(1, 8);
        while (extent % by != 0) {
            --by;
        }
        return by;
    };
    const std::size_t high = divisor(shape[shape.size() - 2]);
    const std::size_t wide = divisor(shape.back());
    return by_chance(
        r, xmask::keep_patches(shape, high, wide, r.d.share(), r.d.bits()), shape,
        "keep_patches(" + std::to_string(high) + ", " + std::to_string(wide) + ")"
    );
}

drawn_mask rectangles(record& r, const shape_t& shape) {
    xmask::block_options options;
    options.count = r.d.from(1, 4);
    options.height = xmask::random_length::uniform(1, 5);
    options.width = r.d.from(1, 70);
    return by_chance(
        r, xmask::keep_blocks(shape, options, r.d.bits()), shape,
        "keep_blocks(" + std::to_string(options.count) + ")"
    );
}

/// A quarter of the candidates, each in exactly one of masked, randomized and unchanged.
drawn_mask selected(record& r, const shape_t& shape) {
    const drawn_mask candidates = draw_mask(r, shape, r.d.below(2));
    const std::uint64_t seed = r.d.bits();
    const auto all =
        xmask::language_model_masks(lazy_mask(candidates.lazy), {.probability = 0.25}, seed);
    const array<char> whole = asked(all.selected, shape);
    const array<char> parts[] = {
        asked(all.masked, shape), asked(all.randomized, shape), asked(all.unchanged, shape)
    };
    bool holds = true;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        holds = holds && parts[0][i] + parts[1][i] + parts[2][i] == whole[i] &&
                whole[i] <= candidates.kept[i];
    }
    r.mask = candidates.text;
    r.that("language_model_masks", holds);
    return by_chance(r, all.selected, shape, "language_model_masks(" + candidates.text + ")");
}
} // namespace

const builders& chance_builders() {
    static const builders all = {
        {any_shape, random},      {any_shape, random_k},  {any_shape, random_fraction},
        {is_long, spans},         {is_long, drawn_spans}, {is_picture, patches},
        {is_picture, rectangles}, {any_shape, selected},
    };
    return all;
}
} // namespace fuzz
