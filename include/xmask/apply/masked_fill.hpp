// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "../core/applied.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"

/// @file
/// masked_fill and masked_fill_inplace: what is dropped becomes a value.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// 64 elements of a masked_fill inside a larger expression.
        template <class T, class Block>
        class fill_block
        {
        public:

            using value_type = T;
            static constexpr bool in_registers = has_lanes<T>;

            fill_block(const Block& operand, word_t bits, const T& value)
                : m_operand(operand)
                , m_bits(bits)
                , m_value(value)
            {
            }

            XMASK_INLINE T at(std::size_t k) const
            {
                return (m_bits >> k & 1) != 0 ? m_operand.at(k) : m_value;
            }

            XMASK_INLINE lanes<T> load(std::size_t k) const
                requires in_registers
            {
                return fill(k, m_operand.load(k));
            }

            XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const
                requires in_registers
            {
                return fill(k, m_operand.load_first(k, count));
            }

        private:

            XMASK_INLINE lanes<T> fill(std::size_t k, const lanes<T>& x) const
                requires in_registers
            {
                return xsimd::select(mask_from_bits<T>(m_bits, k), x, lanes<T>(static_cast<lane_t<T>>(m_value)));
            }

            Block m_operand;
            word_t m_bits;
            T m_value;
        };

        /// One row of masked_fill: a word of ones is copied, a word of zeros filled, any other selects lanes.
        template <class T, class Row, class Cursor>
        class fill_row
        {
        public:

            fill_row(Row operand, Cursor cursor, const T& value)
                : m_operand(std::move(operand))
                , m_cursor(std::move(cursor))
                , m_value(value)
            {
            }

            [[nodiscard]] const Cursor& cursor() const noexcept
            {
                return m_cursor;
            }

            [[nodiscard]] const T& outside() const noexcept
            {
                return m_value;
            }

            XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end)
            {
                return m_operand.prepare(c, end);
            }

            /// Columns [c, c + count) to a larger expression, which looks at those in `bits`.
            XMASK_INLINE fill_block<T, block_t<Row>> read(std::size_t c, std::size_t count, word_t bits)
            {
                const word_t kept = m_cursor.word(c);
                return {m_operand.read(c, count, kept & bits), kept, m_value};
            }

            /// Columns [c, c + count) to `to`.
            template <bool Streaming, class Count>
            XMASK_INLINE void block(T* to, std::size_t c, Count count, word_t bits)
            {
                if (bits == 0)
                {
                    fill_columns<Streaming>(to, to + count, m_value);
                    return;
                }
                const auto block = m_operand.read(c, count, bits);
                if constexpr (!has_lanes<T>)
                {
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        to[k] = (bits >> k & 1) != 0 ? block.at(k) : m_value;
                    }
                }
                else if (bits == first_bits(count))
                {
                    store_block<Streaming>(to, block, count);
                }
                else
                {
                    const auto value = lanes<T>(static_cast<lane_t<T>>(m_value));
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        const auto x = load_register<full>(block, k, count - k);
                        const auto y = xsimd::select(mask_from_bits<T>(bits, k), x, value);
                        store_register<full, Streaming>(to + k, y, count - k);
                    });
                }
            }

        private:

            Row m_operand;
            Cursor m_cursor;
            T m_value;
        };

        template <class T, class Rows, class MaskRows>
        class fill_rows
        {
        public:

            fill_rows(Rows operand, MaskRows masks, const T& value)
                : m_operand(std::move(operand))
                , m_masks(std::move(masks))
                , m_value(value)
            {
            }

            XMASK_INLINE auto row(std::size_t r) const
            {
                return fill_row<T, row_t<Rows>, row_t<MaskRows>>(m_operand.row(r), m_masks.row(r), m_value);
            }

            [[nodiscard]] flat_form form() const noexcept
            {
                return std::min(m_operand.form(), m_masks.form());
            }

            XMASK_INLINE auto flat_row() const
            {
                return fill_row<T, flat_row_t<Rows>, decltype(m_masks.flat())>(
                    m_operand.flat_row(), m_masks.flat(), m_value
                );
            }

        private:

            Rows m_operand;
            MaskRows m_masks;
            T m_value;
        };

        /// masked_fill as an expression.
        template <class CTX, class CTM>
        class fill_op
        {
        public:

            using operand_type = std::decay_t<CTX>;
            using mask_type = std::decay_t<CTM>;
            using value_type = std::remove_cv_t<value_type_t<operand_type>>;
            using shape_type = typename operand_type::inner_shape_type;

            template <class X, class M>
            fill_op(const char* name, X&& x, M&& m, const value_type& value)
                : m_operand(std::forward<X>(x))
                , m_mask(std::forward<M>(m))
                , m_value(value)
                , m_name(name)
            {
                require_broadcast(name, "a mask", m_mask.shape(), m_operand.shape());
            }

            [[nodiscard]] const char* name() const noexcept
            {
                return m_name;
            }

            [[nodiscard]] const operand_type& operand() const noexcept
            {
                return m_operand;
            }

            [[nodiscard]] const mask_type& gate() const noexcept
            {
                return m_mask;
            }

            template <class Get>
            value_type combine(Get&& get, bool kept) const
            {
                return kept ? static_cast<value_type>(get()) : m_value;
            }

            template <class S>
            auto rows(const S& shape) const
            {
                auto operand = make_operand<value_type>(m_operand, shape);
                return fill_rows<value_type, decltype(operand), mask_rows<mask_type>>(
                    std::move(operand), mask_rows<mask_type>(m_mask, shape), m_value
                );
            }

        private:

            CTX m_operand;
            CTM m_mask;
            value_type m_value;
            const char* m_name;
        };

        template <class X, class M, class T>
        auto make_fill(const char* name, X&& x, M&& m, const T& value)
        {
            using op = fill_op<closure_t<X>, closure_t<M>>;
            return applied<op>(op(name, std::forward<X>(x), std::forward<M>(m), static_cast<typename op::value_type>(value)));
        }

        /// Writes `value` where a bit is set.
        template <class T>
        void select_dropped(T* to, std::size_t count, word_t dropped, const T& value)
        {
            if constexpr (has_lanes<T>)
            {
                const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
                for_each_register<T>(count, [&](std::size_t k, auto full) {
                    const auto chosen = mask_from_bits<T>(dropped, k);
                    if constexpr (full)
                    {
                        store_lanes(to + k, xsimd::select(chosen, wide, load_lanes(to + k)));
                    }
                    else
                    {
                        store_first_lanes(to + k, xsimd::select(chosen, wide, load_first_lanes(to + k, count - k)), count - k);
                    }
                });
            }
            else
            {
                for (std::size_t k = 0; k < count; ++k)
                {
                    to[k] = (dropped >> k & 1) != 0 ? value : to[k];
                }
            }
        }

        /// Overwrites what a row's cursor drops; what is kept is neither read nor written where a whole word is kept.
        template <class T, class C>
        void fill_dropped(T* row, std::size_t n, const C& cursor, const T& value)
        {
            const column_range kept = cursor.extent();
            const column_range solid = detail::solid(cursor);
            fill_columns(row, row + std::min(kept.begin, n), value);
            std::size_t c = kept.begin;
            while (c < kept.end)
            {
                if (c >= solid.begin && c < solid.end)
                {
                    c = solid.end;
                    continue;
                }
                const std::size_t count = std::min(word_columns, n - c);
                const word_t dropped = ~cursor.word(c) & first_bits(count);
                if (dropped == first_bits(count))
                {
                    fill_columns(row + c, row + c + count, value);
                }
                else if (dropped != 0)
                {
                    select_dropped(row + c, count, dropped, value);
                }
                c += count;
            }
            if (c < n)
            {
                fill_columns(row + c, row + n, value);
            }
        }

        template <class E, class M, class T>
        void fill_inplace(const char* name, E& x, const M& m, const T& value)
        {
            require_broadcast(name, "a mask", m.shape(), x.shape());
            const std::size_t n = columns_of(x.shape());
            const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
            const mask_rows<M> masks(m, x.shape());
            row_writer<T, E> writer(x);
            if (row_count != 0 && writer.flat(n) && worth_flat(masks.form(), n))
            {
                writer.seek(0);
                fill_dropped(writer.block(0), row_count * n, masks.flat(), value);
                return;
            }
            for (std::size_t r = 0; r < row_count; ++r)
            {
                writer.seek(r);
                const auto cursor = masks.row(r);
                if (writer.in_place())
                {
                    fill_dropped(writer.block(0), n, cursor, value);
                    continue;
                }
                for (std::size_t c = 0; c < n; c += word_columns)
                {
                    const std::size_t count = std::min(word_columns, n - c);
                    writer.write(c, ~cursor.word(c) & first_bits(count), value);
                }
            }
        }
    }

    /// x where the mask keeps, `value` where it drops; lazy, with x's shape and element type.
    ///
    /// The mask broadcasts into x, as NumPy does, and never enlarges it. What is dropped is not seen: NaN there stays
    /// there. `value` is converted to x's element type.
    /// Throws std::invalid_argument where the mask's shape does not fit. One pass, no temporary; what lies outside of
    /// the mask's extent is not read.
    ///
    ///     xt::xtensor<float, 2> scores = {{1, 2, 3}, {4, 5, 6}};
    ///     xt::noalias(y) = xmask::masked_fill(scores, xmask::keep_lengths({3, 1}, 3), -1e9f);
    ///     // 1, 2, 3
    ///     // 4, -1e9, -1e9
    template <class X, class M, class T>
    auto masked_fill(X&& x, M&& m, const T& value)
    {
        if constexpr (detail::require_tensor<X>() && detail::require_mask<M>())
        {
            return detail::make_fill("masked_fill", std::forward<X>(x), std::forward<M>(m), value);
        }
    }

    /// Overwrites what the mask drops with `value`; takes the time to write that. x is any assignable tensor or view.
    ///
    /// Throws std::invalid_argument where the mask's shape does not fit, before anything is written.
    ///
    ///     xmask::masked_fill_inplace(scores, xmask::keep_lengths(lengths, n), -1e9f);
    template <class X, class M, class T>
    void masked_fill_inplace(X&& x, const M& m, const T& value)
    {
        if constexpr (detail::require_tensor<X>() && detail::require_mask<M>())
        {
            using element = std::remove_cv_t<value_type_t<X>>;
            detail::fill_inplace("masked_fill_inplace", x, m, static_cast<element>(value));
        }
    }
}
