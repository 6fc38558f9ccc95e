// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/rank.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../masks/ask.hpp"
#include "../masks/combine.hpp"
#include "extreme.hpp"
#include "fold.hpp"
#include "gradient.hpp"
#include "options.hpp"
#include "reduction.hpp"
#include "refused_reductions.hpp"
#include "sum.hpp"

/// @file
/// Pooling: of the kept tokens of (..., tokens, features), one vector of features, under a mask of
/// (..., tokens).

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The tokens' axes of x: all but its last. Throws std::invalid_argument unless there are tokens
/// and features, and the mask broadcasts into the tokens.
template <class X, class M>
any_shape token_shape(const char* function, const X& x, const M& m) {
    if (x.dimension() < 2) [[unlikely]] {
        throw_invalid(
            function, "x has shape ", tuple_text(x.shape()), "; expected (..., tokens, features)"
        );
    }
    any_shape tokens(x.shape().begin(), x.shape().end() - 1);
    if (!broadcasts_to(m.shape(), tokens)) [[unlikely]] {
        throw_invalid(
            function, "a mask of shape ", tuple_text(m.shape()),
            " does not broadcast into the tokens of shape ", tuple_text(tokens),
            ", those of x without its last axis, the features"
        );
    }
    return tokens;
}

/// Calls visit(b, token) with one token of each row b of tokens. choose(cursor, n) finds the token; -1
/// means none.
template <class M, class Choose, class Visit>
void for_each_token(const any_shape& tokens, const M& m, Choose&& choose, Visit&& visit) {
    const std::size_t each = columns_of(tokens);
    const mask_rows<M> masks(m, tokens);
    const std::size_t batch = rows_of(tokens);
    for (std::size_t b = 0; b < batch; ++b) {
        visit(b, each == 0 ? std::ptrdiff_t(-1) : choose(masks.row(b), each));
    }
}

/// The features of one token of each row, copied.
template <class X, class M, class Choose>
auto take_tokens(
    const char* function, const X& x, const M& m, const reduce_options& options, Choose&& choose
) {
    using element = element_t<X>;
    const any_shape tokens = token_shape(function, x, m);
    const std::size_t features = columns_of(x.shape());
    any_shape shape(x.shape().begin(), x.shape().end() - 1);
    shape.back() = options.keep_axes ? 1 : features;
    if (options.keep_axes) {
        shape.push_back(features);
    }
    auto result = xt::xarray<element>::from_shape(shape);
    if (features == 0) {
        return result;
    }
    const auto rows = make_operand<element>(x, x.shape());
    for_each_token(tokens, m, choose, [&](std::size_t b, std::ptrdiff_t token) {
        element* to = result.data() + b * features;
        if (token < 0) {
            std::fill_n(to, features, when_nothing_kept<element>(function, options.empty));
            return;
        }
        auto row = rows.row(b * columns_of(tokens) + static_cast<std::size_t>(token));
        for_each_block(0, features, [&](std::size_t c, auto count) {
            store_block<false>(to + c, row.block(c, count, first_bits(count)), count);
        });
    });
    return result;
}

/// The gradient of taken tokens: upstream at these, 0 elsewhere.
template <class X, class M, class U, class Choose>
auto put_tokens(const char* function, const X& x, const M& m, const U& upstream, Choose&& choose) {
    using element = element_t<X>;
    const any_shape tokens = token_shape(function, x, m);
    const std::size_t features = columns_of(x.shape());
    const auto u = upstream_of<element>(function, upstream, kept_axes(function, x.shape(), -2));
    auto result = row_major_copy_t<element, X>::from_shape(x.shape());
    result.fill(element(0));
    for_each_token(tokens, m, choose, [&](std::size_t b, std::ptrdiff_t token) {
        if (token >= 0) {
            element* to = result.data() +
                          (b * columns_of(tokens) + static_cast<std::size_t>(token)) * features;
            std::copy_n(u.data() + b * features, features, to);
        }
    });
    return result;
}

/// Chooses the first token that a row keeps.
struct first_token {
    template <class Cursor>
    std::ptrdiff_t operator()(const Cursor& cursor, std::size_t n) const {
        return first_in_row(cursor, n);
    }
};

/// Chooses the last token that a row keeps.
struct last_token {
    template <class Cursor>
    std::ptrdiff_t operator()(const Cursor& cursor, std::size_t n) const {
        return last_in_row(cursor, n);
    }
};

/// A reduction along the tokens.
template <class Formula>
struct token_reduction : plain_arguments {
    template <class X, class M>
    static auto of(const char* function, const X& x, const M& m, const options& chosen) {
        token_shape(function, x, m);
        return Formula::of(
            function, x, unsqueeze(m, -1), kept_axes(function, x.shape(), -2), chosen
        );
    }
};

template <class Choose>
struct token_formula : plain_arguments {
    template <class X, class M>
    static auto of(const char* function, const X& x, const M& m, const options& chosen) {
        return take_tokens(function, x, m, chosen, Choose());
    }
};
} // namespace detail

/// A pooling of the tokens that a mask keeps: masked_mean_pool, masked_max_pool and the others. All
/// are called alike:
///
///     xt::xtensor<float, 2> pooled = xmask::masked_max_pool(hidden, m);    // (3, 5)
///     xt::xtensor<float, 2> or_zero = xmask::masked_max_pool(hidden, m, xmask::when_empty::zero);
///     // (3, 5)
///     xt::xarray<float> kept = xmask::masked_max_pool(hidden, m, {.keep_axes = true});
///     // (3, 1, 5)
///
/// The result is an xt::xtensor where x has a rank in its type, and an xt::xarray otherwise. With a
/// braced list of options it is an xt::xarray, because `keep_axes` is a value.
///
/// @tparam Formula the formula (detail::reduction_formula, without axes).
template <class Formula>
class pooling : detail::refused_calls<detail::refused_pooling<Formula>> {
    static_assert(detail::reduction_formula<Formula>);

public:
    /// @cond
    using detail::refused_calls<detail::refused_pooling<Formula>>::operator();
    /// @endcond

    /// A pooling by its formula.
    ///
    /// @param name how errors name the pooling.
    constexpr explicit pooling(const char* name) noexcept : m_name(name) {}

    /// Pools the tokens.
    ///
    /// @param x (..., tokens, features): a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into (..., tokens).
    /// @returns (..., features): an xtensor where x has a rank in its type, else an xarray.
    /// @throws std::invalid_argument where shapes do not fit.
    template <class X, class M>
    auto operator()(const X& x, const M& m) const {
        if constexpr (detail::require_reducible<X, M>()) {
            return detail::with_rank<detail::rank_without<X, std::ptrdiff_t>()>(
                Formula::of(m_name, x, m, reduce_options())
            );
        } else {
            return detail::refused();
        }
    }

    /// Pools the tokens, with options.
    ///
    /// @param x (..., tokens, features): a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into (..., tokens).
    /// @param options a braced list of named fields, or a when_empty.
    /// @returns (..., features), or with keep_axes (..., 1, features): an xarray, or with a
    ///    when_empty that of a call without options.
    /// @throws std::invalid_argument where shapes do not fit, std::domain_error where no token is
    ///    kept and the options ask to raise.
    template <class X, class M, class O = reduce_options>
        requires detail::options_argument<O, reduce_options>
    auto operator()(const X& x, const M& m, const O& options) const {
        if constexpr (detail::require_reducible<X, M>()) {
            constexpr bool drops_axis = std::same_as<O, when_empty>;
            return detail::with_rank<
                drops_axis ? detail::rank_without<X, std::ptrdiff_t>() : detail::any_rank>(
                Formula::of(m_name, x, m, detail::to_options<reduce_options>(options))
            );
        } else {
            return detail::refused();
        }
    }

private:
    const char* m_name;
};

/// Mean pooling: the mean of each feature over the tokens that the mask keeps. It is masked_mean
/// along the axis of tokens.
///
/// @param x (..., tokens, features): a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into (..., tokens).
/// @param options reduce_options or a when_empty.
/// @returns (..., features), or with keep_axes (..., 1, features), in x's type, or double for
///    integers. Where no token is kept: NaN, 0, or std::domain_error, as the options say.
/// @throws std::invalid_argument where shapes do not fit, std::domain_error where no token is kept
///    and the options ask to raise.
///
/// One pass over the kept tokens; those dropped are not read.
///
///     xt::xarray<float> sentence = xmask::masked_mean_pool(hidden, xmask::keep_lengths(lengths, n));
///     // (3, 5)
inline constexpr pooling<detail::token_reduction<detail::mean_formula>> masked_mean_pool(
    "masked_mean_pool"
);

/// Max pooling: the largest of each feature over the tokens that the mask keeps. It is masked_max
/// along the axis of tokens.
///
/// @param x (..., tokens, features): a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into (..., tokens).
/// @param options reduce_options or a when_empty.
/// @returns (..., features), or with keep_axes (..., 1, features), in x's type. Where
///    no token is kept: -infinity (of integers the lowest), unless the options say otherwise.
/// @throws std::invalid_argument where shapes do not fit, std::domain_error where no token is kept
///    and the options ask to raise.
///
/// One pass over the kept tokens; those dropped are not read.
///
///     xt::xarray<float> sentence = xmask::masked_max_pool(hidden, m, xmask::when_empty::zero);
///     // (3, 5)
inline constexpr pooling<detail::token_reduction<detail::max_formula>> masked_max_pool(
    "masked_max_pool"
);

/// The features of the first token that the mask keeps, in each row of tokens: the [CLS] token,
/// also of sequences that are padded on the left.
///
/// @param x (..., tokens, features): a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into (..., tokens).
/// @param options reduce_options or a when_empty.
/// @returns (..., features), or with keep_axes (..., 1, features), in x's type. Where no token is
///    kept: NaN (of integers std::domain_error), 0, or std::domain_error, as the options say.
/// @throws std::invalid_argument where shapes do not fit, std::domain_error where no token is kept
///    and the options ask to raise.
///
/// Reads the features of these tokens only.
///
///     xt::xarray<float> cls = xmask::masked_first_token(hidden, m);    // (3, 5)
inline constexpr pooling<detail::token_formula<detail::first_token>> masked_first_token(
    "masked_first_token"
);

/// The features of the last token that the mask keeps, in each row of tokens: how decoders are
/// pooled, whichever side is padded.
///
/// @param x (..., tokens, features): a tensor or lazy expression of numbers.
/// @param m a mask that broadcasts into (..., tokens).
/// @param options reduce_options or a when_empty.
/// @returns (..., features), or with keep_axes (..., 1, features), in x's type. Where no token is
///    kept: NaN (of integers std::domain_error), 0, or std::domain_error, as the options say.
/// @throws std::invalid_argument where shapes do not fit, std::domain_error where no token is kept
///    and the options ask to raise.
///
/// Reads the features of these tokens only.
///
///     xt::xarray<float> sentence = xmask::masked_last_token(hidden, xmask::keep_lengths(lengths, n));
///     // (3, 5)
inline constexpr pooling<detail::token_formula<detail::last_token>> masked_last_token(
    "masked_last_token"
);

/// The gradient by x of masked_mean_pool(x, m), given the gradient by its result: shared evenly by
/// the tokens that are kept, 0 for the others.
///
/// @param x (..., tokens, features): a tensor or lazy expression of real numbers; only its shape is
///    used.
/// @param m a mask that broadcasts into (..., tokens).
/// @param upstream the gradient by the result, of its shape, with or without the axis of tokens.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where shapes do not fit.
///
///     xt::xarray<float> dx = xmask::masked_mean_pool_gradient(hidden, m, dpooled);    // (3, 4, 5)
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_mean_pool_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        constexpr const char* function = "masked_mean_pool_gradient";
        detail::token_shape(function, x, m);
        return detail::mean_formula::gradient(
            function, x, unsqueeze(m, -1), detail::kept_axes(function, x.shape(), -2), upstream,
            detail::no_options()
        );
    } else {
        return detail::refused();
    }
}

/// The gradient by x of masked_max_pool(x, m), given the gradient by its result. Of each feature it
/// goes to the token with the largest, shared evenly by those that tie.
///
/// @param x (..., tokens, features): a tensor or lazy expression of real numbers.
/// @param m a mask that broadcasts into (..., tokens).
/// @param upstream the gradient by the result, of its shape, with or without the axis of tokens.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where shapes do not fit.
///
///     xt::xarray<float> dx = xmask::masked_max_pool_gradient(hidden, m, dpooled);    // (3, 4, 5)
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_max_pool_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        constexpr const char* function = "masked_max_pool_gradient";
        detail::token_shape(function, x, m);
        return detail::max_formula::gradient(
            function, x, unsqueeze(m, -1), detail::kept_axes(function, x.shape(), -2), upstream,
            detail::no_options()
        );
    } else {
        return detail::refused();
    }
}

/// The gradient by x of masked_first_token(x, m), given the gradient by its result. It goes to the
/// tokens that were taken.
///
/// @param x (..., tokens, features): a tensor or lazy expression of real numbers; only its shape is
///    used.
/// @param m a mask that broadcasts into (..., tokens).
/// @param upstream the gradient by the result, of its shape, with or without the axis of tokens.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where shapes do not fit.
///
///     xt::xarray<float> dx = xmask::masked_first_token_gradient(hidden, m, dpooled);
///     // (3, 4, 5)
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_first_token_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::put_tokens(
            "masked_first_token_gradient", x, m, upstream, detail::first_token()
        );
    } else {
        return detail::refused();
    }
}

/// The gradient by x of masked_last_token(x, m), given the gradient by its result. It goes to the
/// tokens that were taken.
///
/// @param x (..., tokens, features): a tensor or lazy expression of real numbers; only its shape is
///    used.
/// @param m a mask that broadcasts into (..., tokens).
/// @param upstream the gradient by the result, of its shape, with or without the axis of tokens.
/// @returns an array of x's shape and type.
/// @throws std::invalid_argument where shapes do not fit.
///
///     xt::xarray<float> dx = xmask::masked_last_token_gradient(hidden, m, dpooled);
///     // (3, 4, 5)
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_last_token_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::put_tokens(
            "masked_last_token_gradient", x, m, upstream, detail::last_token()
        );
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
