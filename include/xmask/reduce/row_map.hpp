// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../core/assign.hpp"
#include "../core/axes.hpp"
#include "../core/lazy.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/overlap.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/shape.hpp"
#include "../core/target.hpp"
#include "../masks/bitmask.hpp"
#include "held_rows.hpp"
#include "line_sums.hpp"
#include "line_table.hpp"
#include "mapped_row.hpp"
#include "upstream.hpp"

/// @file
/// Lazy tensors whose elements depend on all that is kept along an axis: softmax, normalize, and
/// their gradients. A line_function (line_sums.hpp) says how.

namespace xmask::inline XMASK_ABI {
/// A tensor whose elements depend on all that a mask keeps along an axis, not yet computed: what
/// masked_softmax, masked_normalize and the like give. An ordinary lazy xtensor expression, which
/// is assigned row by row. A single element costs the whole line along the axis.
///
/// @tparam F  how the line maps each element: a detail::line_function
/// @tparam CTM  the closure of the mask
/// @tparam CTX  the closures of the tensors
template <class F, class CTM, class... CTX>
class row_mapped;
} // namespace xmask::inline XMASK_ABI

template <class F, class CTM, class CTX, class... CTY>
struct xt::xiterable_inner_types<xmask::row_mapped<F, CTM, CTX, CTY...>> {
    using inner_shape_type = typename std::decay_t<CTX>::inner_shape_type;
    using const_stepper = xt::xindexed_stepper<xmask::row_mapped<F, CTM, CTX, CTY...>, true>;
    using stepper = const_stepper;
};

template <class F, class CTM, class... CTX>
struct xt::xcontainer_inner_types<xmask::row_mapped<F, CTM, CTX...>> {
    using reference = typename F::value_type;
    using const_reference = typename F::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class F, class CTM, class... CTX>
class row_mapped : public detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type> {
    static_assert(detail::line_function<F, CTX...>);

    using base = detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// Holds a function, a mask and tensors of one shape.
    ///
    /// @param name  the name of the function in errors
    /// @param f  how the line maps each element
    /// @param axis  the number of the axis
    /// @param m  a mask that broadcasts into the tensors
    /// @param operands  the tensors, of one shape
    /// @throws std::invalid_argument  where the shapes do not fit
    template <class M, class... X>
    row_mapped(const char* name, const F& f, std::size_t axis, M&& m, X&&... operands)
        : m_function(f)
        , m_mask(std::forward<M>(m))
        , m_operands(std::forward<X>(operands)...)
        , m_axis(axis)
        , m_name(name) {
        m_operands.call([&](const auto&, const auto&... rest) {
            (detail::require_same_shape(name, "the first tensor", shape(), "another", rest.shape()),
             ...);
        });
        detail::require_broadcast(name, "a mask", m_mask.shape(), shape());
    }

    using base::shape;

    const inner_shape_type& shape() const noexcept {
        return m_operands.call([](const auto& x, const auto&...) -> decltype(auto) {
            return x.shape();
        });
    }

    template <class It>
    value_type element(It first, It last) const {
        // As xtensor does: surplus leading indices are ignored, missing ones count as 0.
        xt::svector<std::size_t, 8> index(shape().size(), 0);
        for (std::size_t axis = index.size(); axis-- > 0 && last != first;) {
            index[axis] = static_cast<std::size_t>(*--last);
        }
        const auto kept = [&](const auto& at) { return m_mask.element(at.begin(), at.end()); };
        if (!kept(index)) {
            return F::outside;
        }
        const auto visit_at = [&](const auto& at, auto&& visit) {
            return m_operands.call([&](const auto&... x) {
                return visit(static_cast<value_type>(x.element(at.begin(), at.end()))...);
            });
        };
        const auto total = detail::sums_of_line(m_function, [&](auto&& visit) {
            auto at = index;
            const std::size_t extent = at.empty() ? 1 : static_cast<std::size_t>(shape()[m_axis]);
            for (std::size_t i = 0; i < extent; ++i) {
                if (!at.empty()) {
                    at[m_axis] = i;
                }
                if (kept(at)) {
                    visit_at(at, visit);
                }
            }
        });
        const auto facts = m_function.facts(total.shift, total.sums);
        return visit_at(index, [&](const auto&... x) { return m_function.map(facts, x...); });
    }

    value_type data_element(size_type i) const {
        return detail::at_flat_index(shape(), i, [&](const auto& index) {
            return element(index.begin(), index.end());
        });
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type /*l*/) const noexcept {
        return const_stepper(this, walked.size() - this->dimension(), true);
    }

    /// xtensor calls it when this expression stands alone on the right-hand side.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<value_type>(m_name, *this, sources_of_rows(), result)) {
            return;
        }
        if constexpr (detail::has_threads) {
            // Several threads may write parts of a row, each of which needs all of it.
            if (detail::columns_of(shape()) > detail::piece_elements &&
                detail::assign_apart<value_type>(m_name, *this, result)) {
                return;
            }
        }
        detail::resize_or_check(m_name, "the result", result, shape());
        write_to(result);
    }

    /// Writes the expression to a tensor of its shape. Operands and masks may read an element of
    /// the tensor only where it is written.
    template <class E>
    void write_to(E& result) const {
        if constexpr (detail::sums_in_registers<value_type>) {
            if (detail::axis_of_rows(shape(), m_axis).along_rows() &&
                detail::row_writer<value_type, E>(result).in_place()) {
                write_own_rows(result);
                return;
            }
        }
        using masks = detail::mask_rows<std::decay_t<CTM>>;
        detail::write_rows<value_type>(
            result,
            detail::masked_operands{
                masks(m_mask, shape()), rows(shape()), detail::columns_of(shape())
            },
            [](const auto& rows, std::size_t r, auto columns) {
                return detail::map_delegate(columns, rows.row(r));
            }
        );
    }

    /// The tensors that this reads in a larger expression (core/overlap.hpp).
    [[nodiscard]] auto sources() const noexcept {
        return m_operands.call([&](const auto&... x) {
            return detail::bundle(detail::read_anywhere(m_mask), detail::read_anywhere(x)...);
        });
    }

    /// The rows for a walk over `walked`, into which this broadcasts. Lines are summed in the
    /// result's own shape.
    template <class S>
    auto rows(const S& walked) const {
        const detail::axis_of_rows axis(shape(), m_axis);
        const std::size_t n = detail::columns_of(shape());
        auto own_rows = operand_rows(shape());
        detail::facts_table<F> of_lines(m_function, own_rows, axis, detail::rows_of(shape()), n);
        const auto facts = [f = m_function, axis, n, own = std::move(own_rows),
                            table = std::move(of_lines)](std::size_t r) {
            if (axis.along_rows()) {
                return detail::row_facts<F>(detail::facts_of_row(f, own.row(r)));
            }
            const detail::row_facts<F> columns(table.row(axis.bundle(r)), table.size());
            return n == 1 ? detail::row_facts<F>(columns.at(0)) : columns;
        };
        return detail::row_function(
            [f = m_function, facts, numbers = detail::row_numbers(walked, shape()),
             rows = operand_rows(walked)](std::size_t r) XMASK_INLINE_LAMBDA {
                const auto own_row = static_cast<std::size_t>(numbers(r));
                return detail::mapped_row(f, facts(own_row), rows.row(r));
            }
        );
    }

private:
    /// The tensors that this reads where it is assigned alone. A line is read before any of its
    /// elements is written; the mask is read again where the line holds its terms.
    [[nodiscard]] auto sources_of_rows() const noexcept {
        return m_operands.call([&](const auto&... x) {
            if constexpr (F::keeps_terms) {
                return detail::bundle(detail::read_anywhere(m_mask), detail::read_in_place(x)...);
            } else {
                return detail::bundle(detail::read_in_place(m_mask), detail::read_in_place(x)...);
            }
        });
    }

    /// Writes rows along which the axis lies, in place.
    template <class E>
    void write_own_rows(E& to) const {
        constexpr std::size_t width = detail::lane_count<value_type>;
        const std::size_t n = detail::columns_of(shape());
        const auto all = detail::pieces::of_whole_rows(n == 0 ? 0 : detail::rows_of(shape()), n);
        detail::for_each_piece(
            all, operand_rows(shape()),
            [&](const auto& rows, const detail::piece& part) {
                detail::row_writer<value_type, E> writer(to);
                const auto write = [&](auto registers) {
                    detail::write_held_rows<registers>(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                };
                if (!detail::fits_registers<value_type>(n)) {
                    detail::write_whole_rows(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                } else if (n <= width) {
                    write(std::integral_constant<std::size_t, 1>());
                } else if (n <= 2 * width) {
                    write(std::integral_constant<std::size_t, 2>());
                } else {
                    write(std::integral_constant<std::size_t, 4>());
                }
            }
        );
    }

    template <class S>
    auto operand_rows(const S& walked) const {
        return m_operands.call([&](const auto&... x) {
            return detail::make_zipped_operands<value_type>(walked, m_mask, x...);
        });
    }

    F m_function;
    CTM m_mask;
    detail::bundle<CTX...> m_operands;
    std::size_t m_axis;
    const char* m_name;
};

namespace detail {
template <class F, class CTM, class... CTX>
struct row_maker<row_mapped<F, CTM, CTX...>> {
    template <class S>
    static auto make(const row_mapped<F, CTM, CTX...>& e, const S& shape) {
        return e.rows(shape);
    }
};

template <bool Fits, class... /*X*/>
struct real_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: this takes tensors (or lazy expressions) of real numbers, the mask after them; convert integers first."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless all X are tensors of real numbers.
template <class... X>
using require_real_tensors = real_tensors_expected<(real_expression<X> && ...), X...>;

/// Fails to compile, with one sentence, unless X is a tensor of real numbers and M a mask.
template <class X, class M>
using require_lines = require_all<require_real_tensors<X>, require_mask<M>>;

/// Fails to compile, with one sentence, unless X is a tensor of real numbers that can be written,
/// and M a mask.
template <class X, class M>
using require_lines_inplace =
    require_all<require_real_tensors<X>, require_target<X>, require_mask<M>>;

/// Fails to compile, with one sentence, unless these are the tensor, the mask and the upstream
/// gradient of a gradient along an axis.
template <class X, class M, class G>
using require_row_gradient =
    require_all<require_gradient_order<G>, require_real_tensors<X, G>, require_mask<M>>;

template <class... X>
using real_of = std::common_type_t<std::remove_cv_t<value_type_t<X>>...>;

template <class F, class M, class... X>
auto make_row_mapped(const char* name, const F& f, std::ptrdiff_t axis, M&& m, X&&... operands) {
    const std::size_t rank = std::get<0>(std::forward_as_tuple(operands...)).dimension();
    return row_mapped<F, closure_t<M>, closure_t<X>...>(
        name, f, line_axis_number(name, axis, rank), std::forward<M>(m),
        std::forward<X>(operands)...
    );
}

/// Maps x in place.
template <class F, class X, class M>
void map_inplace(const char* name, const F& f, std::ptrdiff_t axis, const M& m, X& x) {
    // Where a row holds its terms, the mask is asked again.
    with_mask_apart(
        m, x, [&](const auto& apart) { make_row_mapped(name, f, axis, apart, x).assign_to(x); },
        F::keeps_terms ? overlap::none : overlap::in_place
    );
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
