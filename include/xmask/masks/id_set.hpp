// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/held.hpp"
#include "../core/word.hpp"
#include "../core/xtensor.hpp"
#include "id_lookup.hpp"
#include "sorted_ids.hpp"

/// @file
/// Sets of integer ids.

namespace xmask::inline XMASK_ABI {
/// A set of integer ids, built once and used often: stop words, special tokens, a vocabulary.
///
/// Token builders take a set wherever they take ids; they hold an lvalue by reference and move an
/// rvalue in. Ids are compared with tokens of any integer type as numbers: -1 is not 2^64 - 1.
/// Tokens of the ids' own type use the set as it is; a mask over tokens of another type converts
/// the ids when it is made. Few ids are compared in registers. Many are looked up in a table of
/// bytes over their range, or by their hashes where the range is wide.
///
///     const xmask::id_set<std::int64_t> stop({1, 2, 3});
///     auto m = xmask::keep_tokens(tokens, stop);
///     bool stops = stop.contains(7);    // false
///
/// @tparam T the ids' type, which is deduced.
template <std::integral T>
    requires(!std::same_as<T, bool>)
class id_set {
public:
    using value_type = T;

    /// @param ids in any order; duplicates count once.
    id_set(std::initializer_list<T> ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    /// Copies the ids.
    ///
    /// @param ids a standard container, tensor or lazy expression of integers, in any order;
    /// duplicates count once, and ids that T cannot hold are left out.
    template <class C>
        requires(detail::holds_integers<C>())
    explicit id_set(const C& ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    id_set(const id_set&) = default;
    id_set& operator=(const id_set&) = default;

    /// A set that was moved from is empty.
    id_set(id_set&& other) noexcept = default;

    /// A set that was moved from is empty.
    id_set& operator=(id_set&& other) noexcept {
        if (this != &other) {
            m_ids = std::exchange(other.m_ids, {});
            m_lookup = std::move(other.m_lookup);
        }
        return *this;
    }

    ~id_set() = default;

    /// @returns the number of different ids.
    [[nodiscard]] std::size_t size() const noexcept { return m_ids.size(); }

    /// @param id a number of any integer type.
    /// @returns whether it is among the ids; costs one look-up.
    template <std::integral U>
    [[nodiscard]] bool contains(U id) const noexcept {
        return detail::fits<T>(id) && m_lookup(static_cast<T>(id));
    }

    /// @returns an iterator over the ids, in ascending order.
    [[nodiscard]] auto begin() const noexcept { return m_ids.begin(); }

    /// @returns the end of the ids.
    [[nodiscard]] auto end() const noexcept { return m_ids.end(); }

    /// @returns the table in which masks look tokens up.
    [[nodiscard]] XMASK_INLINE const detail::id_lookup<T>& lookup() const noexcept {
        return m_lookup;
    }

private:
    id_set(std::vector<T> sorted, int /*sorted already*/)
        : m_ids(std::move(sorted)), m_lookup(m_ids) {}

    std::vector<T> m_ids;
    detail::id_lookup<T> m_lookup;
};

template <expression C>
explicit id_set(const C&) -> id_set<std::remove_cv_t<value_type_t<C>>>;

template <detail::number_range C>
explicit id_set(const C&) -> id_set<std::ranges::range_value_t<C>>;

namespace detail {
/// Whether a token builder takes I as ids: a set, list or container of integers, or one integer.
template <class I>
consteval bool holds_ids() {
    using ids = std::remove_cvref_t<I>;
    return holds_integers<ids>() || (std::integral<ids> && !std::same_as<ids, bool>);
}

/// The test of a token of type T against a set, which is held by reference or moved in.
template <class T, class CTI>
class id_test {
public:
    template <class I>
    explicit id_test(I&& ids) : m_ids(std::forward<I>(ids)) {}

    [[nodiscard]] const id_set<T>& ids() const noexcept { return m_ids; }

    bool operator()(T token) const noexcept { return ids().lookup()(token); }

    /// The word of a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        return ids().lookup().block(tokens, count);
    }

private:
    CTI m_ids;
};

/// The test against a set of T, or against a set made of other ids.
template <class T, class I>
auto make_set_test(I&& ids) {
    if constexpr (std::is_same_v<std::remove_cvref_t<I>, id_set<T>>) {
        using closure =
            std::conditional_t<std::is_lvalue_reference_v<I>, const id_set<T>&, id_set<T>>;
        return id_test<T, closure>(std::forward<I>(ids));
    } else {
        return id_test<T, id_set<T>>(id_set<T>(ids_of<T>(ids)));
    }
}

/// The test where ids are only looked up and need no order.
template <class T, class I>
auto make_id_test(I&& ids) {
    if constexpr (std::is_same_v<std::remove_cvref_t<I>, id_set<T>>) {
        return make_set_test<T>(std::forward<I>(ids));
    } else {
        return id_lookup<T>(ids_of<T>(ids));
    }
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
