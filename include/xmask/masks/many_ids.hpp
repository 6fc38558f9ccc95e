// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// Many ids, which are looked up in memory.

namespace xmask::inline XMASK_ABI::detail {
/// Many ids that lie close together: a byte for each value from the lowest to the highest. A byte
/// is faster to read than a bit.
template <class T>
class byte_table {
    using unsigned_t = std::make_unsigned_t<T>;

public:
    /// Whether a table of `count` ids in [least, most] is cheap to make and stays in a cache.
    static bool suits(T least, T most, std::size_t count) noexcept {
        constexpr std::size_t first_level = std::size_t(1) << 15;
        constexpr std::size_t second_level = std::size_t(1) << 18;
        const auto range = distance(least, most);
        return range < first_level || (range < second_level && range / 256 < count);
    }

    byte_table() = default;

    /// @param ids in any order.
    byte_table(const std::vector<T>& ids, T least, T most)
        : m_low(least)
        // A power of two, so that one test tells which tokens lie beyond; and one byte for these.
        , m_bytes(std::bit_ceil(static_cast<std::size_t>(distance(least, most)) + 1) + 1) {
        for (const T id : ids) {
            m_bytes[distance(m_low, id)] = 1;
        }
    }

    bool operator()(T token) const noexcept {
        return m_bytes[std::min<std::size_t>(distance(m_low, token), values())] != 0;
    }

    template <class Block, class Count>
    word_t block(const Block& tokens, Count count) const {
        if constexpr (std::is_same_v<Count, whole_word>) {
            return all_within(tokens) ? whole<true>(tokens) : whole<false>(tokens);
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    /// value - low. For values below `low` the difference wraps to beyond any table.
    static unsigned_t distance(T low, T value) noexcept {
        return static_cast<unsigned_t>(
            static_cast<unsigned_t>(value) - static_cast<unsigned_t>(low)
        );
    }

    [[nodiscard]] std::size_t values() const noexcept { return m_bytes.size() - 1; }

    template <class Block>
    [[nodiscard]] bool all_within(const Block& tokens) const {
        if (values() - 1 >= std::numeric_limits<unsigned_t>::max()) {
            return true;
        }
        const auto beyond = static_cast<unsigned_t>(~static_cast<unsigned_t>(values() - 1));
        if constexpr (has_lanes<T>) {
            auto any = lanes<unsigned_t>(unsigned_t(0));
            const auto low = lanes<T>(m_low);
            for_each_register<T>(
                whole_word(),
                [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
                    any |= xsimd::bitwise_cast<unsigned_t>(tokens.load(k) - low);
                }
            );
            return bits_from_mask(
                       (any & lanes<unsigned_t>(beyond)) != lanes<unsigned_t>(unsigned_t(0))
                   ) == 0;
        } else {
            unsigned_t any = 0;
            for (std::size_t k = 0; k < word_columns; ++k) {
                any = static_cast<unsigned_t>(any | distance(m_low, tokens.at(k)));
            }
            return (any & beyond) == 0;
        }
    }

    template <bool Within, class Block>
    [[nodiscard]] word_t whole(const Block& tokens) const {
        const auto* const bytes = m_bytes.data();
        const std::size_t last = values();
        // The place of the value 0. Addresses as wide as the tokens wrap as distances do, which
        // saves the subtraction.
        const auto zero =
            reinterpret_cast<std::uintptr_t>(bytes) - static_cast<std::uintptr_t>(m_low);
        const auto byte = [&](std::size_t k) XMASK_INLINE_LAMBDA {
            const T token = tokens.at(k);
            if constexpr (Within && sizeof(T) == sizeof(std::uintptr_t)) {
                return *reinterpret_cast<const std::uint8_t*>(
                    zero + static_cast<std::uintptr_t>(token)
                );
            } else if constexpr (Within) {
                return bytes[distance(m_low, token)];
            } else {
                return bytes[std::min<std::size_t>(distance(m_low, token), last)];
            }
        };
        word_t bits = 0;
        for (std::size_t first = 0; first < word_columns; first += 8) {
            // Highest column first: each byte costs one instruction that doubles and adds.
            word_t eight = 0;
            for (std::size_t k = 8; k-- > 0;) {
                eight = eight + eight + byte(first + k);
            }
            bits |= eight << first;
        }
        return bits;
    }

    T m_low{};
    std::vector<std::uint8_t> m_bytes;
};

/// Many ids far apart: a hash table with linear probing, at most half full.
template <class T>
class hash_table {
    using unsigned_t = std::make_unsigned_t<T>;

public:
    hash_table() = default;

    explicit hash_table(const std::vector<T>& sorted)
        : m_free(missing_from(sorted))
        , m_mask(std::bit_ceil(4 * sorted.size()) - 1)
        , m_shift(static_cast<unsigned>(64 - std::countr_one(m_mask)))
        , m_places(m_mask + 1, m_free) {
        for (const T id : sorted) {
            std::size_t at = place_of(id);
            while (m_places[at] != m_free) {
                at = (at + 1) & m_mask;
            }
            m_places[at] = id;
        }
    }

    bool operator()(T token) const noexcept {
        std::size_t at = place_of(token);
        while (m_places[at] != token && m_places[at] != m_free) {
            at = (at + 1) & m_mask;
        }
        return m_places[at] == token && token != m_free;
    }

    template <class Block, class Count>
    word_t block(const Block& tokens, Count count) const {
        return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
    }

private:
    /// A value that is no id, which marks free places. There is one: ids that take all values lie
    /// close together, and are in a byte_table.
    static T missing_from(const std::vector<T>& sorted) noexcept {
        T value = sorted.front();
        for (const T id : sorted) {
            if (id != value) {
                break;
            }
            value = static_cast<T>(static_cast<unsigned_t>(value) + 1u);
        }
        return value;
    }

    [[nodiscard]] std::size_t place_of(T value) const noexcept {
        const auto key = std::uint64_t(static_cast<unsigned_t>(value));
        return to_size((key * 0x9e3779b97f4a7c15u) >> m_shift);
    }

    T m_free{};
    std::size_t m_mask = 0;
    unsigned m_shift = 0;
    std::vector<T> m_places;
};
} // namespace xmask::inline XMASK_ABI::detail
