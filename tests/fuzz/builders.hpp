// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <bit>
#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>

#include "mask.hpp"
#include "operand.hpp"

/// @file
/// Random masks of one builder: how they are drawn, and checked in their own type before that is
/// hidden.

namespace fuzz {
/// A function that makes a mask of a shape.
struct builder {
    bool (*fits)(const shape_t& shape);
    drawn_mask (*make)(record& r, const shape_t& shape);
};

using builders = std::vector<builder>;

// One list in each file.
const builders& length_builders();
const builders& index_builders();
const builders& token_builders();
const builders& pattern_builders();
const builders& threshold_builders();
const builders& size_builders();
const builders& chance_builders();
const builders& paired_builders();

inline bool any_shape(const shape_t&) { return true; }

inline bool has_rows(const shape_t& shape) { return !shape.empty(); }

inline bool is_matrix(const shape_t& shape) { return shape.size() == 2; }

inline bool has_elements(const shape_t& shape) { return !shape.empty() && size_of(shape) > 0; }

/// The leading axes of a shape.
inline shape_t leading(const shape_t& shape) { return shape_t(shape.begin(), shape.end() - 1); }

/// The results of f(index) for each index.
template <class F>
array<char> kept_where(const shape_t& shape, F&& f) {
    array<char> kept(size_of(shape));
    std::size_t i = 0;
    for_each_index(shape, [&](const shape_t& index) { kept[i++] = f(index) ? 1 : 0; });
    return kept;
}

/// A tensor of integers in [first, last].
template <class T>
xt::xarray<T> draw_integers(dice& d, const shape_t& shape, std::size_t first, std::size_t last) {
    auto x = xt::xarray<T>::from_shape(shape);
    for (T& value : x.storage()) {
        value = static_cast<T>(d.from(first, last));
    }
    return x;
}

/// Fails unless a mask in its own type answers as expected.
template <class M>
void check_mask(record& r, const M& m, const array<char>& kept, const shape_t& shape) {
    r.that("shape of a mask", shape_t(m.shape().begin(), m.shape().end()) == shape);
    const xt::xarray<bool> assigned = m;
    r.same("xt::xarray<bool> = mask", assigned.storage(), kept, shape);
    std::size_t count = 0;
    for (const char one : kept) {
        count += static_cast<std::size_t>(one);
    }
    r.number("count_kept", xmask::count_kept(m), count);
    const std::size_t n = columns_of(shape);
    for (std::size_t ask = 0; ask < (kept.size() == 0 ? 0 : 8); ++ask) {
        const std::size_t row = r.d.below(rows_of(shape));
        const std::size_t c = r.d.below(n);
        const auto cursor = m.row(row);
        std::uint64_t word = 0;
        for (std::size_t k = 0; k < 64 && c + k < n; ++k) {
            word |= std::uint64_t(kept[row * n + c + k]) << k;
        }
        r.number("word", cursor.word(c), word);
        if constexpr (requires { cursor.at(c); }) {
            const xmask::stretch ahead = cursor.at(c);
            bool right = ahead.end > c;
            for (std::size_t k = c; k < std::min(ahead.end, n); ++k) {
                right = right &&
                        (ahead.kind == xmask::stretch_kind::unknown ||
                         (ahead.kind == xmask::stretch_kind::kept) == (kept[row * n + k] != 0));
            }
            r.that("stretch", right, "it does not agree with the elements");
        }
    }
}

/// A fill in the mask's own type, with the fast paths of this type.
template <class M>
void check_fill(record& r, const M& m, const array<char>& kept, const shape_t& shape) {
    auto x = xt::xarray<float>::from_shape(shape);
    array<float> expected(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        x.storage()[i] = kept[i] != 0 ? static_cast<float>(i % 97) : draw_garbage<float>(r.d);
        expected[i] = kept[i] != 0 ? x.storage()[i] : -5.f;
    }
    const xt::xarray<float> y = xmask::masked_fill(x, m, -5.f);
    r.same("masked_fill, native mask", y.storage(), expected, shape);
    xmask::masked_fill_inplace(x, m, -5.f);
    r.same("masked_fill_inplace, native mask", x.storage(), expected, shape);
}

/// A mask that owns its data, checked and hidden.
template <class M>
drawn_mask made(record& r, M m, array<char> kept, std::string text) {
    const shape_t shape(m.shape().begin(), m.shape().end());
    if (r.d.once_in(3)) {
        r.mask = text;
        check_mask(r, m, kept, shape);
        if (r.d.coin()) {
            check_fill(r, m, kept, shape);
        }
    }
    return {shape, std::move(kept), hide(std::move(m)), std::move(text)};
}
} // namespace fuzz
