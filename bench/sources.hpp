// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The sources of masks, and the alternatives without xmask for each.

#pragma once

#include "by_hand.hpp"
#include "libtorch.hpp"
#include "operands.hpp"

namespace bench {
// Lengths of this mean, with the largest possible spread. No row is empty: its softmax would be NaN
// elsewhere.
inline xt::xtensor<int, 1> random_lengths(const size& s, double density) {
    const double n = static_cast<double>(s.columns);
    const double spread = std::min(density, 1 - density);
    xt::xtensor<int, 1> lengths({s.rows}, 0);
    random_numbers random(3);
    for (int& length : lengths) {
        length = std::max(
            1, static_cast<int>(std::lround(n * (density + spread * (2 * random.uniform() - 1))))
        );
    }
    return lengths;
}

inline bool_table random_booleans(const size& s, double density) {
    bool_table kept(s.shape());
    random_numbers random(4);
    std::generate_n(kept.data(), kept.size(), [&] { return random.uniform() < density; });
    return kept;
}

inline std::vector<std::size_t> some_columns(const size& s, double share) {
    random_numbers random(5);
    std::vector<std::size_t> result;
    for (std::size_t c = 0; c < s.columns; ++c) {
        if (random.uniform() < share) {
            result.push_back(c);
        }
    }
    return result;
}

template <class F>
bool_table booleans_of(const size& s, F&& kept) {
    bool_table result(s.shape());
    for (std::size_t r = 0; r < s.rows; ++r) {
        for (std::size_t c = 0; c < s.columns; ++c) {
            result(r, c) = kept(r, c);
        }
    }
    return result;
}

// A mask on operands. Each source has mask(), which makes the mask again where that needs no table;
// condition(), which an xtensor user writes; the work of libtorch; and fill_by_hand(value, y), a
// loop of xsimd. Filling with 0 multiplies.
struct source {
    const table& x;
    bool_table ready; // for checks of answers, and for xtensor users

    const auto& condition() const { return ready; }

    auto fill_with_libtorch(float value, table& y) const {
        return with_libtorch::masked_fill(x, ready, value, y);
    }

    auto multiply_with_libtorch(table& y) const { return with_libtorch::multiply(x, ready, y); }

    table expected(float value) const {
        table result(x.shape());
        for (std::size_t i = 0; i < x.size(); ++i) {
            result.storage()[i] = ready.storage()[i] ? x.storage()[i] : value;
        }
        return result;
    }
};

struct from_lengths : source {
    static constexpr const char* name = "lengths";
    xt::xtensor<int, 1> lengths;

    from_lengths(const size& s, double density)
        : source{operand(s), {}}, lengths(random_lengths(s, density)) {
        ready = booleans_of(s, [&](std::size_t r, std::size_t c) {
            return std::cmp_less(c, lengths(r));
        });
    }

    auto mask() const { return xmask::keep_lengths(lengths, ready.shape(1)); }

    std::size_t length(std::size_t r) const { return static_cast<std::size_t>(lengths(r)); }

    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        for (std::size_t r = 0; r < y.shape(0); ++r) {
            const float* from = &x(r, 0);
            fill_by_length(
                &y(r, 0), y.shape(1), length(r), value,
                [=](std::size_t i) { return load(from + i); },
                [=](std::size_t i) { return from[i]; }
            );
        }
    }

    auto fill_with_libtorch(float value, table& y) const {
        return with_libtorch::masked_fill_by_lengths(x, lengths, value, y);
    }
};

struct from_indices : source {
    static constexpr const char* name = "indices";
    using mask_type =
        decltype(xmask::drop_indices(std::vector<std::size_t>(), std::array<std::size_t, 2>()));
    mask_type held;

    from_indices(const size& s, double density)
        : source{operand(s), {}}
        , held(xmask::drop_indices(some_columns(s, 1 - density), s.shape())) {
        std::vector<bool> is_dropped(s.columns);
        for (const std::size_t c : some_columns(s, 1 - density)) {
            is_dropped[c] = true;
        }
        ready = booleans_of(s, [&](std::size_t /*r*/, std::size_t c) { return !is_dropped[c]; });
    }

    const auto& mask() const { return held; }

    // The booleans of one row suffice.
    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        const bool* kept = ready.data();
        for (std::size_t r = 0; r < y.shape(0); ++r) {
            fill(&x(r, 0), &y(r, 0), y.shape(1), value, [=](std::size_t i) {
                return mask_of_bools(kept + i);
            });
        }
    }
};

struct from_booleans : source {
    static constexpr const char* name = "bool array";

    from_booleans(const size& s, double density)
        : source{operand(s), random_booleans(s, density)} {}

    auto mask() const { return xmask::keep_where(ready); }

    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        const bool* kept = ready.data();
        fill(x.data(), y.data(), y.size(), value, [=](std::size_t i) {
            return mask_of_bools(kept + i);
        });
    }
};

struct from_bitmask : source {
    static constexpr const char* name = "bitmask";
    xmask::bitmask bits;
    std::vector<std::uint64_t> words; // the same without gaps between rows

    from_bitmask(const size& s, double density)
        : source{operand(s), random_booleans(s, density)}
        , bits(xmask::keep_where(ready))
        , words(ready.size() / 64 + 1) {
        for (std::size_t i = 0; i < ready.size(); ++i) {
            words[i / 64] |= std::uint64_t(ready.storage()[i]) << i % 64;
        }
    }

    const auto& mask() const { return bits; }

    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        const std::uint64_t* from = words.data();
        fill(x.data(), y.data(), y.size(), value, [=](std::size_t i) {
            return mask_of_bits(from, i);
        });
    }
};

// A threshold on the operand itself.
struct from_threshold : source {
    static constexpr const char* name = "threshold";
    float threshold;

    from_threshold(const size& s, double density)
        : source{operand(s), {}}, threshold(static_cast<float>(1 - density)) {
        ready = booleans_of(s, [&](std::size_t r, std::size_t c) { return x(r, c) >= threshold; });
    }

    auto mask() const { return xmask::keep_at_least(x, threshold); }

    auto condition() const { return x >= threshold; }

    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        const float* from = x.data();
        fill(from, y.data(), y.size(), value, [from, least = threshold](std::size_t i) {
            return load(from + i) >= least;
        });
    }

    auto fill_with_libtorch(float value, table& y) const {
        return with_libtorch::masked_fill_by_threshold(x, threshold, value, y);
    }

    auto multiply_with_libtorch(table& y) const {
        return with_libtorch::multiply_by_threshold(x, threshold, y);
    }
};

// Two masks, each with the square root of the density.
struct from_both : source {
    static constexpr const char* name = "lengths && bitmask";
    from_lengths a;
    from_bitmask b;

    from_both(const size& s, double density)
        : source{operand(s), {}}, a(s, std::sqrt(density)), b(s, std::sqrt(density)) {
        ready = booleans_of(s, [&](std::size_t r, std::size_t c) {
            return a.ready(r, c) && b.ready(r, c);
        });
    }

    auto mask() const { return a.mask() && b.mask(); }

    auto condition() const { return a.ready && b.ready; }

    void fill_by_hand(float value, table& y) const {
        using namespace by_hand_loops;
        const std::uint64_t* words = b.words.data();
        const std::size_t n = y.shape(1);
        for (std::size_t r = 0; r < y.shape(0); ++r) {
            const float* from = x.data();
            fill_by_length(
                &y(r, 0), n, a.length(r), value,
                [=](std::size_t i) {
                    return xsimd::select(
                        mask_of_bits(words, r * n + i), load(from + r * n + i), batch(value)
                    );
                },
                [=](std::size_t i) {
                    return (words[(r * n + i) / 64] >> (r * n + i) % 64 & 1) != 0 ? from[r * n + i]
                                                                                  : value;
                }
            );
        }
    }
};
} // namespace bench
