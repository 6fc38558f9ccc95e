// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"

/// @file
/// The largest and the smallest of what a mask keeps, and where they stand.

namespace xmask::inline XMASK_ABI {
namespace detail {
enum class extreme { largest, smallest };

template <class T>
constexpr bool is_nan(T x) noexcept {
    return std::is_floating_point_v<T> && x != x;
}

/// Keeps the extreme of what it sees; NaN is more extreme than any number, as in PyTorch.
template <class T, extreme Which>
struct extreme_fold {
    using state = lane_t<T>;
    static constexpr bool in_registers = has_lanes<T>;
    static constexpr bool real = std::is_floating_point_v<T>;

    /// Lanes of a row; NaN is looked for on the side.
    struct registers {
        lanes<T> value;
        lane_mask<T> nan;
    };

    [[nodiscard]] static constexpr state start() noexcept {
        using limits = std::numeric_limits<T>;
        if constexpr (real) {
            return Which == extreme::largest ? -limits::infinity() : limits::infinity();
        } else {
            return Which == extreme::largest ? limits::lowest() : limits::max();
        }
    }

    /// Whether a takes the place of b.
    [[nodiscard]] static constexpr bool beats(state a, state b) noexcept {
        const bool beyond = Which == extreme::largest ? a > b : a < b;
        return beyond || (is_nan(a) && !is_nan(b));
    }

    void add(state& to, T x) const noexcept { merge(to, static_cast<state>(x)); }

    void merge(state& to, state other) const noexcept { to = beats(other, to) ? other : to; }

    [[nodiscard]] registers start_registers() const noexcept {
        return {neutral(), lane_mask<T>(false)};
    }

    XMASK_INLINE void add(registers& to, const lanes<T>& x) const noexcept {
        if constexpr (real) {
            to.nan = to.nan | (x != x);
        }
        to.value = further(to.value, x);
    }

    XMASK_INLINE void join(registers& to, const registers& other) const noexcept {
        if constexpr (real) {
            to.nan = to.nan | other.nan;
        }
        to.value = further(to.value, other.value);
    }

    [[nodiscard]] state total(const registers& from) const noexcept {
        if constexpr (real) {
            if (xsimd::any(from.nan)) {
                return std::numeric_limits<T>::quiet_NaN();
            }
        }
        std::array<state, lane_count<T>> each;
        from.value.store_unaligned(each.data());
        state best = start();
        for (const state one : each) {
            merge(best, one);
        }
        return best;
    }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(start()); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        const auto before = lanes<T>::load_unaligned(to);
        if constexpr (real) {
            const auto beyond = Which == extreme::largest ? x > before : x < before;
            xsimd::select(beyond | (x != x), x, before).store_unaligned(to);
        } else {
            further(before, x).store_unaligned(to);
        }
    }

private:
    XMASK_INLINE static lanes<T> further(const lanes<T>& a, const lanes<T>& b) noexcept {
        return Which == extreme::largest ? xsimd::max(a, b) : xsimd::min(a, b);
    }
};

/// An extreme and its flat position among the axes that go.
template <class State>
struct placed {
    State value;
    std::size_t at = none;

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
};

/// The first column at which a row keeps `value`, or NaN where that is NaN.
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

/// Takes the extreme of a row, whose columns begin at flat position `first`, where it beats what
/// there is.
template <class T, extreme Which, class Rows>
void place_row(placed<lane_t<T>>& best, const Rows& rows, std::size_t r, std::size_t first) {
    using fold = extreme_fold<T, Which>;
    row_fold<T, fold> all{fold()};
    const auto row = rows.row(r);
    fold_row(all, row.cursor(), row.operands(), 0, row.columns());
    const auto value = all.total();
    if (all.count() != 0 && (best.at == best.none || fold::beats(value, best.value))) {
        auto again = rows.row(r);
        best = {value, first + find_kept(again, static_cast<T>(value))};
    }
}

/// The same of each column, all of which have flat position `at`.
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

/// The flat position, among the axes that go, of each row's first column.
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

template <extreme Which, class X, class M>
std::size_t place(const char* function, const X& x, const M& m, const reduce_options& options) {
    using element = element_t<X>;
    const auto rows = masked_rows<element>(function, x, m);
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    placed<lane_t<element>> best{};
    for (std::size_t r = 0; r < row_count; ++r) {
        place_row<element, Which>(best, rows, r, r * n);
    }
    return best.at != best.none ? best.at : position_of_nothing(function, options.empty);
}

template <extreme Which, class X, class M>
xt::xarray<std::size_t> place_along(
    const char* function, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    const auto rows = masked_rows<element>(function, x, m);
    const auto positions = reduced_positions(x.shape(), kept);
    std::vector<placed<lane_t<element>>> best(kept.size());
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto first = static_cast<std::size_t>(positions(r));
        if (kept.keeps_last()) {
            auto row = rows.row(r);
            place_columns<element, Which>(best.data() + kept.offset(r), row, first);
            continue;
        }
        place_row<element, Which>(best[kept.offset(r)], rows, r, first);
    }
    return make_result<std::size_t>(kept, options.keep_axes, [&](std::size_t i) {
        return best[i].at != best[i].none ? best[i].at
                                          : position_of_nothing(function, options.empty);
    });
}
} // namespace detail

/// The largest element that the mask keeps, -infinity (of integers: the lowest) where that is
/// nothing. NaN that is kept is the result.
///
/// x: a tensor or lazy expression of numbers. Returns x's type. Throws std::invalid_argument where
/// the mask does not broadcast into x. One pass over what is kept.
///
///     float largest = xmask::masked_max(x, xmask::keep_lengths(lengths, n));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_max", detail::extreme_fold<element, detail::extreme::largest>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The largest elements along `axes`, one for each position of the axes that stay. Over the tokens
/// of (batch, tokens, features) this is max pooling.
///
///     xt::xarray<float> pooled = xmask::masked_max(hidden, xmask::unsqueeze(m, -1), 1, xmask::when_empty::zero);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_max", detail::extreme_fold<element, detail::extreme::largest>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_max(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The smallest element that the mask keeps, +infinity (of integers: the highest) where that is
/// nothing. Otherwise as masked_max.
///
///     float smallest = xmask::masked_min(x, xmask::keep_finite(x));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_min", detail::extreme_fold<element, detail::extreme::smallest>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The smallest elements along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_min(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_min", detail::extreme_fold<element, detail::extreme::smallest>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_min(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The flat row-major position of the largest element that the mask keeps: of the first NaN, if
/// there is one, or of the first of several. Where nothing is kept there is no position: throws
/// std::domain_error, or gives 0 for when_empty::zero. Otherwise as masked_max; rows that hold a
/// new largest are read twice.
///
///     std::size_t where = xmask::masked_argmax(x, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
std::size_t masked_argmax(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place<detail::extreme::largest>(
            "masked_argmax", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return 0;
}

/// The index along the axis that goes, for each position of the axes that stay; where several go,
/// the flat row-major position among them.
///
///     xt::xarray<std::size_t> classes = xmask::masked_argmax(scores, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmax(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place_along<detail::extreme::largest>(
            "masked_argmax", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmax(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_argmax(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The flat row-major position of the smallest element that the mask keeps. Otherwise as
/// masked_argmax.
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
std::size_t masked_argmin(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place<detail::extreme::smallest>(
            "masked_argmin", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return 0;
}

/// The same along `axes`.
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmin(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place_along<detail::extreme::smallest>(
            "masked_argmin", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmin(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_argmin(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
struct equal_to_extreme {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        return x == extreme ? A(1) : A(0);
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& extreme) const {
        using lane = typename B::value_type;
        return xsimd::select(x == extreme, B(lane(1)), B(lane(0)));
    }
};

/// a where x is the extreme, and everywhere where that is NaN.
struct share_of_extreme {
    template <class A>
    A operator()(const A& x, const A& extreme, const A& a) const {
        return x < extreme || x > extreme ? A(0) : a;
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& extreme, const B& a) const {
        const B zero(typename B::value_type(0));
        return xsimd::select((x < extreme) | (x > extreme), zero, a);
    }
};

template <extreme Which, class X, class M, class U>
auto extreme_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream
) {
    using element = element_t<X>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const auto best = fold_elements<element>(
        function, extreme_fold<element, Which>(), x, m, names, reduce_options{std::nullopt, true}
    );
    const auto tie = lazy_function(equal_to_extreme(), x, best);
    const auto ties =
        fold_elements<element>(function, sum_fold<element>(), tie, m, names, reduce_options());
    const auto share = at_positions<element>(axes, [&](std::size_t i) {
        return is_nan(best.data()[i]) ? best.data()[i]
               : ties.data()[i] == 0  ? element(0)
                                      : u.data()[i] / ties.data()[i];
    });
    return fill_kept<element>(x.shape(), lazy_function(share_of_extreme(), x, best, share), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_max(x, m, axes) by x: u at the largest,
/// shared evenly by elements that tie, as of torch.amax; 0 elsewhere and where the mask drops; NaN
/// for all that is kept where the largest is NaN. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_max_gradient(hidden, xmask::unsqueeze(m, -1), dpooled, 1);    // of max pooling
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_max_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::extreme_gradient<detail::extreme::largest>(
            "masked_max_gradient", x, m, axes, upstream
        );
    }
}

/// The gradient of `upstream` times masked_max(x, m), over everything.
template <class X, class M>
auto masked_max_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::extreme_gradient<detail::extreme::largest>(
            "masked_max_gradient", x, m, detail::every_axis(x.dimension()), upstream
        );
    }
}

/// The same of masked_min.
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_min_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::extreme_gradient<detail::extreme::smallest>(
            "masked_min_gradient", x, m, axes, upstream
        );
    }
}

template <class X, class M>
auto masked_min_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::extreme_gradient<detail::extreme::smallest>(
            "masked_min_gradient", x, m, detail::every_axis(x.dimension()), upstream
        );
    }
}
} // namespace xmask::inline XMASK_ABI
