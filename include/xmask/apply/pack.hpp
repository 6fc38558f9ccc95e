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
/// pack and unpack: the tokens of a padded batch, laid end to end without the padding, and back.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A container of m's shape with one more axis, row-major.
template <class T, class S, class R = typename one_more_axis<S>::type>
struct unpacked_of {
    using type = xt::xarray<T, xt::layout_type::row_major>;
};

template <class T, class S, class I, std::size_t N>
struct unpacked_of<T, S, std::array<I, N>> {
    using type = xt::xtensor<T, N, xt::layout_type::row_major>;
};
} // namespace detail

/// The tokens that the mask keeps, end to end: of x (..., tokens, features), such as a padded
/// batch, a row-major xtensor of shape (kept, features).
///
/// x: a tensor or lazy expression of any element type, any layout. The mask broadcasts into (...,
/// tokens), the shape without the last axis. Throws std::invalid_argument where it does not, or
/// where x has no axis of features. Costs what masked_select costs; padding is not read. unpack is
/// its inverse, and gives its gradient; where the tokens of each sequence stand, cumulative lengths
/// say: keep_packed, segment_ids.
///
///     auto packed = xmask::pack(hidden, xmask::keep_lengths(lengths, n));    // (sum of lengths, features)
template <class X, class M>
auto pack(const X& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
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
        // Rows of one, or but one row: such an axis has no stride.
        typename packed::strides_type strides = {
            static_cast<std::ptrdiff_t>(count == 1 ? 0 : features), features == 1 ? 0 : 1
        };
        return packed(std::move(elements.storage()), std::move(shape), std::move(strides));
    }
}

/// Tokens that were laid end to end, each at the place that the mask keeps for it; `padding`
/// elsewhere. A row-major container of shape (..., tokens, features), where that of the mask is
/// (..., tokens).
///
/// packed: a tensor or lazy expression of shape (kept, features). Throws std::invalid_argument
/// where it has not one row for each element that the mask keeps. pack is its inverse, and gives
/// its gradient.
///
///     xt::xtensor<float, 3> padded = xmask::unpack(image_features, xmask::keep_lengths(lengths, n));
template <class X, class M>
auto unpack(
    const X& packed, const M& m,
    std::type_identity_t<std::remove_cv_t<value_type_t<X>>> padding = {}
) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
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
    }
}
} // namespace xmask::inline XMASK_ABI
