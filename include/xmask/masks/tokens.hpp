// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/range_cursor.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "combine.hpp"
#include "element_rule.hpp"
#include "id_set.hpp"
#include "real_ids.hpp"

/// @file
/// Masks from token ids, integers or real numbers: padding, special tokens, a vocabulary to keep; sequences up to their end
/// marker; spans between markers.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The type of a tensor's tokens.
template <class X>
using token_t = std::remove_cv_t<value_type_t<X>>;

template <class T>
concept arithmetic = std::is_arithmetic_v<T>;

template <class X>
consteval bool holds_real_tokens() {
    if constexpr (expression<X> && !mask_expression<X>) {
        return std::is_floating_point_v<token_t<X>>;
    }
    return false;
}

template <class X, class... I>
consteval bool require_tokens() {
    if constexpr (holds_real_tokens<X>()) {
        constexpr bool numbers = (holds_real_ids<I>() && ...);
        static_assert(
            numbers,
            "xmask: ids of real tokens are numbers: one, a list, a container or a tensor of them."
        );
        return numbers;
    } else {
        constexpr bool integers =
            expression<X> && !mask_expression<X> && holds_integers<X>() && (holds_ids<I>() && ...);
        static_assert(
            integers,
            "xmask: tokens are a tensor of integers, and ids a list or container of integers; a tensor "
            "of real numbers takes ids of either."
        );
        return integers;
    }
}

/// The test of a token of type T against ids.
template <class T, class I>
auto make_token_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_id_test<T>(std::forward<I>(ids));
    }
}

/// The same of ids that can be gone through.
template <class T, class I>
auto make_marker_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_set_test<T>(std::forward<I>(ids));
    }
}

template <class X, class I>
auto make_tokens(const char* name, X&& tokens, I&& ids) {
    if constexpr (require_tokens<X, I>()) {
        return make_element_mask(
            name, std::forward<X>(tokens), make_token_test<token_t<X>>(std::forward<I>(ids))
        );
    }
}

/// Calls f(block, count) with the columns [c, c + 64) of a row, or as many as there are.
template <class Row, class F>
XMASK_INLINE auto with_block(Row& row, std::size_t c, std::size_t n, F&& f) {
    const std::size_t count = std::min(n - c, word_columns);
    const auto block = row.block(c, count, first_bits(count));
    return count == word_columns ? f(block, whole_word()) : f(block, count);
}

/// Gives each row's cursor, which is made of the tokens' row and whatever Finder knows.
template <class Finder, class Rows>
class marked_rows {
public:
    marked_rows(const Finder& finder, Rows rows, std::size_t n)
        : m_finder(&finder), m_rows(std::move(rows)), m_columns(n) {}

    [[nodiscard]] auto row(std::size_t r) const {
        return m_finder->cursor(m_rows.row(r), m_columns);
    }

private:
    const Finder* m_finder;
    Rows m_rows;
    std::size_t m_columns;
};

/// Rows that markers among the tokens divide; a Finder has cursor(row, columns).
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

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_tokens)); }

    [[nodiscard]] auto rows() const {
        auto tokens = make_operand<token_t<operand_type>>(m_tokens, shape());
        return marked_rows<Finder, decltype(tokens)>(
            m_finder, std::move(tokens), columns_of(shape())
        );
    }

private:
    CTX m_tokens;
    Finder m_finder;
};

template <class X, class Finder>
auto make_marked(X&& tokens, Finder finder) {
    return mask(marked_rule<closure_t<X>, Finder>(std::forward<X>(tokens), std::move(finder)));
}

/// Keeps a row up to and with its first marker.
template <class Test>
class through_first {
public:
    static constexpr const char* name = "keep_through_first";

    explicit through_first(Test test) : m_test(std::move(test)) {}

    template <class Row>
    [[nodiscard]] range_cursor cursor(Row row, std::size_t n) const {
        for (std::size_t c = 0; c < n; c += word_columns) {
            const word_t found =
                with_block(row, c, n, [&](const auto& block, auto count) XMASK_INLINE_LAMBDA {
                    return m_test.block(block, count);
                });
            if (found != 0) {
                return range_cursor({0, c + lowest_bit(found) + 1});
            }
        }
        return range_cursor({0, n});
    }

private:
    Test m_test;
};

/// A row that keeps what lies between markers. It remembers how far it has read, so that words
/// asked in order cost one pass; one that lies before starts anew.
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
        while (m_next < c) {
            read(std::min(c, m_next + word_columns));
        }
        return read(std::min(m_columns, c + word_columns));
    }

private:
    /// The word of the columns from the next one up to `stop`, at most 64.
    word_t read(std::size_t stop) const {
        word_t begins = 0;
        word_t ends = 0;
        with_block(m_row, m_next, stop, [&](const auto& block, auto count) XMASK_INLINE_LAMBDA {
            begins = m_begin->block(block, count);
            ends = m_end->block(block, count);
            return 0;
        });
        // What an addition carries runs on from each begin up to the next end.
        const word_t between = ~ends;
        const word_t from = (begins | word_t(m_inside)) & between;
        const word_t reached = (((from + between) ^ between) | from) & between;
        const std::size_t count = stop - m_next;
        m_inside = (reached >> (count - 1) & 1) != 0;
        m_next = stop;
        return reached & ~begins & first_bits(count);
    }

    const Begin* m_begin;
    const End* m_end;
    mutable Row m_row; // a row over anything but memory keeps a buffer
    std::size_t m_columns;
    mutable std::size_t m_next = 0;
    mutable bool m_inside = false;
};

/// Keeps what lies between begin and end markers.
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

template <class X, class I>
auto make_through_first(X&& tokens, I&& ids) {
    if constexpr (require_tokens<X, I>()) {
        auto test = make_token_test<token_t<X>>(std::forward<I>(ids));
        return make_marked(std::forward<X>(tokens), through_first<decltype(test)>(std::move(test)));
    }
}

template <class X, class B, class E>
auto make_between_markers(X&& tokens, B&& begin, E&& end) {
    if constexpr (require_tokens<X, B, E>()) {
        auto begins = make_marker_test<token_t<X>>(std::forward<B>(begin));
        auto ends = make_token_test<token_t<X>>(std::forward<E>(end));
        using finder = between_markers<decltype(begins), decltype(ends)>;
        return make_marked(std::forward<X>(tokens), finder(std::move(begins), std::move(ends)));
    }
}
} // namespace detail

/// Keeps the tokens that are among `ids`.
///
/// tokens: a tensor or lazy expression of integers or real numbers, whose shape is the mask's; an
/// lvalue is held by reference. ids: one id, a list, container or tensor of integers, which is
/// copied, or an id_set, which is held by reference if it is an lvalue; of real tokens, integers or
/// real numbers. Tokens and ids are compared exactly, as numbers: an id that the tokens' type can't
/// hold is in none, as 0.1 is in no float; -0 is 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it). Up to about 8 ids cost about as much as copying the
/// tokens; more cost three instructions a token, one of them a look into a table.
///
///     const xt::xtensor<int, 1> tokens = {101, 7, 8, 102};
///     auto m = xmask::keep_tokens(tokens, {101, 102});    // 1 0 0 1
///     const xt::xtensor<float, 1> codes = {-999.f, 0.5f};
///     auto known = xmask::drop_tokens(codes, -999);    // 0 1
template <class X, class I>
auto keep_tokens(X&& tokens, I&& ids) {
    return detail::make_tokens("keep_tokens", std::forward<X>(tokens), std::forward<I>(ids));
}

template <expression X, class I>
auto keep_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::make_tokens("keep_tokens", tokens, std::forward<I>(ids));
}

template <class X, detail::arithmetic T>
auto keep_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_tokens("keep_tokens", std::forward<X>(tokens), ids);
}

/// Drops the tokens that are among `ids`, and keeps all others. Otherwise as keep_tokens.
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 0, 0};
///     auto m = xmask::drop_tokens(tokens, {0});    // 1 1 0 0
template <class X, class I>
auto drop_tokens(X&& tokens, I&& ids) {
    return detail::complement(
        "drop_tokens",
        detail::make_tokens("keep_tokens", std::forward<X>(tokens), std::forward<I>(ids))
    );
}

template <expression X, class I>
auto drop_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::complement("drop_tokens", keep_tokens(tokens, std::forward<I>(ids)));
}

template <class X, detail::arithmetic T>
auto drop_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::complement(
        "drop_tokens", detail::make_tokens("keep_tokens", std::forward<X>(tokens), ids)
    );
}

/// Keeps each row up to and with the first of its tokens that is among `ids`; the whole row where
/// none is.
///
/// tokens and ids: as keep_tokens takes them. Each row is read once, up to its first marker, when
/// an operation comes to it; the words after that cost a shift.
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 2, 0, 2};
///     auto m = xmask::keep_through_first(tokens, 2);
///     // 1 1 1 0 0
template <class X, class I>
auto keep_through_first(X&& tokens, I&& ids) {
    return detail::make_through_first(std::forward<X>(tokens), std::forward<I>(ids));
}

template <class X, detail::arithmetic T>
auto keep_through_first(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_through_first(std::forward<X>(tokens), ids);
}

/// Keeps what lies after a begin marker and before the next end marker; a span without an end goes
/// on to the row's end. No marker is kept, wherever it stands: a begin inside of a span, or an end
/// outside of one, is only dropped.
///
/// tokens: as keep_tokens takes them. begin, end: one id, a list, container, tensor or id_set.
/// Throws std::invalid_argument, naming the id, if a token could be a begin and an end. Words in
/// the order of the columns cost two look-ups a token; one asked out of order reads its row anew.
///
///     const xt::xtensor<int, 1> tokens = {7, 1, 5, 6, 2, 8, 1, 9};
///     auto m = xmask::keep_between_markers(tokens, 1, 2);
///     // 0 0 1 1 0 0 0 1
template <class X, class B, class E>
auto keep_between_markers(X&& tokens, B&& begin, E&& end) {
    return detail::make_between_markers(
        std::forward<X>(tokens), std::forward<B>(begin), std::forward<E>(end)
    );
}

template <class X, detail::arithmetic T, detail::arithmetic U>
auto keep_between_markers(
    X&& tokens, std::initializer_list<T> begin, std::initializer_list<U> end
) {
    return detail::make_between_markers(std::forward<X>(tokens), begin, end);
}
} // namespace xmask::inline XMASK_ABI
