// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/block.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "bitmask.hpp"
#include "largest.hpp"
#include "largest_along.hpp"
#include "size_cut.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep whole slices of a tensor, those with the largest norms: structured pruning.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Norms of the slices along an axis.
template <class E>
class slice_norms {
    using T = std::remove_cv_t<value_type_t<E>>;

public:
    slice_norms(const E& x, std::size_t axis, double p)
        : m_expression(&x)
        , m_slices(x.shape(), axis)
        , m_largest(m_slices.extent())
        , m_norms(m_slices.extent()) {
        visit([&](std::size_t slice, double size) {
            double& largest = m_largest[slice];
            largest = size > largest || size != size ? size : largest;
        });
        if (std::isinf(p)) {
            m_norms = m_largest;
            return;
        }
        // In units of each slice's own, so that no power overflows, and none that counts is lost.
        // Those of the usual norms are powers of two, and round nothing.
        std::vector<double> units(m_largest);
        for (double& unit : units) {
            const bool measures = unit > 0 && std::isfinite(unit);
            unit = !measures ? 1 : p == 1 || p == 2 ? std::ldexp(1., std::ilogb(unit)) : unit;
        }
        visit([&](std::size_t slice, double size) {
            m_norms[slice] += power(size / units[slice], p);
        });
        // Norms beyond the largest number are compared in smaller units, as all others are then.
        bool fits = true;
        for (std::size_t slice = 0; slice < m_norms.size(); ++slice) {
            m_norms[slice] = root(m_norms[slice], p);
            fits = fits &&
                   !(std::isfinite(m_norms[slice]) && std::isinf(m_norms[slice] * units[slice]));
        }
        const double scale = fits ? 1 : std::ldexp(1., -512);
        for (std::size_t slice = 0; slice < m_norms.size(); ++slice) {
            m_norms[slice] *= units[slice] * scale;
        }
    }

    [[nodiscard]] std::vector<double>& values() noexcept { return m_norms; }

private:
    static double power(double size, double p) {
        return p == 1 ? size : p == 2 ? size * size : std::pow(size, p);
    }

    static double root(double sum, double p) {
        return p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p);
    }

    /// Calls f(slice, |x|) for each element.
    template <class F>
    void visit(F&& f) const {
        const auto& shape = m_expression->shape();
        const std::size_t n = columns_of(shape);
        const std::size_t row_count = n == 0 || m_slices.extent() == 0 ? 0 : rows_of(shape);
        const auto operand = make_operand<T>(*m_expression, shape);
        for (std::size_t r = 0; r < row_count; ++r) {
            auto row = operand.row(r);
            const bool along = m_slices.along_rows();
            const std::size_t slice = along ? 0 : m_slices.position(r);
            for_each_block(0, n, [&](std::size_t c, std::size_t count) {
                const auto block = row.block(c, count, first_bits(count));
                for (std::size_t k = 0; k < count; ++k) {
                    f(along ? c + k : slice, std::abs(static_cast<double>(block.at(k))));
                }
            });
        }
    }

    const E* m_expression;
    axis_of_rows m_slices;
    std::vector<double> m_largest;
    std::vector<double> m_norms;
};

/// A row of the mask: all or none of it where slices are rows; columns that are equal in all rows
/// where slices cross the rows.
class slices_cursor {
public:
    slices_cursor(const word_t* words, column_range kept, std::size_t n) noexcept
        : m_words(words), m_kept(kept), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        return m_words == nullptr ? range_word(m_kept, c)
                                  : stored_cursor(m_words, m_columns).word(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_words == nullptr ? stretch_of(m_kept, c) : stretch_within(m_kept, c);
    }

private:
    const word_t* m_words;
    column_range m_kept;
    std::size_t m_columns;
};

/// One bit a slice.
template <class S>
class slices_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_largest_slices";

    /// Keeps k of the slices, which are given by their norms.
    slices_rule(const S& shape, std::size_t axis, const std::vector<double>& norms, std::size_t k)
        : m_shape(shape)
        , m_slices(shape, axis)
        , m_words((norms.size() + word_columns - 1) / word_columns) {
        key_selector<double> selector;
        const std::size_t count = norms.size();
        const auto cut =
            size_cut<double, size_by::value>::through(selector, norms.data(), count, k);
        using row = memory_row<double>;
        cut_cursor<double, size_by::value, row> cursor(
            {cut.key}, {cut.key}, 0, {0, count}, row(norms.data(), 1, nullptr), count
        );
        const std::size_t end = cut.tie_end(count, [&](std::size_t c) { return cursor.ties(c); });
        cursor.end_ties(end);
        for (std::size_t i = 0; i < m_words.size(); ++i) {
            m_words[i] = cursor.word(i * word_columns);
        }
        m_kept = kept_extent(cursor, count);
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] slices_cursor row(std::size_t r) const noexcept {
        const std::size_t n = columns_of(m_shape);
        if (m_slices.along_rows()) {
            return {m_words.data(), m_kept, n};
        }
        const std::size_t i = m_slices.position(r);
        const bool kept = (m_words[i / word_columns] >> i % word_columns & 1) != 0;
        return {nullptr, {0, kept ? n : 0}, n};
    }

private:
    S m_shape;
    axis_of_rows m_slices;
    std::vector<word_t> m_words;
    column_range m_kept;
};
} // namespace detail

/// Keeps the slices along an axis with the largest p-norms.
///
/// This is structured pruning, as PyTorch's ln_structured: axis 0 of the weights of a layer prunes
/// its outputs, axis 1 its inputs. The norm of a slice is (sum |x|^p)^(1/p) of its elements,
/// computed in double. Of equal norms the first slices are kept, and NaN comes last. Cost: one pass
/// over x now; the mask stores one bit for each slice, and is broadcast from these.
///
/// @param x         a tensor or lazy expression of numbers; not read again
/// @param fraction  the share of slices to keep, from 0 to 1, rounded to the nearest number
/// @param axis      the axis of the slices; negative numbers count from the last axis
/// @param p         the exponent of the norm, above 0; infinity for the largest magnitude
/// @returns  a mask of the shape of x
/// @throws std::invalid_argument  for a fraction outside of [0, 1], or p not above 0
/// @throws std::out_of_range  for an axis that x does not have
///
///     const xt::xtensor<float, 2> weights = {{1, -1, 1}, {0, 3, 0}, {0, 0, 1}};
///     auto m = xmask::keep_largest_slices(weights, 0.34, 0);
///     // 0 0 0
///     // 1 1 1
///     // 0 0 0
template <class X>
auto keep_largest_slices(const X& x, double fraction, std::ptrdiff_t axis, double p = 2) {
    if constexpr (detail::require_numbers<X>()) {
        detail::require_option(
            "keep_largest_slices", "fraction", fraction, detail::option_range::between(0, 1)
        );
        detail::require_option("keep_largest_slices", "p", p, detail::option_range::above(0));
        const std::size_t at = detail::axis_number("keep_largest_slices", axis, x.dimension());
        detail::slice_norms<X> norms(x, at, p);
        const auto k = static_cast<std::size_t>(
            std::llround(fraction * static_cast<double>(norms.values().size()))
        );
        using shape_type = typename X::inner_shape_type;
        return mask(detail::slices_rule<shape_type>(x.shape(), at, norms.values(), k));
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
