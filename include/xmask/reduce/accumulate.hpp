// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "../core/block.hpp"
#include "../core/simd.hpp"

/// @file
/// Sums over what a mask keeps, in double or in 64-bit integers for all types of elements.

namespace xmask::inline XMASK_ABI::detail {
/// The type in which elements of T are summed.
template <class T>
using sum_t = std::conditional_t<
    std::is_floating_point_v<T>, std::conditional_t<(sizeof(T) > sizeof(double)), T, double>,
    std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;

/// A sum of 64-bit integers that does not wrap around: exact for up to 2^32 of them. Two halves
/// hold it: compilers add these in registers, but not one number of 128 bits.
template <class T>
class split_sum {
    static constexpr int half = 32;

public:
    split_sum() = default;

    split_sum(T x) noexcept // NOLINT: a sum of one
        : m_low(static_cast<std::uint64_t>(x) & 0xffffffff)
        , m_high(static_cast<std::uint64_t>(x >> half)) {}

    split_sum& operator+=(const split_sum& other) noexcept {
        m_low += other.m_low;
        m_high += other.m_high;
        return *this;
    }

    /// The nearest real number, or a neighbour of it.
    template <class R>
        requires std::is_floating_point_v<R>
    explicit operator R() const noexcept {
        return static_cast<R>(static_cast<T>(m_high)) * static_cast<R>(std::uint64_t(1) << half) +
               static_cast<R>(m_low);
    }

private:
    std::uint64_t m_low = 0;
    std::uint64_t m_high = 0; // wraps around as T does
};

/// The type in which elements of T are summed for a mean or another result, where the sum must not
/// wrap around.
template <class T>
using unwrapped_sum_t = std::conditional_t<
    std::is_integral_v<T> && sizeof(T) == sizeof(std::uint64_t), split_sum<sum_t<T>>, sum_t<T>>;

/// Adds to a sum. 64-bit integers wrap around.
template <class Sum, class X>
XMASK_INLINE void add_to(Sum& to, const X& x) noexcept {
    if constexpr (std::is_integral_v<Sum> && std::is_signed_v<Sum>) {
        using bits = std::make_unsigned_t<Sum>;
        to = static_cast<Sum>(static_cast<bits>(to) + static_cast<bits>(x));
    } else {
        to += x;
    }
}

/// Gives the doubles at `to`, one for each lane of x, the values f(double, x).
template <class T, class F>
XMASK_INLINE void update_columns(double* to, const lanes<T>& x, F&& f) {
    for_each_wide<T>(x, [&](std::size_t i, const lanes<double>& wide) XMASK_INLINE_LAMBDA {
        double* const at = to + i * lane_count<double>;
        store_lanes(at, f(load_lanes(at), wide));
    });
}

/// Adds registers of T in double.
template <class T>
class register_sum {
public:
    XMASK_INLINE void add(const lanes<T>& x) noexcept {
        for_each_wide<T>(x, [this](std::size_t i, const lanes<double>& wide) XMASK_INLINE_LAMBDA {
            m_sums[i] += wide;
        });
    }

    /// Adds the registers term(0), term(1), ... of a whole word. They are added to each other
    /// first: one word does not wait for the one before. Exact widens floats one by one, and only
    /// the sum rounds. Otherwise floats are widened after two additions, four by four: for terms
    /// that are rounded themselves.
    template <bool Exact, class Term>
    XMASK_INLINE void add_word(Term&& term) noexcept {
        constexpr std::size_t registers = word_columns / lane_count<T>;
        if constexpr (std::is_same_v<T, float>) {
            constexpr std::size_t at_once = Exact ? 1 : 4;
            const auto next = [&](std::size_t i) XMASK_INLINE_LAMBDA {
                if constexpr (Exact) {
                    return widen(term(i));
                } else {
                    return widen(sum_of_four(term, i));
                }
            };
            auto wide = next(0);
            [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
                (add_wide(wide, next((I + 1) * at_once)), ...);
            }(std::make_index_sequence<registers / at_once - 1>());
            m_sums[0] += wide[0];
            m_sums[1] += wide[1];
        } else {
            auto even = term(0);
            auto odd = term(1);
            [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
                ((even += term(2 * I + 2), odd += term(2 * I + 3)), ...);
            }(std::make_index_sequence<registers / 2 - 1>());
            m_sums[0] += even;
            m_sums[1] += odd;
        }
    }

    XMASK_INLINE register_sum& operator+=(const register_sum& other) noexcept {
        add_wide(m_sums, other.m_sums);
        return *this;
    }

    [[nodiscard]] double total() const noexcept { return xsimd::reduce_add(m_sums[0] + m_sums[1]); }

private:
    XMASK_INLINE static void add_wide(
        std::array<lanes<double>, 2>& to, const std::array<lanes<double>, 2>& more
    ) noexcept {
        to[0] += more[0];
        to[1] += more[1];
    }

    template <class Term>
    XMASK_INLINE static auto sum_of_four(const Term& term, std::size_t i) noexcept {
        // Loads in the order of memory, which prefetching follows. Operands of + have no order.
        const auto a = term(i);
        const auto b = term(i + 1);
        const auto c = term(i + 2);
        const auto d = term(i + 3);
        return (a + b) + (c + d);
    }

    std::array<lanes<double>, 2> m_sums{lanes<double>(0.), lanes<double>(0.)};
};

/// Whether elements of T are summed in registers.
template <class T>
inline constexpr bool sums_in_registers =
    has_lanes<T> && (std::is_same_v<T, float> || std::is_same_v<T, double>);

/// Adds term(k, full) for each register of a block. Lanes that do not count are 0 in it.
template <class T, bool Exact, class Count, class Term>
XMASK_INLINE void add_block(register_sum<T>& sum, Count count, Term&& term) {
    if constexpr (std::is_same_v<Count, whole_word>) {
        sum.template add_word<Exact>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return term(i * lane_count<T>, std::true_type());
        });
    } else {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            sum.add(term(k, full));
        });
    }
}
} // namespace xmask::inline XMASK_ABI::detail
