// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>

#include "../core/xtensor.hpp"

/// @file
/// pad: sequences of any length as the rows of one tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A range of ranges of numbers, each of which knows its size: std::vector<std::vector<int>>.
template <class S>
concept ragged_range =
    std::ranges::forward_range<S> && std::ranges::sized_range<S> &&
    std::ranges::sized_range<std::ranges::range_reference_t<S>> &&
    std::is_arithmetic_v<std::ranges::range_value_t<std::ranges::range_reference_t<S>>>;

/// The numbers in a range of ranges.
template <class S>
using ragged_value_t = std::ranges::range_value_t<std::ranges::range_reference_t<S>>;
} // namespace detail

/// A batch of sequences, padded on the right to the longest, and how long each is.
template <class T>
struct padded_batch {
    xt::xtensor<T, 2> values;            ///< shape (sequences, longest)
    xt::xtensor<std::size_t, 1> lengths; ///< for keep_lengths(lengths, values.shape(1))
};

/// Copies sequences into the rows of one tensor, and fills what is behind their ends.
///
/// @param sequences a range of ranges of numbers, as a std::vector of them; or a list of lists.
/// @param value what stands behind the end of each sequence, of the sequences' type.
/// @returns the tensor, of shape (sequences, longest), and their lengths. Without sequences, or
///   where all are empty, the tensor has no elements.
///
/// One pass over the sequences, which are copied. pack is the way back.
///
///     std::vector<std::vector<int>> sequences = {{7, 4, 9}, {5}};
///     auto [tokens, lengths] = xmask::pad(sequences, 0);
///     auto m = xmask::keep_lengths(lengths, tokens.shape(1));
///     // 1 1 1
///     // 1 0 0
template <detail::ragged_range S>
padded_batch<detail::ragged_value_t<const S>> pad(
    const S& sequences, std::type_identity_t<detail::ragged_value_t<const S>> value = {}
) {
    using T = detail::ragged_value_t<const S>;
    const std::size_t rows = std::ranges::size(sequences);
    auto lengths = xt::xtensor<std::size_t, 1>::from_shape({rows});
    std::ranges::transform(sequences, lengths.data(), [](const auto& sequence) {
        return static_cast<std::size_t>(std::ranges::size(sequence));
    });
    const std::size_t longest = rows == 0 ? 0 : *std::max_element(lengths.begin(), lengths.end());
    auto values = xt::xtensor<T, 2>::from_shape({rows, longest});
    T* to = values.data();
    for (const auto& sequence : sequences) {
        T* const end = to + longest;
        std::fill(std::ranges::copy(sequence, to).out, end, value);
        to = end;
    }
    return {std::move(values), std::move(lengths)};
}

/// @overload
/// For lists of lists.
///
///     auto padded = xmask::pad({{7, 4, 9}, {5}}, 0);
///     padded.values;
///     // 7 4 9
///     // 5 0 0
template <class T>
    requires std::is_arithmetic_v<T>
padded_batch<T> pad(
    std::initializer_list<std::initializer_list<T>> sequences, std::type_identity_t<T> value = {}
) {
    return pad<std::initializer_list<std::initializer_list<T>>>(sequences, value);
}
} // namespace xmask::inline XMASK_ABI
