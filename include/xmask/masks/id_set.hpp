// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/abi.hpp"
#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/held.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// Sets of integer ids, and how a block of tokens is looked up in one.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The value as T, if T can hold it.
template <class T, class U>
constexpr bool fits(U value) noexcept {
    // Promoted, because std::in_range refuses characters.
    return std::cmp_greater_equal(+value, +std::numeric_limits<T>::min()) &&
           std::cmp_less_equal(+value, +std::numeric_limits<T>::max());
}

/// The least and the most of some values, without the branches of std::minmax.
template <class T>
std::pair<T, T> bounds_of(const std::vector<T>& values) noexcept {
    std::pair bounds(values.front(), values.front());
    for (const T value : values) {
        bounds = {std::min(bounds.first, value), std::max(bounds.second, value)};
    }
    return bounds;
}

/// Sorts ids, and leaves each once. Those that lie close together become bits and are read back in
/// order, which is several times as fast as to compare them.
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

/// Ids, or one, of the tokens' own type. Those that the type can't hold are in no token, and left
/// out.
template <class T, std::integral I>
std::vector<T> ids_of(const I& id) {
    return fits<T>(id) ? std::vector<T>(1, static_cast<T>(id)) : std::vector<T>();
}

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

template <class T, class I>
std::vector<T> sorted_ids(const I& ids) {
    auto sorted = ids_of<T>(ids);
    sort_once(sorted);
    return sorted;
}

/// Few ids: each register is compared with every one of them.
template <class T>
class compared_ids {
public:
    /// Beyond this many, looking each element up is faster.
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
        word_t bits = 0;
        if constexpr (has_lanes<T>) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                bits |= bits_from_mask(compare(load_register<full>(tokens, k, count - k))) << k;
            });
            return bits & first_bits(count);
        }
        for (std::size_t k = 0; k < count; ++k) {
            bits |= word_t((*this)(tokens.at(k))) << k;
        }
        return bits;
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

/// Few ids in the slots of a table that one register holds: a token's hash says which slot's id it
/// is compared with, so that it costs the same for one id as for all. Slots left over repeat an id.
template <class T>
class slotted_ids {
    using slot_type = slot_t<T>;

public:
    static constexpr bool available = slots_for<T>.most != 0;

    slotted_ids() = default;

    /// Looks for a multiplier that gives each id a slot of its own; found() says whether there is
    /// one.
    explicit slotted_ids(const std::vector<T>& ids) noexcept {
        if (!available || ids.empty() || ids.size() > slots_for<T>.most || !all_fit(ids)) {
            return;
        }
        for (std::size_t tries = 0; tries < 64 && !m_found; ++tries) {
            m_factor += 0x9e3779b8u; // odd numbers, each as good as the last
            word_t taken = 0;
            m_found = std::all_of(ids.begin(), ids.end(), [&](T id) {
                const word_t slot = word_t(1) << slot_of(id, m_factor);
                return (std::exchange(taken, taken | slot) & slot) == 0;
            });
        }
        if (m_found) {
            m_ids.fill(static_cast<slot_type>(ids[0]));
            for (const T id : ids) {
                m_ids[slot_of(id, m_factor)] = static_cast<slot_type>(id);
            }
        }
    }

    [[nodiscard]] bool found() const noexcept { return m_found; }

    XMASK_INLINE bool operator()(T token) const noexcept {
        return static_cast<T>(m_ids[slot_of(token, m_factor)]) == token;
    }

    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const
        requires available
    {
        word_t bits = 0;
        if constexpr (registers == 1) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                bits |= match({load<full>(tokens, k, count - k)}) << k;
            });
            return bits & first_bits(count);
        } else if constexpr (std::is_same_v<Count, whole_word>) {
            for (std::size_t k = 0; k < word_columns; k += registers * lane_count<T>) {
                bits |= match_group(tokens, k, std::make_index_sequence<registers>()) << k;
            }
            return bits;
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                bits |= word_t((*this)(tokens.at(k))) << k;
            }
            return bits;
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
    std::uint32_t m_factor = 1;
    bool m_found = false;
};

/// Many ids that lie close together: a byte for each value from the lowest to the highest, which is
/// quicker to read than a bit.
template <class T>
class byte_table {
    using unsigned_t = std::make_unsigned_t<T>;

public:
    /// Whether a table of so many ids between these is soon made, and stays in a cache.
    static bool suits(T least, T most, std::size_t count) noexcept {
        constexpr std::size_t first_level = std::size_t(1) << 15;
        constexpr std::size_t second_level = std::size_t(1) << 18;
        const auto range = distance(least, most);
        return range < first_level || (range < second_level && range / 256 < count);
    }

    byte_table() = default;

    /// Of ids in any order.
    byte_table(const std::vector<T>& ids, T least, T most)
        : m_low(least)
        // Up to a power of two, so that one test tells which tokens lie beyond; and one more, for
        // those.
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
            word_t bits = 0;
            for (std::size_t k = 0; k < count; ++k) {
                bits |= word_t((*this)(tokens.at(k))) << k;
            }
            return bits;
        }
    }

private:
    /// How far a value lies above another; values below wrap to beyond any table.
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
        // Where the byte of the value 0 would be. Addresses wrap as distances do where they are as
        // wide, and need no subtraction then.
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
            // Doubled and added, highest column first: an instruction each.
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

/// Many ids far apart: a hash table with at least as many free places as ids, searched onwards from
/// where an id belongs.
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
        word_t bits = 0;
        for (std::size_t k = 0; k < count; ++k) {
            bits |= word_t((*this)(tokens.at(k))) << k;
        }
        return bits;
    }

private:
    /// A value that is no id, to mark places that are free. Ids too many to leave one would be
    /// close together.
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

/// Looks tokens up among ids of their own type, in the way that suits the ids' number and range.
template <class T>
class id_lookup {
public:
    /// Of ids in any order, which may come more than once. Only for a table of bytes they need not
    /// be sorted.
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

    /// What is moved from finds nothing.
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

    /// Answers a block of a row.
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

    /// As many may turn out to be so few that registers hold them.
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

    // Out of line: it takes long enough for a call, and the operation's loop stays small.
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
} // namespace detail

/// A set of integer ids, built once and used often: stop words, special tokens, a vocabulary.
///
/// T: the ids' type, deduced. Token builders take one wherever they take ids; they hold an lvalue
/// by reference and move an rvalue in. Ids are compared with tokens of any integer type as numbers:
/// -1 is not 2^64 - 1. Tokens of the ids' own type use the set as it stands; for those of another
/// type a mask converts it when it is made. Few ids are compared in registers, many are looked up
/// in a table of bytes over their range, or by their hashes where that is wide.
///
///     const xmask::id_set<std::int64_t> stop({1, 2, 3});
///     auto m = xmask::keep_tokens(tokens, stop);
///     bool stops = stop.contains(7);    // false
template <std::integral T>
    requires(!std::same_as<T, bool>)
class id_set {
public:
    using value_type = T;

    id_set(std::initializer_list<T> ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    /// From a standard container, a tensor or a lazy expression of integers, which is copied.
    /// Duplicates count once; ids that T can't hold are left out.
    template <class C>
        requires(detail::holds_integers<C>())
    explicit id_set(const C& ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    id_set(const id_set&) = default;
    id_set& operator=(const id_set&) = default;

    /// What is moved from is empty.
    id_set(id_set&& other) noexcept = default;

    id_set& operator=(id_set&& other) noexcept {
        if (this != &other) {
            m_ids = std::exchange(other.m_ids, {});
            m_lookup = std::move(other.m_lookup);
        }
        return *this;
    }

    ~id_set() = default;

    /// How many different ids there are.
    [[nodiscard]] std::size_t size() const noexcept { return m_ids.size(); }

    /// Whether a number of any integer type is among the ids; costs a look-up.
    template <std::integral U>
    [[nodiscard]] bool contains(U id) const noexcept {
        return detail::fits<T>(id) && m_lookup(static_cast<T>(id));
    }

    /// The ids, in ascending order.
    [[nodiscard]] auto begin() const noexcept { return m_ids.begin(); }

    [[nodiscard]] auto end() const noexcept { return m_ids.end(); }

    /// How masks look tokens up.
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
/// Whether I can stand for the ids of a token builder: a set, list or container of integers, or one
/// integer.
template <class I>
consteval bool holds_ids() {
    using ids = std::remove_cvref_t<I>;
    return holds_integers<ids>() || (std::integral<ids> && !std::same_as<ids, bool>);
}

/// The test of a token of type T against a set, by reference or moved in.
template <class T, class CTI>
class id_test {
public:
    template <class I>
    explicit id_test(I&& ids) : m_ids(std::forward<I>(ids)) {}

    [[nodiscard]] const id_set<T>& ids() const noexcept { return m_ids; }

    bool operator()(T token) const noexcept { return ids().lookup()(token); }

    /// Answers a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        return ids().lookup().block(tokens, count);
    }

private:
    CTI m_ids;
};

/// The same of ids of any kind: of a set of T itself, or of one made of them.
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

/// The same where ids are only looked up, and need not be put in order.
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
