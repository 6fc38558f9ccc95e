// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "../core/axes.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "terms.hpp"

/// @file
/// Sums of a function of each element and of one number for each position of the result: squared
/// differences from a mean, exponentials over the largest one.

namespace xmask::inline XMASK_ABI::detail {
/// A function of an element and of a shift, with the shift of one position filled in.
template <class F, class T>
struct shifted {
    T shift;
    F function = {};

    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return function.value(x, V(shift));
    }
};

/// The terms F(x, shift), where each position of the axes that stay has its own shift.
template <class T, class F, class Masks, class Rows>
class shifted_rows {
public:
    shifted_rows(const F& function, Masks masks, Rows rows, std::size_t n, const T* shifts)
        : m_function(function)
        , m_masks(std::move(masks))
        , m_rows(std::move(rows))
        , m_columns(n)
        , m_shifts(shifts) {}

    XMASK_INLINE auto row(std::size_t r, std::size_t at) const {
        return masked(r, make_term_row<T>(shifted<F, T>{m_shifts[at], m_function}, m_rows.row(r)));
    }

    XMASK_INLINE auto columns(std::size_t r, std::size_t at) const {
        const memory_row<T> shifts(m_shifts + at, 1, nullptr);
        return masked(r, make_term_row<T>(m_function, m_rows.row(r), shifts));
    }

private:
    template <class Row>
    XMASK_INLINE auto masked(std::size_t r, Row row) const {
        return masked_row<row_t<Masks>, Row>(m_masks.row(r), std::move(row), m_columns);
    }

    F m_function;
    Masks m_masks;
    Rows m_rows;
    std::size_t m_columns;
    const T* m_shifts;
};

/// The sums of F(x, shift) at each position of the result. `shifts` holds one for each position.
/// The mask broadcasts into x.
template <class T, class F, class X, class M, class Shifts>
auto sum_shifted(
    const char* function, const X& x, const M& m, const everything& over, const Shifts& shifts,
    const F& f = {}
) {
    return fold_over<T>(
        over, sum_fold<T>(), x.shape(), masked_rows<T>(function, x, m, shifted<F, T>{shifts[0], f}),
        false
    );
}

template <class T, class F, class X, class M, class Shifts>
auto sum_shifted(
    const char* /*function*/, const X& x, const M& m, const kept_axes& axes, const Shifts& shifts,
    const F& f = {}
) {
    const auto& shape = x.shape();
    auto operand = make_operand<T>(x, shape);
    using rows = shifted_rows<T, F, mask_rows<M>, decltype(operand)>;
    return fold_along<T>(
        sum_fold<T>(), shape, axes,
        rows(f, mask_rows<M>(m, shape), std::move(operand), columns_of(shape), shifts.data()), false
    );
}
} // namespace xmask::inline XMASK_ABI::detail
