// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "block.hpp"
#include "lazy.hpp"
#include "mask.hpp"
#include "row.hpp"
#include "simd.hpp"
#include "write.hpp"
#include "xtensor.hpp"

/// @file
/// A tensor with a mask applied: a lazy expression that assigns itself row by row, 64 columns at a time.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// Whether every leaf of an expression holds elements of type T, so that xtensor's load_simd gives what it
        /// should (xtensor#2025).
        template <class E, class T>
        struct leaves_are : std::is_same<value_type_t<E>, T>
        {
        };

        template <class F, class... CT, class T>
        struct leaves_are<xt::xfunction<F, CT...>, T>
            : std::bool_constant<
                  std::is_same_v<value_type_t<xt::xfunction<F, CT...>>, T> && (leaves_are<std::decay_t<CT>, T>::value && ...)>
        {
        };

        /// Whether an expression can be read by flat index.
        template <class E>
        struct has_flat_access : std::bool_constant<requires(const E& e) { e.data_element(std::size_t(0)); }>
        {
        };

        template <class F, class... CT>
        struct has_flat_access<xt::xfunction<F, CT...>> : std::bool_constant<(has_flat_access<std::decay_t<CT>>::value && ...)>
        {
        };

        /// Walks an applied expression by walking its operand and its mask.
        template <class A>
        class applied_stepper
        {
        public:

            using value_type = typename A::value_type;
            using reference = value_type;
            using pointer = const value_type*;
            using size_type = std::size_t;
            using difference_type = std::ptrdiff_t;
            using shape_type = typename A::shape_type;
            using operand_stepper = typename std::decay_t<decltype(std::declval<const A&>().operand())>::const_stepper;
            using gate_stepper = typename std::decay_t<decltype(std::declval<const A&>().gate())>::const_stepper;

            applied_stepper() = default;

            applied_stepper(const A* applied, operand_stepper operand, gate_stepper gate)
                : m_applied(applied)
                , m_operand(operand)
                , m_gate(gate)
            {
            }

            reference operator*() const
            {
                return m_applied->combine([this] { return *m_operand; }, *m_gate);
            }

            void step(size_type axis, size_type n = 1)
            {
                m_operand.step(axis, n);
                m_gate.step(axis, n);
            }

            void step_back(size_type axis, size_type n = 1)
            {
                m_operand.step_back(axis, n);
                m_gate.step_back(axis, n);
            }

            void reset(size_type axis)
            {
                m_operand.reset(axis);
                m_gate.reset(axis);
            }

            void reset_back(size_type axis)
            {
                m_operand.reset_back(axis);
                m_gate.reset_back(axis);
            }

            void to_begin()
            {
                m_operand.to_begin();
                m_gate.to_begin();
            }

            void to_end(xt::layout_type l)
            {
                m_operand.to_end(l);
                m_gate.to_end(l);
            }

        private:

            const A* m_applied = nullptr;
            operand_stepper m_operand;
            gate_stepper m_gate;
        };
    }

    /// A tensor with a mask (or real weights) applied, not yet computed. An ordinary lazy xtensor expression; alone
    /// on the right of an assignment it is one pass by words, inside a larger expression xtensor walks it.
    ///
    /// Op says what is done: operand(), gate(), combine(get, gate value), rows(shape), and name().
    template <class Op>
    class applied;
}

template <class Op>
struct xt::xiterable_inner_types<xmask::applied<Op>>
{
    using inner_shape_type = typename Op::shape_type;
    using const_stepper = xmask::detail::applied_stepper<Op>;
    using stepper = const_stepper;
};

template <class Op>
struct xt::xcontainer_inner_types<xmask::applied<Op>>
{
    using reference = typename Op::value_type;
    using const_reference = typename Op::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI
{
    template <class Op>
    class applied : public detail::lazy<applied<Op>, typename Op::value_type>
    {
        using base = detail::lazy<applied<Op>, typename Op::value_type>;
        using operand_type = std::decay_t<decltype(std::declval<const Op&>().operand())>;

    public:

        using typename base::const_stepper;
        using typename base::inner_shape_type;
        using typename base::size_type;
        using typename base::value_type;

        explicit applied(Op op)
            : m_op(std::move(op))
        {
        }

        using base::shape;

        const inner_shape_type& shape() const noexcept
        {
            return m_op.operand().shape();
        }

        const Op& op() const noexcept
        {
            return m_op;
        }

        template <class It>
        value_type element(It first, It last) const
        {
            return m_op.combine(
                [&] { return m_op.operand().element(first, last); }, m_op.gate().element(first, last)
            );
        }

        value_type data_element(size_type i) const
        {
            if constexpr (detail::has_flat_access<operand_type>::value)
            {
                if (m_linear)
                {
                    return m_op.combine([&] { return m_op.operand().data_element(i); }, m_op.gate().data_element(i));
                }
            }
            return detail::at_flat_index(shape(), i, [&](const auto& index) {
                return element(index.begin(), index.end());
            });
        }

        template <class S>
        bool has_linear_assign(const S& strides) const noexcept
        {
            return m_linear && detail::is_row_major(shape(), strides);
        }

        template <class S>
        const_stepper stepper_begin(const S& walked) const noexcept
        {
            return {&m_op, m_op.operand().stepper_begin(walked), m_op.gate().stepper_begin(walked)};
        }

        template <class S>
        const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept
        {
            return {&m_op, m_op.operand().stepper_end(walked, l), m_op.gate().stepper_end(walked, l)};
        }

        /// The fast row walk; xtensor calls it when this expression stands alone on the right-hand side.
        template <class E>
        void assign_to(xt::xexpression<E>& to) const
        {
            auto& result = to.derived_cast();
            detail::resize_or_check(m_op.name(), "the result", result, shape());
            detail::write_rows<value_type>(m_op.rows(result.shape()), result);
        }

#if defined(XTENSOR_USE_XSIMD)
        /// One register of a larger expression that xtensor vectorizes.
        template <class Align, class Requested = value_type, std::size_t N = detail::lane_count<Requested>>
            requires(
                std::same_as<Requested, value_type> && Op::has_register_form && detail::leaves_are<operand_type, value_type>::value
                && xt::has_simd_interface<operand_type, value_type>::value
                // An integer division would trap on what is dropped.
                && (std::is_floating_point_v<value_type> || detail::has_memory<operand_type>)
            )
        detail::lanes<Requested> load_simd(size_type i) const
        {
            const std::size_t n = detail::columns_of(shape());
            const std::size_t c = i % n;
            if (c + detail::lane_count<value_type> <= n)
            {
                return m_op.combine_register(
                    m_op.operand().template load_simd<Align, value_type>(i), m_op.gate().row(i / n).word(c)
                );
            }
            std::array<value_type, detail::lane_count<value_type>> values;
            for (std::size_t k = 0; k < values.size(); ++k)
            {
                values[k] = data_element(i + k);
            }
            return detail::load_lanes(values.data());
        }
#endif

    private:

        bool linear_operand() const
        {
            if constexpr (detail::has_flat_access<operand_type>::value)
            {
                auto strides = xt::svector<std::ptrdiff_t, 8>(shape().size());
                std::ptrdiff_t stride = 1;
                for (std::size_t axis = strides.size(); axis-- > 0;)
                {
                    strides[axis] = shape()[axis] == 1 ? 0 : stride;
                    stride *= static_cast<std::ptrdiff_t>(shape()[axis]);
                }
                return m_op.operand().has_linear_assign(strides) && m_op.gate().has_linear_assign(strides)
                       && detail::equal_shapes(m_op.gate().shape(), shape());
            }
            else
            {
                return false;
            }
        }

        Op m_op;
        bool m_linear = linear_operand();
    };

    namespace detail
    {
        /// A row of a lazy result as the operand of another: its blocks are computed into 64 elements.
        template <class Row, class T>
        class applied_row
        {
        public:

            applied_row(Row row, bool one_column)
                : m_row(std::move(row))
                , m_one_column(one_column)
            {
            }

            /// What the caller drops is not computed either: it could trap, or call the user's function.
            memory_block<T> read(std::size_t c, std::size_t count, word_t bits)
            {
                if (m_one_column)
                {
                    m_row.template block<false>(m_buffer.values, 0, std::size_t(1), m_row.cursor().word(0));
                    std::fill_n(m_buffer.values + 1, count - 1, m_buffer.values[0]);
                }
                else
                {
                    m_row.template block<false>(m_buffer.values, c, count, m_row.cursor().word(c) & bits & first_bits(count));
                }
                return memory_block<T>(m_buffer.values);
            }

        private:

            Row m_row;
            bool m_one_column;
            block_buffer<T> m_buffer;
        };

        template <class Rows, class T>
        class applied_rows
        {
        public:

            template <class S, class F>
            applied_rows(Rows rows, const S& shape, const F& from)
                : m_rows(std::move(rows))
                , m_numbers(row_numbers(shape, from))
                , m_one_column(columns_of(from) == 1)
            {
            }

            XMASK_INLINE applied_row<row_t<Rows>, T> row(std::size_t r) const
            {
                return {m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_one_column};
            }

        private:

            Rows m_rows;
            row_offsets m_numbers;
            bool m_one_column;
        };

        template <class Op>
        struct row_maker<applied<Op>>
        {
            template <class S>
            static auto make(const applied<Op>& e, const S& shape)
            {
                using rows = decltype(e.op().rows(e.shape()));
                return applied_rows<rows, typename Op::value_type>(e.op().rows(e.shape()), shape, e.shape());
            }
        };
    }
}
