// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "attributes.hpp"
#include "keys.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// Selection by mass without sorting: the fewest of the largest keys whose weights reach a sum.
///
/// Bounds from a sample part the keys as in selection.hpp. A pass adds the weights above the bounds
/// and between them, in double; only the keys on the side where the sum is reached go on. At most
/// 64 keys are compared each with each.

namespace xmask::inline XMASK_ABI::detail {
/// The weight of a probability: the probability itself.
struct probability_weight {
    static constexpr double lightest = 0; ///< keys up to this one weigh nothing

    template <class V>
    XMASK_INLINE V operator()(const V& x) const noexcept {
        return x;
    }
};

/// The weight of a logit: exp(logit - largest logit), at most 1. The largest logit may be infinite.
struct logit_weight {
    static constexpr double lightest = -std::numeric_limits<double>::infinity();

    double largest;

    double operator()(double x) const noexcept { return x == largest ? 1 : std::exp(x - largest); }

    XMASK_INLINE lanes<double> operator()(const lanes<double>& x) const noexcept {
        const lanes<double> top(largest);
        return xsimd::select(x == top, lanes<double>(1.), xsimd::exp(x - top));
    }
};

/// Adds the weights of registers of keys.
template <class K, class Weight>
class weight_sum {
public:
    explicit weight_sum(const Weight& weight) : m_weight(weight) {}

    /// Adds the weights of the chosen lanes.
    XMASK_INLINE void add(const lanes<K>& x, word_t chosen) noexcept {
        const lanes<K> nothing(static_cast<K>(Weight::lightest));
        const auto weighed = select_by_bits<K>(chosen, 0, x, nothing);
        for_each_wide<K>(
            weighed, [this](std::size_t i, const lanes<double>& wide)
                         XMASK_INLINE_LAMBDA { m_sums[i] += m_weight(wide); }
        );
    }

    [[nodiscard]] double total() const noexcept { return xsimd::reduce_add(m_sums[0] + m_sums[1]); }

private:
    Weight m_weight;
    std::array<lanes<double>, 2> m_sums{lanes<double>(0.), lanes<double>(0.)};
};

/// The largest of n keys that is a number; the lowest number where there is none.
template <class K>
K largest_key(const K* keys, std::size_t n) {
    K largest = key_limits<K>::lowest;
    if constexpr (has_lanes<K>) {
        lanes<K> most(largest);
        for_each_lanes(keys, n, [&](const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            most = select_by_bits<K>(bits_from_mask(x > most) & valid, 0, x, most);
        });
        std::array<K, lane_count<K>> all;
        store_lanes(all.data(), most);
        return *std::max_element(all.begin(), all.end());
    }
    for (std::size_t i = 0; i < n; ++i) {
        largest = keys[i] > largest ? keys[i] : largest;
    }
    return largest;
}

/// The sum of the weights of n keys; NaN weighs nothing.
template <class K, class Weight>
double weight_of(const Weight& weight, const K* keys, std::size_t n) {
    const K lightest = static_cast<K>(Weight::lightest);
    if constexpr (has_lanes<K>) {
        weight_sum<K, Weight> sum(weight);
        for_each_lanes(keys, n, [&](const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            sum.add(x, bits_from_mask(x > lanes<K>(lightest)) & valid);
        });
        return sum.total();
    } else {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += keys[i] > lightest ? weight(static_cast<double>(keys[i])) : 0;
        }
        return sum;
    }
}

/// A cut that keeps all keys larger than `key`, and the first `ties` keys equal to `key`.
template <class K>
struct mass_cut {
    K key;
    std::size_t ties;
};

/// The cut through `count` equal keys that are the next in size, where the larger ones weigh `sum`.
template <class K, class Weight>
mass_cut<K> cut_at(const Weight& weight, K key, std::size_t count, double sum, double wanted) {
    const double each = weight(static_cast<double>(key));
    std::size_t ties = 1;
    if (each > 0 && wanted > sum) {
        // Rounding may have gone up.
        const double enough = std::floor((wanted - sum) / each) - 1;
        ties = to_size(std::clamp(enough, 1., static_cast<double>(count)));
    }
    while (ties < count && sum + static_cast<double>(ties) * each < wanted) {
        ++ties;
    }
    return {key, ties};
}

/// The weights of at most 64 keys, and of all keys above each, by comparing each with each.
class few_weights {
    static constexpr std::size_t step = lane_count<double>;
    static constexpr std::size_t at_once = 4; ///< registers that share the load of a key
    static constexpr std::size_t most = word_columns;

public:
    template <class K, class Weight>
    few_weights(const Weight& weight, const K* keys, std::size_t n) : m_size(n) {
        m_keys.fill(0);
        for (std::size_t i = 0; i < n; ++i) {
            m_keys[i] = static_cast<double>(keys[i]);
        }
        for (std::size_t i = 0; i < n; i += step) {
            store_lanes(m_weights.data() + i, weight(load_lanes(m_keys.data() + i)));
        }
        for (std::size_t i = 0; i < n; i += at_once * step) {
            add_above(i);
        }
    }

    /// The smallest key above which the weights, times `scale` and added to `sum`, are less than
    /// wanted; `sum` is less.
    [[nodiscard]] double crossing(double sum, double scale, double wanted) const {
        lanes<double> least(std::numeric_limits<double>::infinity());
        for (std::size_t i = 0; i < m_size; i += step) {
            const auto x = load_lanes(m_keys.data() + i);
            const auto reached =
                lanes<double>(sum) + load_lanes(m_above.data() + i) * lanes<double>(scale);
            const word_t chosen = bits_from_mask(reached < lanes<double>(wanted)) &
                                  first_bits(std::min(m_size - i, step));
            least = select_by_bits<double>(chosen, 0, xsimd::min(least, x), least);
        }
        return xsimd::reduce_min(least);
    }

    /// The weights of all keys.
    [[nodiscard]] double total() const {
        return std::accumulate(m_weights.begin(), m_weights.begin() + m_size, 0.);
    }

    /// The weights of the keys above one of them.
    [[nodiscard]] double above(double key) const {
        for (std::size_t i = 0; i < m_size; ++i) {
            if (m_keys[i] == key) {
                return m_above[i];
            }
        }
        return 0;
    }

private:
    XMASK_INLINE void add_above(std::size_t first) {
        std::array<lanes<double>, at_once> keys;
        std::array<lanes<double>, at_once> sums;
        for (std::size_t k = 0; k < at_once; ++k) {
            keys[k] = load_lanes(m_keys.data() + first + k * step);
            sums[k] = lanes<double>(0.);
        }
        for (std::size_t i = 0; i < m_size; ++i) {
            const lanes<double> other(m_keys[i]);
            const lanes<double> weight(m_weights[i]);
            for (std::size_t k = 0; k < at_once; ++k) {
                sums[k] = xsimd::select(other > keys[k], sums[k] + weight, sums[k]);
            }
        }
        for (std::size_t k = 0; k < at_once; ++k) {
            store_lanes(m_above.data() + first + k * step, sums[k]);
        }
    }

    std::array<double, most + at_once * step> m_keys;
    std::array<double, most + at_once * step> m_weights;
    std::array<double, most + at_once * step> m_above;
    std::size_t m_size;
};

/// Finds the fewest of the largest keys whose weights reach a sum.
template <class K, class Weight>
class mass_search {
    using order = key_order<K>;

    static constexpr std::size_t most_misses = 8;
    static constexpr K lightest = static_cast<K>(Weight::lightest);

public:
    /// Of n keys; `room` may be where the keys are.
    mass_search(
        const Weight& weight, const K* keys, std::size_t n, double wanted, std::vector<K>& room
    )
        : m_weight(weight), m_keys(keys), m_size(n), m_wanted(wanted), m_room(&room) {}

    /// Some keys weigh something. Where all do not reach the sum, the cut is through the smallest of
    /// these.
    mass_cut<K> find() {
        while (m_size > word_columns) {
            const auto [low, high] = m_misses < most_misses ? guess() : middle();
            if (narrow(low, high)) {
                return m_found;
            }
        }
        return finish();
    }

private:
    /// Two keys of a sample between which the sum is likely to be reached; after a miss one.
    [[nodiscard]] std::array<K, 2> guess() const {
        few_keys<K> few;
        const std::size_t count = take_sample(few.data());
        if (count == 0) {
            return {lightest, key_limits<K>::largest};
        }
        const double scale = static_cast<double>(m_size) / static_cast<double>(word_columns);
        const few_weights weights(m_weight, few.data(), count);
        few.rank(count);
        if (m_sum + scale * weights.total() < m_wanted) {
            // The sample has missed the heaviest keys, or all keys are to be kept.
            const K middle = few.key((count + 1) / 2);
            return {middle, middle};
        }
        const auto at = static_cast<K>(weights.crossing(m_sum, scale, m_wanted));
        if (m_misses % 2 != 0) {
            return {at, at};
        }
        const std::size_t rank = few.count_above(at) + 1;
        constexpr std::size_t spread = 5;
        return {
            rank + spread <= count ? few.key(rank + spread) : lightest,
            rank > spread ? few.key(rank - spread) : key_limits<K>::largest
        };
    }

    /// Keys at even distances that weigh something.
    std::size_t take_sample(K* to) const {
        constexpr std::size_t piece = std::min<std::size_t>(lane_count<K>, 16);
        constexpr std::size_t pieces = word_columns / piece;
        const K* const first = to;
        const std::size_t distance = (m_size - piece) / (pieces - 1);
        for (std::size_t i = 0; i < pieces; ++i) {
            const auto x = load_first_lanes(m_keys + i * distance, piece);
            to = append_lanes(to, x, bits_from_mask(x > lanes<K>(lightest)) & first_bits(piece));
        }
        return static_cast<std::size_t>(to - first);
    }

    /// The key in the middle of where the sum may be reached.
    [[nodiscard]] std::array<K, 2> middle() const {
        const K key = order::at(m_first + (m_last - m_first) / 2);
        return {key, key};
    }

    /// Forgets the keys on whose side the sum is not reached. Whether the cut is found.
    bool narrow(K low, K high) {
        const lanes<K> bottom(low);
        const lanes<K> top(high);
        const std::size_t size = m_size;
        const auto [above, between] = weigh(bottom, top);
        if (m_sum + above >= m_wanted) {
            keep([&](const lanes<K>& x) { return x > top; });
            m_first = order::position(high) + 1;
        } else if (m_sum + above + between >= m_wanted) {
            keep([&](const lanes<K>& x) { return (x >= bottom) & (x <= top); });
            m_sum += above;
            m_first = std::max(m_first, order::position(low));
            m_last = std::min(m_last, order::position(high));
            if (low == high) {
                m_found = cut_at(m_weight, low, m_size, m_sum, m_wanted);
                return true;
            }
        } else {
            keep([&](const lanes<K>& x) { return (x < bottom) & (x > lanes<K>(lightest)); });
            m_sum += above + between;
            m_last = order::position(low) - 1;
        }
        m_misses += m_size > size / 2 ? 1 : 0;
        return false;
    }

    /// The weights above the bounds and between them.
    [[nodiscard]] std::array<double, 2> weigh(const lanes<K>& low, const lanes<K>& high) const {
        weight_sum<K, Weight> above(m_weight);
        weight_sum<K, Weight> between(m_weight);
        for_each_lanes(m_keys, m_size, [&](const lanes<K>& x, word_t valid) XMASK_INLINE_LAMBDA {
            const word_t weighs = bits_from_mask(x >= low) & valid;
            if (weighs == 0) {
                return;
            }
            const word_t larger = bits_from_mask(x > high) & weighs;
            if (larger != 0) {
                above.add(x, larger);
            }
            between.add(x, weighs & ~larger);
        });
        return {above.total(), between.total()};
    }

    template <class Test>
    void keep(Test&& test) {
        m_room->resize(std::max(m_room->size(), m_size + lane_count<K>));
        m_size = copy_keys(m_keys, m_size, m_room->data(), test);
        m_keys = m_room->data();
    }

    /// Of the few keys that are left.
    mass_cut<K> finish() {
        few_keys<K> few;
        const std::size_t count = copy_keys(m_keys, m_size, few.data(), [](const lanes<K>& x) {
            return x > lanes<K>(lightest);
        });
        const few_weights weights(m_weight, few.data(), count);
        const double crossing = weights.crossing(m_sum, 1, m_wanted);
        m_sum += weights.above(crossing);
        const auto key = static_cast<K>(crossing);
        const auto equal = to_size(std::count(few.data(), few.data() + count, key));
        return cut_at(m_weight, key, equal, m_sum, m_wanted);
    }

    Weight m_weight;
    const K* m_keys;
    std::size_t m_size;
    double m_wanted;
    double m_sum = 0; ///< weights of keys that are kept and forgotten
    std::size_t m_misses = 0;
    std::uint64_t m_first = order::position(lightest);
    std::uint64_t m_last = order::position(key_limits<K>::largest);
    mass_cut<K> m_found{};
    std::vector<K>* m_room;
};

/// Of types without registers, by sorting.
template <class K, class Weight>
    requires(!has_lanes<K>)
class mass_search<K, Weight> {
public:
    mass_search(
        const Weight& weight, const K* keys, std::size_t n, double wanted, std::vector<K>& /*room*/
    )
        : m_weight(weight), m_keys(keys, keys + n), m_wanted(wanted) {}

    mass_cut<K> find() {
        std::erase_if(m_keys, [](K x) { return !(x > static_cast<K>(Weight::lightest)); });
        std::sort(m_keys.begin(), m_keys.end(), std::greater<>());
        mass_cut<K> cut{};
        double sum = 0;
        for (auto first = m_keys.begin(); first != m_keys.end() && sum < m_wanted;) {
            const auto last = std::find_if(first, m_keys.end(), [&](K x) { return x != *first; });
            const auto count = to_size(last - first);
            cut = cut_at(m_weight, *first, count, sum, m_wanted);
            sum += static_cast<double>(count) * m_weight(static_cast<double>(*first));
            first = last;
        }
        return cut;
    }

private:
    Weight m_weight;
    std::vector<K> m_keys;
    double m_wanted;
};
} // namespace xmask::inline XMASK_ABI::detail
