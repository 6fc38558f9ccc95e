// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include "lazy.hpp"
#include "mask_expression.hpp"
#include "overlap.hpp"
#include "row.hpp"
#include "target.hpp"
#include "xtensor.hpp"

/// @file
/// A tensor with a mask applied: a lazy expression that an assignment computes row by row, 64
/// columns at a time.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// An operation that chooses between its operand and another one.
template <class Op>
concept chooses = requires(const Op& op) { op.other(); };

/// The stepper of the other operand, where an operation has none.
struct no_stepper {
    void step(std::size_t /*axis*/, std::size_t /*n*/) noexcept {}

    void step_back(std::size_t /*axis*/, std::size_t /*n*/) noexcept {}

    void reset(std::size_t /*axis*/) noexcept {}

    void reset_back(std::size_t /*axis*/) noexcept {}

    void to_begin() noexcept {}

    void to_end(xt::layout_type /*l*/) noexcept {}
};

template <class Op>
struct other_stepper {
    using type = no_stepper;
};

template <chooses Op>
struct other_stepper<Op> {
    using type = typename std::decay_t<decltype(std::declval<const Op&>().other())>::const_stepper;
};

/// Makes a stepper of xtensor default-constructible, as iterators require.
template <class S>
class optional_stepper {
public:
    optional_stepper() = default;

    optional_stepper(S stepper) : m_stepper(std::move(stepper)) {}

    decltype(auto) operator*() const { return **m_stepper; }

    void step(std::size_t axis, std::size_t n) { m_stepper->step(axis, n); }

    void step_back(std::size_t axis, std::size_t n) { m_stepper->step_back(axis, n); }

    void reset(std::size_t axis) { m_stepper->reset(axis); }

    void reset_back(std::size_t axis) { m_stepper->reset_back(axis); }

    void to_begin() { m_stepper->to_begin(); }

    void to_end(xt::layout_type l) { m_stepper->to_end(l); }

private:
    std::optional<S> m_stepper;
};

template <class S>
using stepper_of_iterator =
    std::conditional_t<std::is_default_constructible_v<S>, S, optional_stepper<S>>;

/// The stepper of an applied expression: it steps through the operands and the mask.
template <class A>
class applied_stepper {
public:
    using value_type = typename A::value_type;
    using reference = value_type;
    using pointer = const value_type*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using shape_type = typename A::shape_type;
    using operand_stepper = stepper_of_iterator<
        typename std::decay_t<decltype(std::declval<const A&>().operand())>::const_stepper>;
    using gate_stepper = stepper_of_iterator<
        typename std::decay_t<decltype(std::declval<const A&>().gate())>::const_stepper>;
    using other_stepper = stepper_of_iterator<typename detail::other_stepper<A>::type>;

    applied_stepper() = default;

    applied_stepper(
        const A* applied, operand_stepper operand, gate_stepper gate, other_stepper other
    )
        : m_applied(applied), m_operand(operand), m_gate(gate), m_other(other) {}

    reference operator*() const {
        if constexpr (chooses<A>) {
            return m_applied->combine(
                [this] { return *m_operand; }, *m_gate, [this] { return *m_other; }
            );
        } else {
            return m_applied->combine([this] { return *m_operand; }, *m_gate);
        }
    }

    void step(size_type axis, size_type n = 1) {
        m_operand.step(axis, n);
        m_gate.step(axis, n);
        m_other.step(axis, n);
    }

    void step_back(size_type axis, size_type n = 1) {
        m_operand.step_back(axis, n);
        m_gate.step_back(axis, n);
        m_other.step_back(axis, n);
    }

    void reset(size_type axis) {
        m_operand.reset(axis);
        m_gate.reset(axis);
        m_other.reset(axis);
    }

    void reset_back(size_type axis) {
        m_operand.reset_back(axis);
        m_gate.reset_back(axis);
        m_other.reset_back(axis);
    }

    void to_begin() {
        m_operand.to_begin();
        m_gate.to_begin();
        m_other.to_begin();
    }

    void to_end(xt::layout_type l) {
        m_operand.to_end(l);
        m_gate.to_end(l);
        m_other.to_end(l);
    }

private:
    const A* m_applied = nullptr;
    operand_stepper m_operand;
    gate_stepper m_gate;
    [[no_unique_address]] other_stepper m_other;
};
} // namespace detail

/// A tensor with a mask, or real weights, applied, and not yet computed.
///
/// A lazy xtensor expression. Alone on the right of an assignment, or inside a larger expression
/// that is assigned, it is computed row by row in one pass (core/assign.hpp).
///
/// @tparam Op  the operation. `operand()` and `gate()` give the tensor and the mask or weights;
///   `combine(get, gate value)` gives one element; `rows(shape)` gives the rows for a larger
///   expression; `write(result)` writes all; `sources()` says what is read; `name()` is for errors.
///   An operation with two operands also has `other()`, and `combine(get, gate value, get other)`.
template <class Op>
class applied;
} // namespace xmask::inline XMASK_ABI

template <class Op>
struct xt::xiterable_inner_types<xmask::applied<Op>> {
    using inner_shape_type = typename Op::shape_type;
    using const_stepper = xmask::detail::applied_stepper<Op>;
    using stepper = const_stepper;
};

template <class Op>
struct xt::xcontainer_inner_types<xmask::applied<Op>> {
    using reference = typename Op::value_type;
    using const_reference = typename Op::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class Op>
class applied : public detail::lazy<applied<Op>, typename Op::value_type> {
    using base = detail::lazy<applied<Op>, typename Op::value_type>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// Makes an expression of an operation.
    ///
    /// @param op  the operation, moved into the expression
    explicit applied(Op op) : m_op(std::move(op)) {}

    using base::shape;

    const inner_shape_type& shape() const noexcept { return m_op.operand().shape(); }

    const Op& op() const noexcept { return m_op; }

    /// The tensors that this expression reads (core/overlap.hpp).
    [[nodiscard]] auto sources() const noexcept { return m_op.sources(); }

    template <class It>
    value_type element(It first, It last) const {
        const auto get = [&] { return m_op.operand().element(first, last); };
        if constexpr (detail::chooses<Op>) {
            return m_op.combine(get, m_op.gate().element(first, last), [&] {
                return m_op.other().element(first, last);
            });
        } else {
            return m_op.combine(get, m_op.gate().element(first, last));
        }
    }

    value_type data_element(size_type i) const {
        return detail::at_flat_index(shape(), i, [&](const auto& index) {
            return element(index.begin(), index.end());
        });
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        const auto begin = [&](const auto& e) { return e.stepper_begin(walked); };
        return {&m_op, begin(m_op.operand()), begin(m_op.gate()), stepper_of_other(begin)};
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept {
        const auto end = [&](const auto& e) { return e.stepper_end(walked, l); };
        return {&m_op, end(m_op.operand()), end(m_op.gate()), stepper_of_other(end)};
    }

    /// Computes the expression row by row. xtensor calls it where the expression stands alone on
    /// the right of an assignment.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<value_type>(m_op.name(), *this, result)) {
            return;
        }
        detail::resize_or_check(m_op.name(), "the result", result, shape());
        write_to(result);
    }

    /// Writes the expression to a tensor of its shape. The expression may read an element of that
    /// tensor only at the place where the element is written.
    template <class E>
    void write_to(E& result) const {
        m_op.write(result);
    }

private:
    template <class F>
    auto stepper_of_other(F&& make) const {
        if constexpr (detail::chooses<Op>) {
            return make(m_op.other());
        } else {
            return detail::no_stepper();
        }
    }

    Op m_op;
};

namespace detail {
/// The rows of an applied expression inside a larger one: they give blocks, and nothing is stored
/// on the way.
template <class Op>
struct row_maker<applied<Op>> {
    template <class S>
    static auto make(const applied<Op>& e, const S& shape) {
        return e.op().rows(shape);
    }
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI
