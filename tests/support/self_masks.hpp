// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include <support/oracle.hpp>
#include <xmask/core/mask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/largest.hpp>
#include <xmask/masks/largest_along.hpp>
#include <xmask/masks/slices.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/masks/tokens.hpp>

/// @file
/// Masks that read a tensor, as functions: make(x) is the mask of x.

namespace self_masks {
/// Shapes at which rows, words and registers end.
inline const std::vector<std::vector<std::size_t>> shapes = {{1, 1},  {3, 1},  {1, 63}, {4, 64},
                                                             {3, 65}, {5, 10}, {2, 300}};

inline const std::vector<std::size_t> columns = {1, 63, 64, 65, 300};

/// A rule of a user without sources(): each column keeps where the column before is above 0.
template <class X>
struct after_positive {
    using shape_type = xt::dynamic_shape<std::size_t>;

    struct cursor {
        const X* x;
        std::size_t r;
        std::size_t n;

        std::uint64_t word(std::size_t c) const {
            std::uint64_t bits = 0;
            for (std::size_t k = 0; k < 64 && c + k < n; ++k) {
                bits |= std::uint64_t(c + k > 0 && (*x)(r, c + k - 1) > 0) << k;
            }
            return bits;
        }
    };

    explicit after_positive(const X& tensor)
        : x(std::addressof(tensor)), extents(tensor.shape().begin(), tensor.shape().end()) {}

    const shape_type& shape() const { return extents; }

    cursor row(std::size_t r) const { return {x, r, extents.back()}; }

    const X* x;
    shape_type extents;
};

inline std::size_t least_divisor(std::size_t n) {
    std::size_t m = 2;
    while (m < n && n % m != 0) {
        ++m;
    }
    return n == 1 ? 1 : m;
}

/// Calls f(name, make) for masks of matrices that read other columns than their own.
template <class F>
void for_each_elsewhere(F&& f) {
    f("shift", [](const auto& x) { return xmask::shift(xmask::keep_above(x, 0), 1); });
    f("shift left", [](const auto& x) { return !xmask::shift(xmask::keep_above(x, 0), -70); });
    f("first row", [](const auto& x) { return xmask::mask_slice(xmask::keep_above(x, 0), 0, 0); });
    f("first column", [](const auto& x) {
        return xmask::unsqueeze(xmask::mask_slice(xmask::keep_below(x, 1), 1, 0), -1);
    });
    f("n of m", [](const auto& x) {
        return xmask::keep_n_of_m(x, 1, least_divisor(x.shape()[1])) || xmask::keep_above(x, 1);
    });
    f("top k", [](const auto& x) { return xmask::keep_top_k(x, (x.shape()[1] + 1) / 2); });
    f("largest", [](const auto& x) { return xmask::keep_largest(x, 0.5); });
    f("top k along rows", [](const auto& x) { return xmask::keep_top_k(x, 1, 0); });
    f("row of thresholds", [](const auto& x) {
        return xmask::keep_at_least(x, xt::view(x, xt::range(0, 1), xt::all()));
    });
    f("unknown rule", [](const auto& x) { return xmask::mask(after_positive(x)); });
}

/// Calls f(name, make) for masks of matrices that read only their own column.
template <class F>
void for_each_in_place(F&& f) {
    f("threshold", [](const auto& x) { return xmask::keep_above(x, 0); });
    f("thresholds",
      [](const auto& x) { return !xmask::keep_above(x, 1) && xmask::keep_not_equal(x + x, 0); });
}

/// Calls f(name, make) for masks of tokens that read other columns than their own.
template <class F>
void for_each_of_tokens(F&& f) {
    f("through first", [](const auto& x) { return !xmask::keep_through_first(x, 2); });
    f("between markers", [](const auto& x) { return xmask::keep_between_markers(x, 1, 2); });
    f("tokens", [](const auto& x) { return xmask::drop_tokens(x, {1, 2, 3}); });
}

template <class T, class F>
void for_each(F&& f) {
    for_each_in_place(f);
    for_each_elsewhere(f);
    if constexpr (std::integral<T>) {
        for_each_of_tokens(f);
    }
}

/// Fails unless op(x, make(x)) gives the same as op(x, make(copy of x)). Sums may be added in
/// another order.
template <class X, class Make, class Op>
void require_as_by_copies(X& x, const Make& make, Op&& op) {
    using T = typename X::value_type;
    const xt::xarray<T> before = x;
    xt::xarray<T> expected = before;
    op(expected, make(before));
    op(x, make(x));
    REQUIRE(oracle::close(x, expected, 1e-6));
}
} // namespace self_masks
