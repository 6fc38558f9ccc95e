// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "assign.hpp"
#include "cursor.hpp"
#include "error.hpp"
#include "lazy.hpp"
#include "mask_rows.hpp"
#include "overlap.hpp"
#include "requirement.hpp"
#include "row.hpp"
#include "shape.hpp"
#include "target.hpp"
#include "word.hpp"
#include "xtensor.hpp"

/// @file
/// The protocol of a rule, which gives a cursor for each row; and mask<Rule>, which makes any
/// rule an xtensor expression of bool. Include mask.hpp, which has the operators too.

namespace xmask::inline XMASK_ABI {
/// A rule: it gives the shape of a mask, and a cursor for each row.
///
/// `shape()` gives the shape, of type `shape_type`; `row(r)` gives the cursor of row r. Rows are
/// numbered in row-major order of the leading axes. A cursor does not outlive its rule. Several
/// threads may ask a rule at once. A rule holds no memory in proportion to the size of the mask,
/// unless its name says so.
///
/// A rule whose rows share work may have `rows()` instead of `row(r)`. An operation calls `rows()`
/// once; the result has `row(r)`.
///
/// A rule may have a `name`, a member or a function, for errors and for explain(). A rule made of
/// other masks may have `for_each_term(index, f)`: it calls f(mask, index in that mask) for each
/// mask that decides the element at an index. `static constexpr bool any_term_decides = true` says
/// that one mask with the same answer as the whole decides.
///
/// Where an operation writes in place, a mask may read the written tensor. A rule that reads no
/// tensor says so by `auto sources() const { return std::tuple<>(); }`. Other masks are stored
/// first, one bit an element.
template <class R>
    concept mask_rule = requires(const R& rule, std::size_t r) {
        typename R::shape_type;
        { rule.shape() } -> std::convertible_to<const typename R::shape_type&>;
    } && (requires(const R& rule, std::size_t r) {
        { rule.row(r) } -> row_cursor;
    } || requires(const R& rule, std::size_t r) {
        { rule.rows().row(r) } -> row_cursor;
    });

template <mask_rule Rule>
class mask;

namespace detail {
template <class T>
struct is_mask_impl : std::false_type {};

template <mask_rule Rule>
struct is_mask_impl<mask<Rule>> : std::true_type {};

/// The name of a rule, for errors and explain(); "mask" where it has none.
template <class Rule>
std::string name_of(const Rule& rule) {
    if constexpr (requires {
                      { rule.name() } -> std::convertible_to<std::string>;
                  }) {
        return rule.name();
    } else if constexpr (requires {
                             { rule.name } -> std::convertible_to<std::string>;
                         }) {
        return rule.name;
    } else {
        return "mask";
    }
}
} // namespace detail

/// A mask of this library; M may be a reference.
template <class M>
concept mask_expression = detail::is_mask_impl<std::remove_cvref_t<M>>::value;

/// Weights (a soft mask): an expression of real numbers.
template <class W>
concept weight_expression =
    expression<W> && !mask_expression<W> && std::is_floating_point_v<value_type_t<W>>;

namespace detail {
/// Whether M is weights, alone or together with a mask.
template <class M>
concept holds_weights =
    weight_expression<M> || requires { requires std::remove_cvref_t<M>::holds_weights; };

template <bool Fits, class... /*M*/>
struct mask_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a mask is expected here. A boolean or numeric tensor does not say what true means: write "
            "xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
        );
        return Fits;
    }
};

template <bool Fits, class... /*M*/>
struct mask_without_weights_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a mask is expected here. Real weights go with what multiplies: xmask::multiply, masked_sum, "
            "masked_mean and losses; xmask::keep_not_equal(weights, 0) is a mask of what they do not give 0."
        );
        return Fits;
    }
};

template <bool Fits, class... /*M*/>
struct mask_or_weights_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a mask, or a tensor of real weights, is expected here. A boolean tensor does not say what true "
            "means: write xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
        );
        return Fits;
    }
};

template <bool Fits, class... /*E*/>
struct tensor_expected_first {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: the tensor comes first, the mask second; the first argument here is not a tensor."
        );
        return Fits;
    }
};

template <bool Fits, class... /*E*/>
struct target_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: what is changed in place is a tensor or view that is not const; a lazy expression is assigned "
            "to a tensor first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, where M is not a mask.
template <class M>
using require_mask = require_all<
    mask_without_weights_expected<!holds_weights<M>, M>, mask_expected<mask_expression<M>, M>>;

/// Fails to compile, with one sentence, where M is neither a mask nor real weights.
template <class M>
using require_mask_or_weights =
    mask_or_weights_expected<mask_expression<M> || weight_expression<M>, M>;

/// Fails to compile, with one sentence, where E is not a tensor but a number, a container or a
/// mask.
template <class E>
using require_tensor = tensor_expected_first<expression<E> && !mask_expression<E>, E>;

/// Whether the arguments of a reduction are in order: not a mask before a tensor. A mask may be the
/// tensor of a reduction; its elements are 0 and 1.
template <class X, class M>
inline constexpr bool in_order = !mask_expression<X> || !expression<M> || mask_expression<M>;

/// Whether elements of E can be written.
template <class E>
concept writable = expression<E> && !std::is_const_v<std::remove_reference_t<E>> &&
                   requires(std::remove_reference_t<E>& e) { *e.begin() = *e.cbegin(); };

/// Fails to compile, with one sentence, where E cannot be written.
template <class E>
using require_target = target_expected<writable<E>, E>;

/// Fails to compile, with one sentence, where E is not a tensor or cannot be written to.
template <class E>
using require_tensor_target = require_all<require_tensor<E>, require_target<E>>;

/// The delegate that writes a mask as elements of 0 and 1.
template <class T, class Columns>
class unpack_delegate {
public:
    explicit unpack_delegate(Columns to) : m_to(to) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) const {
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        if constexpr (has_lanes<T>) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            const auto zero = lanes<T>(lane_t<T>(0));
            const auto one = lanes<T>(lane_t<T>(1));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto y = select_by_bits<T>(bits, k, one, zero);
                store_register<full, streams>(to + k, y, count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = static_cast<T>(bits >> k & 1);
            }
        }
    }

    void kept(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(1)); }

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(0)); }

private:
    Columns m_to;
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI

template <xmask::mask_rule Rule>
struct xt::xiterable_inner_types<xmask::mask<Rule>> {
    using inner_shape_type = typename Rule::shape_type;
    using const_stepper = xmask::detail::flat_stepper<xmask::mask<Rule>>;
    using stepper = const_stepper;
};

template <xmask::mask_rule Rule>
struct xt::xcontainer_inner_types<xmask::mask<Rule>> {
    using reference = bool;
    using const_reference = bool;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
/// A mask: it says which elements of a tensor count. True means keep.
///
/// A lazy xtensor expression of bool. Builders (keep_lengths, drop_indices, keep_above, ...) and
/// the operators && || ! ^ make masks, and so does `xmask::mask(my_rule)` for a rule of your own.
/// Cost: a mask holds its rule, and no memory in proportion to its size unless the rule stores.
///
/// @tparam Rule  the rule that answers for the rows (mask_rule)
///
///     auto m = xmask::keep_lengths(lengths, n) && xmask::drop_tokens(tokens, {0});
///     // 1 1 0 0
///     // 1 1 1 1
///     // 1 1 1 0
///     xt::xarray<bool> b = m;    // one pass, word by word
///     std::size_t kept = xmask::count_kept(m);    // 9
template <mask_rule Rule>
class mask : public detail::lazy<mask<Rule>, bool> {
    using base = detail::lazy<mask<Rule>, bool>;

public:
    using rule_type = Rule;
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;

    /// Makes a mask of a rule.
    ///
    /// A mask may have more than 2^63 - 1 elements, and answers for single rows; counting or
    /// storing all of it then throws.
    ///
    /// @param rule  copied or moved into the mask
    /// @throws std::invalid_argument  for a shape of more than 16 axes
    explicit mask(Rule rule) : m_rule(std::move(rule)) {
        if (shape().size() > detail::max_rank) [[unlikely]] {
            detail::require_rank(detail::name_of(m_rule).c_str(), shape().size());
        }
    }

    /// Stores another mask, where the rule stores: `bitmask b = m`.
    ///
    /// @param other  any mask
    template <mask_expression M>
        requires(!std::same_as<std::remove_cvref_t<M>, mask> && std::constructible_from<Rule, const std::remove_cvref_t<M>&>)
    mask(const M& other) : m_rule(other) {}

    using base::shape;

    const inner_shape_type& shape() const noexcept { return m_rule.shape(); }

    /// The rule of this mask.
    const Rule& rule() const noexcept { return m_rule; }

    /// The rule of this mask, to be changed.
    Rule& rule() noexcept { return m_rule; }

    /// The tensors that this mask reads, where its rule says so (core/overlap.hpp).
    [[nodiscard]] auto sources() const
        requires(detail::has_sources<Rule> || detail::shares_no_memory<Rule>)
    {
        if constexpr (detail::has_sources<Rule>) {
            return m_rule.sources();
        } else {
            return detail::bundle(detail::read_in_place(m_rule));
        }
    }

    /// The cursor of row r: word(c) and at(c).
    XMASK_INLINE auto row(std::size_t r) const {
        if constexpr (requires { m_rule.rows(); }) {
            return detail::held_row<Rule>(m_rule, r);
        } else {
            return m_rule.row(r);
        }
    }

    template <class It>
    bool element(It first, It last) const {
        const auto& extents = shape();
        auto given = static_cast<std::size_t>(last - first);
        for (; given > extents.size(); --given) {
            ++first;
        }
        std::size_t r = 0;
        std::size_t c = 0;
        for (std::size_t axis = extents.size() - given; axis < extents.size(); ++axis, ++first) {
            const auto extent = static_cast<std::size_t>(extents[axis]);
            const auto i = extent == 1 ? 0 : static_cast<std::size_t>(*first);
            if (axis + 1 == extents.size()) {
                c = i;
            } else {
                r = r * extent + i;
            }
        }
        return detail::keeps(row(r), c);
    }

    bool data_element(size_type i) const {
        const std::size_t n = detail::columns_of(shape());
        return detail::keeps(row(i / n), i % n);
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept {
        auto result = stepper_begin(walked);
        result.to_end(l);
        return result;
    }

    /// Writes the mask to a tensor, row by row. xtensor calls it where the mask stands alone on the
    /// right of an assignment.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<bool>("mask", *this, result)) {
            return;
        }
        detail::resize_or_check("mask", "the result", result, shape());
        write_to(result);
    }

    /// Writes the mask to a tensor of its shape that its rule does not read.
    template <class E>
    void write_to(E& result) const {
        using element = std::remove_cv_t<value_type_t<E>>;
        detail::write_rows<element>(
            result,
            detail::masked_operands{
                detail::mask_rows<mask>(*this, shape()), detail::scalar_rows<bool>(true),
                detail::columns_of(shape())
            },
            [](const auto& /*rows*/, std::size_t /*r*/, auto columns) {
                return detail::unpack_delegate<element, decltype(columns)>(columns);
            }
        );
    }

private:
    Rule m_rule;
};

template <mask_rule Rule>
mask(Rule) -> mask<Rule>;
} // namespace xmask::inline XMASK_ABI
