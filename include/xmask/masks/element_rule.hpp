// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/block.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/simd.hpp"

/// @file
/// Masks made by a test of each element of a tensor: booleans, thresholds, token ids.

namespace xmask::inline XMASK_ABI::detail {
/// A test as a cursor holds it. A small one is copied: the compiler then knows that no store
/// between two uses changes it.
template <class Test>
class held_test {
    static constexpr bool small = sizeof(Test) <= 16 && std::is_trivially_copyable_v<Test>;

public:
    explicit held_test(const Test& test) noexcept : m_test(hold(test)) {}

    XMASK_INLINE const Test& operator*() const noexcept {
        if constexpr (small) {
            return m_test;
        } else {
            return *m_test;
        }
    }

    XMASK_INLINE const Test* operator->() const noexcept { return &**this; }

private:
    static auto hold(const Test& test) noexcept {
        if constexpr (small) {
            return test;
        } else {
            return &test;
        }
    }

    std::conditional_t<small, Test, const Test*> m_test;
};

/// Tests elements of type T: `bool operator()(T) const`.
///
/// A test may have `lane_mask<T> lanes(lanes<T>) const` for registers, `word_t word(word_t) const`,
/// which may change the word of the registers, and `word_t block(block, count) const` to
/// answer a whole block its own way.
template <class Test, class T>
concept element_test = requires(const Test& test, T x) {
    { test(x) } -> std::convertible_to<bool>;
};

/// One row of elements under a test.
template <class Test, class Row>
    requires element_test<Test, typename block_t<Row>::value_type>
class element_cursor {
    using T = typename block_t<Row>::value_type;

    static constexpr bool tests_lanes = [] {
        if constexpr (detail::has_lanes<T>) {
            return requires(const Test& t, const detail::lanes<T>& x) { t.lanes(x); } &&
                   !requires(const Test& t, word_t bits) { t.word(bits); } &&
                   !requires(const Test& t, const block_t<Row>& block) {
                       t.block(block, whole_word());
                   };
        }
        return false;
    }();

public:
    element_cursor(const Test& test, Row row, std::size_t n)
        : m_test(test), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return c + word_columns <= m_columns ? test(c, whole_word()) : test(c, m_columns - c);
    }

    /// Only for elements with registers of as many lanes, and tests that nothing else decides.
    template <class U>
        requires(sizeof(U) == sizeof(T) && tests_lanes && block_t<Row>::in_registers)
    XMASK_INLINE lane_word<U> lanes(std::size_t c) const {
        const auto block = m_row.block(c, whole_word(), ~word_t(0));
        return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return xsimd::batch_bool_cast<lane_t<U>>(m_test->lanes(block.load(i * lane_count<T>)));
        });
    }

    /// Whether the test reads the elements at x, an operand's memory from column c on.
    [[nodiscard]] XMASK_INLINE bool compares(const T* x, std::size_t c) const
        requires(tests_lanes && std::same_as<block_t<Row>, memory_block<T>>)
    {
        return m_row.block(c, whole_word(), ~word_t(0)).data() == x;
    }

    /// The function that decides for a register of these elements. It holds a copy of the test,
    /// which stays in registers while an operation stores.
    [[nodiscard]] XMASK_INLINE auto comparison() const
        requires(tests_lanes && std::same_as<block_t<Row>, memory_block<T>>)
    {
        return [test = m_test](const detail::lanes<T>& x)
                   XMASK_INLINE_LAMBDA { return test->lanes(x); };
    }

    /// Only for booleans, which are narrower, and tests that their bytes decide.
    template <class U>
        requires(
            sizeof(U) != 1 && has_lanes_of_bytes<U> &&
            std::same_as<block_t<Row>, memory_block<bool>> && requires { Test::of_bytes; }
        )
    XMASK_INLINE lane_word<U> lanes(std::size_t c) const {
        const bool* bytes = m_row.block(c, whole_word(), ~word_t(0)).data();
        return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return mask_from_bytes<U>(bytes + i * lane_count<U>);
        });
    }

private:
    template <class Count>
    XMASK_INLINE word_t test(std::size_t c, Count count) const {
        const auto block = m_row.block(c, count, first_bits(count));
        if constexpr (requires { m_test->block(block, count); }) {
            return m_test->block(block, count);
        }
        if constexpr (requires(const Test& t, const detail::lanes<T>& x) { t.lanes(x); }) {
            const word_t bits = word_of_registers<T>(
                block, count,
                [&](const detail::lanes<T>& x) XMASK_INLINE_LAMBDA { return m_test->lanes(x); }
            );
            if constexpr (requires { m_test->word(bits); }) {
                return m_test->word(bits) & first_bits(count);
            } else {
                return bits;
            }
        } else {
            return word_of(count, [&](std::size_t k) { return (*m_test)(block.at(k)); });
        }
    }

    held_test<Test> m_test;
    mutable Row m_row; // a row over anything but memory keeps a buffer
    std::size_t m_columns;
};

/// Keeps the elements of a tensor that pass a test. The test sees them in their own type.
template <class CTX, class Test>
class element_rule {
    using operand_type = std::decay_t<CTX>;

public:
    using shape_type = typename operand_type::inner_shape_type;

    template <class X>
    element_rule(X&& x, Test test, const char* name)
        : m_operand(std::forward<X>(x)), m_test(std::move(test)), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_in_place(m_operand)); }

    [[nodiscard]] auto rows() const {
        using element = std::remove_cv_t<value_type_t<operand_type>>;
        return operand_cursors(
            make_operand<element>(m_operand, shape()), shape(),
            [&test = m_test](auto row, std::size_t n) XMASK_INLINE_LAMBDA {
                return element_cursor<Test, decltype(row)>(test, std::move(row), n);
            }
        );
    }

private:
    CTX m_operand;
    Test m_test;
    const char* m_name;
};

template <class X, class Test>
auto make_element_mask(const char* name, X&& x, Test test) {
    return mask(element_rule<closure_t<X>, Test>(std::forward<X>(x), std::move(test), name));
}
} // namespace xmask::inline XMASK_ABI::detail
