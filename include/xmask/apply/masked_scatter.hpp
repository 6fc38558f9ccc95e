// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/assign.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../masks/bitmask.hpp"
#include "masked_select.hpp"

/// @file
/// masked_scatter and masked_scatter_inplace give kept elements the values of a list, in order.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Calls f with a pointer to the elements of e in row-major order, converted to T. Copies them,
/// unless they lie so in memory that `to` does not share.
template <class T, class E, class To, class F>
void with_elements(const E& e, const To& to, F&& f) {
    if constexpr (has_memory<E> && std::is_same_v<std::remove_cv_t<value_type_t<E>>, T>) {
        const memory_rows<T> rows(e, e.shape());
        if (rows.flat(columns_of(e.shape())) && overlap_of(e, target<To>(to)) == overlap::none) {
            f(first_element(e));
            return;
        }
    }
    row_major_copy_t<T, E> copy;
    resize_or_check("masked_scatter", "a copy of the source", copy, e.shape());
    assign_rows(copy, e);
    f(std::as_const(copy).data());
}

/// Copies elements of `from`, in order, to the columns whose bits are set. Returns the first
/// element that was not used.
template <class T>
const T* scatter_word(T* to, std::size_t count, word_t bits, const T* from) {
    if (bits == first_bits(count)) {
        std::copy_n(from, count, to);
        return from + count;
    }
    for (; bits != 0; bits &= bits - 1) {
        to[lowest_bit(bits)] = *from++;
    }
    return from;
}

template <class E, class MaskRows, class T>
void scatter_rows(E& x, const MaskRows& masks, const T* from) {
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    row_writer<T, E> writer(x);
    for (std::size_t r = 0; r < row_count; ++r) {
        writer.seek(r);
        for_each_kept_block(masks.row(r), 0, n, [&](std::size_t c, auto count, word_t bits) {
            if (writer.in_place()) {
                from = scatter_word(writer.block(0) + c, count, bits, from);
                return;
            }
            for (; bits != 0; bits &= bits - 1) {
                writer.write(c + lowest_bit(bits), *from++);
            }
        });
    }
}

/// Throws std::invalid_argument unless the mask broadcasts into x, and the source has an element
/// for each kept one.
template <class S, class M, class Source>
void require_source(const char* function, const S& shape, const M& m, const Source& source) {
    require_broadcast(function, "a mask", m.shape(), shape);
    const std::size_t count = count_rows(shape, mask_rows<M>(m, shape));
    if (source.size() < count) [[unlikely]] {
        throw_invalid(
            function, "the source has ", source.size(), " elements, and the mask keeps ", count,
            "; expected at least one for each"
        );
    }
}

template <class E, class M, class Source>
void scatter_into(E& x, const M& m, const Source& source) {
    using T = std::remove_cv_t<value_type_t<E>>;
    const mask_rows<M> masks(m, x.shape());
    with_elements<T>(source, x, [&](const T* from) { scatter_rows(x, masks, from); });
}

template <bool Fits, class... /*Source*/>
struct scattered_tensor_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: masked_scatter takes the elements to write from a tensor, as its third argument."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless elements can be taken from Source.
template <class Source>
using require_scattered =
    scattered_tensor_expected<expression<Source> && !mask_expression<Source>, Source>;
} // namespace detail

/// Gives x with its kept elements replaced by those of `source`, in row-major order.
///
/// The first element of `source` goes to the first kept position. masked_select is the inverse.
/// Cost: a copy of x, one count of the mask, and one walk that writes the kept elements.
///
/// @param x       a tensor or lazy expression of any element type, layout and rank
/// @param m       a mask that broadcasts into x and does not enlarge it
/// @param source  a tensor or lazy expression of any shape, with at least as many elements as the
///   mask keeps; converted to the element type of x. The rest is not used.
/// @returns  a row-major container of the shape and element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x, or `source` has fewer
///   elements than the mask keeps
///
///     auto y = xmask::masked_scatter(x, m, xmask::masked_select(x, m));      // x
///     auto embedded = xmask::masked_scatter(hidden, xmask::unsqueeze(m, -1), image_features);
///     // (3, 4, 5)
template <class X, class M, class Source>
auto masked_scatter(const X& x, const M& m, const Source& source) {
    if constexpr (detail::require_all<
                      detail::require_tensor<X>, detail::require_mask<M>,
                      detail::require_scattered<Source>>()) {
        detail::require_source("masked_scatter", x.shape(), m, source);
        detail::row_major_copy_t<std::remove_cv_t<value_type_t<X>>, X> result;
        detail::resize_or_check("masked_scatter", "the result", result, x.shape());
        detail::assign_rows(result, x);
        detail::scatter_into(result, m, source);
        return result;
    } else {
        return detail::refused();
    }
}

/// Overwrites kept elements of x with those of `source`, in row-major order, in place.
///
/// Cost: one count of the mask, and one walk that writes the kept elements. A `source` in the
/// memory of x is copied first.
///
/// @param x       a tensor or view of any element type and layout, not const
/// @param m       a mask that broadcasts into x; it may look at x
/// @param source  a tensor or lazy expression of any shape, with at least as many elements as the
///   mask keeps; converted to the element type of x. The rest is not used.
/// @throws std::invalid_argument  where the mask does not broadcast into x, or `source` has fewer
///   elements than the mask keeps; x is unchanged then
///
///     xmask::masked_scatter_inplace(x, m, xmask::masked_select(y, m));
///     auto now = x;
///     // 1 -2 2 0
///     // 2 8 -6 0.5
///     // -4 0.25 2 3
template <class X, class M, class Source>
void masked_scatter_inplace(X&& x, const M& m, const Source& source) {
    if constexpr (detail::require_all<
                      detail::require_tensor_target<X>, detail::require_mask<M>,
                      detail::require_scattered<Source>>()) {
        detail::with_mask_apart(m, x, [&](const auto& apart) {
            detail::require_source("masked_scatter_inplace", x.shape(), apart, source);
            detail::scatter_into(x, apart, source);
        });
    }
}
} // namespace xmask::inline XMASK_ABI
