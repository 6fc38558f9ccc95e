// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"
#include "random_lanes.hpp"
#include "random_stream.hpp"

/// @file
/// Masks that keep an exact number of random elements, of each row or of a whole tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The largest set of which subsets are drawn: the halves of a number have 32 bits.
inline constexpr std::uint64_t most_shuffled = std::uint64_t(1) << 58;

/// A shuffle of the numbers [0, n), n > 64, that computes the place of each number alone: a Feistel
/// network (Black and Rogaway, Ciphers with arbitrary finite domains, 2002) on pairs (high, low)
/// with high in [0, highs) and low in [0, 2^bits). There are a few more pairs than numbers: a
/// number that leaves [0, n) goes through the network again until it is back.
class shuffle {
public:
    shuffle() = default;

    explicit shuffle(std::uint64_t n) noexcept
        : m_bits(static_cast<unsigned>(std::bit_width(n) - 1) / 2)
        , m_highs(static_cast<std::uint32_t>((n + low_mask()) >> m_bits))
        , m_end(n) {}

    /// Chooses the order of the numbers.
    void set_key(const row_stream& stream) noexcept {
        for (std::size_t round = 0; round < rounds; round += 2) {
            const std::uint64_t pair = stream.pair(round / 2);
            m_keys[round] = static_cast<std::uint32_t>(pair);
            m_keys[round + 1] = static_cast<std::uint32_t>(pair >> 32);
        }
    }

    /// The place of number i.
    [[nodiscard]] std::uint64_t operator()(std::uint64_t i) const noexcept {
        do {
            auto high = static_cast<std::uint32_t>(i >> m_bits);
            auto low = static_cast<std::uint32_t>(i) & low_mask();
            for (std::size_t round = 0; round < rounds; round += 2) {
                high = next_high(high, low, m_keys[round]);
                low = next_low(high, low, m_keys[round + 1]);
            }
            i = std::uint64_t(high) << m_bits | low;
        } while (i >= m_end);
        return i;
    }

    /// A bit for each of 64 numbers from `first` on: whether its place is below `limit`.
    [[nodiscard]] word_t below(std::uint64_t limit, std::uint64_t first) const noexcept {
        const bool powers = std::has_single_bit(m_highs);
        word_t bits = 0;
        word_t inside = 0;
        for (std::size_t k = 0; k < word_columns; k += at_once) {
            const places drawn =
                powers ? first_places<true>(first + k) : first_places<false>(first + k);
            bits |= below(limit, drawn) << k;
            inside |= below(m_end, drawn) << k;
        }
        const word_t asked = first_bits(std::min<std::uint64_t>(m_end - first, word_columns));
        bits &= asked;
        for (word_t outside = ~inside & asked; outside != 0; outside &= outside - 1) {
            const std::size_t k = lowest_bit(outside);
            const word_t kept = (*this)(first + k) < limit ? 1 : 0;
            bits = (bits & ~(word_t(1) << k)) | kept << k;
        }
        return bits;
    }

private:
    /// With 8 rounds pairs and triples in 2,000,000 subsets of 65 to 130 positions are as even as
    /// chance; with 6 they are not.
    static constexpr std::size_t rounds = 8;

    /// Mixes all bits (C. Wellons, hash-prospector, 2018; constants by TheIronBorn).
    static constexpr std::uint32_t mixed(std::uint32_t x) noexcept {
        x = (x ^ x >> 16) * 0x21f0aaad;
        x = (x ^ x >> 15) * 0x735a2d97;
        return x ^ x >> 15;
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t low_mask() const noexcept {
        return (std::uint32_t(1) << m_bits) - 1;
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t next_high(
        std::uint32_t high, std::uint32_t low, std::uint32_t key
    ) const noexcept {
        high += static_cast<std::uint32_t>(std::uint64_t(mixed(low + key)) * m_highs >> 32);
        return std::min(high, high - m_highs); // wraps to a large number where high < m_highs
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t next_low(
        std::uint32_t high, std::uint32_t low, std::uint32_t key
    ) const noexcept {
        return (low + mixed(high + key)) & low_mask();
    }

    using numbers = lanes<std::uint32_t>;

    /// As many registers at once as a processor of 16 registers holds: the rounds of one register
    /// wait for each other.
    static constexpr std::size_t registers = 4;
    static constexpr std::size_t at_once = registers * lane_count<std::uint32_t>;

    static_assert(word_columns % at_once == 0);

    struct places {
        std::array<numbers, registers> high;
        std::array<numbers, registers> low;
    };

    XMASK_INLINE static numbers mixed(numbers x) noexcept {
        x = (x ^ (x >> 16)) * numbers(0x21f0aaad);
        x = (x ^ (x >> 15)) * numbers(0x735a2d97);
        return x ^ (x >> 15);
    }

    /// As the scalar next_high. `Powers` says that m_highs is a power of two, as it is where n is
    /// one: then a shift gives the upper half of the product, and a mask the remainder.
    template <bool Powers>
    [[nodiscard]] XMASK_INLINE numbers
    next_high(const numbers& high, const numbers& low, std::uint32_t key) const noexcept {
        const numbers random = mixed(low + numbers(key));
        if constexpr (Powers) {
            return (high + (random >> (32 - std::countr_zero(m_highs)))) & numbers(m_highs - 1);
        } else {
            const numbers sum = high + upper_products(random, m_highs);
            return xsimd::min(sum, sum - numbers(m_highs));
        }
    }

    /// Where the network brings the numbers from `first` on, in one pass.
    template <bool Powers>
    [[nodiscard]] XMASK_INLINE places first_places(std::uint64_t first) const noexcept {
        const numbers low_bits(low_mask());
        const int bits = static_cast<int>(m_bits);
        places at;
        auto from = lane_multiples<std::uint32_t>(1) +
                    numbers(static_cast<std::uint32_t>(first) & low_mask());
        for (std::size_t i = 0; i < registers; ++i) {
            at.high[i] = (from >> bits) + numbers(static_cast<std::uint32_t>(first >> m_bits));
            at.low[i] = from & low_bits;
            from += numbers(static_cast<std::uint32_t>(lane_count<std::uint32_t>));
        }
        for (std::size_t round = 0; round < rounds; round += 2) {
            for (std::size_t i = 0; i < registers; ++i) {
                auto& high = at.high[i];
                auto& low = at.low[i];
                high = next_high<Powers>(high, low, m_keys[round]);
                low = (low + mixed(high + numbers(m_keys[round + 1]))) & low_bits;
            }
        }
        return at;
    }

    [[nodiscard]] XMASK_INLINE word_t below(std::uint64_t limit, const places& at) const noexcept {
        // Halves lie below 2^31, and every processor compares signed numbers.
        const lanes<std::int32_t> limit_high(static_cast<std::int32_t>(limit >> m_bits));
        const lanes<std::int32_t> limit_low(static_cast<std::int32_t>(limit & low_mask()));
        word_t bits = 0;
        for (std::size_t i = 0; i < registers; ++i) {
            const auto h = xsimd::bitwise_cast<std::int32_t>(at.high[i]);
            const auto l = xsimd::bitwise_cast<std::int32_t>(at.low[i]);
            bits |= bits_from_mask(h < limit_high || (h == limit_high && l < limit_low))
                    << i * lane_count<std::int32_t>;
        }
        return bits;
    }

    unsigned m_bits = 0;
    std::uint32_t m_highs = 0;
    std::uint64_t m_end = 0;
    std::array<std::uint32_t, rounds> m_keys{};
};

/// k of n positions: those that a shuffle brings to the front. Up to 64 positions are shuffled like
/// cards, which makes all subsets exactly equally likely.
class random_subset {
public:
    random_subset() = default;

    random_subset(std::uint64_t n, std::uint64_t k) noexcept
        : m_shuffle(n > word_columns ? shuffle(n) : shuffle()), m_size(n), m_kept(k) {}

    /// The subset of one stream.
    [[nodiscard]] random_subset drawn(const row_stream& stream) const noexcept {
        random_subset subset = *this;
        if (m_size > word_columns) {
            subset.m_shuffle.set_key(stream);
        } else {
            subset.m_bits = dealt(stream);
        }
        return subset;
    }

    /// The bits of positions [first, first + 64); first < n.
    [[nodiscard]] word_t word(std::uint64_t first) const noexcept {
        if (m_kept == 0 || m_kept == m_size) {
            return m_kept == 0 ? 0 : first_bits(m_size - first);
        }
        return m_size > word_columns ? m_shuffle.below(m_kept, first) : m_bits >> first;
    }

    [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }

    /// Whether all positions are kept, or dropped, or neither.
    [[nodiscard]] stretch_kind known() const noexcept {
        return m_kept == 0        ? stretch_kind::dropped
               : m_kept == m_size ? stretch_kind::kept
                                  : stretch_kind::unknown;
    }

private:
    /// The first k cards of a shuffled pack (Fisher and Yates). A larger k keeps these and more.
    [[nodiscard]] word_t dealt(const row_stream& stream) const noexcept {
        std::array<unsigned char, word_columns> cards;
        std::iota(cards.begin(), cards.end(), static_cast<unsigned char>(0));
        word_t bits = 0;
        for (std::size_t i = 0; i < m_kept; ++i) {
            std::swap(cards[i], cards[i + to_size(stream.below(m_size - i, i))]);
            bits |= word_t(1) << cards[i];
        }
        return bits;
    }

    shuffle m_shuffle;
    std::uint64_t m_size = 0;
    std::uint64_t m_kept = 0;
    word_t m_bits = 0;
};

/// A row of n columns, the first of which is a given position of a subset.
class subset_cursor {
public:
    subset_cursor(const random_subset& subset, std::uint64_t first, std::size_t n) noexcept
        : m_subset(subset), m_first(first), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        return m_subset.word(m_first + c) & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_subset.known()};
    }

private:
    random_subset m_subset;
    std::uint64_t m_first;
    std::size_t m_columns;
};

/// Throws std::invalid_argument for a set of too many elements.
inline void require_shuffled(const char* name, std::uint64_t n) {
    if (n > most_shuffled) [[unlikely]] {
        throw_invalid(
            name, "a subset of ", n, " elements; at most ", most_shuffled, " are supported"
        );
    }
}

/// A subset of each row of n columns.
struct subset_rows {
    random_subset subset;
    std::uint64_t seed;
    std::size_t n;

    subset_cursor operator()(std::size_t r) const noexcept {
        return {subset.drawn(row_stream(seed, r)), 0, n};
    }
};

/// The number of elements that is nearest to a fraction of `size`.
inline std::size_t fraction_of(const char* name, double fraction, std::size_t size) {
    require_option(name, "fraction", fraction, option_range::between(0, 1));
    require_shuffled(name, size);
    return std::min(
        size, static_cast<std::size_t>(std::llround(fraction * static_cast<double>(size)))
    );
}

/// A subset of the whole tensor.
template <class S>
class whole_subset_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_random_fraction";

    whole_subset_rule(S shape, double fraction, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_subset(random_subset(size(), fraction_of("keep_random_fraction", fraction, size()))
                       .drawn(row_stream(seed_of(stream_use::subset, seed), 0))) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] subset_cursor row(std::size_t r) const noexcept {
        return {m_subset, r * columns_of(m_shape), columns_of(m_shape)};
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] subset_cursor whole() const noexcept { return {m_subset, 0, size()}; }

private:
    [[nodiscard]] std::size_t size() const noexcept {
        return rows_of(m_shape) * columns_of(m_shape);
    }

    S m_shape;
    random_subset m_subset;
};
} // namespace detail

/// Keeps exactly k random elements of each row.
///
/// The mask is a pure function of the seed, the number of the row, its length and the column. With
/// the same seed a smaller k keeps a subset of a larger one. All subsets are equally likely:
/// exactly in rows of up to 64 columns, and as nearly as a keyed permutation (a Feistel network)
/// gives it in longer ones.
///
///     auto m = xmask::keep_random_k({64, 4096}, 1024, 42);    // prunes three weights out of four in each row
///     std::size_t kept = xmask::count_kept(m);    // 65536
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @param k number of kept elements, at most the length of a row.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::out_of_range for k beyond the row's length.
///
/// Cost: nothing is stored; an element costs eight rounds of the network, each time it is asked
/// for: store a mask that is used often in a bitmask.
template <class S = std::initializer_list<std::size_t>>
auto keep_random_k(const S& shape, std::size_t k, std::uint64_t seed) {
    constexpr const char* name = "keep_random_k";
    auto owned = detail::to_shape(name, shape);
    const std::size_t n = detail::columns_of(owned);
    if (k > n) [[unlikely]] {
        detail::throw_out_of_range(
            name, "k ", k, " is outside of [0, ", n, "], the length of a row"
        );
    }
    detail::require_shuffled(name, n);
    const detail::subset_rows rows{
        detail::random_subset(n, k), detail::seed_of(detail::stream_use::subset, seed), n
    };
    return mask(detail::computed_rule(name, std::move(owned), rows));
}

/// Keeps exactly a fraction of all elements, at random: unstructured random pruning.
///
/// The mask is a pure function of the seed, the number of elements and the place of the element
/// among them. With the same seed a smaller fraction keeps a subset of a larger one. All subsets
/// are equally likely, as those of keep_random_k.
///
///     auto m = xmask::keep_random_fraction({300, 200}, 0.1, 42);    // prunes nine of ten weights
///     std::size_t kept = xmask::count_kept(m);    // 6000
///
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @param fraction share of kept elements, 0 to 1, to the nearest number of elements.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for a fraction outside of [0, 1].
///
/// Cost: nothing is stored; an element costs eight rounds of a Feistel network, each time it is
/// asked for.
template <class S = std::initializer_list<std::size_t>>
auto keep_random_fraction(const S& shape, double fraction, std::uint64_t seed) {
    auto owned = detail::to_shape("keep_random_fraction", shape);
    return mask(detail::whole_subset_rule<decltype(owned)>(std::move(owned), fraction, seed));
}
} // namespace xmask::inline XMASK_ABI
