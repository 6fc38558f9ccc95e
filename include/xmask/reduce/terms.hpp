// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/row.hpp"
#include "../core/rows.hpp"
#include "../core/simd.hpp"
#include "accumulate.hpp"

/// @file
/// Terms of a sum: a function of the elements of some operands, and its derivative.

namespace xmask::inline XMASK_ABI::detail {
/// The function of a plain sum: x itself.
struct identity {
    template <class V>
    XMASK_INLINE V value(const V& x) const noexcept {
        return x;
    }
};

/// The value and the derivative of a function, as V. A function whose value and derivative share
/// most of their work may have `std::array<V, 2> slope(x...)`, which gives both.
template <class V, class F, class... X>
XMASK_INLINE std::array<V, 2> slope_of(const F& function, const X&... x) {
    if constexpr (requires { function.slope(x...); }) {
        const auto both = function.slope(x...);
        return {both[0], both[1]};
    } else {
        return {function.value(x...), function.derivative(x...)};
    }
}

/// A function times real weights. The weight is the first argument.
template <class F>
struct weighted {
    F function;

    template <class W, class... V>
        requires requires(const F& f, const V&... x) { f.value(x...); }
    XMASK_INLINE W value(const W& w, const V&... x) const {
        return w * static_cast<W>(function.value(x...));
    }

    template <class W, class... V>
    XMASK_INLINE W derivative(const W& w, const V&... x) const {
        return w * static_cast<W>(function.derivative(x...));
    }

    template <class W, class... V>
    XMASK_INLINE std::array<W, 2> slope(const W& w, const V&... x) const {
        const auto both = slope_of<W>(function, x...);
        return {w * both[0], w * both[1]};
    }
};

/// Whether F takes and gives registers of T. Else F is called for one element at a time.
template <class F, class T, class... Row>
consteval bool takes_registers() {
    if constexpr (sums_in_registers<T>) {
        return requires(const F& f, const lanes<T>& x) {
            { f.value((static_cast<void>(sizeof(Row)), x)...) } -> std::convertible_to<lanes<T>>;
        };
    } else {
        return false;
    }
}

/// Whether the terms of F are the elements themselves. Then only the sum may round.
template <class F>
inline constexpr bool adds_exactly = std::is_same_v<F, identity>;

/// A function whose values are summed, of one element of each operand: a struct with `value(x...)`
/// of numbers of type T, and, to be fast, of registers of them. For a gradient it also has
/// `derivative(x...)`, by the first x.
template <class F, class T, class... Operand>
concept term_function = requires(const F& f, const T& x) {
    { f.value((static_cast<void>(sizeof(Operand)), x)...) } -> std::convertible_to<T>;
};

/// The values and the derivatives of a function of several blocks.
template <class T, class F, class... Block>
class term_block {
public:
    static constexpr bool in_registers = takes_registers<F, T, Block...>();
    static constexpr bool exact = adds_exactly<F>;

    term_block(const F& function, const Block&... operands)
        : m_function(&function), m_operands(operands...) {}

    T value(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->value(x...));
        });
    }

    T derivative(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->derivative(x...));
        });
    }

    template <bool Full>
    XMASK_INLINE lanes<T> value_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return m_function->value(x...);
        });
    }

    /// The values and the derivatives of a register.
    template <bool Full>
    XMASK_INLINE std::array<lanes<T>, 2> slope_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return slope_of<lanes<T>>(*m_function, x...);
        });
    }

private:
    const F* m_function;
    zip_block<Block...> m_operands;
};

/// The terms of a function of several operands, in the type T.
template <class T, class F>
struct terms_of {
    F function;

    template <class... Block>
    XMASK_INLINE term_block<T, F, Block...> operator()(
        std::size_t /*count*/, word_t /*bits*/, const Block&... blocks
    ) const {
        return {function, blocks...};
    }
};

/// All rows of terms.
template <class T, class F, class... Rows>
using term_rows = computed_rows<terms_of<T, F>, Rows...>;

/// How terms are walked under a mask. Words that join rows are added exactly. Other terms may only
/// be packed where no row holds a whole word: the sum of a row must not depend on its place.
template <class T, class F, class... Rows, class Masks>
row_layout layout_of_terms(
    const term_rows<T, F, Rows...>& terms, const Masks& masks, bool flat_results, std::size_t n
) {
    const bool flat = flat_results && terms.flat(n);
    if constexpr (adds_exactly<F>) {
        return layout_of(masks, flat);
    } else {
        return flat && n < word_columns ? row_layout::packed : row_layout::separate;
    }
}

/// One row of the terms f(x...) of type T, of a row of each operand.
template <class T, class F, class... Row>
XMASK_INLINE auto make_term_row(const F& f, Row... rows) {
    return computed_row<terms_of<T, F>, Row...>({f}, std::move(rows)...);
}

/// The terms f(x...) of type T, of the rows of some operands.
template <class T, class F, class... Rows>
    requires term_function<F, T, Rows...>
auto make_terms(const F& f, Rows... rows) {
    return term_rows<T, F, Rows...>({f}, std::move(rows)...);
}
} // namespace xmask::inline XMASK_ABI::detail
