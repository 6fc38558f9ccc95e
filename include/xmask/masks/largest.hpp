// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/block.hpp"
#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/shape.hpp"
#include "../core/simd.hpp"
#include "element_rule.hpp"
#include "n_of_m.hpp"
#include "size_key.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep the largest elements: of each row, of a whole tensor, of groups. NaN comes after
/// every number, and of equal elements the first ones are kept.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Whether registers of T give their keys.
template <class T, size_by By>
inline constexpr bool keys_in_registers =
    has_lanes<T> && !std::same_as<T, bool> && (By == size_by::value || std::floating_point<T>);

/// Where a cut goes through elements: those with larger keys are kept, and the first few of those
/// at the cut.
template <class T, size_by By>
struct size_cut {
    using key_limits = std::numeric_limits<size_key<T, By>>;

    static constexpr size_key<T, By> largest_key =
        key_limits::has_infinity ? key_limits::infinity() : key_limits::max();

    size_key<T, By> key = largest_key; // nothing is larger
    bool among_nan = false;            ///< every number is kept, and the cut goes through the NaN
    std::size_t tie_end = 0; ///< elements at the cut are kept before this column (or flat position)

    /// The cut that keeps k of the elements, which are given by their keys; called again for the
    /// ties' positions.
    static size_cut through(std::vector<T>& elements, std::size_t k) {
        size_cut cut;
        if (k == 0) {
            return cut;
        }
        std::vector<size_key<T, By>> keys;
        keys.reserve(elements.size());
        for (const T x : elements) {
            if (x == x) {
                keys.push_back(key_of<By>(x));
            }
        }
        std::size_t ties = k;
        if (k > keys.size()) {
            cut.among_nan = true;
            ties -= keys.size();
        } else {
            const auto at = keys.begin() + static_cast<std::ptrdiff_t>(k - 1);
            std::nth_element(keys.begin(), at, keys.end(), std::greater<>());
            cut.key = *at;
            ties -= static_cast<std::size_t>(
                std::count_if(keys.begin(), keys.end(), [&](auto other) { return other > cut.key; })
            );
        }
        for (std::size_t i = 0; i < elements.size(); ++i) {
            if (cut.at(elements[i]) && --ties == 0) {
                cut.tie_end = i + 1;
                break;
            }
        }
        return cut;
    }

    [[nodiscard]] bool above(T x) const noexcept {
        return among_nan ? x == x : key_of<By>(x) > key;
    }

    [[nodiscard]] bool at(T x) const noexcept { return among_nan ? x != x : key_of<By>(x) == key; }

    /// Whether the element at a position of those that were cut is kept.
    [[nodiscard]] bool keeps(T x, std::size_t position) const noexcept {
        return above(x) || (position < tie_end && at(x));
    }

    /// From the first element that is kept to past the last.
    [[nodiscard]] column_range extent_of(const std::vector<T>& elements) const noexcept {
        column_range kept{0, elements.size()};
        while (kept.begin < kept.end && !keeps(elements[kept.begin], kept.begin)) {
            ++kept.begin;
        }
        while (kept.end > kept.begin && !keeps(elements[kept.end - 1], kept.end - 1)) {
            --kept.end;
        }
        return kept;
    }
};

/// The two tests of a cut, for element_cursor.
template <class T, size_by By>
struct above_cut {
    size_cut<T, By> cut;

    bool operator()(T x) const noexcept { return cut.above(x); }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires keys_in_registers<T, By>
    {
        return cut.among_nan ? x == x : keys_of<T, By>(x) > detail::lanes<T>(cut.key);
    }
};

template <class T, size_by By>
struct at_cut {
    size_cut<T, By> cut;

    bool operator()(T x) const noexcept { return cut.at(x); }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires keys_in_registers<T, By>
    {
        return cut.among_nan ? x != x : keys_of<T, By>(x) == detail::lanes<T>(cut.key);
    }
};

template <class T, size_by By, class Row>
class cut_cursor {
public:
    cut_cursor(
        const above_cut<T, By>& above, const at_cut<T, By>& at, std::size_t tie_end,
        column_range extent, const Row& row, std::size_t n
    )
        : m_above(above, row, n), m_at(at, row, n), m_tie_end(tie_end), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        const word_t bits = m_above.word(c);
        return c < m_tie_end ? bits | (m_at.word(c) & first_bits(m_tie_end - c)) : bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    element_cursor<above_cut<T, By>, Row> m_above;
    element_cursor<at_cut<T, By>, Row> m_at;
    std::size_t m_tie_end;
    column_range m_extent;
};

/// Reads a row of numbers.
template <class T, class Row>
void append_row(Row row, std::size_t n, std::vector<T>& to) {
    for_each_block(0, n, [&](std::size_t c, std::size_t count) {
        const auto block = row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            to.push_back(block.at(k));
        }
    });
}

/// Keeps what lies above a cut: one cut for each row, or one through the whole tensor.
template <class CTX, size_by By>
class cut_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

    struct two_tests {
        above_cut<T, By> above;
        at_cut<T, By> at;
        column_range kept;
    };

    class cut_rows {
    public:
        cut_rows(const cut_rule& rule)
            : m_rule(&rule)
            , m_operand(make_operand<T>(rule.m_operand, rule.shape()))
            , m_columns(columns_of(rule.shape())) {}

        XMASK_INLINE auto row(std::size_t r) const {
            const auto& cuts = m_rule->m_cuts;
            const two_tests& tests = cuts[cuts.size() == 1 ? 0 : r];
            // A cut through everything counts its ties along all rows.
            const std::size_t before = m_rule->m_whole ? r * m_columns : 0;
            const std::size_t tie_end = std::max(tests.at.cut.tie_end, before) - before;
            const column_range kept = intersection(tests.kept, {before, before + m_columns});
            return cut_cursor<T, By, row_t<operand_rows>>(
                tests.above, tests.at, tie_end, {kept.begin - before, kept.end - before},
                m_operand.row(r), m_columns
            );
        }

    private:
        const cut_rule* m_rule;
        operand_rows m_operand;
        std::size_t m_columns;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    [[nodiscard]] const char* name() const noexcept {
        return m_whole ? "keep_largest" : "keep_top_k";
    }

    /// Keeps k of each row, or of everything.
    template <class X>
    cut_rule(X&& x, std::size_t k, bool whole) : m_operand(std::forward<X>(x)), m_whole(whole) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(shape());
        const auto operand = make_operand<T>(m_operand, shape());
        std::vector<T> elements;
        for (std::size_t r = 0; r < row_count; ++r) {
            append_row(operand.row(r), n, elements);
            if (!whole) {
                cut(elements, k);
            }
        }
        // One serves empty rows, however many there are.
        if (whole || n == 0) {
            cut(elements, k);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return cut_rows(*this); }

private:
    void cut(std::vector<T>& elements, std::size_t k) {
        const auto through = size_cut<T, By>::through(elements, k);
        m_cuts.push_back({{through}, {through}, through.extent_of(elements)});
        elements.clear();
    }

    CTX m_operand;
    std::vector<two_tests> m_cuts;
    bool m_whole;
};
} // namespace detail

/// Keeps the k largest elements of each row; By is size_by::value or size_by::magnitude. Along
/// another axis: keep_top_k(x, k, axis).
///
/// x: a tensor or lazy expression of numbers, whose shape is the mask's; the elements are to stay
/// as they are while the mask is used. Throws std::out_of_range for k beyond the row's length. To
/// build it takes linear time on average and memory for a row; a word costs a comparison a
/// register.
///
///     auto m = xmask::keep_top_k(xt::xtensor<float, 1>{0.1f, 0.7f, 0.7f, 0.2f}, 2);    // 0 1 1 0
template <size_by By = size_by::value, class X>
auto keep_top_k(X&& x, std::size_t k) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t n = detail::columns_of(x.shape());
        if (k > n) [[unlikely]] {
            detail::throw_out_of_range(
                "keep_top_k", "k ", k, " is outside of [0, ", n, "], the length of a row"
            );
        }
        return mask(detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, false));
    }
}

/// Keeps the largest elements of the whole tensor: a fraction of them, to the nearest number.
/// Throws std::invalid_argument for a fraction outside of [0, 1]. Takes memory for all elements
/// while it is built. Otherwise as keep_top_k.
///
///     xt::xtensor<float, 2> weights = {{0.1f, -0.9f}, {0.3f, 0.2f}};
///     auto m = xmask::keep_largest<xmask::size_by::magnitude>(weights, 0.5);
///     // 0 1
///     // 1 0
template <size_by By = size_by::value, class X>
auto keep_largest(X&& x, double fraction) {
    if constexpr (detail::require_numbers<X>()) {
        detail::require_option(
            "keep_largest", "fraction", fraction, detail::option_range::between(0, 1)
        );
        const auto k =
            static_cast<std::size_t>(std::llround(fraction * static_cast<double>(x.size())));
        return mask(detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, true));
    }
}
} // namespace xmask::inline XMASK_ABI
