// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// The only file that names xtensor's headers: they moved into folders in xtensor 0.26.

#include "abi.hpp"

#if __has_include(<xtensor/core/xtensor_config.hpp>)
#include <xtensor/core/xtensor_config.hpp>
#else
#include <xtensor/xtensor_config.hpp>
#endif

#if XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 25
#error "xmask needs xtensor 0.25 or later."
#include <xmask_ends_here>
#endif

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xeval.hpp>
#include <xtensor/core/xfunction.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xeval.hpp>
#include <xtensor/xfunction.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <type_traits>

namespace xmask::inline XMASK_ABI {
/// Any xtensor expression: a container, a view, a lazy function, a mask.
template <class E>
concept expression = xt::is_xexpression<std::decay_t<E>>::value;

/// The element type of an expression.
template <class E>
using value_type_t = typename std::decay_t<E>::value_type;

namespace detail {
/// An expression of numbers; a mask is one, of bool.
template <class E>
concept number_expression =
    expression<E> && std::is_arithmetic_v<std::remove_cv_t<value_type_t<E>>>;

/// An expression of real numbers.
template <class E>
concept real_expression =
    number_expression<E> && std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>>;

/// How a lazy expression holds its operand: an lvalue by reference, an rvalue by value.
template <class E>
using closure_t = xt::const_xclosure_t<E>;

/// An expression whose elements are in memory, at data() + data_offset() + sum of index * stride.
/// An adapted std::vector<bool> is not one, because its elements are bits.
template <class E>
concept has_memory =
    xt::has_data_interface<std::decay_t<E>>::value && xt::has_strides<std::decay_t<E>>::value &&
    requires(const std::decay_t<E>& e) {
        requires std::is_pointer_v<std::decay_t<decltype(e.data())>>;
        requires std::is_lvalue_reference_v<typename std::decay_t<E>::const_reference>;
        e.data_offset();
    };
/// The first element of an expression in memory; null where an empty container has none.
template <has_memory E>
auto* first_element(E& e) noexcept {
    auto* const data = e.data();
    return data == nullptr ? data : data + e.data_offset();
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
