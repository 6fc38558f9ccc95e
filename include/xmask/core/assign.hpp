// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <type_traits>

#include "lazy.hpp"
#include "overlap.hpp"
#include "shape.hpp"
#include "target.hpp"
#include "xtensor.hpp"

/// @file
/// The assignment of larger expressions that contain a mask, or a tensor with a mask applied, to
/// containers and views, by = and += alike. xtensor would step through them element by element.

namespace xmask::inline XMASK_ABI::detail {
/// Whether an expression is a mask or masked tensor, or a lazy function with one among its
/// arguments.
template <class E>
struct holds_mask : std::is_base_of<lazy_base, E> {};

template <class F, class... CT>
struct holds_mask<xt::xfunction<F, CT...>>
    : std::bool_constant<(holds_mask<std::decay_t<CT>>::value || ...)> {};

/// Writes an expression, broadcast to the shape of `to`. The expression may read an element of `to`
/// only where it is written.
template <class To, class E>
void copy_rows(To& to, const E& from) {
    using element = std::remove_cv_t<value_type_t<E>>;
    write_copy<element>(to, make_operand<element>(from, to.shape()));
}

/// Writes a copy that has the shape of `to`. Most targets are as contiguous as the copy, and need no walk
/// over rows.
template <class To, class Copy>
void copy_back(To& to, const Copy& copy) {
    using same_type = std::is_same<value_type_t<To>, value_type_t<Copy>>;
    if constexpr (has_contiguous_rows<To> && has_contiguous_rows<Copy> && same_type::value) {
        std::copy_n(copy.data(), copy.size(), to.data());
    } else {
        copy_rows(to, copy);
    }
}

/// Assigns an expression through a copy and returns true, where the expression would read elements
/// of `to` after they are written. Otherwise does nothing and returns false.
template <class T, class E, class Sources, class To>
bool assign_apart(const char* function, const E& from, const Sources& sources, To& to) {
    if constexpr (any_may_overlap<typename target<To>::element, Sources>) {
        if (reads_too_late(to, from.shape(), sources)) [[unlikely]] {
            row_major_copy_t<T, E> copy;
            resize_or_check(function, "a copy of the result", copy, from.shape());
            if constexpr (requires { from.write_to(copy); }) {
                from.write_to(copy);
            } else {
                copy_rows(copy, from);
            }
            resize_or_check(function, "the result", to, copy.shape());
            copy_back(to, copy);
            return true;
        }
    }
    return false;
}

template <class T, class E, class To>
bool assign_apart(const char* function, const E& from, To& to) {
    if constexpr (has_sources<E>) {
        return assign_apart<T>(function, from, from.sources(), to);
    } else {
        return assign_apart<T>(function, from, bundle(read_in_place(from)), to);
    }
}

/// Writes an expression, broadcast to the shape of `to`, row by row, whatever it reads of `to`.
template <class To, class E>
void assign_rows(To& to, const E& from) {
    if (!assign_apart<std::remove_cv_t<value_type_t<E>>>("assignment", from, to)) {
        copy_rows(to, from);
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// xtensor's assignment of expressions that are not linear. Expressions with a mask never are.
template <class To, class E, xt::layout_type L>
    requires(xmask::detail::holds_mask<E>::value)
class xt::stepper_assigner<To, E, L> {
public:
    stepper_assigner(To& to, const E& from) : m_to(to), m_from(from) {}

    void run() { xmask::detail::assign_rows(m_to, m_from); }

private:
    To& m_to;
    const E& m_from;
};
