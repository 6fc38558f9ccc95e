// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "block.hpp"
#include "cursor.hpp"
#include "flat.hpp"
#include "pieces.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "word.hpp"
#include "writer.hpp"

/// @file
/// The walk that writes a result: row by row, 64 columns at a time, only filling what no row's
/// extent holds.

namespace xmask::inline XMASK_ABI::detail {
/// From how many bytes on a result is written past the caches: well beyond a core's share of them,
/// reading the lines that a store would otherwise fetch costs half as much again.
inline constexpr std::size_t streaming_bytes = std::size_t(32) << 20;

/// Columns up to the first one at which an aligned register starts; 0 where none does.
template <class T>
std::size_t columns_to_register([[maybe_unused]] const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        const auto past = reinterpret_cast<std::uintptr_t>(row) % register_bytes<T>;
        return past % sizeof(T) != 0 ? 0
                                     : (register_bytes<T> - past) % register_bytes<T> / sizeof(T);
    } else {
        return 0;
    }
}

/// Whether stores of T to this address may stream.
template <class T>
bool can_stream(const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        return reinterpret_cast<std::uintptr_t>(row) % sizeof(T) == 0;
    } else {
        return false;
    }
}

template <bool Streaming, class T>
XMASK_INLINE void store_as(T* to, const lanes<T>& value) noexcept {
    if constexpr (Streaming) {
        store_streaming(to, value);
    } else {
        store_lanes(to, value);
    }
}

/// How far ahead of its stores a result's lines are asked for: a store that finds its line in the
/// second cache waits for it in the way of all others.
inline constexpr std::size_t prefetch_bytes = 2048;

/// Asks for the lines that some stores of `bytes` from here on will need `prefetch_bytes` later, if
/// there are such.
XMASK_INLINE void prefetch_stores(const void* to, std::size_t bytes) noexcept {
    constexpr std::size_t line_bytes = 64;
    const auto first = reinterpret_cast<std::uintptr_t>(to) + prefetch_bytes;
    for (std::size_t at = 0; at < bytes; at += line_bytes) {
        __builtin_prefetch(reinterpret_cast<const void*>(first + at), 1);
    }
}

/// What follows the columns that are filled.
enum class filled_part {
    alone,  ///< nothing that is written
    of_more ///< more of the result
};

/// Writes whole registers from `first` on, as many as fit; asks for lines before `asked`. Gives
/// where it stopped.
template <bool Streaming, class T>
XMASK_INLINE T* fill_registers(T* first, T* last, const lanes<T>& value, const T* asked) noexcept {
    constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
    for (; last - first >= 4 * n; first += 4 * n) {
        if (first < asked) {
            prefetch_stores(first, 4 * n * sizeof(T));
        }
        store_as<Streaming>(first, value);
        store_as<Streaming>(first + n, value);
        store_as<Streaming>(first + 2 * n, value);
        store_as<Streaming>(first + 3 * n, value);
    }
    for (; last - first >= n; first += n) {
        store_as<Streaming>(first, value);
    }
    return first;
}

/// Fills at least a register: the ends by themselves, so that what is between them is aligned.
template <filled_part Part, class T>
XMASK_INLINE void fill_aligned(T* first, T* last, const lanes<T>& value) noexcept {
    constexpr auto ahead = static_cast<std::ptrdiff_t>(prefetch_bytes / sizeof(T));
    // The processor foresees a few lines by itself, unless the end is written first and far away.
    const bool is_near = last - first < ahead;
    const T* const asked = Part == filled_part::of_more ? last
                           : last - first < 4 * ahead   ? first
                                                        : last - ahead;
    T* const end = last - lane_count<T>;
    store_lanes(first, value);
    if (is_near) {
        store_lanes(end, value);
    }
    fill_registers<false>(first + columns_to_register(first), last, value, asked);
    if (!is_near) {
        store_lanes(end, value);
    }
}

/// Writes `value` to [first, last). With Streaming, all but the ends goes past the caches.
template <bool Streaming = false, filled_part Part = filled_part::alone, class T>
void fill_columns(T* first, T* last, const T& value) noexcept {
    if constexpr (has_lanes<T>) {
        const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
        const auto count = static_cast<std::size_t>(last - first);
        if (count < lane_count<T>) {
            store_first_lanes(first, wide, count);
            return;
        }
        if constexpr (!Streaming) {
            fill_aligned<Part>(first, last, wide);
            return;
        }
        T* const aligned = first + columns_to_register(first);
        std::fill(first, aligned, value);
        first = fill_registers<true>(aligned, last, wide, aligned);
    }
    std::fill(first, last, value);
}

template <bool Full, bool Streaming, class T>
XMASK_INLINE void store_register(T* to, const lanes<T>& value, std::size_t count) {
    if constexpr (Full) {
        store_as<Streaming>(to, value);
    } else {
        store_first_lanes(to, value, count);
    }
}

/// Writes a block as it is.
template <bool Streaming, class T, class Block, class Count>
XMASK_INLINE void store_block(T* to, const Block& block, Count count) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            store_register<full, Streaming>(
                to + k, load_register<full>(block, k, count - k), count - k
            );
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = block.at(k);
        }
    }
}

/// Whether a row may begin its blocks where stores are aligned.
template <class Row>
consteval bool aligns_stores_of() {
    if constexpr (requires { Row::aligns_stores; }) {
        return Row::aligns_stores;
    } else {
        return true;
    }
}

/// Writes the whole blocks of a row's columns [c, stop) register by register, where its cursor has
/// lanes to give; gives the column at which it stopped.
template <bool Streaming, class Row, class T>
XMASK_INLINE std::size_t write_by_lanes(Row& from, T* row, std::size_t c, std::size_t stop) {
    if constexpr (requires { from.template lane_block<Streaming>(row, c); }) {
        if (from.cursor().has_lanes()) {
            while (c + word_columns <= stop) {
                const std::size_t end = from.prepare(c, stop);
                for (; c + word_columns <= end; c += word_columns) {
                    if constexpr (!Streaming) {
                        prefetch_stores(row + c, word_columns * sizeof(T));
                    }
                    from.template lane_block<Streaming>(row + c, c);
                }
            }
        }
    }
    return c;
}

/// Writes columns [begin, end) of one row in place, by `from`: its cursor() says what is kept,
/// block(to, c, count, bits) writes a block, and outside() is what is written where nothing is
/// kept. Stores are aligned, and what lies outside of the extent is only filled.
template <bool Streaming, class Row, class T>
XMASK_INLINE void write_row(Row from, T* row, std::size_t begin, std::size_t end) {
    const auto& cursor = from.cursor();
    const column_range kept = intersection(cursor.extent(), {begin, end});
    const std::size_t head = aligns_stores_of<Row>() || Streaming
                                 ? std::min(columns_to_register(row + begin), end - begin)
                                 : 0;
    const std::size_t aligned = begin + head;
    std::size_t c = begin;
    if (kept.begin > aligned) {
        c = std::min(aligned + (kept.begin - aligned) / word_columns * word_columns, end);
        fill_columns<Streaming, filled_part::of_more>(row + begin, row + c, from.outside());
    } else if (head != 0 && kept.size() != 0) {
        // Fewer columns than a register has.
        from.prepare(begin, aligned);
        from.template block<false>(row + begin, begin, head, cursor.word(begin) & first_bits(head));
        c = aligned;
    }
    if (c < kept.end) {
        const std::size_t blocks = (kept.end - c + word_columns - 1) / word_columns;
        const std::size_t stop = std::min(end, c + blocks * word_columns);
        c = write_by_lanes<Streaming>(from, row, c, stop);
        walk_blocks(
            from, c, stop,
            [&](std::size_t at, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                constexpr bool whole = std::is_same_v<decltype(count), whole_word>;
                if constexpr (whole && !Streaming) {
                    prefetch_stores(row + at, word_columns * sizeof(T));
                }
                from.template block<Streaming && whole>(row + at, at, count, bits);
            }
        );
        c = stop;
    }
    fill_columns<Streaming, filled_part::of_more>(row + c, row + end, from.outside());
}

/// Writes columns [begin, end) of one row through the writer's buffer.
template <class Row, class Writer>
void write_row_buffered(Row from, Writer& writer, std::size_t begin, std::size_t end) {
    const auto& cursor = from.cursor();
    for (std::size_t c = begin; c < end; c += word_columns) {
        const std::size_t count = std::min(word_columns, end - c);
        from.prepare(c, c + count);
        from.template block<false>(writer.block(c), c, count, cursor.word(c) & first_bits(count));
        writer.commit(c, count);
    }
}

/// Where the rows of a result are written.
template <class T, class E>
class row_destination {
public:
    explicit row_destination(E& to)
        : m_to(std::addressof(to))
        , m_row_count(rows_of(to.shape()))
        , m_columns(columns_of(to.shape())) {
        row_writer<T, E> writer(to);
        if (m_row_count != 0 && m_columns != 0) {
            writer.seek(0);
            m_flat = writer.flat(m_columns);
            m_streams = writer.in_place() &&
                        m_row_count * m_columns * sizeof(T) >= streaming_bytes &&
                        can_stream(writer.block(0));
        }
    }

    /// Calls f(pieces, row_of) for the rows, laid end to end where that is possible and worth it.
    template <class Rows, class F>
    auto with_rows(const Rows& rows, F&& f) const {
        return detail::with_rows(
            m_flat && worth_flat(rows.form(), m_columns), m_row_count, m_columns, f
        );
    }

    /// Writes a piece of the rows.
    template <class Rows, class RowOf>
    void write(const Rows& rows, RowOf row_of, const piece& part) const {
        row_writer<T, E> writer(*m_to);
        for (std::size_t r = part.first_row; r < part.last_row; ++r) {
            writer.seek(r);
            if constexpr (!RowOf::flat) {
                if (!writer.in_place()) {
                    write_row_buffered(row_of(rows, r), writer, part.begin, part.end);
                    continue;
                }
            }
            if constexpr (has_lanes<T>) {
                if (m_streams) {
                    write_row<true>(row_of(rows, r), writer.block(0), part.begin, part.end);
                    continue;
                }
            }
            write_row<false>(row_of(rows, r), writer.block(0), part.begin, part.end);
        }
        if (m_streams) {
            finish_streaming();
        }
    }

private:
    E* m_to;
    std::size_t m_row_count;
    std::size_t m_columns;
    bool m_flat = false;
    bool m_streams = false;
};

/// Writes every row of a lazy result to `to`, which has its shape.
template <class T, class Rows, class E>
void write_rows(const Rows& rows, E& to) {
    const row_destination<T, E> target(to);
    target.with_rows(rows, [&](const pieces& all, auto row_of) {
        for_each_piece(all, rows, [&](const auto& own, const piece& part) {
            target.write(own, row_of, part);
        });
    });
}
} // namespace xmask::inline XMASK_ABI::detail
