// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../masks/ask.hpp"
#include "../masks/combine.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "options.hpp"
#include "sum.hpp"

/// @file
/// Pooling: of the kept tokens of (..., tokens, features), one vector of features, under a mask of (..., tokens).

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// The tokens' axes of x: all but its last. Throws std::invalid_argument unless there are tokens and features, and
        /// the mask broadcasts into the tokens.
        template <class X, class M>
        any_shape token_shape(const char* function, const X& x, const M& m)
        {
            if (x.dimension() < 2) [[unlikely]]
            {
                throw_invalid(function, "x has shape ", tuple_text(x.shape()), "; expected (..., tokens, features)");
            }
            any_shape tokens(x.shape().begin(), x.shape().end() - 1);
            if (!broadcasts_to(m.shape(), tokens)) [[unlikely]]
            {
                throw_invalid(
                    function, "a mask of shape ", tuple_text(m.shape()), " does not broadcast into the tokens of shape ",
                    tuple_text(tokens), ", those of x without its last axis, the features"
                );
            }
            return tokens;
        }

        /// Copies the features of one token of each row, which `choose` finds by the row's cursor; -1 means none.
        template <class X, class M, class F>
        auto take_tokens(const char* function, const X& x, const M& m, const reduce_options& options, F&& choose)
        {
            using element = element_t<X>;
            const any_shape tokens = token_shape(function, x, m);
            const std::size_t features = columns_of(x.shape());
            const std::size_t each = columns_of(tokens);
            any_shape shape(x.shape().begin(), x.shape().end() - 1);
            shape.back() = options.keep_axes ? 1 : features;
            if (options.keep_axes)
            {
                shape.push_back(features);
            }
            auto result = xt::xarray<element>::from_shape(shape);
            const mask_rows<M> masks(m, tokens);
            const auto rows = make_operand<element>(x, x.shape());
            const std::size_t batch = rows_of(tokens);
            for (std::size_t b = 0; features != 0 && b < batch; ++b)
            {
                element* to = result.data() + b * features;
                const auto token = each == 0 ? std::ptrdiff_t(-1) : choose(masks.row(b), each);
                if (token < 0)
                {
                    std::fill_n(to, features, when_nothing_kept<element>(function, options.empty));
                    continue;
                }
                auto row = rows.row(b * each + static_cast<std::size_t>(token));
                for_each_block(row, features, [&](std::size_t c, auto count) {
                    store_block<false>(to + c, row.read(c, count, first_bits(count)), count);
                });
            }
            return result;
        }
    }

    /// Mean pooling: the mean of the features of the tokens that the mask keeps; masked_mean over the tokens' axis.
    ///
    /// x: (..., tokens, features), numbers; m: a mask that broadcasts into (..., tokens). Returns (..., features), or with
    /// keep_axes (..., 1, features). Where no token is kept: NaN, 0, or std::domain_error, as the options say. Throws
    /// std::invalid_argument where shapes do not fit. One pass over the kept tokens; those dropped are not read.
    ///
    ///     xt::xarray<float> sentence = xmask::masked_mean_pool(hidden, xmask::keep_lengths(lengths, n));
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_mean_pool(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            detail::token_shape("masked_mean_pool", x, m);
            return masked_mean(x, unsqueeze(m, -1), -2, options);
        }
    }

    /// Max pooling: the largest of each feature over the tokens that the mask keeps; masked_max over the tokens' axis.
    /// -infinity (of integers: the lowest) where no token is kept, unless the options say otherwise. Otherwise as
    /// masked_mean_pool.
    ///
    ///     xt::xarray<float> sentence = xmask::masked_max_pool(hidden, m, xmask::when_empty::zero);
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_max_pool(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            detail::token_shape("masked_max_pool", x, m);
            return masked_max(x, unsqueeze(m, -1), -2, options);
        }
    }

    /// The features of the first token that the mask keeps, in each row of tokens: the [CLS] token, also of sequences that
    /// are padded on the left. Only these are read. Where no token is kept: NaN (of integers std::domain_error), 0, or
    /// std::domain_error, as the options say. Otherwise as masked_mean_pool.
    ///
    ///     xt::xarray<float> cls = xmask::masked_first_token(hidden, m);
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_first_token(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            return detail::take_tokens(
                "masked_first_token", x, m, detail::to_options<reduce_options>(options),
                [](const auto& cursor, std::size_t n) { return detail::first_in_row(cursor, n); }
            );
        }
    }

    /// The features of the last token that the mask keeps, as decoders are pooled, whichever side is padded. Otherwise as
    /// masked_first_token.
    ///
    ///     xt::xarray<float> sentence = xmask::masked_last_token(hidden, xmask::keep_lengths(lengths, n));
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto masked_last_token(const X& x, const M& m, const O& options = {})
    {
        if constexpr (detail::require_reducible<X, M>())
        {
            return detail::take_tokens(
                "masked_last_token", x, m, detail::to_options<reduce_options>(options),
                [](const auto& cursor, std::size_t n) { return detail::last_in_row(cursor, n); }
            );
        }
    }
}
