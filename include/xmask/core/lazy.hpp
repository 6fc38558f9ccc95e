// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <iterator>

#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// The base of masks and masked tensors: it makes them lazy xtensor expressions.

namespace xmask::inline XMASK_ABI::detail {
/// Iterates over an expression by the flat index of row-major order.
template <class E>
class flat_iterator {
public:
    using value_type = typename E::value_type;
    using reference = typename E::const_reference;
    using pointer = const value_type*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;

    flat_iterator() = default;

    flat_iterator(const E* expression, std::size_t index) noexcept
        : m_expression(expression), m_index(static_cast<difference_type>(index)) {}

    reference operator*() const {
        return m_expression->data_element(static_cast<std::size_t>(m_index));
    }

    reference operator[](difference_type n) const { return *(*this + n); }

    flat_iterator& operator++() {
        ++m_index;
        return *this;
    }

    flat_iterator operator++(int) {
        auto before = *this;
        ++m_index;
        return before;
    }

    flat_iterator& operator--() {
        --m_index;
        return *this;
    }

    flat_iterator operator--(int) {
        auto before = *this;
        --m_index;
        return before;
    }

    flat_iterator& operator+=(difference_type n) {
        m_index += n;
        return *this;
    }

    flat_iterator& operator-=(difference_type n) {
        m_index -= n;
        return *this;
    }

    friend flat_iterator operator+(flat_iterator it, difference_type n) { return it += n; }

    friend flat_iterator operator+(difference_type n, flat_iterator it) { return it += n; }

    friend flat_iterator operator-(flat_iterator it, difference_type n) { return it -= n; }

    friend difference_type operator-(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index - b.m_index;
    }

    friend bool operator==(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index == b.m_index;
    }

    friend auto operator<=>(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index <=> b.m_index;
    }

private:
    const E* m_expression = nullptr;
    difference_type m_index = 0;
};

/// A stepper over an expression, for xtensor's general assignment: element by element, in any
/// order.
template <class E>
class flat_stepper {
public:
    using value_type = typename E::value_type;
    using reference = value_type;
    using pointer = const value_type*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using shape_type = typename E::shape_type;

    flat_stepper() = default;

    flat_stepper(const E* expression, size_type offset)
        : m_expression(expression), m_offset(offset), m_strides(expression->dimension()) {
        difference_type stride = 1;
        for (size_type axis = m_strides.size(); axis-- > 0;) {
            const auto extent = static_cast<difference_type>(expression->shape()[axis]);
            m_strides[axis] = extent == 1 ? 0 : stride;
            stride *= extent;
        }
    }

    reference operator*() const {
        return m_expression->data_element(static_cast<size_type>(m_flat));
    }

    void step(size_type axis, size_type n = 1) {
        if (axis >= m_offset) {
            m_flat += m_strides[axis - m_offset] * static_cast<difference_type>(n);
        }
    }

    void step_back(size_type axis, size_type n = 1) {
        if (axis >= m_offset) {
            m_flat -= m_strides[axis - m_offset] * static_cast<difference_type>(n);
        }
    }

    void reset(size_type axis) {
        if (axis >= m_offset) {
            m_flat -= m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
        }
    }

    void reset_back(size_type axis) {
        if (axis >= m_offset) {
            m_flat += m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
        }
    }

    void to_begin() { m_flat = 0; }

    void to_end(xt::layout_type l) {
        m_flat = 0;
        for (size_type axis = 0; axis < m_strides.size(); ++axis) {
            m_flat += m_strides[axis] * (extent(axis) - 1);
        }
        // One step past the last element, along the fastest axis. This axis may be missing in the
        // expression, which is then broadcast along it.
        if (m_strides.size() != 0 && l == xt::layout_type::row_major) {
            m_flat += m_strides.back();
        } else if (m_strides.size() != 0 && m_offset == 0) {
            m_flat += m_strides.front();
        }
    }

private:
    difference_type extent(size_type axis) const {
        return static_cast<difference_type>(m_expression->shape()[axis]);
    }

    const E* m_expression = nullptr;
    size_type m_offset = 0;
    xt::svector<difference_type, 4> m_strides;
    difference_type m_flat = 0;
};

/// Marks the lazy expressions of this library.
struct lazy_base {};

/// The base of every lazy expression of the library. D has shape(), element(first, last),
/// data_element(i), stepper_begin and stepper_end. The base adds the rest of xtensor's interface.
template <class D, class Value>
class lazy : public lazy_base,
             public xt::xexpression<D>,
             public xt::xconst_iterable<D>,
             public xt::xconst_accessible<D> {
    using accessible_base = xt::xconst_accessible<D>;
    using iterable_base = xt::xconst_iterable<D>;

public:
    using expression_tag = xt::xtensor_expression_tag;
    using value_type = Value;
    using reference = Value;
    using const_reference = Value;
    using pointer = const Value*;
    using const_pointer = const Value*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using bool_load_type = xt::bool_load_type<Value>;
    using inner_shape_type = typename iterable_base::inner_shape_type;
    using shape_type = inner_shape_type;
    using stepper = typename iterable_base::stepper;
    using const_stepper = typename iterable_base::const_stepper;
    using linear_iterator = flat_iterator<D>;
    using const_linear_iterator = flat_iterator<D>;

    static constexpr xt::layout_type static_layout = xt::layout_type::dynamic;
    static constexpr bool contiguous_layout = false;

    using accessible_base::shape;

    [[nodiscard]] xt::layout_type layout() const noexcept { return xt::layout_type::row_major; }

    [[nodiscard]] bool is_contiguous() const noexcept { return true; }

    /// The element at these indices. As in xtensor, missing leading indices are 0, and surplus ones
    /// are ignored.
    template <class... Index>
    value_type operator()(Index... index) const {
        const std::array<std::size_t, sizeof...(Index)> all{static_cast<std::size_t>(index)...};
        return self().element(all.begin(), all.end());
    }

    template <class... Index>
    value_type unchecked(Index... index) const {
        return (*this)(index...);
    }

    /// The element at a flat row-major position.
    value_type flat(std::size_t i) const { return self().data_element(i); }

    template <class S>
    bool broadcast_shape(S& to, bool /*reuse_cache*/ = false) const {
        return xt::broadcast_shape(self().shape(), to);
    }

    /// Always false: expressions with a mask are assigned row by row (assign.hpp).
    template <class S>
    constexpr bool has_linear_assign(const S& /*strides*/) const noexcept {
        return false;
    }

    [[nodiscard]] linear_iterator linear_begin() const noexcept { return {&self(), 0}; }

    [[nodiscard]] linear_iterator linear_end() const noexcept { return {&self(), self().size()}; }

    [[nodiscard]] linear_iterator linear_cbegin() const noexcept { return linear_begin(); }

    [[nodiscard]] linear_iterator linear_cend() const noexcept { return linear_end(); }

private:
    const D& self() const noexcept { return static_cast<const D&>(*this); }
};

/// Calls visit(index) with the multi-index of a flat row-major position.
template <class S, class F>
decltype(auto) at_flat_index(const S& shape, std::size_t i, F&& visit) {
    xt::svector<std::size_t, 8> index(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        const auto extent = static_cast<std::size_t>(shape[axis]);
        index[axis] = i % extent;
        i /= extent;
    }
    return visit(index);
}

/// The flat row-major position of a multi-index. As in xtensor, missing leading indices are 0,
/// surplus ones are ignored, and an axis of extent 1 takes any index.
template <class S, class It>
std::size_t flat_index(const S& shape, It first, It last) {
    auto given = static_cast<std::size_t>(last - first);
    for (; given > shape.size(); --given) {
        ++first;
    }
    std::size_t i = 0;
    for (std::size_t axis = shape.size() - given; axis < shape.size(); ++axis, ++first) {
        const auto extent = static_cast<std::size_t>(shape[axis]);
        i = i * extent + (extent == 1 ? 0 : static_cast<std::size_t>(*first));
    }
    return i;
}
} // namespace xmask::inline XMASK_ABI::detail
