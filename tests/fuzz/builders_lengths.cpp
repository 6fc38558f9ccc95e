// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/lengths.hpp>
#include <xmask/masks/ranges.hpp>
#include <xmask/masks/run_lengths.hpp>

#include "builders.hpp"

/// @file
/// Masks of lengths, ranges, packed sequences and runs.

namespace fuzz {
namespace {
/// A length that fits into T.
template <class T>
std::size_t most_of(std::size_t n) {
    return static_cast<std::size_t>(
        std::min<std::uintmax_t>(n, static_cast<std::uintmax_t>(std::numeric_limits<T>::max()))
    );
}

template <class T, bool last>
drawn_mask lengths_of_type(record& r, const shape_t& shape) {
    const std::size_t n = shape.back();
    const xt::xarray<T> lengths = draw_integers<T>(r.d, leading(shape), 0, most_of<T>(n));
    array<char> kept(size_of(shape));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto length = static_cast<std::size_t>(lengths.storage()[i / n]);
        kept[i] = last ? i % n >= n - length : i % n < length;
    }
    const std::string text = std::string(last ? "keep_last(" : "keep_lengths(") + type_name<T> +
                             ", " + std::to_string(n) + ")";
    if constexpr (last) {
        return made(r, xmask::keep_last(xt::xarray<T>(lengths), n), std::move(kept), text);
    } else {
        return made(r, xmask::keep_lengths(xt::xarray<T>(lengths), n), std::move(kept), text);
    }
}

template <bool last>
drawn_mask lengths(record& r, const shape_t& shape) {
    switch (r.d.below(5)) {
    case 0:
        return lengths_of_type<std::int8_t, last>(r, shape);
    case 1:
        return lengths_of_type<std::uint8_t, last>(r, shape);
    case 2:
        return lengths_of_type<std::uint16_t, last>(r, shape);
    case 3:
        return lengths_of_type<std::int64_t, last>(r, shape);
    default:
        return lengths_of_type<std::int32_t, last>(r, shape);
    }
}

drawn_mask ranges(record& r, const shape_t& shape) {
    const std::size_t n = shape.back();
    xt::xarray<std::int32_t> begin = draw_integers<std::int32_t>(r.d, leading(shape), 0, n);
    xt::xarray<std::uint64_t> end = draw_integers<std::uint64_t>(r.d, leading(shape), 0, n);
    for (std::size_t row = 0; row < begin.size(); ++row) {
        auto& from = begin.storage()[row];
        auto& to = end.storage()[row];
        if (std::cmp_greater(from, to)) {
            const auto was = from;
            from = static_cast<std::int32_t>(to);
            to = static_cast<std::uint64_t>(was);
        }
    }
    array<char> kept(size_of(shape));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] =
            std::cmp_greater_equal(i % n, begin.storage()[i / n]) && i % n < end.storage()[i / n];
    }
    return made(
        r, xmask::keep_ranges(std::move(begin), std::move(end), n), std::move(kept),
        "keep_ranges(" + std::to_string(n) + ")"
    );
}

drawn_mask packed(record& r, const shape_t& shape) {
    std::vector<int> cumulative = {0};
    array<char> kept(size_of(shape));
    for (std::size_t row = 0; row < shape[0]; ++row) {
        const std::size_t length = r.d.from(0, shape[1]);
        cumulative.push_back(cumulative.back() + static_cast<int>(length));
        std::fill_n(kept.begin() + row * shape[1], length, char(1));
    }
    return made(
        r, xmask::keep_packed(cumulative, shape[1]), std::move(kept),
        "keep_packed(" + std::to_string(shape[1]) + ")"
    );
}

drawn_mask runs(record& r, const shape_t& shape) {
    std::vector<std::size_t> counts;
    array<char> kept(size_of(shape));
    std::size_t at = 0;
    const std::size_t most = r.d.of<std::size_t>({2, 10, 100, 1000});
    while (at < kept.size()) {
        const std::size_t length = std::min(r.d.from(0, most), kept.size() - at);
        std::fill_n(kept.begin() + at, length, static_cast<char>(counts.size() % 2));
        counts.push_back(length);
        at += length;
    }
    return made(r, xmask::keep_run_lengths(counts, shape), std::move(kept), "keep_run_lengths");
}

bool packs(const shape_t& shape) { return shape.size() == 2; }
} // namespace

const builders& length_builders() {
    static const builders all = {
        {has_rows, lengths<false>}, {has_rows, lengths<true>}, {has_rows, ranges}, {packs, packed},
        {any_shape, runs},
    };
    return all;
}
} // namespace fuzz
