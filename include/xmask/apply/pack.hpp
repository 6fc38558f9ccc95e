// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/shape.hpp"
#include "../masks/combine.hpp"
#include "masked_scatter.hpp"
#include "masked_select.hpp"

/// @file
/// pack lays the tokens of a padded batch end to end, without the padding; unpack puts them back.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A row-major container type of the mask's shape with one more axis.
template <class T, class S, class R = shape_like<S, 1>>
struct unpacked_of {
    using type = xt::xarray<T, xt::layout_type::row_major>;
};

template <class T, class S, class I, std::size_t N>
struct unpacked_of<T, S, std::array<I, N>> {
    using type = xt::xtensor<T, N, xt::layout_type::row_major>;
};
} // namespace detail

/// Lays the kept tokens of a padded batch end to end.
///
/// unpack is the inverse, and unpack(upstream, m) the gradient by x. Cumulative lengths say which
/// tokens belong to which sequence: keep_packed, segment_ids. Cost: as masked_select, two walks of
/// the mask; padding is not read.
///
/// @param x  a tensor or lazy expression of shape (..., tokens, features), of any element type and
///   layout
/// @param m  a mask that broadcasts into (..., tokens), the shape of x without its last axis
/// @returns  a row-major xtensor of shape (kept tokens, features)
/// @throws std::invalid_argument  where x has rank 0, or the mask does not broadcast
///
///     // hidden: (sequences, tokens, features); packed: (sum of lengths, features)
///     auto packed = xmask::pack(hidden, xmask::keep_lengths(lengths, n));    // (9, 5)
template <class X, class M>
auto pack(const X& x, const M& m) {
    if constexpr (detail::require_all<detail::require_tensor<X>, detail::require_mask<M>>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        if (x.dimension() == 0) [[unlikely]] {
            detail::throw_invalid(
                "pack", "the tensor has no axes; expected (..., tokens, features)"
            );
        }
        const detail::any_shape tokens(x.shape().begin(), x.shape().end() - 1);
        detail::require_broadcast("pack", "a mask", m.shape(), tokens);
        const std::size_t count = detail::count_rows(tokens, detail::mask_rows<M>(m, tokens));
        auto elements = detail::select_kept<T>("pack", x, unsqueeze(m, -1));
        const std::size_t features = detail::columns_of(x.shape());
        using packed = xt::xtensor<T, 2, xt::layout_type::row_major>;
        typename packed::shape_type shape = {count, features};
        // xtensor gives an axis of extent 1 the stride 0.
        typename packed::strides_type strides = {
            static_cast<std::ptrdiff_t>(count == 1 ? 0 : features), features == 1 ? 0 : 1
        };
        return packed(std::move(elements.storage()), std::move(shape), std::move(strides));
    } else {
        return detail::refused();
    }
}

/// Puts packed tokens back to the kept positions of a padded batch.
///
/// pack is the inverse, and pack(upstream, m) the gradient by `packed`. Cost: one count of the
/// mask, a fill of the result, and one walk that writes the tokens.
///
/// @param packed   a tensor or lazy expression of shape (kept tokens, features)
/// @param m        a mask of shape (..., tokens)
/// @param padding  the value of all features of a dropped token
/// @returns  a row-major container of shape (..., tokens, features) and the element type of
///   `packed`
/// @throws std::invalid_argument  where `packed` does not have rank 2 with one row for each kept
///   token
///
///     auto padded = xmask::unpack(image_features, xmask::keep_lengths(lengths, n), 0.f);
///     // (3, 4, 5)
template <class X, class M>
auto unpack(
    const X& packed, const M& m,
    std::type_identity_t<std::remove_cv_t<value_type_t<X>>> padding = {}
) {
    if constexpr (detail::require_all<detail::require_tensor<X>, detail::require_mask<M>>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        const std::size_t count = detail::count_rows(m.shape(), detail::mask_rows<M>(m, m.shape()));
        if (packed.dimension() != 2 || static_cast<std::size_t>(packed.shape()[0]) != count)
            [[unlikely]] {
            detail::throw_invalid(
                "unpack", "the tensor has shape ", detail::tuple_text(packed.shape()),
                "; expected (", count, ", features), a row for each token that the mask keeps"
            );
        }
        typename detail::unpacked_of<T, typename M::inner_shape_type>::type result;
        result.resize(detail::append_axis(m.shape(), static_cast<std::size_t>(packed.shape()[1])));
        result.fill(padding);
        detail::scatter_into(result, unsqueeze(m, -1), packed);
        return result;
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
