// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <array>
#include <cstddef>
#include <iterator>

#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// What makes a mask, and a tensor with a mask applied, an ordinary lazy xtensor expression.

namespace xmask::inline XMASK_ABI::detail
{
    /// Iterates over an expression by the flat index of row-major order.
    template <class E>
    class flat_iterator
    {
    public:

        using value_type = typename E::value_type;
        using reference = typename E::const_reference;
        using pointer = const value_type*;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::random_access_iterator_tag;

        flat_iterator() = default;

        flat_iterator(const E* expression, std::size_t index) noexcept
            : m_expression(expression)
            , m_index(static_cast<difference_type>(index))
        {
        }

        reference operator*() const
        {
            return m_expression->data_element(static_cast<std::size_t>(m_index));
        }

        reference operator[](difference_type n) const
        {
            return *(*this + n);
        }

        flat_iterator& operator++()
        {
            ++m_index;
            return *this;
        }

        flat_iterator operator++(int)
        {
            auto before = *this;
            ++m_index;
            return before;
        }

        flat_iterator& operator--()
        {
            --m_index;
            return *this;
        }

        flat_iterator operator--(int)
        {
            auto before = *this;
            --m_index;
            return before;
        }

        flat_iterator& operator+=(difference_type n)
        {
            m_index += n;
            return *this;
        }

        flat_iterator& operator-=(difference_type n)
        {
            m_index -= n;
            return *this;
        }

        friend flat_iterator operator+(flat_iterator it, difference_type n)
        {
            return it += n;
        }

        friend flat_iterator operator+(difference_type n, flat_iterator it)
        {
            return it += n;
        }

        friend flat_iterator operator-(flat_iterator it, difference_type n)
        {
            return it -= n;
        }

        friend difference_type operator-(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index - b.m_index;
        }

        friend bool operator==(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index == b.m_index;
        }

        friend auto operator<=>(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index <=> b.m_index;
        }

    private:

        const E* m_expression = nullptr;
        difference_type m_index = 0;
    };

    /// Marks the lazy expressions of this library.
    struct lazy_base
    {
    };

    /// Base of every lazy expression of the library. D supplies shape(), element(first, last), data_element(i),
    /// stepper_begin, stepper_end; this adds what xtensor asks of an expression besides.
    template <class D, class Value>
    class lazy : public lazy_base,
                 public xt::xexpression<D>,
                 public xt::xconst_iterable<D>,
                 public xt::xconst_accessible<D>
    {
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

        [[nodiscard]] xt::layout_type layout() const noexcept
        {
            return xt::layout_type::row_major;
        }

        [[nodiscard]] bool is_contiguous() const noexcept
        {
            return true;
        }

        /// The element at these indices; missing leading ones count as 0, surplus leading ones are ignored.
        template <class... Index>
        value_type operator()(Index... index) const
        {
            const std::array<std::size_t, sizeof...(Index)> all{static_cast<std::size_t>(index)...};
            return self().element(all.begin(), all.end());
        }

        template <class... Index>
        value_type unchecked(Index... index) const
        {
            return (*this)(index...);
        }

        /// The element at a flat row-major position.
        value_type flat(std::size_t i) const
        {
            return self().data_element(i);
        }

        template <class S>
        bool broadcast_shape(S& to, bool /*reuse_cache*/ = false) const
        {
            return xt::broadcast_shape(self().shape(), to);
        }

        /// Never: what holds a mask is assigned row by row (assign.hpp).
        template <class S>
        constexpr bool has_linear_assign(const S& /*strides*/) const noexcept
        {
            return false;
        }

        [[nodiscard]] linear_iterator linear_begin() const noexcept
        {
            return {&self(), 0};
        }

        [[nodiscard]] linear_iterator linear_end() const noexcept
        {
            return {&self(), self().size()};
        }

        [[nodiscard]] linear_iterator linear_cbegin() const noexcept
        {
            return linear_begin();
        }

        [[nodiscard]] linear_iterator linear_cend() const noexcept
        {
            return linear_end();
        }

    private:

        const D& self() const noexcept
        {
            return static_cast<const D&>(*this);
        }
    };

    /// Calls visit(index) with the multi-index of a flat row-major position.
    template <class S, class F>
    decltype(auto) at_flat_index(const S& shape, std::size_t i, F&& visit)
    {
        xt::svector<std::size_t, 8> index(shape.size());
        for (std::size_t axis = shape.size(); axis-- > 0;)
        {
            const auto extent = static_cast<std::size_t>(shape[axis]);
            index[axis] = i % extent;
            i /= extent;
        }
        return visit(index);
    }
}
