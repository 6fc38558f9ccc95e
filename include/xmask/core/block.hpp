// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "bundle.hpp"
#include "simd.hpp"
#include "word.hpp"

/// @file
/// Blocks: at most 64 elements of an operand, at the columns of one word.
///
/// A block has a value_type and single elements `at(k)`. Where `in_registers` is true, it also has
/// whole registers `load(k)`, and partial ones `load_first(k, count)`. A block is small enough to
/// stay in registers itself.

namespace xmask::inline XMASK_ABI::detail {
/// The size of a block of 64 columns. It is known at compile time, so that loops are unrolled.
using whole_word = std::integral_constant<std::size_t, word_columns>;

/// Calls f(offset, full) for each register of a block of `count` columns. `full` is false for a
/// partial last register.
template <class T, class Count, class F>
XMASK_INLINE void for_each_register(Count count, F&& f) {
    constexpr std::size_t n = lane_count<T>;
    if constexpr (std::is_same_v<Count, whole_word>) {
        [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
            (f(I * n, std::true_type()), ...);
        }(std::make_index_sequence<word_columns / n>());
    } else {
        std::size_t k = 0;
        for (; k + n <= count; k += n) {
            f(k, std::true_type());
        }
        if (k < count) {
            f(k, std::false_type());
        }
    }
}

/// A register of a block from element k on; a partial one holds `count` elements.
template <bool Full, class Block>
XMASK_INLINE auto load_register(const Block& block, std::size_t k, std::size_t count) {
    if constexpr (Full) {
        return block.load(k);
    } else {
        return block.load_first(k, count);
    }
}

/// A block of contiguous elements in memory.
template <class T>
class memory_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit memory_block(const T* first) noexcept : m_first(first) {}

    [[nodiscard]] XMASK_INLINE const T* data() const noexcept { return m_first; }

    XMASK_INLINE T at(std::size_t k) const noexcept { return m_first[k]; }

    XMASK_INLINE lanes<T> load(std::size_t k) const noexcept
        requires in_registers
    {
        return load_lanes(m_first + k);
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const noexcept
        requires in_registers
    {
        return load_first_lanes(m_first + k, count);
    }

private:
    const T* m_first;
};

/// A block of contiguous floats in memory, read as doubles.
class widened_block {
public:
    using value_type = double;
    static constexpr bool in_registers = has_lanes<double>;

    explicit widened_block(const float* first) noexcept : m_first(first) {}

    XMASK_INLINE double at(std::size_t k) const noexcept { return static_cast<double>(m_first[k]); }

    XMASK_INLINE lanes<double> load(std::size_t k) const noexcept {
        return load_widened(m_first + k);
    }

    XMASK_INLINE lanes<double> load_first(std::size_t k, std::size_t count) const noexcept {
        std::array<float, lane_count<double>> buffer{};
        std::copy_n(m_first + k, count, buffer.begin());
        return load_widened(buffer.data());
    }

private:
    const float* m_first;
};

/// A block that holds one value for every element.
template <class T>
class scalar_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit scalar_block(const T& value) noexcept : m_value(value) {}

    XMASK_INLINE T at(std::size_t /*k*/) const noexcept { return m_value; }

    XMASK_INLINE lanes<T> load(std::size_t /*k*/) const noexcept
        requires in_registers
    {
        return lanes<T>(static_cast<lane_t<T>>(m_value));
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t /*count*/) const noexcept
        requires in_registers
    {
        return load(k);
    }

private:
    T m_value;
};

/// The blocks of several operands at the same columns. It calls a function with the elements, or
/// the registers, of all operands.
template <class... Block>
class zip_block {
public:
    explicit zip_block(Block... blocks) : m_blocks(blocks...) {}

    /// Calls f with the elements at k.
    template <class F>
    XMASK_INLINE auto at(std::size_t k, F&& f) const {
        return m_blocks.call([&](const auto&... block)
                                 XMASK_INLINE_LAMBDA { return f(block.at(k)...); });
    }

    /// Calls f with the registers from k on; partial ones hold `count` elements.
    template <bool Full, class F>
    XMASK_INLINE auto load(std::size_t k, std::size_t count, F&& f) const {
        return m_blocks.call([&](const auto&... block) XMASK_INLINE_LAMBDA {
            return f(load_register<Full>(block, k, count)...);
        });
    }

private:
    bundle<Block...> m_blocks;
};

/// A functor of xtensor that takes registers of T and returns one.
template <class F, class T, class... Args>
concept register_function =
    has_lanes<T> && std::is_floating_point_v<T> && requires(const F& f, const lanes<T>& x) {
        requires(std::same_as<Args, T> && ...);
        { f.simd_apply((static_cast<void>(sizeof(Args)), x)...) } -> std::same_as<lanes<T>>;
    };

/// A lazy function of other blocks. It is computed in registers where all blocks have one real type
/// and the function takes registers, and element by element otherwise.
template <class F, class... Block>
class function_block {
public:
    using value_type =
        std::decay_t<decltype(std::declval<const F&>()(std::declval<typename Block::value_type>()...
        ))>;
    static constexpr bool in_registers =
        (Block::in_registers && ...) &&
        register_function<F, value_type, typename Block::value_type...>;

    explicit function_block(const F& f, Block... blocks) : m_function(f), m_blocks(blocks...) {}

    XMASK_INLINE value_type at(std::size_t k) const { return m_blocks.at(k, m_function); }

    XMASK_INLINE auto load(std::size_t k) const
        requires in_registers
    {
        return m_blocks.template load<true>(k, 0, in_lanes());
    }

    XMASK_INLINE auto load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return m_blocks.template load<false>(k, count, in_lanes());
    }

private:
    XMASK_INLINE auto in_lanes() const {
        return [this](const auto&... x) XMASK_INLINE_LAMBDA { return m_function.simd_apply(x...); };
    }

    F m_function;
    zip_block<Block...> m_blocks;
};

/// Bit k of the word is f(k).
template <class Count, class F>
XMASK_INLINE word_t word_of(Count count, F&& f) {
    word_t bits = 0;
    for (std::size_t k = 0; k < count; ++k) {
        bits |= word_t(f(k)) << k;
    }
    return bits;
}

/// The word that f makes of a block: f gives the lane mask of a register of T.
template <class T, class Block, class Count, class F>
XMASK_INLINE word_t word_of_registers(const Block& block, Count count, F&& f) {
    word_t bits = 0;
    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
        bits |= bits_from_mask(f(load_register<full>(block, k, count - k))) << k;
    });
    return bits & first_bits(count);
}

/// Uninitialized room for elements. A copy does not copy the elements, so that rows are cheap to
/// move.
template <class T, std::size_t N = word_columns>
struct block_buffer {
    block_buffer() noexcept {}

    block_buffer(const block_buffer&) noexcept {}

    block_buffer& operator=(const block_buffer&) noexcept { return *this; }

    T values[N];
};
} // namespace xmask::inline XMASK_ABI::detail
