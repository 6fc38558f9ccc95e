// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"

/// @file
/// A mask in memory: one bit for each element.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A row of stored words. Bits past its end are 0.
class stored_cursor {
public:
    stored_cursor(const word_t* words, std::size_t n) noexcept : m_words(words), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const word_t* at = m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        if (shift == 0) {
            return *at;
        }
        const bool last = (c / word_columns + 1) * word_columns >= m_columns;
        return *at >> shift | (last ? 0 : at[1] << (word_columns - shift));
    }

private:
    const word_t* m_words;
    std::size_t m_columns;
};

/// Stored words, of which each row begins one.
class bitmask_rule {
public:
    using shape_type = any_shape;

    static constexpr const char* name = "bitmask";

    /// Only masks of this rule itself read its words.
    static constexpr bool shares_no_memory = true;

    template <mask_expression M>
    explicit bitmask_rule(const M& mask)
        : m_shape(mask.shape().begin(), mask.shape().end())
        , m_row_words((columns_of(m_shape) + word_columns - 1) / word_columns)
        , m_words(word_count()) {
        const mask_rows<M> rows(mask, m_shape);
        word_t* to = m_words.data();
        for (std::size_t r = 0; r < (m_row_words == 0 ? 0 : rows_of(m_shape)); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t w = 0; w < m_row_words; ++w) {
                *to++ = cursor.word(w * word_columns);
            }
        }
    }

    /// @param words as they are stored: bits past a row's end are 0.
    bitmask_rule(any_shape shape, std::vector<word_t> words)
        : m_shape(std::move(shape))
        , m_row_words((columns_of(m_shape) + word_columns - 1) / word_columns)
        , m_words(std::move(words)) {}

    bitmask_rule(const bitmask_rule&) = default;
    bitmask_rule& operator=(const bitmask_rule&) = default;

    /// A rule that was moved from has no elements.
    bitmask_rule(bitmask_rule&& other) noexcept { take(other); }

    bitmask_rule& operator=(bitmask_rule&& other) noexcept {
        if (this != &other) {
            take(other);
        }
        return *this;
    }

    ~bitmask_rule() = default;

    /// Combines each word with one of another mask, which broadcasts into this one.
    template <class M, class F>
    void combine(const char* function, const M& other, F&& f) {
        require_broadcast(function, "a mask", other.shape(), m_shape);
        if constexpr (may_overlap<M, bitmask_rule>() && !std::is_same_v<M, mask<bitmask_rule>>) {
            if (overlap_of(other, target<bitmask_rule>(*this)) > overlap::in_place) {
                combine(function, mask<bitmask_rule>(other), f);
                return;
            }
        }
        const mask_rows<M> rows(other, m_shape);
        word_t* to = m_words.data();
        for (std::size_t r = 0; r < (m_row_words == 0 ? 0 : rows_of(m_shape)); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t w = 0; w < m_row_words; ++w, ++to) {
                *to = f(*to, cursor.word(w * word_columns));
            }
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    /// All words, row by row.
    [[nodiscard]] const std::vector<word_t>& words() const noexcept { return m_words; }

    [[nodiscard]] XMASK_INLINE stored_cursor row(std::size_t r) const noexcept {
        return {m_words.data() + r * m_row_words, columns_of(m_shape)};
    }

    /// The first word of each of `count` rows, or as many of its bits as W holds.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const noexcept {
        if (m_row_words != 1) {
            ask_first_words(*this, r, count, to);
            return;
        }
        const word_t* from = m_words.data() + r;
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = static_cast<W>(from[i]);
        }
    }

    /// Whether rows fill whole words.
    [[nodiscard]] bool flat() const noexcept { return columns_of(m_shape) % word_columns == 0; }

    [[nodiscard]] XMASK_INLINE stored_cursor whole() const noexcept {
        return {m_words.data(), word_columns * m_words.size()};
    }

private:
    void take(bitmask_rule& other) noexcept {
        m_shape = std::exchange(other.m_shape, any_shape{0});
        m_row_words = std::exchange(other.m_row_words, 0);
        m_words = std::exchange(other.m_words, {});
    }

    /// Throws std::invalid_argument for more than 2^63 - 1 bytes.
    [[nodiscard]] std::size_t word_count() const {
        require_countable(name, m_shape);
        const std::array<std::size_t, 3> bytes = {rows_of(m_shape), m_row_words, sizeof(word_t)};
        if (!countable(bytes)) [[unlikely]] {
            throw_invalid(name, "shape ", tuple_text(m_shape), " takes more than 2^63 - 1 bytes");
        }
        return m_row_words == 0 ? 0 : rows_of(m_shape) * m_row_words;
    }

    any_shape m_shape;
    std::size_t m_row_words;
    std::vector<word_t> m_words;
};
} // namespace detail

/// A mask in memory, made from any other mask: one bit for each element, and each row begins a
/// 64-bit word. It is worth its memory for masks that are slow and used often.
///
///     xmask::bitmask kept = xmask::drop_tokens(tokens, {5, 6}) && xmask::keep_lengths(lengths, n);
///     // 0 0 0 0
///     // 1 1 0 1
///     // 1 1 1 0
///
/// Cost: each word is computed once.
using bitmask = mask<detail::bitmask_rule>;

namespace detail {
/// Calls f with a mask, or with a stored copy where the mask may read more of `to` than `allowed`,
/// which by default is the element that is written.
template <class M, class To, class F>
void with_mask_apart(const M& m, const To& to, F&& f, overlap allowed = overlap::in_place) {
    if constexpr (may_overlap<M, typename target<To>::element>()) {
        if (overlap_of(m, target<To>(to)) > allowed) [[unlikely]] {
            f(bitmask(m));
            return;
        }
    }
    f(m);
}
/// Combines a mask into a stored one, word by word.
template <bool Fits, class M, class F>
bitmask& combine_into(const char* function, bitmask& to, const M& m, F&& f) {
    if constexpr (Fits) {
        to.rule().combine(function, m, f);
    }
    return to;
}
} // namespace detail

/// Keeps the elements that both masks keep.
///
///     xmask::bitmask kept = xmask::keep_lengths({2, 3}, 4);
///     kept &= xmask::drop_indices({1}, 4);
///     // 1 0 0 0
///     // 1 0 1 0
///
/// @param to the stored mask, which is changed in place.
/// @param m a mask that broadcasts into it.
/// @returns to.
/// @throws std::invalid_argument where m does not broadcast into it.
///
/// Cost: one word of m for each 64 elements.
template <class M>
bitmask& operator&=(bitmask& to, const M& m) {
    constexpr bool fits = detail::require_mask<M>();
    return detail::combine_into<fits>("operator&=", to, m, [](word_t a, word_t b) {
        return a & b;
    });
}

/// Keeps the elements that at least one of both masks keeps.
///
///     xmask::bitmask kept = xmask::keep_lengths({1, 2}, 4);
///     kept |= xmask::keep_indices({3}, 4);
///     // 1 0 0 1
///     // 1 1 0 1
///
/// @param to the stored mask, which is changed in place.
/// @param m a mask that broadcasts into it.
/// @returns to.
/// @throws std::invalid_argument where m does not broadcast into it.
///
/// Cost: one word of m for each 64 elements.
template <class M>
bitmask& operator|=(bitmask& to, const M& m) {
    constexpr bool fits = detail::require_mask<M>();
    return detail::combine_into<fits>("operator|=", to, m, [](word_t a, word_t b) {
        return a | b;
    });
}

/// Keeps the elements that exactly one of both masks keeps.
///
///     xmask::bitmask kept = xmask::keep_lengths({1, 2}, 4);
///     kept ^= xmask::keep_indices({1}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
///
/// @param to the stored mask, which is changed in place.
/// @param m a mask that broadcasts into it.
/// @returns to.
/// @throws std::invalid_argument where m does not broadcast into it.
///
/// Cost: one word of m for each 64 elements.
template <class M>
bitmask& operator^=(bitmask& to, const M& m) {
    constexpr bool fits = detail::require_mask<M>();
    return detail::combine_into<fits>("operator^=", to, m, [](word_t a, word_t b) {
        return a ^ b;
    });
}

/// Whether two stored masks have the same shape and keep the same elements.
///
///     xmask::bitmask first = xmask::keep_lengths({2}, 4), second = xmask::keep_indices({0, 1}, {1, 4});
///     bool same = first == second;    // true
///
/// @param a a stored mask.
/// @param b another.
/// @returns true where they are equal.
///
/// Cost: a comparison for each word.
inline bool operator==(const bitmask& a, const bitmask& b) {
    return detail::equal_shapes(a.shape(), b.shape()) && a.rule().words() == b.rule().words();
}

/// Whether two stored masks differ in shape or elements.
///
///     xmask::bitmask first = xmask::keep_lengths({2}, 4), second = xmask::keep_all({1, 4});
///     bool differ = first != second;    // true
///
/// @param a a stored mask.
/// @param b another.
/// @returns true where they differ.
///
/// Cost: a comparison for each word.
inline bool operator!=(const bitmask& a, const bitmask& b) { return !(a == b); }

/// The order of the bits in a byte, as NumPy's packbits names it.
enum class bit_order {
    big,   ///< the first element is the highest bit
    little ///< the first element is the lowest bit
};

namespace detail {
/// A byte with its bits in the opposite order.
constexpr std::uint8_t reversed(std::uint8_t byte) noexcept {
    unsigned bits = byte;
    bits = (bits & 0x0f) << 4 | bits >> 4;
    bits = (bits & 0x33) << 2 | (bits >> 2 & 0x33);
    bits = (bits & 0x55) << 1 | (bits >> 1 & 0x55);
    return static_cast<std::uint8_t>(bits);
}

/// A byte of an order from or to one whose first element is the lowest bit.
constexpr std::uint8_t ordered(std::uint8_t byte, bit_order order) noexcept {
    return order == bit_order::big ? reversed(byte) : byte;
}
} // namespace detail

/// Packs a mask into bytes of 8 elements, as numpy.packbits(mask, axis=-1, bitorder=...) does.
///
///     xt::xarray<std::uint8_t> bytes = xmask::packbits(xmask::keep_lengths({1, 10}, 10));
///     // 128, 0
///     // 255, 192
///
/// @param m a mask.
/// @param order which bit of a byte is the first element.
/// @returns an xt::xarray of std::uint8_t, of shape (..., ceil(n / 8)) for n columns, (1) for a
/// mask of rank 0. Each row begins a byte; spare bits are 0.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: one word of the mask for each 8 bytes.
template <class M>
auto packbits(const M& m, bit_order order = bit_order::big) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        const std::size_t bytes = (n + 7) / 8;
        detail::require_countable("packbits", m.shape());
        auto shape = detail::any_shape(m.shape().begin(), m.shape().end());
        shape.resize(std::max<std::size_t>(shape.size(), 1));
        shape.back() = bytes;
        auto result = xt::xarray<std::uint8_t>::from_shape(shape);
        const detail::mask_rows<M> rows(m, m.shape());
        std::uint8_t* to = result.data();
        for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(m.shape())); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t b = 0; b < bytes; ++b) {
                const word_t word = cursor.word(b / 8 * word_columns);
                *to++ = detail::ordered(static_cast<std::uint8_t>(word >> b % 8 * 8), order);
            }
        }
        return result;
    } else {
        return detail::refused();
    }
}

/// The mask that packbits, or numpy.packbits along the last axis, packed.
///
///     xt::xtensor<std::uint8_t, 1> bytes = {0b10100000};
///     xmask::bitmask m = xmask::unpackbits(bytes, 4);    // 1 0 1 0
///
/// @param bytes a tensor of std::uint8_t, of shape (..., ceil(n / 8)). Bits past n are not read.
/// @param n number of the mask's columns.
/// @param order which bit of a byte is the first element.
/// @returns a stored mask of shape (..., n).
/// @throws std::invalid_argument where the last axis has another extent.
///
/// Cost: a step for each byte.
template <expression E>
bitmask unpackbits(const E& bytes, std::size_t n, bit_order order = bit_order::big) {
    static_assert(
        std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::uint8_t>,
        "xmask: packed bits are std::uint8_t."
    );
    const std::size_t row_bytes = (n + 7) / 8;
    if (bytes.dimension() == 0 || detail::columns_of(bytes.shape()) != row_bytes) [[unlikely]] {
        detail::throw_invalid(
            "unpackbits", "bytes of shape ", detail::tuple_text(bytes.shape()), "; ", n,
            " columns are ", row_bytes, " bytes along the last axis"
        );
    }
    auto shape = detail::any_shape(bytes.shape().begin(), bytes.shape().end());
    shape.back() = n;
    const std::size_t row_words = (n + word_columns - 1) / word_columns;
    std::vector<word_t> words(detail::rows_of(shape) * row_words);
    auto from = bytes.template begin<xt::layout_type::row_major>();
    for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(shape)); ++r) {
        word_t* row = words.data() + r * row_words;
        for (std::size_t b = 0; b < row_bytes; ++b, ++from) {
            row[b / 8] |= word_t(detail::ordered(*from, order)) << b % 8 * 8;
        }
        row[row_words - 1] &= first_bits(n - (row_words - 1) * word_columns);
    }
    return bitmask(detail::bitmask_rule(std::move(shape), std::move(words)));
}
} // namespace xmask::inline XMASK_ABI
