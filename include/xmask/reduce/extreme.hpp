// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <optional>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "../masks/count_along.hpp"
#include "extreme_fold.hpp"
#include "extreme_ties.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"

/// @file
/// The largest and the smallest element that a mask keeps, and where it stands.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// An extreme and its flat position among the axes that are reduced.
template <class State>
struct placed {
    State value;
    std::size_t at = none;

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
};

/// The first column at which a row keeps `value`. Where `value` is NaN, any NaN is found.
template <class T, class Row>
std::size_t find_kept(Row& row, T value) {
    std::size_t found = placed<T>::none;
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        if (found != placed<T>::none) {
            return;
        }
        const auto block = row.block(c, count, bits);
        word_t equal = 0;
        if constexpr (has_lanes<T>) {
            const auto wanted = lanes<T>(static_cast<lane_t<T>>(value));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = block.template value_register<full>(k, count - k);
                equal |= bits_from_mask(is_nan(value) ? x != x : x == wanted) << k;
            });
            equal &= bits;
        } else {
            for (word_t rest = bits; rest != 0; rest &= rest - 1) {
                const T x = block.value(lowest_bit(rest));
                equal |= (is_nan(value) ? is_nan(x) : x == value) ? rest & (~rest + 1) : 0;
            }
        }
        if (equal != 0) {
            found = c + lowest_bit(equal);
        }
    });
    return found;
}

/// Merges the extreme of row r, whose columns begin at flat position `first`. A row that brings a
/// new extreme is read twice.
template <class T, extreme Which, class Rows>
void place_row(placed<lane_t<T>>& best, const Rows& rows, std::size_t r, std::size_t first) {
    using fold = extreme_fold<T, Which>;
    const auto all = fold_row<T>(fold(), rows.row(r));
    if (all.kept != 0 && (best.at == best.none || fold::beats(all.value, best.value))) {
        auto again = rows.row(r);
        best = {all.value, first + find_kept(again, static_cast<T>(all.value))};
    }
}

/// Merges each column of a row into its own extreme. All columns have the flat position `at`.
template <class T, extreme Which, class Row>
void place_columns(placed<lane_t<T>>* best, Row& row, std::size_t at) {
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
        const auto block = row.block(c, count, bits);
        for (; bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            const auto value = static_cast<lane_t<T>>(block.value(k));
            auto& to = best[c + k];
            if (to.at == to.none || extreme_fold<T, Which>::beats(value, to.value)) {
                to = {value, at};
            }
        }
    });
}

/// The flat position of a row's first column, of everything.
template <class S>
auto reduced_positions(const S& shape, const everything& /*over*/) {
    return [n = columns_of(shape)](std::size_t r) { return r * n; };
}

/// The flat position of a row's first column, among the axes that are reduced.
template <class S>
row_offsets reduced_positions(const S& shape, const kept_axes& axes) {
    std::array<std::ptrdiff_t, max_rank> strides{};
    std::ptrdiff_t stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        if (axes.reduces(axis)) {
            strides[axis] = stride;
            stride *= static_cast<std::ptrdiff_t>(shape[axis]);
        }
    }
    return row_offsets(shape, shape, strides);
}

template <extreme Which>
struct extreme_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using element = element_t<X>;
        return fold_elements<element>(function, extreme_fold<element, Which>(), x, m, over, chosen);
    }

    template <class X, class M, class U>
    static auto gradient(
        const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
        const no_options& /*options*/
    ) {
        using element = element_t<X>;
        const auto u = upstream_of<element>(function, upstream, axes);
        const auto best = fold_elements<element>(
            function, extreme_fold<element, Which>(), x, m, axes, reduce_options{std::nullopt, true}
        );
        const auto ties = kept_ties<element>(x, m, best);
        const auto counts = count_along(x.shape(), ties, axes);
        const auto share = at_positions<element>(axes, [&](std::size_t i) {
            return is_nan(best.data()[i]) ? best.data()[i]
                   : counts[i] == 0       ? element(0)
                                          : u.data()[i] / static_cast<element>(counts[i]);
        });
        return fill_kept<element>(x.shape(), share, ties);
    }
};

using max_formula = extreme_formula<extreme::largest>;
using min_formula = extreme_formula<extreme::smallest>;

/// The positions of the extremes of each result, in two passes over the rows that bring a new one.
template <extreme Which>
struct place_formula : plain_arguments {
    template <class X, class M, reduced_axes Axes>
    static auto of(
        const char* function, const X& x, const M& m, const Axes& over, const options& chosen
    ) {
        using element = element_t<X>;
        const auto rows = masked_rows<element>(function, x, m);
        const auto positions = reduced_positions(x.shape(), over);
        auto best = one_each<placed<lane_t<element>>>(over);
        const std::size_t n = columns_of(x.shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
        for (std::size_t r = 0; r < row_count; ++r) {
            const auto first = static_cast<std::size_t>(positions(r));
            auto* const to = best.data() + over.offset(r);
            if (over.keeps_last()) {
                auto row = rows.row(r);
                place_columns<element, Which>(to, row, first);
            } else {
                place_row<element, Which>(*to, rows, r, first);
            }
        }
        return make_result<std::size_t>(over, chosen.keep_axes, [&](std::size_t i) {
            return best[i].at != best[i].none ? best[i].at
                                              : position_of_nothing(function, chosen.empty);
        });
    }
};
} // namespace detail

/// The largest element that the mask keeps; -infinity (of integers the lowest) where nothing is
/// kept. NaN that is kept is the result. Along the tokens of (batch, tokens, features) this is max
/// pooling.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     float largest = xmask::masked_max(x, xmask::keep_lengths(lengths, n));    // 4
///     xt::xarray<float> pooled = xmask::masked_max(hidden, xmask::unsqueeze(m, -1), 1, xmask::when_empty::zero);
///     // (3, 5)
inline constexpr reduction<detail::max_formula> masked_max("masked_max");

/// The smallest element that the mask keeps; +infinity (of integers the highest) where nothing is
/// kept. NaN that is kept is the result.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty.
/// @returns x's type.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have.
///
/// Cost: one pass over the kept elements.
///
///     float smallest = xmask::masked_min(x, xmask::keep_finite(x));    // -3
///     xt::xarray<float> rows = xmask::masked_min(x, m, -1);    // -1, -3, -2
inline constexpr reduction<detail::min_formula> masked_min("masked_min");

/// The position of the largest element that the mask keeps: of the first NaN if there is one, or of
/// the first of several equal ones.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty. Where nothing is kept there is no position:
///    when_empty::zero gives 0.
/// @returns std::size_t: the index along the axis that is reduced; of several axes, or of
///    everything, the flat row-major position among these.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have, std::domain_error where nothing is kept.
///
/// Cost: one pass over the kept elements; a row that holds a new largest element is read twice.
///
///     std::size_t where = xmask::masked_argmax(x, m);    // 5
///     xt::xarray<std::size_t> classes = xmask::masked_argmax(scores, m, -1);    // 0, 1, 2
inline constexpr reduction<detail::place_formula<detail::extreme::largest>> masked_argmax(
    "masked_argmax"
);

/// The position of the smallest element that the mask keeps: of the first NaN if there is one, or
/// of the first of several equal ones.
///
/// @param x a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into x.
/// @param axes none for everything; else a number or a list, negative ones counted from the end.
/// @param options reduce_options or a when_empty. Where nothing is kept there is no position:
///    when_empty::zero gives 0.
/// @returns std::size_t: the index along the axis that is reduced; of several axes, or of
///    everything, the flat row-major position among these.
/// @throws std::invalid_argument where the mask does not broadcast into x, std::out_of_range for an
///    axis that x does not have, std::domain_error where nothing is kept.
///
/// Cost: one pass over the kept elements; a row that holds a new smallest element is read twice.
///
///     xt::xarray<std::size_t> nearest = xmask::masked_argmin(distances, m, -1);    // 0, 3, 1
inline constexpr reduction<detail::place_formula<detail::extreme::smallest>> masked_argmin(
    "masked_argmin"
);

/// The gradient of the sum of `upstream` times masked_max(x, m, axes) by x: u at the largest
/// element, shared evenly by elements that tie, as of torch.amax; 0 elsewhere and where the mask
/// drops. NaN for all that is kept where the largest element is NaN.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_max.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
/// Cost: two passes over the kept elements, and one over the result.
///
///     xt::xtensor<float, 2> a = {{1, 3, 9}, {2, 2, 0}};
///     xt::xtensor<float, 1> up = {1, 3};
///     xt::xarray<float> da = xmask::masked_max_gradient(a, xmask::keep_lengths({2, 3}, 3), up, 1);
///     // 0, 1, 0
///     // 1.5, 1.5, 0
inline constexpr reduction_gradient<detail::max_formula> masked_max_gradient("masked_max_gradient");

/// The gradient of the sum of `upstream` times masked_min(x, m, axes) by x: u at the smallest
/// element, shared evenly by elements that tie; 0 elsewhere and where the mask drops. NaN for all
/// that is kept where the smallest element is NaN.
///
/// @param x a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into x.
/// @param upstream an array of the result's shape, with or without the axes that went; without axes
///    a number, 1 unless given.
/// @param axes those of masked_min.
/// @param options left out: this gradient has none.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that x
///    does not have.
///
/// Cost: two passes over the kept elements, and one over the result.
///
///     xt::xarray<float> dx = xmask::masked_min_gradient(x, m, upstream, -1);
///     // 0 1 0 0
///     // 0 0 2 0
///     // 3 0 0 0
inline constexpr reduction_gradient<detail::min_formula> masked_min_gradient("masked_min_gradient");
} // namespace xmask::inline XMASK_ABI
