// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mass_selection.hpp"
#include "../core/selection.hpp"
#include "largest.hpp"
#include "size_cut.hpp"
#include "size_key.hpp"

/// @file
/// Masks of the likely tokens of each row, as language models are sampled from: by their common
/// probability (top-p, or nucleus), and by their share of the largest one (min-p).

namespace xmask::inline XMASK_ABI {
/// The meaning of a tensor that gives the probabilities of its elements.
enum class scores {
    probabilities, ///< as they are
    logits         ///< their logarithms, up to a constant for each row
};

namespace detail {
/// Fails to compile, with one sentence, for a tensor without probabilities.
template <class X>
consteval bool require_scores() {
    constexpr bool real = real_expression<X>;
    static_assert(real, "xmask: probabilities and logits are a tensor of real numbers.");
    return real;
}

/// Keeps the fewest of the largest elements of a row that have a probability of `mass` together.
template <scores Of, class T>
struct mass_of_row {
    double mass;
    std::vector<T> room;

    size_cut<T, size_by::value> operator()(
        key_selector<T>& /*selector*/, const T* keys, std::size_t n
    ) {
        constexpr bool logits = Of == scores::logits;
        using weight_type = std::conditional_t<logits, logit_weight, probability_weight>;
        const T largest = largest_key(keys, n);
        constexpr T lightest = static_cast<T>(weight_type::lightest);
        if (!(largest > lightest)) {
            return {};
        }
        if (mass == 0) {
            return {largest, 1, false};
        }
        if (mass == 1) {
            return {lightest, 0, true};
        }
        weight_type weight{};
        double wanted = mass;
        if constexpr (logits) {
            weight.largest = static_cast<double>(largest);
            wanted *= weight_of(weight, keys, n);
        }
        const auto cut = mass_search<T, weight_type>(weight, keys, n, wanted, room).find();
        return {cut.key, cut.ties, false};
    }
};

/// Keeps the elements with at least a share of the largest probability of a row.
template <scores Of, class T>
struct share_of_row {
    double share;

    size_cut<T, size_by::value> operator()(
        key_selector<T>& /*selector*/, const T* keys, std::size_t n
    ) const {
        constexpr bool logits = Of == scores::logits;
        constexpr double lightest = logits ? logit_weight::lightest : 0;
        const auto largest = static_cast<double>(largest_key(keys, n));
        if (!(largest > lightest)) {
            return {};
        }
        double limit = lightest;
        if (share > 0) {
            limit = logits ? largest + std::log(share) : largest * share;
        }
        // The first number of the type that is not below the limit.
        auto key = static_cast<T>(limit);
        if (static_cast<double>(key) < limit) {
            key = std::nextafter(key, std::numeric_limits<T>::infinity());
        }
        return {key, n, true};
    }
};
} // namespace detail

/// Keeps the fewest of the most likely elements of each row that have a probability of at least
/// `mass` together: nucleus, or top-p, sampling. Of equal elements the first ones are kept.
///
///     xt::xtensor<float, 1> likely = {0.125f, 0.5f, 0.25f, 0.125f};
///     auto m = xmask::keep_top_p(likely, 0.8);    // 1 1 1 0
///
/// @tparam Of what p holds: probabilities, which are added as they are, or logits, of which a
/// softmax is taken row by row.
/// @param p a tensor or lazy expression of real numbers, whose shape is the mask's. NaN and
///   elements without probability (0 or less, a logit of -infinity) are never kept. The elements
///   must not change while the mask is used.
/// @param mass the probability, from 0 to 1: 0 keeps the largest element, 1 all that have any.
/// @returns a mask of p's shape. Where a row has less than `mass` it keeps all that have any.
/// @throws std::invalid_argument for a mass outside of [0, 1].
///
/// Cost: a few passes over each row, whose sums are in double, and memory for a row; nothing is
/// sorted. The mask stores p and a cut for each row.
template <scores Of = scores::probabilities, class X>
auto keep_top_p(X&& p, double mass) {
    if constexpr (detail::require_scores<X>()) {
        detail::require_option("keep_top_p", "mass", mass, detail::option_range::between(0, 1));
        using element = std::remove_cv_t<value_type_t<std::remove_cvref_t<X>>>;
        return mask(detail::cut_rule<detail::closure_t<X>, size_by::value>(
            std::forward<X>(p), "keep_top_p", detail::mass_of_row<Of, element>{mass, {}}
        ));
    } else {
        return detail::refused_mask();
    }
}

/// Keeps the elements of each row that are at least `share` times as likely as the most likely one:
/// min-p sampling.
///
///     xt::xtensor<float, 1> likely = {0.125f, 0.5f, 0.25f, 0.125f};
///     auto m = xmask::keep_min_p(likely, 0.5);    // 0 1 1 0
///
/// @tparam Of what p holds: probabilities, or logits.
/// @param p a tensor or lazy expression of real numbers, whose shape is the mask's. NaN is never
/// kept. The elements must not change while the mask is used.
/// @param share the share of the largest probability, from 0 to 1: 1 keeps the largest elements
///   alone. The limit is computed in double: share times the largest probability, or the largest
///   logit plus log(share).
/// @returns a mask of p's shape. A row without any probability keeps nothing.
/// @throws std::invalid_argument for a share outside of [0, 1].
///
/// Cost: one pass over p to build it; a word costs one comparison a register. The mask stores p and
/// a limit for each row.
template <scores Of = scores::probabilities, class X>
auto keep_min_p(X&& p, double share) {
    if constexpr (detail::require_scores<X>()) {
        detail::require_option("keep_min_p", "share", share, detail::option_range::between(0, 1));
        using element = std::remove_cv_t<value_type_t<std::remove_cvref_t<X>>>;
        return mask(detail::cut_rule<detail::closure_t<X>, size_by::value>(
            std::forward<X>(p), "keep_min_p", detail::share_of_row<Of, element>{share}
        ));
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
