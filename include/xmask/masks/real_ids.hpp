// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/held.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "id_lookup.hpp"

/// @file
/// Ids that are real numbers: codes, sentinels and labels that a file stores as floats. Their bits
/// are looked up as integers.

namespace xmask::inline XMASK_ABI::detail {
/// Whether T can hold a number exactly. NaN is no number.
template <std::floating_point T, class U>
bool holds_exactly(U value) noexcept {
    if constexpr (std::integral<U>) {
        const auto bits = static_cast<std::uint64_t>(value);
        const std::uint64_t size = std::cmp_less(+value, 0) ? 0 - bits : bits;
        const int width = static_cast<int>(std::bit_width(size));
        return size == 0 || width - std::countr_zero(size) <= std::numeric_limits<T>::digits;
    } else if constexpr (std::numeric_limits<U>::digits > std::numeric_limits<T>::digits) {
        return std::isinf(value) ||
               (std::abs(value) <= static_cast<U>(std::numeric_limits<T>::max()) &&
                static_cast<U>(static_cast<T>(value)) == value);
    } else {
        return value == value;
    }
}

/// Ids in the tokens' type T, without those that T cannot hold, because then no token has them.
template <std::floating_point T, class I>
std::vector<T> real_ids_of(const I& ids) {
    std::vector<T> own;
    const auto add = [&](auto id) {
        if (holds_exactly<T>(id)) {
            own.push_back(static_cast<T>(id));
        }
    };
    if constexpr (std::is_arithmetic_v<I>) {
        add(ids);
    } else {
        std::for_each(ids.begin(), ids.end(), add);
    }
    return own;
}

/// The integer type of the size of T; void where no type has it.
template <class T>
using bits_of_real = std::conditional_t<
    !std::numeric_limits<T>::is_iec559, void,
    std::conditional_t<
        sizeof(T) == sizeof(std::uint32_t), std::uint32_t,
        std::conditional_t<sizeof(T) == sizeof(std::uint64_t), std::uint64_t, void>>>;

/// The bits of a number. Both zeros have those of +0.
template <class T>
XMASK_INLINE bits_of_real<T> to_bits(T x) noexcept {
    return std::bit_cast<bits_of_real<T>>(x == T(0) ? T(0) : x);
}

/// A block of real numbers as their bits.
template <class T, class Block>
class block_of_bits {
    using bits = bits_of_real<T>;

public:
    explicit block_of_bits(const Block& block) noexcept : m_block(block) {}

    XMASK_INLINE bits at(std::size_t k) const noexcept { return to_bits<T>(m_block.at(k)); }

    XMASK_INLINE auto load(std::size_t k) const noexcept
        requires has_lanes<bits>
    {
        if constexpr (has_lanes<T>) {
            return bits_in(m_block.load(k));
        } else {
            return gathered(k, lane_count<bits>);
        }
    }

    XMASK_INLINE auto load_first(std::size_t k, std::size_t count) const noexcept
        requires has_lanes<bits>
    {
        if constexpr (has_lanes<T>) {
            return bits_in(m_block.load_first(k, count));
        } else {
            return gathered(k, count);
        }
    }

private:
    template <class V>
    XMASK_INLINE static lanes<bits> bits_in(const V& x) noexcept {
        const V zero(T(0));
        return xsimd::bitwise_cast<lane_t<bits>>(xsimd::select(x == zero, zero, x));
    }

    lanes<bits> gathered(std::size_t k, std::size_t count) const noexcept
        requires has_lanes<bits>
    {
        std::array<bits, lane_count<bits>> buffer{};
        for (std::size_t i = 0; i < count; ++i) {
            buffer[i] = at(k + i);
        }
        return load_lanes(buffer.data());
    }

    const Block& m_block;
};

/// The test of a token of a real type. NaN equals no id, and an id of NaN equals no token.
template <std::floating_point T>
class real_ids {
    using bits = bits_of_real<T>;
    static constexpr bool by_bits = !std::is_void_v<bits>;

public:
    template <class I>
    explicit real_ids(const I& ids) : m_ids(real_ids_of<T>(ids)), m_lookup(lookup_of(m_ids)) {}

    /// The ids, in any order.
    [[nodiscard]] const std::vector<T>& ids() const noexcept { return m_ids; }

    bool operator()(T token) const noexcept {
        if constexpr (by_bits) {
            return m_lookup(to_bits<T>(token));
        } else {
            return token == token && std::binary_search(m_lookup.begin(), m_lookup.end(), token);
        }
    }

    /// The word of a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (by_bits) {
            return m_lookup.block(block_of_bits<T, Block>(tokens), count);
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    static auto lookup_of(std::vector<T> ids) {
        if constexpr (by_bits) {
            std::vector<bits> all(ids.size());
            std::transform(ids.begin(), ids.end(), all.begin(), to_bits<T>);
            return id_lookup<bits>(std::move(all));
        } else {
            std::sort(ids.begin(), ids.end());
            return ids;
        }
    }

    std::vector<T> m_ids;
    decltype(lookup_of(std::vector<T>())) m_lookup;
};

/// Whether a builder for real tokens takes I as ids: a list or container of numbers, or one number.
template <class I>
consteval bool holds_real_ids() {
    using ids = std::remove_cvref_t<I>;
    if constexpr (std::is_arithmetic_v<ids>) {
        return !std::same_as<ids, bool>;
    } else if constexpr (expression<ids>) {
        return std::is_arithmetic_v<value_type_t<ids>> && !std::same_as<value_type_t<ids>, bool>;
    } else if constexpr (number_range<ids>) {
        return !std::same_as<std::ranges::range_value_t<ids>, bool>;
    } else {
        return false;
    }
}
} // namespace xmask::inline XMASK_ABI::detail
