// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <numeric>

#include <xmask/masks/largest.hpp>
#include <xmask/masks/largest_along.hpp>
#include <xmask/masks/largest_slices.hpp>

#include "axes.hpp"
#include "builders.hpp"

/// @file
/// Masks of the largest elements.

namespace fuzz {
namespace {
using xmask::size_by;

/// Sorts positions: larger elements first, equal ones in order, NaN last.
template <size_by By, class T>
void sort_by_size(std::vector<std::size_t>& positions, const xt::xarray<T>& x) {
    const auto size = [&](std::size_t i) {
        const auto value = static_cast<long double>(x.storage()[i]);
        return By == size_by::magnitude ? std::abs(value) : value;
    };
    std::sort(positions.begin(), positions.end(), [&](std::size_t a, std::size_t b) {
        const long double p = size(a);
        const long double q = size(b);
        if (std::isnan(p) || std::isnan(q)) {
            return std::isnan(p) == std::isnan(q) ? a < b : std::isnan(q);
        }
        return p > q || (p == q && a < b);
    });
}

/// Keeps the k largest of each group of m neighbours in each line.
template <size_by By, class T>
array<char> kept_of_lines(
    const xt::xarray<T>& x, const std::vector<std::vector<std::size_t>>& lines, std::size_t k,
    std::size_t m
) {
    array<char> kept(x.size());
    for (const std::vector<std::size_t>& line : lines) {
        for (std::size_t at = 0; at < line.size(); at += m) {
            const auto begin = line.begin() + static_cast<std::ptrdiff_t>(at);
            std::vector<std::size_t> group(
                begin, begin + static_cast<std::ptrdiff_t>(std::min(m, line.size() - at))
            );
            sort_by_size<By>(group, x);
            for (std::size_t i = 0; i < std::min(k, group.size()); ++i) {
                kept[group[i]] = 1;
            }
        }
    }
    return kept;
}

template <class T>
xt::xarray<T> draw_weights(record& r, const shape_t& shape) {
    const values like = draw_values(r.d);
    auto x = xt::xarray<T>::from_shape(shape);
    for (T& value : x.storage()) {
        value = draw_value<T>(r.d, like);
    }
    return x;
}

std::vector<std::vector<std::size_t>> lines_along(const shape_t& shape, std::size_t axis) {
    const array<char> all(size_of(shape), 1);
    return kept_along(all, shape, {static_cast<std::ptrdiff_t>(axis)});
}

template <size_by By, class T>
std::string size_text(const char* name, std::size_t k) {
    return std::string(name) + (By == size_by::magnitude ? "<magnitude>(" : "<value>(") +
           type_name<T> + ", " + std::to_string(k) + ")";
}

template <class T, size_by By>
drawn_mask top_k(record& r, const shape_t& shape) {
    xt::xarray<T> x = draw_weights<T>(r, shape);
    const bool along = r.d.coin();
    const std::size_t axis = along ? r.d.below(shape.size()) : shape.size() - 1;
    const std::size_t k = r.d.of<std::size_t>(
        {0, std::min<std::size_t>(1, shape[axis]), shape[axis], r.d.from(0, shape[axis])}
    );
    array<char> kept =
        kept_of_lines<By>(x, lines_along(shape, axis), k, std::max<std::size_t>(1, shape[axis]));
    if (along) {
        const auto at = static_cast<std::ptrdiff_t>(axis);
        return made(
            r, xmask::keep_top_k<By>(std::move(x), k, at), std::move(kept),
            size_text<By, T>("keep_top_k along an axis", k)
        );
    }
    return made(
        r, xmask::keep_top_k<By>(std::move(x), k), std::move(kept),
        size_text<By, T>("keep_top_k", k)
    );
}

template <class T, size_by By>
drawn_mask n_of_m(record& r, const shape_t& shape) {
    xt::xarray<T> x = draw_weights<T>(r, shape);
    const bool along = r.d.coin();
    const std::size_t axis = along ? r.d.below(shape.size()) : shape.size() - 1;
    std::size_t m = r.d.of<std::size_t>({2, 3, 4, 8, 16, 13});
    while (shape[axis] % m != 0) {
        --m;
    }
    const std::size_t n = r.d.from(0, m);
    array<char> kept = kept_of_lines<By>(x, lines_along(shape, axis), n, m);
    const std::string of = " of " + std::to_string(m);
    if (along) {
        const auto at = static_cast<std::ptrdiff_t>(axis);
        return made(
            r, xmask::keep_n_of_m<By>(std::move(x), n, m, at), std::move(kept),
            size_text<By, T>("keep_n_of_m along an axis", n) + of
        );
    }
    return made(
        r, xmask::keep_n_of_m<By>(std::move(x), n, m), std::move(kept),
        size_text<By, T>("keep_n_of_m", n) + of
    );
}

template <class T, size_by By>
drawn_mask largest(record& r, const shape_t& shape) {
    xt::xarray<T> x = draw_weights<T>(r, shape);
    const double fraction = r.d.of({0., 1., 0.5, r.d.share()});
    const auto k = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(x.size())));
    std::vector<std::vector<std::size_t>> all(1, std::vector<std::size_t>(x.size()));
    std::iota(all[0].begin(), all[0].end(), std::size_t(0));
    array<char> kept = kept_of_lines<By>(x, all, k, std::max<std::size_t>(1, x.size()));
    return made(
        r, xmask::keep_largest<By>(std::move(x), fraction), std::move(kept),
        size_text<By, T>("keep_largest", k)
    );
}

/// Whole slices; their elements are small integers, so that norms are exact.
drawn_mask slices(record& r, const shape_t& shape) {
    auto x = xt::xarray<float>::from_shape(shape);
    const std::size_t axis = r.d.below(shape.size());
    std::vector<double> norms(shape[axis], 0.);
    const bool largest = r.d.coin();
    std::size_t i = 0;
    for_each_index(shape, [&](const shape_t& index) {
        const double size = static_cast<double>(r.d.below(4));
        x.storage()[i++] = static_cast<float>(r.d.coin() ? size : -size);
        double& norm = norms[index[axis]];
        norm = largest ? std::max(norm, size) : norm + size;
    });
    const double fraction = r.d.share();
    const auto k =
        static_cast<std::size_t>(std::llround(fraction * static_cast<double>(norms.size())));
    std::vector<std::size_t> order(norms.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return norms[a] != norms[b] ? norms[a] > norms[b] : a < b;
    });
    std::vector<bool> chosen(norms.size(), false);
    for (std::size_t j = 0; j < k; ++j) {
        chosen[order[j]] = true;
    }
    const double p = largest ? std::numeric_limits<double>::infinity() : 1;
    const auto at = static_cast<std::ptrdiff_t>(axis);
    return made(
        r, xmask::keep_largest_slices(x, fraction, at, p),
        kept_where(shape, [&](const shape_t& index) { return chosen[index[axis]]; }),
        "keep_largest_slices(" + std::to_string(k) + " along " + std::to_string(axis) + ")"
    );
}
} // namespace

const builders& size_builders() {
    static const builders all = {
        {has_elements, top_k<float, size_by::value>},
        {has_elements, top_k<float, size_by::magnitude>},
        {has_elements, top_k<std::int8_t, size_by::magnitude>},
        {has_elements, n_of_m<float, size_by::magnitude>},
        {has_elements, n_of_m<std::int16_t, size_by::value>},
        {has_elements, largest<double, size_by::value>},
        {has_elements, largest<std::int32_t, size_by::magnitude>},
        {has_elements, slices},
    };
    return all;
}
} // namespace fuzz
