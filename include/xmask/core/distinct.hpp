// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <type_traits>
#include <vector>

#include "error.hpp"
#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// The check that several results of one call do not share memory.

namespace xmask::inline XMASK_ABI::detail {
/// A range of memory, from one address up to another.
struct byte_range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;

    [[nodiscard]] bool overlaps(const byte_range& other) const noexcept {
        return begin < other.end && other.begin < end;
    }
};

template <class T>
byte_range bytes_of(const T* first, std::size_t count) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(first);
    return {begin, begin + count * sizeof(T)};
}

/// The smallest range of memory that contains all elements.
template <has_memory E>
byte_range hull_of(const E& e) {
    if (e.size() == 0) {
        return {};
    }
    const auto* least = e.data() + e.data_offset();
    const auto* most = least;
    for (std::size_t axis = 0; axis < e.dimension(); ++axis) {
        const auto length = static_cast<std::ptrdiff_t>(e.strides()[axis]) *
                            (static_cast<std::ptrdiff_t>(e.shape()[axis]) - 1);
        (length < 0 ? least : most) += length;
    }
    return {bytes_of(least, 1).begin, bytes_of(most, 1).end};
}

/// The ranges of memory of the elements: whole rows where these are contiguous, otherwise single
/// elements. Empty where elements have no address.
template <class E>
std::vector<byte_range> ranges_of(const E& e) {
    std::vector<byte_range> ranges;
    if (e.size() == 0) {
        return ranges;
    }
    if constexpr (has_memory<E>) {
        const auto& shape = e.shape();
        const std::size_t n = columns_of(shape);
        const bool contiguous = n == 1 || e.strides()[shape.size() - 1] == 1;
        const std::ptrdiff_t stride =
            n == 1 ? 1 : static_cast<std::ptrdiff_t>(e.strides()[shape.size() - 1]);
        const row_offsets offsets(shape, shape, e.strides());
        for (std::size_t r = 0; r < rows_of(shape); ++r) {
            const auto* row = e.data() + e.data_offset() + offsets(r);
            for (std::size_t c = 0; c < (contiguous ? 1 : n); ++c) {
                ranges.push_back(
                    bytes_of(row + static_cast<std::ptrdiff_t>(c) * stride, contiguous ? n : 1)
                );
            }
        }
    } else if constexpr (std::is_lvalue_reference_v<decltype(*e.begin())>) {
        for (const auto& element : e) {
            ranges.push_back(bytes_of(std::addressof(element), 1));
        }
    }
    return ranges;
}

/// Whether two expressions have an element in common. Interleaved views, such as the columns of one
/// tensor, have none.
template <class A, class B>
bool share_elements(const A& a, const B& b) {
    if constexpr (has_memory<A> && has_memory<B>) {
        if (!hull_of(a).overlaps(hull_of(b))) {
            return false;
        }
    }
    auto ranges = ranges_of(a);
    std::ranges::sort(ranges, {}, &byte_range::begin);
    // The ranges of one expression do not overlap. Only the last range that begins before the end
    // of another can overlap it.
    return std::ranges::any_of(ranges_of(b), [&](const byte_range& range) {
        const auto after = std::ranges::lower_bound(ranges, range.end, {}, &byte_range::begin);
        return after != ranges.begin() && std::prev(after)->overlaps(range);
    });
}

/// Throws std::invalid_argument where two results share memory, as one would overwrite the other.
template <class A, class B>
void require_distinct(
    const char* function, const char* a_name, const A& a, const char* b_name, const B& b
) {
    const bool same =
        static_cast<const void*>(std::addressof(a)) == static_cast<const void*>(std::addressof(b));
    if (same || share_elements(a, b)) [[unlikely]] {
        throw_invalid(
            function, a_name, " and ", b_name,
            " are written to the same memory; expected one tensor ", "for each"
        );
    }
}

/// Throws std::invalid_argument where two of three results share memory.
template <class A, class B, class C>
void require_distinct(
    const char* function, const char* a_name, const A& a, const char* b_name, const B& b,
    const char* c_name, const C& c
) {
    require_distinct(function, a_name, a, b_name, b);
    require_distinct(function, a_name, a, c_name, c);
    require_distinct(function, b_name, b, c_name, c);
}
} // namespace xmask::inline XMASK_ABI::detail
