// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <utility>
#include <vector>

#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/simd.hpp"
#include "combine.hpp"
#include "element_rule.hpp"

/// @file
/// Masks from token ids: padding, special tokens, a vocabulary to keep.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// Few ids: each register is compared with every one of them.
        template <class T>
        class few_ids
        {
        public:

            /// Beyond this many, looking each element up is faster.
            static constexpr std::size_t most = 8;

            explicit few_ids(const std::vector<T>& ids) noexcept
                : m_count(ids.size())
            {
                std::copy(ids.begin(), ids.end(), m_ids.begin());
            }

            bool operator()(T token) const noexcept
            {
                return std::find(m_ids.begin(), m_ids.begin() + static_cast<std::ptrdiff_t>(m_count), token)
                       != m_ids.begin() + static_cast<std::ptrdiff_t>(m_count);
            }

            XMASK_INLINE auto lanes(const detail::lanes<T>& tokens) const noexcept
                requires has_lanes<T>
            {
                auto found = tokens == detail::lanes<T>(m_ids[0]);
                for (std::size_t k = 1; k < m_count; ++k)
                {
                    found = found || tokens == detail::lanes<T>(m_ids[k]);
                }
                return found;
            }

        private:

            std::array<T, most> m_ids{};
            std::size_t m_count;
        };

        /// Many ids: a bit for each value between the lowest and the highest where that is small, a sorted search in
        /// the blocks that hold any otherwise.
        template <class T>
        class many_ids
        {
            using unsigned_t = std::make_unsigned_t<T>;

        public:

            explicit many_ids(std::vector<T> sorted)
                : m_low(sorted.front())
            {
                const auto range = offset(sorted.back());
                // A bit a value is fastest while the table stays in the cache, or costs no more than the list.
                const auto limit = std::max<std::size_t>(largest_table_bits, sorted.size() * 64);
                m_table_bits = range < limit ? static_cast<std::size_t>(range) + 1 : 0;
                if (m_table_bits == 0)
                {
                    m_sorted = std::move(sorted);
                    return;
                }
                m_table.resize((m_table_bits + word_columns - 1) / word_columns);
                for (const T id : sorted)
                {
                    m_table[offset(id) / word_columns] |= word_t(1) << offset(id) % word_columns;
                }
            }

            XMASK_INLINE bool operator()(T token) const noexcept
            {
                if (m_table_bits == 0) [[unlikely]]
                {
                    return std::binary_search(m_sorted.begin(), m_sorted.end(), token);
                }
                const unsigned_t at = offset(token);
                const bool inside = at < m_table_bits;
                const std::size_t safe = inside ? static_cast<std::size_t>(at) : 0;
                return inside & ((m_table[safe / word_columns] >> safe % word_columns & 1) != 0);
            }

        private:

            static constexpr std::size_t largest_table_bits = std::size_t(1) << 22;

            /// How far a value lies above the lowest id; values below wrap to beyond the table.
            unsigned_t offset(T value) const noexcept
            {
                return static_cast<unsigned_t>(static_cast<unsigned_t>(value) - static_cast<unsigned_t>(m_low));
            }

            T m_low;
            std::size_t m_table_bits = 0;
            std::vector<word_t> m_table;
            std::vector<T> m_sorted;
        };

        /// Whichever of the two fits the number of ids; no ids at all find nothing.
        template <class T>
        class id_lookup
        {
        public:

            explicit id_lookup(std::vector<T> sorted)
                : m_few(sorted.size() <= few_ids<T>::most ? sorted : std::vector<T>())
                , m_many(sorted.size() <= few_ids<T>::most ? std::vector<T>{T()} : sorted)
                , m_kind(sorted.empty() ? kind::none : sorted.size() <= few_ids<T>::most ? kind::few : kind::many)
            {
            }

            bool operator()(T token) const noexcept
            {
                return m_kind == kind::few ? m_few(token) : m_kind == kind::many && m_many(token);
            }

            /// Answers a block of a row.
            template <class Block, class Count>
            XMASK_INLINE word_t block(const Block& tokens, Count count) const
            {
                word_t bits = 0;
                if (m_kind == kind::few)
                {
                    if constexpr (has_lanes<T>)
                    {
                        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                            bits |= bits_from_mask(m_few.lanes(load_register<full>(tokens, k, count - k))) << k;
                        });
                        return bits & first_bits(count);
                    }
                }
                if (m_kind == kind::many)
                {
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        bits |= word_t(m_many(tokens.at(k))) << k;
                    }
                }
                return bits;
            }

        private:

            enum class kind
            {
                none,
                few,
                many
            };

            few_ids<T> m_few;
            many_ids<T> m_many;
            kind m_kind;
        };

        /// Sorted ids of the tokens' own type, each once. Ids that the type can't hold are in no token, and left out.
        template <class T, class I>
        std::vector<T> ids_of(const I& ids)
        {
            std::vector<T> sorted;
            for (const auto id : ids)
            {
                // Promoted, because std::in_range refuses characters.
                if (std::cmp_greater_equal(+id, +std::numeric_limits<T>::min())
                    && std::cmp_less_equal(+id, +std::numeric_limits<T>::max()))
                {
                    sorted.push_back(static_cast<T>(id));
                }
            }
            std::sort(sorted.begin(), sorted.end());
            sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
            return sorted;
        }

        template <class X, class I>
        consteval bool require_tokens()
        {
            constexpr bool integers = expression<X> && !mask_expression<X> && holds_integers<X>() && holds_integers<I>();
            static_assert(integers, "xmask: tokens are a tensor of integers, and ids a list or container of integers.");
            return integers;
        }

        template <class X, class I>
        auto make_tokens(X&& tokens, const I& ids)
        {
            if constexpr (require_tokens<X, I>())
            {
                using token = std::remove_cv_t<value_type_t<X>>;
                return make_element_mask(std::forward<X>(tokens), id_lookup<token>(ids_of<token>(ids)));
            }
        }
    }

    /// Keeps the tokens that are among `ids`.
    ///
    /// tokens: a tensor or lazy expression of integers, whose shape is the mask's. ids: a list, container or tensor of
    /// integers, copied once. Compared in the tokens' own type; an id that it can't hold is in no token.
    /// Up to 8 ids are compared a register at a time; more are looked up in a table of bits, or by a sorted search
    /// where the ids are few and far between.
    ///
    ///     auto m = xmask::keep_tokens(tokens, {101, 102});
    template <class X, class I>
    auto keep_tokens(X&& tokens, const I& ids)
    {
        return detail::make_tokens(std::forward<X>(tokens), ids);
    }

    template <class X, std::integral T>
    auto keep_tokens(X&& tokens, std::initializer_list<T> ids)
    {
        return detail::make_tokens(std::forward<X>(tokens), detail::hold(ids));
    }

    /// Drops the tokens that are among `ids`, and keeps all others. Otherwise as keep_tokens.
    ///
    ///     auto m = xmask::drop_tokens(tokens, {0});    // padding
    template <class X, class I>
    auto drop_tokens(X&& tokens, const I& ids)
    {
        return !detail::make_tokens(std::forward<X>(tokens), ids);
    }

    template <class X, std::integral T>
    auto drop_tokens(X&& tokens, std::initializer_list<T> ids)
    {
        return !detail::make_tokens(std::forward<X>(tokens), detail::hold(ids));
    }
}
