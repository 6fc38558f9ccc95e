// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/exp.hpp"
#include "../core/row.hpp"
#include "../core/simd.hpp"
#include "../core/target.hpp"
#include "../core/word.hpp"
#include "../masks/tiles.hpp"

/// @file
/// Operations of attention on the rows of a masked panel of scores.

namespace xmask::inline XMASK_ABI::detail {
/// Queries of a band, keys of a tile, and the largest number of tiles in a panel. A panel of scores
/// stays in a core's own cache.
inline constexpr std::size_t band_queries = 64;
inline constexpr std::size_t tile_keys = word_columns;
inline constexpr std::size_t panel_tiles = 4;
inline constexpr std::size_t panel_keys = panel_tiles * tile_keys;

/// Neighbouring tiles of a band.
struct panel {
    std::size_t first; ///< its first key
    std::size_t keys;
    bool whole; ///< every pair is kept
};

/// The kept pairs of a panel: a word for each query and tile.
class panel_bits {
public:
    template <class Band>
    void read(const Band& band, const panel& p) {
        const std::size_t tiles = (p.keys + tile_keys - 1) / tile_keys;
        for (std::size_t i = 0; i < band.rows(); ++i) {
            for (std::size_t w = 0; w < tiles; ++w) {
                const std::size_t c = w * tile_keys;
                const bool full = band.kind((p.first + c) / tile_keys) == tile_kind::full;
                m_words[i * panel_tiles + w] =
                    full ? first_bits(p.keys - c) : band.word(i, p.first + c);
            }
        }
    }

    [[nodiscard]] const word_t* row(std::size_t i) const noexcept {
        return m_words.data() + i * panel_tiles;
    }

    [[nodiscard]] bool kept(std::size_t i, std::size_t c) const noexcept {
        return (row(i)[c / word_columns] >> c % word_columns & 1) != 0;
    }

private:
    std::array<word_t, band_queries * panel_tiles> m_words;
};

/// Calls f(c, count, bits) for each 64 columns of a row; count is whole_word for all but the last.
template <class F>
XMASK_INLINE void for_each_word(std::size_t columns, const word_t* bits, F&& f) {
    for_each_block(0, columns, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
        f(c, count, bits[c / word_columns]);
    });
}

/// Calls f(x, kept) for each register of some rows and stores x. x is an array of one register of
/// each row; f changes it. kept(y) is y where the column is kept, 0 where it is dropped. Words that
/// keep nothing become 0 without a call.
template <class T, std::size_t N, class F>
XMASK_INLINE void map_kept(
    std::size_t columns, const word_t* bits, const std::array<T*, N>& rows, F&& f
) {
    for_each_word(columns, bits, [&](std::size_t c, auto count, word_t word) XMASK_INLINE_LAMBDA {
        if (word == 0) {
            for (T* row : rows) {
                std::fill_n(row + c, std::size_t(count), T(0));
            }
            return;
        }
        const bool all = word == ~word_t(0);
        if constexpr (has_lanes<T>) {
            const auto zero = lanes<T>(T(0));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                std::array<lanes<T>, N> x;
                for (std::size_t r = 0; r < N; ++r) {
                    x[r] = load_register<full>(memory_block<T>(rows[r] + c), k, count - k);
                }
                if (all) {
                    f(x, [](const lanes<T>& y) { return y; });
                } else {
                    const auto kept = mask_from_bits<T>(word, k);
                    f(x, [&](const lanes<T>& y) { return xsimd::select(kept, y, zero); });
                }
                for (std::size_t r = 0; r < N; ++r) {
                    store_register<full, false>(rows[r] + c + k, x[r], count - k);
                }
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                std::array<T, N> x;
                for (std::size_t r = 0; r < N; ++r) {
                    x[r] = rows[r][c + k];
                }
                f(x, [&](T y) { return (word >> k & 1) != 0 ? y : T(0); });
                for (std::size_t r = 0; r < N; ++r) {
                    rows[r][c + k] = x[r];
                }
            }
        }
    });
}

/// Registers of T, or T where it has no registers.
template <class T>
struct register_of {
    using type = T;
};

template <class T>
    requires has_lanes<T>
struct register_of<T> {
    using type = lanes<T>;
};

template <class T>
using register_t = typename register_of<T>::type;

/// The sum of a register's elements, or a number as it is.
template <class V>
auto sum_of(const V& x) {
    if constexpr (std::is_arithmetic_v<V>) {
        return x;
    } else {
        return xsimd::reduce_add(x);
    }
}

/// The maximum of `largest` and a row's kept scores.
template <class T>
T largest_kept(const T* scores, std::size_t columns, const word_t* bits, T largest) {
    if constexpr (has_lanes<T>) {
        auto most = lanes<T>(largest);
        const auto least = lanes<T>(-std::numeric_limits<T>::infinity());
        for_each_word(
            columns, bits,
            [&](std::size_t c, auto count, word_t word) XMASK_INLINE_LAMBDA {
                if (word == 0) {
                    return;
                }
                const bool all = word == ~word_t(0);
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    const auto x = load_register<full>(memory_block<T>(scores + c), k, count - k);
                    most = xsimd::max(most, all ? x : select_by_bits<T>(word, k, x, least));
                });
            }
        );
        return xsimd::reduce_max(most);
    } else {
        for (std::size_t c = 0; c < columns; ++c) {
            const bool kept = (bits[c / word_columns] >> c % word_columns & 1) != 0;
            largest = kept ? std::max(largest, scores[c]) : largest;
        }
        return largest;
    }
}

/// Replaces scores by exp(score - largest), 0 where dropped.
/// @returns their sum.
template <class T>
double exponentials(T* scores, std::size_t columns, const word_t* bits, T largest) {
    using V = register_t<T>;
    const V shift(largest);
    V sum(T(0));
    map_kept(
        columns, bits, std::array<T*, 1>{scores},
        [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
            x[0] = kept(exp_nonpositive(V(x[0] - shift)));
            sum = sum + x[0];
        }
    );
    return static_cast<double>(sum_of(sum));
}
} // namespace xmask::inline XMASK_ABI::detail
