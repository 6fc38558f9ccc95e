// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "../apply/masked_fill.hpp"
#include "../apply/multiply.hpp"
#include "../core/attributes.hpp"
#include "../core/axes.hpp"
#include "../core/overlap.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "product.hpp"

/// @file
/// Running sums and products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Writes states as results.
template <class R>
XMASK_INLINE void store_states(R* to, const lanes<double>& states) noexcept {
    if constexpr (std::is_same_v<R, float>) {
        store_narrowed(to, states);
    } else {
        store_lanes(to, states);
    }
}

/// The associative function of a fold whose state is a double, and the number that changes no
/// operand of it.
template <class Fold>
struct scan_of {};

template <class T>
struct scan_of<sum_fold<T>> {
    static constexpr double identity = 0;

    XMASK_INLINE lanes<double> operator()(const lanes<double>& a, const lanes<double>& b)
        const noexcept {
        return a + b;
    }
};

template <class T>
struct scan_of<product_fold<T>> {
    static constexpr double identity = 1;

    XMASK_INLINE lanes<double> operator()(const lanes<double>& a, const lanes<double>& b)
        const noexcept {
        return a * b;
    }
};

/// Calls f(column, register of doubles) for the elements of a block of 64 columns from c on;
/// dropped elements are the scan's identity.
template <class T, class Scan, class Block, class F>
XMASK_INLINE void for_each_widened(const Block& block, std::size_t c, word_t bits, F&& f) {
    for_each_register<T>(whole_word(), [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
        const auto x = select_by_bits<T>(
            bits, k, block.template value_register<true>(k, lane_count<T>),
            lanes<T>(static_cast<T>(Scan::identity))
        );
        for_each_wide<T>(x, [&](std::size_t i, const lanes<double>& wide) XMASK_INLINE_LAMBDA {
            f(c + k + i * lane_count<double>, wide);
        });
    });
}

/// A row whose state goes along it. Each register is folded by itself first, then with the state
/// before it, so that the next register waits for one operation only.
template <class T, class Fold, class R>
class running_row {
    static constexpr bool in_registers = has_scan && sums_in_registers<T>;

public:
    running_row(const Fold& fold, typename Fold::state* state, R* to)
        : m_fold(fold), m_to(to), m_state(state) {}

    template <class Block, class Count>
    XMASK_INLINE void block(const Block& block, std::size_t c, Count count, word_t bits) {
        if constexpr (in_registers && std::is_same_v<Count, whole_word>) {
            using scan = scan_of<Fold>;
            const lanes<double> identity(scan::identity);
            lanes<double> before(*m_state);
            const auto fold = [&](std::size_t at, const lanes<double>& x) XMASK_INLINE_LAMBDA {
                const auto folded = scan_lanes(scan(), x, identity);
                store_states(m_to + at, scan()(before, folded));
                before = scan()(before, last_lane(folded));
            };
            for_each_widened<T, scan>(block, c, bits, fold);
            *m_state = before.get(0);
        } else {
            auto state = *m_state;
            for (std::size_t k = 0; k < count; ++k) {
                if ((bits >> k & 1) != 0) {
                    m_fold.add(state, block.value(k));
                }
                m_to[c + k] = static_cast<R>(state);
            }
            *m_state = state;
        }
    }

    void dropped(std::size_t c, std::size_t count) {
        std::fill_n(m_to + c, count, static_cast<R>(*m_state));
    }

private:
    Fold m_fold;
    R* m_to;
    typename Fold::state* m_state;
};

/// A row whose columns have states of their own.
template <class T, class Fold, class R>
class running_columns {
public:
    running_columns(const Fold& fold, typename Fold::state* states, R* to)
        : m_fold(fold), m_to(to), m_states(states) {}

    template <class Block, class Count>
    XMASK_INLINE void block(const Block& block, std::size_t c, Count count, word_t bits) {
        if constexpr (sums_in_registers<T> && std::is_same_v<Count, whole_word>) {
            using scan = scan_of<Fold>;
            const auto fold = [&](std::size_t at, const lanes<double>& x) XMASK_INLINE_LAMBDA {
                const auto state = scan()(load_lanes(m_states + at), x);
                store_lanes(m_states + at, state);
                store_states(m_to + at, state);
            };
            for_each_widened<T, scan>(block, c, bits, fold);
        } else {
            auto* const states = m_states + c;
            for (std::size_t k = 0; k < count; ++k) {
                if ((bits >> k & 1) != 0) {
                    m_fold.add(states[k], block.value(k));
                }
                m_to[c + k] = static_cast<R>(states[k]);
            }
        }
    }

    void dropped(std::size_t c, std::size_t count) {
        for (std::size_t k = c; k < c + count; ++k) {
            m_to[k] = static_cast<R>(m_states[k]);
        }
    }

private:
    Fold m_fold;
    R* m_to;
    typename Fold::state* m_states;
};

/// Writes the state after each column of one row.
template <class Running, class Row>
void accumulate_row(Running running, Row& row, std::size_t n) {
    for_each_block(0, n, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
        const word_t bits = row.cursor().word(c) & first_bits(count);
        if (bits == 0) {
            running.dropped(c, count);
        } else {
            running.block(row.block(c, count, bits), c, count, bits);
        }
    });
}

template <class Fold, class X, class M, class A>
auto accumulate_along(const char* function, const Fold& fold, const X& x, const M& m, A axis) {
    using element = element_t<X>;
    using result_type = sum_result_t<element>;
    const kept_axes axes(function, x.shape(), axis);
    const auto rows = masked_rows<element>(function, x, m);
    auto result = row_major_copy_t<result_type, X>::from_shape(x.shape());
    std::vector<typename Fold::state> states(axes.size(), fold.start());
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    // In the order of rows, each position meets its elements in the order of the axis.
    for (std::size_t r = 0; r < row_count; ++r) {
        auto row = rows.row(r);
        auto* at = states.data() + axes.offset(r);
        result_type* to = result.data() + r * n;
        if (axes.keeps_last()) {
            accumulate_row(running_columns<element, Fold, result_type>(fold, at, to), row, n);
        } else {
            accumulate_row(running_row<element, Fold, result_type>(fold, at, to), row, n);
        }
    }
    return result;
}

/// How the lines along an axis lie in row-major memory: `inner` of them side by side.
struct line_layout {
    std::size_t outer = 1;
    std::size_t extent;
    std::size_t inner = 1;

    template <class S>
    line_layout(const S& shape, std::size_t axis) : extent(static_cast<std::size_t>(shape[axis])) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            (i < axis ? outer : inner) *= i == axis ? 1 : static_cast<std::size_t>(shape[i]);
        }
    }
};

/// Calls f(state, at, k) for each element, position k of its line, at flat position `at`; every
/// line backwards, with a state of its own, 0 at first.
template <class State, class F>
void for_each_backwards(const line_layout& lines, F&& f) {
    std::vector<State> states(lines.inner);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        std::ranges::fill(states, State(0));
        for (std::size_t k = lines.extent; k-- > 0;) {
            for (std::size_t i = 0; i < lines.inner; ++i) {
                f(states[i], (o * lines.extent + k) * lines.inner + i, k);
            }
        }
    }
}

template <class X, class M, class U>
void require_cumulative(const char* function, const X& x, const M& m, const U& upstream) {
    require_broadcast(function, "a mask", m.shape(), x.shape());
    require_same_shape(
        function, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
    );
}
} // namespace detail

/// The running sums along one axis of what the mask keeps. A dropped element adds nothing: the sum
/// so far stands there, as in a running sum of multiply(x, m).
///
///     xt::xarray<std::int64_t> position = xmask::masked_cumsum(xt::ones_like(tokens), m, -1) - 1;
///     // 0 1 1 1
///     // 0 1 2 3
///     // 0 1 2 2
///
/// @param x a tensor or lazy expression of numbers. Real elements are added in double; along rows
/// the elements of a register are added first, then the sum before them.
/// @param m a mask that broadcasts into x.
/// @param axis the axis to go along; negative ones are counted from the end.
/// @returns an xt::xarray of x's shape and type, of 64-bit integers for integers and bool.
/// @throws std::invalid_argument where the mask does not broadcast into x.
/// @throws std::out_of_range for an axis that x does not have.
///
/// Cost: one pass, in registers for float and double.
template <class X, class M, std::integral A>
auto masked_cumsum(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumsum", detail::sum_fold<detail::element_t<X>>(), x, m, axis
        );
    } else {
        return detail::refused();
    }
}

/// The running products along one axis of what the mask keeps. A dropped element changes nothing:
/// the product so far, 1 at first, stands there.
///
///     xt::xarray<float> survival = xmask::masked_cumprod(1.f - hazard, m, -1);
///     // 0.95 0.855 0.855 0.855
///     // 0.9 0.54 0.378 0.36855
///     // 0.8 0.79 0.711 0.711
///
/// @param x a tensor or lazy expression of numbers. Real elements are multiplied in double; along
/// rows the elements of a register are multiplied first, then the product before them.
/// @param m a mask that broadcasts into x.
/// @param axis the axis to go along; negative ones are counted from the end.
/// @returns an xt::xarray of x's shape and type, of 64-bit integers for integers and bool.
/// @throws std::invalid_argument where the mask does not broadcast into x.
/// @throws std::out_of_range for an axis that x does not have.
///
/// Cost: one pass, in registers for float and double.
template <class X, class M, std::integral A>
auto masked_cumprod(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumprod", detail::product_fold<detail::element_t<X>>(), x, m, axis
        );
    } else {
        return detail::refused();
    }
}

/// The gradient of the sum of `upstream` times masked_cumsum(x, m, axis) by x: the sum of upstream
/// from each element on where the mask keeps, 0 where it drops.
///
///     xt::xarray<float> dx = xmask::masked_cumsum_gradient(x, m, dy, -1);
///     // 1.5 1 0 0
///     // 2.25 1.25 -2.75 0.25
///     // 2.125 4.125 4 0
///
/// @param x the tensor of the running sums; only its shape counts.
/// @param m a mask that broadcasts into x.
/// @param upstream a tensor of x's shape. It counts where the mask drops, too: there the sum so far
/// stands in the result.
/// @param axis the axis of the running sums; negative ones are counted from the end.
/// @returns an xt::xarray of x's shape and type.
/// @throws std::invalid_argument where the mask does not broadcast into x, or upstream has another
/// shape.
/// @throws std::out_of_range for an axis that x does not have.
///
/// Cost: one pass; a copy of upstream, in double for float.
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumsum_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        constexpr const char* function = "masked_cumsum_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        using wide = detail::sum_t<element>;
        const xt::xarray<wide> u = upstream;
        auto result = detail::row_major_copy_t<element, X>::from_shape(x.shape());
        detail::for_each_backwards<wide>(
            detail::line_layout(x.shape(), along),
            [&](wide& sum, std::size_t at, std::size_t /*k*/) {
                sum += u.data()[at];
                result.data()[at] = static_cast<element>(sum);
            }
        );
        multiply_inplace(result, m);
        return result;
    } else {
        return detail::refused();
    }
}

/// The gradient of the sum of `upstream` times masked_cumprod(x, m, axis) by x: for each kept
/// element the sum, from the element on, of upstream times the product of the other factors so far.
/// It is exact where some factors are 0, too; 0 where the mask drops.
///
///     xt::xarray<float> dx = xmask::masked_cumprod_gradient(x, m, dy, -1);
///     // -0.5 0.5 0 0
///     // 52.25 12.8125 -11.75 -3
///     // -1.48438 -8.25 -1 0
///
/// @param x the tensor of the running products.
/// @param m a mask that broadcasts into x.
/// @param upstream a tensor of x's shape.
/// @param axis the axis of the running products; negative ones are counted from the end.
/// @returns an xt::xarray of x's shape and type.
/// @throws std::invalid_argument where the mask does not broadcast into x, or upstream has another
/// shape.
/// @throws std::out_of_range for an axis that x does not have.
///
/// Cost: two passes, and memory for three tensors of doubles of x's shape.
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumprod_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        using wide = detail::sum_t<element>;
        constexpr const char* function = "masked_cumprod_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        // A dropped element is a factor of 1.
        const xt::xarray<wide> factors = masked_fill(x, m, element(1));
        const xt::xarray<wide> u = upstream;
        const auto products =
            detail::accumulate_along(function, detail::product_fold<wide>(), factors, m, axis);
        auto result = detail::row_major_copy_t<element, X>::from_shape(x.shape());
        const detail::line_layout lines(x.shape(), along);
        // `behind` is the upstream gradient of the element, plus all later ones times the factors
        // between.
        detail::for_each_backwards<wide>(lines, [&](wide& behind, std::size_t at, std::size_t k) {
            behind += u.data()[at];
            const wide before = k == 0 ? wide(1) : products.data()[at - lines.inner];
            result.data()[at] = static_cast<element>(before * behind);
            behind *= factors.data()[at];
        });
        multiply_inplace(result, m);
        return result;
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
