// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/word.hpp"
#include "few_ids.hpp"
#include "many_ids.hpp"
#include "sorted_ids.hpp"

/// @file
/// The look-up of tokens among integer ids.

namespace xmask::inline XMASK_ABI::detail {
/// Looks tokens up among ids of their own type. The number and range of the ids decide how.
template <class T>
class id_lookup {
public:
    /// @param ids in any order, with duplicates. A table of bytes needs no sorted ids.
    explicit id_lookup(std::vector<T> ids) {
        if (ids.empty() || (ids.size() > few && find_bytes(ids))) {
            return;
        }
        sort_once(ids);
        m_slotted = slotted_ids<T>(ids);
        if (m_slotted.found()) {
            m_way = way::slotted;
        } else if (ids.size() <= compared_ids<T>::most) {
            m_compared = compared_ids<T>(ids);
            m_way = way::compared;
        } else if (!find_bytes(ids)) {
            m_hash = hash_table<T>(ids);
            m_way = way::hash;
        }
    }

    id_lookup(const id_lookup&) = default;
    id_lookup& operator=(const id_lookup&) = default;

    /// An object that was moved from finds nothing.
    id_lookup(id_lookup&& other) noexcept { *this = std::move(other); }

    id_lookup& operator=(id_lookup&& other) noexcept {
        if (this != &other) {
            m_slotted = std::move(other.m_slotted);
            m_compared = std::move(other.m_compared);
            m_bytes = std::move(other.m_bytes);
            m_hash = std::move(other.m_hash);
            m_way = std::exchange(other.m_way, way::none);
        }
        return *this;
    }

    ~id_lookup() = default;

    bool operator()(T token) const noexcept {
        switch (m_way) {
        case way::slotted:
            return m_slotted(token);
        case way::compared:
            return m_compared(token);
        case way::bytes:
            return m_bytes(token);
        case way::hash:
            return m_hash(token);
        default:
            return false;
        }
    }

    /// The word of a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (slotted_ids<T>::available) {
            if (m_way == way::slotted) [[likely]] {
                return m_slotted.block(tokens, count);
            }
        }
        return block_otherwise(tokens, count);
    }

private:
    enum class way { none, slotted, compared, bytes, hash };

    /// Without duplicates, so many ids may be few enough for registers.
    static constexpr std::size_t few = 32;

    /// Makes a table of bytes, where it suits.
    bool find_bytes(const std::vector<T>& ids) {
        const auto [least, most] = bounds_of(ids);
        if (!byte_table<T>::suits(least, most, ids.size())) {
            return false;
        }
        m_bytes = byte_table<T>(ids, least, most);
        m_way = way::bytes;
        return true;
    }

    // Out of line: these searches take longer than a call, and the operation's loop stays small.
    template <class Block, class Count>
    [[gnu::noinline]] word_t block_otherwise(const Block& tokens, Count count) const {
        switch (m_way) {
        case way::compared:
            return m_compared.block(tokens, count);
        case way::bytes:
            return m_bytes.block(tokens, count);
        case way::hash:
            return m_hash.block(tokens, count);
        default:
            return 0;
        }
    }

    slotted_ids<T> m_slotted;
    compared_ids<T> m_compared;
    byte_table<T> m_bytes;
    hash_table<T> m_hash;
    way m_way = way::none;
};
} // namespace xmask::inline XMASK_ABI::detail
