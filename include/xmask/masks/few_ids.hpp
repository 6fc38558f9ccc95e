// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "sorted_ids.hpp"

/// @file
/// Few ids, which registers hold.

namespace xmask::inline XMASK_ABI::detail {
/// Few ids: each register is compared with every id.
template <class T>
class compared_ids {
public:
    /// With more ids, looking each element up is faster.
    static constexpr std::size_t most = 8;

    compared_ids() = default;

    explicit compared_ids(const std::vector<T>& ids) noexcept : m_count(ids.size()) {
        std::copy(ids.begin(), ids.end(), m_ids.begin());
    }

    bool operator()(T token) const noexcept {
        bool found = false;
        for (std::size_t k = 0; k < m_count; ++k) {
            found |= m_ids[k] == token;
        }
        return found;
    }

    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (has_lanes<T>) {
            return word_of_registers<T>(tokens, count, [&](const lanes<T>& x) XMASK_INLINE_LAMBDA {
                return compare(x);
            });
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    XMASK_INLINE auto compare(const lanes<T>& tokens) const noexcept
        requires has_lanes<T>
    {
        auto found = tokens == lanes<T>(m_ids[0]);
        for (std::size_t k = 1; k < m_count; ++k) {
            found = found || tokens == lanes<T>(m_ids[k]);
        }
        return found;
    }

    std::array<T, most> m_ids{};
    std::size_t m_count = 0;
};

/// Few ids in the slots of a table that one register holds. A token's hash names the slot with
/// whose id it is compared, so that many ids cost as much as one. Spare slots repeat an id.
template <class T>
class slotted_ids {
    using slot_type = slot_t<T>;

public:
    static constexpr bool available = slots_for<T>.most != 0;

    slotted_ids() = default;

    /// Looks for a multiplier that gives each id its own slot.
    explicit slotted_ids(const std::vector<T>& ids) noexcept {
        if (!available || ids.empty() || ids.size() > slots_for<T>.most || !all_fit(ids)) {
            return;
        }
        std::uint32_t factor = 1;
        for (std::size_t tries = 0; tries < 64 && !found(); ++tries) {
            factor += 0x9e3779b8u; // odd numbers, each as good as the last
            word_t taken = 0;
            const bool own_slots = std::all_of(ids.begin(), ids.end(), [&](T id) {
                const word_t slot = word_t(1) << slot_of(id, factor);
                return (std::exchange(taken, taken | slot) & slot) == 0;
            });
            m_factor = own_slots ? factor : 0;
        }
        if (found()) {
            m_ids.fill(static_cast<slot_type>(ids[0]));
            for (const T id : ids) {
                m_ids[slot_of(id, m_factor)] = static_cast<slot_type>(id);
            }
        }
    }

    /// Whether such a multiplier was found.
    [[nodiscard]] bool found() const noexcept { return m_factor != 0; }

    XMASK_INLINE bool operator()(T token) const noexcept {
        return static_cast<T>(m_ids[slot_of(token, m_factor)]) == token;
    }

    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const
        requires available
    {
        if constexpr (registers == 1) {
            word_t bits = 0;
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                bits |= match({load<full>(tokens, k, count - k)}) << k;
            });
            return bits & first_bits(count);
        } else if constexpr (std::is_same_v<Count, whole_word>) {
            word_t bits = 0;
            for (std::size_t k = 0; k < word_columns; k += registers * lane_count<T>) {
                bits |= match_group(tokens, k, std::make_index_sequence<registers>()) << k;
            }
            return bits;
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    static constexpr std::size_t registers = slots_for<T>.registers;

    /// Whether the slots can hold the ids.
    static bool all_fit(const std::vector<T>& ids) noexcept {
        return sizeof(slot_type) >= sizeof(T) ||
               std::all_of(ids.begin(), ids.end(), [](T id) { return fits<slot_type>(id); });
    }

    template <bool Full, class Block>
    XMASK_INLINE static lanes<T> load(const Block& tokens, std::size_t k, std::size_t count) {
        if constexpr (Full && requires { tokens.data(); }) {
            return load_in_passing<T>(tokens.data() + k);
        } else {
            return load_register<Full>(tokens, k, count);
        }
    }

    XMASK_INLINE word_t match(const std::array<lanes<T>, registers>& tokens) const noexcept {
        return match_slots<T>(m_ids.data(), m_factor, tokens);
    }

    template <class Block, std::size_t... I>
    XMASK_INLINE word_t
    match_group(const Block& tokens, std::size_t k, std::index_sequence<I...>) const {
        return match({load<true>(tokens, k + I * lane_count<T>, lane_count<T>)...});
    }

    std::array<slot_type, slots_for<T>.slots> m_ids{};
    std::uint32_t m_factor = 0; // 0 where none was found
};
} // namespace xmask::inline XMASK_ABI::detail
