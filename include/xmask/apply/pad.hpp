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
/// pad copies sequences of any length into the rows of one tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A range of sized ranges of numbers, such as std::vector<std::vector<int>>.
template <class S>
concept ragged_range =
    std::ranges::forward_range<S> && std::ranges::sized_range<S> &&
    std::ranges::sized_range<std::ranges::range_reference_t<S>> &&
    std::is_arithmetic_v<std::ranges::range_value_t<std::ranges::range_reference_t<S>>>;

/// Fails to compile, with one sentence, where S is not a range of ranges of numbers.
template <class S, class T>
consteval bool require_sequences() {
    constexpr bool fits = ragged_range<S> && std::is_arithmetic_v<T>;
    static_assert(
        fits,
        "xmask: pad takes a range of ranges of numbers, as std::vector<std::vector<int>>, and the number "
        "behind their ends."
    );
    return fits;
}
} // namespace detail

/// A batch of sequences, padded on the right to the longest one, and their lengths.
///
/// @tparam T  the type of the elements
template <class T>
struct padded_batch {
    xt::xtensor<T, 2> values;            ///< shape (sequences, longest)
    xt::xtensor<std::size_t, 1> lengths; ///< for keep_lengths(lengths, values.shape(1))
};

/// Copies sequences into the rows of one tensor, and fills the columns past their ends.
///
/// Cost: one pass over the sequences. pack is the inverse.
///
/// @param sequences  a range of ranges of numbers, such as a std::vector of std::vector
/// @param value      the padding, converted to the type of the numbers
/// @returns  the tensor of shape (sequences, longest), and the lengths; without sequences, or where
///   all are empty, the tensor has no elements
///
///     std::vector<std::vector<int>> sequences = {{7, 4, 9}, {5}};
///     auto [tokens, lengths] = xmask::pad(sequences, 0);
///     auto m = xmask::keep_lengths(lengths, tokens.shape(1));
///     // 1 1 1
///     // 1 0 0
template <class S, class V = int>
auto pad(const S& sequences, V value = 0) {
    if constexpr (detail::require_sequences<const S, V>()) {
        using T = std::ranges::range_value_t<std::ranges::range_reference_t<const S>>;
        const std::size_t rows = std::ranges::size(sequences);
        auto lengths = xt::xtensor<std::size_t, 1>::from_shape({rows});
        std::ranges::transform(sequences, lengths.data(), [](const auto& sequence) {
            return static_cast<std::size_t>(std::ranges::size(sequence));
        });
        const std::size_t longest =
            rows == 0 ? 0 : *std::max_element(lengths.begin(), lengths.end());
        auto values = xt::xtensor<T, 2>::from_shape({rows, longest});
        T* to = values.data();
        for (const auto& sequence : sequences) {
            T* const end = to + longest;
            std::fill(std::ranges::copy(sequence, to).out, end, static_cast<T>(value));
            to = end;
        }
        return padded_batch<T>{std::move(values), std::move(lengths)};
    }
}

/// Copies a list of lists into the rows of one tensor, and fills the columns past their ends.
///
/// @param sequences  a list of lists of numbers of one type
/// @param value      the padding, converted to the type of the numbers
/// @returns  the tensor of shape (lists, longest), and the lengths
///
///     auto padded = xmask::pad({{7, 4, 9}, {5}}, 0);
///     auto tokens = padded.values;
///     // 7 4 9
///     // 5 0 0
template <class T, class V = int>
    requires std::is_arithmetic_v<T>
padded_batch<T> pad(std::initializer_list<std::initializer_list<T>> sequences, V value = 0) {
    return pad<std::initializer_list<std::initializer_list<T>>>(sequences, value);
}
} // namespace xmask::inline XMASK_ABI
