// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <vector>

#include "attributes.hpp"
#include "keys.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// Selection without sorting: the k-th largest of some keys.
///
/// A sample of the keys gives two bounds that are likely to contain the k-th largest key. One pass
/// of registers counts the keys above the bounds, and collects the keys between them; all others
/// are dropped. At most 64 keys are compared each with each other. Wrong bounds cost another pass.
/// After some misses the bounds halve the range of the type, so that the time is linear for any
/// keys. Source: Floyd and Rivest, Expected time bounds for selection, CACM 18, 1975.

namespace xmask::inline XMASK_ABI::detail {
/// Finds the k-th largest of keys. Further selections use the same memory.
template <class K>
class key_selector {
public:
    /// Room for n keys, which the next selection may use and overwrite.
    [[nodiscard]] K* room(std::size_t n) {
        if (m_room.size() < n + lane_count<K>) {
            m_room.resize(n + lane_count<K>);
        }
        return m_room.data();
    }

    /// The k-th largest of n keys, 1 <= k <= n. Keys outside of room() do not change.
    ///
    /// Cost: one pass over the keys, and some over a share of them.
    ranked_key<K> kth_largest(const K* keys, std::size_t n, std::size_t k) {
        search at{keys, n, k, 0, n};
        K* const kept = room(n);
        while (at.size > at_last) {
            const bounds around = at.misses < most_misses ? guess(at) : middle(at);
            if (narrow(at, around, kept)) {
                return at.found;
            }
        }
        few_keys<K> few;
        const std::size_t count = copy_keys(at.keys, at.size, few.data(), is_number);
        if (at.k > count) {
            return at.missing(count);
        }
        few.rank(count);
        auto found = few.kth_largest(at.k);
        found.above += at.above;
        return found;
    }

private:
    using order = key_order<K>;

    static constexpr std::size_t most_misses = 8;
    /// Keys that are compared each with each: with narrow registers another pass costs less.
    static constexpr std::size_t at_last =
        std::clamp<std::size_t>(6 * lane_count<K>, 32, few_keys<K>::most);
    static constexpr std::size_t sample_piece = std::min<std::size_t>(lane_count<K>, 16);

    struct bounds {
        K low;
        K high;
    };

    /// The state of a search: the remaining keys.
    struct search {
        const K* keys;
        std::size_t size;
        std::size_t k;     ///< rank among the remaining keys
        std::size_t above; ///< dropped keys that are larger
        std::size_t all;
        std::size_t misses = 0;
        std::uint64_t first = order::position(key_limits<K>::lowest); ///< where the k-th largest
        std::uint64_t last = order::position(key_limits<K>::largest); ///< lies
        ranked_key<K> found{};

        /// Drops keys that are larger than the k-th largest.
        void forget(std::size_t count) {
            above += count;
            k -= count;
        }

        /// NaN, where all `count` remaining numbers are larger.
        [[nodiscard]] ranked_key<K> missing(std::size_t count) const {
            return {std::numeric_limits<K>::quiet_NaN(), above + count, all - above - count};
        }
    };

    XMASK_INLINE static auto is_number(const lanes<K>& x) noexcept { return x == x; }

    /// Bounds that are likely to contain the k-th largest key; after a miss, one key near it.
    static bounds guess(const search& at) {
        const std::size_t wanted = at.size < 1024 ? 32
                                   : at.size < 16384
                                       ? 64
                                       : static_cast<std::size_t>(2 * std::sqrt(double(at.size)));
        const std::size_t pieces = std::max<std::size_t>(2, wanted / sample_piece);
        if (pieces * sample_piece <= few_keys<K>::most) {
            few_keys<K> few;
            const std::size_t count = take_sample(at, pieces, few.data());
            few.rank(count);
            return bounds_of(at, pieces * sample_piece, count, [&](std::size_t r) {
                return few.key(r);
            });
        }
        std::vector<K> sample(pieces * sample_piece + lane_count<K>);
        const std::size_t count = take_sample(at, pieces, sample.data());
        key_selector inner;
        return bounds_of(at, pieces * sample_piece, count, [&](std::size_t r) {
            return inner.kth_largest(sample.data(), count, r).key;
        });
    }

    /// Bounds from a sample of `size` keys, `count` of them numbers, where ranked(r) is the r-th
    /// largest.
    template <class F>
    static bounds bounds_of(const search& at, std::size_t size, std::size_t count, F&& ranked) {
        bounds result{key_limits<K>::lowest, key_limits<K>::largest};
        if (count == 0) {
            return result;
        }
        const auto most = static_cast<double>(count);
        const double share = (static_cast<double>(at.k) - 0.5) / static_cast<double>(at.size);
        const double rank = share * static_cast<double>(size);
        if (at.misses % 2 != 0) {
            result.low = result.high =
                ranked(static_cast<std::size_t>(std::clamp(std::ceil(rank), 1., most)));
            return result;
        }
        const double spread = 0.5 + std::sqrt(rank * (1 - share));
        const double first = std::floor(rank - spread);
        const double last = std::ceil(rank + spread) + 1;
        if (first >= 1) {
            result.high = ranked(static_cast<std::size_t>(std::min(first, most)));
        }
        if (last <= most) {
            result.low = ranked(static_cast<std::size_t>(last));
        }
        return result;
    }

    /// Samples pieces at even distances, without NaN.
    static std::size_t take_sample(const search& at, std::size_t pieces, K* to) {
        const K* const first = to;
        const std::size_t distance = (at.size - sample_piece) / (pieces - 1);
        for (std::size_t i = 0; i < pieces; ++i) {
            const auto x = load_first_lanes(at.keys + i * distance, sample_piece);
            to = append_lanes(to, x, bits_from_mask(is_number(x)) & first_bits(sample_piece));
        }
        return static_cast<std::size_t>(to - first);
    }

    /// The key in the middle of the range that contains the k-th largest key.
    static bounds middle(const search& at) {
        const K key = order::at(at.first + (at.last - at.first) / 2);
        return {key, key};
    }

    /// Drops the keys outside of the bounds, or those inside where the k-th largest key is outside.
    /// Returns whether the key is found.
    static bool narrow(search& at, const bounds& around, K* kept) {
        const lanes<K> low(around.low);
        const lanes<K> high(around.high);
        const std::size_t size = at.size;
        const auto [above, between] = split(at, low, high, kept);
        if (at.k <= above) {
            at.size = copy_keys(at.keys, size, kept, [&](const auto& x) { return x > high; });
            at.first = order::position(around.high) + 1;
        } else if (at.k <= above + between) {
            if (at.keys == kept) {
                copy_keys(at.keys, size, kept, [&](const auto& x) {
                    return (x >= low) & (x <= high);
                });
            }
            at.size = between;
            at.forget(above);
            at.first = std::max(at.first, order::position(around.low));
            at.last = std::min(at.last, order::position(around.high));
            if (around.low == around.high) {
                at.found = {around.low, at.above, between};
                return true;
            }
        } else {
            at.forget(above + between);
            at.size = copy_keys(at.keys, size, kept, [&](const auto& x) { return x < low; });
            at.last = order::position(around.low) - 1;
            if (at.k > at.size) {
                at.found = at.missing(at.size);
                return true;
            }
        }
        at.misses += at.size > size / 2 ? 1 : 0;
        at.keys = kept;
        return false;
    }

    /// Counts the keys above the bounds and between them. Collects the keys between them, unless
    /// wrong bounds would then have overwritten the others.
    static std::array<std::size_t, 2> split(
        const search& at, const lanes<K>& low, const lanes<K>& high, K* kept
    ) {
        std::size_t above = 0;
        std::size_t between = 0;
        const auto pass = [&](auto collects) {
            K* to = kept;
            const auto part = [&](const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
                const word_t larger = bits_from_mask(x > high) & valid;
                const word_t inside = bits_from_mask(x >= low) & valid & ~larger;
                above += count_bits(larger);
                between += count_bits(inside);
                if constexpr (collects) {
                    to = append_lanes(to, x, inside);
                }
            };
            for_each_lanes(at.keys, at.size, part);
        };
        at.keys == kept ? pass(std::false_type()) : pass(std::true_type());
        return {above, between};
    }

    std::vector<K> m_room;
};

/// The selector of types without registers.
template <class K>
    requires(!has_lanes<K>)
class key_selector<K> {
public:
    [[nodiscard]] K* room(std::size_t n) {
        m_room.resize(std::max(n, m_room.size()));
        return m_room.data();
    }

    ranked_key<K> kth_largest(const K* keys, std::size_t n, std::size_t k) {
        std::vector<K> numbers;
        std::copy_if(keys, keys + n, std::back_inserter(numbers), [](K x) { return x == x; });
        if (k > numbers.size()) {
            return {std::numeric_limits<K>::quiet_NaN(), numbers.size(), n - numbers.size()};
        }
        const auto at = numbers.begin() + static_cast<std::ptrdiff_t>(k - 1);
        std::nth_element(numbers.begin(), at, numbers.end(), std::greater<>());
        const K key = *at;
        const auto count = [&](auto test) {
            return static_cast<std::size_t>(std::count_if(numbers.begin(), numbers.end(), test));
        };
        return {key, count([&](K x) { return x > key; }), count([&](K x) { return x == key; })};
    }

private:
    std::vector<K> m_room;
};
} // namespace xmask::inline XMASK_ABI::detail
