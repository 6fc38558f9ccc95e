// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Loops by hand with xsimd, each for one case: contiguous floats. Sums are added in float, as is
// usual by hand.

#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <xsimd/xsimd.hpp>

namespace bench::by_hand_loops {
using batch = xsimd::batch<float>;
using batch_mask = xsimd::batch_bool<float>;

inline constexpr std::size_t lanes = batch::size;

inline batch load(const float* from) { return batch::load_unaligned(from); }

// ---- Masks, a register of them ----------------------------------------------------------------------------------

inline batch_mask mask_of_bools(const bool* from) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
    return xsimd::batch_bool_cast<float>(xsimd::batch<std::int32_t>::load_unaligned(bytes) != 0);
}

// One bit an element, 64 in a word. i is a multiple of the lanes.
inline batch_mask mask_of_bits(const std::uint64_t* words, std::size_t i) {
    return batch_mask::from_mask(words[i / 64] >> i % 64 & ((std::uint64_t(1) << lanes) - 1));
}

// ---- Results that are tensors -----------------------------------------------------------------------------------

inline void set(float* y, std::size_t n, float value) {
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        batch(value).store_unaligned(y + i);
    }
    std::fill(y + i, y + n, value);
}

// keep(i) gives the mask of a register. All n are multiples of the lanes.
template <class Keep>
void fill(const float* x, float* y, std::size_t n, float value, Keep keep) {
    for (std::size_t i = 0; i < n; i += lanes) {
        xsimd::select(keep(i), load(x + i), batch(value)).store_unaligned(y + i);
    }
}

// The first `length` elements of a row of n are read(i). read is called only for kept elements.
template <class Read, class ReadOne>
void fill_by_length(
    float* y, std::size_t n, std::size_t length, float value, Read read, ReadOne read_one
) {
    std::size_t i = 0;
    for (; i + lanes <= length; i += lanes) {
        read(i).store_unaligned(y + i);
    }
    for (; i < length; ++i) {
        y[i] = read_one(i);
    }
    for (; i % lanes != 0; ++i) {
        y[i] = value;
    }
    for (; i < n; i += lanes) {
        batch(value).store_unaligned(y + i);
    }
}

// y = t, plus x in the first `length` elements.
inline void add_first(const float* x, const float* t, float* y, std::size_t n, std::size_t length) {
    std::size_t i = 0;
    for (; i + lanes <= length; i += lanes) {
        (load(x + i) + load(t + i)).store_unaligned(y + i);
    }
    for (; i < length; ++i) {
        y[i] = x[i] + t[i];
    }
    for (; i % lanes != 0; ++i) {
        y[i] = t[i];
    }
    for (; i < n; i += lanes) {
        load(t + i).store_unaligned(y + i);
    }
}

// Writes up to a register after the kept elements. Only AVX-512 compresses lanes in one
// instruction.
inline void select(const float* x, const bool* kept, std::size_t n, float* to) {
    if constexpr (lanes == 16) {
        for (std::size_t i = 0; i < n; i += lanes) {
            const batch_mask keep = mask_of_bools(kept + i);
            xsimd::compress(load(x + i), keep).store_unaligned(to);
            to += std::popcount(keep.mask());
        }
    } else {
        for (std::size_t i = 0; i < n; ++i) {
            *to = x[i];
            to += kept[i];
        }
    }
}

// ---- Token ids --------------------------------------------------------------------------------------------------

// Few ids are compared, one after another.
template <std::size_t N>
void drop_few(const std::int64_t* tokens, std::size_t n, const std::int64_t (&ids)[N], bool* kept) {
    using tokens_batch = xsimd::batch<std::int64_t>;
    for (std::size_t i = 0; i < n; i += tokens_batch::size) {
        const auto token = tokens_batch::load_unaligned(tokens + i);
        auto found = token == tokens_batch(ids[0]);
        for (std::size_t k = 1; k < N; ++k) {
            found = found || token == tokens_batch(ids[k]);
        }
        (!found).store_unaligned(kept + i);
    }
}

// Many ids are looked up in a table of the vocabulary.
inline void drop_many(const std::int64_t* tokens, std::size_t n, const char* is_id, bool* kept) {
    for (std::size_t i = 0; i < n; ++i) {
        kept[i] = is_id[tokens[i]] == 0;
    }
}

// ---- Results that are smaller -----------------------------------------------------------------------------------

// The sum of term(i) over the first `length` elements of a row, in four sums at once.
template <class Term, class OneTerm>
float sum(std::size_t length, Term term, OneTerm one_term) {
    batch a(0.f);
    batch b(0.f);
    batch c(0.f);
    batch d(0.f);
    std::size_t i = 0;
    for (; i + 4 * lanes <= length; i += 4 * lanes) {
        a += term(i);
        b += term(i + lanes);
        c += term(i + 2 * lanes);
        d += term(i + 3 * lanes);
    }
    for (; i + lanes <= length; i += lanes) {
        a += term(i);
    }
    float total = xsimd::reduce_add(a + b + (c + d));
    for (; i < length; ++i) {
        total += one_term(i);
    }
    return total;
}

inline float sum(const float* x, std::size_t length) {
    return sum(
        length, [x](std::size_t i) { return load(x + i); }, [x](std::size_t i) { return x[i]; }
    );
}

inline float squared_error(const float* p, const float* t, std::size_t length) {
    const auto square = [](const auto& d) { return d * d; };
    return sum(
        length, [=](std::size_t i) { return square(load(p + i) - load(t + i)); },
        [=](std::size_t i) { return square(p[i] - t[i]); }
    );
}

inline float largest(const float* x, std::size_t length) {
    batch most(-std::numeric_limits<float>::infinity());
    std::size_t i = 0;
    for (; i + lanes <= length; i += lanes) {
        most = xsimd::max(most, load(x + i));
    }
    float result = xsimd::reduce_max(most);
    for (; i < length; ++i) {
        result = std::max(result, x[i]);
    }
    return result;
}

// Softmax of the first `length` elements of a row. The others become 0.
inline void softmax(const float* x, float* y, std::size_t n, std::size_t length) {
    const float top = largest(x, length);
    fill_by_length(
        y, n, length, 0.f, [=](std::size_t i) { return xsimd::exp(load(x + i) - top); },
        [=](std::size_t i) { return std::exp(x[i] - top); }
    );
    const float factor = length == 0 ? 0.f : 1 / sum(y, length);
    for (std::size_t i = 0; i < length;
         i += lanes) // what is dropped and is in the last register stays 0
    {
        (factor * load(y + i)).store_unaligned(y + i);
    }
}

// log(sum(exp(x))) of a row.
inline float log_sum_exp(const float* x, std::size_t n) {
    const float top = largest(x, n);
    const float exps = sum(
        n, [=](std::size_t i) { return xsimd::exp(load(x + i) - top); },
        [=](std::size_t i) { return std::exp(x[i] - top); }
    );
    return std::log(exps) + top;
}
} // namespace bench::by_hand_loops
