// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/word.hpp"

/// @file
/// Ids in the type of the tokens, in ascending order.

namespace xmask::inline XMASK_ABI::detail {
/// Whether T can hold a value.
template <class T, class U>
constexpr bool fits(U value) noexcept {
    // Integer promotion, because std::in_range takes no characters.
    return std::cmp_greater_equal(+value, +std::numeric_limits<T>::min()) &&
           std::cmp_less_equal(+value, +std::numeric_limits<T>::max());
}

/// The minimum and maximum, without the branches of std::minmax.
template <class T>
std::pair<T, T> bounds_of(const std::vector<T>& values) noexcept {
    std::pair bounds(values.front(), values.front());
    for (const T value : values) {
        bounds = {std::min(bounds.first, value), std::max(bounds.second, value)};
    }
    return bounds;
}

/// Sorts ids and removes duplicates. Ids that lie close together are set as bits and read back in
/// order, which is several times as fast as sorting by comparison.
template <class T>
void sort_once(std::vector<T>& ids) {
    using unsigned_t = std::make_unsigned_t<T>;
    constexpr std::size_t few = 32;
    if (std::ranges::adjacent_find(ids, std::greater_equal()) == ids.end()) {
        return;
    }
    const auto [least, most] = bounds_of(ids);
    const auto low = static_cast<unsigned_t>(least);
    const auto from_low = [low](T id) {
        return static_cast<unsigned_t>(static_cast<unsigned_t>(id) - low);
    };
    const std::size_t words = from_low(most) / word_columns + 1;
    if (ids.size() < few || words > ids.size()) {
        std::ranges::sort(ids);
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        return;
    }
    std::vector<word_t> found(words);
    for (const T id : ids) {
        found[from_low(id) / word_columns] |= word_t(1) << from_low(id) % word_columns;
    }
    auto to = ids.begin();
    for (std::size_t number = 0; number < words; ++number) {
        for (word_t bits = found[number]; bits != 0; bits &= bits - 1) {
            *to++ = static_cast<T>(low + (number * word_columns + lowest_bit(bits)));
        }
    }
    ids.erase(to, ids.end());
}

/// One id in the tokens' type T; nothing where T cannot hold it, because then no token has it.
template <class T, std::integral I>
std::vector<T> ids_of(const I& id) {
    return fits<T>(id) ? std::vector<T>(1, static_cast<T>(id)) : std::vector<T>();
}

/// Ids in the tokens' type T, without those that T cannot hold.
template <class T, class I>
std::vector<T> ids_of(const I& ids) {
    using id_type = std::remove_cvref_t<decltype(*ids.begin())>;
    if constexpr (std::is_same_v<id_type, T>) {
        return std::vector<T>(ids.begin(), ids.end());
    }
    std::vector<T> own;
    if constexpr (requires { ids.size(); }) {
        own.reserve(ids.size());
    }
    for (const auto id : ids) {
        if (fits<T>(id)) {
            own.push_back(static_cast<T>(id));
        }
    }
    return own;
}

/// The same in ascending order, without duplicates.
template <class T, class I>
std::vector<T> sorted_ids(const I& ids) {
    auto sorted = ids_of<T>(ids);
    sort_once(sorted);
    return sorted;
}
} // namespace xmask::inline XMASK_ABI::detail
