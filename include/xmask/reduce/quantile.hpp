// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"

/// @file
/// Medians and quantiles of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// What is kept, side by side for each position of the axes that stay.
template <class T>
class kept_elements {
    using value = lane_t<T>;

public:
    template <class X, class M>
    kept_elements(const char* function, const X& x, const M& m, const kept_axes& axes)
        : m_begins(axes.size() + 1) {
        const auto rows = masked_rows<T>(function, x, m);
        const auto counts = count_along(x.shape(), m, axes);
        std::partial_sum(counts.begin(), counts.end(), m_begins.begin() + 1);
        m_values.resize(m_begins.back());
        std::vector<std::size_t> next(m_begins.begin(), m_begins.end() - 1);
        const std::size_t n = columns_of(x.shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
        for (std::size_t r = 0; r < row_count; ++r) {
            auto row = rows.row(r);
            std::size_t* to = next.data() + axes.offset(r);
            for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
                const auto block = row.block(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    const std::size_t k = lowest_bit(bits);
                    m_values[to[axes.keeps_last() ? c + k : 0]++] =
                        static_cast<value>(block.value(k));
                }
            });
        }
    }

    /// Those of position i, in any order.
    [[nodiscard]] std::span<value> at(std::size_t i) {
        return {m_values.data() + m_begins[i], m_begins[i + 1] - m_begins[i]};
    }

private:
    std::vector<std::size_t> m_begins;
    std::vector<value> m_values;
};

template <class T>
bool holds_nan(std::span<T> values) {
    return std::ranges::any_of(values, [](T x) { return is_nan(x); });
}

/// The element of rank k, as if the values were sorted; they are reordered.
template <class T>
T of_rank(std::span<T> values, std::size_t k) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(k));
    return values[k];
}

template <class R, class T>
R median_of(const char* function, std::span<T> values, const reduce_options& options) {
    if (values.empty()) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if constexpr (std::is_floating_point_v<R>) {
        if (holds_nan(values)) {
            return std::numeric_limits<R>::quiet_NaN();
        }
    }
    return static_cast<R>(of_rank(values, (values.size() - 1) / 2));
}

/// The elements between which a quantile lies, and how far it is from the lower to the higher one.
template <class T>
struct between_ranks {
    T low;
    T high;
    double share;
};

/// Of values of which there are some; they are reordered.
template <class T>
between_ranks<T> ranks_around(std::span<T> values, double q) {
    const double rank = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const double share = rank - static_cast<double>(below);
    const T low = of_rank(values, below);
    // What stands behind rank k is not smaller.
    return {low, share == 0 ? low : *std::ranges::min_element(values.subspan(below + 1)), share};
}

/// The point at a share in [0, 1) of the way from low to high. Beside an infinity it is that one;
/// between both there is none.
template <class T>
T point_between(T low, T high, T share) {
    if (share == 0 || low == high) {
        return low;
    }
    const T way = high - low;
    return std::isinf(way) ? low * (1 - share) + high * share : low + share * way;
}

template <class R, class T>
R quantile_of(const char* function, std::span<T> values, double q, const reduce_options& options) {
    using wide = wide_t<R>;
    if (values.empty()) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if (holds_nan(values)) {
        return std::numeric_limits<R>::quiet_NaN();
    }
    const auto around = ranks_around(values, q);
    return static_cast<R>(point_between(
        static_cast<wide>(around.low), static_cast<wide>(around.high),
        static_cast<wide>(around.share)
    ));
}

inline void require_share(const char* function, double q) {
    if (!(q >= 0 && q <= 1)) [[unlikely]] {
        throw_out_of_range(function, "q is ", q, "; expected a share in [0, 1]");
    }
}
} // namespace detail

/// The median of what the mask keeps: of an even number of elements the lower of the middle two, as
/// torch.median has it, so that it is one of them. NaN that is kept is the result.
///
/// x: a tensor or lazy expression of numbers. Returns x's type. Where nothing is kept: NaN (of
/// integers std::domain_error), 0, or std::domain_error, as the options say. Throws
/// std::invalid_argument where the mask does not broadcast into x. What is kept is copied; then the
/// time is in proportion to it.
///
///     float middle = xmask::masked_median(x, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const detail::kept_axes none("masked_median", x.shape(), detail::every_axis(x.dimension()));
        detail::kept_elements<element> kept("masked_median", x, m, none);
        return detail::median_of<element>(
            "masked_median", kept.at(0), detail::to_options<reduce_options>(options)
        );
    }
}

/// The medians along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_median(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_median", x.shape(), axes);
        detail::kept_elements<element> kept("masked_median", x, m, stay);
        return detail::make_result<element>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::median_of<element>("masked_median", kept.at(i), chosen);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_median(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The quantile q of what the mask keeps, 0 <= q <= 1: the element of rank q (number kept - 1), or,
/// between two ranks, on the line between their elements, as torch.quantile and NumPy have it.
/// Between a finite and an infinite element it is the infinite one, as in NumPy's median; between
/// the two infinities NaN. NaN that is kept is the result.
///
/// Returns x's type, or double for integers. Throws std::out_of_range for another q. Where nothing
/// is kept: NaN, 0, or std::domain_error, as the options say. Otherwise as masked_median.
///
///     float ninth = xmask::masked_quantile(x, m, 0.9);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const detail::kept_axes none(
            "masked_quantile", x.shape(), detail::every_axis(x.dimension())
        );
        detail::kept_elements<element> kept("masked_quantile", x, m, none);
        return detail::quantile_of<result>(
            "masked_quantile", kept.at(0), q, detail::to_options<reduce_options>(options)
        );
    }
}

/// The quantiles q along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_quantile(x, m, 0.5, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_quantile", x.shape(), axes);
        detail::kept_elements<element> kept("masked_quantile", x, m, stay);
        return detail::make_result<result>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::quantile_of<result>("masked_quantile", kept.at(i), q, chosen);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(
    const X& x, const M& m, double q, std::initializer_list<std::ptrdiff_t> axes,
    const O& options = {}
) {
    return masked_quantile(x, m, q, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// a where x is the lower of two elements, b where it is the higher one, both where they are equal;
/// a everywhere where the lower one is NaN.
struct shares_of_ranks {
    template <class A>
    A operator()(const A& x, const A& low, const A& a, const A& high, const A& b) const {
        return (x < low || x > low ? A(0) : a) + (x == high ? b : A(0));
    }
};

/// The gradient of choose(values).low and high at each position, by their shares; elements that tie
/// share it.
template <class X, class M, class U, class F>
auto rank_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    F&& choose
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    kept_elements<element> kept(function, x, m, axes);
    auto low = at_positions<element>(axes, [](std::size_t) { return 0; });
    auto high = low;
    auto to_low = low;
    auto to_high = low;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto values = kept.at(i);
        if (values.empty()) {
            continue;
        }
        if (holds_nan(values)) {
            low.data()[i] = to_low.data()[i] = std::numeric_limits<element>::quiet_NaN();
            continue;
        }
        const auto chosen = choose(values);
        const auto share = [&](element value, double part) {
            const auto ties = static_cast<wide>(std::ranges::count(values, value));
            return static_cast<element>(
                static_cast<wide>(u.data()[i]) * static_cast<wide>(part) / ties
            );
        };
        low.data()[i] = chosen.low;
        high.data()[i] = chosen.high;
        to_low.data()[i] = share(chosen.low, 1 - chosen.share);
        to_high.data()[i] = share(chosen.high, chosen.share);
    }
    return fill_kept<element>(
        x.shape(), lazy_function(shares_of_ranks(), x, low, to_low, high, to_high), m
    );
}

template <class X, class M, class U>
auto median_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    return rank_gradient("masked_median_gradient", x, m, names, upstream, [](auto values) {
        const auto middle = of_rank(values, (values.size() - 1) / 2);
        return between_ranks<std::decay_t<decltype(middle)>>{middle, middle, 0};
    });
}

template <class X, class M, class U>
auto quantile_gradient(
    const X& x, const M& m, double q, const axes_list& names, const U& upstream
) {
    require_share("masked_quantile_gradient", q);
    return rank_gradient("masked_quantile_gradient", x, m, names, upstream, [q](auto values) {
        return ranks_around(values, q);
    });
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_median(x, m, axes) by x: u at the median,
/// shared evenly by elements that equal it; 0 elsewhere and where the mask drops; NaN for all that
/// is kept where some of it is NaN. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. What is kept is copied.
///
///     xt::xarray<float> dx = xmask::masked_median_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_median_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::median_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_median(x, m), over everything.
template <class X, class M>
auto masked_median_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::median_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}

/// The same of masked_quantile: u is parted between the two elements that the quantile lies
/// between, as it is.
///
///     xt::xarray<float> dx = xmask::masked_quantile_gradient(x, m, upstream, 0.9, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class Q = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_quantile_gradient(
    const X& x, const M& m, const U& upstream, const Q& q, const A& axes
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::quantile_gradient(x, m, static_cast<double>(q), axes, upstream);
    }
}

template <class X, class M>
auto masked_quantile_gradient(const X& x, const M& m, double upstream, double q) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::quantile_gradient(x, m, q, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI
