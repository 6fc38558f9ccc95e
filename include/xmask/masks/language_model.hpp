// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "combine.hpp"
#include "random.hpp"
#include "random_stream.hpp"

/// @file
/// The tokens that a masked language model restores, and those that it sees in their place.

namespace xmask::inline XMASK_ABI {
/// Probabilities of language_model_masks. The defaults are BERT's.
struct language_model_options {
    double probability = 0.15; ///< that a candidate is selected
    double mask_token = 0.8;   ///< that a selected token becomes the mask token
    double random_token = 0.1; ///< that it becomes a random token; all others stay as they are
};

/// The masks of language_model_masks. Each selected token is in exactly one of the last three.
///
/// @tparam M the type of the masks, which is deduced.
template <mask_expression M>
struct language_model_selection {
    M selected;   ///< tokens to restore: the mask of the loss
    M masked;     ///< selected tokens that become the mask token
    M randomized; ///< selected tokens that become a random token
    M unchanged;  ///< selected tokens that the model sees
};

namespace detail {
/// The bounds of random numbers: those below `masked` make a token masked, those up to `randomized`
/// make it random, those up to `selected` select it unchanged.
struct token_fates {
    explicit token_fates(const language_model_options& options) {
        const char* const name = "language_model_masks";
        selected = share_of(name, "probability", options.probability);
        share_of(name, "mask_token", options.mask_token);
        share_of(name, "random_token", options.random_token);
        const double changed = options.mask_token + options.random_token;
        // Decimal fractions whose sum is 1 may exceed 1 by rounding.
        if (changed > 1 + 1e-12) [[unlikely]] {
            throw_invalid(
                name, "mask_token ", options.mask_token, " and random_token ", options.random_token,
                "; expected a sum of at most 1"
            );
        }
        masked = share_of(name, "probability", options.probability * options.mask_token);
        randomized = share_of(name, "probability", options.probability * std::min(changed, 1.));
    }

    std::uint64_t masked;
    std::uint64_t randomized;
    std::uint64_t selected;
};

/// The candidates whose random numbers lie in a range. Four masks share the candidates, so that an
/// rvalue is copied into each.
template <class M>
auto candidates_in(std::remove_reference_t<M>& candidates, number_share range, std::uint64_t seed) {
    auto drawn = make_random(
        "language_model_masks", candidates.shape(), range, seed_of(stream_use::token_fate, seed)
    );
    if constexpr (std::is_lvalue_reference_v<M>) {
        return combine<both>(candidates, std::move(drawn));
    } else {
        return combine<both>(std::remove_cvref_t<M>(candidates), std::move(drawn));
    }
}
} // namespace detail

/// Selects random tokens that a language model is to restore, and the fate of each.
///
/// BERT's rule (Devlin et al., 2019, section 3.1): of 15 in 100 tokens 80 in 100 become the mask
/// token, 10 in 100 a random one, and 10 in 100 stay. The masks are a pure function of the seed,
/// the number of the row and the column. With the same seed, a larger probability selects these
/// tokens and more.
///
///     auto words = xmask::drop_tokens(tokens, {0, 101, 102});
///     // 1 1 0 0
///     // 1 0 1 0
///     // 1 1 1 0
///     auto chosen = xmask::language_model_masks(words, {.probability = 0.15}, 42);
///     // The model sees these ids, and masked_cross_entropy(logits, tokens, chosen.selected) is its loss:
///     auto hidden = xmask::masked_fill(tokens, !chosen.masked, 103);
///     // 103 6 0 0
///     // 7 101 5 102
///     // 8 2 9 0
///     auto random = xmask::random_tokens<int>(tokens.shape(), 30522, 42);
///     // 19364 23693 9385 4497
///     // 2936 7142 5296 1466
///     // 14433 173 20849 9550
///     xt::xtensor<int, 2> seen = xmask::masked_replace(hidden, !chosen.randomized, random);
///
/// @param candidates a mask of the tokens that may be selected, without padding and special tokens;
/// held by reference if it is an lvalue, otherwise copied four times.
/// @param options the probabilities.
/// @param seed of the random numbers.
/// @returns four lazy masks of the candidates' shape.
/// @throws std::invalid_argument for a probability outside of [0, 1], and where mask_token +
/// random_token exceeds 1.
///
/// Cost: that of keep_random, and of the candidates; nothing is stored.
template <class M>
auto language_model_masks(
    M&& candidates, const language_model_options& options, std::uint64_t seed
) {
    if constexpr (detail::require_mask<M>()) {
        const detail::token_fates fates(options);
        const auto in = [&](std::uint64_t begin, std::uint64_t end) {
            return detail::candidates_in<M>(candidates, {begin, end}, seed);
        };
        return language_model_selection<decltype(in(0, 0))>{
            in(0, fates.selected), in(0, fates.masked), in(fates.masked, fates.randomized),
            in(fates.randomized, fates.selected)
        };
    } else {
        const auto none = detail::refused_mask();
        return language_model_selection<decltype(detail::refused_mask())>{none, none, none, none};
    }
}
} // namespace xmask::inline XMASK_ABI
