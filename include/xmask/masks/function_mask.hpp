// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/mask.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"

/// @file
/// The mask of any function of the indices.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Whether F takes the indices of a shape of type S and returns a bool.
template <class F, class S>
struct takes_indices : std::is_invocable_r<bool, const F&, const S&> {};

template <class F, std::size_t N>
struct takes_indices<F, std::array<std::size_t, N>> {
    static constexpr bool value = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::is_invocable_r_v<bool, const F&, decltype(I)...>;
    }(std::make_index_sequence<N>());
};

/// Fails to compile, with one sentence, unless F takes the indices of a shape of type S.
template <class F, class S>
consteval bool require_index_function() {
    constexpr bool takes = takes_indices<F, S>::value;
    static_assert(
        takes,
        "xmask: keep_if calls f(i, j, ...) with one std::size_t for each axis of the shape, and f "
        "returns bool; where the number of axes is known at run time only, f takes one container of "
        "indices. For differences, f takes std::ptrdiff_t."
    );
    return takes;
}

/// One row of a function. The indices of the leading axes are known.
template <class F, class S>
class function_cursor {
public:
    function_cursor(const F& f, S index, std::size_t n)
        : m_function(&f), m_index(std::move(index)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return c + word_columns <= m_columns ? ask(c, whole_word()) : ask(c, m_columns - c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t ask(std::size_t c, Count count) const {
        // In two steps, so that the compiler may call the function for many columns at once.
        S index = m_index;
        std::array<bool, word_columns> answers;
        for (std::size_t k = 0; k < count; ++k) {
            answers[k] = call(index, c + k);
        }
        return word_of_registers<bool>(
            memory_block<bool>(answers.data()), count,
            [](const auto& x) XMASK_INLINE_LAMBDA { return x != lanes<bool>(0); }
        );
    }

    XMASK_INLINE bool call(S& index, std::size_t c) const {
        // A shape of rank 0 is one row of one column, and has no index.
        if (index.size() != 0) {
            index[index.size() - 1] = c;
        }
        if constexpr (requires { std::tuple_size<S>::value; }) {
            return static_cast<bool>(std::apply(*m_function, std::as_const(index)));
        } else {
            return static_cast<bool>((*m_function)(std::as_const(index)));
        }
    }

    const F* m_function;
    S m_index;
    std::size_t m_columns;
};

/// The mask of a function of the indices.
template <class S, class F>
class function_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_if";

    template <class G>
    function_rule(S shape, G&& f) : m_shape(std::move(shape)), m_function(std::forward<G>(f)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    /// Only for functions without captures: others may read any tensor.
    [[nodiscard]] auto sources() const noexcept
        requires std::is_empty_v<F>
    {
        return std::tuple<>();
    }

    [[nodiscard]] auto row(std::size_t r) const {
        S index = m_shape;
        for (std::size_t axis = index.size(); axis-- > 1;) {
            index[axis - 1] = r % m_shape[axis - 1];
            r /= m_shape[axis - 1];
        }
        return function_cursor<F, S>(m_function, std::move(index), columns_of(m_shape));
    }

private:
    S m_shape;
    F m_function;
};

template <bool Fits, class S, class F>
auto make_function(S shape, F&& f) {
    if constexpr (Fits) {
        return mask(function_rule<S, std::decay_t<F>>(std::move(shape), std::forward<F>(f)));
    } else {
        return refused_mask();
    }
}
} // namespace detail

/// Keeps the elements for whose indices a function is true.
///
///     auto m = xmask::keep_if(std::array<std::size_t, 2>{2, 3}, [](std::size_t i, std::size_t j) { return i < j; });
///     // 0 1 1
///     // 0 0 1
///
/// @param shape the mask's shape: a number (one axis) or a container of extents.
/// @param f called as f(i, j, ...) with a std::size_t for each axis, or as f(index) with one
/// container of indices where the number of axes is known at run time only; returns bool. It is
/// copied or moved in. It may be called in any order, any number of times, by several threads.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for an extent below 0, or more than 16 axes.
///
/// Cost: nothing is stored; each element costs a call.
template <class S, class F>
auto keep_if(const S& shape, F&& f) {
    using shape_type = decltype(detail::to_shape("keep_if", shape));
    return detail::make_function<
        detail::require_index_function<std::decay_t<F>, std::decay_t<shape_type>>()>(
        detail::to_shape("keep_if", shape), std::forward<F>(f)
    );
}

/// Keeps the elements for whose indices a function is true, for a shape in braces.
///
///     auto m = xmask::keep_if({2, 3}, [](std::size_t i, std::size_t j) { return (i + j) % 2 == 0; });
///     // 1 0 1
///     // 0 1 0
///
/// @tparam N number of axes, which is deduced.
/// @param shape the mask's extents.
/// @param f called as f(i, j, ...) with a std::size_t for each axis; returns bool. Where it subtracts
/// indices, it takes std::ptrdiff_t, as differences of std::size_t are never below 0. It is copied or
/// moved in. It may be called in any order, any number of times, by several threads.
/// @returns a mask of that shape.
///
/// Cost: nothing is stored; each element costs a call.
template <std::size_t N, class F>
auto keep_if(const std::size_t (&shape)[N], F&& f) {
    return detail::make_function<
        detail::require_index_function<std::decay_t<F>, std::array<std::size_t, N>>()>(
        std::to_array(shape), std::forward<F>(f)
    );
}
} // namespace xmask::inline XMASK_ABI
