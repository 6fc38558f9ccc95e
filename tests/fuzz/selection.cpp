// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/largest.hpp>
#include <xmask/reduce/quantile.hpp>

#include "families.hpp"

/// @file
/// Selection beside sorting: the largest elements, medians and quantiles of rows with ties, NaN,
/// infinities and both zeros, of rows that are all alike, sorted, reversed, or organ pipes. A case
/// compares 64 rows: 10,000,000 rows are
///
///     xmask_fuzz --only selection --cases 156250

namespace fuzz {
namespace {
using xmask::size_by;

constexpr std::size_t row_count = 64;

/// Any number of T: any bits, few different numbers, or the numbers that are easily confused.
template <class T>
T draw_any(dice& d, std::size_t kind) {
    if constexpr (std::is_floating_point_v<T>) {
        using limits = std::numeric_limits<T>;
        using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
        switch (kind) {
        case 0:
            return std::bit_cast<T>(static_cast<bits>(d.bits()));
        case 1:
            return d.of<T>(
                {T(0), -T(0), T(1), -T(1), limits::infinity(), -limits::infinity(),
                 limits::quiet_NaN(), -limits::quiet_NaN(), limits::denorm_min(), limits::lowest(),
                 limits::max()}
            );
        case 2:
            return d.once_in(20) ? limits::quiet_NaN() : static_cast<T>(d.share() - 0.5);
        default:
            return static_cast<T>(d.below(kind)) - static_cast<T>(kind / 2);
        }
    } else {
        return kind < 3 ? static_cast<T>(d.bits()) : static_cast<T>(d.below(kind) - kind / 2);
    }
}

/// Fills a row, then orders it in one of the ways that are hard for selection.
template <class T>
void draw_row(dice& d, T* first, std::size_t n) {
    const std::size_t kind = d.of<std::size_t>({0, 1, 2, 3, 9, 1000, 1000000});
    const T alike = draw_any<T>(d, kind);
    const bool equal = d.once_in(10);
    for (std::size_t i = 0; i < n; ++i) {
        first[i] = equal ? alike : draw_any<T>(d, kind);
    }
    const auto less = [](T a, T b) { return a < b || (b != b && a == a); };
    T* const last = first + n;
    switch (d.below(6)) {
    case 0:
        return std::sort(first, last, less);
    case 1:
        std::sort(first, last, less);
        return std::reverse(first, last);
    case 2:
        std::sort(first, last, less);
        return std::reverse(first + n / 2, last);
    default:
        return;
    }
}

/// The first k positions in the order of selection: larger ones first, equal ones in the order of
/// their positions, NaN last.
template <size_by By, class T>
void keep_first(const T* x, std::size_t n, std::size_t k, char* kept) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t(0));
    const auto size = [&](std::size_t i) {
        const auto value = static_cast<double>(x[i]);
        return By == size_by::magnitude ? std::abs(value) : value;
    };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const double u = size(a);
        const double v = size(b);
        return u > v || (u == u && v != v) || (a < b && (u == v || (u != u && v != v)));
    });
    for (std::size_t i = 0; i < k; ++i) {
        kept[order[i]] = 1;
    }
}

template <size_by By, class T>
void check_largest(record& r, const xt::xarray<T>& x, const shape_t& shape) {
    const std::size_t n = shape[1];
    const std::size_t k = r.d.of<std::size_t>({0, 1, n / 2, n, r.d.from(0, n), r.d.from(0, n)});
    r.operands += ", k " + std::to_string(k);
    array<char> kept(x.size());
    for (std::size_t row = 0; row < row_count; ++row) {
        keep_first<By>(x.data() + row * n, n, k, kept.begin() + row * n);
    }
    r.same("keep_top_k", xt::xarray<char>(xmask::keep_top_k<By>(x, k)).storage(), kept, shape);
    if (r.d.once_in(32)) {
        const double fraction = r.d.of({0., 0.5, 1., r.d.share()});
        array<char> all(x.size());
        keep_first<By>(
            x.data(), x.size(),
            static_cast<std::size_t>(std::llround(fraction * static_cast<double>(x.size()))),
            all.begin()
        );
        r.same(
            "keep_largest", xt::xarray<char>(xmask::keep_largest<By>(x, fraction)).storage(), all,
            shape
        );
    }
}

/// The quantile of sorted numbers, none of which is NaN.
template <class T>
double quantile_of(const std::vector<T>& sorted, double q) {
    const double rank = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const auto low = static_cast<double>(sorted[below]);
    const auto high = static_cast<double>(sorted[std::min(below + 1, sorted.size() - 1)]);
    const double part = rank - static_cast<double>(below);
    // Between a number and an infinity is the infinity, between two infinities NaN.
    return part == 0 || low == high               ? low
           : std::isinf(low) && !std::isinf(high) ? low
           : std::isinf(high) && !std::isinf(low) ? high
                                                  : low * (1 - part) + high * part;
}

template <class T>
void check_quantiles(record& r, const xt::xarray<T>& x, const shape_t& shape) {
    const std::size_t n = shape[1];
    const double q = r.d.of({0., 1., 0.25, r.d.share()});
    const double share = r.d.of({1., 0.5, r.d.share()});
    xt::xarray<bool> chosen = xt::zeros<bool>(shape);
    array<double> medians(row_count);
    array<double> quantiles(row_count);
    array<double> size(row_count);
    std::vector<T> sorted;
    for (std::size_t row = 0; row < row_count; ++row) {
        sorted.clear();
        for (std::size_t c = 0; c < n; ++c) {
            const std::size_t at = row * n + c;
            chosen.storage()[at] = r.d.share() < share;
            if (chosen.storage()[at]) {
                sorted.push_back(x.storage()[at]);
            }
        }
        if (std::any_of(sorted.begin(), sorted.end(), [](T value) { return value != value; })) {
            medians[row] = quantiles[row] = std::numeric_limits<double>::quiet_NaN();
        } else if (!sorted.empty()) {
            std::sort(sorted.begin(), sorted.end());
            medians[row] = static_cast<double>(sorted[(sorted.size() - 1) / 2]);
            quantiles[row] = quantile_of(sorted, q);
            size[row] = std::abs(static_cast<double>(sorted[0])) +
                        std::abs(static_cast<double>(sorted.back()));
        }
    }
    const auto mask = xmask::keep_where(chosen);
    const auto zero = xmask::when_empty::zero;
    const shape_t result = {row_count};
    r.close(
        "masked_median", xmask::masked_median(x, mask, -1, zero).storage(), medians, {0}, result
    );
    r.close(
        "masked_quantile", xmask::masked_quantile(x, mask, q, -1, zero).storage(), quantiles, size,
        {1e-6, static_cast<double>(std::numeric_limits<T>::denorm_min())}, result
    );
}

template <class T>
void check_rows(record& r, const char* name) {
    const shape_t shape = {row_count, std::clamp<std::size_t>(draw_columns(r.d), 1, 1000)};
    auto x = xt::xarray<T>::from_shape(shape);
    for (std::size_t row = 0; row < row_count; ++row) {
        draw_row(r.d, x.data() + row * shape[1], shape[1]);
    }
    r.operands = std::string(name) + text_of(shape);
    r.d.coin() ? check_largest<size_by::value>(r, x, shape)
               : check_largest<size_by::magnitude>(r, x, shape);
    check_quantiles(r, x, shape);
}
} // namespace

void run_selection(record& r) {
    switch (r.d.below(4)) {
    case 0:
        return check_rows<double>(r, "double");
    case 1:
        return check_rows<std::int32_t>(r, "int32");
    default:
        return check_rows<float>(r, "float");
    }
}
} // namespace fuzz
