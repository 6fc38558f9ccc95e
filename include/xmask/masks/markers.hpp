// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/block.hpp"
#include "../core/cursor.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/shape.hpp"
#include "../core/walk.hpp"
#include "token_test.hpp"

/// @file
/// Masks from markers among tokens: sequences up to their end marker, spans between markers.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Makes the cursor of a row of tokens: cursor(row, columns). Has the mask's name.
template <class F, class Row>
concept marker_finder = requires(const F& finder, Row row, std::size_t n) {
    { finder.cursor(std::move(row), n) } -> row_cursor;
    { F::name } -> std::convertible_to<const char*>;
};

/// The mask of rows that markers among the tokens divide.
template <class CTX, class Finder>
class marked_rule {
    using operand_type = std::decay_t<CTX>;

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = Finder::name;

    template <class X>
    marked_rule(X&& tokens, Finder finder)
        : m_tokens(std::forward<X>(tokens)), m_finder(std::move(finder)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_tokens.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_tokens)); }

    [[nodiscard]] auto rows() const {
        auto tokens = make_operand<token_t<operand_type>>(m_tokens, shape());
        static_assert(marker_finder<Finder, row_t<decltype(tokens)>>);
        return row_function([&finder = m_finder, operand = std::move(tokens),
                             n = columns_of(shape())](std::size_t r) {
            return finder.cursor(operand.row(r), n);
        });
    }

private:
    CTX m_tokens;
    Finder m_finder;
};

template <class X, class Finder>
auto make_marked(X&& tokens, Finder finder) {
    return mask(marked_rule<closure_t<X>, Finder>(std::forward<X>(tokens), std::move(finder)));
}

/// Keeps a row through its first marker.
template <class Test>
class through_first {
public:
    static constexpr const char* name = "keep_through_first";

    explicit through_first(Test test) : m_test(std::move(test)) {}

    template <class Row>
    [[nodiscard]] range_cursor cursor(Row row, std::size_t n) const {
        std::size_t end = n;
        any_block(0, n, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
            const word_t found = m_test.block(row.block(c, count, first_bits(count)), count);
            end = found != 0 ? c + lowest_bit(found) + 1 : n;
            return found != 0;
        });
        return range_cursor({0, end});
    }

private:
    Test m_test;
};

/// A row that keeps the columns between markers. It remembers how far it has read, so that words in
/// order cost one pass; an earlier word starts again.
template <class Begin, class End, class Row>
class between_cursor {
public:
    between_cursor(const Begin& begin, const End& end, Row row, std::size_t n)
        : m_begin(&begin), m_end(&end), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        if (c < m_next) {
            m_next = 0;
            m_inside = false;
        }
        read_to(c);
        return read_to(std::min(m_columns, c + word_columns));
    }

private:
    /// Reads from m_next up to `stop`. Gives the word of the last columns read.
    word_t read_to(std::size_t stop) const {
        word_t bits = 0;
        for_each_block(m_next, stop, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
            const auto block = m_row.block(c, count, first_bits(count));
            bits = between(m_begin->block(block, count), m_end->block(block, count), count);
        });
        m_next = stop;
        return bits;
    }

    /// The columns of the next word that lie between markers.
    word_t between(word_t begins, word_t ends, std::size_t count) const {
        // The carry of an addition runs from each begin up to the next end.
        const word_t open = ~ends;
        const word_t from = (begins | word_t(m_inside)) & open;
        const word_t reached = (((from + open) ^ open) | from) & open;
        m_inside = (reached >> (count - 1) & 1) != 0;
        return reached & ~begins & first_bits(count);
    }

    const Begin* m_begin;
    const End* m_end;
    mutable Row m_row; // a row over anything but memory keeps a buffer
    std::size_t m_columns;
    mutable std::size_t m_next = 0;
    mutable bool m_inside = false;
};

/// Keeps the columns between begin and end markers.
template <class Begin, class End>
class between_markers {
public:
    static constexpr const char* name = "keep_between_markers";

    between_markers(Begin begin, End end) : m_begin(std::move(begin)), m_end(std::move(end)) {
        for (const auto id : m_begin.ids()) {
            if (m_end(id)) [[unlikely]] {
                throw_invalid(
                    name, "id ", +id,
                    " is among the begin markers and among the end markers; an id marks a "
                    "begin or an end, not both"
                );
            }
        }
    }

    template <class Row>
    [[nodiscard]] auto cursor(Row row, std::size_t n) const {
        return between_cursor<Begin, End, Row>(m_begin, m_end, std::move(row), n);
    }

private:
    Begin m_begin;
    End m_end;
};

template <bool Fits, class X, class I>
auto make_through_first(X&& tokens, I&& ids) {
    if constexpr (Fits) {
        auto test = make_token_test<token_t<X>>(std::forward<I>(ids));
        return make_marked(std::forward<X>(tokens), through_first<decltype(test)>(std::move(test)));
    } else {
        return refused_mask();
    }
}

template <bool Fits, class X, class B, class E>
auto make_between_markers(X&& tokens, B&& begin, E&& end) {
    if constexpr (Fits) {
        auto begins = make_marker_test<token_t<X>>(std::forward<B>(begin));
        auto ends = make_token_test<token_t<X>>(std::forward<E>(end));
        using finder = between_markers<decltype(begins), decltype(ends)>;
        return make_marked(std::forward<X>(tokens), finder(std::move(begins), std::move(ends)));
    } else {
        return refused_mask();
    }
}
} // namespace detail

/// Keeps each row through its first token that is among ids; the whole row where none is.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 2, 0, 2};
///     auto m = xmask::keep_through_first(tokens, 2);
///     // 1 1 1 0 0
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids one id, a container or tensor of integers, which is copied, or an id_set, which is
/// held by reference if it is an lvalue. Real tokens take integers and real numbers.
/// @returns a mask of the tokens' shape.
///
/// Cost: a row is read once, up to its first marker, when an operation comes to it; each word after
/// that costs a shift.
template <class X, class I>
auto keep_through_first(X&& tokens, I&& ids) {
    return detail::make_through_first<detail::require_tokens<X, I>()>(
        std::forward<X>(tokens), std::forward<I>(ids)
    );
}

/// Keeps each row through its first token that is in a list; the whole row where none is.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 2, 0, 2};
///     auto m = xmask::keep_through_first(tokens, {0, 2});
///     // 1 1 1 0 0
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param ids a list of numbers, of integers where the tokens are integers.
/// @returns a mask of the tokens' shape.
///
/// Cost: a row is read once, up to its first marker, when an operation comes to it; each word after
/// that costs a shift.
template <class X, detail::arithmetic T>
auto keep_through_first(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_through_first<detail::require_tokens<X, std::initializer_list<T>>()>(
        std::forward<X>(tokens), ids
    );
}

/// Keeps the tokens between a begin marker and the next end marker.
///
/// A span without an end marker goes on to the row's end. No marker is kept, wherever it stands: a
/// begin inside of a span, or an end outside of one, is only dropped.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {7, 1, 5, 6, 2, 8, 1, 9};
///     auto m = xmask::keep_between_markers(tokens, 1, 2);
///     // 0 0 1 1 0 0 0 1
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param begin ids of begin markers: one id, a container, tensor or id_set, as for keep_tokens.
/// @param end ids of end markers, as `begin`.
/// @returns a mask of the tokens' shape.
/// @throws std::invalid_argument, with the id, where an id is among the begin markers and among the
/// end markers.
///
/// Cost: words in the order of the columns cost two look-ups a token; a question for an earlier
/// word reads the row again.
template <class X, class B, class E>
auto keep_between_markers(X&& tokens, B&& begin, E&& end) {
    return detail::make_between_markers<detail::require_tokens<X, B, E>()>(
        std::forward<X>(tokens), std::forward<B>(begin), std::forward<E>(end)
    );
}

/// Keeps the tokens between a begin marker and the next end marker, for ids in lists.
///
/// A span without an end marker goes on to the row's end. No marker is kept, wherever it stands: a
/// begin inside of a span, or an end outside of one, is only dropped.
///
/// Tokens and ids are compared exactly, as numbers: an id that the type of the tokens cannot hold
/// is in no token, as 0.1 is in no float; -0 equals 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it).
///
///     const xt::xtensor<int, 1> tokens = {7, 1, 5, 6, 2, 8, 3, 9};
///     auto m = xmask::keep_between_markers(tokens, {1, 3}, {2});
///     // 0 0 1 1 0 0 0 1
///
/// @param tokens a tensor or lazy expression of integers or real numbers. An lvalue is held by
/// reference.
/// @param begin a list of ids of begin markers.
/// @param end a list of ids of end markers.
/// @returns a mask of the tokens' shape.
/// @throws std::invalid_argument, with the id, where an id is among the begin markers and among the
/// end markers.
///
/// Cost: words in the order of the columns cost two look-ups a token; a question for an earlier
/// word reads the row again.
template <class X, detail::arithmetic T, detail::arithmetic U>
auto keep_between_markers(
    X&& tokens, std::initializer_list<T> begin, std::initializer_list<U> end
) {
    return detail::make_between_markers<
        detail::require_tokens<X, std::initializer_list<T>, std::initializer_list<U>>()>(
        std::forward<X>(tokens), begin, end
    );
}
} // namespace xmask::inline XMASK_ABI
