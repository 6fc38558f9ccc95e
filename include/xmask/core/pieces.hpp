// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#if defined(XTENSOR_USE_TBB)
#include <tbb/parallel_for.h>
#endif

#include "abi.hpp"

/// @file
/// Work cut into pieces, and the threads that take them: those of TBB where XTENSOR_USE_TBB is
/// defined, those of OpenMP where XTENSOR_USE_OPENMP is. Pieces do not depend on the number of
/// threads, and their results are added in their order. Therefore results are the same to the bit
/// for any number of threads.

namespace xmask::inline XMASK_ABI::detail {
#if defined(XTENSOR_USE_TBB) || defined(XTENSOR_USE_OPENMP)
inline constexpr bool has_threads = true;
#else
inline constexpr bool has_threads = false;
#endif

/// The approximate number of elements of a piece.
inline constexpr std::size_t piece_elements = std::size_t(1) << 16;

/// For fewer elements no thread is woken.
inline constexpr std::size_t threaded_elements = std::size_t(1) << 18;

/// A range of rows, and a range of columns of each.
struct piece {
    std::size_t first_row;
    std::size_t last_row;
    std::size_t begin;
    std::size_t end;
};

/// All rows of n columns in pieces: several short rows, or a part of a long one.
class pieces {
public:
    pieces(std::size_t row_count, std::size_t n) noexcept
        : pieces(row_count, n, std::min(n, piece_elements)) {}

    /// Pieces that hold whole rows.
    [[nodiscard]] static pieces of_whole_rows(std::size_t row_count, std::size_t n) noexcept {
        return {row_count, n, n};
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_down * m_across; }

    [[nodiscard]] piece operator[](std::size_t i) const noexcept {
        const std::size_t row = i / m_across * m_rows_each;
        const std::size_t column = i % m_across * m_columns_each;
        return {
            row, std::min(row + m_rows_each, m_row_count), column,
            std::min(column + m_columns_each, m_columns)
        };
    }

    /// All rows as one piece.
    [[nodiscard]] piece whole() const noexcept { return {0, m_row_count, 0, m_columns}; }

    /// Whether waking threads pays.
    [[nodiscard]] bool worth_threads() const noexcept {
        return m_row_count * m_columns >= threaded_elements && size() > 1;
    }

private:
    pieces(std::size_t row_count, std::size_t n, std::size_t columns_each) noexcept
        : m_row_count(row_count)
        , m_columns(n)
        , m_rows_each(n == 0 ? row_count : std::max(std::size_t(1), piece_elements / n))
        , m_columns_each(columns_each)
        , m_down(row_count == 0 || n == 0 ? 0 : (row_count - 1) / m_rows_each + 1)
        , m_across(n == 0 ? 1 : (n - 1) / columns_each + 1) {}

    std::size_t m_row_count;
    std::size_t m_columns;
    std::size_t m_rows_each;
    std::size_t m_columns_each;
    std::size_t m_down;
    std::size_t m_across;
};

/// The exception of the first piece, in order, that throws.
class first_thrown {
public:
    /// Calls f(i) and records its exception. The other pieces continue: one before i may throw,
    /// too.
    template <class F>
    void guard(std::size_t i, F& f) {
        try {
            f(i);
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_thrown || i < m_first) {
                m_first = i;
                m_thrown = std::current_exception();
            }
        }
    }

    void rethrow() const {
        if (m_thrown) {
            std::rethrow_exception(m_thrown);
        }
    }

private:
    std::mutex m_mutex;
    std::exception_ptr m_thrown;
    std::size_t m_first = 0;
};

/// Calls f(i) for each i below count, in several threads. Throws the exception of the smallest i
/// that throws, whatever the number of threads.
template <class F>
    requires has_threads
void for_each_in_threads([[maybe_unused]] std::size_t count, [[maybe_unused]] F&& f) {
    first_thrown thrown;
#if defined(XTENSOR_USE_TBB)
    tbb::parallel_for(std::size_t(0), count, [&](std::size_t i) { thrown.guard(i, f); });
#elif defined(XTENSOR_USE_OPENMP)
    const auto end = static_cast<std::ptrdiff_t>(count);
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < end; ++i) {
        thrown.guard(static_cast<std::size_t>(i), f);
    }
#endif
    thrown.rethrow();
}

/// Calls f(rows, piece) for each piece. Each thread has a copy of the rows, with its own buffers.
/// Without threads, f is called once, for all rows.
template <class Rows, class F>
void for_each_piece(const pieces& all, const Rows& rows, F&& f) {
    if constexpr (has_threads) {
        if (all.worth_threads()) {
            for_each_in_threads(all.size(), [&](std::size_t i) {
                const Rows own = rows;
                f(own, all[i]);
            });
            return;
        }
    }
    f(rows, all.whole());
}

/// The sum of f(rows, piece) over all pieces, in their order. `add(sum, next)` adds one. There is
/// at least one piece.
template <class Rows, class F, class Add>
auto sum_of_pieces(const pieces& all, const Rows& rows, F&& f, Add&& add) {
    if constexpr (has_threads) {
        if (all.worth_threads()) {
            std::vector<decltype(f(rows, all[0]))> parts(all.size());
            for_each_in_threads(all.size(), [&](std::size_t i) {
                const Rows own = rows;
                parts[i] = f(own, all[i]);
            });
            auto sum = parts[0];
            std::for_each(parts.begin() + 1, parts.end(), [&](const auto& part) {
                add(sum, part);
            });
            return sum;
        }
    }
    auto sum = f(rows, all[0]);
    for (std::size_t i = 1; i < all.size(); ++i) {
        add(sum, f(rows, all[i]));
    }
    return sum;
}
} // namespace xmask::inline XMASK_ABI::detail
