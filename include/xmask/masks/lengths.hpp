// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/packed.hpp"
#include "../core/refused_calls.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "../core/word.hpp"

/// @file
/// Masks of padded sequences: each row keeps its first, or its last, few columns.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Which end of a row is padded.
enum class padding { right, left };

/// A length for each row.
template <class CTL, padding Side>
class lengths_rule {
    using table = std::decay_t<CTL>;

public:
    using shape_type = shape_like<typename table::inner_shape_type, 1>;

    template <class L>
    lengths_rule(const char* name, L&& lengths, std::size_t n)
        : m_lengths(std::forward<L>(lengths))
        , m_shape(append_axis(m_lengths.shape(), n))
        , m_offsets(table_offsets(name, m_lengths))
        , m_name(name) {
        if (!all_within(n)) [[unlikely]] {
            throw_outside(name, n);
        }
    }

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_lengths)); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t n = m_shape[m_shape.size() - 1];
        const std::size_t length = clamped(at(r), n);
        return range_cursor(
            Side == padding::right ? column_range{0, length} : column_range{n - length, n}
        );
    }

    /// The first word of each of `count` rows, or as many of its bits as W holds; computed for a
    /// register of rows at a time.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const noexcept {
        const std::size_t n = m_shape[m_shape.size() - 1];
        if (n > 8 * sizeof(W) || !m_offsets.uniform(1)) {
            ask_first_words(*this, r, count, to);
            return;
        }
        // In 32 bits, because a register holds more of these.
        const auto* lengths = data() + r;
        const auto most = static_cast<std::uint32_t>(n);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t length = clamped(lengths[i], most);
            const std::uint32_t bits = Side == padding::right ? length : most - length;
            if constexpr (std::is_same_v<W, word_t>) {
                to[i] = bits;
            } else {
                // In two steps, because a shift by 32 is undefined.
                to[i] = static_cast<W>((std::uint32_t(1) << bits / 2 << (bits - bits / 2)) - 1);
            }
        }
        if constexpr (std::is_same_v<W, word_t>) {
            replace_by_first_bits(to, count);
        }
        if constexpr (Side == padding::left) {
            const auto all = static_cast<W>(first_bits(n));
            for (std::size_t i = 0; i < count; ++i) {
                to[i] = static_cast<W>(to[i] ^ all);
            }
        }
    }

private:
    const auto* data() const noexcept {
        return m_lengths.data() + static_cast<std::ptrdiff_t>(m_lengths.data_offset());
    }

    auto at(std::size_t r) const noexcept { return data()[m_offsets(r)]; }

    template <class T>
    static auto as_unsigned(T length) noexcept {
        return static_cast<std::make_unsigned_t<T>>(length);
    }

    /// Without an early exit, so that the compiler can compare many lengths at once.
    [[nodiscard]] bool all_within(std::size_t n) const noexcept {
        using length_type = std::decay_t<decltype(at(0))>;
        using number = decltype(as_unsigned(at(0)));
        // As unsigned numbers, lengths below 0 are the largest. Few processors have a maximum of
        // 64-bit integers: for these a sign tells, of the length or of n - length.
        constexpr bool by_sign = sizeof(number) == sizeof(n);
        number seen = 0;
        const auto look_at = [&](auto length) {
            const number positive = as_unsigned(length);
            seen = by_sign ? static_cast<number>(seen | positive | (n - positive))
                           : std::max(seen, positive);
        };
        const std::size_t rows = rows_of(m_shape);
        if (m_offsets.uniform(1)) {
            std::for_each(data(), data() + rows, look_at);
        } else {
            for (std::size_t r = 0; r < rows; ++r) {
                look_at(at(r));
            }
        }
        constexpr auto most = static_cast<number>(std::numeric_limits<length_type>::max());
        return by_sign ? seen <= std::numeric_limits<number>::max() / 2
                       : seen <= std::min<std::size_t>(most, n);
    }

    XMASK_COLD void throw_outside(const char* name, std::size_t n) const {
        for (std::size_t r = 0; r < rows_of(m_shape); ++r) {
            const auto length = at(r);
            if (std::cmp_less(+length, 0) || std::cmp_greater(+length, n)) {
                throw_out_of_range(
                    name, "length ", +length, " of row ", r, " is outside of [0, ", n, "]"
                );
            }
        }
    }

    CTL m_lengths;
    shape_type m_shape;
    row_offsets m_offsets;
    const char* m_name;
};

/// Fails to compile, with one sentence, unless L holds integers.
template <class L>
consteval bool require_lengths() {
    constexpr bool integers = holds_integers<L>();
    static_assert(
        integers,
        "xmask: lengths are integers, one a row: a tensor of them, a standard container, or a list."
    );
    return integers;
}

template <padding Side, bool Fits, class L>
auto make_lengths(const char* name, L&& lengths, std::size_t n) {
    if constexpr (Fits) {
        using rule = lengths_rule<held_t<L>, Side>;
        return mask(rule(name, hold(std::forward<L>(lengths)), n));
    } else {
        return refused_mask();
    }
}
/// Whether these are anything but lengths and a number of columns.
template <class... Other>
inline constexpr bool no_lengths_and_columns = true;

template <class L, class N>
inline constexpr bool no_lengths_and_columns<L, N> = !std::is_convertible_v<N, std::size_t>;

/// Fails to compile, with one sentence: what a call that is none gives.
template <class... Other>
mask<refused_rule> refused_lengths() {
    constexpr bool is_call = sizeof...(Other) == static_cast<std::size_t>(-1);
    static_assert(
        is_call,
        "xmask: masks of lengths take the lengths and the number of columns: keep_lengths(lengths, n), keep_last(lengths, n)."
    );
    return refused_mask();
}
} // namespace detail

/// Keeps the first lengths[...] of n columns in each row: a batch padded on the right.
///
///     xt::xtensor<int, 1> lengths = {2, 4};
///     auto m = xmask::keep_lengths(lengths, 4);
///     // 1 1 0 0
///     // 1 1 1 1
///
/// @param lengths integers of any rank, 0 to n: a tensor, lazy expression or standard container. An
/// lvalue tensor or expression is held by reference, a container is copied.
/// @param n number of columns.
/// @returns a mask of shape lengths.shape + (n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
///
/// Cost: a word costs a shift; a tensor of lengths costs no memory.
template <class L>
auto keep_lengths(L&& lengths, std::size_t n) {
    return detail::make_lengths<detail::padding::right, detail::require_lengths<L>()>(
        "keep_lengths", std::forward<L>(lengths), n
    );
}

template <detail::has_memory L>
auto keep_lengths(L& lengths XMASK_LIFETIMEBOUND, std::size_t n) {
    return detail::make_lengths<detail::padding::right, detail::require_lengths<L>()>(
        "keep_lengths", lengths, n
    );
}

/// Keeps the first columns of each row, as many as a list says.
///
///     auto m = xmask::keep_lengths({2, 4}, 4);
///     // 1 1 0 0
///     // 1 1 1 1
///
/// @param lengths a list of integers, 0 to n, one for each row.
/// @param n number of columns.
/// @returns a mask of shape (lengths.size(), n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
///
/// Cost: a word costs a shift; memory for the list.
template <detail::arithmetic T>
auto keep_lengths(std::initializer_list<T> lengths, std::size_t n) {
    return detail::make_lengths<
        detail::padding::right, detail::require_lengths<std::initializer_list<T>>()>(
        "keep_lengths", detail::hold(lengths), n
    );
}

/// Keeps the last lengths[...] of n columns in each row: a batch padded on the left.
///
///     xt::xtensor<int, 1> lengths = {2, 4};
///     auto m = xmask::keep_last(lengths, 4);
///     // 0 0 1 1
///     // 1 1 1 1
///
/// @param lengths integers of any rank, 0 to n: a tensor, lazy expression or standard container. An
/// lvalue tensor or expression is held by reference, a container is copied.
/// @param n number of columns.
/// @returns a mask of shape lengths.shape + (n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
///
/// Cost: a word costs a shift; a tensor of lengths costs no memory.
template <class L>
auto keep_last(L&& lengths, std::size_t n) {
    return detail::make_lengths<detail::padding::left, detail::require_lengths<L>()>(
        "keep_last", std::forward<L>(lengths), n
    );
}

template <detail::has_memory L>
auto keep_last(L& lengths XMASK_LIFETIMEBOUND, std::size_t n) {
    return detail::make_lengths<detail::padding::left, detail::require_lengths<L>()>(
        "keep_last", lengths, n
    );
}

/// Keeps the last columns of each row, as many as a list says.
///
///     auto m = xmask::keep_last({2, 4}, 4);
///     // 0 0 1 1
///     // 1 1 1 1
///
/// @param lengths a list of integers, 0 to n, one for each row.
/// @param n number of columns.
/// @returns a mask of shape (lengths.size(), n).
/// @throws std::out_of_range for a length below 0 or beyond n, with the row and the value.
///
/// Cost: a word costs a shift; memory for the list.
template <detail::arithmetic T>
auto keep_last(std::initializer_list<T> lengths, std::size_t n) {
    return detail::make_lengths<
        detail::padding::left, detail::require_lengths<std::initializer_list<T>>()>(
        "keep_last", detail::hold(lengths), n
    );
}

/// @cond
template <class... Other>
    requires(detail::no_lengths_and_columns<Other...>)
auto keep_lengths(const Other&... /*arguments*/) {
    return detail::refused_lengths<Other...>();
}

template <class... Other>
    requires(detail::no_lengths_and_columns<Other...>)
auto keep_last(const Other&... /*arguments*/) {
    return detail::refused_lengths<Other...>();
}
/// @endcond
} // namespace xmask::inline XMASK_ABI
