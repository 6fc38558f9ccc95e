// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/selection.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "n_of_m.hpp"
#include "size_cut.hpp"
#include "size_key.hpp"
#include "threshold.hpp"

/// @file
/// Masks that keep the largest elements: of each row, of a whole tensor, of groups. NaN comes after
/// every number, and of equal elements the first ones are kept.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Keeps the elements above a cut: one cut for each row, or one for the whole tensor.
template <class CTX, size_by By>
class cut_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));
    using row_type = row_t<operand_rows>;
    using cut_type = size_cut<T, By>;
    using key_type = typename cut_type::key_type;
    using selector_type = key_selector<key_type>;

    struct row_cut {
        beyond_cut<T, By, false> above;
        beyond_cut<T, By, true> from;
        std::size_t tie_end = 0; ///< elements at the cut are kept before this position
        column_range kept;       ///< positions outside of which nothing is kept
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    /// One cut through everything, which keeps k elements.
    template <class X>
    cut_rule(X&& x, const char* name, std::size_t k)
        : m_operand(std::forward<X>(x)), m_name(name), m_whole(true) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(shape());
        if (row_count == 0) {
            m_cuts.push_back(through(cut_type()));
            return;
        }
        selector_type selector;
        cut_all(selector, make_operand<T>(m_operand, shape()), row_count, n, k);
    }

    /// One cut for each row: cut_of(selector, keys, n). Keys in the selector's room may be
    /// overwritten.
    template <class X, class F>
        requires std::invocable<F&, selector_type&, const key_type*, std::size_t>
    cut_rule(X&& x, const char* name, F cut_of)
        : m_operand(std::forward<X>(x)), m_name(name), m_whole(false) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(shape());
        if (row_count == 0) {
            m_cuts.push_back(through(cut_type()));
            return;
        }
        const auto operand = make_operand<T>(m_operand, shape());
        selector_type selector;
        m_cuts.reserve(row_count);
        for (std::size_t r = 0; r < row_count; ++r) {
            const auto row = operand.row(r);
            const auto* keys = keys_in_place<By>(row);
            if (keys == nullptr) {
                write_keys<By>(row, n, selector.room(n));
                keys = selector.room(n);
            }
            const cut_type cut = cut_of(selector, keys, n);
            m_cuts.push_back(through(cut));
            m_cuts[r].kept = {0, n};
            const auto all = cursor(row, r, n);
            m_cuts[r].tie_end = cut.tie_end(n, [&](std::size_t c) { return all.ties(c); });
            m_cuts[r].kept = kept_extent(cursor(row, r, n), n);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return bundle(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const {
        return row_function([this, operand = make_operand<T>(m_operand, shape()),
                             n = columns_of(shape())](std::size_t r)
                                XMASK_INLINE_LAMBDA { return cursor(operand.row(r), r, n); });
    }

private:
    static row_cut through(const cut_type& cut) { return {{cut.key}, {cut.key}, 0, {}}; }

    XMASK_INLINE auto cursor(const row_type& row, std::size_t r, std::size_t n) const {
        const row_cut& cut = m_cuts[m_cuts.size() == 1 ? 0 : r];
        // A cut through everything counts its ties along all rows.
        const std::size_t before = m_whole ? r * n : 0;
        const column_range kept = intersection(cut.kept, {before, before + n});
        return cut_cursor<T, By, row_type>(
            cut.above, cut.from, std::max(cut.tie_end, before) - before,
            {kept.begin - before, kept.end - before}, row, n
        );
    }

    /// One cut through everything.
    void cut_all(
        selector_type& selector, const operand_rows& operand, std::size_t row_count, std::size_t n,
        std::size_t k
    ) {
        const auto* keys = operand.flat(n) ? keys_in_place<By>(operand.row(0)) : nullptr;
        if (keys == nullptr) {
            auto* const to = selector.room(row_count * n);
            for (std::size_t r = 0; r < row_count; ++r) {
                write_keys<By>(operand.row(r), n, to + r * n);
            }
            keys = to;
        }
        const auto cut = cut_type::through(selector, keys, row_count * n, k);
        m_cuts.push_back(through(cut));
        row_cut& own = m_cuts[0];
        own.tie_end = cut.all_ties ? (cut.ties == 0 ? 0 : row_count * n) : 0;
        for (std::size_t r = 0, left = cut.all_ties ? 0 : cut.ties; left != 0; ++r) {
            const auto row = cursor(operand.row(r), r, n);
            const auto ties = [&](std::size_t c) { return row.ties(c); };
            own.tie_end = r * n + past_ties(left, n, ties);
        }
        own.kept = {0, row_count * n};
        own.kept = k == 0 ? column_range() : extent_of_rows(operand, row_count, n);
    }

    /// From the first element of all rows that is kept to past the last.
    column_range extent_of_rows(const operand_rows& operand, std::size_t row_count, std::size_t n)
        const {
        std::size_t first = 0;
        std::size_t last = row_count - 1;
        column_range head;
        column_range tail;
        for (;; ++first) {
            head = kept_extent(cursor(operand.row(first), first, n), n);
            if (head.size() != 0) {
                break;
            }
        }
        for (;; --last) {
            tail = kept_extent(cursor(operand.row(last), last, n), n);
            if (tail.size() != 0) {
                break;
            }
        }
        return {first * n + head.begin, last * n + tail.end};
    }

    CTX m_operand;
    const char* m_name;
    std::vector<row_cut> m_cuts;
    bool m_whole;
};
} // namespace detail

/// Keeps the k largest elements of each row. Of equal elements the first ones are kept; NaN comes
/// last.
///
/// Cost: to build it about one pass over x, without sorting (core/selection.hpp), and memory for a
/// row; a word costs one comparison a register. The mask stores x and a cut for each row.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param k how many elements of each row are kept.
/// @returns a mask of x's shape.
/// @throws std::out_of_range for k beyond the row's length.
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
        using element = std::remove_cv_t<value_type_t<std::remove_cvref_t<X>>>;
        const auto cut_of = [k](auto& selector, const auto* keys, std::size_t columns) {
            return detail::size_cut<element, By>::through(selector, keys, columns, k);
        };
        return mask(
            detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), "keep_top_k", cut_of)
        );
    } else {
        return detail::refused_mask();
    }
}

/// Keeps the largest elements of the whole tensor: a fraction of them, to the nearest number. Of
/// equal elements the first ones are kept; NaN comes last.
///
/// Cost: to build it about one pass over x, without sorting, and memory for all elements while it
/// is built; a word costs one comparison a register. The mask stores x and one cut.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param fraction the share of the elements that is kept, from 0 to 1.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument for a fraction outside of [0, 1].
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
        return mask(
            detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), "keep_largest", k)
        );
    } else {
        return detail::refused_mask();
    }
}
} // namespace xmask::inline XMASK_ABI
