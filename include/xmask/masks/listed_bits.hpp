// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "../core/attributes.hpp"
#include "../core/cursor.hpp"
#include "../core/word.hpp"

/// @file
/// Rows of listed columns as bits.

namespace xmask::inline XMASK_ABI::detail {
/// A row that keeps listed columns.
class paged_cursor {
public:
    static constexpr std::size_t page_words = 16;
    /// Behind a page's words stands the first word of the next page, in which a word that begins
    /// within the last one ends.
    static constexpr std::size_t page_size = page_words + 1;

    paged_cursor(const word_t* words, const std::uint32_t* pages, column_range extent) noexcept
        : m_words(words), m_pages(pages), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const std::size_t number = c / word_columns;
        const word_t* at = m_words + m_pages[number / page_words] * page_size + number % page_words;
        const std::size_t shift = c % word_columns;
        if (shift == 0) {
            return *at;
        }
        return at[0] >> shift | at[1] << (word_columns - shift);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    const word_t* m_words;
    const std::uint32_t* m_pages;
    column_range m_extent;
};

/// Rows of listed columns as bits, in pages of 1024 columns. Pages that keep nothing share one, so
/// that long rows of few columns take little memory. A word is found without a search.
class listed_bits {
public:
    explicit listed_bits(std::size_t n)
        : m_row_pages((n + page_columns - 1) / page_columns), m_words(paged_cursor::page_size, 0) {}

    /// Adds a row that keeps these columns, in any order.
    void append(const std::vector<std::size_t>& columns) {
        const std::size_t first_page = m_pages.size();
        m_pages.resize(first_page + m_row_pages, 0);
        column_range& extent = m_extents.emplace_back();
        for (const std::size_t c : columns) {
            const std::size_t page = first_page + c / page_columns;
            const std::size_t number = c % page_columns / word_columns;
            const word_t bit = word_t(1) << c % word_columns;
            words_of(page)[number] |= bit;
            if (number == 0 && page > first_page) {
                words_of(page - 1)[paged_cursor::page_words] |= bit;
            }
            extent = hull(extent, {c, c + 1});
        }
    }

    /// How many rows there are.
    [[nodiscard]] std::size_t size() const noexcept { return m_extents.size(); }

    [[nodiscard]] XMASK_INLINE paged_cursor row(std::size_t r) const noexcept {
        return {m_words.data(), m_pages.data() + r * m_row_pages, m_extents[r]};
    }

private:
    static constexpr std::size_t page_columns = paged_cursor::page_words * word_columns;

    /// The words of a page that is written.
    word_t* words_of(std::size_t page) {
        if (m_pages[page] == 0) {
            m_pages[page] = static_cast<std::uint32_t>(m_words.size() / paged_cursor::page_size);
            m_words.resize(m_words.size() + paged_cursor::page_size, 0);
        }
        return m_words.data() + m_pages[page] * paged_cursor::page_size;
    }

    std::size_t m_row_pages;
    std::vector<word_t> m_words;
    std::vector<std::uint32_t> m_pages;
    std::vector<column_range> m_extents;
};
} // namespace xmask::inline XMASK_ABI::detail
