// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>

#include "attributes.hpp"
#include "block.hpp"
#include "cursor.hpp"
#include "word.hpp"

/// @file
/// The walk over one row of a mask, which all operations share. An operation is a delegate: it acts
/// on blocks of columns, and on ranges of kept or dropped columns.

namespace xmask::inline XMASK_ABI::detail {
/// A delegate: what an operation does with the columns of a row.
///
/// `block(c, count, bits)` takes columns [c, c + count), at most 64; `count` is whole_word where
/// all 64 are there. `dropped(c, end)` takes columns that are all dropped.
///
/// A delegate may also have `kept(c, end)` for columns that are all kept; without it they arrive as
/// blocks whose bits are all set. One that can use the cursor's own lanes has
/// `lane_block(cursor, c)` for 64 columns. `static constexpr bool takes_any_range = true` asks for
/// each known stretch as it is; otherwise the ends of stretches arrive as blocks of 64 columns,
/// which costs less where something is written for every column.
template <class D>
concept walk_delegate = requires(D& delegate, std::size_t c) {
    delegate.block(c, whole_word(), word_t());
    delegate.block(c, c, word_t());
    delegate.dropped(c, c);
};

/// Calls f(c) for each whole word of columns [c, end), in order, until f returns true. Returns the
/// first column of that word, or of the last columns, which are no whole word.
template <class F>
XMASK_INLINE std::size_t find_word(std::size_t c, std::size_t end, F&& f) {
    const std::size_t last = end - (end - c) % word_columns;
    while (c < last && !f(c)) {
        c += word_columns;
    }
    return c;
}

/// Calls f(c, count) for columns [c, end), 64 at a time, until f returns true. The count is
/// whole_word for all but the last block. Returns whether f returned true.
template <class F>
XMASK_INLINE bool any_block(std::size_t c, std::size_t end, F&& f) {
    c = find_word(c, end, [&](std::size_t at) XMASK_INLINE_LAMBDA { return f(at, whole_word()); });
    return c + word_columns <= end || (c < end && f(c, end - c));
}

/// Calls f(c, count) for columns [c, end), 64 at a time; count is whole_word for all but the last.
template <class F>
XMASK_INLINE void for_each_block(std::size_t c, std::size_t end, F&& f) {
    any_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
        f(at, count);
        return false;
    });
}

/// Calls f(c, end, kind) for each stretch of columns [c, end) of a row, in order, until f returns
/// true. Returns whether f returned true.
template <row_cursor C, class F>
bool any_stretch(const C& cursor, std::size_t c, std::size_t end, F&& f) {
    while (c < end) {
        const stretch ahead = stretch_at(cursor, c);
        const std::size_t stop = std::min(ahead.end, end);
        if (f(c, stop, ahead.kind)) {
            return true;
        }
        c = stop;
    }
    return false;
}

/// The first column of [c, n) that a row keeps, or n.
template <row_cursor C>
std::size_t next_kept(const C& cursor, std::size_t c, std::size_t n) {
    std::size_t found = n;
    any_stretch(cursor, c, n, [&](std::size_t begin, std::size_t end, stretch_kind kind) {
        if (kind != stretch_kind::unknown) {
            found = kind == stretch_kind::kept ? begin : n;
            return kind == stretch_kind::kept;
        }
        return any_block(begin, end, [&](std::size_t at, std::size_t count) {
            const word_t bits = cursor.word(at) & first_bits(count);
            found = bits != 0 ? at + lowest_bit(bits) : n;
            return bits != 0;
        });
    });
    return found;
}

/// Hands columns [c, end), which are all kept, to a delegate.
template <walk_delegate D>
XMASK_INLINE void walk_kept(D& delegate, std::size_t c, std::size_t end) {
    if constexpr (requires { delegate.kept(c, end); }) {
        delegate.kept(c, end);
    } else {
        for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
            delegate.block(at, count, first_bits(count));
        });
    }
}

/// Whether a delegate asks for whole stretches.
template <class D>
inline constexpr bool takes_any_range = requires { requires D::takes_any_range; };

/// Hands columns [c, end), one or more whole words, to a delegate, by the cursor's lanes or words.
template <row_cursor C, walk_delegate D>
XMASK_INLINE void walk_words(const C& cursor, std::size_t c, std::size_t end, D& delegate) {
    if constexpr (requires { delegate.lane_block(cursor, c); }) {
        // Two loops: in one, masks would pass through other registers where its branches meet.
        if (gives_lanes(cursor)) [[likely]] {
            find_word(c, end, [&](std::size_t at) XMASK_INLINE_LAMBDA {
                delegate.lane_block(cursor, at);
                return false;
            });
            return;
        }
    }
    find_word(c, end, [&](std::size_t at) XMASK_INLINE_LAMBDA {
        delegate.block(at, whole_word(), cursor.word(at));
        return false;
    });
}

/// Hands columns [c, end) of a row to a delegate, in order. Blocks begin at multiples of 64 columns
/// from c on.
template <row_cursor C, walk_delegate D>
XMASK_INLINE void walk(const C& cursor, std::size_t c, std::size_t end, D& delegate) {
    while (takes_any_range<D> ? c < end : c + word_columns <= end) {
        const stretch ahead = stretch_at(cursor, c);
        const std::size_t known = std::min(ahead.end, end);
        if (ahead.kind != stretch_kind::unknown &&
            (takes_any_range<D> || known - c >= word_columns)) {
            // Whole words, and the end of the row where the stretch reaches it.
            const std::size_t stop =
                takes_any_range<D> || known == end ? known : known - (known - c) % word_columns;
            if (ahead.kind == stretch_kind::kept) {
                walk_kept(delegate, c, stop);
            } else {
                delegate.dropped(c, stop);
            }
            c = stop;
            if constexpr (takes_any_range<D>) {
                continue;
            }
        }
        if (c + word_columns > end) {
            break;
        }
        // The word in which a known stretch ends, or all words of an unknown one.
        const std::size_t whole = ahead.kind == stretch_kind::unknown ? known - c : 0;
        const std::size_t stop =
            c + std::max(whole - whole % word_columns, std::size_t(word_columns));
        walk_words(cursor, c, stop, delegate);
        c = stop;
    }
    if (c < end) {
        delegate.block(c, end - c, cursor.word(c) & first_bits(end - c));
    }
}

/// The delegate of operations that only read kept columns. It calls f(c, count, bits) for each
/// block with a kept column.
template <bool AnyRange, class F>
class kept_blocks {
public:
    static constexpr bool takes_any_range = AnyRange;

    explicit kept_blocks(F& f) noexcept : m_function(f) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            m_function(c, count, bits);
        }
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

private:
    F& m_function;
};

/// Calls f(c, count, bits) for each block of columns [begin, end) with a kept column, in order. With
/// AnyRange, blocks also begin and end where known stretches do: fewer words are asked for.
template <bool AnyRange = false, row_cursor C, class F>
XMASK_INLINE void for_each_kept_block(const C& cursor, std::size_t begin, std::size_t end, F&& f) {
    kept_blocks<AnyRange, std::remove_reference_t<F>> delegate(f);
    walk(cursor, begin, end, delegate);
}
} // namespace xmask::inline XMASK_ABI::detail
